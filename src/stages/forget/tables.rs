//! The tables with rows of a project: which there are, and which lines of them are forgotten.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::journal::{Journal, Known, key_of};
use crate::progress::Progress;
use crate::stages::error::BuildError;
use crate::stages::project::Project;
use crate::table::{
    TableError, TextRow, collected_files, columns_of_text, columns_there, for_each_text_row, matching,
    pass_files, same_text,
};

/// What a table is to the project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Raw rows, labelled or not.
    Rows,
    /// Rows that were collected, accepted or not, which may be made from others.
    Collected,
    /// Labels of rows that are known by their titles alone.
    Titles,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableFile {
    /// Relative to the project where it lies below it.
    pub path: PathBuf,
    /// What it holds.
    pub holds: Holds,
}

/// A table that has lines to lose.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Thinned {
    /// Relative to the project where it lies below it.
    pub path: PathBuf,
    /// How many rows.
    pub rows: usize,
    /// Their lines.
    #[serde(skip)]
    pub lines: Vec<Range<u64>>,
}

/// All tables of a project that have a column with text.
///
/// # Errors
/// A pattern matches nothing, or a table cannot be read.
pub fn tables_of(project: &Project) -> Result<Vec<TableFile>, TableError> {
    let (config, root) = (&project.config, &project.root);
    let (mut found, mut known) = (Vec::new(), BTreeSet::new());
    let mut add = |paths: Vec<PathBuf>, holds: Holds| {
        for path in paths {
            if known.insert(path.clone()) {
                found.push(TableFile { path, holds });
            }
        }
    };
    for (patterns, key) in [(&config.data.files, "data.files"), (&config.data.test_files, "data.test_files")]
    {
        let matching = matching(patterns, key, root)?;
        add([matching.files, matching.answers].concat(), Holds::Rows);
    }
    add(collected_files(config, root), Holds::Collected);
    add(candidates(project), Holds::Collected);
    add(pass_files(config, root)?, Holds::Titles);
    add(matching(&config.validate.second_labels, "validate.second_labels", root)?.files, Holds::Titles);
    let columns = columns_of_text(config);
    let mut usable = Vec::new();
    for table in found {
        let there = columns_there(config, &root.join(&table.path), &table.path, &columns)?;
        if there.contains(&true) {
            usable.push(table);
        }
    }
    Ok(usable)
}

/// The files of candidates, waiting and judged.
fn candidates(project: &Project) -> Vec<PathBuf> {
    let waiting = project.candidates();
    let mut found = Vec::new();
    for folder in [waiting.join("done"), waiting] {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok);
        let paths = entries.map(|entry| entry.path());
        let paths = paths.filter(|path| path.extension().is_some_and(|ending| ending == "csv"));
        found.extend(paths.map(|path| PathBuf::from(project.relative(&path))));
    }
    found.sort();
    found
}

/// Go over the rows of all tables but those of titles.
///
/// # Errors
/// A table cannot be read, or the user interrupted.
pub fn for_each_row(
    project: &Project,
    tables: &[TableFile],
    progress: &dyn Progress,
    mut each: impl FnMut(&TableFile, TextRow),
) -> Result<(), BuildError> {
    let columns = columns_of_text(&project.config);
    for table in tables.iter().filter(|table| table.holds != Holds::Titles) {
        rows_of(project, table, &columns, progress, |row| each(table, row))?;
    }
    Ok(())
}

fn rows_of(
    project: &Project,
    table: &TableFile,
    columns: &[&str],
    progress: &dyn Progress,
    mut each: impl FnMut(TextRow),
) -> Result<(), BuildError> {
    let path = project.root.join(&table.path);
    for_each_text_row(&project.config, &path, &table.path, columns, |row| {
        if progress.interrupted() {
            return Err(TableError::Interrupted);
        }
        each(row);
        Ok(())
    })?;
    Ok(())
}

/// Whether a row is one of those that are forgotten: it has the texts of one, or was made from one.
pub fn is_forgotten(known: &Known, row: &TextRow) -> bool {
    row.parent.is_some_and(|parent| known.contents.contains(&parent))
        || known.keys.contains(&key_of(row.cells.iter().map(String::as_str)))
}

/// The tables that have rows of `journal`. A label is forgotten with its title, where no row that stays has it.
///
/// # Errors
/// As [`for_each_row`].
pub fn thinned(
    project: &Project,
    tables: &[TableFile],
    journal: &Journal,
    progress: &dyn Progress,
) -> Result<Vec<Thinned>, BuildError> {
    let known = journal.known(&project.config);
    let (mut found, mut staying): (Vec<Thinned>, BTreeSet<String>) = Default::default();
    let title = project.config.title();
    let columns = columns_of_text(&project.config);
    let at = title.and_then(|title| columns.iter().position(|name| *name == title));
    for_each_row(project, tables, progress, |table, row| match is_forgotten(&known, &row) {
        true => note(&mut found, &table.path, row.lines),
        false => {
            let title = at.map(|at| same_text(&row.cells[at]));
            staying.extend(title.filter(|title| known.titles.contains(title)));
        }
    })?;
    if let Some(title) = title {
        for table in tables.iter().filter(|table| table.holds == Holds::Titles) {
            rows_of(project, table, &[title], progress, |row| {
                let title = same_text(&row.cells[0]);
                if known.titles.contains(&title) && !staying.contains(&title) {
                    note(&mut found, &table.path, row.lines);
                }
            })?;
        }
    }
    Ok(found)
}

fn note(found: &mut Vec<Thinned>, path: &Path, lines: Range<u64>) {
    match found.last_mut().filter(|last| last.path == path) {
        Some(last) => {
            last.rows += 1;
            last.lines.push(lines);
        }
        None => found.push(Thinned { path: path.to_owned(), rows: 1, lines: vec![lines] }),
    }
}
