//! `[validate]`: what `pipeline validate` demands of the data.

use std::collections::BTreeMap;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::error::Fault;
use super::number::{GREATEST, MOST_ROWS, Number, real, whole};
use super::section::Section;

/// `[validate]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ValidateConfig {
    /// Text fields that are compared to find near-duplicates; all by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub near_duplicate_fields: Option<Vec<String>>,
    /// Mean cosine over those fields from which two rows are near-duplicates, in `[0.5, 1]`; 0.92 by default.
    pub near_duplicate_cosine: f64,
    /// Largest share of rows that may have a near-duplicate, in `[0, 1]`; 0.05 by default.
    pub max_near_duplicate_share: f64,
    /// Two rows with the same normalised title are an error; not by default.
    pub unique_titles: bool,
    /// A class with fewer rows is an error. In `[0, 10⁹]`, 20 by default.
    pub min_class_rows: usize,
    /// Regular expressions of texts that name the label outright; none by default.
    pub names_label: Vec<String>,
    /// The values that a column may have; items, where cells are lists.
    pub allowed: BTreeMap<String, Vec<String>>,
    /// Least and greatest number of a column, in its unit, each in `[-1e15, 1e15]`.
    pub range: BTreeMap<String, [f64; 2]>,
    /// Most rows listed as probably mislabelled, in `[0, 10⁹]`; 30 by default.
    pub suspects: usize,
    /// Glob patterns of CSV files with second labels: the title column and the label's columns. Agreement of the two
    /// labellers is reported. None by default.
    pub second_labels: Vec<String>,
    /// Glob patterns of files with several labelling passes: the title column, the label's columns, and `pass`. How far the passes
    /// agree is reported. None by default.
    pub passes: Vec<String>,
}

impl Section for ValidateConfig {
    fn numbers(&self) -> Vec<Number> {
        let end = real("validate.range.*[]", None, -GREATEST..=GREATEST);
        let mut numbers = vec![
            real("validate.near_duplicate_cosine", self.near_duplicate_cosine, 0.5..=1.0),
            real("validate.max_near_duplicate_share", self.max_near_duplicate_share, 0.0..=1.0),
            whole("validate.min_class_rows", self.min_class_rows, 0..=MOST_ROWS),
            whole("validate.suspects", self.suspects, 0..=MOST_ROWS),
        ];
        for (column, [least, greatest]) in &self.range {
            numbers.extend([(0, least), (1, greatest)].map(|(i, &at)| end.at(column, at).at(i, at)));
        }
        numbers.push(end);
        numbers
    }

    fn check(&self) -> Result<(), Fault> {
        match self.patterns() {
            Ok(_) => Ok(()),
            Err(reason) => Fault::at(
                "validate.names_label",
                format!("has a pattern that is no regular expression: {reason}"),
            ),
        }
    }
}

impl Default for ValidateConfig {
    fn default() -> Self {
        Self {
            near_duplicate_fields: None,
            near_duplicate_cosine: 0.92,
            max_near_duplicate_share: 0.05,
            unique_titles: false,
            min_class_rows: 20,
            names_label: Vec::new(),
            allowed: BTreeMap::new(),
            range: BTreeMap::new(),
            suspects: 30,
            second_labels: Vec::new(),
            passes: Vec::new(),
        }
    }
}

impl ValidateConfig {
    /// The compiled patterns of `names_label`.
    ///
    /// # Errors
    /// The first that is no regular expression, with the reason.
    pub fn patterns(&self) -> Result<Vec<Regex>, String> {
        self.names_label.iter().map(|p| Regex::new(p).map_err(|e| e.to_string())).collect()
    }
}
