//! `[features]`: what stands beside the embedding.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::number::{MOST_ROWS, Number, real, whole};
use super::section::Section;

/// `[features]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FeatureConfig {
    /// Numeric columns, standardised on the training part; an empty cell becomes the training mean, and a number beyond
    /// those of the training part the nearest that `min_count` of its rows reach. None by default.
    pub numeric: Vec<String>,
    /// Categorical columns, one input for each value seen often enough in the training part; a list has several. None by
    /// default.
    pub categorical: Vec<String>,
    /// Weights of the text fields' embeddings: how much a field says of the distance of two rows. In `[0, 1000]`, 1 by
    /// default.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub field_weights: BTreeMap<String, f64>,
    /// For each text, how long and what kind it is: words, letters a word, exclamation and question marks. On by default.
    pub text_shape: bool,
    /// Let a kernel machine see words, pairs of words and groups of letters (TF-IDF) beside the embedding. On by default.
    pub terms: bool,
    /// A value with fewer training rows than this is encoded as "other", and a number that fewer reach as the nearest that
    /// so many do. In `[0, 10⁹]`, 5 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_count: Option<usize>,
}

impl Section for FeatureConfig {
    fn numbers(&self) -> Vec<Number> {
        let weight = real("features.field_weights.*", None, 0.0..=1e3);
        let mut numbers = vec![whole("features.min_count", self.min_count, 0..=MOST_ROWS)];
        numbers.extend(self.field_weights.iter().map(|(field, &of_field)| weight.at(field, of_field)));
        numbers.push(weight);
        numbers
    }
}

impl Default for FeatureConfig {
    fn default() -> Self {
        Self {
            numeric: Vec::new(),
            categorical: Vec::new(),
            field_weights: BTreeMap::new(),
            text_shape: true,
            terms: true,
            min_count: None,
        }
    }
}
