//! Taking rows out of everything, in an order in which it can be killed at any point and gone on with.

use std::path::PathBuf;

use serde::Serialize;

use super::artefacts::{Removed, made_from_rows, of_table, remove, sweep};
use super::journal::Journal;
use super::needles::{Finder, Needles};
use super::plan::{ForgetPlan, check};
use super::tables::{Thinned, tables_of, thinned};
use super::traces::{finder_of, in_tables};
use crate::embed::Kept;
use crate::progress::Progress;
use crate::stages::context::Context;
use crate::stages::correct::forget_corrections;
use crate::stages::error::BuildError;
use crate::stages::project::Project;
use crate::store::Lock;
use crate::table::{Stated, remove_unfinished, write_without};

/// What was taken out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forgotten {
    /// The tables that lost lines.
    pub tables: Vec<Thinned>,
    /// Corrections that went.
    pub corrections: usize,
    /// What went because it was made from the rows.
    pub removed: Vec<Removed>,
    /// Other files of the program that held a text, and lost those lines or went.
    pub swept: Vec<PathBuf>,
    /// What is left of the cache of embeddings; `None` where there was none.
    pub cache: Option<Kept>,
}

/// Take the rows of `plan` out of the tables, and remove what was made from them. What is left is a project that has yet to be built.
///
/// The journal is written first and stays; called again after it was killed, this goes on.
///
/// # Errors
/// A file cannot be read, changed or removed, or another run is at work.
pub fn forget(
    project: &Project,
    plan: &ForgetPlan,
    progress: &dyn Progress,
) -> Result<Forgotten, BuildError> {
    let _lock = Lock::take(&project.state_folder())?;
    let tables = tables_of(project)?;
    for table in &tables {
        remove_unfinished(&project.root.join(&table.path))?;
    }
    // The tables may have been changed since the plan was made.
    let thin = thinned(project, &tables, &plan.journal, progress)?;
    check(project, &thin)?;
    plan.journal.save(project)?;
    let stated = Stated::of(&project.config.data);
    for Thinned { path, lines, .. } in &thin {
        write_without(&project.root.join(path), stated, lines).map_err(of_table)?;
    }
    let records = plan.journal.known(&project.config).records;
    let corrections = forget_corrections(project, &|one| records.contains(&one.record.to_string()))?;
    let is_cleared = plan.journal.is_cleared && thin.is_empty();
    let removed = if is_cleared { Vec::new() } else { made_from_rows(project) };
    remove(project, &removed)?;
    let needles = Needles::of(&plan.journal);
    let others = in_tables(project, &tables, &needles, &finder_of(&needles.pieces)?)?.pieces;
    let finder: Finder = finder_of(&needles.without(&others))?;
    let swept = sweep(project, &finder, &Journal::path(project))?;
    let cache = match project.cache().exists() && !is_cleared {
        false => None,
        true => {
            let context = Context { project, engine: None, progress };
            let (dataset, encoders) = (context.dataset()?, context.encoders()?);
            let texts = dataset.rows.iter().flat_map(|row| &row.cells.texts).map(String::as_str);
            Some(context.cache(&encoders)?.renew(texts, progress)?)
        }
    };
    Journal { is_cleared: true, ..plan.journal.clone() }.save(project)?;
    Ok(Forgotten { tables: thin, corrections, removed, swept, cache })
}
