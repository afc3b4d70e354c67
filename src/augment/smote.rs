//! Which rows SMOTE makes (Chawla et al. 2002): points between a row of a small class and a near one of the same class.
//! The arithmetic on the inputs is done where they are made, as for mixup.

use ndarray::{Array2, ArrayView2};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::lineage::Mixed;
use crate::config::{SmoteConfig, SmoteKind};

/// Where rows lie.
#[derive(Clone, Copy)]
pub struct Points<'a> {
    /// `rows × dims`, row-major.
    pub values: &'a [f32],
    /// Length of a row, at least 1.
    pub dims: usize,
}

/// Fill every class up to the size of the largest.
///
/// `points` has the embedding of each row of the dataset; neighbours are taken among `rows` alone, by Euclidean distance.
/// A class with fewer rows than k + 1 uses as many neighbours as it has; one with a single row, or (borderline) without a
/// row in danger, is left as it is. `classes` is indexed by row.
pub fn smote(
    rows: &[usize],
    classes: &[usize],
    points: Points<'_>,
    config: &SmoteConfig,
    seed: u64,
) -> Vec<Mixed> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let count = rows.iter().map(|&r| classes[r] + 1).max().unwrap_or(0);
    let mut of_class = vec![Vec::new(); count];
    rows.iter().for_each(|&row| of_class[classes[row]].push(row));
    let largest = of_class.iter().map(Vec::len).max().unwrap_or(0);
    let mut made = Vec::new();
    for members in of_class.iter().filter(|members| members.len() > 1 && members.len() < largest) {
        let seeds = match config.kind {
            SmoteKind::Off => continue,
            SmoteKind::Smote => members.clone(),
            SmoteKind::Borderline => in_danger(members, rows, classes, points, config.m),
        };
        if seeds.is_empty() {
            continue;
        }
        let neighbours = nearest(&seeds, members, points, config.k.min(members.len() - 1));
        for _ in members.len()..largest {
            let seed = rng.random_range(0..seeds.len());
            let neighbour = neighbours[seed][rng.random_range(0..neighbours[seed].len())];
            made.push(between(seeds[seed], neighbour, rng.random()));
        }
    }
    made
}

/// The point that lies the share `step` of the way from one row to another.
fn between(row: usize, neighbour: usize, step: f32) -> Mixed {
    Mixed { first: row, second: neighbour, lambda: 1.0 - step }
}

/// The members of a class of whose `m` nearest rows at least half, but not all, are of other classes (Han, Wang & Mao
/// 2005): those that the small class can lose.
fn in_danger(
    members: &[usize],
    rows: &[usize],
    classes: &[usize],
    points: Points<'_>,
    m: usize,
) -> Vec<usize> {
    let m = m.min(rows.len() - 1);
    let near = nearest(members, rows, points, m);
    let others = |of: usize, near: &[usize]| near.iter().filter(|&&r| classes[r] != classes[of]).count();
    let danger = |(&row, near): (&usize, &Vec<usize>)| {
        let others = others(row, near);
        (2 * others >= m && others < m).then_some(row)
    };
    members.iter().zip(&near).filter_map(danger).collect()
}

/// For each of `rows`, the `k` nearest of `among` by Euclidean distance, itself left out, nearest first.
fn nearest(rows: &[usize], among: &[usize], points: Points<'_>, k: usize) -> Vec<Vec<usize>> {
    let Points { values, dims } = points;
    let all = ArrayView2::from_shape((values.len() / dims, dims), values)
        .unwrap_or_else(|e| unreachable!("whole rows: {e}"));
    let matrix = |rows: &[usize]| Array2::from_shape_fn((rows.len(), dims), |(i, d)| all[(rows[i], d)]);
    let (own, theirs) = (matrix(rows), matrix(among));
    let length = |x: &Array2<f32>| x.rows().into_iter().map(|r| r.dot(&r)).collect::<Vec<f32>>();
    let (own_length, length) = (length(&own), length(&theirs));
    let products = own.dot(&theirs.t());
    (0..rows.len())
        .map(|i| {
            let distance = |j: usize| own_length[i] + length[j] - 2.0 * products[(i, j)];
            let mut order: Vec<usize> = (0..among.len()).filter(|&j| among[j] != rows[i]).collect();
            order.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)));
            order.truncate(k);
            order.into_iter().map(|j| among[j]).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Reference {
        value: serde_json::Value,
        /// Rows of three values.
        values: Vec<f32>,
        classes: Vec<usize>,
    }

    impl Reference {
        fn points(&self) -> Points<'_> {
            Points { values: &self.values, dims: 3 }
        }
    }

    fn reference() -> Reference {
        let text = std::fs::read_to_string("tests/golden/smote.json").unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let rows: Vec<Vec<f32>> = serde_json::from_value(value["rows"].clone()).unwrap();
        let classes = serde_json::from_value(value["classes"].clone()).unwrap();
        Reference { values: rows.concat(), classes, value }
    }

    #[test]
    fn given_its_draws_the_rows_are_those_of_imbalanced_learn() {
        let made = reference();
        let expected: Vec<Vec<f32>> = serde_json::from_value(made.value["smote"]["made"].clone()).unwrap();
        let mut expected = expected.iter();
        for (class, draws) in [1, 2].into_iter().zip(made.value["smote"]["draws"].as_array().unwrap()) {
            let members: Vec<usize> = (0..made.classes.len()).filter(|&r| made.classes[r] == class).collect();
            let near = nearest(&members, &members, made.points(), 3);
            let indices: Vec<usize> = serde_json::from_value(draws["indices"].clone()).unwrap();
            let steps: Vec<f32> = serde_json::from_value(draws["steps"].clone()).unwrap();
            for (index, step) in indices.into_iter().zip(steps) {
                let mixed = between(members[index / 3], near[index / 3][index % 3], step);
                let value = |d: usize| {
                    let of = |row: usize| made.values[row * 3 + d];
                    mixed.lambda * of(mixed.first) + (1.0 - mixed.lambda) * of(mixed.second)
                };
                let wanted = expected.next().unwrap();
                assert!((0..3).all(|d| (value(d) - wanted[d]).abs() < 1e-4), "{mixed:?} {wanted:?}");
            }
        }
        assert!(expected.next().is_none());
    }

    #[test]
    fn the_rows_in_danger_are_those_of_imbalanced_learn() {
        let made = reference();
        let rows: Vec<usize> = (0..made.classes.len()).collect();
        for class in [1, 2] {
            let members: Vec<usize> = rows.iter().copied().filter(|&r| made.classes[r] == class).collect();
            let found = in_danger(&members, &rows, &made.classes, made.points(), 10);
            let key = class.to_string();
            let expected: Vec<usize> =
                serde_json::from_value(made.value["borderline"]["danger"][key].clone()).unwrap();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn every_class_reaches_the_largest_and_tiny_ones_fail_softly() {
        let made = reference();
        // Of class 2 only two rows, of a fourth class one.
        let mut classes = made.classes.clone();
        classes[49] = 3;
        let rows: Vec<usize> = (0..46).chain([49]).collect();
        let config = |kind| SmoteConfig { kind, k: 3, m: 10 };
        let found = smote(&rows, &classes, made.points(), &config(SmoteKind::Smote), 1);
        let of = |class: usize| found.iter().filter(|m| classes[m.first] == class).count();
        assert_eq!([0, 1, 2, 3].map(of), [0, 16, 28, 0]);
        assert!(found.iter().all(|m| classes[m.first] == classes[m.second] && m.first != m.second));
        assert!(found.iter().all(|m| rows.contains(&m.first) && rows.contains(&m.second)));
        assert!(smote(&rows, &classes, made.points(), &config(SmoteKind::Off), 1).is_empty());
        let borderline = smote(&rows, &classes, made.points(), &config(SmoteKind::Borderline), 1);
        assert!(!borderline.is_empty() && borderline.len() < found.len() + 1);
    }
}
