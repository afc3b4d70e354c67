//! Which collected rows were made from which rows of the data.

use std::collections::HashMap;

use crate::table::{ContentHash, Dataset};

/// Which rows were made from which.
pub struct Kin {
    /// A row and the one that it was made from.
    pub pairs: Vec<[usize; 2]>,
    /// Rows that were made from one that is not there any more.
    pub orphans: Vec<usize>,
}

/// Who descends from whom, by what the collected rows say of their parents.
pub fn kin(dataset: &Dataset) -> Kin {
    let mut found = Kin { pairs: Vec::new(), orphans: Vec::new() };
    let children =
        dataset.rows.iter().enumerate().filter_map(|(row, of)| Some((row, of.collected.as_ref()?.parent?)));
    let children: Vec<(usize, ContentHash)> = children.collect();
    if children.is_empty() {
        return found;
    }
    let parents = by_content(dataset);
    for (row, parent) in children {
        match parents.get(&parent) {
            Some(&parent) => found.pairs.push([parent, row]),
            None => found.orphans.push(row),
        }
    }
    found
}

/// For each row, the rows that a language model was shown when it wrote it.
pub fn shown(dataset: &Dataset) -> Vec<Vec<usize>> {
    let mut shown = vec![Vec::new(); dataset.rows.len()];
    let of = |row: usize| dataset.rows[row].collected.iter().flat_map(|collected| &collected.shown);
    if (0..dataset.rows.len()).all(|row| of(row).next().is_none()) {
        return shown;
    }
    let known = by_content(dataset);
    for (row, shown) in shown.iter_mut().enumerate() {
        shown.extend(of(row).filter_map(|content| known.get(content)));
    }
    shown
}

/// The rows that were not collected, the first of equal ones.
fn by_content(dataset: &Dataset) -> HashMap<ContentHash, usize> {
    (0..dataset.rows.len())
        .rev()
        .filter(|&row| dataset.rows[row].collected.is_none())
        .map(|row| (dataset.rows[row].cells.content(), row))
        .collect()
}
