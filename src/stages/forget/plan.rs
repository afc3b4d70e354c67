//! What forgetting some rows comes to, before anything is changed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::artefacts::{Removed, made_from_rows};
use super::journal::{ForgottenRow, Journal};
use super::rows::{AskedRow, find_rows};
use super::tables::{Thinned, tables_of, thinned};
use crate::augment::Variant;
use crate::progress::{Progress, Silent};
use crate::stages::error::BuildError;
use crate::stages::forget_error::ForgetError;
use crate::stages::project::Project;
use crate::stages::stage::Stage;
use crate::stages::staleness;
use crate::table::{self, Correction, has_lines};

/// Which rows are to be forgotten.
#[derive(Clone, Copy, Debug)]
pub struct ForgetSettings<'a> {
    /// A table of them, with one of the columns with text or several.
    pub file: Option<&'a Path>,
    /// Their places, `file:line`, or their hashes.
    pub rows: &'a [String],
    /// Whether rows that no table has are let pass: what is left of them is removed.
    pub gone: bool,
}

/// What would be done.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ForgetPlan {
    /// The rows, with those that have their texts and those that were made from them.
    pub rows: Vec<ForgottenRow>,
    /// Variants that augmentation made of them.
    pub variants: usize,
    /// The tables that lose lines.
    pub tables: Vec<Thinned>,
    /// Corrections of their labels.
    pub corrections: usize,
    /// What goes before everything is made anew.
    pub removed: Vec<Removed>,
    /// Whether a run that was killed is gone on with.
    pub goes_on: bool,
    /// Whether there is more to forget than that run has begun with.
    pub is_new: bool,
    /// Whether there was a model, which is trained again.
    pub had_model: bool,
    /// Other configs that have models or embeddings in this folder.
    pub others: Vec<String>,
    #[serde(skip)]
    pub(super) journal: Journal,
}

/// Find what forgetting comes to; nothing is changed.
///
/// # Errors
/// Rows are in no table, or stand in one that is read-only or has no lines; a table cannot be read; or no rows are named.
pub fn forget_plan(
    project: &Project,
    settings: ForgetSettings<'_>,
    progress: &dyn Progress,
) -> Result<ForgetPlan, BuildError> {
    let mut journal = Journal::load(project)?;
    let goes_on = !journal.rows.is_empty();
    let before = journal.rows.len();
    let mut asked: Vec<AskedRow> = settings.rows.iter().map(|place| AskedRow::by_place(place)).collect();
    if let Some(file) = settings.file {
        asked.extend(AskedRow::of_table(&project.config, file)?);
    }
    if asked.is_empty() && !goes_on {
        return Err(ForgetError::Nothing.into());
    }
    let tables = tables_of(project)?;
    find_rows(project, &tables, asked, settings.gone, &mut journal, progress)?;
    let thin = thinned(project, &tables, &journal, progress)?;
    check(project, &thin)?;
    journal.is_cleared &= thin.is_empty() && journal.rows.len() == before;
    journal.had_model |= project.manifest(Stage::Train).exists() || project.model().card().exists();
    journal.variants.extend(variants_of(project, &journal)?);
    let records = journal.known(&project.config).records;
    let corrections = Correction::all(&project.config, &project.root)?;
    let corrections = corrections.iter().filter(|one| records.contains(&one.record.to_string())).count();
    Ok(ForgetPlan {
        rows: journal.rows.clone(),
        variants: journal.variants.len(),
        tables: thin,
        corrections,
        removed: if journal.is_cleared { Vec::new() } else { made_from_rows(project) },
        goes_on,
        is_new: journal.rows.len() > before,
        had_model: journal.had_model,
        others: others(project),
        journal,
    })
}

/// See to it that the lines can be taken out of every table, before they are taken out of one.
pub(super) fn check(project: &Project, tables: &[Thinned]) -> Result<(), ForgetError> {
    for Thinned { path, rows, lines } in tables {
        let full = project.root.join(path);
        if !has_lines(&full) {
            let rows = lines.iter().map(|lines| lines.start).collect();
            return Err(ForgetError::NoLines { path: path.clone(), rows });
        }
        if full.metadata().is_ok_and(|found| found.permissions().readonly()) {
            return Err(ForgetError::ReadOnly { path: path.clone(), rows: *rows });
        }
    }
    Ok(())
}

/// Texts of the variants of rows of the journal, where the augment stage left any of the data as it is: of data that was changed since,
/// such as by a run that was killed, nobody knows which row a variant is of.
fn variants_of(project: &Project, journal: &Journal) -> Result<BTreeSet<String>, BuildError> {
    let file = project.augmented_folder().join("variants.jsonl");
    let Ok(text) = std::fs::read_to_string(file) else { return Ok(BTreeSet::new()) };
    let stages = staleness::plan(project)?;
    if stages.iter().any(|status| status.stage <= Stage::Augment && !status.reasons.is_empty()) {
        return Ok(BTreeSet::new());
    }
    let (dataset, _) = table::read(&project.config, &project.root, &Silent)?;
    // At the place of a row that was taken out already stands another.
    let records = journal.known(&project.config).records;
    let of_forgotten = |variant: &Variant| {
        dataset.rows.get(variant.parent).is_some_and(|row| records.contains(&row.record.to_string()))
    };
    let variants = text.lines().filter_map(|line| serde_json::from_str::<Variant>(line).ok());
    let texts = variants.filter(of_forgotten).flat_map(|variant| variant.texts);
    Ok(texts.filter(|text| !text.is_empty()).collect())
}

/// Names of other configs that have left something in this folder.
fn others(project: &Project) -> Vec<String> {
    let mut found = BTreeSet::new();
    for folder in [project.model().folder, project.embeddings_folder()] {
        let around = folder.parent().map(PathBuf::from).unwrap_or_default();
        let entries = std::fs::read_dir(around).into_iter().flatten().filter_map(Result::ok);
        let folders = entries.filter(|entry| entry.path().is_dir() && entry.path() != project.tuned_folder());
        found.extend(folders.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    }
    found.remove(&project.config.name);
    found.into_iter().filter(|name| !name.starts_with('.')).collect()
}
