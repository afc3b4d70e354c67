//! Several configs on the same folds.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::figure::Figure;
use super::interval::Estimate;
use crate::split::FoldCounts;

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
    /// Folds of a repeat, and repeats; in the file a list of the two.
    #[serde(serialize_with = "as_list")]
    pub folds: FoldCounts,
    /// Rows outside the test part.
    pub rows: usize,
    /// The preset that the others are compared with.
    pub reference: String,
    /// The presets, in the order asked for.
    pub presets: Vec<Ablated>,
}

fn as_list<S: Serializer>(counts: &FoldCounts, serializer: S) -> Result<S::Ok, S::Error> {
    [counts.folds, counts.repeats].serialize(serializer)
}
