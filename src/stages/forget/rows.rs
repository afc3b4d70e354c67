//! Which rows are meant: those of a table, or of places; and with them those of the same texts, and what was made from them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::journal::{ForgottenRow, Journal, Why, key_of};
use super::tables::{TableFile, for_each_row, is_forgotten};
use crate::config::Config;
use crate::progress::Progress;
use crate::stages::error::BuildError;
use crate::stages::forget_error::ForgetError;
use crate::stages::project::Project;
use crate::table::{
    ContentHash, TextRow, columns_of_text, columns_there, for_each_text_row, named_cells, shorten,
};

/// Characters of a text that a message shows.
const SHOWN: usize = 60;

/// A row that is to be forgotten, as it was named.
pub struct AskedRow {
    /// For messages.
    pub name: String,
    by: By,
}

enum By {
    /// `file:line`, or the hash of the row.
    Place(String),
    /// The texts in some of the columns, and what tells them apart where these are all.
    Cells { cells: BTreeMap<String, String>, content: Option<ContentHash> },
}

impl AskedRow {
    /// A row by its place, `file:line`, or by the hash that `data/validation/NAME.csv` gives it.
    pub fn by_place(place: &str) -> Self {
        Self { name: place.to_owned(), by: By::Place(place.to_owned()) }
    }

    /// The rows of the table `path`, which has one of the columns with text or several.
    ///
    /// # Errors
    /// The table cannot be read, has none of these columns, or a line without any text.
    pub fn of_table(config: &Config, path: &Path) -> Result<Vec<Self>, BuildError> {
        let all = columns_of_text(config);
        let there = columns_there(config, path, path, &all)?;
        let columns: Vec<&str> = all.iter().zip(there).filter(|(_, there)| *there).map(|(n, _)| *n).collect();
        if columns.is_empty() {
            let columns = all.iter().map(ToString::to_string).collect();
            return Err(ForgetError::NoTextColumn { path: path.to_owned(), columns }.into());
        }
        let mut found = Vec::new();
        for_each_text_row::<BuildError>(config, path, path, &columns, |row| {
            let text = row.cells.iter().find(|cell| !cell.is_empty());
            let text = text.ok_or(ForgetError::NoText { path: path.to_owned(), line: row.lines.start })?;
            found.push(Self {
                name: format!("{}:{} {:?}", path.display(), row.lines.start, shorten(text, SHOWN)),
                by: By::Cells {
                    cells: named_cells(&columns, &row.cells),
                    content: (columns.len() == all.len()).then_some(row.content),
                },
            });
            Ok(())
        })?;
        if found.is_empty() {
            return Err(ForgetError::Empty(path.to_owned()).into());
        }
        Ok(found)
    }

    /// Whether a row that it means is spelt like it, too.
    fn is_exactly(&self, columns: &[&str], row: &TextRow) -> bool {
        match &self.by {
            By::Place(_) => true,
            By::Cells { cells, .. } => columns
                .iter()
                .zip(&row.cells)
                .all(|(name, cell)| cells.get(*name).is_none_or(|asked| asked == cell)),
        }
    }

    /// What is left of it where no table has it any more.
    fn gone(self) -> Option<ForgottenRow> {
        let By::Cells { cells, content } = self.by else { return None };
        let content = content.map(|content| content.to_string());
        Some(ForgottenRow { place: self.name, why: Why::Gone, cells, record: None, content })
    }
}

/// What rows are asked for by, for a look-up a row.
struct Wanted<'a> {
    columns: &'a [&'a str],
    places: BTreeMap<&'a str, usize>,
    /// For each choice of columns, the rows by [`key_of`] them.
    keys: BTreeMap<Vec<usize>, BTreeMap<Vec<String>, Vec<usize>>>,
}

impl<'a> Wanted<'a> {
    fn new(columns: &'a [&'a str], asked: &'a [AskedRow]) -> Self {
        let mut wanted = Self { columns, places: BTreeMap::new(), keys: BTreeMap::new() };
        for (number, row) in asked.iter().enumerate() {
            match &row.by {
                By::Place(place) => drop(wanted.places.insert(place, number)),
                By::Cells { cells, .. } => {
                    let at: Vec<usize> =
                        (0..columns.len()).filter(|&at| cells.contains_key(columns[at])).collect();
                    let key = key_of(at.iter().map(|&at| cells[columns[at]].as_str()));
                    wanted.keys.entry(at).or_default().entry(key).or_default().push(number);
                }
            }
        }
        wanted
    }

    /// Which a row is with these cells, which stands at `place`.
    fn met(&self, place: &str, record: Option<&str>, cells: &[String]) -> Vec<usize> {
        debug_assert_eq!(cells.len(), self.columns.len());
        let named = [Some(place), record].into_iter().flatten();
        let named = named.filter_map(|name| self.places.get(name)).copied();
        let alike = self
            .keys
            .iter()
            .filter_map(|(at, rows)| rows.get(&key_of(at.iter().map(|&at| cells[at].as_str()))));
        named.chain(alike.flatten().copied()).collect()
    }
}

/// Add to `journal` the rows of `asked`, those with the same texts, and what was made from them.
///
/// # Errors
/// A table cannot be read; or a row is in none and none of `journal`, unless such rows are said to be `gone`.
pub fn find_rows(
    project: &Project,
    tables: &[TableFile],
    asked: Vec<AskedRow>,
    gone: bool,
    journal: &mut Journal,
    progress: &dyn Progress,
) -> Result<(), BuildError> {
    let columns = columns_of_text(&project.config);
    let mut met = vec![false; asked.len()];
    let mut seen = Seen::of(journal);
    {
        let mut wanted = Wanted::new(&columns, &asked);
        // A run that was killed has taken some of its rows out, and at their places stand others.
        for row in &journal.rows {
            let cells: Vec<String> = columns.iter().map(|name| row.cell(name).to_owned()).collect();
            let of = wanted.met(&row.place, row.record.as_deref(), &cells);
            of.into_iter().for_each(|number| met[number] = true);
        }
        wanted.places.retain(|_, number| !met[*number]);
        for_each_row(project, tables, progress, |table, row| {
            let (place, record) = (place_of(table, &row), row.record.to_string());
            let of = wanted.met(&place, Some(&record), &row.cells);
            of.iter().for_each(|&number| met[number] = true);
            if !of.is_empty() {
                let is_named = of.iter().any(|&number| asked[number].is_exactly(&columns, &row));
                let why = if is_named { Why::Asked } else { Why::Copy };
                seen.add(journal, place, why, &columns, &row);
            }
        })?;
    }
    let missing: Vec<AskedRow> =
        asked.into_iter().zip(met).filter(|(_, met)| !met).map(|(row, _)| row).collect();
    if !missing.is_empty() && !gone {
        return Err(ForgetError::NoRow { rows: missing.into_iter().map(|row| row.name).collect() }.into());
    }
    let missing = missing.into_iter().filter_map(AskedRow::gone);
    journal.rows.extend(missing);
    // What is found may have copies and rows made from it, and these again.
    loop {
        let (before, known) = (journal.rows.len(), journal.known(&project.config));
        for_each_row(project, tables, progress, |table, row| {
            if is_forgotten(&known, &row) {
                let made = row.parent.is_some_and(|parent| known.contents.contains(&parent));
                let why = if made { Why::Paraphrase } else { Why::Copy };
                seen.add(journal, place_of(table, &row), why, &columns, &row);
            }
        })?;
        if journal.rows.len() == before {
            return Ok(());
        }
    }
}

fn place_of(table: &TableFile, row: &TextRow) -> String {
    format!("{}:{}", table.path.display(), row.lines.start)
}

/// The rows of a journal, by place and content.
struct Seen(BTreeSet<(String, String)>);

impl Seen {
    fn of(journal: &Journal) -> Self {
        let rows = journal.rows.iter();
        Self(rows.filter_map(|row| Some((row.place.clone(), row.record.clone()?))).collect())
    }

    fn add(&mut self, journal: &mut Journal, place: String, why: Why, columns: &[&str], row: &TextRow) {
        let record = row.record.to_string();
        if self.0.insert((place.clone(), record.clone())) {
            journal.rows.push(ForgottenRow {
                place,
                why,
                cells: named_cells(columns, &row.cells),
                record: Some(record),
                content: Some(row.content.to_string()),
            });
        }
    }
}
