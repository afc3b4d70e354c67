//! Texts that have several labels.

use std::collections::HashMap;

use super::dataset::Dataset;
use super::report::{Contradiction, ReadReport};

/// Rows whose texts are those of an earlier row of another class; of the rows that are used.
pub fn list_contradictions(dataset: &Dataset, report: &mut ReadReport) {
    let mut first: HashMap<blake3::Hash, usize> = HashMap::new();
    for (place, row) in dataset.rows.iter().enumerate() {
        let earlier =
            *first.entry(blake3::hash(format!("{:?}", row.cells.texts).as_bytes())).or_insert(place);
        let before = &dataset.rows[earlier];
        if before.class != row.class {
            report.contradictions.push(Contradiction {
                file: dataset.files[row.file].clone(),
                line: row.line,
                label: dataset.classes[row.class].clone(),
                same_text_as: dataset.place(earlier),
                other_label: dataset.classes[before.class].clone(),
            });
        }
    }
}
