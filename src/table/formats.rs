//! The formats of raw files: told by how a file begins where that tells it, else by the ending of its name.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::bytes::name_unpacked;
use super::columnar::Columnar;
use super::csv::CsvFile;
use super::errors::TableError;
use super::json_lines::JsonLines;
use super::source::{Source, Stated};
use super::spreadsheet::Spreadsheet;
use super::{arrow, parquet};

type Open = fn(&Path, &Path, Stated) -> Result<Box<dyn Source>, TableError>;

/// A format.
struct Format {
    /// Endings of its files, in lower case.
    endings: &'static [&'static str],
    /// How its files begin and no others do.
    begins: &'static [&'static [u8]],
    /// What ends a line, where a row is lines of text.
    line_ends: Option<LineEnds>,
    open: Open,
}

/// What ends a line of a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LineEnds {
    /// A line feed, a carriage return, or both.
    Any,
    /// A line feed.
    LineFeed,
}

/// The first format is also that of all other endings.
const FORMATS: [Format; 5] = [
    Format {
        endings: &["csv", "tsv", "tab"],
        begins: &[],
        line_ends: Some(LineEnds::Any),
        open: |p, s, stated| Ok(Box::new(CsvFile::open(p, s, stated)?)),
    },
    Format {
        endings: &["jsonl", "ndjson"],
        begins: &[],
        line_ends: Some(LineEnds::LineFeed),
        open: |p, s, _| Ok(Box::new(JsonLines::open(p, s)?)),
    },
    Format {
        endings: &["xlsx", "xlsm", "xlsb", "xls", "ods"],
        begins: &[],
        line_ends: None,
        open: |p, s, _| Ok(Box::new(Spreadsheet::open(p, s)?)),
    },
    Format {
        endings: &["parquet", "pq"],
        begins: &[parquet::MAGIC],
        line_ends: None,
        open: |p, s, _| Ok(Box::new(Columnar::open(p, s, parquet::begin)?)),
    },
    Format {
        endings: &["arrow", "feather", "ipc", "arrows"],
        begins: &[arrow::MAGIC, arrow::CONTINUATION],
        line_ends: None,
        open: |p, s, _| Ok(Box::new(Columnar::open(p, s, arrow::begin)?)),
    },
];

/// Open the raw file `path`, which messages call `shown`.
///
/// # Errors
/// The file is unreadable, empty, or not of its format.
pub fn open(path: &Path, shown: &Path, stated: Stated) -> Result<Box<dyn Source>, TableError> {
    let format = of_beginning(path).or_else(|| of_ending(path)).unwrap_or(&FORMATS[0]);
    (format.open)(path, shown, stated)
}

/// What ends the lines of a file, where its rows are lines of text.
pub fn line_ends(path: &Path) -> Option<LineEnds> {
    of_beginning(path).or_else(|| of_ending(path)).unwrap_or(&FORMATS[0]).line_ends
}

/// Open a file of a format that begins as no other does; `None` where it is none, or cannot be read.
pub fn open_by_beginning(path: &Path) -> Option<Box<dyn Source>> {
    (of_beginning(path)?.open)(path, path, Stated::default()).ok()
}

/// Whether a file is named as tables are.
pub fn is_table(path: &Path) -> bool {
    of_ending(path).is_some()
}

fn of_beginning(path: &Path) -> Option<&'static Format> {
    const LONGEST: u64 = 8;
    // A pipe gives its beginning once.
    let file = File::open(path).ok().filter(|file| file.metadata().is_ok_and(|found| found.is_file()))?;
    let mut first = Vec::new();
    file.take(LONGEST).read_to_end(&mut first).ok()?;
    FORMATS.iter().find(|format| format.begins.iter().any(|magic| first.starts_with(magic)))
}

fn of_ending(path: &Path) -> Option<&'static Format> {
    let (name, _) = name_unpacked(path);
    let (_, ending) = name.rsplit_once('.')?;
    FORMATS.iter().find(|format| format.endings.contains(&ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_told_by_the_ending_under_that_of_the_packing() {
        for (name, expected) in [
            ("a.csv.gz", true),
            ("a.JSONL.ZST", true),
            ("a.xlsx", true),
            ("a.gz", false),
            ("gz", false),
            ("a.pdf", false),
        ] {
            assert_eq!(is_table(Path::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn files_of_unknown_endings_are_csv() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.csv", "a.CSV", "a.txt", "a"] {
            let path = folder.path().join(name);
            std::fs::write(&path, "a;b\n1;2\n").unwrap();
            let file = open(&path, Path::new(name), Stated::default()).unwrap();
            assert_eq!((file.columns().len(), file.lines().unwrap().count()), (2, 1), "{name}");
        }
    }
}
