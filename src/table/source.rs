//! What every format of raw files gives: the names of its columns, and numbered lines of cells.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use super::errors::TableError;

/// One raw file that was opened. A format is a type with this trait, in a file of its own, and a line in `formats.rs`.
pub trait Source {
    /// Names of the columns, trimmed, in the order of a line's cells. Some may be empty or the same:
    /// see [`Source::check_names`].
    fn columns(&self) -> &[String];

    /// What names the columns, as messages call it, such as `the header (line 1)`.
    fn header(&self) -> String;

    /// What to look at where a column is missing, as a message ends.
    fn header_hint(&self) -> &'static str;

    /// The rows from the first, blank lines passed over.
    fn lines(&self) -> Box<dyn Lines<'_> + '_>;

    /// An error about the whole file, which it names.
    fn fault(&self, reason: String) -> TableError;

    /// Refuse a file that names a column twice.
    ///
    /// # Errors
    /// Two names are the same but for upper and lower case.
    fn check_names(&self) -> Result<(), TableError> {
        let mut seen = HashSet::new();
        match self.columns().iter().find(|name| !name.is_empty() && !seen.insert(name.to_lowercase())) {
            Some(name) => Err(self.fault(format!("{} names `{name}` twice", self.header()))),
            None => Ok(()),
        }
    }
}

/// The rows of a file in order.
pub trait Lines<'a>: Iterator<Item = Line<'a>> {
    /// What was mended in the lines so far, for people; `None` where nothing was.
    fn mended(&self) -> Option<String>;
}

/// One row as it stands in the file.
pub struct Line<'a> {
    /// Line where it begins, counted from 1.
    pub number: u64,
    /// Decoded cells, untrimmed, as many as there are; or why the line has none.
    pub cells: Result<Vec<String>, Unreadable>,
    /// What stands in the file, for people.
    pub raw: Cow<'a, str>,
}

impl Line<'_> {
    /// Whether there is nothing in any cell.
    pub fn is_blank(&self) -> bool {
        self.cells.as_ref().is_ok_and(|cells| cells.iter().all(|cell| cell.trim().is_empty()))
    }

    /// The cells of a line of a file with so many `columns`: at least as many, and blank beyond.
    ///
    /// # Errors
    /// There are fewer or more, or the line cannot be read.
    pub fn whole(&self, columns: usize) -> Result<&[String], Unreadable> {
        let cells = self.cells.as_ref().map_err(Clone::clone)?;
        let extra_is_blank = cells.iter().skip(columns).all(|c| c.trim().is_empty());
        if cells.len() < columns || !extra_is_blank {
            let reason = format!("has {} fields, the header has {columns}", cells.len());
            return Err(Unreadable { reason, remedy: None });
        }
        Ok(cells)
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
