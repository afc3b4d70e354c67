//! Rows that repeat another one.

use std::collections::HashMap;

use super::dataset::Dataset;
use super::report::{Duplicate, ReadReport};

/// Take out rows equal to an earlier one in everything that is used. A stated test part stays as it is.
pub fn list_duplicates(dataset: &mut Dataset, report: &mut ReadReport) {
    // Hashes, not the rows themselves: a million of them must not double the memory.
    let mut first: HashMap<blake3::Hash, (usize, u64)> = HashMap::new();
    let files = &dataset.files;
    dataset.rows.retain(|row| {
        if row.in_test_files {
            return true;
        }
        let key = blake3::hash(format!("{:?}", (&row.cells, row.class, &row.title)).as_bytes());
        let (file, line) = *first.entry(key).or_insert((row.file, row.line));
        if (file, line) == (row.file, row.line) {
            return true;
        }
        let repeats = format!("{}:{line}", files[file].display());
        report.duplicates.push(Duplicate { file: files[row.file].clone(), line: row.line, repeats });
        false
    });
}
