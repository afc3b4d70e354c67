//! Several configs on the same folds.

use std::collections::BTreeMap;

use serde::Serialize;

use super::figure::Figure;
use super::interval::Estimate;

/// What one preset gave. Intervals are of the mean over the folds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ablated {
    /// The preset.
    pub preset: String,
    /// What it is.
    pub what: String,
    /// Mean of the heads' parameters, effective ones for a kernel machine.
    pub parameters: usize,
    /// Every figure.
    pub figures: BTreeMap<Figure, Estimate>,
    /// F1 of each class.
    pub class_f1: Vec<Estimate>,
    /// Mean time to train a head, as many folds at once as there are cores.
    pub train_seconds: f64,
    /// Every figure minus the reference's; absent for the reference.
    pub difference: Option<BTreeMap<Figure, Estimate>>,
}

/// The table of an ablation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ablation {
    /// Name of the dataset.
    pub name: String,
    /// Class names.
    pub classes: Vec<String>,
    /// Folds of a repeat, and repeats.
    pub folds: (usize, usize),
    /// Rows outside the test part.
    pub rows: usize,
    /// The preset that the others are compared with.
    pub reference: String,
    /// The presets, in the order asked for.
    pub presets: Vec<Ablated>,
}
