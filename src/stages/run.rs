//! The run of what is stale, stage after stage, each leaving its manifest.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::context::Context;
use super::declaration::Finished;
use super::error::BuildError;
use super::list::declaration;
use super::project::Project;
use super::rows::Rows;
use super::runs::keep;
use super::stage::Stage;
use super::staleness::{Reason, Sources, StageStatus, ingredients, plan, status};
use crate::config::HeadKind;
use crate::engine::Engine;
use crate::fine_tuning::TuningError;
use crate::heads::HeadError;
use crate::progress::Progress;
use crate::store::{Lock, Manifest, Output};

/// What a build is asked to do.
#[derive(Clone, Copy, Debug)]
pub struct BuildSettings {
    /// The last stage wanted.
    pub to: Stage,
    /// Run this stage and all after it, fresh or not.
    pub from: Option<Stage>,
}

/// See to it that heads of `kinds` can be trained, before any work that they would make useless is begun.
pub fn check_networks(
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
    pub summary: Value,
    /// Wall time of the run; 0 for a fresh stage.
    pub seconds: f64,
}

impl StageOutcome {
    /// What it counted, as the stage's own type; `None` where it left something else.
    pub fn summary<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_value(self.summary.clone()).ok()
    }
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
    let planned = plan(project)?.into_iter().filter(|s| s.stage <= settings.to);
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
        if engine.is_none() && !project.config.train.encoder.is_frozen() {
            return Err(TuningError::NeedsTorch.into());
        }
    }
    let _lock = Lock::take(&project.state_folder())?;
    // A model that an older program left is no run yet, and a second one never overwrites the first.
    if planned.iter().any(|s| s.stage >= Stage::Train && !s.reasons.is_empty()) {
        keep(project)?;
    }
    let mut sources = Sources::measure(project)?;
    let mut outcomes = Vec::new();
    for stage in Stage::ALL.into_iter().filter(|&s| s <= settings.to) {
        if progress.interrupted() {
            return Err(BuildError::Interrupted);
        }
        // Planned anew before each stage: one that was run may have left what it had left before.
        let StageStatus { reasons, summary, .. } = settings.asked(status(project, stage, &sources)?);
        if reasons.is_empty() {
            outcomes.push(StageOutcome { stage, ran_because: Vec::new(), summary, seconds: 0.0 });
            continue;
        }
        announce(stage, &reasons);
        let begin = std::time::Instant::now();
        let summary = run(project, stage, &mut sources, engine, progress)?;
        let ran_because = reasons.iter().map(ToString::to_string).collect();
        outcomes.push(StageOutcome { stage, ran_because, summary, seconds: begin.elapsed().as_secs_f64() });
    }
    if outcomes.iter().any(|outcome| outcome.stage == Stage::Evaluate) {
        // The model is there, whatever comes of keeping it.
        if let Err(error) = keep(project) {
            progress.note(&format!("warning: the model is not kept as a run: {error}"));
        }
    }
    Ok(outcomes)
}

/// Run one stage and leave its manifest; what it counted.
fn run(
    project: &Project,
    stage: Stage,
    sources: &mut Sources,
    engine: Option<&dyn Engine>,
    progress: &dyn Progress,
) -> Result<Value, BuildError> {
    let context = Context { project, engine, progress };
    // The manifest goes first: a stage that dies half-way must not look finished.
    let manifest = project.manifest(stage);
    Manifest::remove(&manifest)?;
    let declaration = declaration(stage);
    let Finished { outputs, summary } = (declaration.run)(&context)?;
    if stage == Stage::Embed {
        sources.measure_encoder(project)?;
    }
    let made_from = ingredients(project, stage, sources);
    let mut measured = BTreeMap::new();
    for path in outputs {
        measured.insert(project.relative(&path), Output::of(&path)?);
    }
    Manifest {
        version: declaration.version,
        config: made_from.config,
        inputs: made_from.inputs,
        outputs: measured,
        summary: summary.clone(),
    }
    .save(&manifest)?;
    Ok(summary)
}

/// A project whose rows are embedded and dealt to parts, which no other run touches as long as this lives.
pub struct Ready<'a> {
    pub context: Context<'a>,
    pub rows: Rows,
    _lock: Lock,
}

/// Build what is stale up to the split, and take the project's lock.
///
/// # Errors
/// As [`build`]; or another run has the lock.
pub fn ready<'a>(
    project: &'a Project,
    engine: Option<&'a dyn Engine>,
    progress: &'a dyn Progress,
    announce: &mut dyn FnMut(Stage, &[Reason]),
) -> Result<Ready<'a>, BuildError> {
    build(project, BuildSettings { to: Stage::Split, from: None }, engine, progress, announce)?;
    let lock = Lock::take(&project.state_folder())?;
    let context = Context { project, engine, progress };
    let rows = context.rows()?;
    Ok(Ready { context, rows, _lock: lock })
}
