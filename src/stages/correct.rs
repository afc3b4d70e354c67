//! `pipeline correct`: labels that people corrected, recorded beside the raw files, and taken back.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::error::BuildError;
use super::files::write_csv;
use super::project::Project;
use crate::progress::Progress;
use crate::store::Lock;
use crate::table::{self, ContentHash, Correction, Dataset, Stated, class_of, harmless};
use crate::validate::Suspect;

/// The column that tells which row a line is of.
const RECORD: &str = "record";

/// What became of a file of corrections.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Corrected {
    /// The number of the batch; `None` where nothing was to be recorded.
    pub batch: Option<u32>,
    /// Labels that are recorded.
    pub corrected: usize,
    /// Lines with the label that the row has.
    pub same: usize,
    /// Lines that nothing is filled in.
    pub blank: usize,
}

/// Corrections that were recorded together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Batch {
    /// Their number.
    pub batch: u32,
    /// When (RFC 3339).
    pub date: String,
    /// How many.
    pub labels: usize,
    /// When they were taken back, where they were.
    pub undone: Option<String>,
}

/// The column in which a label is corrected.
fn corrected_column(name: &str) -> String {
    format!("corrected {name}")
}

/// Write `suspects` as a CSV to fill in: where the row stands, its texts, the label that it has, the likelier one, and an empty cell for
/// the right one.
///
/// # Errors
/// The file cannot be written.
pub fn write_suspects(project: &Project, dataset: &Dataset, suspects: &[Suspect]) -> Result<(), BuildError> {
    let labels = project.config.label_columns();
    let corrected: Vec<String> = labels.iter().map(|name| corrected_column(name)).collect();
    let fixed = ["place", RECORD].into_iter();
    let texts = dataset.text_fields.iter().map(String::as_str);
    let header: Vec<&str> =
        fixed.chain(texts).chain(["label", "likelier"]).chain(corrected.iter().map(String::as_str)).collect();
    let line = |suspect: &Suspect| {
        let row = &dataset.rows[suspect.row];
        let own = [suspect.place.clone(), row.record.to_string()].into_iter();
        let said = [suspect.label.clone(), suspect.likelier.clone()].into_iter();
        let cells = own.chain(row.cells.texts.iter().cloned()).chain(said);
        let cells = cells.map(|cell| harmless(&cell).into_owned());
        cells.chain(labels.iter().map(|_| String::new())).collect()
    };
    Ok(write_csv(&project.suspects_file(), &header, suspects.iter().map(line))?)
}

/// Record the labels that are filled in in `file`, all or none.
///
/// # Errors
/// The file cannot be read; a line is of no row of the data, or its label is none ([`BuildError::Corrections`]); or another run is at
/// work.
pub fn correct(project: &Project, file: &Path, progress: &dyn Progress) -> Result<Corrected, BuildError> {
    let _lock = Lock::take(&project.state_folder())?;
    let config = &project.config;
    let (dataset, _) = table::read(config, &project.root, progress)?;
    let rows: HashMap<ContentHash, usize> =
        dataset.rows.iter().enumerate().map(|(place, row)| (row.record, place)).collect();
    let mut all = Correction::all(config, &project.root)?;
    let batch = next_batch(&all);
    let mut found = Corrected { batch: None, corrected: 0, same: 0, blank: 0 };
    let (mut faults, date) = (Vec::new(), now());
    for line in table::read_named(file, Stated::default())? {
        let read = line.values.and_then(|values| filled_in(project, &dataset, &rows, &values));
        match read {
            Err(fault) => faults.push(format!("line {}: {fault}", line.line)),
            Ok(Filled::Blank) => found.blank += 1,
            Ok(Filled::Same) => found.same += 1,
            Ok(Filled::Other { row, after }) => {
                found.corrected += 1;
                let own = &dataset.rows[row];
                let before = match own.range {
                    Some(ends) => ends.iter().map(f32::to_string).collect(),
                    None => vec![dataset.classes[own.class].clone()],
                };
                let (place, record) = (dataset.place(row), own.record);
                all.push(Correction {
                    batch,
                    date: date.clone(),
                    undone: None,
                    place,
                    record,
                    before,
                    after,
                });
            }
        }
    }
    if !faults.is_empty() {
        return Err(BuildError::Corrections { path: file.to_owned(), faults });
    }
    if found.corrected > 0 {
        found.batch = Some(batch);
        write(project, &all)?;
    }
    Ok(found)
}

/// What stands in a line.
enum Filled {
    Blank,
    Same,
    Other { row: usize, after: Vec<String> },
}

fn filled_in(
    project: &Project,
    dataset: &Dataset,
    rows: &HashMap<ContentHash, usize>,
    values: &BTreeMap<String, String>,
) -> Result<Filled, String> {
    let config = &project.config;
    let names: Vec<String> = config.label_columns().iter().map(|name| corrected_column(name)).collect();
    let cell = |name: &str| values.get(name).map_or("", |cell| cell.trim());
    for name in names.iter().map(String::as_str).chain([RECORD]) {
        if !values.contains_key(name) {
            return Err(format!("the file has no column `{name}`"));
        }
    }
    if names.iter().all(|name| cell(name).is_empty()) {
        return Ok(Filled::Blank);
    }
    let record = cell(RECORD);
    let row = record.parse().ok().and_then(|record: ContentHash| rows.get(&record).copied());
    let row =
        row.ok_or_else(|| format!("no row of the data has the record {record:?}; it was changed since"))?;
    let class = class_of(config, &dataset.classes, &names, &cell)?;
    let own = &dataset.rows[row];
    let (after, same) = match own.range {
        Some(ends) => {
            let after: Vec<String> = names.iter().map(|name| cell(name).to_owned()).collect();
            let same = after.iter().zip(ends).all(|(cell, end)| cell.parse() == Ok(end));
            (after, same)
        }
        None => (vec![dataset.classes[class].clone()], class == own.class),
    };
    Ok(if same { Filled::Same } else { Filled::Other { row, after } })
}

/// Take back the corrections of a batch, or else of the last that is in force.
///
/// # Errors
/// There is no such batch, or another run is at work.
pub fn undo_corrections(project: &Project, number: Option<u32>) -> Result<Batch, BuildError> {
    let _lock = Lock::take(&project.state_folder())?;
    let mut all = Correction::all(&project.config, &project.root)?;
    let in_force = all.iter().filter(|one| one.undone.is_none()).map(|one| one.batch);
    let batch = match number {
        Some(number) => in_force.clone().find(|&batch| batch == number),
        None => in_force.max(),
    };
    let batch = batch.ok_or(BuildError::NoBatch { number })?;
    let date = now();
    all.iter_mut().filter(|one| one.batch == batch).for_each(|one| one.undone = Some(date.clone()));
    write(project, &all)?;
    batches_of(&all).into_iter().find(|of| of.batch == batch).ok_or(BuildError::NoBatch { number })
}

/// All batches that were recorded, in their order.
///
/// # Errors
/// Their file cannot be read.
pub fn corrections(project: &Project) -> Result<Vec<Batch>, BuildError> {
    Ok(batches_of(&Correction::all(&project.config, &project.root)?))
}

/// Take the corrections of some rows out of the record, as if they had never been made; how many. The caller holds the project's lock.
///
/// # Errors
/// Their file cannot be read or written.
pub(super) fn forget_corrections(
    project: &Project,
    is_gone: &dyn Fn(&Correction) -> bool,
) -> Result<usize, BuildError> {
    let mut all = Correction::all(&project.config, &project.root)?;
    let before = all.len();
    all.retain(|one| !is_gone(one));
    if all.len() < before {
        write(project, &all)?;
    }
    Ok(before - all.len())
}

fn batches_of(all: &[Correction]) -> Vec<Batch> {
    let mut batches: BTreeMap<u32, Batch> = BTreeMap::new();
    for one in all {
        let new =
            || Batch { batch: one.batch, date: one.date.clone(), labels: 0, undone: one.undone.clone() };
        batches.entry(one.batch).or_insert_with(new).labels += 1;
    }
    batches.into_values().collect()
}

fn next_batch(all: &[Correction]) -> u32 {
    all.iter().map(|one| one.batch).max().unwrap_or(0).saturating_add(1)
}

fn write(project: &Project, all: &[Correction]) -> Result<(), BuildError> {
    let header = Correction::header(&project.config.label_columns());
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let path = project.root.join(Correction::file(&project.config));
    Ok(write_csv(&path, &header, all.iter().map(Correction::cells))?)
}

fn now() -> String {
    OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default()
}
