//! What rows that were collected are worth.

use std::collections::BTreeMap;

use serde::Serialize;

use super::figure::Figure;
use super::interval::Estimate;

/// What candidates are worth.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Worth {
    /// Name of the dataset.
    pub name: String,
    /// Class names.
    pub classes: Vec<String>,
    /// Candidates that taught, doubtful ones among them.
    pub candidates: usize,
    /// Real rows outside the test part.
    pub rows: usize,
    /// Folds, and repeats.
    pub folds: [usize; 2],
    /// Every figure without them.
    pub without: BTreeMap<Figure, Estimate>,
    /// Every figure with them minus that without, on the same folds.
    pub difference: BTreeMap<Figure, Estimate>,
    /// F1 of each class with them minus that without.
    pub class_f1: Vec<Estimate>,
}
