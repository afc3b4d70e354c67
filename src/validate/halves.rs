//! Some rows of two sides, and answers to rows by a logistic regression that has not learned them.

use std::collections::HashMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::heads::{LogisticRegression, Matrix};
use crate::inputs::RawInputs;

/// Penalty (C) and most steps of a logistic regression on embeddings of length one.
const C: f64 = 10.0;
const ITERATIONS: u64 = 100;

/// Parts that are held out one after the other.
const FOLDS: usize = 5;

/// Rows of two sides.
pub(super) struct Halves {
    /// Rows of the dataset.
    pub rows: Vec<usize>,
    /// 0 or 1 of each.
    pub sides: Vec<usize>,
    /// Its group.
    pub groups: Vec<usize>,
}

impl Halves {
    /// At most `most` rows of either side, evenly drawn, one of each group.
    pub fn draw(sides: [&[usize]; 2], groups: &[usize], most: usize, seed: u64) -> Self {
        let mut halves = Self { rows: Vec::new(), sides: Vec::new(), groups: Vec::new() };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for (side, rows) in sides.into_iter().enumerate() {
            let mut drawn = rows.to_vec();
            drawn.shuffle(&mut rng);
            let mut seen = std::collections::HashSet::new();
            drawn.retain(|&row| seen.insert(groups[row]));
            drawn.truncate(most);
            halves.sides.extend(drawn.iter().map(|_| side));
            halves.groups.extend(drawn.iter().map(|&row| groups[row]));
            halves.rows.extend(drawn);
        }
        halves
    }
}

/// Embeddings of the rows `of`, each field of length one.
pub(super) fn embeddings(raw: &RawInputs, of: &[usize]) -> Matrix {
    let dims = raw.embedding_dims;
    Matrix::dense(
        dims,
        of.iter().flat_map(|&row| &raw.embedding[row * dims..(row + 1) * dims]).copied().collect(),
    )
}

/// `asked × count` probabilities after learning the `classes` of the rows `learned`.
pub(super) fn answers_to(
    raw: &RawInputs,
    learned: &[usize],
    classes: &[usize],
    count: usize,
    asked: &[usize],
) -> Vec<f32> {
    let model = LogisticRegression::fit(&embeddings(raw, learned), classes, count, C, ITERATIONS, None);
    model.probabilities(&embeddings(raw, asked))
}

/// `rows × count` probabilities of the `classes` of `rows`, each answered after learning other rows, none of its group.
pub(super) fn answers_of_others(
    raw: &RawInputs,
    rows: &[usize],
    classes: &[usize],
    count: usize,
    groups: &[usize],
) -> Vec<f32> {
    let mut folds = HashMap::new();
    let fold: Vec<usize> = groups
        .iter()
        .map(|&group| {
            let next = folds.len();
            *folds.entry(group).or_insert(next) % FOLDS
        })
        .collect();
    let mut answers = vec![0.0; rows.len() * count];
    for held in 0..FOLDS {
        let (asked, learned): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(|&i| fold[i] == held);
        if asked.is_empty() || learned.is_empty() {
            continue;
        }
        let pick = |of: &[usize], values: &[usize]| of.iter().map(|&i| values[i]).collect::<Vec<_>>();
        let found =
            answers_to(raw, &pick(&learned, rows), &pick(&learned, classes), count, &pick(&asked, rows));
        for (&i, answer) in asked.iter().zip(found.chunks_exact(count)) {
            answers[i * count..(i + 1) * count].copy_from_slice(answer);
        }
    }
    answers
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use rand::RngExt;

    /// Rows of 16 numbers and two classes; what lies beyond two thirds is moved along one of them.
    pub fn cloud(rows: usize, moved: f32, seed: u64) -> (RawInputs, Vec<usize>) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut raw = RawInputs { embedding_dims: 16, ..RawInputs::default() };
        let mut classes = Vec::new();
        for row in 0..rows {
            let class = usize::from(rng.random_bool(0.5));
            let number = |i: usize, rng: &mut ChaCha8Rng| {
                let at = if i == 0 { class as f32 } else { 0.0 };
                let at = at + if i == 1 && row * 3 >= rows * 2 { moved } else { 0.0 };
                0.3 * (at + rng.random_range(-1.0..1.0f32))
            };
            raw.embedding.extend((0..16).map(|i| number(i, &mut rng)).collect::<Vec<_>>());
            classes.push(class);
        }
        (raw, classes)
    }

    #[test]
    fn a_row_is_answered_without_its_group() {
        let (raw, _) = cloud(60, 0.0, 1);
        // Labels that nothing tells, each row thrice.
        let rows: Vec<usize> = (0..60).flat_map(|row| [row; 3]).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let labels: Vec<usize> = (0..60).map(|_| usize::from(rng.random_bool(0.5))).collect();
        let classes: Vec<usize> = rows.iter().map(|&row| labels[row]).collect();
        let right = |groups: &[usize]| {
            let answers = answers_of_others(&raw, &rows, &classes, 2, groups);
            answers.chunks(2).zip(&classes).filter(|(p, class)| (p[1] > p[0]) == (**class == 1)).count()
        };
        let (together, apart) = (right(&rows), right(&(0..180).collect::<Vec<_>>()));
        assert!(together < 120 && apart > together + 20, "{together} {apart}");
    }
}
