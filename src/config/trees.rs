//! `[train.trees]`: gradient-boosted trees.

use serde::{Deserialize, Serialize};

use super::number::{Number, real, whole};
use super::section::Section;

/// `[train.trees]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TreesConfig {
    /// Most questions on the way to a leaf, in `[1, 64]`; 5 by default.
    pub depth: usize,
    /// Share of a tree's answer that is added, in `[0.0001, 1]`; 0.05 by default.
    pub learning_rate: f64,
    /// Share of the inputs that a tree sees, in `[0.0001, 1]`; 0.05 by default.
    pub columns: f64,
    /// Share of the rows that a tree sees, in `[0.01, 1]`; 0.8 by default.
    pub rows: f64,
}

impl Section for TreesConfig {
    fn numbers(&self) -> Vec<Number> {
        vec![
            whole("train.trees.depth", self.depth, 1..=64),
            real("train.trees.learning_rate", self.learning_rate, 1e-4..=1.0),
            real("train.trees.columns", self.columns, 1e-4..=1.0),
            real("train.trees.rows", self.rows, 0.01..=1.0),
        ]
    }
}

impl Default for TreesConfig {
    fn default() -> Self {
        Self { depth: 5, learning_rate: 0.05, columns: 0.05, rows: 0.8 }
    }
}
