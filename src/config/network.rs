//! The closed choices of a network, and `[train.plateau]`. Its other keys stand in `[train]` itself.

use serde::{Deserialize, Serialize};

use super::number::{Number, real, whole};
use super::section::Section;

/// Most epochs of any phase of a training.
pub(super) const MOST_EPOCHS: usize = 100_000;

/// How a network's last layer makes the label's probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputKind {
    /// A score a class and softmax.
    Softmax,
    /// Ordered classes: one score and thresholds (CORAL).
    Coral,
    /// Ordered classes: the chance to pass each threshold after the one before (CORN).
    Corn,
}

/// How a network's learning rate changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// It does not.
    Constant,
    /// It falls when the validation loss stops falling: `[train.plateau]`.
    Plateau,
    /// It rises over `warmup`, then falls along half a cosine.
    Cosine,
    /// It rises and falls once (one-cycle).
    OneCycle,
}

/// Which weights of a network are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AveragingKind {
    /// Those of the best epoch.
    None,
    /// Their exponential moving average.
    Ema,
    /// The mean over the epochs from `swa_from` on.
    Swa,
}

/// `[train.plateau]`: the learning rate falls when the validation loss stops falling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlateauConfig {
    /// Factor applied to the learning rate, in `[0.01, 1]`; 0.5 by default.
    pub factor: f64,
    /// Epochs without improvement that are tolerated, in `[0, 100,000]`; 2 by default.
    pub patience: usize,
    /// The learning rate never falls below this, in `[0, 10]`; 0.000001 by default.
    pub min_learning_rate: f64,
}

impl Section for PlateauConfig {
    fn numbers(&self) -> Vec<Number> {
        vec![
            real("train.plateau.factor", self.factor, 0.01..=1.0),
            whole("train.plateau.patience", self.patience, 0..=MOST_EPOCHS),
            real("train.plateau.min_learning_rate", self.min_learning_rate, 0.0..=10.0),
        ]
    }
}

impl Default for PlateauConfig {
    fn default() -> Self {
        Self { factor: 0.5, patience: 2, min_learning_rate: 1e-6 }
    }
}
