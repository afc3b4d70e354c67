//! `pipeline collect accept`: what passed the gate goes to the data, where it is read from now on.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::candidate_file::unreadable;
use crate::collect::{ACCEPTED, Accepted, DOUBTFUL, Review, Reviewed};
use crate::config::CollectedKind;
use crate::engine::Engine;
use crate::progress::Progress;
use crate::stages::error::BuildError;
use crate::stages::files::write_csv;
use crate::stages::project::Project;
use crate::stages::run::ready;
use crate::stages::stage::Stage;
use crate::stages::staleness::Reason;
use crate::store::{StoreError, write_json};
use crate::table::KIND;

/// What is accepted.
#[derive(Clone, Copy, Debug)]
pub struct AcceptSettings {
    /// Candidates that the model doubts, too.
    pub doubtful: bool,
}

/// Judge all candidates that wait anew, and move those that pass to the accepted rows.
///
/// What passed is on disk before a file of candidates is moved away, and what is there twice is refused as such: whenever this is
/// interrupted, nothing is lost and nothing is twice.
///
/// # Errors
/// As [`super::review()`]; or a file cannot be written.
pub fn accept(
    project: &Project,
    settings: AcceptSettings,
    engine: Option<&dyn Engine>,
    progress: &dyn Progress,
    announce: &mut dyn FnMut(Stage, &[Reason]),
) -> Result<Accepted, BuildError> {
    let ready = ready(project, engine, progress, announce)?;
    let (context, rows) = (&ready.context, &ready.rows);
    let waiting = context.waiting(rows)?;
    let review = context.reviewed(rows, &waiting)?;
    let passes = |candidate: &&Reviewed| {
        candidate.verdict == ACCEPTED || settings.doubtful && candidate.verdict == DOUBTFUL
    };
    let mut added = BTreeMap::new();
    let mut tables: HashMap<&Path, Table> = HashMap::new();
    for file in &waiting.files {
        tables.insert(file, Table::read(&project.root.join(file))?);
    }
    for kind in CollectedKind::ALL {
        let mut new = Vec::new();
        for candidate in review.candidates.iter().filter(passes) {
            let record = tables[candidate.file.as_path()].row(candidate);
            new.extend(record.filter(|row| row.get(KIND).is_some_and(|of| of == kind.name())));
        }
        if !new.is_empty() {
            added.insert(kind.name(), new.len());
            append(&project.collected().join(format!("{}.csv", kind.name())), &new)?;
        }
    }
    let done = project.candidates().join("done");
    let mut left = 0;
    for file in &waiting.files {
        let from = project.root.join(file);
        let doubtful: Vec<Cells> = review
            .candidates
            .iter()
            .filter(|candidate| {
                candidate.file == *file && candidate.verdict == DOUBTFUL && !passes(candidate)
            })
            .filter_map(|candidate| tables[file.as_path()].row(candidate))
            .collect();
        left += doubtful.len();
        put_away(&from, &tables[file.as_path()], &done, &review)?;
        if !doubtful.is_empty() {
            append(&from, &doubtful)?;
        }
    }
    let refused = review.batches.iter().map(|batch| batch.refused).sum();
    Ok(Accepted { added, waiting: left, refused, done: project.relative(&done).into() })
}

/// The cells of a row, in the order of its file.
type Cells = serde_json::Map<String, serde_json::Value>;

/// A file of candidates, row by row as it stands there.
struct Table {
    rows: HashMap<u64, Cells>,
}

impl Table {
    fn read(path: &Path) -> Result<Self, BuildError> {
        let failed = |e: csv::Error| unreadable(path, &e);
        let mut reader = csv::Reader::from_path(path).map_err(failed)?;
        let header = reader.headers().map_err(failed)?.clone();
        let mut rows = HashMap::new();
        for record in reader.records() {
            let record = record.map_err(failed)?;
            let line = record.position().map_or(0, csv::Position::line);
            let cells = header.iter().zip(&record);
            rows.insert(line, cells.map(|(name, cell)| (name.to_owned(), cell.into())).collect());
        }
        Ok(Self { rows })
    }

    /// The row of a candidate, without the personal data that was found in it.
    fn row(&self, candidate: &Reviewed) -> Option<Cells> {
        let mut cells = self.rows.get(&candidate.line)?.clone();
        for (column, text) in candidate.texts.iter().flatten() {
            if let Some(cell) = cells.get_mut(column) {
                *cell = text.as_str().into();
            }
        }
        Some(cells)
    }
}

/// Write a file of collected rows with `new` ones behind those that it has.
fn append(path: &Path, new: &[Cells]) -> Result<(), BuildError> {
    let mut old = match path.exists() {
        true => Some(csv::Reader::from_path(path).map_err(|e| unreadable(path, &e))?),
        false => None,
    };
    let mut header: Vec<String> = match &mut old {
        Some(reader) => {
            reader.headers().map_err(|e| unreadable(path, &e))?.iter().map(str::to_owned).collect()
        }
        None => Vec::new(),
    };
    for name in new.iter().flat_map(serde_json::Map::keys) {
        if !header.contains(name) {
            header.push(name.clone());
        }
    }
    let records = old.iter_mut().flat_map(csv::Reader::records);
    let records: Vec<csv::StringRecord> =
        records.collect::<Result<_, _>>().map_err(|e| unreadable(path, &e))?;
    let before = records.iter().map(|record| record.iter().map(str::to_owned).collect());
    let after = new.iter().map(|row| {
        let cell = |name: &String| row.get(name).and_then(serde_json::Value::as_str).unwrap_or("").to_owned();
        header.iter().map(cell).collect()
    });
    let rows = before.chain(after).map(|mut row: Vec<String>| {
        row.resize(header.len(), String::new());
        row
    });
    let names: Vec<&str> = header.iter().map(String::as_str).collect();
    Ok(write_csv(path, &names, rows)?)
}

/// Move a file of candidates away, without the personal data that was found in it, and with what was found of it beside it.
fn put_away(file: &Path, table: &Table, done: &Path, review: &Review) -> Result<(), BuildError> {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let free = (1..).map(|number| format!("{stem}-{number}"));
    let name =
        std::iter::once(stem.clone()).chain(free).find(|name| !done.join(format!("{name}.csv")).exists());
    let name = name.unwrap_or(stem);
    let own: Vec<&Reviewed> = review.candidates.iter().filter(|c| file.ends_with(&c.file)).collect();
    write_json(&done.join(format!("{name}.json")), &own)?;
    let rows: Vec<Cells> = own.iter().filter_map(|candidate| table.row(candidate)).collect();
    append(&done.join(format!("{name}.csv")), &rows)?;
    std::fs::remove_file(file).map_err(|source| StoreError::of("remove", file)(source).into())
}
