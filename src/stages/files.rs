//! Files that stages leave: CSV, and matrices copied from the cache.

use std::path::Path;

use super::error::BuildError;
use crate::embed::{Cache, NpyWriter};
use crate::store::{StoreError, write_atomic};
use crate::table::Dataset;

/// Texts copied from the cache to a matrix at once.
const EXPORT_ROWS: usize = 4096;

/// File and line of a row, for the files that stages leave.
pub struct RowPlace {
    pub file: String,
    pub line: String,
}

pub fn place(dataset: &Dataset, row: usize) -> RowPlace {
    let row = &dataset.rows[row];
    RowPlace { file: dataset.files[row.file].to_string_lossy().into_owned(), line: row.line.to_string() }
}

pub fn write_csv(
    path: &Path,
    header: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
) -> Result<(), StoreError> {
    write_atomic(path, |w| {
        let mut csv = csv::Writer::from_writer(w);
        csv.write_record(header)?;
        for row in rows {
            csv.write_record(row)?;
        }
        csv.flush()
    })
}

/// Copy the embeddings of `texts` from the cache to an `.npy` file, a block at a time.
pub fn write_matrix(path: &Path, texts: &[&str], cache: &Cache, dims: usize) -> Result<(), BuildError> {
    let mut failure = None;
    write_atomic(path, |file| {
        let mut writer = NpyWriter::new(file, texts.len(), dims)?;
        for block in texts.chunks(EXPORT_ROWS) {
            match cache.get(block) {
                Ok(embeddings) => writer.extend(&embeddings)?,
                Err(error) => {
                    failure = Some(error);
                    return Err(std::io::Error::other("the cache failed"));
                }
            }
        }
        writer.finish()
    })
    .map_err(|error| failure.map_or(BuildError::Store(error), BuildError::Cache))
}
