//! Exit codes: part of the interface, documented in the README and in `--help`.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::build::BuildError;
use crate::config::ConfigError;
use crate::embed::{CacheError, EmbedError};
use crate::predict::PredictError;
use crate::store::LockError;
use crate::train::HeadError;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All that was asked is done.
    Done = 0,
    /// Work failed: disk, libtorch, divergence.
    Failed = 1,
    // 2 is clap's, for bad usage.
    /// The config cannot be used.
    Config = 3,
    /// The data cannot be used, or some rows of it could not.
    Data = 4,
    /// The encoder, the model or libtorch is missing or unusable.
    Missing = 5,
    /// Another run is at work in the folder.
    Busy = 6,
    /// The model fails a gate, and --require-gates was given.
    Gates = 7,
    /// The user stopped it.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// The program that links libtorch cannot be started.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot start {}: {reason}\n  hint: it is built together with `pipeline`; run `make build` (or `cargo build --release`)",
    program.display()
)]
pub struct TorchMissing {
    /// The program.
    pub program: PathBuf,
    /// What the system said.
    pub reason: String,
}

/// Bad rows among those to predict, already reported one by one.
#[derive(Debug, thiserror::Error)]
#[error("{rows} rows could not be used; the others are labelled")]
pub struct BadRows {
    /// How many.
    pub rows: usize,
}

/// Validation found errors, already printed.
#[derive(Debug, thiserror::Error)]
#[error("the data has {errors} errors\n  hint: mend the rows named above, or change [validate]")]
pub struct BadData {
    /// How many.
    pub errors: usize,
}

/// Gates that the model fails, already printed.
#[derive(Debug, thiserror::Error)]
#[error("the model fails {}\n  hint: the report says what to do; the limits are in [gates]", gates.join("; "))]
pub struct FailedGates {
    /// Their names.
    pub gates: Vec<String>,
}

/// Data given on the command line that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadInput(pub String);

/// The message of an error and those of its causes that it does not already tell.
pub fn with_causes(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text += &format!(": {cause}");
        }
    }
    text
}

impl Exit {
    /// The code that fits an error.
    pub fn of(error: &anyhow::Error) -> Self {
        if let Some(error) = error.downcast_ref::<BuildError>() {
            Self::of_build(error)
        } else if error.is::<ConfigError>() {
            Self::Config
        } else if error.is::<TorchMissing>() || error.is::<PredictError>() {
            Self::Missing
        } else if error.is::<BadRows>() || error.is::<BadData>() || error.is::<BadInput>() {
            Self::Data
        } else if error.is::<FailedGates>() {
            Self::Gates
        } else {
            Self::Failed
        }
    }

    fn of_build(error: &BuildError) -> Self {
        match error {
            BuildError::Table(_)
            | BuildError::EmptyPart { .. }
            | BuildError::EmptyFold { .. }
            | BuildError::NotComparable(_) => Self::Data,
            BuildError::Preset(_) => Self::Config,
            BuildError::NoTestFiles => Self::Config,
            BuildError::Model(_)
            | BuildError::Encoder(_)
            | BuildError::Lexicon(_)
            | BuildError::Predict(_) => Self::Missing,
            BuildError::Embed(EmbedError::Encoder(_)) => Self::Missing,
            BuildError::Embed(EmbedError::Interrupted { .. })
            | BuildError::Head(HeadError::Interrupted)
            | BuildError::Interrupted => Self::Interrupted,
            BuildError::Cache(CacheError::Busy(_))
            | BuildError::Embed(EmbedError::Cache(CacheError::Busy(_)))
            | BuildError::Lock(LockError::Busy { .. }) => Self::Busy,
            BuildError::Embed(EmbedError::Cache(_))
            | BuildError::Cache(_)
            | BuildError::Export(_)
            | BuildError::Head(_)
            | BuildError::Store(_)
            | BuildError::Lock(LockError::Store(_))
            | BuildError::Artefact { .. } => Self::Failed,
        }
    }
}
