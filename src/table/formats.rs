//! The formats of raw files, by the endings of their names.

use std::path::Path;

use super::bytes::PACKED;
use super::csv::CsvFile;
use super::errors::TableError;
use super::json_lines::JsonLines;
use super::source::{Source, Stated};
use super::spreadsheet::Spreadsheet;

type Open = fn(&Path, &Path, Stated) -> Result<Box<dyn Source>, TableError>;

/// Endings, in lower case, and what opens such a file. The first format is also that of all other endings.
const FORMATS: [(&[&str], Open); 3] = [
    (&["csv", "tsv", "tab"], |path, shown, stated| Ok(Box::new(CsvFile::open(path, shown, stated)?))),
    (&["jsonl", "ndjson"], |path, shown, _| Ok(Box::new(JsonLines::open(path, shown)?))),
    (&["xlsx", "xlsm", "xlsb", "xls", "ods"], |path, shown, _| Ok(Box::new(Spreadsheet::open(path, shown)?))),
];

/// Open the raw file `path`, which messages call `shown`.
///
/// # Errors
/// The file is unreadable, empty, or not of its format.
pub fn open(path: &Path, shown: &Path, stated: Stated) -> Result<Box<dyn Source>, TableError> {
    let (_, open) = of_ending(path).unwrap_or(&FORMATS[0]);
    open(path, shown, stated)
}

/// Whether a file is named as tables are.
pub fn is_table(path: &Path) -> bool {
    of_ending(path).is_some()
}

fn of_ending(path: &Path) -> Option<&'static (&'static [&'static str], Open)> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    let name = PACKED.iter().find_map(|packed| name.strip_suffix(packed)?.strip_suffix('.')).unwrap_or(&name);
    let (_, ending) = name.rsplit_once('.')?;
    FORMATS.iter().find(|(endings, _)| endings.contains(&ending))
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
