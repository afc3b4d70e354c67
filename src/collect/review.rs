//! What was found of the candidates that wait.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::gate::{Diversity, Skipped};

/// What the gate says of the candidates that wait.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Review {
    /// Name of the dataset.
    pub name: String,
    /// A line for each file.
    pub batches: Vec<ReviewedBatch>,
    /// How many candidates each reason was found of.
    pub reasons: BTreeMap<String, usize>,
    /// Checks that were made of none, and why.
    pub skipped: Vec<Skipped>,
    /// How varied the accepted ones are, in the order of the files.
    pub diversity: Diversity,
    /// Every candidate, file after file.
    pub candidates: Vec<Reviewed>,
}

/// Counts of a file of candidates.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReviewedBatch {
    /// The file, relative to the project.
    pub file: PathBuf,
    /// Its candidates.
    pub candidates: usize,
    /// Those accepted without doubt.
    pub accepted: usize,
    /// Those that the gate lets pass, and the model doubts.
    pub doubtful: usize,
    /// Those refused.
    pub refused: usize,
}

/// A candidate and its verdict.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reviewed {
    /// Its file, relative to the project.
    pub file: PathBuf,
    /// Line where it begins, counted from 1.
    pub line: u64,
    /// Its class; empty where it has none of the data's.
    pub class: String,
    /// The beginning of its texts.
    pub text: String,
    /// `accepted`, `doubtful` or `refused`.
    pub verdict: &'static str,
    /// Why, for people.
    pub reasons: Vec<String>,
    /// Its texts without personal data, by column, where some was taken out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub texts: Option<BTreeMap<String, String>>,
}

/// What was accepted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Accepted {
    /// Rows added, by kind.
    pub added: BTreeMap<&'static str, usize>,
    /// Doubtful ones that still wait.
    pub waiting: usize,
    /// Candidates that were refused; they are kept with the reasons.
    pub refused: usize,
    /// Where the refused and the accepted files are now, relative to the project.
    pub done: PathBuf,
}

/// [`Reviewed::verdict`] of a candidate that passed.
pub const ACCEPTED: &str = "accepted";
/// … that passed and that the model doubts.
pub const DOUBTFUL: &str = "doubtful";
/// … that is refused.
pub const REFUSED: &str = "refused";
