//! Labels that were corrected since the raw files were written: of which rows, to what, when, and whether that was taken back. The files
//! themselves stay as they are; a row is known by its content, so that one that is changed there is no longer corrected here.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::columns::Column;
use super::dataset::ContentHash;
use super::errors::TableError;
use super::named::{NamedRow, read_named};
use super::source::{Line, Stated};
use crate::config::Config;
use crate::counting::counted;

/// A label that was corrected.
#[derive(Clone, Debug, PartialEq)]
pub struct Correction {
    /// Number of the batch that it came with, from 1.
    pub batch: u32,
    /// When (RFC 3339).
    pub date: String,
    /// When it was taken back, where it was.
    pub undone: Option<String>,
    /// `file:line` of the row, for people.
    pub place: String,
    /// The row as its file has it.
    pub record: ContentHash,
    /// The cells of the label's columns before.
    pub before: Vec<String>,
    /// And now.
    pub after: Vec<String>,
}

const FIXED: [&str; 5] = ["batch", "date", "undone", "place", "record"];

/// The column of what stood in the label's column `name` before.
fn before(name: &str) -> String {
    format!("{name} before")
}

impl Correction {
    /// The file of a config's corrections, relative to the project; it need not be there.
    pub fn file(config: &Config) -> PathBuf {
        Path::new("data/corrections").join(format!("{}.csv", config.name))
    }

    /// All that were recorded, in their order; none where there is no file.
    ///
    /// # Errors
    /// The file cannot be read, or is not one of corrections of this config's label.
    pub fn all(config: &Config, project: &Path) -> Result<Vec<Self>, TableError> {
        let path = project.join(Self::file(config));
        if !path.exists() {
            return Ok(Vec::new());
        }
        let labels = config.label_columns();
        let parse = |NamedRow { line, values }: NamedRow| {
            let one = values.and_then(|values| Self::of(&values, &labels));
            one.map_err(|reason| TableError::Header {
                path: Self::file(config),
                reason: format!("line {line}: {reason}"),
                remedy: Some("what `pipeline correct` wrote was changed; put it back, or move the file away"),
            })
        };
        read_named(&path, Stated::default())?.into_iter().map(parse).collect()
    }

    fn of(values: &BTreeMap<String, String>, labels: &[&str]) -> Result<Self, String> {
        let cell = |name: &str| values.get(name).cloned().ok_or_else(|| format!("it has no `{name}`"));
        let cells = |of: &dyn Fn(&str) -> String| -> Result<Vec<String>, String> {
            labels.iter().map(|name| cell(&of(name))).collect()
        };
        let (batch, record) = (cell("batch")?, cell("record")?);
        Ok(Self {
            batch: batch.parse().map_err(|_| format!("`{batch}` is no number of a batch"))?,
            date: cell("date")?,
            undone: Some(cell("undone")?).filter(|date| !date.is_empty()),
            place: cell("place")?,
            record: record.parse().map_err(|_| format!("`{record}` is no hash of a row"))?,
            before: cells(&before)?,
            after: cells(&|name| name.to_owned())?,
        })
    }

    /// The header of the file, for the label's columns.
    pub fn header(labels: &[&str]) -> Vec<String> {
        let own = FIXED.map(str::to_owned).into_iter();
        own.chain(labels.iter().map(|name| before(name)))
            .chain(labels.iter().map(ToString::to_string))
            .collect()
    }

    /// A line of the file.
    pub fn cells(&self) -> Vec<String> {
        let Self { batch, date, undone, place, record, before, after } = self;
        let undone = undone.clone().unwrap_or_default();
        let own = [batch.to_string(), date.clone(), undone, place.clone(), record.to_string()];
        own.into_iter().chain(before.iter().cloned()).chain(after.iter().cloned()).collect()
    }
}

/// The corrections in force, as files are read.
#[derive(Default)]
pub struct Corrections {
    /// The cells of the label's columns of each row, by its content.
    cells: HashMap<ContentHash, Vec<String>>,
    /// Rows that were read.
    met: BTreeSet<String>,
}

impl Corrections {
    /// Those that were not taken back; of several of one row the last.
    ///
    /// # Errors
    /// As [`Correction::all`].
    pub fn load(config: &Config, project: &Path) -> Result<Self, TableError> {
        let all = Correction::all(config, project)?;
        let in_force = all.into_iter().filter(|one| one.undone.is_none());
        Ok(Self { cells: in_force.map(|one| (one.record, one.after)).collect(), met: BTreeSet::new() })
    }

    /// Tells contents apart: rows and their labels; `None` where there are no corrections.
    pub fn checksum(&self) -> Option<String> {
        let mut all: Vec<String> =
            self.cells.iter().map(|(record, cells)| format!("{record} {cells:?}\n")).collect();
        all.sort();
        (!all.is_empty()).then(|| blake3::hash(all.concat().as_bytes()).to_hex().to_string())
    }

    /// Correct the label's cells of a line where that is asked; what the line was before.
    pub fn apply(&mut self, line: &mut Line, labels: &[Column<'_>]) -> Option<ContentHash> {
        if self.cells.is_empty() {
            return None;
        }
        let record = line.content();
        let (corrected, cells) = (self.cells.get(&record)?, line.cells.as_mut().ok()?);
        self.met.insert(record.to_string());
        for (column, value) in labels.iter().zip(corrected) {
            cells.resize(cells.len().max(column.position + 1), String::new());
            cells[column.position].clone_from(value);
        }
        Some(record)
    }

    /// What is to be said of them once all is read.
    pub fn notes(&self, config: &Config) -> Vec<String> {
        let file = Correction::file(config);
        let said = |rows: usize, one: &str, more: &str| {
            (rows > 0).then(|| format!("{} ({})", counted(rows, one, more), file.display()))
        };
        let gone = self.cells.len() - self.met.len();
        let notes = [
            said(self.met.len(), "label is corrected", "labels are corrected"),
            said(
                gone,
                "correction is of a row that is no longer there as it was",
                "corrections are of rows that are no longer there as they were",
            ),
        ];
        notes.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(cells: &[&str]) -> Line {
        Line {
            number: 2,
            cells: Ok(cells.iter().map(ToString::to_string).collect()),
            bytes: vec![],
            typed: None,
        }
    }

    fn correction(record: ContentHash, after: &str, undone: bool) -> Correction {
        Correction {
            batch: 1,
            date: "2026-01-01T00:00:00Z".into(),
            undone: undone.then(|| "2026-01-02T00:00:00Z".into()),
            place: "a.csv:2".into(),
            record,
            before: vec!["old".into()],
            after: vec![after.into()],
        }
    }

    #[test]
    fn the_last_one_in_force_is_taken_and_others_are_named() {
        let text = "name = \"t\"\n[data]\nfiles = [\"a.csv\"]\ntext_fields = [\"text\"]\n[label]\ncolumn = \"class\"";
        let config = Config::parse(text, Path::new("pipeline.toml")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let known = |cells: &[&str]| line(cells).content();
        let all = [
            correction(known(&["a text", "old"]), "newer", false),
            correction(known(&["a text", "old"]), "newest", false),
            correction(known(&["other", "old"]), "taken back", true),
            correction(known(&["gone", "old"]), "x", false),
        ];
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(Correction::header(&["class"])).unwrap();
        all.iter().for_each(|one| csv.write_record(one.cells()).unwrap());
        let path = folder.path().join(Correction::file(&config));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, csv.into_inner().unwrap()).unwrap();
        assert_eq!(Correction::all(&config, folder.path()).unwrap(), all);

        let mut corrections = Corrections::load(&config, folder.path()).unwrap();
        let mut applied = |cells: &[&str]| {
            let mut line = line(cells);
            let record = corrections.apply(&mut line, &[Column::new("class", 1)]);
            assert!(record.is_none_or(|record| record == known(cells)));
            line.cells.unwrap()
        };
        assert_eq!(applied(&["a text ", "old"]), ["a text ", "newest"]);
        assert_eq!(applied(&["other", "old"]), ["other", "old"]);
        assert_eq!(applied(&["a text", "changed"]), ["a text", "changed"]);
        let notes = corrections.notes(&config);
        assert!(notes[0].starts_with("1 label is corrected (data/corrections/t.csv)"), "{notes:?}");
        assert!(notes[1].starts_with("1 correction is of a row that is no longer"), "{notes:?}");
        assert!(corrections.checksum().is_some() && Corrections::default().checksum().is_none());

        let written = std::fs::read_to_string(&path).unwrap();
        for (from, to, said) in [
            ("a.csv:2", "a.csv", ""),
            ("1,2026", "one,2026", "no number"),
            ("class before", "x", "no `class before`"),
        ] {
            std::fs::write(&path, written.replace(from, to)).unwrap();
            let found = Correction::all(&config, folder.path());
            assert!(said.is_empty() == found.is_ok(), "{from}");
            assert!(said.is_empty() || found.unwrap_err().to_string().contains(said), "{from}");
        }
    }
}
