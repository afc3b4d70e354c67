//! Why rows cannot be forgotten.

use std::path::PathBuf;

use crate::counting::counted;

/// Why rows cannot be forgotten. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ForgetError {
    /// The table of rows has none of the columns with text.
    #[error("{} has none of the columns with the text of a row: {}", path.display(), columns.join(", "))]
    NoTextColumn {
        /// The table.
        path: PathBuf,
        /// The columns of the config.
        columns: Vec<String>,
    },
    /// A line of it has no text to know a row by.
    #[error("{}, line {line}: there is no text to know a row by", path.display())]
    NoText {
        /// The table.
        path: PathBuf,
        /// Its line.
        line: u64,
    },
    /// It has no rows.
    #[error("{} has no rows", .0.display())]
    Empty(PathBuf),
    /// Rows are in none of the tables.
    #[error("{} in no table of the data{}", counted(rows.len(), "row is", "rows are"), rows.iter().map(|row| format!("\n  {row}")).collect::<String>())]
    NoRow {
        /// How each was named: a place, or the beginning of its text.
        rows: Vec<String>,
    },
    /// A table that holds them may not be written.
    #[error("{} is read-only, and holds {}", path.display(), counted(*rows, "row to forget", "rows to forget"))]
    ReadOnly {
        /// The table.
        path: PathBuf,
        /// How many.
        rows: usize,
    },
    /// A table that holds them has no lines of text that could be taken out.
    #[error("{} is no text, and its rows are not taken out here: {}", path.display(), rows.iter().map(u64::to_string).collect::<Vec<_>>().join(", "))]
    NoLines {
        /// The table.
        path: PathBuf,
        /// The rows to forget, as messages count them.
        rows: Vec<u64>,
    },
    /// The journal of a run that was killed cannot be read.
    #[error("cannot read {}, which says what is being forgotten: {reason}", path.display())]
    Journal {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The texts are more than can be looked for at once.
    #[error("{} of texts are too many to look for: {reason}", counted(*pieces, "piece", "pieces"))]
    TooMany {
        /// How many.
        pieces: usize,
        /// What the search said.
        reason: String,
    },
    /// Nobody says what is to be forgotten.
    #[error("no row is named, and no forgetting was broken off")]
    Nothing,
}

impl ForgetError {
    /// What can be done about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoTextColumn { .. } => "name the columns as the raw files do; one of them is enough",
            Self::NoText { .. } | Self::Empty(_) => "fill in the text of each row that is to be forgotten",
            Self::NoRow { .. } => {
                "mend what names them; where they are gone from the tables already, --gone removes what is left of them"
            }
            Self::ReadOnly { .. } => "make it writable, and run the same command again",
            Self::NoLines { .. } => {
                "take them out in the program that wrote it, and run the same command again with --gone"
            }
            Self::TooMany { .. } => "forget fewer rows at once",
            Self::Journal { .. } => "remove it, and name all rows again with --gone",
            Self::Nothing => "name a table of rows, or rows with --row",
        };
        Some(hint.to_owned())
    }
}
