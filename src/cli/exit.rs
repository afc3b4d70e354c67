//! How a run ends: what is said of an error, and exit codes, which are part of the interface, documented in docs/stages.md and in
//! `--help`.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::counting::counted;
use crate::stages::{BuildError, ForgetError};
use pipeline_encoder::EncoderError;
use pipeline_serve::ServeError;

use crate::collect::{CollectError, GateError, WebError};
use crate::config::ConfigError;
use crate::device::DeviceError;
use crate::embed::{CacheError, EmbedError};
use crate::export::ExportError;
use crate::fine_tuning::TuningError;
use crate::heads::HeadError;
use crate::model::PredictError;
use crate::store::LockError;
use crate::table::TableError;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All that was asked is done.
    Done = 0,
    /// Work failed: disk, libtorch, divergence.
    Failed = 1,
    /// An argument that makes no sense; clap ends with it, too.
    Usage = 2,
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

/// libtorch, or the program that links it, is not there.
#[derive(Debug, thiserror::Error)]
#[error(
    "{}{reason}",
    setting.as_ref().map_or(String::new(), |setting| format!("{setting}, and "))
)]
pub struct TorchMissing {
    /// What needs it.
    pub setting: Option<String>,
    /// What is not there.
    pub reason: String,
}

impl TorchMissing {
    fn hint(&self) -> Option<String> {
        let hint = "`make build` in a checkout of pipeline gets libtorch 2.4 and builds pipeline-torch beside pipeline; \
                    a libtorch of your own is named by LIBTORCH";
        Some(hint.to_owned())
    }
}

/// The setting because of which the work cannot go on without libtorch, where that is what the error says.
pub fn needs_torch(error: &anyhow::Error) -> Option<String> {
    let of_encoder = |error: &EncoderError| {
        matches!(error, EncoderError::NeedsTorch { .. }).then(|| format!("{error} (encoder.backend)"))
    };
    let of_head = |error: &HeadError| matches!(error, HeadError::NeedsTorch).then(|| error.to_string());
    let of_predict = |error: &PredictError| match error {
        PredictError::Head(error) => of_head(error),
        PredictError::Encode(error) => of_encoder(error),
        _ => None,
    };
    match error.downcast_ref::<BuildError>() {
        Some(BuildError::Head(error)) => of_head(error),
        Some(BuildError::Encoder(error) | BuildError::Embed(EmbedError::Encoder(error))) => of_encoder(error),
        Some(BuildError::Tuning(error @ TuningError::NeedsTorch)) => Some(error.to_string()),
        Some(BuildError::Predict(error)) => of_predict(error),
        Some(_) => None,
        None => error.downcast_ref::<PredictError>().and_then(of_predict),
    }
}

/// Bad rows among those to label or embed, already reported one by one.
#[derive(Debug, thiserror::Error)]
#[error("{} could not be used; the others are {others}", counted(*rows, "row", "rows"))]
pub struct BadRows {
    /// How many.
    pub rows: usize,
    /// What was done to the others.
    pub others: &'static str,
}

/// Validation found errors, already printed.
#[derive(Debug, thiserror::Error)]
#[error("the data has {}", counted(*errors, "error", "errors"))]
pub struct BadData {
    /// How many.
    pub errors: usize,
}

impl BadData {
    fn hint(&self) -> Option<String> {
        Some("mend the rows named above, or change [validate]".to_owned())
    }
}

/// Gates that the model fails, already printed.
#[derive(Debug, thiserror::Error)]
#[error("the model fails {}", gates.join("; "))]
pub struct FailedGates {
    /// Their names.
    pub gates: Vec<String>,
}

impl FailedGates {
    fn hint(&self) -> Option<String> {
        Some("the report says what to do; the limits are in [gates]".to_owned())
    }
}

/// Files still hold what was to be forgotten, already printed.
#[derive(Debug, thiserror::Error)]
#[error("{} still {} a forgotten text", counted(*places, "place", "places"), if *places == 1 { "holds" } else { "hold" })]
pub struct StillHeld {
    /// How many.
    pub places: usize,
}

impl StillHeld {
    fn hint(&self) -> Option<String> {
        Some(
            "take it out of them, or remove them, and run `pipeline forget` again, which looks once more"
                .to_owned(),
        )
    }
}

/// An argument that makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadUsage(pub String);

/// Data given on the command line that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadInput(pub String);

/// A file that was to be labelled and is not there.
#[derive(Debug, thiserror::Error)]
#[error("there is no file {}", path.display())]
pub struct NoInput {
    /// What was taken for its name.
    pub path: PathBuf,
}

impl NoInput {
    fn hint(&self) -> Option<String> {
        Some(format!(
            "a text is labelled with --text: pipeline predict --text {:?}",
            self.path.display().to_string()
        ))
    }
}

/// All that is said of an error: its message with its causes, and on a line of its own what can be done.
pub fn told(error: &anyhow::Error) -> String {
    let hint = hint(error).map_or(String::new(), |hint| format!("\n  hint: {hint}"));
    format!("error: {}{hint}", with_causes(error))
}

/// What can be done about an error; a context that was put around it is looked through.
fn hint(error: &anyhow::Error) -> Option<String> {
    let of_build = error.downcast_ref().and_then(BuildError::hint);
    of_build
        .or_else(|| error.downcast_ref().and_then(ConfigError::hint))
        .or_else(|| error.downcast_ref().and_then(PredictError::hint))
        .or_else(|| error.downcast_ref().and_then(TorchMissing::hint))
        .or_else(|| error.downcast_ref().and_then(DeviceError::hint))
        .or_else(|| error.downcast_ref().and_then(BadData::hint))
        .or_else(|| error.downcast_ref().and_then(FailedGates::hint))
        .or_else(|| error.downcast_ref().and_then(NoInput::hint))
        .or_else(|| error.downcast_ref().and_then(StillHeld::hint))
        .or_else(|| error.downcast_ref().and_then(ServeError::hint))
        .or_else(|| error.downcast_ref().and_then(ExportError::hint))
}

/// The message of an error and those of its causes that it does not already tell.
fn with_causes(error: &anyhow::Error) -> String {
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
        } else if let Some(error) = error.downcast_ref::<PredictError>() {
            Self::of_predict(error)
        } else if let Some(error) = error.downcast_ref::<ServeError>() {
            Self::of_serve(error)
        } else if let Some(error) = error.downcast_ref::<ExportError>() {
            Self::of_export(error)
        } else if error.is::<BadUsage>() {
            Self::Usage
        } else if error.is::<TorchMissing>() || error.is::<DeviceError>() {
            Self::Missing
        } else if error.is::<BadRows>()
            || error.is::<BadData>()
            || error.is::<BadInput>()
            || error.is::<NoInput>()
        {
            Self::Data
        } else if error.is::<FailedGates>() {
            Self::Gates
        } else {
            Self::Failed
        }
    }

    fn of_predict(error: &PredictError) -> Self {
        match error {
            PredictError::Interrupted | PredictError::Encode(EncoderError::Interrupted) => Self::Interrupted,
            PredictError::Encoders { .. } => Self::Data,
            _ => Self::Missing,
        }
    }

    fn of_forget(error: &ForgetError) -> Self {
        match error {
            ForgetError::Nothing => Self::Usage,
            ForgetError::NoTextColumn { .. }
            | ForgetError::NoText { .. }
            | ForgetError::Empty(_)
            | ForgetError::NoRow { .. } => Self::Data,
            ForgetError::ReadOnly { .. }
            | ForgetError::NoLines { .. }
            | ForgetError::Journal { .. }
            | ForgetError::TooMany { .. } => Self::Failed,
        }
    }

    fn of_export(error: &ExportError) -> Self {
        match error {
            ExportError::NotExpressible { .. }
            | ExportError::NotEmpty { .. }
            | ExportError::Exists { .. }
            | ExportError::TooLarge { .. } => Self::Usage,
            ExportError::Predict(error) => Self::of_predict(error),
            ExportError::Encoder(EncoderError::Interrupted) => Self::Interrupted,
            ExportError::Encoder(_) | ExportError::File { .. } | ExportError::Head(_) => Self::Missing,
            ExportError::Table(_) => Self::Data,
            ExportError::Store(_) => Self::Failed,
        }
    }

    fn of_serve(error: &ServeError) -> Self {
        match error {
            ServeError::Model { .. } => Self::Missing,
            ServeError::Listen { .. } | ServeError::System { .. } => Self::Failed,
            ServeError::Setting { .. }
            | ServeError::NoModel
            | ServeError::SameName { .. }
            | ServeError::KeysUnread { .. }
            | ServeError::Key { .. }
            | ServeError::NoKeys { .. } => Self::Usage,
        }
    }

    fn of_build(error: &BuildError) -> Self {
        match error {
            BuildError::Table(TableError::Interrupted) => Self::Interrupted,
            BuildError::Table(_)
            | BuildError::EmptyPart { .. }
            | BuildError::EmptyFold { .. }
            | BuildError::NotComparable(_)
            | BuildError::NothingToJudge(_) => Self::Data,
            BuildError::Preset(_) | BuildError::Costs { .. } => Self::Config,
            BuildError::NoTestFiles => Self::Config,
            BuildError::TooFar { .. } | BuildError::TooLong { .. } => Self::Usage,
            BuildError::NoCandidates { .. } | BuildError::NoTask { .. } | BuildError::NoBatch { .. } => {
                Self::Missing
            }
            BuildError::Gate(GateError::Interrupted) => Self::Interrupted,
            BuildError::Gate(_) => Self::Data,
            BuildError::Forget(error) => Self::of_forget(error),
            BuildError::Corrections { .. } => Self::Data,
            BuildError::NotDeclared { .. } => Self::Config,
            BuildError::People(_) | BuildError::NothingToAsk { .. } | BuildError::NoAnswers { .. } => {
                Self::Data
            }
            BuildError::Collect(CollectError::Interrupted) => Self::Interrupted,
            BuildError::Collect(_) => Self::Failed,
            BuildError::NoColumn { .. } | BuildError::Web(WebError::Setting { .. }) => Self::Config,
            BuildError::Web(WebError::Busy { .. }) => Self::Busy,
            BuildError::Web(_) => Self::Failed,
            BuildError::NoRun { .. } | BuildError::Run { .. } => Self::Missing,
            BuildError::Encoder(EncoderError::Interrupted)
            | BuildError::Embed(EmbedError::Encoder(EncoderError::Interrupted)) => Self::Interrupted,
            BuildError::Predict(error) => Self::of_predict(error),
            BuildError::Folder(_) | BuildError::Encoder(_) | BuildError::Lexicon(_) => Self::Missing,
            BuildError::Embed(EmbedError::Encoder(_)) => Self::Missing,
            BuildError::Tuning(
                TuningError::NeedsTorch | TuningError::Encoder(_) | TuningError::Folder { .. },
            ) => Self::Missing,
            BuildError::Tuning(TuningError::Setting { .. }) => Self::Config,
            BuildError::Tuning(TuningError::Data { .. }) => Self::Data,
            BuildError::Embed(EmbedError::Interrupted { .. })
            | BuildError::Head(HeadError::Interrupted)
            | BuildError::Tuning(TuningError::Interrupted)
            | BuildError::Interrupted => Self::Interrupted,
            BuildError::Cache(CacheError::Busy(_))
            | BuildError::Embed(EmbedError::Cache(CacheError::Busy(_)))
            | BuildError::Lock(LockError::Busy { .. }) => Self::Busy,
            BuildError::Embed(EmbedError::Cache(_))
            | BuildError::Cache(_)
            | BuildError::Export(_)
            | BuildError::Head(_)
            | BuildError::Tuning(_)
            | BuildError::Store(_)
            | BuildError::Lock(LockError::Store(_))
            | BuildError::Translation(_)
            | BuildError::Memory { .. }
            | BuildError::Artefact { .. } => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::DeviceChoice;
    use anyhow::{Context, Error};

    #[test]
    fn the_hint_comes_after_the_causes_whatever_is_around_the_error() {
        let lacks = || BuildError::Embed(CacheError::Missing("c".into()).into());
        let around = Err::<(), _>(lacks()).context("cannot begin").context("cannot go on").unwrap_err();
        assert_eq!(
            told(&around),
            "error: cannot go on: cannot begin: the embedding cache c lacks a text that was embedded\n  \
             hint: run `pipeline embed` again"
        );
        let bad = || BadRows { rows: 2, others: "labelled" };
        assert_eq!(told(&bad().into()), format!("error: {}", bad()));
    }

    #[test]
    fn every_kind_of_error_that_comes_here_is_asked_for_its_hint() {
        let errors: [Error; 10] = [
            BuildError::NoTestFiles.into(),
            ConfigError::LabelLeak { path: "p".into(), column: "a".into(), key: "k" }.into(),
            PredictError::File { path: "p".into(), reason: "it is gone".into() }.into(),
            TorchMissing { setting: None, reason: "it is gone".into() }.into(),
            DeviceError::Silent { asked: DeviceChoice::Cuda(0), reason: "out of memory".into() }.into(),
            BadData { errors: 1 }.into(),
            FailedGates { gates: vec!["accuracy".into()] }.into(),
            NoInput { path: "My invoice".into() }.into(),
            ExportError::NotEmpty { folder: "f".into() }.into(),
            StillHeld { places: 1 }.into(),
        ];
        for error in errors {
            let error = error.context("while testing");
            assert!(hint(&error).is_some(), "{error:#}");
        }
    }
}
