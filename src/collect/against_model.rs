//! A model beside a language model.

use std::collections::BTreeMap;

use serde::Serialize;

use super::language_model::{Failure, Tokens};
use crate::evaluate::{Estimate, Figure, McNemar};

/// A model beside a language model on the same test rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AgainstModel {
    /// Name of the model.
    pub first: String,
    /// Name of the language model, as its endpoint knows it.
    pub second: String,
    /// Rows that both answered.
    pub rows: usize,
    /// Rows of the test part.
    pub of: usize,
    /// Training rows that were shown beside each.
    pub examples: usize,
    /// Rows whose answer named no label, by the reason; they count as rows of the most frequent class of the training.
    pub unanswered: BTreeMap<Failure, usize>,
    /// That class.
    pub fallback: String,
    /// Figures of both, as far as they need no probabilities: a language model gives none.
    pub figures: [BTreeMap<Figure, Estimate>; 2],
    /// First minus second (paired Bayesian bootstrap over groups).
    pub difference: BTreeMap<Figure, Estimate>,
    /// McNemar's exact test.
    pub mcnemar: McNemar,
    /// Seconds a thousand rows: of the model on this machine, and of the endpoint with `concurrency` requests at once; none where
    /// its answers were kept.
    pub seconds_per_1000: [Option<f64>; 2],
    /// Requests under way at once.
    pub concurrency: usize,
    /// Requests that were asked now; the others were kept.
    pub asked: usize,
    /// Tokens of all answers.
    pub tokens: Tokens,
    /// Whether they are estimated.
    pub tokens_estimated: bool,
    /// Money for a thousand rows by the prices of the config; none without prices.
    pub cost_per_1000: Option<f64>,
    /// What ended it before the last row.
    pub ended: Option<String>,
}
