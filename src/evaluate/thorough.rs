//! What tuning the encoder is worth on a dataset.

use std::collections::BTreeMap;

use serde::Serialize;

use super::figure::Figure;
use super::interval::Estimate;

/// What a thorough search found.
#[derive(Clone, Debug, Serialize)]
pub struct Thorough {
    /// What decides: `tune.metric`.
    pub metric: Figure,
    /// Folds, each with an encoder of its own.
    pub folds: usize,
    /// Rows outside the test part.
    pub rows: usize,
    /// Figures of the present config, with the encoder frozen.
    pub frozen: BTreeMap<Figure, Estimate>,
    /// Figures of the config with the encoder tuned.
    pub tuned: BTreeMap<Figure, Estimate>,
    /// Tuned minus frozen on the same folds.
    pub difference: BTreeMap<Figure, Estimate>,
    /// Whether tuned is better by more than chance.
    pub worth: bool,
    /// How much of the encoder learned: `full` or `top-N`.
    pub training: String,
    /// Minutes that were foretold, at most, for the search.
    pub foretold_minutes: f64,
    /// Minutes that it took; what an earlier search had done took none.
    pub minutes: f64,
    /// Keys of the config that tuning sets, with their values.
    pub settings: BTreeMap<String, serde_json::Value>,
}
