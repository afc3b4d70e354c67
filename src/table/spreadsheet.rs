//! The first sheet with cells of a workbook: Excel's and OpenDocument's.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use calamine::{Data, ExcelDateTime, Reader, Sheets, open_workbook_auto_from_rs};

use super::errors::TableError;
use super::source::{Line, Lines, Source};

/// A sheet, read whole.
pub struct Spreadsheet {
    shown: PathBuf,
    sheet: String,
    header: Vec<String>,
    /// Its row, counted from 1.
    header_row: u64,
    /// The rows after it, those without cells left out.
    rows: Vec<(u64, Vec<String>)>,
    notes: Vec<String>,
}

/// Rows by their number, counted from 0; in them cells by their column.
type Cells = BTreeMap<u32, BTreeMap<u32, String>>;

/// Columns of a sheet, as Excel has them at most.
const MOST_COLUMNS: u32 = 16_384;

impl Spreadsheet {
    /// Read `path`, shown as `shown`. The first row with cells names the columns.
    ///
    /// # Errors
    /// The file cannot be read, is no workbook, or has no cells.
    pub fn open(path: &Path, shown: &Path) -> Result<Self, TableError> {
        let unreadable = |source| TableError::Read { path: shown.to_owned(), source };
        let fault = |reason: String| TableError::Header { path: shown.to_owned(), reason, remedy: None };
        let bytes: Arc<[u8]> = std::fs::read(path).map_err(unreadable)?.into();
        let no_book = |error: calamine::Error| fault(format!("is no workbook that can be read: {error}"));
        let mut book = open_workbook_auto_from_rs(Cursor::new(bytes)).map_err(no_book)?;
        let names = book.sheet_names();
        for name in &names {
            let mut rows =
                cells_of(&mut book, name).map_err(|e| fault(format!("sheet {name:?}: {e}")))?.into_iter();
            let Some((header_row, header)) = rows.next() else { continue };
            let header = dense(header).into_iter().map(|cell| cell.trim().to_owned()).collect();
            let others = names.iter().filter(|other| *other != name).map(String::as_str).collect::<Vec<_>>();
            let notes = match others.as_slice() {
                [] => Vec::new(),
                others => vec![format!("sheet {name:?} is read, and no other: {}", others.join(", "))],
            };
            return Ok(Self {
                shown: shown.to_owned(),
                sheet: name.clone(),
                header,
                header_row: u64::from(header_row) + 1,
                rows: rows.map(|(row, cells)| (u64::from(row) + 1, dense(cells))).collect(),
                notes,
            });
        }
        Err(fault("has no cells; its first row must name the columns".into()))
    }
}

/// The cells of a row up to the last one.
fn dense(cells: BTreeMap<u32, String>) -> Vec<String> {
    let count = cells.last_key_value().map_or(0, |(column, _)| *column as usize + 1);
    let mut row = vec![String::new(); count];
    cells.into_iter().for_each(|(column, cell)| row[column as usize] = cell);
    row
}

fn cells_of(book: &mut Sheets<Cursor<Arc<[u8]>>>, name: &str) -> Result<Cells, String> {
    let mut cells = Cells::new();
    let mut put = |(row, column): (u32, u32), cell: String| {
        if !cell.trim().is_empty() && column < MOST_COLUMNS {
            cells.entry(row).or_default().insert(column, cell);
        }
    };
    match book {
        // Cell by cell: a sheet with one in the last row would be a table of gigabytes.
        Sheets::Xlsx(book) => {
            let mut reader = book.worksheet_cells_reader(name).map_err(|e| e.to_string())?;
            while let Some(cell) = reader.next_cell().map_err(|e| e.to_string())? {
                put(cell.get_position(), text_of(&Data::from(cell.get_value().clone())));
            }
        }
        other => {
            let range = other.worksheet_range(name).map_err(|e| e.to_string())?;
            let (row, column) = range.start().unwrap_or_default();
            for (of_row, of_column, cell) in range.used_cells() {
                put((row + of_row as u32, column + of_column as u32), text_of(cell));
            }
        }
    }
    Ok(cells)
}

fn text_of(cell: &Data) -> String {
    match cell {
        Data::Empty => String::new(),
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => text.clone(),
        Data::Int(number) => number.to_string(),
        Data::Float(number) => number.to_string(),
        Data::Bool(is) => is.to_string(),
        Data::DateTime(moment) => date_of(moment),
        Data::Error(error) => error.to_string(),
    }
}

/// As ISO 8601 writes it, the time where there is one.
fn date_of(moment: &ExcelDateTime) -> String {
    if moment.is_duration() {
        return moment.as_f64().to_string();
    }
    let (year, month, day, hour, minute, second, _) = moment.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    match (hour, minute, second) {
        (0, 0, 0) => date,
        _ => format!("{date}T{hour:02}:{minute:02}:{second:02}"),
    }
}

impl Source for Spreadsheet {
    fn columns(&self) -> &[String] {
        &self.header
    }

    fn header(&self) -> String {
        format!("the header (row {} of sheet {:?})", self.header_row, self.sheet)
    }

    fn header_hint(&self) -> &'static str {
        "the first row with cells must name the columns"
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }

    fn lines(&self) -> Result<Box<dyn Lines + '_>, TableError> {
        Ok(Box::new(Rows(self.rows.iter())))
    }

    fn shown(&self) -> &Path {
        &self.shown
    }
}

struct Rows<'a>(std::slice::Iter<'a, (u64, Vec<String>)>);

impl Lines for Rows<'_> {}

impl Iterator for Rows<'_> {
    type Item = Result<Line, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (number, cells) = self.0.next()?;
        let bytes = cells.join("\t").into_bytes();
        Some(Ok(Line { number: *number, cells: Ok(cells.clone()), bytes, typed: None }))
    }
}
