//! What was found of a finished model on labelled rows that it has not seen.

use std::path::PathBuf;

use serde::Serialize;

use super::diagnosis::TextShift;
use super::metrics::Metrics;

/// What a model is worth on labelled rows.
#[derive(Clone, Debug, Serialize)]
pub struct Scored {
    /// Name of the model.
    pub name: String,
    /// The files of the rows.
    pub files: Vec<PathBuf>,
    /// Figures of the rows that it has not learned from and whose label it knows.
    pub metrics: Metrics,
    /// What its evaluation found, where the model has one, and on which rows; and how the two differ.
    pub expected: Option<Expected>,
    /// How well the texts are told from those of the training; `None` where either are fewer than ten, or the embeddings of the
    /// training are not here.
    pub texts: Option<TextShift>,
    /// Rows left out since their texts are those of rows that it has learned from.
    pub learned: usize,
    /// Labels that it has not learned, with their rows, which are left out; the most frequent first.
    pub unknown: Vec<(String, usize)>,
    /// Rows that cannot be used.
    pub rejected: usize,
    /// The first of them, with its place and why.
    pub first_rejected: Option<String>,
    /// What was noted while reading, for people.
    pub notes: Vec<String>,
}

/// What was to be expected of a model.
#[derive(Clone, Debug, Serialize)]
pub struct Expected {
    /// `out of fold`, or `test` of an older program.
    pub rows: &'static str,
    /// Its figures there.
    pub metrics: Metrics,
    /// Accuracy on the new rows minus that there.
    pub accuracy_difference: f64,
    /// The two-sided p of their being equal.
    pub accuracy_p: f64,
    /// The p of the classes' having the same shares.
    pub shares_p: f64,
    /// The class whose share differs most, its share in training, and here.
    pub share: (String, f64, f64),
}
