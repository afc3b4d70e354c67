//! Whether anything of the forgotten texts is left: every file below `data`, and every table, is looked through.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::artefacts::files_below;
use super::journal::Journal;
use super::needles::{Finder, Needles};
use super::tables::{TableFile, tables_of};
use crate::progress::Progress;
use crate::stages::error::BuildError;
use crate::stages::forget_error::ForgetError;
use crate::stages::project::Project;
use crate::store::{Lock, StoreError, map};
use crate::table::{Stated, TableError, for_each_line, has_lines, is_table, unpacked};

/// A place that was looked through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Looked {
    /// A folder, relative to the project.
    pub place: String,
    /// Files in it.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Those that hold a text.
    pub holding: usize,
}

/// A file that holds a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// Relative to the project where it lies below it; with the line, of a table.
    pub place: String,
    /// The text, or a piece of it.
    pub text: String,
}

/// What was looked for, where, and found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Traces {
    /// The places.
    pub looked: Vec<Looked>,
    /// What was found.
    pub found: Vec<Trace>,
    /// Pieces of texts that were looked for.
    pub pieces: usize,
    /// Pieces that rows hold which stay, and which therefore say nothing.
    pub in_other_rows: usize,
    /// Texts that are too short to say anything.
    pub too_short: usize,
}

/// A finder; texts of more than memory holds cannot be looked for.
pub(super) fn finder_of(pieces: &[String]) -> Result<Finder, ForgetError> {
    Finder::new(pieces)
        .map_err(|error| ForgetError::TooMany { pieces: pieces.len(), reason: error.to_string() })
}

/// What the tables hold of some pieces.
#[derive(Default)]
pub(super) struct InTables {
    /// The pieces that are there.
    pub pieces: BTreeSet<usize>,
    /// Lines that hold all of those of a row.
    pub whole: Vec<Trace>,
}

/// Look through the rows of the tables, of which none is to be forgotten any more.
///
/// # Errors
/// A table cannot be read.
pub(super) fn in_tables(
    project: &Project,
    tables: &[TableFile],
    needles: &Needles,
    finder: &Finder,
) -> Result<InTables, TableError> {
    let mut found = InTables::default();
    for table in tables {
        let path = project.root.join(&table.path);
        for_each_line(&path, Stated::of(&project.config.data), |line, text| {
            let pieces = finder.all(text.as_bytes());
            if needles.hold_a_row(&pieces) {
                let piece = pieces.first().map_or("", |&piece| &needles.pieces[piece]);
                let place = format!("{}:{line}", table.path.display());
                found.whole.push(Trace { place, text: piece.to_owned() });
            }
            found.pieces.extend(pieces);
        })?;
    }
    Ok(found)
}

/// Look for what is left of the rows that are being forgotten; where it is nothing, the journal goes, too. `None` where no rows are.
///
/// Looked through are all tables and every file below `data`, compressed ones unpacked, sheets and Parquet cell by cell. A text is
/// looked for by its pieces, in every form that the program writes; a piece that stands in a row that stays says nothing.
/// `spared` is not looked into.
///
/// # Errors
/// A file cannot be read, or another run is at work.
pub fn traces(
    project: &Project,
    spared: Option<&Path>,
    progress: &dyn Progress,
) -> Result<Option<Traces>, BuildError> {
    let _lock = Lock::take(&project.state_folder())?;
    let journal = Journal::load(project)?;
    if journal.rows.is_empty() {
        return Ok(None);
    }
    let (tables, needles) = (tables_of(project)?, Needles::of(&journal));
    let InTables { pieces: others, whole } =
        in_tables(project, &tables, &needles, &finder_of(&needles.pieces)?)?;
    let is_in_tables = !whole.is_empty();
    let telling = needles.without(&others);
    let finder = finder_of(&telling)?;
    let mut found = Traces {
        pieces: telling.len(),
        in_other_rows: others.len(),
        too_short: needles.too_short,
        found: whole,
        ..Traces::default()
    };
    let mut looked: BTreeMap<String, Looked> = BTreeMap::new();
    let full = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut skipped: BTreeSet<PathBuf> =
        [Journal::path(project)].into_iter().chain(spared.map(full)).collect();
    skipped.insert(project.state_folder().join(".lock"));
    let of_tables: BTreeSet<PathBuf> = tables.iter().map(|table| project.root.join(&table.path)).collect();
    let mut files: BTreeSet<PathBuf> = files_below(&project.root.join("data")).into_iter().collect();
    files.extend(of_tables.iter().cloned());
    files.retain(|path| !skipped.contains(path) && !skipped.contains(&full(path)));
    progress.start("looking for what is left", files.len() as u64, "files");
    for path in &files {
        progress.advance(1);
        if progress.interrupted() {
            return Err(BuildError::Interrupted);
        }
        let shown = project.relative(path);
        let place = place_of(&shown);
        let at = looked.entry(place.clone()).or_insert_with(|| Looked { place, ..Looked::default() });
        at.files += 1;
        at.bytes += path.metadata().map_or(0, |found| found.len());
        if let Some(piece) = first_in(path, &finder, of_tables.contains(path))? {
            at.holding += 1;
            found.found.push(Trace { place: shown, text: telling[piece].clone() });
        }
    }
    progress.finish();
    for trace in &found.found {
        // Lines of tables were found before.
        let path = trace.place.rsplit_once(':').filter(|(_, line)| line.parse::<u64>().is_ok());
        if let Some(at) = path.and_then(|(path, _)| looked.get_mut(&place_of(path))) {
            at.holding += 1;
        }
    }
    found.looked = looked.into_values().collect();
    if found.found.is_empty() {
        Journal::remove(project)?;
    } else if is_in_tables {
        // What was made from these lines is to go, too, once they are gone.
        Journal { is_cleared: false, ..journal }.save(project)?;
    }
    Ok(Some(found))
}

/// `data/models` of `data/models/NAME/report.html`.
fn place_of(shown: &str) -> String {
    let folder = Path::new(shown).parent().unwrap_or(Path::new(""));
    let parts: Vec<_> = folder.iter().take(2).collect();
    let place: PathBuf = parts.into_iter().collect();
    if place.as_os_str().is_empty() { ".".to_owned() } else { place.display().to_string() }
}

/// The first piece in a file.
fn first_in(path: &Path, finder: &Finder, is_of_rows: bool) -> Result<Option<usize>, BuildError> {
    let read = StoreError::of("read", path);
    if path.metadata().map_err(&read)?.len() == 0 {
        return Ok(None);
    }
    if let Some(piece) = finder.first(&map(path).map_err(&read)?) {
        return Ok(Some(piece));
    }
    if let Some(mut input) = unpacked(path).map_err(&read)? {
        let mut bytes = Vec::new();
        // A file that says that it is compressed and is not was looked through as it is.
        if input.read_to_end(&mut bytes).is_ok()
            && let Some(piece) = finder.first(&bytes)
        {
            return Ok(Some(piece));
        }
    }
    let mut piece = None;
    if is_of_rows || (is_table(path) && !has_lines(path)) {
        let looked = for_each_line(path, Stated::default(), |_, text| {
            piece = piece.or_else(|| finder.first(text.as_bytes()));
        });
        if is_of_rows {
            looked?;
        }
    }
    Ok(piece)
}
