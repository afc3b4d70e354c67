//! All cells of a raw file by the names of their columns, also of those that the config does not name.

use std::collections::BTreeMap;
use std::path::Path;

use super::errors::TableError;
use super::formats::open;
use super::new_rows::different_names;
use super::source::Stated;

/// Rows of a raw file as named values, with their lines; a row that cannot be read is an `Err` with the reason. Of columns of one
/// name the second is called so with ` (2)` after it, and so on.
///
/// # Errors
/// The file is unreadable, empty or binary.
pub fn read_named(path: &Path, stated: Stated) -> Result<Vec<NamedRow>, TableError> {
    let source = open(path, path, stated)?;
    let columns = different_names(source.columns());
    let rows = source.lines()?.map(|line| {
        let line = line?;
        let values = match line.whole(columns.len()) {
            Ok(cells) => Ok(columns
                .iter()
                .enumerate()
                .map(|(i, name)| (name.clone(), cells.at(i).to_owned()))
                .collect()),
            Err(unreadable) => Err(unreadable.to_string()),
        };
        Ok(NamedRow { line: line.number, values })
    });
    rows.collect()
}

/// One row of a raw file.
pub struct NamedRow {
    /// Line where it begins, counted from 1.
    pub line: u64,
    /// Column name to cell, or why the row cannot be read.
    pub values: Result<BTreeMap<String, String>, String>,
}
