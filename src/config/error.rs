//! Why a config cannot be used.

use std::path::{Path, PathBuf};

use super::number::{Amount, Bounds};

/// Why a config cannot be used. Every message names the file and the key.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the config {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not the TOML it should be.
    #[error("{}: {message}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why; the nearest known key, or the key whose value it is and what that may be.
        message: String,
    },
    /// A number is not one of those that it may be.
    #[error("{}: {key} is {amount}, but must be {bounds}", path.display())]
    OutOfBounds {
        /// The file.
        path: PathBuf,
        /// The key, dotted.
        key: String,
        /// What it is.
        amount: Amount,
        /// What it may be.
        bounds: Bounds,
    },
    /// A value is not one of those that it may be, or contradicts another.
    #[error("{}: {key} {problem}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The key, dotted.
        key: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A column that the label is computed from is also an input.
    #[error(
        "{}: `{column}` is in {key}, but the label is computed from it\n  \
         A model that sees the column its label comes from reads the label back: its figures are near 100 %, and it knows \
         nothing of a row whose label is not known yet.",
        path.display()
    )]
    LabelLeak {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// `data.text_fields`, `features.numeric`, …
        key: &'static str,
    },
}

impl ConfigError {
    /// What can be done about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => Some(
                "`pipeline init TABLE.csv` writes one for a table; else run in the folder that holds pipeline.toml, or name \
                 one with --config"
                    .to_owned(),
            ),
            Self::Read { .. } => None,
            Self::LabelLeak { column, key, .. } => Some(format!("remove `{column}` from {key}")),
            Self::Parse { .. } | Self::OutOfBounds { .. } | Self::Invalid { .. } => None,
        }
    }
}

/// What is wrong with a config, before the file is named.
#[derive(Debug)]
pub(super) enum Fault {
    /// [`ConfigError::OutOfBounds`].
    Bounds { key: String, amount: Amount, bounds: Bounds },
    /// [`ConfigError::Invalid`].
    Invalid { key: String, problem: String },
    /// [`ConfigError::LabelLeak`].
    Leak { key: &'static str, column: String },
}

impl Fault {
    /// `Err` of [`Fault::Invalid`].
    pub fn at<T>(key: impl Into<String>, problem: impl Into<String>) -> Result<T, Self> {
        Err(Self::Invalid { key: key.into(), problem: problem.into() })
    }

    /// The error of the file at `path`.
    pub fn of(self, path: &Path) -> ConfigError {
        let path = path.to_owned();
        match self {
            Self::Bounds { key, amount, bounds } => ConfigError::OutOfBounds { path, key, amount, bounds },
            Self::Invalid { key, problem } => ConfigError::Invalid { path, key, problem },
            Self::Leak { key, column } => ConfigError::LabelLeak { path, column, key },
        }
    }
}
