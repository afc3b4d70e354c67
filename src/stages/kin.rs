//! Which collected rows were made from which rows of the data.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::config::GroupBy;
use crate::table::{ContentHash, Dataset, Row};

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

/// Pairs of rows that `by` keeps in one part: each with the first of its file, or of its column's cell.
pub fn kept_together(by: &GroupBy, dataset: &Dataset) -> Vec<[usize; 2]> {
    let mut first: HashMap<Cow<'_, str>, usize> = HashMap::new();
    let of = |row: &Row| match by {
        GroupBy::File if row.collected.is_some() => None,
        GroupBy::File => Some(row.file.to_string().into()),
        GroupBy::Column(_) => row.group.clone().map(Cow::Owned),
    };
    let groups = dataset.rows.iter().enumerate().filter_map(|(row, cells)| Some((row, of(cells)?)));
    groups.map(|(row, of)| [*first.entry(of).or_insert(row), row]).collect()
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
