//! Training several heads, and weighing them.

use std::ops::ControlFlow;

use super::answer::{Ensemble, normalised, weighted};
use super::settings::{EnsembleShape, Views};
use crate::heads::dense::score;
use crate::heads::head::Score;
use crate::heads::{Epoch, FitData, Fitted, HeadError, HeadShape, Networks, Recipe, Rows};

/// Steps in which the weights are moved, a part of all weight at a time.
const ROUNDS: usize = 40;

/// [`crate::heads::fit`] of several heads. With `stacked` each head's weight is learned on the validation rows
/// (a logarithmic opinion pool, Heskes 1998), else all weigh the same.
///
/// # Errors
/// As the heads'.
pub fn fit(
    recipes: &[Recipe],
    stacked: bool,
    sees: Option<&Views>,
    whole: &FitData<'_>,
    networks: Option<&dyn Networks>,
    each_epoch: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<Fitted, HeadError> {
    let mut fitted = Vec::new();
    for (i, recipe) in recipes.iter().enumerate() {
        let seen = sees.map(|views| Seen::of(views, i, whole)).transpose()?;
        let data = seen.as_ref().map(|seen| seen.data(whole));
        fitted.push(crate::heads::fit(recipe, data.as_ref().unwrap_or(whole), networks, each_epoch)?);
    }
    let even = vec![1.0 / fitted.len() as f64; fitted.len()];
    let parameters = fitted.iter().map(|f| f.parameters).sum();
    let best = fitted.iter().map(|f| &f.history[f.best_epoch - 1]);
    let of_epoch = |epoch: &Epoch| Score { loss: epoch.train_loss, accuracy: epoch.train_accuracy };
    let of_train: Vec<Score> = best.map(of_epoch).collect();
    let (mut shapes, mut heads, mut of_validation) = (Vec::new(), Vec::new(), Vec::new());
    for Fitted { shape, head, validation, .. } in fitted {
        shapes.push(shape);
        heads.push(head);
        of_validation.push(validation);
    }
    let shape = EnsembleShape { heads: shapes, weights: even, sees: sees.cloned() };
    let mut ensemble = Ensemble { shape, heads };
    let Rows { inputs, terms, targets, .. } = whole.validation;
    // A head that has learned the validation rows says what it would answer had it not.
    let answers = of_validation.into_iter().enumerate().map(|(i, left_out)| {
        let logits = left_out.map_or_else(|| ensemble.logits_of(i, inputs, terms), Ok)?;
        Ok::<_, HeadError>(normalised(&logits, whole.blocks))
    });
    let answers = answers.collect::<Result<Vec<_>, _>>()?;
    let of_weights = |weights: &[f64]| score(&weighted(&answers, weights), targets, whole);
    if stacked {
        ensemble.shape.weights = least(ensemble.shape.weights, |weights| of_weights(weights).loss);
    }
    let score_of_validation = of_weights(&ensemble.shape.weights);
    let validation = weighted(&answers, &ensemble.shape.weights).into_iter().map(|v| v as f32).collect();
    // Each head has its own notion of a loss on the training rows (left out, or not); their weighted mean stands for all.
    let of_heads = of_train.iter().zip(&ensemble.shape.weights);
    let (loss, accuracy) =
        of_heads.fold((0.0, 0.0), |sum, (of, w)| (sum.0 + of.loss * w, sum.1 + of.accuracy * w));
    let shape = HeadShape::Ensemble(ensemble.shape.clone());
    let scores = [Score { loss, accuracy }, score_of_validation];
    let fitted = Fitted::at_once(Box::new(ensemble), shape, parameters, scores, each_epoch)?;
    Ok(Fitted { validation: Some(validation), ..fitted })
}

/// What a head sees of the rows.
struct Seen {
    width: usize,
    embedding_dims: usize,
    train: Vec<f32>,
    validation: Vec<f32>,
}

impl Seen {
    fn of(views: &Views, head: usize, whole: &FitData<'_>) -> Result<Self, HeadError> {
        let [train, validation] = [whole.train, whole.validation].map(|rows| views.of(head, rows.inputs));
        let width = views.width(head);
        // All see what is beside the embedding.
        let embedding_dims = width - (whole.inputs - whole.embedding_dims);
        Ok(Self { width, embedding_dims, train: train?, validation: validation? })
    }

    /// The rows as the head sees them; their distances are of the whole embedding.
    fn data<'a>(&'a self, whole: &FitData<'a>) -> FitData<'a> {
        FitData {
            inputs: self.width,
            embedding_dims: self.embedding_dims,
            train: Rows { inputs: &self.train, distances: None, ..whole.train },
            validation: Rows { inputs: &self.validation, distances: None, ..whole.validation },
            class_weights: whole.class_weights.clone(),
            ..*whole
        }
    }
}

/// Weights that add up to 1 with the least loss: from `weights` on, a part is moved from one to another as long as that
/// helps, then a smaller part. The loss of a logarithmic pool is convex in them.
fn least(mut weights: Vec<f64>, loss: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let (mut best, mut part) = (loss(&weights), 0.2);
    for _ in 0..ROUNDS {
        let mut moved = false;
        for from in 0..weights.len() {
            for to in (0..weights.len()).filter(|&to| to != from) {
                let mut tried = weights.clone();
                let step = tried[from].min(part);
                tried[from] -= step;
                tried[to] += step;
                let new = loss(&tried);
                if new < best - 1e-9 {
                    (weights, best, moved) = (tried, new, true);
                }
            }
        }
        if !moved {
            part /= 2.0;
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_find_the_least_loss() {
        let wanted = [0.7, 0.0, 0.3];
        let loss = |w: &[f64]| w.iter().zip(wanted).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        let found = least(vec![1.0 / 3.0; 3], loss);
        assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 0.01), "{found:?}");
    }
}
