//! `[evaluate]`: cross-validation.

use serde::{Deserialize, Serialize};

use super::error::Fault;
use super::number::{Number, whole};
use super::section::Section;

/// Most folds of a repeat.
pub(super) const MOST_FOLDS: usize = 1000;

/// Most folds of all repeats: each keeps the places of all rows, and trains a head and its baselines.
const MOST_TURNS: usize = 10_000;

/// `[evaluate]`: repeated stratified group k-fold cross-validation over the rows outside the test part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluateConfig {
    /// Folds of a repeat, in `[2, 1000]`; 5 by default.
    pub folds: usize,
    /// Times that the rows are dealt to folds anew, in `[1, 100]`; 3 by default. All folds together are at most 10,000.
    pub repeats: usize,
}

impl Section for EvaluateConfig {
    fn numbers(&self) -> Vec<Number> {
        vec![
            whole("evaluate.folds", self.folds, 2..=MOST_FOLDS),
            whole("evaluate.repeats", self.repeats, 1..=100),
        ]
    }

    fn check(&self) -> Result<(), Fault> {
        let (folds, repeats) = (self.folds, self.repeats);
        if folds * repeats > MOST_TURNS {
            let problem = format!(
                "of {folds} folds and {repeats} repeats trains {} heads; {MOST_TURNS} are most",
                folds * repeats
            );
            return Fault::at("evaluate", problem);
        }
        Ok(())
    }
}

impl Default for EvaluateConfig {
    fn default() -> Self {
        Self { folds: 5, repeats: 3 }
    }
}
