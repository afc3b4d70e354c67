//! The baselines, each taught on the rows of one fold.

use super::data::{BaselineData, embedding_matrix};
use super::own_inputs::own_inputs;
use crate::heads::{Labelled, LogisticRegression, Matrix};
use crate::inputs::{Terms, TfIdf};
use crate::split::Fold;

/// Penalties (C, ascending) that the logistic regressions choose from.
const PENALTIES: [f64; 4] = [0.3, 3.0, 30.0, 300.0];

/// Most steps of a logistic regression.
const ITERATIONS: u64 = 100;

/// A term in fewer texts is left out of TF-IDF.
const MIN_TEXTS: usize = 2;

/// The baselines, in the order in which [`baselines`] gives them.
pub const BASELINES: [&str; 6] = [
    "majority class",
    "TF-IDF + logistic regression",
    "embeddings + logistic regression",
    "inputs + logistic regression",
    "inputs + linear SVM",
    "inputs + RBF SVM",
];

/// Those of [`BASELINES`] that see texts and nothing else.
pub const TEXT_BASELINES: [&str; 2] = [BASELINES[1], BASELINES[2]];

/// Probabilities of the fold's held-out rows by each of [`BASELINES`], `rows × class_count`; penalties are chosen on its
/// validation rows.
pub fn baselines(data: BaselineData<'_>, fold: &Fold) -> Vec<Vec<f32>> {
    let Fold { train, validation, held_out, .. } = fold;
    let both: Vec<usize> = train.iter().chain(validation).copied().collect();
    let majority = class_shares(&data.truth(&both), data.class_count).repeat(held_out.len());
    let logistic = |matrix: &dyn Fn(&[usize]) -> Matrix| {
        let model = LogisticRegression::fit_best(
            &PENALTIES,
            Labelled { x: &matrix(train), classes: &data.truth(train) },
            Labelled { x: &matrix(validation), classes: &data.truth(validation) },
            Labelled { x: &matrix(&both), classes: &data.truth(&both) },
            data.class_count,
            ITERATIONS,
        );
        model.probabilities(&matrix(held_out))
    };
    let of = |&row: &usize| data.texts[row].as_str();
    let terms = TfIdf::learn(train.iter().map(of), MIN_TEXTS, Terms::Words);
    let tfidf = logistic(&|rows| Matrix::Sparse(terms.rows(rows.iter().map(of))));
    let embeddings = logistic(&|of| embedding_matrix(data.raw, of));
    let [first, second, third] = own_inputs(data, fold);
    vec![majority, tfidf, embeddings, first, second, third]
}

/// Share of each class among `classes`: the answer of the majority baseline for every row.
///
/// `count` is the number of classes; the shares add up to 1 when there are rows.
fn class_shares(classes: &[usize], count: usize) -> Vec<f32> {
    let mut shares = vec![0.0; count];
    classes.iter().for_each(|&c| shares[c] += 1.0 / classes.len() as f32);
    shares
}
