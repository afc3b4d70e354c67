//! Why no dataset could be read.

use std::path::PathBuf;

use crate::counting::{counted, grouped};

/// Why no dataset could be read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A pattern matches nothing.
    #[error("no file matches `{pattern}` ({key}, looked in {})", folder.display())]
    NoFile {
        /// The glob pattern.
        pattern: String,
        /// The config key.
        key: &'static str,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// A folder that stands for the tables in it has none.
    #[error("{} ({key}) has no table in it", folder.display())]
    NoTable {
        /// The folder.
        folder: PathBuf,
        /// The config key.
        key: &'static str,
    },
    /// A pattern is not a glob.
    #[error("`{pattern}` ({key}) is not a file pattern: {reason}")]
    Pattern {
        /// The glob pattern.
        pattern: String,
        /// The config key.
        key: &'static str,
        /// Why.
        reason: String,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not a CSV with the columns that are needed.
    #[error("{}: {reason}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
        /// What to look at, by the file's format.
        remedy: Option<&'static str>,
    },
    /// Too many rows were rejected.
    #[error(
        "{} of {} cannot be used, more than data.max_rejected_share = {limit} allows; the first:\n{first}",
        grouped(*rejected), counted(*read, "row", "rows")
    )]
    TooManyRejects {
        /// Rejected rows.
        rejected: usize,
        /// Rows read.
        read: usize,
        /// The limit.
        limit: f64,
        /// The first few rejects, a line each.
        first: String,
        /// The file that lists them all.
        listing: PathBuf,
    },
    /// The user asked to stop.
    #[error("stopped while reading")]
    Interrupted,
    /// No row, or one class only.
    #[error("{0}")]
    NothingToLearn(String),
}

impl TableError {
    /// What can be done about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoFile { .. } => Some("put CSV files there or change the pattern".to_owned()),
            Self::NoTable { .. } => Some(
                "tables are told by their endings, such as .parquet or .csv.gz; files that begin with _ or . are none"
                    .to_owned(),
            ),
            Self::Header { remedy, .. } => remedy.map(str::to_owned),
            Self::TooManyRejects { listing, .. } => Some(format!(
                "mend the rows listed in {}, or raise data.max_rejected_share",
                listing.display()
            )),
            Self::Pattern { .. } | Self::Read { .. } | Self::NothingToLearn(_) | Self::Interrupted => None,
        }
    }

    /// With this hint, where it is about a file's header.
    pub fn with_hint(self, what: &'static str) -> Self {
        match self {
            Self::Header { path, reason, .. } => Self::Header { path, reason, remedy: Some(what) },
            other => other,
        }
    }
}
