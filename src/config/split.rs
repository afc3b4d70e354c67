//! `[split]`: train, validation and test parts.

use serde::{Deserialize, Serialize};

use super::error::Fault;
use super::number::{MOST_ROWS, Number, real, whole};
use super::section::Section;

/// `[split]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SplitConfig {
    /// Share of rows in the training part, in `[0.01, 0.98]`; 0.8 by default. The three shares add up to 1.
    pub train: f64,
    /// Share of rows in the validation part, in `[0.01, 0.98]`; 0.1 by default.
    pub validation: f64,
    /// Share of rows in the test part, in `[0, 0.98]`; 0.1 by default. Not used where `data.test_files` names it.
    pub test: f64,
    /// Rows whose embeddings have at least this cosine are near-duplicates and stay in one part. In `[0.5, 1.01]`, above 1
    /// for none; 0.95 by default.
    pub near_duplicate_cosine: f64,
    /// Up to so many rows, each is compared with all others for near-duplicates. Of more, rows are compared with those of near cells, and
    /// those of the test and validation parts with all others. In `[0, 1,000,000,000]`, 100,000 by default.
    #[serde(skip_serializing_if = "is_usual")]
    pub exact_rows: usize,
    /// What to do with a row that has a near-duplicate in a given test part; `drop` by default.
    pub given_test_duplicates: GivenTestDuplicates,
    /// A column (of writers, sources, customers) whose equal cells keep their rows in one part, or `data.files` for the file a row
    /// is in: what is measured is then how a model does on new ones. None by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupBy>,
}

/// Three seconds on two cores; ten times as many rows take a hundred times as long (docs/scale.md).
const EXACT_ROWS: usize = 100_000;

/// Not written where it is usual: a split of before that was made with it is of the same config.
fn is_usual(exact_rows: &usize) -> bool {
    *exact_rows == EXACT_ROWS
}

/// What keeps rows together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum GroupBy {
    /// The file that a row is in: `data.files`.
    File,
    /// Equal cells of this column; an empty cell keeps nothing.
    Column(String),
}

/// How [`GroupBy::File`] is written.
const FILE: &str = "data.files";

impl From<String> for GroupBy {
    fn from(name: String) -> Self {
        if name == FILE { Self::File } else { Self::Column(name) }
    }
}

impl From<GroupBy> for String {
    fn from(by: GroupBy) -> Self {
        match by {
            GroupBy::File => FILE.into(),
            GroupBy::Column(name) => name,
        }
    }
}

impl SplitConfig {
    /// The column whose equal cells keep rows together.
    pub fn group_column(&self) -> Option<&str> {
        match &self.group {
            Some(GroupBy::Column(name)) => Some(name),
            Some(GroupBy::File) | None => None,
        }
    }
}

impl Section for SplitConfig {
    fn numbers(&self) -> Vec<Number> {
        vec![
            real("split.train", self.train, 0.01..=0.98),
            real("split.validation", self.validation, 0.01..=0.98),
            real("split.test", self.test, 0.0..=0.98),
            real("split.near_duplicate_cosine", self.near_duplicate_cosine, 0.5..=1.01),
            whole("split.exact_rows", self.exact_rows, 0..=MOST_ROWS),
        ]
    }

    fn check(&self) -> Result<(), Fault> {
        let sum = self.train + self.validation + self.test;
        if (sum - 1.0).abs() > 1e-6 {
            return Fault::at(
                "split",
                format!("shares add up to {sum}; train + validation + test must be 1"),
            );
        }
        Ok(())
    }
}

impl Default for SplitConfig {
    fn default() -> Self {
        Self {
            train: 0.8,
            validation: 0.1,
            test: 0.1,
            near_duplicate_cosine: 0.95,
            exact_rows: EXACT_ROWS,
            given_test_duplicates: GivenTestDuplicates::Drop,
            group: None,
        }
    }
}

/// Near-duplicates of a given test part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GivenTestDuplicates {
    /// They are neither trained on nor validated on.
    Drop,
    /// They are used, as published results on given test files do; the split log counts them.
    Keep,
}
