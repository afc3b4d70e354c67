//! Rows that must not be separated.

use std::collections::HashMap;

use super::compare::Stopped;
use super::search::NearSearch;
use super::vectors::Vectors;
use crate::progress::Progress;

/// Disjoint sets of rows, with path halving; the smallest member stands for its set.
#[derive(Clone, Debug)]
pub struct Groups(Vec<usize>);

impl Groups {
    /// So many rows as `titles`, those with equal titles (but for empty ones) and the pairs of `kin` together.
    pub fn new(titles: &[&str], kin: &[[usize; 2]]) -> Self {
        let mut groups = Self((0..titles.len()).collect());
        let mut first: HashMap<&str, usize> = HashMap::new();
        for (row, title) in titles.iter().enumerate().filter(|(_, t)| !t.is_empty()) {
            groups.join(*first.entry(title).or_insert(row), row);
        }
        kin.iter().for_each(|&[a, b]| groups.join(a, b));
        groups
    }

    /// The first row of the group of `row`.
    pub fn of(&mut self, mut row: usize) -> usize {
        while self.0[row] != row {
            self.0[row] = self.0[self.0[row]];
            row = self.0[row];
        }
        row
    }

    /// Put the groups of two rows together.
    pub fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.of(a), self.of(b));
        self.0[a.max(b)] = a.min(b);
    }

    /// For each row the first row of its group.
    pub fn of_all(&mut self) -> Vec<usize> {
        (0..self.0.len()).map(|row| self.of(row)).collect()
    }
}

/// Groups of rows that must not be separated: for each row the index of its group's first row.
///
/// `vectors` has a row for each of the `titles`, `kin` are pairs of rows of which one was made from the other, and what has a cosine of
/// `least` is near.
///
/// # Errors
/// The user asked to stop.
pub fn groups(
    titles: &[&str],
    kin: &[[usize; 2]],
    (vectors, least): (Vectors<'_>, f64),
    search: NearSearch,
    progress: &dyn Progress,
) -> Result<Vec<usize>, Stopped> {
    let mut groups = Groups::new(titles, kin);
    search.for_each_pair(vectors, least, progress, |pair| groups.join(pair.rows[0], pair.rows[1]))?;
    Ok(groups.of_all())
}
