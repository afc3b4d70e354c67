//! Logistic regression on a few rows of each class, as MTEB's classification tasks measure encoders.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::data::embedding_matrix;
use crate::heads::{LogisticRegression, likeliest};
use crate::inputs::RawInputs;

/// Most steps of a logistic regression (MTEB's `max_iter`).
const ITERATIONS: u64 = 100;

/// Accuracy on the rows `test`, in `[0, 1]`, after learning (C = 1) from `per_class` rows of each class among `train`, drawn
/// by `seed`. `classes` has the class of every row of `raw`, below `class_count`.
pub fn few_shot_accuracy(
    raw: &RawInputs,
    classes: &[usize],
    class_count: usize,
    [train, test]: [&[usize]; 2],
    per_class: usize,
    seed: u64,
) -> f64 {
    let mut drawn = train.to_vec();
    drawn.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let mut taken = vec![0; class_count];
    drawn.retain(|&row| {
        taken[classes[row]] += 1;
        taken[classes[row]] <= per_class
    });
    let labels: Vec<usize> = drawn.iter().map(|&row| classes[row]).collect();
    let matrix = embedding_matrix(raw, &drawn);
    let model = LogisticRegression::fit(&matrix, &labels, class_count, 1.0, ITERATIONS, None);
    let answers = model.probabilities(&embedding_matrix(raw, test));
    let right = test
        .iter()
        .zip(answers.chunks_exact(class_count))
        .filter(|(row, a)| likeliest(a) == classes[**row])
        .count();
    right as f64 / test.len().max(1) as f64
}
