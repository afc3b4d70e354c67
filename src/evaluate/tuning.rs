//! What a search over configs found, and what searching is worth.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::figure::Figure;
use super::interval::Estimate;

/// One config of a search.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TunedTrial {
    /// Its values by dotted key; none for the config as it was.
    pub values: BTreeMap<String, Value>,
    /// The metric over the inner folds.
    pub value: Estimate,
    /// Mean time to train a head.
    pub seconds: f64,
}

/// A search with its nested cross-validation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tuning {
    /// Name of the dataset.
    pub name: String,
    /// What was to be best.
    pub metric: Figure,
    /// Rows outside the test part.
    pub rows: usize,
    /// Folds on which what a search found was measured.
    pub outer_folds: usize,
    /// Folds inside each, on which it searched.
    pub inner_folds: usize,
    /// The values tried, by key.
    pub space: Value,
    /// The best values of the search over all rows; none where the config as it was is the best.
    pub best: BTreeMap<String, Value>,
    /// All configs of that search, in their order.
    pub trials: Vec<TunedTrial>,
    /// What searching gives on rows that the search has not seen.
    pub tuned: BTreeMap<Figure, Estimate>,
    /// The config as it was, on the same folds.
    pub present: BTreeMap<Figure, Estimate>,
    /// The first minus the second.
    pub difference: BTreeMap<Figure, Estimate>,
}
