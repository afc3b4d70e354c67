//! The baselines, each taught on the rows of one fold.

use std::time::Instant;

use super::data::{BaselineData, embedding_matrix};
use super::own_inputs::OwnInputs;
use super::sight::Kernel;
use crate::config::BaselineKind;
use crate::heads::{Labelled, LogisticRegression, Matrix};
use crate::inputs::{Terms, TfIdf};
use crate::split::Fold;

/// Penalties (C, ascending) that the logistic regressions choose from.
const PENALTIES: [f64; 4] = [0.3, 3.0, 30.0, 300.0];

/// Most steps of a logistic regression.
const ITERATIONS: u64 = 100;

/// A term in fewer texts is left out of TF-IDF.
const MIN_TEXTS: usize = 2;

/// What a baseline says.
pub struct Answered {
    /// `rows × class_count`.
    pub probabilities: Vec<f32>,
    /// Time to teach and to ask it, beside other folds. What several need counts for the first of them.
    pub seconds: f64,
}

/// Probabilities of the fold's held-out rows by each of the baselines `kinds`, which are in the order of
/// [`BaselineKind::ALL`]; penalties are chosen on its validation rows.
pub fn baselines(data: BaselineData<'_>, fold: &Fold, kinds: &[BaselineKind]) -> Vec<Answered> {
    let Fold { train, validation, held_out, .. } = fold;
    let both: Vec<usize> = train.iter().chain(validation).copied().collect();
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
    let own = OwnInputs::new(data, fold);
    let answered = |&kind: &BaselineKind| {
        let begin = Instant::now();
        let probabilities = match kind {
            BaselineKind::Majority => {
                class_shares(&data.truth(&both), data.class_count).repeat(held_out.len())
            }
            BaselineKind::Tfidf => {
                let counted = data.raw.count_terms(Terms::Words);
                let terms = TfIdf::learn_counted(counted, train, MIN_TEXTS, Terms::Words);
                logistic(&|rows| Matrix::sparse(terms.counted_rows(counted, rows)))
            }
            BaselineKind::Embeddings => logistic(&|of| embedding_matrix(data.raw, of)),
            BaselineKind::InputsLogistic => own.logistic(),
            BaselineKind::InputsLinearSvm => own.machine(Kernel::Linear),
            BaselineKind::InputsRbfSvm => own.machine(Kernel::Gaussian),
        };
        Answered { probabilities, seconds: begin.elapsed().as_secs_f64() }
    };
    kinds.iter().map(answered).collect()
}

/// Share of each class among `classes`: the answer of the majority baseline for every row.
///
/// `count` is the number of classes; the shares add up to 1 when there are rows.
fn class_shares(classes: &[usize], count: usize) -> Vec<f32> {
    let mut shares = vec![0.0; count];
    classes.iter().for_each(|&c| shares[c] += 1.0 / classes.len() as f32);
    shares
}
