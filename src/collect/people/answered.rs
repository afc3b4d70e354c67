//! What several people said of the rows of a task.

use std::path::PathBuf;

use serde::Serialize;

use crate::evaluate::Estimate;

/// Answers to a task, merged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answered {
    /// Its number.
    pub task: usize,
    /// Its rows.
    pub rows: usize,
    /// Those that somebody has labelled.
    pub answered: usize,
    /// Answers left blank.
    pub blank: usize,
    /// Rows whose merged class is as good as certain: candidates now.
    pub sure: usize,
    /// Who answered.
    pub annotators: Vec<Annotator>,
    /// Every two of them who have rows in common.
    pub pairs: Vec<Pair>,
    /// Whom to ask about which row next, the most worth first.
    pub again: Vec<AskAgain>,
    /// Answers that do not count, and why.
    pub faults: Vec<String>,
    /// The file of candidates, relative to the project; absent where no row is sure.
    pub file: Option<PathBuf>,
}

/// One of those who answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Annotator {
    /// Their name.
    pub name: String,
    /// Their answers.
    pub answers: usize,
    /// Share of them that are the class merged from the others' answers; absent where nobody else has answered.
    pub accuracy: Option<Estimate>,
}

/// Two of those who answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// Their names.
    pub names: [String; 2],
    /// Rows that both have labelled.
    pub rows: usize,
    /// Share of them with the same class.
    pub same: Estimate,
    /// Cohen's κ.
    pub kappa: f64,
}

/// A row to be labelled once more.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AskAgain {
    /// Its id in the task.
    pub id: String,
    /// By whom: the one whose answer is expected to settle most.
    pub who: String,
    /// How unsettled it is, in nats.
    pub entropy: f64,
}
