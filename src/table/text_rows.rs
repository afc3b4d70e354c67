//! The rows of a table by their texts alone: also of those that have no label, and of tables that are no raw data.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use super::cell::{normalise, text};
use super::dataset::ContentHash;
use super::errors::TableError;
use super::formats::open;
use super::missing::Missing;
use super::rows::PARENT;
use super::source::Stated;
use super::without::lines_of;
use crate::config::Config;

/// A row of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct TextRow {
    /// The lines that it takes, counted from 1.
    pub lines: Range<u64>,
    /// The cells of the columns that were asked for, as they stand, white space around them aside; empty where the table lacks one.
    pub cells: Vec<String>,
    /// Of the whole row: see [`super::Row::record`].
    pub record: ContentHash,
    /// Of its texts: see [`super::Cells::content`].
    pub content: ContentHash,
    /// The content of the row that it says in other words, where it says so.
    pub parent: Option<ContentHash>,
}

/// The columns with the text of a row: those of `data.text_fields`, and the title's, each once.
pub fn columns_of_text(config: &Config) -> Vec<&str> {
    let mut columns: Vec<&str> = config.data.text_fields.iter().map(String::as_str).collect();
    columns.extend(config.title().filter(|title| !columns.contains(title)).as_slice());
    columns
}

/// What two spellings of one cell share: [`normalise`] of its text, and where nothing is left of that, the text itself.
pub fn same_text(cell: &str) -> String {
    let text = text(cell);
    let plain = normalise(&text);
    if plain.is_empty() { text.trim().to_owned() } else { plain }
}

/// Which of `columns` a table has.
///
/// # Errors
/// The table cannot be read, or names one of them twice.
pub fn columns_there(
    config: &Config,
    path: &Path,
    shown: &Path,
    columns: &[&str],
) -> Result<Vec<bool>, TableError> {
    let source = open(path, shown, Stated::of(&config.data))?;
    columns.iter().map(|name| Ok(source.place(name)?.is_some())).collect()
}

/// Go over the rows of the table `path`, shown as `shown`, with the cells of `columns`; a line that is blank or cannot be read is passed
/// over, as no dataset has it.
///
/// # Errors
/// The table cannot be read, or `each` says so.
pub fn for_each_text_row<E: From<TableError>>(
    config: &Config,
    path: &Path,
    shown: &Path,
    columns: &[&str],
    mut each: impl FnMut(TextRow) -> Result<(), E>,
) -> Result<(), E> {
    let source = open(path, shown, Stated::of(&config.data))?;
    let place = |name: &&str| source.place(name);
    let places: Vec<Option<usize>> = columns.iter().map(place).collect::<Result<_, TableError>>()?;
    let texts: Vec<Option<usize>> =
        config.data.text_fields.iter().map(|name| source.place(name)).collect::<Result<_, TableError>>()?;
    let parent = source.place(PARENT)?;
    let missing = Missing::new(&config.data.missing);
    for line in source.lines()? {
        let line = line?;
        let Ok(cells) = line.whole(source.columns().len()) else { continue };
        if line.is_blank() {
            continue;
        }
        let at = |place: Option<usize>| place.map_or("", |place| missing.empty(cells.at(place)));
        let own: Vec<String> = texts.iter().map(|&place| text(at(place))).filter(|t| !t.is_empty()).collect();
        each(TextRow {
            lines: lines_of(path, line.number, &line.bytes),
            cells: places.iter().map(|&place| at(place).to_owned()).collect(),
            record: line.content(),
            content: ContentHash::of([own.join("\n").as_str()]),
            parent: at(parent).parse().ok(),
        })?;
    }
    Ok(())
}

/// The lines of the records of the table `path` that `is_one` takes, which is given what stands in the file.
///
/// # Errors
/// The table cannot be read.
pub fn lines_with(path: &Path, is_one: impl Fn(&[u8]) -> bool) -> Result<Vec<Range<u64>>, TableError> {
    let source = open(path, path, Stated::default())?;
    let mut found = Vec::new();
    for line in source.lines()? {
        let line = line?;
        if is_one(&line.bytes) {
            found.push(lines_of(path, line.number, &line.bytes));
        }
    }
    Ok(found)
}

/// Go over the rows of the table `path`, blank and unreadable ones, too: the line of each, and its cells under one another, or else what
/// stands in the file.
///
/// # Errors
/// The table cannot be read.
pub fn for_each_line(path: &Path, stated: Stated, mut each: impl FnMut(u64, &str)) -> Result<(), TableError> {
    let source = open(path, path, stated)?;
    for line in source.lines()? {
        let line = line?;
        let text = line.cells.as_ref().map_or_else(|_| line.raw(), |cells| cells.join("\n"));
        each(line.number, &text);
    }
    Ok(())
}

/// The cells of a row by the names of their columns.
pub fn named_cells(columns: &[&str], cells: &[String]) -> BTreeMap<String, String> {
    columns.iter().map(ToString::to_string).zip(cells.iter().cloned()).collect()
}
