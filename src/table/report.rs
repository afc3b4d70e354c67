//! What reading found besides the usable rows.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::cell::shorten;

/// A row that cannot be used.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reject {
    /// The file.
    pub file: PathBuf,
    /// Line where the row begins, counted from 1.
    pub line: u64,
    /// The column at fault; empty when it is the whole line.
    pub column: String,
    /// What stands there.
    pub value: String,
    /// Why it cannot be used.
    pub reason: String,
    /// The line as it stands in the file.
    #[serde(skip)]
    pub raw: String,
    /// Whether all that is wrong with it is that it has no label.
    pub unlabelled: bool,
}

/// A row that repeats another one in everything that is used.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Duplicate {
    /// The file.
    pub file: PathBuf,
    /// Line where the row begins.
    pub line: u64,
    /// `file:line` of the row it repeats.
    pub repeats: String,
}

/// A row that has the texts of another one, and another label.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contradiction {
    /// The file.
    pub file: PathBuf,
    /// Line where the row begins.
    pub line: u64,
    /// Its class.
    pub label: String,
    /// `file:line` of the row with the same texts.
    pub same_text_as: String,
    /// The class of that row.
    pub other_label: String,
}

/// What reading found besides the usable rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ReadReport {
    /// Rows read, usable or not.
    pub read: usize,
    /// Rows that cannot be used.
    pub rejects: Vec<Reject>,
    /// Rows that repeat another.
    pub duplicates: Vec<Duplicate>,
    /// Rows that contradict another.
    pub contradictions: Vec<Contradiction>,
    /// What was mended, such as cells that were Windows-1252.
    pub notes: Vec<String>,
}

impl ReadReport {
    /// Rows that cannot be used and are more than unlabelled.
    pub fn bad(&self) -> impl Iterator<Item = &Reject> {
        self.rejects.iter().filter(|reject| !reject.unlabelled)
    }

    /// Rows without a label.
    pub fn unlabelled(&self) -> usize {
        self.rejects.len() - self.bad().count()
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file.display(), self.line)?;
        if !self.column.is_empty() {
            write!(f, "{} = {:?}: ", self.column, shorten(&self.value, 40))?;
        }
        f.write_str(&self.reason)
    }
}
