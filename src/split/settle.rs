//! Parts over which no near pair lies, whatever the search for near pairs has missed: every held-out row is compared with all others.

use std::collections::BTreeSet;

use super::compare::Stopped;
use super::exact::pairs_between;
use super::groups::Groups;
use super::part::Part;
use super::vectors::Vectors;
use crate::progress::Progress;

/// Rows of a test part that was given, which stay there.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// Whether a row is one.
    pub rows: &'a [bool],
    /// Whether rows like one of them are dropped; else they are kept.
    pub drops: bool,
}

/// The held-out rows of `parts` and, for each of the two held-out parts, those with which they have to be compared: each pair that would
/// lie over two parts once.
pub fn held_out_sides(parts: &[Part]) -> [[Vec<usize>; 2]; 2] {
    [
        [of(parts, &[Part::Test]), of(parts, &[Part::Validation, Part::Train])],
        [of(parts, &[Part::Validation]), of(parts, &[Part::Train])],
    ]
}

/// The rows of the `wanted` parts.
fn of(parts: &[Part], wanted: &[Part]) -> Vec<usize> {
    (0..parts.len()).filter(|&row| wanted.contains(&parts[row])).collect()
}

/// What there was to settle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Near pairs that lay over two parts.
    pub pairs: usize,
    /// Rows that changed their part for it.
    pub moved: usize,
}

/// Compare the rows of the test and validation parts with those of all other parts, and put the groups of each pair with a cosine of `least`
/// together, in the training part; a row like a given one is dropped. Again for the rows that have moved, until no such pair is left.
///
/// Of n rows with the share h in the validation and test parts, some h · n² products.
///
/// # Errors
/// The user asked to stop; `parts` and `groups` are then half settled.
pub fn settle(
    (vectors, least): (Vectors<'_>, f64),
    parts: &mut [Part],
    groups: &mut Groups,
    given: Given<'_>,
    progress: &dyn Progress,
) -> Result<Settled, Stopped> {
    let mut settled = Settled::default();
    let mut sides = held_out_sides(parts).to_vec();
    loop {
        let mut joined = Vec::new();
        pairs_between(vectors, &sides, least, progress, |pair| {
            if given.drops || !pair.rows.iter().any(|&row| given.rows[row]) {
                joined.push(pair.rows);
            }
        })?;
        if joined.is_empty() {
            return Ok(settled);
        }
        settled.pairs += joined.len();
        joined.iter().for_each(|&[a, b]| groups.join(a, b));
        let touched: BTreeSet<usize> = joined.iter().map(|&[a, _]| groups.of(a)).collect();
        let like_given: BTreeSet<usize> = (0..parts.len())
            .filter(|&row| given.drops && given.rows[row])
            .map(|row| groups.of(row))
            .collect();
        let mut moved = Vec::new();
        for row in (0..parts.len()).filter(|&row| !given.rows[row]) {
            let group = groups.of(row);
            let part = if like_given.contains(&group) { Part::Dropped } else { Part::Train };
            if touched.contains(&group) && parts[row] != Part::Dropped && parts[row] != part {
                parts[row] = part;
                settled.moved += 1;
                moved.extend((part == Part::Train).then_some(row));
            }
        }
        // What has moved was not compared with the rest of the part that it was in.
        sides = vec![[of(parts, &[Part::Validation, Part::Test]), moved]];
    }
}
