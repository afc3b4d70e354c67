//! What was made from the rows: what goes before everything is made anew, and what of the rest holds a text.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::journal::remove_file;
use super::needles::Finder;
use crate::stages::error::BuildError;
use crate::stages::project::Project;
use crate::stages::runs::{remove_files, runs};
use crate::stages::stage::Stage;
use crate::store::{StoreError, map};
use crate::table::{Stated, WithoutError, has_lines, lines_with, write_without};

/// A file or folder that goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// Relative to the project.
    pub path: PathBuf,
    /// What it holds.
    pub what: &'static str,
}

/// The folders below `data` that are the program's own: what is in them it has made and can make again, or keeps only to be quick.
const OWN: [&str; 13] = [
    ".pipeline",
    "ablation",
    "annotation",
    "augmented",
    "candidates",
    "curves",
    "embeddings",
    "models",
    "rejects",
    "runs",
    "splits",
    "tuning",
    "validation",
];

/// What was made from the rows of this config, forgotten or not, and is there.
pub fn made_from_rows(project: &Project) -> Vec<Removed> {
    let model = project.model().folder;
    let mut found: Vec<(PathBuf, &'static str)> = vec![
        (project.embeddings_folder(), "embeddings"),
        (project.tuned_folder(), "tuned encoders"),
        (project.split_file(), "parts"),
        (project.augmented_folder(), "variants"),
        (project.rejects_folder(), "rejects and duplicates"),
        (project.validation_file(), "findings"),
        (project.suspects_file(), "doubtful labels"),
        (project.translations(), "translations"),
        (model, "the model"),
    ];
    let runs = fs::read_dir(project.runs_folder()).into_iter().flatten().filter_map(Result::ok);
    let folders = runs.map(|entry| entry.path()).filter(|path| has_files(path));
    found.extend(folders.map(|path| (path, "a model of before")));
    found.extend(Stage::ALL.map(|stage| (project.manifest(stage), "what stages were made from")));
    found.retain(|(path, _)| path.symlink_metadata().is_ok());
    found.into_iter().map(|(path, what)| Removed { path: project.relative(&path).into(), what }).collect()
}

/// Whether a run has more than its record.
fn has_files(run: &Path) -> bool {
    fs::read_dir(run).is_ok_and(|entries| entries.count() > 1)
}

/// Remove files and folders; of a run its record stays. The manifests, which are last, go first: a stage of which something is gone must
/// not look finished.
///
/// # Errors
/// One cannot be removed; the others may be gone.
pub fn remove(project: &Project, removed: &[Removed]) -> Result<(), BuildError> {
    let runs = runs(project)?;
    for Removed { path, .. } in removed.iter().rev() {
        let path = project.root.join(path);
        if let Some(run) = runs.iter().find(|run| project.run_folder(run.run) == path) {
            remove_files(project, run)?;
            continue;
        }
        match path.symlink_metadata() {
            Ok(found) if found.is_dir() => {
                fs::remove_dir_all(&path).map_err(StoreError::of("remove", &path))?;
            }
            _ => remove_file(&path)?,
        }
    }
    Ok(())
}

/// Files below `folder`, each with its path; links lead out of it and are none.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut left) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = left.pop() {
        let Ok(found) = next.symlink_metadata() else { continue };
        if found.is_dir() {
            left.extend(
                fs::read_dir(&next).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())),
            );
        } else if found.is_file() {
            files.push(next);
        }
    }
    files.sort();
    files
}

/// Take what `finder` finds out of the files that the program keeps, of all configs of the project: lines out of tables and JSON lines,
/// other files as a whole. `spared` stays. Those that were changed.
///
/// # Errors
/// A file cannot be read or changed.
pub fn sweep(project: &Project, finder: &Finder, spared: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let mut changed = Vec::new();
    for folder in OWN {
        for path in files_below(&project.root.join("data").join(folder)) {
            let holds = || -> Result<bool, StoreError> {
                let empty = path.metadata().is_ok_and(|found| found.len() == 0);
                let read = StoreError::of("read", &path);
                Ok(!empty && finder.first(&map(&path).map_err(read)?).is_some())
            };
            if path == spared || !holds()? {
                continue;
            }
            if is_lines(&path) {
                let lines =
                    lines_with(&path, |bytes| finder.first(bytes).is_some()).map_err(BuildError::Table)?;
                write_without(&path, Stated::default(), &lines).map_err(of_table)?;
            }
            // A header, or what was no line.
            if holds()? {
                remove_file(&path)?;
            }
            changed.push(PathBuf::from(project.relative(&path)));
        }
    }
    Ok(changed)
}

fn is_lines(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ["csv", "jsonl"].contains(&ending)) && has_lines(path)
}

/// As the error of a build.
pub fn of_table(error: WithoutError) -> BuildError {
    match error {
        WithoutError::Table(error) => error.into(),
        WithoutError::Store(error) => error.into(),
    }
}
