//! Why a model cannot be written in another form.

use std::path::PathBuf;

use pipeline_encoder::{EncoderError, FolderError};

use super::target::Target;
use crate::heads::{HeadError, TensorError};
use crate::model::PredictError;
use crate::store::StoreError;
use crate::table::TableError;

/// Why a model cannot be written in another form.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The form has nothing to say it by.
    #[error("the model cannot be written as {}: {reason} ({setting})", target.name())]
    NotExpressible {
        /// The form.
        target: Target,
        /// What stands in the way.
        reason: String,
        /// The setting that asked for it.
        setting: &'static str,
        /// What can be done instead.
        instead: &'static str,
    },
    /// A single protobuf holds less.
    #[error("the weights take {bytes} bytes, and a file without external data holds less than {limit}")]
    TooLarge {
        /// Bytes of all weights.
        bytes: usize,
        /// Bytes that fit.
        limit: usize,
    },
    /// There is something in the folder.
    #[error("{} is there and not empty", folder.display())]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
    },
    /// The file is there.
    #[error("{} is there already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file does not hold what it should.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The model cannot be read.
    #[error(transparent)]
    Predict(#[from] PredictError),
    /// The encoder cannot be read.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// The head does not fit its card.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// A raw table cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
}

impl From<FolderError> for ExportError {
    fn from(error: FolderError) -> Self {
        Self::Encoder(error.into())
    }
}

impl From<TensorError> for ExportError {
    fn from(error: TensorError) -> Self {
        Self::Head(error.into())
    }
}

impl ExportError {
    /// What can be done about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotExpressible { instead, .. } => Some((*instead).to_owned()),
            Self::NotEmpty { .. } => {
                Some("name another folder with --output, or replace its files with --force".into())
            }
            Self::Exists { .. } => {
                Some("replace it with --force, or name another folder with --output".into())
            }
            Self::Predict(error) => error.hint(),
            Self::Encoder(error) => error.hint(),
            Self::Head(error) => error.hint(),
            Self::Table(error) => error.hint(),
            Self::TooLarge { .. } | Self::File { .. } | Self::Store(_) => None,
        }
    }
}
