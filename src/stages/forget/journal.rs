//! What is being forgotten, on disk until nothing of it is found any more.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::stages::forget_error::ForgetError;
use crate::stages::project::Project;
use crate::store::{StoreError, write_json};
use crate::table::{ContentHash, columns_of_text, same_text};

/// Why a row is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Why {
    /// It was named.
    Asked,
    /// It has the text of one that was.
    Copy,
    /// It says one that was in other words.
    Paraphrase,
    /// It was named, and no table has it any more.
    Gone,
}

/// A row that is forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgottenRow {
    /// `file:line`, or how it was named.
    pub place: String,
    /// Why.
    pub why: Why,
    /// Its cells in the columns with text.
    pub cells: BTreeMap<String, String>,
    /// The whole row, as corrections know it; `None` of one that is gone.
    pub record: Option<String>,
    /// Its texts, as rows made from it know it; `None` of one that is gone.
    pub content: Option<String>,
}

/// The journal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    /// The rows, each once.
    pub rows: Vec<ForgottenRow>,
    /// Texts of the variants that augmentation made of them.
    pub variants: BTreeSet<String>,
    /// Whether there was a model, which is to be trained again.
    pub had_model: bool,
    /// Whether all that was made from the rows is gone; what is there was made without them.
    pub is_cleared: bool,
}

impl Journal {
    /// Where that of a project is.
    pub fn path(project: &Project) -> PathBuf {
        project.state_folder().join(&project.config.name).join("forget.json")
    }

    /// That of a project; empty where nothing is being forgotten.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn load(project: &Project) -> Result<Self, ForgetError> {
        let path = Self::path(project);
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            other => other.map_err(|e| ForgetError::Journal { path: path.clone(), reason: e.to_string() })?,
        };
        serde_json::from_slice(&bytes).map_err(|e| ForgetError::Journal { path, reason: e.to_string() })
    }

    /// Write it, for nobody else to read: when all is done it is the last that holds the texts.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self, project: &Project) -> Result<(), StoreError> {
        write_json(&Self::path(project), self)
    }

    /// Nothing is being forgotten any more.
    ///
    /// # Errors
    /// It is there and cannot be removed.
    pub fn remove(project: &Project) -> Result<(), StoreError> {
        remove_file(&Self::path(project))
    }

    /// How its rows are known in the tables of `config`.
    pub fn known(&self, config: &Config) -> Known {
        let columns = columns_of_text(config);
        let whole = self.rows.iter().filter(|row| row.why != Why::Gone);
        let title = |row: &ForgottenRow| row.cells.get(config.title()?).map(|title| same_text(title));
        Known {
            keys: whole.map(|row| key_of(columns.iter().map(|name| row.cell(name)))).collect(),
            contents: self.rows.iter().filter_map(|row| row.content.as_ref()?.parse().ok()).collect(),
            records: self.rows.iter().filter_map(|row| row.record.clone()).collect(),
            titles: self.rows.iter().filter_map(title).filter(|title| !title.is_empty()).collect(),
        }
    }
}

impl ForgottenRow {
    /// A cell, empty where it has none.
    pub fn cell(&self, column: &str) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }
}

/// How rows that are forgotten are known.
pub struct Known {
    /// By [`key_of`] their texts.
    pub keys: BTreeSet<Vec<String>>,
    /// By [`crate::table::Cells::content`].
    pub contents: HashSet<ContentHash>,
    /// By [`crate::table::Row::record`], as it is written.
    pub records: BTreeSet<String>,
    /// By their titles, where the config names a column of titles.
    pub titles: BTreeSet<String>,
}

/// What rows with the same texts share.
pub fn key_of<'c>(cells: impl Iterator<Item = &'c str>) -> Vec<String> {
    cells.map(same_text).collect()
}

/// Remove a file that may be gone.
///
/// # Errors
/// It is there and cannot be removed.
pub fn remove_file(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::of("remove", path)(error))
        }
        _ => Ok(()),
    }
}
