//! Training several heads, and weighing them.

use std::ops::ControlFlow;

use super::answer::{Ensemble, weighted};
use super::settings::EnsembleShape;
use crate::heads::dense::score;
use crate::heads::head::Score;
use crate::heads::{Epoch, FitData, Fitted, Head, HeadError, HeadShape, Networks, Recipe, Rows};

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
    data: &FitData<'_>,
    networks: Option<&dyn Networks>,
    each_epoch: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<Fitted, HeadError> {
    let of = |recipe| crate::heads::fit(recipe, data, networks, each_epoch);
    let fitted = recipes.iter().map(of).collect::<Result<Vec<_>, _>>()?;
    let even = vec![1.0 / fitted.len() as f64; fitted.len()];
    let parameters = fitted.iter().map(|f| f.parameters).sum();
    let best = fitted.iter().map(|f| &f.history[f.best_epoch - 1]);
    let of_epoch = |epoch: &Epoch| Score { loss: epoch.train_loss, accuracy: epoch.train_accuracy };
    let of_train: Vec<Score> = best.map(of_epoch).collect();
    let (shapes, heads): (Vec<HeadShape>, Vec<Box<dyn Head>>) =
        fitted.into_iter().map(|f| (f.shape, f.head)).unzip();
    let mut ensemble = Ensemble { shape: EnsembleShape { heads: shapes, weights: even }, heads };
    let Rows { inputs, terms, targets, .. } = data.validation;
    let answers = ensemble.answers(inputs, terms)?;
    let of_weights = |weights: &[f64]| score(&weighted(&answers, weights), targets, data);
    if stacked {
        ensemble.shape.weights = least(ensemble.shape.weights, |weights| of_weights(weights).loss);
    }
    let validation = of_weights(&ensemble.shape.weights);
    // Each head has its own notion of a loss on the training rows (left out, or not); their weighted mean stands for all.
    let of_heads = of_train.iter().zip(&ensemble.shape.weights);
    let (loss, accuracy) =
        of_heads.fold((0.0, 0.0), |sum, (of, w)| (sum.0 + of.loss * w, sum.1 + of.accuracy * w));
    let shape = HeadShape::Ensemble(ensemble.shape.clone());
    let scores = [Score { loss, accuracy }, validation];
    Fitted::at_once(Box::new(ensemble), shape, parameters, scores, each_epoch)
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
