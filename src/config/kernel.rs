//! `[train.kernel]`: a kernel machine.

use serde::{Deserialize, Serialize};

use super::number::{Number, real, whole};
use super::section::Section;

/// Most rows that others are compared with: their kernel alone takes 80 GB.
const MOST_LANDMARKS: usize = 100_000;

/// `[train.kernel]`. What is not set is chosen by the loss on training rows that are left out with their
/// groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KernelConfig {
    /// Up to so many training rows, every row is compared with all of them. In `[1, 100,000]`, 10,000 by default.
    pub exact_rows: usize,
    /// Beyond that, training rows that every row is compared with. In `[1, 100,000]`, 5000 by default.
    pub landmarks: usize,
    /// γ of the Gaussian kernel, in units of 1 / variance of the inputs, in `[0.0001, 10,000]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gamma: Option<f64>,
    /// Ridge penalty, in `[0.0001, 10,000]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ridge: Option<f64>,
    /// Factor on the standardised tabular inputs, in `[0, 10,000]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature_weight: Option<f64>,
    /// Weight of the words and letters (`features.terms`) beside the embedding, in `[0, 10,000]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub term_weight: Option<f64>,
}

impl Section for KernelConfig {
    fn numbers(&self) -> Vec<Number> {
        vec![
            whole("train.kernel.exact_rows", self.exact_rows, 1..=MOST_LANDMARKS),
            whole("train.kernel.landmarks", self.landmarks, 1..=MOST_LANDMARKS),
            real("train.kernel.gamma", self.gamma, 1e-4..=1e4),
            real("train.kernel.ridge", self.ridge, 1e-4..=1e4),
            real("train.kernel.feature_weight", self.feature_weight, 0.0..=1e4),
            real("train.kernel.term_weight", self.term_weight, 0.0..=1e4),
        ]
    }
}

impl Default for KernelConfig {
    fn default() -> Self {
        Self {
            exact_rows: 10_000,
            landmarks: 5000,
            gamma: None,
            ridge: None,
            feature_weight: None,
            term_weight: None,
        }
    }
}
