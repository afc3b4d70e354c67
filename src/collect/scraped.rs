//! What a run over web pages brought.

use std::path::PathBuf;

use serde::Serialize;

use super::web::Summary;

/// What a run over web pages brought.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scraped {
    /// What became of the pages.
    #[serde(flatten)]
    pub summary: Summary,
    /// Rows that no earlier file of candidates has.
    pub new: usize,
    /// Those of them without a label.
    pub unlabelled: usize,
    /// Some pages that gave no row, of each reason.
    pub examples: Vec<NoRow>,
    /// The file of candidates, relative to the project; none where no row is new.
    pub file: Option<PathBuf>,
    /// The record of all pages, relative to the project.
    pub record: PathBuf,
}

/// A page that gave no row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NoRow {
    /// Its address.
    pub url: String,
    /// Why.
    pub reason: String,
}
