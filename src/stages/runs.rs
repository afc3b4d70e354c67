//! Runs: every trained model of a project, kept under a number of its own with what it was made from and what it was worth.
//!
//! A run is what the manifests of the train and the evaluate stage name, copied: `data/runs/NAME/NUMBER/`. Numbers are never
//! given twice; of a run that was pruned the record stays.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::error::BuildError;
use super::project::Project;
use super::stage::Stage;
use super::staleness::raw_files;
use crate::config::{Difference, differences};
use crate::model::{ModelFiles, REPORT, Run, RunFigures, load_card, load_evaluation};
use crate::store::{Lock, Manifest, Output, StoreError, write_atomic, write_json};

/// The record of a run in its folder.
pub(super) const RECORD: &str = "run.json";

/// The stages whose outputs are a model.
const MODEL_STAGES: [Stage; 2] = [Stage::Train, Stage::Evaluate];

/// All runs of a project, the first first; those pruned too.
///
/// # Errors
/// A record cannot be read.
pub fn runs(project: &Project) -> Result<Vec<Run>, BuildError> {
    let folder = project.runs_folder();
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(StoreError::of("read", &folder))?,
    };
    let mut runs = Vec::new();
    for entry in entries {
        let path = entry.map_err(StoreError::of("read", &folder))?.path();
        if path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()).is_some() {
            runs.push(record(&path.join(RECORD))?);
        }
    }
    runs.sort_by_key(|run: &Run| run.run);
    Ok(runs)
}

fn record(path: &Path) -> Result<Run, BuildError> {
    let fail = |reason: String| BuildError::Run { path: path.to_owned(), reason };
    let bytes = fs::read(path).map_err(|e| fail(e.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|e| fail(e.to_string()))
}

/// The run that the project's model is; `None` where that model was not kept, or there is none.
pub fn current(project: &Project, of: &[Run]) -> Option<u32> {
    let model = Finished::of(project)?;
    of.iter().rev().find(|run| model.is(run)).map(|run| run.run)
}

/// What the manifests say that a model consists of.
struct Finished {
    manifests: Vec<(Stage, Manifest)>,
}

impl Finished {
    /// The model that was trained last; `None` before the first training and where one was broken off.
    fn of(project: &Project) -> Option<Self> {
        Some(Self::load(|stage| project.manifest(stage))).filter(|finished| finished.has(Stage::Train))
    }

    /// The model of the run in `folder`.
    fn kept(folder: &Path) -> Self {
        Self::load(|stage| folder.join(manifest_name(stage)))
    }

    fn load(place: impl Fn(Stage) -> PathBuf) -> Self {
        let load = |stage| Some((stage, Manifest::load(&place(stage))?));
        Self { manifests: MODEL_STAGES.into_iter().filter_map(load).collect() }
    }

    /// Paths relative to the project.
    fn outputs(&self) -> BTreeMap<&String, &Output> {
        self.manifests.iter().flat_map(|(_, manifest)| &manifest.outputs).collect()
    }

    /// What it is, whatever its report shows: a learning curve comes into that later.
    fn model_blake3(&self) -> String {
        self.blake3_of(|path| Path::new(path).file_name() != Some(REPORT.as_ref()))
    }

    /// Whether it is `run`, which an older program may have recorded with its report.
    fn is(&self, run: &Run) -> bool {
        run.model_blake3 == self.model_blake3() || run.model_blake3 == self.blake3_of(|_| true)
    }

    fn blake3_of(&self, counts: impl Fn(&str) -> bool) -> String {
        let mut hasher = blake3::Hasher::new();
        for (path, output) in self.outputs().into_iter().filter(|(path, _)| counts(path)) {
            hasher.update(format!("{path}\n{}\n", output.blake3).as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }

    fn has(&self, stage: Stage) -> bool {
        self.manifests.iter().any(|(of, _)| *of == stage)
    }
}

fn manifest_name(stage: Stage) -> String {
    format!("stage.{}.json", stage.name())
}

/// The file of a run for the output `path` of a stage: where it is in the model's folder, `data/models/NAME`.
fn in_run(folder: &Path, path: &str) -> PathBuf {
    let parts: Vec<_> = Path::new(path).iter().collect();
    let models = parts.windows(2).rposition(|pair| pair == ["data", "models"]);
    let inside = models.and_then(|at| parts.get(at + 3..)).filter(|inside| !inside.is_empty());
    match inside {
        Some(inside) => folder.join(inside.iter().collect::<PathBuf>()),
        None => folder.join(Path::new(path).file_name().unwrap_or_default()),
    }
}

/// Whether a run has what predicting needs.
fn predicts(project: &Project, folder: &Path) -> bool {
    let files = project.model();
    [files.card(), files.inputs(), files.head()]
        .iter()
        .all(|path| in_run(folder, &path.to_string_lossy()).exists())
}

/// Keep the project's model as a run unless it is one; a file that was changed by hand is left out. Its number; `None` where
/// there is no model, or not the whole of it.
///
/// The caller holds the project's lock.
///
/// # Errors
/// A file cannot be read or written; the run is then not there, or there as a whole.
pub fn keep(project: &Project) -> Result<Option<u32>, BuildError> {
    let Some(finished) = Finished::of(project) else { return Ok(None) };
    let (runs, model_blake3) = (runs(project)?, finished.model_blake3());
    if let Some(run) = runs.iter().find(|run| run.is_kept() && finished.is(run)) {
        return Ok(Some(run.run));
    }
    let number = runs.last().map_or(1, |run| run.run + 1);
    let folder = project.runs_folder();
    fs::create_dir_all(&folder).map_err(StoreError::of("write", &folder))?;
    // Filled under another name, which nobody takes for a run, and removed with all in it if that fails.
    let filled = tempfile::Builder::new().prefix(".new").tempdir_in(&folder);
    let filled = filled.map_err(StoreError::of("write", &folder))?;
    let before = runs.iter().rev().find(|run| run.is_kept()).map(|run| project.run_folder(run.run));
    let mut bytes = 0;
    for (path, output) in finished.outputs() {
        let (from, to) = (project.root.join(path), in_run(filled.path(), path));
        // A file that the run before has, too, is no second one on disk: what is in a run is never written again.
        let same = before.as_ref().map(|before| in_run(before, path));
        if let Some(around) = to.parent() {
            fs::create_dir_all(around).map_err(StoreError::of("write", around))?;
        }
        let linked = same.filter(|same| Output::of(same).is_ok_and(|of| of == *output));
        if linked.is_some_and(|same| fs::hard_link(same, &to).is_ok()) {
            bytes += output.bytes;
        } else if from.exists() {
            fs::copy(&from, &to).map_err(StoreError::of("copy", &from))?;
            if Output::of(&to)? == *output {
                bytes += output.bytes;
            } else {
                fs::remove_file(&to).map_err(StoreError::of("remove", &to))?;
            }
        }
    }
    if !predicts(project, filled.path()) {
        return Ok(None);
    }
    for (stage, manifest) in &finished.manifests {
        manifest.save(&filled.path().join(manifest_name(*stage)))?;
    }
    let files = project.model();
    let Ok(card) = load_card(&files) else { return Ok(None) };
    let evaluation = load_evaluation(&files).ok().filter(|_| finished.has(Stage::Evaluate));
    let last = if evaluation.is_some() { files.metrics() } else { files.card() };
    write_json(
        &filled.path().join(RECORD),
        &Run {
            run: number,
            date: modified(&last)?,
            pipeline_version: env!("CARGO_PKG_VERSION").into(),
            commit: commit(&project.root),
            data_blake3: data_blake3(project),
            model_blake3,
            config: json!(card.config),
            figures: evaluation.as_ref().map(RunFigures::new),
            bytes,
        },
    )?;
    let to = project.run_folder(number);
    readable(filled.path())
        .and_then(|()| fs::rename(filled.keep(), &to))
        .map_err(StoreError::of("write", &to))?;
    Ok(Some(number))
}

/// Temporary folders are made for their owner only; a run is an ordinary folder.
fn readable(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

/// When a file was written, to the second.
fn modified(path: &Path) -> Result<String, StoreError> {
    let at: SystemTime =
        fs::metadata(path).and_then(|of| of.modified()).map_err(StoreError::of("read", path))?;
    let at = OffsetDateTime::from(at);
    let at = at.replace_nanosecond(0).unwrap_or(at);
    Ok(at.format(&Rfc3339).unwrap_or_default())
}

/// The commit of the folder, where it lies in a repository and git is installed.
fn commit(root: &Path) -> Option<String> {
    let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    let git = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let said = String::from_utf8(git.stdout).ok()?;
    (git.status.success() && !said.trim().is_empty()).then(|| said.trim().to_owned())
}

/// What the raw files were when they were read for the model.
fn data_blake3(project: &Project) -> String {
    let mut hasher = blake3::Hasher::new();
    if let Some(manifest) = Manifest::load(&project.manifest(Stage::Train)) {
        for (name, content) in raw_files(project, &manifest) {
            hasher.update(format!("{name}\n{content}\n").as_bytes());
        }
    }
    hasher.finalize().to_hex().to_string()
}

/// A run by its number.
///
/// # Errors
/// There is no such run, or its files were pruned.
fn find(project: &Project, number: u32) -> Result<Run, BuildError> {
    let runs = runs(project)?;
    let pruned = runs.iter().any(|run| run.run == number && !run.is_kept());
    let found = runs.into_iter().find(|run| run.run == number && run.is_kept());
    found.ok_or_else(|| BuildError::NoRun { number, pruned, name: project.config.name.clone() })
}

/// The files of a run.
///
/// # Errors
/// There is no such run, or its files were pruned.
pub fn run_files(project: &Project, number: u32) -> Result<ModelFiles, BuildError> {
    Ok(ModelFiles { folder: project.run_folder(find(project, number)?.run) })
}

/// Let run `number` be the project's model again; the model that is there is kept first. What in the project's config is other
/// than in that of the run, as changes from the run's.
///
/// # Errors
/// There is no such run, one of its files is damaged, or a file cannot be written: then the same call again goes on.
pub fn restore(project: &Project, number: u32) -> Result<(Run, Vec<Difference>), BuildError> {
    let _lock = Lock::take(&project.state_folder())?;
    let run = find(project, number)?;
    keep(project)?;
    let folder = project.run_folder(number);
    let finished = Finished::kept(&folder);
    let there = |path: &str| in_run(&folder, path).exists();
    let kept: Vec<_> = finished.outputs().into_iter().filter(|(path, _)| there(path)).collect();
    let refused = |path: PathBuf, reason: &str| BuildError::Run { path, reason: reason.to_owned() };
    if !predicts(project, &folder) {
        return Err(refused(folder, "it lacks a file of the model"));
    }
    for (path, output) in &kept {
        let path = in_run(&folder, path);
        if Output::of(&path)? != **output {
            return Err(refused(path, "it was changed since it was kept"));
        }
    }
    // Without manifests a model that is half the one and half the other is stale.
    for stage in MODEL_STAGES {
        Manifest::remove(&project.manifest(stage))?;
    }
    for (path, _) in kept {
        let from = in_run(&folder, path);
        let mut kept = fs::File::open(&from).map_err(StoreError::of("read", &from))?;
        write_atomic(&project.root.join(path), |w| std::io::copy(&mut kept, w).map(|_| ()))?;
    }
    for (stage, manifest) in &finished.manifests {
        manifest.save(&project.manifest(*stage))?;
    }
    let differing = differences(&run.config, &json!(project.config));
    Ok((run, differing))
}

/// Which runs are to be pruned.
#[derive(Clone, Debug, PartialEq)]
pub enum Prune {
    /// These.
    Numbers(Vec<u32>),
    /// All but the last so many.
    AllBut(usize),
}

/// Remove the files of a run; its record stays. The caller holds the project's lock.
///
/// # Errors
/// A file cannot be removed.
pub fn remove_files(project: &Project, run: &Run) -> Result<(), BuildError> {
    let folder = project.run_folder(run.run);
    // The record first: a run of which some files are gone must not look whole.
    write_json(&folder.join(RECORD), &Run { bytes: 0, ..run.clone() })?;
    for entry in fs::read_dir(&folder).map_err(StoreError::of("read", &folder))? {
        let path = entry.map_err(StoreError::of("read", &folder))?.path();
        if path.file_name().is_some_and(|name| name != RECORD) {
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(StoreError::of("remove", &path))?;
        }
    }
    Ok(())
}

/// Remove the files of runs; their records stay. Those that were pruned, with their sizes before.
///
/// # Errors
/// There is no such run, or a file cannot be removed.
pub fn prune(project: &Project, which: &Prune) -> Result<Vec<Run>, BuildError> {
    let _lock = Lock::take(&project.state_folder())?;
    let pruned: Vec<Run> = match which {
        Prune::Numbers(numbers) => {
            numbers.iter().map(|&number| find(project, number)).collect::<Result<_, _>>()?
        }
        Prune::AllBut(last) => {
            let mut kept = runs(project)?;
            kept.retain(Run::is_kept);
            kept.truncate(kept.len().saturating_sub(*last));
            kept
        }
    };
    pruned.iter().try_for_each(|run| remove_files(project, run))?;
    Ok(pruned)
}
