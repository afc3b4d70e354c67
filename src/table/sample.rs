//! The beginning of a raw file, with all of its columns.

use std::path::Path;

use super::errors::TableError;
use super::formats::open;
use super::missing::Missing;
use super::new_rows::different_names;
use super::source::Stated;

/// The first rows of a file.
pub struct Sample {
    /// The names of its columns, different ones.
    pub columns: Vec<String>,
    /// The trimmed cells of each row that can be read, as many as there are columns; those that are missing are empty.
    pub rows: Vec<Vec<String>>,
    /// Whether there are no more rows.
    pub whole: bool,
    /// What was found of the file and may be wrong, for people.
    pub notes: Vec<String>,
}

/// The first `most` rows of the file `path`, which messages call `shown`; cells that are spelt as one of `missing` are empty.
///
/// # Errors
/// The file is unreadable, empty, or not of its format.
pub fn sample(path: &Path, shown: &Path, missing: &[String], most: usize) -> Result<Sample, TableError> {
    let source = open(path, shown, Stated::default())?;
    let (columns, missing) = (different_names(source.columns()), Missing::new(missing));
    let (mut rows, mut whole) = (Vec::new(), true);
    for line in source.lines()? {
        let line = line?;
        if rows.len() == most {
            whole = false;
            break;
        }
        let Ok(cells) = line.whole(columns.len()) else { continue };
        if !line.is_blank() {
            rows.push((0..columns.len()).map(|column| missing.empty(cells.at(column)).to_owned()).collect());
        }
    }
    Ok(Sample { columns, rows, whole, notes: source.notes().to_vec() })
}
