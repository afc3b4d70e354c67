//! The formats of raw files, by the endings of their names.

use std::path::Path;

use super::csv::CsvFile;
use super::errors::TableError;
use super::source::{Source, Stated};

type Open = fn(&Path, &Path, Stated) -> Result<Box<dyn Source>, TableError>;

/// Endings, in lower case, and what opens such a file. The first format is also that of all other endings.
const FORMATS: [(&[&str], Open); 1] =
    [(&["csv", "tsv", "tab"], |path, shown, stated| Ok(Box::new(CsvFile::open(path, shown, stated)?)))];

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
    let ending = path.extension()?.to_string_lossy().to_lowercase();
    FORMATS.iter().find(|(endings, _)| endings.iter().any(|e| ending == *e))
}

#[cfg(test)]
mod tests {
    use super::*;

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
