//! The folds of cross-validation.

use std::collections::HashMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::deal::deal;

/// One turn of cross-validation. Rows are indices of the dataset.
#[derive(Clone, Debug, PartialEq)]
pub struct Fold {
    /// Which dealing of the rows, counted from 0.
    pub repeat: usize,
    /// Which fold of it, counted from 0.
    pub fold: usize,
    /// Rows to learn from.
    pub train: Vec<usize>,
    /// Training rows held back to choose the epoch, the temperature and penalties.
    pub validation: Vec<usize>,
    /// Rows to be evaluated on; over one repeat each row is held out once.
    pub held_out: Vec<usize>,
}

impl Fold {
    /// The fold with a `share`, in `(0, 1]`, of the rows that it learns from and of those that it holds back: groups whole, of
    /// each class its share and a group at least. With one `seed` the rows of a smaller share are among those of a greater.
    pub fn with_share(&self, share: f64, grouped: GroupedClasses<'_>, seed: u64) -> Self {
        let drawn = |rows: &[usize]| {
            let mut groups: Vec<Vec<usize>> = Vec::new();
            let mut places = HashMap::new();
            for &row in rows {
                let place = *places.entry(grouped.groups[row]).or_insert(groups.len());
                if place == groups.len() {
                    groups.push(Vec::new());
                }
                groups[place].push(row);
            }
            groups.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
            let mut counts: HashMap<usize, usize> = HashMap::new();
            rows.iter().for_each(|&row| *counts.entry(grouped.classes[row]).or_default() += 1);
            let mut taken: HashMap<usize, usize> = HashMap::new();
            let mut kept = Vec::new();
            for group in groups {
                let class = grouped.classes[group[0]];
                let taken = taken.entry(class).or_default();
                if (*taken as f64) < share * counts[&class] as f64 {
                    *taken += group.len();
                    kept.extend(group);
                }
            }
            kept.sort_unstable();
            kept
        };
        Self { train: drawn(&self.train), validation: drawn(&self.validation), ..self.clone() }
    }
}

/// How many folds cross-validation has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoldCounts {
    /// Folds of one dealing of the rows, at least 2.
    pub folds: usize,
    /// Dealings, at least 1.
    pub repeats: usize,
}

/// What decides how rows are dealt to folds; both are indexed by row of the dataset.
#[derive(Clone, Copy, Debug)]
pub struct GroupedClasses<'a> {
    /// Group of near-duplicates of each row: its rows stay together.
    pub groups: &'a [usize],
    /// Class of each row: every fold gets its share of each.
    pub classes: &'a [usize],
}

/// Repeated stratified group k-fold over `rows`, indices of the dataset; the share `validation`, in `(0, 1)`, of each
/// fold's training rows is held back. No group is ever on two sides. `seed` gives a seed for a name.
pub fn folds(
    rows: &[usize],
    grouped: GroupedClasses<'_>,
    counts: FoldCounts,
    validation: f64,
    seed: impl Fn(&str) -> u64,
) -> Vec<Fold> {
    let (GroupedClasses { groups, classes }, FoldCounts { folds: count, repeats }) = (grouped, counts);
    let pick = |of: &[usize], values: &[usize]| of.iter().map(|&r| values[r]).collect::<Vec<_>>();
    let mut folds = Vec::with_capacity(count * repeats);
    for repeat in 0..repeats {
        let shares = vec![1.0 / count as f64; count];
        let dealt = deal(
            &pick(rows, groups),
            &pick(rows, classes),
            &shares,
            seed(&format!("folds of repeat {repeat}")),
        );
        for fold in 0..count {
            let side = |held: bool| {
                rows.iter().zip(&dealt).filter(move |(_, f)| (**f == fold) == held).map(|(&r, _)| r)
            };
            let rest: Vec<usize> = side(false).collect();
            let seed = seed(&format!("validation of fold {fold} of repeat {repeat}"));
            let stops =
                deal(&pick(&rest, groups), &pick(&rest, classes), &[1.0 - validation, validation], seed);
            let part = |wanted: usize| {
                rest.iter().zip(&stops).filter(|(_, s)| **s == wanted).map(|(&r, _)| r).collect()
            };
            folds.push(Fold {
                repeat,
                fold,
                train: part(0),
                validation: part(1),
                held_out: side(true).collect(),
            });
        }
    }
    folds
}
