//! `[gates]`: limits that a model must keep to be put to use.

use serde::{Deserialize, Serialize};

use super::number::{MOST_ROWS, Number, real, whole};
use super::section::Section;

/// `[gates]`. A limit that a figure must be above lets every figure pass at -1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatesConfig {
    /// Test accuracy must be above this share (in `[-1, 1]`, 0.85 by default) …
    pub test_accuracy: f64,
    /// … with half its 95 % interval below this share, in `[0, 1]`; 0.03 by default.
    pub test_accuracy_half_width: f64,
    /// F1 of every class must be above this share, in `[-1, 1]`; 0.75 by default.
    pub class_f1: f64,
    /// Validation loss minus training loss must be below this many nats, in `[0, 1000]`; 0.1 by default.
    pub loss_gap: f64,
    /// Standard deviation of the validation accuracy over the last epochs must be below this share, in `[0, 1]`; 0.02 by
    /// default.
    pub validation_accuracy_deviation: f64,
    /// There must be more usable rows than this (in `[0, 10⁹]`, 5000 by default) …
    pub rows: usize,
    /// … and more test rows than this, in `[0, 10⁹]`; 500 by default.
    pub test_rows: usize,
}

impl Section for GatesConfig {
    fn numbers(&self) -> Vec<Number> {
        vec![
            real("gates.test_accuracy", self.test_accuracy, -1.0..=1.0),
            real("gates.test_accuracy_half_width", self.test_accuracy_half_width, 0.0..=1.0),
            real("gates.class_f1", self.class_f1, -1.0..=1.0),
            real("gates.loss_gap", self.loss_gap, 0.0..=1e3),
            real("gates.validation_accuracy_deviation", self.validation_accuracy_deviation, 0.0..=1.0),
            whole("gates.rows", self.rows, 0..=MOST_ROWS),
            whole("gates.test_rows", self.test_rows, 0..=MOST_ROWS),
        ]
    }
}

impl Default for GatesConfig {
    fn default() -> Self {
        Self {
            test_accuracy: 0.85,
            test_accuracy_half_width: 0.03,
            class_f1: 0.75,
            loss_gap: 0.1,
            validation_accuracy_deviation: 0.02,
            rows: 5000,
            test_rows: 500,
        }
    }
}
