//! Groups, parts and folds.

use std::collections::{BTreeSet, HashMap};

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::approximate::{Breadth, pairs_in_cells};
use super::compare::NearPair;
use super::*;
use crate::progress::Silent;

const EXACT: NearSearch = NearSearch { exact_rows: usize::MAX, seed: 0 };

/// The pairs of a search, in the order in which they were found.
fn pairs(search: NearSearch, values: &[f32], dims: usize, least: f64) -> Vec<[usize; 2]> {
    let mut pairs = Vec::new();
    search.for_each_pair(Vectors::new(values, dims), least, &Silent, |pair| pairs.push(pair.rows)).unwrap();
    pairs
}

/// Rows of length 1: the second of each twenty has about this cosine to the first, all others are about one of a few topics.
fn planted(rows: usize, dims: usize, cosines: std::ops::Range<f32>, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut random = |by: f32| -> Vec<f32> { (0..dims).map(|_| rng.random_range(-by..by)).collect() };
    let topics: Vec<Vec<f32>> = (0..rows / 50 + 1).map(|_| random(1.0)).collect();
    let mut values: Vec<f32> = Vec::new();
    for row in 0..rows {
        let noise = random(1.0);
        let share = random(1.0)[0] / 2.0 + 0.5;
        let cosine = cosines.start + share * (cosines.end - cosines.start);
        let by = (1.0 / (cosine * cosine) - 1.0).sqrt();
        let unit = |of: &[f32]| {
            let length = of.iter().map(|v| v * v).sum::<f32>().sqrt();
            of.iter().map(|v| v / length).collect::<Vec<f32>>()
        };
        let base = if row % 20 == 1 { &values[(row - 1) * dims..] } else { &topics[row % topics.len()][..] };
        let by = if row % 20 == 1 { by } else { 1.0 };
        let sum: Vec<f32> = unit(base).iter().zip(unit(&noise)).map(|(a, b)| a + by * b).collect();
        values.extend(unit(&sum));
    }
    values
}

#[test]
fn near_pairs_are_those_of_the_definition() {
    // 700 unit vectors on a circle, 0.01 rad apart: cosine ≥ 0.9998 holds up to two steps (cos 0.02 = 0.99980001).
    let vectors: Vec<f32> =
        (0..700).flat_map(|i| [(i as f32 / 100.0).cos(), (i as f32 / 100.0).sin()]).collect();
    let few = pairs(EXACT, &vectors[..2 * 300], 2, 0.99979);
    assert!(few.iter().all(|&[a, b]| a < b && b - a <= 2));
    assert_eq!(few.len(), 299 + 298);
    // across blocks of 512 too
    assert!(pairs(EXACT, &vectors, 2, 0.99979).contains(&[511, 512]));
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
    let of = |titles: &[&str], kin: &[[usize; 2]], values: &[f32]| {
        groups(titles, kin, (Vectors::new(values, 2), 0.95), EXACT, &Silent).unwrap()
    };
    assert_eq!(of(&["a", "a", "b", ""], &[], &vectors), [0, 0, 0, 3]);
    assert_eq!(of(&["a", "a", "b", ""], &[[1, 3]], &vectors), [0, 0, 0, 0]);
    assert_eq!(of(&["", ""], &[], &[1.0, 0.0, 0.0, 1.0]), [0, 1]);
}

/// All pairs by the definition, in double precision, with what is at the very edge left to either side.
fn by_definition(values: &[f32], dims: usize, least: f64) -> [BTreeSet<[usize; 2]>; 2] {
    let rows: Vec<&[f32]> = values.chunks_exact(dims).collect();
    let mut found = [BTreeSet::new(), BTreeSet::new()];
    for a in 0..rows.len() {
        for b in a + 1..rows.len() {
            let product: f64 = rows[a].iter().zip(rows[b]).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
            for (found, edge) in found.iter_mut().zip([1e-5, -1e-5]) {
                if product >= least + edge {
                    found.insert([a, b]);
                }
            }
        }
    }
    found
}

#[test]
fn no_pair_is_lost_by_its_sketch() {
    // So many rows that they are sketched; many planted pairs are at the very limit.
    let (rows, dims) = (10_100, 130);
    let values = planted(rows, dims, 0.9..0.999, 1);
    let tail = &values[8_000 * dims..];
    let sketched = pairs(EXACT, &values, dims, 0.95);
    let plain = pairs(EXACT, tail, dims, 0.95);
    let of_tail: Vec<[usize; 2]> =
        sketched.iter().filter(|pair| pair[0] >= 8_000).map(|pair| pair.map(|row| row - 8_000)).collect();
    assert_eq!(BTreeSet::from_iter(&of_tail), BTreeSet::from_iter(&plain));
    let [least, most] = by_definition(&tail[..700 * dims], dims, 0.95);
    let first: BTreeSet<[usize; 2]> = plain.iter().filter(|pair| pair[1] < 700).copied().collect();
    assert!(least.len() > 5 && least.is_subset(&first) && first.is_subset(&most));
    assert!(sketched.len() > 200 && sketched.is_sorted_by_key(|pair| pair[0] / 512), "{}", sketched.len());
}

#[test]
fn a_seed_finds_the_same_on_any_number_of_threads() {
    let values = planted(3000, 40, 0.9..0.99, 2);
    let search = |seed| NearSearch { exact_rows: 100, seed };
    let on = |threads: usize, search: NearSearch| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut found = Vec::new();
            let vectors = Vectors::new(&values, 40);
            let how = search.for_each_pair(vectors, 0.95, &Silent, |pair| found.push(pair)).unwrap();
            (found, how)
        })
    };
    let one = on(1, search(7));
    assert_eq!(one, on(4, search(7)));
    assert_eq!(on(1, EXACT), on(3, EXACT));
    let Searched::Approximate(recall) = &one.1 else { panic!("{:?}", one.1) };
    assert_eq!((recall.rows, recall.of.len()), (2000, recall.found.len()));
    let all: BTreeSet<[usize; 2]> = pairs(EXACT, &values, 40, 0.95).into_iter().collect();
    let found: BTreeSet<[usize; 2]> = one.0.iter().map(|pair| pair.rows).collect();
    assert!(found.len() == one.0.len() && found.is_subset(&all), "a pair twice, or one that is none");
    assert!(found.len() * 100 >= all.len() * 99, "{} of {}", found.len(), all.len());
}

/// What [`Breadth`] never is but here: cells of few rows, and each row in one.
const BAD: Breadth = Breadth { cells: 50.0, probes: 1 };

#[test]
fn the_sample_says_what_a_search_misses() {
    let values = planted(3000, 40, 0.9..0.99, 3);
    let vectors = Vectors::new(&values, 40);
    let mut found = 0;
    let recall = pairs_in_cells(vectors, 0.9, (BAD, 1), &Silent, |_| found += 1).unwrap();
    let all = pairs(EXACT, &values, 40, 0.9).len();
    let share = recall.found.iter().filter(|found| **found).count() as f64 / recall.found.len() as f64;
    let truth = f64::from(found) / all as f64;
    assert!((0.02..0.9).contains(&truth), "{found} of {all}");
    assert!((share - truth).abs() < 0.1, "{share} {truth}");
}

/// Pairs over two of the used parts.
fn straddling(values: &[f32], dims: usize, parts: &[Part]) -> usize {
    let over = |&[a, b]: &[usize; 2]| {
        parts[a] != parts[b] && !parts[a].eq(&Part::Dropped) && parts[b] != Part::Dropped
    };
    pairs(EXACT, values, dims, 0.95).iter().filter(|pair| over(pair)).count()
}

/// Parts that were dealt after a search that finds next to nothing.
fn badly_dealt(values: &[f32], dims: usize, seed: u64) -> (Vec<Part>, Groups) {
    let rows = values.len() / dims;
    let mut groups = Groups::new(&vec![""; rows], &[]);
    let join = |pair: NearPair| groups.join(pair.rows[0], pair.rows[1]);
    pairs_in_cells(Vectors::new(values, dims), 0.95, (BAD, seed), &Silent, join).unwrap();
    let parts = deal(&groups.of_all(), &vec![0; rows], &[0.8, 0.1, 0.1], seed);
    (parts.into_iter().map(|part| Part::USED[part]).collect(), groups)
}

#[test]
fn nothing_straddles_however_bad_the_search() {
    let (rows, dims) = (3000, 24);
    for seed in 0..5 {
        // Of each twenty rows three are in a chain, of which the ends need not be near.
        let mut values = planted(rows, dims, 0.952..0.97, seed);
        for row in (2..rows).step_by(20) {
            let near = values[(row - 1) * dims..row * dims].to_vec();
            values[row * dims..(row + 1) * dims].copy_from_slice(&near);
            values[row * dims] += 0.2;
            let length = values[row * dims..(row + 1) * dims].iter().map(|v| v * v).sum::<f32>().sqrt();
            values[row * dims..(row + 1) * dims].iter_mut().for_each(|v| *v /= length);
        }
        let none = vec![false; rows];
        let (mut parts, mut groups) = badly_dealt(&values, dims, seed);
        let apart = straddling(&values, dims, &parts);
        assert!(apart > 10, "the search is not bad enough: {apart}");
        let before = parts.clone();
        let given = Given { rows: &none, drops: true };
        let at = (Vectors::new(&values, dims), 0.95);
        let settled = settle(at, &mut parts, &mut groups, given, &Silent).unwrap();
        assert_eq!(straddling(&values, dims, &parts), 0);
        assert_eq!(settled.moved, parts.iter().zip(&before).filter(|(a, b)| a != b).count());
        assert!(settled.pairs > 10 && !parts.contains(&Part::Dropped), "{settled:?}");
        let held = |parts: &[Part]| parts.iter().filter(|part| **part != Part::Train).count();
        assert!(held(&parts) * 10 > held(&before) * 7, "{} of {}", held(&parts), held(&before));
        for (row, &group) in groups.of_all().iter().enumerate() {
            assert_eq!(parts[row], parts[group], "a group over two parts");
        }
        // Again there is nothing to do, and the same again is the same.
        let (mut other, mut same) = badly_dealt(&values, dims, seed);
        settle(at, &mut other, &mut same, given, &Silent).unwrap();
        assert_eq!((&other, same.of_all()), (&parts, groups.of_all()));
        let nothing = settle(at, &mut parts, &mut groups, given, &Silent).unwrap();
        assert_eq!(nothing, Settled::default());
    }
}

#[test]
fn rows_like_given_ones_are_dropped_or_kept() {
    let (rows, dims) = (1000, 24);
    let values = planted(rows, dims, 0.96..0.999, 9);
    // The first of each pair is given as the test part; the second is in training.
    let given: Vec<bool> = (0..rows).map(|row| row % 20 == 0).collect();
    let dealt: Vec<Part> = given.iter().map(|given| if *given { Part::Test } else { Part::Train }).collect();
    for drops in [true, false] {
        let (mut parts, mut groups) = (dealt.clone(), Groups::new(&vec![""; rows], &[]));
        let given = Given { rows: &given, drops };
        let at = (Vectors::new(&values, dims), 0.95);
        let settled = settle(at, &mut parts, &mut groups, given, &Silent).unwrap();
        let of = |part: Part| (0..rows).filter(|&row| parts[row] == part).collect::<Vec<usize>>();
        assert_eq!(of(Part::Test), (0..rows).step_by(20).collect::<Vec<usize>>());
        let like: Vec<usize> = if drops { (1..rows).step_by(20).collect() } else { Vec::new() };
        assert_eq!(of(Part::Dropped), like);
        assert_eq!(settled.moved, like.len());
    }
}

#[test]
fn hostile_rows_are_near_nothing() {
    let dims = 140;
    let mut values = planted(300, dims, 0.97..0.99, 4);
    let expected: BTreeSet<[usize; 2]> = pairs(EXACT, &values, dims, 0.95).into_iter().collect();
    values.extend(vec![f32::NAN; dims]);
    values.extend(vec![0.0; 3 * dims]);
    values.extend(vec![f32::INFINITY; dims]);
    for exact_rows in [usize::MAX, 0] {
        let search = NearSearch { exact_rows, seed: 3 };
        let found: BTreeSet<[usize; 2]> = pairs(search, &values, dims, 0.95).into_iter().collect();
        let of_numbers: BTreeSet<[usize; 2]> = found.into_iter().filter(|pair| pair[1] < 304).collect();
        assert_eq!(of_numbers, expected);
        assert!(pairs(search, &values, dims, 1.005).is_empty());
        assert!(pairs(search, &[], dims, 0.95).is_empty() && pairs(search, &values, 0, 0.95).is_empty());
    }
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
        for (part, before, whole) in
            [(&part.train, &last.train, &fold.train), (&part.validation, &last.validation, &fold.validation)]
        {
            assert!(part.iter().all(|row| before.contains(row)), "{share}");
            for class in 0..2 {
                let count = |of: &[usize]| of.iter().filter(|&&row| classes[row] == class).count();
                let wanted = (share * count(whole) as f64).ceil() as usize;
                assert!((wanted..wanted + 3).contains(&count(part)), "{share} {class}: {}", count(part));
            }
            let broken = whole.iter().filter(|row| {
                let mates = whole.iter().filter(|other| groups[**other] == groups[**row]);
                let inside = mates.filter(|other| part.contains(other)).count();
                part.contains(row) && inside < whole.iter().filter(|o| groups[**o] == groups[**row]).count()
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
            assert!((count as f64 - share * of as f64).abs() <= 1.0, "class {class} part {part}: {count}");
        }
    }
}

#[test]
fn small_classes_fill_all_folds_alike() {
    for (sizes, folds) in [(vec![2, 3, 4, 2, 3, 4], 5), (vec![1; 7], 5), (vec![7; 40], 5), (vec![3; 20], 10)]
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
