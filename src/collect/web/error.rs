//! Why pages cannot be collected at all. What is wrong with one page is a [`Refusal`](super::refusal::Refusal) instead.

use std::io;
use std::path::{Path, PathBuf};

/// Why pages cannot be collected.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// A file or folder cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Store {
        /// `read`, `write`, …
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line of the frontier is not what this program writes.
    #[error("{}: line {line} is no entry of a frontier: {reason}", path.display())]
    Journal {
        /// The frontier's file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Another run is at work on the same frontier.
    #[error("another run is collecting into {}", path.display())]
    Busy {
        /// The frontier's file.
        path: PathBuf,
    },
    /// A setting cannot be used.
    #[error("collect.scrape.{key} is {value:?}, but {reason}")]
    Setting {
        /// The setting, dotted.
        key: String,
        /// What it is.
        value: String,
        /// What it must be.
        reason: String,
    },
    /// A WARC file breaks off or is none.
    #[error("{}: record {record}: {reason}", path.display())]
    Warc {
        /// The file.
        path: PathBuf,
        /// The record, from 1.
        record: usize,
        /// What is wrong with it.
        reason: String,
    },
}

impl WebError {
    /// For `map_err`: the error of doing `action` to `path`.
    pub(super) fn of<'a>(action: &'static str, path: &'a Path) -> impl Fn(io::Error) -> Self + use<'a> {
        move |source| Self::Store { action, path: path.to_owned(), source }
    }

    /// `Err` of [`WebError::Setting`].
    pub(super) fn setting<T>(
        key: impl Into<String>,
        value: impl Into<String>,
        reason: impl Into<String>,
    ) -> Result<T, Self> {
        Err(Self::Setting { key: key.into(), value: value.into(), reason: reason.into() })
    }

    /// What can be done about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Store { .. } | Self::Setting { .. } => None,
            Self::Journal { .. } => Some(
                "the file was changed or damaged; restore it, or move the frontier's folder away and collect anew"
                    .to_owned(),
            ),
            Self::Busy { .. } => Some("wait until it has finished; nothing was changed".to_owned()),
            Self::Warc { .. } => Some("the records before it were used; fetch the file again for the rest".to_owned()),
        }
    }
}
