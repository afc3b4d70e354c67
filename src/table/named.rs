//! Rows of new data by the names of their columns, and what a saved model sees of them.

use std::collections::BTreeMap;
use std::path::Path;

use super::cell::shorten;
use super::columns::{Column, InputColumns};
use super::dataset::Cells;
use super::errors::TableError;
use super::formats::open;

/// The columns a saved model wants, by their names in new data.
pub struct Wanted<'a> {
    /// Text columns.
    pub texts: &'a [String],
    /// Whether their texts are joined into one.
    pub join_text: bool,
    /// Numeric features.
    pub numeric: &'a [String],
    /// Categorical features.
    pub categorical: &'a [String],
}

impl Wanted<'_> {
    /// What the model sees of a row of values by lower-case name; names it lacks are empty.
    ///
    /// # Errors
    /// A numeric feature that is not a number.
    pub fn cells(&self, values: &BTreeMap<String, String>) -> Result<Cells, String> {
        let names: Vec<&str> =
            [self.texts, self.numeric, self.categorical].into_iter().flatten().map(String::as_str).collect();
        let mut start = 0;
        let mut places = |names: &'_ [String]| -> Vec<usize> {
            start += names.len();
            (start - names.len()..start).collect()
        };
        let (texts, numeric, categorical) =
            (places(self.texts), places(self.numeric), places(self.categorical));
        let named = |places: Vec<usize>| {
            places.into_iter().map(|position| Column { name: names[position], position }).collect()
        };
        let columns = InputColumns {
            texts: named(texts),
            numeric: named(numeric),
            categorical: named(categorical),
            join_text: self.join_text,
        };
        columns
            .cells(&|position| values.get(&names[position].to_lowercase()).map_or("", |v| v.trim()))
            .map_err(|f| format!("{} = {:?}: {}", f.column, shorten(&f.value, 40), f.reason))
    }
}

/// Rows of a raw file as named values, with their lines; a ragged row is an `Err` with the reason.
///
/// # Errors
/// The file is unreadable, empty or binary.
pub fn read_named(path: &Path, delimiter: char) -> Result<Vec<NamedRow>, TableError> {
    let source = open(path, path, delimiter)?;
    source.check_names()?;
    let columns = source.columns();
    let rows = source
        .lines()
        .map(|line| {
            let values = match line.whole(columns.len()) {
                Ok(cells) => Ok(columns.iter().cloned().zip(cells.iter().cloned()).collect()),
                Err(unreadable) => Err(unreadable.reason),
            };
            NamedRow { line: line.number, values }
        })
        .collect();
    Ok(rows)
}

/// One row of new data.
pub struct NamedRow {
    /// Line where it begins, counted from 1.
    pub line: u64,
    /// Column name to cell, or why the row cannot be read.
    pub values: Result<BTreeMap<String, String>, String>,
}
