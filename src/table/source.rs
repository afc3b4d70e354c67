//! What every format of raw files gives: the names of its columns, and numbered lines of cells.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use encoding_rs::Encoding;

use super::dataset::ContentHash;
use super::encoding;
use super::errors::TableError;
use crate::config::DataConfig;
use crate::counting::counted;

/// The rows of a file, some thousand at a time, or why there are no more.
pub type Batches = Box<dyn Iterator<Item = io::Result<RecordBatch>>>;

/// What the config says of how files are to be read; the rest is found in them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stated {
    /// Between the cells of a line.
    pub delimiter: Option<u8>,
    /// Of all text.
    pub encoding: Option<&'static Encoding>,
}

impl Stated {
    /// That of a config, which was checked.
    pub fn of(config: &DataConfig) -> Self {
        Self {
            delimiter: config.delimiter.and_then(|delimiter| u8::try_from(delimiter).ok()),
            encoding: config.encoding.as_ref().and_then(|label| Encoding::for_label(label.as_bytes())),
        }
    }
}

/// One raw file that was opened. A format is a type with this trait, in a file of its own, and a line in `formats.rs`.
pub trait Source {
    /// Names of the columns, trimmed, in the order of a line's cells. Some may be empty or the same: see [`Source::place`].
    fn columns(&self) -> &[String];

    /// What names the columns, as messages call it, such as `the header (line 1)`.
    fn header(&self) -> String;

    /// What to look at where a column is missing, as a message ends.
    fn header_hint(&self) -> &'static str;

    /// What was found of the file and may be wrong, for people.
    fn notes(&self) -> &[String];

    /// The rows from the first, blank lines passed over.
    ///
    /// # Errors
    /// The file cannot be read any more.
    fn lines(&self) -> Result<Box<dyn Lines + '_>, TableError>;

    /// What messages call the file.
    fn shown(&self) -> &Path;

    /// Why nothing can be read from a column, where that is so; its cells are empty.
    fn unusable(&self, _column: usize) -> Option<String> {
        None
    }

    /// The types of the columns, where the file has types.
    fn schema(&self) -> Option<&SchemaRef> {
        None
    }

    /// Its rows as it has them, where it has types.
    ///
    /// # Errors
    /// The file cannot be read any more, now or on the way.
    fn batches(&self) -> Result<Option<Batches>, TableError> {
        Ok(None)
    }

    /// An error about the whole file, which it names.
    fn fault(&self, reason: String) -> TableError {
        TableError::Header { path: self.shown().to_owned(), reason, remedy: None }
    }

    /// The error that the file cannot be read.
    fn unreadable(&self, source: io::Error) -> TableError {
        TableError::Read { path: self.shown().to_owned(), source }
    }

    /// Where the column called `name` stands, else that which differs in upper and lower case only; `None` where there is none.
    /// Columns that nobody asks for may have one name. [`Names`] answers for many.
    ///
    /// # Errors
    /// There are several, or nothing can be read from it.
    fn place(&self, name: &str) -> Result<Option<usize>, TableError> {
        match places(self.columns(), name).as_slice() {
            [] => Ok(None),
            [place] => match self.unusable(*place) {
                None => Ok(Some(*place)),
                Some(reason) => Err(self.fault(reason)),
            },
            _ => Err(self.fault(format!("{} names `{name}` twice", self.header()))),
        }
    }
}

/// Where columns called `name` stand, else those that differ in upper and lower case only.
pub fn places(columns: &[String], name: &str) -> Vec<usize> {
    let columns = || columns.iter().enumerate();
    let same: Vec<usize> = columns().filter(|(_, n)| *n == name).map(|(i, _)| i).collect();
    let lower = name.to_lowercase();
    let alike = || columns().filter(|(_, n)| n.to_lowercase() == lower).map(|(i, _)| i).collect();
    if same.is_empty() { alike() } else { same }
}

/// The names of a file's columns, for those that ask after as many as there are.
pub struct Names<'a> {
    source: &'a dyn Source,
    /// The column of each name; `None` where several have it.
    places: HashMap<&'a str, Option<usize>>,
}

impl<'a> Names<'a> {
    /// Of a file that was opened.
    pub fn new(source: &'a dyn Source) -> Self {
        let mut places = HashMap::new();
        for (place, name) in source.columns().iter().enumerate() {
            places.entry(name.as_str()).and_modify(|place| *place = None).or_insert(Some(place));
        }
        Self { source, places }
    }

    /// As [`Source::place`].
    ///
    /// # Errors
    /// As [`Source::place`].
    pub fn place(&self, name: &str) -> Result<Option<usize>, TableError> {
        match self.places.get(name) {
            Some(Some(place)) if self.source.unusable(*place).is_none() => Ok(Some(*place)),
            _ => self.source.place(name),
        }
    }
}

/// The rows of a file in order.
pub trait Lines: Iterator<Item = Result<Line, TableError>> {
    /// What was mended in the lines so far, for people, a sentence each; nothing by default.
    fn mended(&self) -> Vec<String> {
        Vec::new()
    }
}

/// One row as it stands in the file.
pub struct Line {
    /// Line where it begins, counted from 1.
    pub number: u64,
    /// Decoded cells, untrimmed, as many as there are; or why the line has none.
    pub cells: Result<Vec<String>, Unreadable>,
    /// What stands in the file.
    pub bytes: Vec<u8>,
    /// Its values with their types, where the file has types.
    pub typed: Option<TypedRow>,
}

/// A row of typed values.
#[derive(Clone, Debug)]
pub struct TypedRow {
    /// The rows that it was read with.
    pub batch: Arc<RecordBatch>,
    /// Its place in them, counted from 0.
    pub row: usize,
}

impl Line {
    /// What stands in the file, for people.
    pub fn raw(&self) -> String {
        encoding::cell(self.bytes.trim_ascii_end().to_vec()).0
    }

    /// Whether there is nothing in any cell.
    pub fn is_blank(&self) -> bool {
        self.cells.as_ref().is_ok_and(|cells| cells.iter().all(|cell| cell.trim().is_empty()))
    }

    /// Of its cells, however they are quoted, white space around them and blank ones at the end aside.
    pub fn content(&self) -> ContentHash {
        let cells = || self.cells.iter().flatten().map(|cell| cell.trim());
        let count = cells().enumerate().filter(|(_, cell)| !cell.is_empty()).last().map_or(0, |(i, _)| i + 1);
        ContentHash::of(cells().take(count))
    }

    /// The cells of a line of a file with so many `columns`; those that it lacks at its end are blank.
    ///
    /// # Errors
    /// There are more cells than columns and they are not blank, so that nobody knows which is which; or the line cannot be read.
    pub fn whole(&self, columns: usize) -> Result<WholeCells<'_>, Unreadable> {
        let cells = self.cells.as_ref().map_err(Clone::clone)?;
        if cells.iter().skip(columns).any(|c| !c.trim().is_empty()) {
            let reason = format!("has {}, the header has {columns}", counted(cells.len(), "field", "fields"));
            let remedy = Some("a text that holds the delimiter needs quotes around it");
            return Err(Unreadable { reason, remedy });
        }
        Ok(WholeCells(cells))
    }
}

/// The cells of a line, of which a few may lack at its end.
#[derive(Clone, Copy)]
pub struct WholeCells<'a>(&'a [String]);

impl<'a> WholeCells<'a> {
    /// The trimmed cell of a column.
    pub fn at(self, column: usize) -> &'a str {
        self.0.get(column).map_or("", |cell| cell.trim())
    }

    /// The cell of a column as it stands.
    pub fn raw(self, column: usize) -> &'a str {
        self.0.get(column).map_or("", String::as_str)
    }

    /// How many there are.
    pub fn count(self) -> usize {
        self.0.len()
    }
}

/// Why a line has no cells. Displayed with what to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Unreadable {
    /// Why.
    pub reason: String,
    /// What to do in the file.
    pub remedy: Option<&'static str>,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        self.remedy.map_or(Ok(()), |remedy| write!(f, "; {remedy}"))
    }
}
