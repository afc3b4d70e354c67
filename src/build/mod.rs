//! The stages in their order, what is stale and why, and the run of those that are.
//!
//! Only this module knows the order. Staleness is a question of content: a stage is fresh when its code version, its
//! config values, the hashes of its inputs and the files it left are those of its manifest.

mod ablate;
mod augment;
mod compare;
mod embed;
mod evaluate;
mod few_shot;
mod folds;
mod plan;
mod project;
mod split;
mod stages;
mod train;
mod trial;
mod tune;
mod validate;

use std::path::PathBuf;

use pipeline_encoder::{EncoderError, FolderError};
use serde::Serialize;

pub use ablate::{AblateSettings, Preset, ablate, presets};
pub use compare::compare;
pub use few_shot::{FewShot, FewShotSettings, few_shot};
use plan::Sources;
pub use plan::{Reason, StageStatus, plan};
pub use project::Project;
pub use tune::{TuneSettings, tune};
pub use validate::validate;

use crate::augment::LexiconError;
use crate::config::HeadKind;
use crate::embed::{CacheError, EmbedError, ExportError};
use crate::engine::Engine;
use crate::heads::HeadError;
use crate::model::PredictError;
use crate::progress::Progress;
use crate::store::{LockError, StoreError};
use crate::table::TableError;

/// A step of the build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Raw CSVs to embeddings, with rejects and duplicates listed.
    Embed,
    /// Rows to train, validation and test parts.
    Split,
    /// Training rows to augmented rows.
    Augment,
    /// Everything to a trained head.
    Train,
    /// The head to figures, diagnosis, gates and report.
    Evaluate,
}

impl Stage {
    /// All stages in order.
    pub const ALL: [Stage; 5] = [Stage::Embed, Stage::Split, Stage::Augment, Stage::Train, Stage::Evaluate];

    /// Name in commands, files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Embed => "embed",
            Stage::Split => "split",
            Stage::Augment => "augment",
            Stage::Train => "train",
            Stage::Evaluate => "evaluate",
        }
    }

    /// Version of the stage's code: raised whenever the same inputs would give other outputs.
    fn version(self) -> u32 {
        match self {
            Stage::Embed | Stage::Split => 1,
            Stage::Augment => 4,
            Stage::Train | Stage::Evaluate => 8,
        }
    }
}

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
    /// The head failed, diverged or was interrupted.
    #[error(transparent)]
    Head(#[from] HeadError),
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
        "the {part} part would have no rows ({rows} usable rows in {groups} groups of near-duplicates)\n  \
         hint: give more rows, or change the shares in [split]"
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
    #[error("{} does not fit the data: {reason}\n  hint: run `pipeline build --force`", path.display())]
    Artefact {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A fold would have nothing to learn from, to stop on, or to be evaluated on.
    #[error(
        "{rows} rows outside the test part are too few for {folds} folds: one would have no {side} rows\n  \
         hint: give more rows, or lower evaluate.folds"
    )]
    EmptyFold {
        /// Rows outside the test part.
        rows: usize,
        /// Folds of a repeat.
        folds: usize,
        /// What is missing.
        side: &'static str,
    },
    /// A preset that does not exist or does not fit.
    #[error("{0}")]
    Preset(String),
    /// A few-shot benchmark needs a test part of its own.
    #[error("no test part is given\n  hint: name its files in data.test_files")]
    NoTestFiles,
    /// Two models cannot be compared.
    #[error(
        "the models cannot be compared: {0}\n  hint: evaluate both on the same data, with the same [split] and seed"
    )]
    NotComparable(String),
    /// The user asked to stop between two stages.
    #[error("interrupted; what is finished is kept, run the same command to go on")]
    Interrupted,
}

/// What a build is asked to do.
#[derive(Clone, Copy, Debug)]
pub struct BuildSettings {
    /// The last stage wanted.
    pub to: Stage,
    /// Run this stage and all after it, fresh or not.
    pub from: Option<Stage>,
}

/// See to it that heads of `kinds` can be trained, before any work that they would make useless is begun.
fn check_networks(
    kinds: impl IntoIterator<Item = HeadKind>,
    engine: Option<&dyn Engine>,
) -> Result<(), BuildError> {
    if engine.is_none() && kinds.into_iter().any(|kind| kind == HeadKind::Network) {
        return Err(HeadError::NeedsTorch.into());
    }
    Ok(())
}

/// A stage that was run or found fresh.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageOutcome {
    /// The stage.
    pub stage: Stage,
    /// Why it was run; empty when it was fresh.
    pub ran_because: Vec<String>,
    /// What it counted.
    pub summary: serde_json::Value,
    /// Wall time of the run; 0 for a fresh stage.
    pub seconds: f64,
}

impl BuildSettings {
    /// The status, with the reason that it was asked for where there is no other.
    fn asked(self, mut status: StageStatus) -> StageStatus {
        if self.from.is_some_and(|from| status.stage >= from) && status.reasons.is_empty() {
            status.reasons.push(Reason::Forced);
        }
        status
    }
}

/// The stages up to `settings.to`, in order; those with a reason are to run.
///
/// # Errors
/// The raw files or the encoder cannot be read.
pub fn due(project: &Project, settings: BuildSettings) -> Result<Vec<StageStatus>, BuildError> {
    let planned = plan::plan(project)?.into_iter().filter(|s| s.stage <= settings.to);
    Ok(planned.map(|status| settings.asked(status)).collect())
}

/// Run what is stale, in order, up to `settings.to`; `announce` hears of each stage before it runs, with the reasons.
///
/// # Errors
/// The first failure; stages finished before it stay finished.
pub fn build(
    project: &Project,
    settings: BuildSettings,
    engine: Option<&dyn Engine>,
    progress: &dyn Progress,
    announce: &mut dyn FnMut(Stage, &[Reason]),
) -> Result<Vec<StageOutcome>, BuildError> {
    let planned = due(project, settings)?;
    if planned.iter().all(|s| s.reasons.is_empty()) {
        // Nothing is written, so a disk that cannot be written and a run at work beside it are no matter.
        let fresh = |s: StageStatus| StageOutcome {
            stage: s.stage,
            ran_because: Vec::new(),
            summary: s.summary,
            seconds: 0.0,
        };
        return Ok(planned.into_iter().map(fresh).collect());
    }
    if planned.iter().any(|s| s.stage >= Stage::Train && !s.reasons.is_empty()) {
        check_networks(project.config.train.heads(), engine)?;
    }
    let _lock = crate::store::Lock::take(&project.state_folder())?;
    let mut sources = Sources::measure(project)?;
    let mut outcomes = Vec::new();
    for stage in Stage::ALL.into_iter().filter(|&s| s <= settings.to) {
        if progress.interrupted() {
            return Err(BuildError::Interrupted);
        }
        // Planned anew before each stage: one that was run may have left what it had left before.
        let StageStatus { reasons, summary, .. } = settings.asked(plan::status(project, stage, &sources)?);
        if reasons.is_empty() {
            outcomes.push(StageOutcome { stage, ran_because: Vec::new(), summary, seconds: 0.0 });
            continue;
        }
        announce(stage, &reasons);
        let begin = std::time::Instant::now();
        let summary = stages::run(project, stage, &mut sources, engine, progress)?;
        let ran_because = reasons.iter().map(ToString::to_string).collect();
        outcomes.push(StageOutcome { stage, ran_because, summary, seconds: begin.elapsed().as_secs_f64() });
    }
    Ok(outcomes)
}
