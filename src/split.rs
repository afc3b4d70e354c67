//! Train, validation and test parts: stratified by class, grouped by near-duplicate, seeded.
//!
//! Rows of one group (equal normalised title, or embeddings with at least the set cosine, directly or through others)
//! always share a part. Nothing is learned here.

use std::collections::HashMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Where a row is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// What the head learns from.
    Train,
    /// What chooses the epoch.
    Validation,
    /// What the figures come from; seen once.
    Test,
    /// Not used: it has a near-duplicate in a given test part.
    Dropped,
}

impl Part {
    /// The parts that are used.
    pub const USED: [Part; 3] = [Part::Train, Part::Validation, Part::Test];

    /// Name in files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Part::Train => "train",
            Part::Validation => "validation",
            Part::Test => "test",
            Part::Dropped => "dropped",
        }
    }
}

/// Groups of rows that must not be separated: for each row the index of its group's first row.
///
/// `vectors` is `titles.len() × dims`, row-major, each row of length 1 (or 0), so that products are cosines. `kin` are pairs of
/// rows of which one was made from the other.
/// Memory is bounded by blocks of rows; time grows with the square of the row count (5,000 rows of 1,536: about a
/// second on two cores).
pub fn groups(
    titles: &[&str],
    kin: &[[usize; 2]],
    vectors: &[f32],
    dims: usize,
    min_cosine: f64,
) -> Vec<usize> {
    let mut sets = Sets::new(titles.len());
    let mut first: HashMap<&str, usize> = HashMap::new();
    for (row, title) in titles.iter().enumerate().filter(|(_, t)| !t.is_empty()) {
        sets.join(*first.entry(title).or_insert(row), row);
    }
    kin.iter().for_each(|&[a, b]| sets.join(a, b));
    for_each_near_pair(vectors, dims, min_cosine, |a, b| sets.join(a, b));
    (0..titles.len()).map(|row| sets.find(row)).collect()
}

/// Rows of `fields` concatenated embeddings of equal length `dims`, scaled so that the product of two rows is the mean
/// of their fields' cosines. The encoder need not normalise; a zero vector stays zero.
pub fn mean_cosine_vectors(concatenated: &[f32], fields: usize, dims: usize) -> Vec<f32> {
    let share = 1.0 / (fields.max(1) as f32).sqrt();
    let mut vectors = concatenated.to_vec();
    for field in vectors.chunks_exact_mut(dims.max(1)) {
        let norm = field.iter().map(|v| v * v).sum::<f32>().sqrt();
        let scale = if norm > 0.0 { share / norm } else { 0.0 };
        field.iter_mut().for_each(|v| *v *= scale);
    }
    vectors
}

/// Call `found` for each pair of rows `a < b` whose product is at least `min_cosine`.
pub fn for_each_near_pair(
    vectors: &[f32],
    dims: usize,
    min_cosine: f64,
    mut found: impl FnMut(usize, usize),
) {
    const BLOCK: usize = 512;
    if dims == 0 || min_cosine > 1.0 {
        return;
    }
    let rows = vectors.len() / dims;
    let block = |first: usize| &vectors[first * dims..(first + BLOCK).min(rows) * dims];
    let pairs_from = |a0: usize| {
        let (a, mut products, mut pairs) = (block(a0), vec![0.0f32; BLOCK * BLOCK], Vec::new());
        for b0 in (a0..rows).step_by(BLOCK) {
            let b = block(b0);
            multiply_transposed(a, b, dims, &mut products);
            let (height, width) = (a.len() / dims, b.len() / dims);
            for i in 0..height {
                for (j, &product) in products[i * width..(i + 1) * width].iter().enumerate() {
                    if f64::from(product) >= min_cosine && a0 + i < b0 + j {
                        pairs.push((a0 + i, b0 + j));
                    }
                }
            }
        }
        pairs
    };
    // As many blocks at once as there are threads: of data that is all alike, every pair is near.
    let starts: Vec<usize> = (0..rows).step_by(BLOCK).collect();
    for starts in starts.chunks(rayon::current_num_threads()) {
        let pairs: Vec<Vec<(usize, usize)>> = starts.par_iter().map(|&a0| pairs_from(a0)).collect();
        pairs.into_iter().flatten().for_each(|(a, b)| found(a, b));
    }
}

/// `out[i, j] = Σ_k a[i, k] · b[j, k]`, row-major.
#[expect(unsafe_code, reason = "matrixmultiply's interface is raw pointers; the lengths are asserted")]
fn multiply_transposed(a: &[f32], b: &[f32], dims: usize, out: &mut [f32]) {
    let (height, width) = (a.len() / dims, b.len() / dims);
    assert!(out.len() >= height * width && a.len() == height * dims && b.len() == width * dims);
    let (d, w) = (dims as isize, width as isize);
    // SAFETY: the strides stay inside the slices whose lengths are asserted above, and `out` aliases neither input.
    unsafe {
        matrixmultiply::sgemm(
            height,
            dims,
            width,
            1.0,
            a.as_ptr(),
            d,
            1,
            b.as_ptr(),
            1,
            d,
            0.0,
            out.as_mut_ptr(),
            w,
            1,
        );
    }
}

/// Deal whole groups to parts so that every part gets about its share of every class.
///
/// Returns the part index of each row. Groups are taken in a seeded random order, large ones first, each to the part
/// that lacks its classes most, relative to what the part is due (the greedy rule of scikit-learn's
/// `StratifiedGroupKFold`, with unequal shares). A part that is due less than a row of each of them takes one only as long as it
/// lacks rows at all: so the shares hold over all rows, where those of small classes cannot. `k` equal shares give the folds of k-fold cross-validation.
///
/// `groups` and `classes` have one entry a row; `shares` add up to 1.
pub fn deal(groups: &[usize], classes: &[usize], shares: &[f64], seed: u64) -> Vec<usize> {
    let class_count = classes.iter().max().map_or(0, |m| m + 1);
    let mut members: Vec<Vec<usize>> = Vec::new();
    let mut place: HashMap<usize, usize> = HashMap::new();
    for (row, &group) in groups.iter().enumerate() {
        let index = *place.entry(group).or_insert_with(|| {
            members.push(Vec::new());
            members.len() - 1
        });
        members[index].push(row);
    }
    members.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    members.sort_by_key(|rows| std::cmp::Reverse(rows.len()));

    let mut totals = vec![0.0; class_count];
    classes.iter().for_each(|&c| totals[c] += 1.0);
    let due = |part: usize, class: usize| (shares[part] * totals[class]).max(1e-9);
    let mut dealt = vec![vec![0.0; class_count]; shares.len()];
    let mut parts = vec![0; groups.len()];
    let mut sizes = vec![0; shares.len()];
    for rows in members {
        let want = |part: usize| -> f64 {
            rows.iter()
                .map(|&row| {
                    let due = due(part, classes[row]);
                    (due - dealt[part][classes[row]]) / due
                })
                .sum()
        };
        let open = |part: usize| {
            let whole = rows.iter().any(|&row| due(part, classes[row]) >= 1.0);
            whole || ((sizes[part] + rows.len()) as f64) < shares[part] * groups.len() as f64 + 0.5
        };
        // The first of equals, since the largest share comes first in train/validation/test; of those with the same share the
        // one with the fewest rows, or many small classes would fill the first folds and leave the last ones empty.
        let part = (1..shares.len()).fold(0, |best, p| {
            let lacks_more = want(p) - want(best);
            let fewer = shares[p] == shares[best] && sizes[p] < sizes[best];
            let better = lacks_more > 1e-12 || (fewer && lacks_more > -1e-12);
            let takes = if open(p) == open(best) { better } else { open(p) };
            if takes { p } else { best }
        });
        sizes[part] += rows.len();
        for &row in &rows {
            dealt[part][classes[row]] += 1.0;
            parts[row] = part;
        }
    }
    parts
}

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

/// Disjoint sets with path halving; the smallest member stands for its set.
struct Sets(Vec<usize>);

impl Sets {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn find(&mut self, mut row: usize) -> usize {
        while self.0[row] != row {
            self.0[row] = self.0[self.0[row]];
            row = self.0[row];
        }
        row
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        self.0[a.max(b)] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn near_pairs_are_those_of_the_definition() {
        // 700 unit vectors on a circle, 0.01 rad apart: cosine ≥ 0.9998 holds up to two steps (cos 0.02 = 0.99980001).
        let vectors: Vec<f32> =
            (0..700).flat_map(|i| [(i as f32 / 100.0).cos(), (i as f32 / 100.0).sin()]).collect();
        let mut pairs = Vec::new();
        for_each_near_pair(&vectors[..2 * 300], 2, 0.99979, |a, b| pairs.push((a, b)));
        assert!(pairs.iter().all(|&(a, b)| a < b && b - a <= 2));
        assert_eq!(pairs.len(), 299 + 298);
        // across blocks of 512 too
        let mut crossing = false;
        for_each_near_pair(&vectors, 2, 0.99979, |a, b| crossing |= a == 511 && b == 512);
        assert!(crossing);
    }

    #[test]
    fn products_are_mean_cosines_whatever_the_lengths() {
        // Two fields of two values: the first equal in direction, the second at a right angle.
        let vectors = mean_cosine_vectors(&[3.0, 0.0, 0.0, 5.0, 7.0, 0.0, 2.0, 0.0], 2, 2);
        let product: f32 = vectors[..4].iter().zip(&vectors[4..]).map(|(a, b)| a * b).sum();
        assert!((product - 0.5).abs() < 1e-6);
    }

    #[test]
    fn titles_and_vectors_join_groups_transitively() {
        let vectors = [1.0f32, 0.0, 0.0, 1.0, 0.0, 1.0, -1.0, 0.0];
        assert_eq!(groups(&["a", "a", "b", ""], &[], &vectors, 2, 0.95), [0, 0, 0, 3]);
        assert_eq!(groups(&["a", "a", "b", ""], &[[1, 3]], &vectors, 2, 0.95), [0, 0, 0, 0]);
        assert_eq!(groups(&["", ""], &[], &[1.0, 0.0, 0.0, 1.0], 2, 0.95), [0, 1]);
    }

    #[test]
    fn shares_of_a_fold_are_nested_stratified_and_keep_groups_whole() {
        let groups: Vec<usize> = (0..300).map(|row| if row < 60 { row / 3 * 3 } else { row }).collect();
        let classes: Vec<usize> = groups.iter().map(|group| usize::from(group % 10 == 0)).collect();
        let grouped = GroupedClasses { groups: &groups, classes: &classes };
        let fold = Fold {
            repeat: 0,
            fold: 0,
            train: (0..200).collect(),
            validation: (200..240).collect(),
            held_out: (240..300).collect(),
        };
        let mut last = fold.clone();
        for share in [1.0, 0.5, 0.2, 0.001] {
            let part = fold.with_share(share, grouped, 7);
            assert_eq!(part.held_out, fold.held_out);
            for (part, before, whole) in [
                (&part.train, &last.train, &fold.train),
                (&part.validation, &last.validation, &fold.validation),
            ] {
                assert!(part.iter().all(|row| before.contains(row)), "{share}");
                for class in 0..2 {
                    let count = |of: &[usize]| of.iter().filter(|&&row| classes[row] == class).count();
                    let wanted = (share * count(whole) as f64).ceil() as usize;
                    assert!((wanted..wanted + 3).contains(&count(part)), "{share} {class}: {}", count(part));
                }
                let broken = whole.iter().filter(|row| {
                    let mates = whole.iter().filter(|other| groups[**other] == groups[**row]);
                    let inside = mates.filter(|other| part.contains(other)).count();
                    part.contains(row)
                        && inside < whole.iter().filter(|o| groups[**o] == groups[**row]).count()
                });
                assert_eq!(broken.count(), 0);
            }
            last = part;
        }
        assert_eq!(fold.with_share(1.0, grouped, 3), fold);
    }

    #[test]
    fn single_rows_are_dealt_to_the_row() {
        let classes: Vec<usize> = (0..1000).map(|i| usize::from(i % 5 == 0)).collect();
        let parts = deal(&(0..1000).collect::<Vec<_>>(), &classes, &[0.8, 0.1, 0.1], 1);
        for (class, of) in [(0, 800), (1, 200)] {
            for (part, share) in [(0, 0.8), (1, 0.1), (2, 0.1)] {
                let count = (0..1000).filter(|&i| classes[i] == class && parts[i] == part).count();
                assert!(
                    (count as f64 - share * of as f64).abs() <= 1.0,
                    "class {class} part {part}: {count}"
                );
            }
        }
    }

    #[test]
    fn small_classes_fill_all_folds_alike() {
        for (sizes, folds) in
            [(vec![2, 3, 4, 2, 3, 4], 5), (vec![1; 7], 5), (vec![7; 40], 5), (vec![3; 20], 10)]
        {
            let classes: Vec<usize> =
                sizes.iter().enumerate().flat_map(|(class, &rows)| vec![class; rows]).collect();
            let rows: Vec<usize> = (0..classes.len()).collect();
            let parts = deal(&rows, &classes, &vec![1.0 / folds as f64; folds], 3);
            let counts: Vec<usize> =
                (0..folds).map(|fold| parts.iter().filter(|&&p| p == fold).count()).collect();
            let (fewest, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            assert!(*fewest > 0 && most - fewest <= 1, "{sizes:?}: {counts:?}");
        }
    }

    proptest! {
        #[test]
        fn every_row_is_held_out_once_a_repeat_and_never_beside_its_group(
            rows in prop::collection::vec((0usize..60, 0usize..4), 60..200),
            seed: u64,
            count in 2usize..6,
        ) {
            let (groups, classes): (Vec<usize>, Vec<usize>) = rows.into_iter().unzip();
            let used: Vec<usize> = (0..groups.len()).filter(|r| r % 7 != 0).collect();
            let by_name = |name: &str| name.bytes().fold(seed, |h, b| h.wrapping_mul(31).wrapping_add(u64::from(b)));
            let grouped = GroupedClasses { groups: &groups, classes: &classes };
            let folds = folds(&used, grouped, FoldCounts { folds: count, repeats: 3 }, 0.1, by_name);
            prop_assert_eq!(folds.len(), 3 * count);
            for repeat in 0..3 {
                let mut held: Vec<usize> =
                    folds.iter().filter(|f| f.repeat == repeat).flat_map(|f| f.held_out.clone()).collect();
                held.sort_unstable();
                prop_assert_eq!(&held, &used);
            }
            for fold in &folds {
                let groups_of = |rows: &[usize]| rows.iter().map(|&r| groups[r]).collect::<std::collections::BTreeSet<_>>();
                let sides = [groups_of(&fold.train), groups_of(&fold.validation), groups_of(&fold.held_out)];
                prop_assert!(sides[0].is_disjoint(&sides[1]) && sides[0].is_disjoint(&sides[2]) && sides[1].is_disjoint(&sides[2]));
                prop_assert_eq!(fold.train.len() + fold.validation.len() + fold.held_out.len(), used.len());
            }
            prop_assert_ne!(&folds[0].held_out, &folds[count].held_out);
        }

        #[test]
        fn no_group_is_ever_separated_and_every_part_gets_its_share(
            rows in prop::collection::vec((0usize..60, 0usize..4), 60..300),
            seed: u64,
            folds in 2usize..6,
        ) {
            let groups: Vec<usize> = rows.iter().map(|r| r.0).collect();
            let classes: Vec<usize> = rows.iter().map(|r| r.1).collect();
            for shares in [vec![0.8, 0.1, 0.1], vec![1.0 / folds as f64; folds]] {
                let parts = deal(&groups, &classes, &shares, seed);
                let mut part_of = HashMap::new();
                for (group, part) in groups.iter().zip(&parts) {
                    prop_assert_eq!(*part_of.entry(*group).or_insert(*part), *part);
                }
                let largest = (0..60).map(|g| groups.iter().filter(|&&x| x == g).count()).max().unwrap_or(0);
                for (part, share) in shares.iter().enumerate() {
                    let count = parts.iter().filter(|&&p| p == part).count() as f64;
                    let slack = 4.0 * largest as f64 + 4.0;
                    prop_assert!((count - share * rows.len() as f64).abs() <= slack, "part {} has {}", part, count);
                }
                prop_assert_eq!(deal(&groups, &classes, &shares, seed), parts);
            }
        }
    }
}
