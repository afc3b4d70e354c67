//! Why a build failed.

use std::path::PathBuf;

use pipeline_encoder::{EncoderError, FolderError};

use super::forget_error::ForgetError;
use crate::augment::{AugmentError, LexiconError, TranslationError};
use crate::collect::{CollectError, GateError, PeopleError, WebError};
use crate::counting::{counted, minutes};
use crate::embed::{CacheError, EmbedError, ExportError};
use crate::fine_tuning::TuningError;
use crate::heads::HeadError;
use crate::model::PredictError;
use crate::split::Stopped;
use crate::store::{LockError, StoreError};
use crate::table::TableError;

/// Why a build failed.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The raw data cannot be used.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The encoder's folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The encoder failed.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// Embedding failed or was interrupted.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The cache failed.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A matrix cannot be read.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The synonym data cannot be read.
    #[error(transparent)]
    Lexicon(#[from] LexiconError),
    /// Texts cannot be translated.
    #[error(transparent)]
    Translation(TranslationError),
    /// The head failed, diverged or was interrupted.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The encoder cannot be tuned.
    #[error(transparent)]
    Tuning(#[from] TuningError),
    /// A saved model cannot be read.
    #[error(transparent)]
    Predict(#[from] PredictError),
    /// A file cannot be written or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another run is at work.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A part would have no rows.
    #[error(
        "the {part} part would have no rows ({} in {} that stay together)",
        counted(*rows, "usable row", "usable rows"),
        counted(*groups, "group", "groups")
    )]
    EmptyPart {
        /// Name of the part.
        part: &'static str,
        /// Usable rows.
        rows: usize,
        /// Groups that cannot be separated.
        groups: usize,
    },
    /// An artefact does not fit the others.
    #[error("{} does not fit the data: {reason}", path.display())]
    Artefact {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A fold would have nothing to learn from, to stop on, or to be evaluated on.
    #[error(
        "{} outside the test part: too few for {folds} folds, one would have no {side} rows",
        counted(*rows, "row", "rows")
    )]
    EmptyFold {
        /// Rows outside the test part.
        rows: usize,
        /// Folds of a repeat.
        folds: usize,
        /// What is missing.
        side: &'static str,
    },
    /// `evaluate.costs` names what is no class.
    #[error("evaluate.costs names `{class}`, which is no class of the data; it has {}", classes.join(", "))]
    Costs {
        /// What it names.
        class: String,
        /// The classes.
        classes: Vec<String>,
    },
    /// No candidates wait, or none passes the gate.
    #[error("no candidates wait in {} that pass the gate", folder.display())]
    NoCandidates {
        /// Their folder.
        folder: PathBuf,
    },
    /// The config does not say what is to be collected.
    #[error("{key} is not set: {what}")]
    NotDeclared {
        /// The key.
        key: String,
        /// What should stand there.
        what: String,
    },
    /// No row of the tables can be asked about.
    #[error("no row of {} has a text to ask about", tables.iter().map(|t| t.display().to_string()).collect::<Vec<_>>().join(", "))]
    NothingToAsk {
        /// The tables.
        tables: Vec<PathBuf>,
    },
    /// There is no such task for people.
    #[error("there is no task {task}")]
    NoTask {
        /// Its number.
        task: usize,
    },
    /// Lines of a file of corrections cannot be used.
    #[error("{}: nothing is recorded{}", path.display(), faults.iter().map(|fault| format!("\n  {fault}")).collect::<String>())]
    Corrections {
        /// The file.
        path: PathBuf,
        /// What is wrong with each.
        faults: Vec<String>,
    },
    /// No such corrections are in force.
    #[error("no corrections are in force{}", number.map_or(String::new(), |number| format!(" of batch {number}")))]
    NoBatch {
        /// The number asked for; `None` for the last.
        number: Option<u32>,
    },
    /// None of the answers counts.
    #[error("no answer counts{}", faults.iter().map(|fault| format!("\n  {fault}")).collect::<String>())]
    NoAnswers {
        /// Why each does not.
        faults: Vec<String>,
    },
    /// Rows cannot be forgotten.
    #[error(transparent)]
    Forget(#[from] ForgetError),
    /// Labels by people cannot be asked for or merged.
    #[error(transparent)]
    People(#[from] PeopleError),
    /// A language model cannot be asked.
    #[error(transparent)]
    Collect(#[from] CollectError),
    /// There is too little memory to train.
    #[error(
        "a kernel machine taught on {} takes about {}, and {} of memory are free",
        counted(*rows, "row", "rows"), gigabytes(*needed), gigabytes(*free)
    )]
    Memory {
        /// Rows that teach.
        rows: usize,
        /// Bytes that it takes at least.
        needed: u64,
        /// Bytes that are free.
        free: u64,
        /// `train.kernel.exact_rows`.
        exact_rows: usize,
        /// `train.kernel.landmarks`.
        landmarks: usize,
    },
    /// A rule names a column that the dataset has not.
    #[error("{key} names `{column}`, which is none of the columns that the config reads: {}", columns.join(", "))]
    NoColumn {
        /// The key.
        key: String,
        /// The column.
        column: String,
        /// Those that there are.
        columns: Vec<String>,
    },
    /// Web pages cannot be collected.
    #[error(transparent)]
    Web(#[from] WebError),
    /// Candidates cannot be judged.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// A learning curve is not continued beyond twice the rows.
    #[error("{} more is beyond what a curve through {} tells", counted(*more_rows, "row", "rows"), counted(*rows, "row", "rows"))]
    TooFar {
        /// Rows asked after.
        more_rows: usize,
        /// Rows that there are.
        rows: usize,
    },
    /// Even the least tuning takes longer than there is time.
    #[error("tuning the uppermost layer of the encoder alone would take up to {}", minutes(*least_minutes))]
    TooLong {
        /// Hours that there are.
        hours: f64,
        /// What it would take.
        least_minutes: f64,
    },
    /// A preset that does not exist or does not fit.
    #[error("{0}")]
    Preset(String),
    /// A few-shot benchmark needs a test part of its own.
    #[error("no test part is given")]
    NoTestFiles,
    /// Two models cannot be compared.
    #[error("the models cannot be compared: {0}")]
    NotComparable(String),
    /// Labelled rows say nothing of a model.
    #[error("the rows say nothing of the model: {0}")]
    NothingToJudge(String),
    /// A run that was kept cannot be used.
    #[error("the run cannot be used: {}: {reason}", path.display())]
    Run {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There is no run of that number.
    #[error("{name} has no run {number}{}", if *pruned { ": its files were pruned" } else { "" })]
    NoRun {
        /// The number asked for.
        number: u32,
        /// Whether there was one.
        pruned: bool,
        /// The project's.
        name: String,
    },
    /// The user asked to stop between two stages.
    #[error("interrupted; what is finished is kept, run the same command to go on")]
    Interrupted,
}

impl BuildError {
    /// What can be done about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Table(error) => return error.hint(),
            Self::Folder(error) => return error.hint(),
            Self::Tuning(error) => return error.hint(),
            Self::Encoder(error) => return error.hint(),
            Self::Embed(error) => return error.hint(),
            Self::Cache(error) => return error.hint(),
            Self::Export(error) => return error.hint(),
            Self::Lexicon(error) => return error.hint(),
            Self::Translation(error) => return error.hint(),
            Self::Head(error) => return error.hint(),
            Self::Predict(error) => return error.hint(),
            Self::Lock(error) => return error.hint(),
            Self::EmptyPart { .. } => "give more rows, or change the shares or the group in [split]",
            Self::Artefact { .. } => "run `pipeline build --force`",
            Self::EmptyFold { .. } => "give more rows, or lower evaluate.folds",
            Self::NoTestFiles => "name its files in data.test_files",
            Self::NotComparable(_) => "evaluate both on the same data, with the same [split] and seed",
            Self::Run { .. } => "move its folder away, or put the file back",
            Self::NoRun { .. } => "`pipeline runs` lists those that there are",
            Self::Costs { .. } => "write the class as the label column has it",
            Self::NoCandidates { .. } => {
                "collect some: `pipeline collect --help`; `pipeline collect review` says what became of those that were"
            }
            Self::Gate(error) => return error.hint(),
            Self::Collect(error) => return error.hint(),
            Self::Web(error) => return error.hint(),
            Self::Memory { exact_rows, landmarks, .. } => {
                return Some(format!(
                    "set train.kernel.exact_rows (it is {exact_rows}) below the rows, so that they are compared with landmarks \
                     alone, and train.kernel.landmarks (it is {landmarks}) lower; or free memory"
                ));
            }
            Self::NoColumn { .. } => "name one of them, or add the column to [data] or [features]",
            Self::People(error) => return error.hint(),
            Self::Forget(error) => return error.hint(),
            Self::NothingToAsk { .. } => "name tables with the text columns of data.text_fields",
            Self::NoTask { .. } => {
                "`pipeline collect ask` writes one; data/annotation has those that there are"
            }
            Self::NoAnswers { .. } => {
                "give the task's CSV filled in (column `label`), or an export of Label Studio"
            }
            Self::Corrections { .. } => {
                "fill in the last column of the CSV that `pipeline validate` leaves, with a class of the data"
            }
            Self::NoBatch { .. } => "`pipeline correct` lists what was corrected",
            Self::NotDeclared { .. } => "docs/collect.md shows a whole [collect] section",
            Self::TooLong { hours, least_minutes } => {
                let needed = (least_minutes / 6.0).ceil() / 10.0;
                return Some(format!("--hours {needed} lets it, --hours {hours} does not"));
            }
            Self::TooFar { rows, .. } => return Some(format!("ask for 1 to {rows}")),
            Self::NothingToJudge(_) => "give labelled rows that the model has not learned from",
            Self::Store(_) | Self::Preset(_) | Self::Interrupted => return None,
        };
        Some(hint.to_owned())
    }
}

/// `1.5 GB`.
pub(super) fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

impl From<AugmentError> for BuildError {
    fn from(error: AugmentError) -> Self {
        match error {
            AugmentError::Lexicon(error) => Self::Lexicon(error),
            AugmentError::Translation(error) => Self::Translation(error),
            AugmentError::Cache(error) => Self::Cache(error),
            AugmentError::Interrupted => Self::Interrupted,
        }
    }
}

impl From<Stopped> for BuildError {
    fn from(_: Stopped) -> Self {
        Self::Interrupted
    }
}
