//! Several heads of different kinds on the same rows: their log probabilities and values, averaged by weights.

use std::ops::ControlFlow;
use std::path::Path;

use pipeline::inputs::Sparse;
use pipeline::train::{
    BlockKind, EnsembleShape, Epoch, FitData, Fitted, Head, HeadError, HeadShape, Recipe, Rows,
};
use tch::{Kind, Tensor};

use crate::kernel::{loss_and_accuracy, values};
use crate::{Tensors, failed};

/// Steps in which the weights are moved, a part of all weight at a time.
const ROUNDS: usize = 40;

/// The heads with their weights.
pub struct Ensemble {
    shape: EnsembleShape,
    heads: Vec<Box<dyn Head>>,
}

impl Ensemble {
    /// Load weights saved by [`Head::save`].
    ///
    /// # Errors
    /// They do not fit `shape`.
    pub fn load(shape: &EnsembleShape, mut tensors: Tensors) -> Result<Self, HeadError> {
        let load = |(i, shape)| crate::load(shape, tensors.below(&prefix(i)));
        let heads = shape.heads.iter().enumerate().map(load).collect::<Result<_, _>>()?;
        Ok(Self { shape: shape.clone(), heads })
    }

    /// `[heads, rows, outputs]` answers.
    fn answers(&self, inputs: &[f32], terms: Option<&Sparse>) -> Result<Tensor, HeadError> {
        let outputs: i64 = self.shape.heads[0].blocks().iter().map(|b| b.width as i64).sum();
        let mut answers = Vec::new();
        for (head, shape) in self.heads.iter().zip(&self.shape.heads) {
            let given = Tensor::from_slice(&head.logits(inputs, terms)?).view([-1, outputs]);
            let (mut blocks, mut at) = (Vec::new(), 0);
            for block in shape.blocks() {
                let own = given.narrow(1, at, block.width as i64);
                at += block.width as i64;
                blocks.push(match block.kind {
                    BlockKind::Classes => own.log_softmax(-1, Kind::Float),
                    BlockKind::Values => own,
                });
            }
            answers.push(Tensor::cat(&blocks, 1));
        }
        Ok(Tensor::stack(&answers, 0))
    }
}

/// `[rows, outputs]` of `[heads, rows, outputs]`.
fn weighted(answers: &Tensor, weights: &[f64]) -> Tensor {
    let weights: Vec<f32> = weights.iter().map(|&w| w as f32).collect();
    (answers * Tensor::from_slice(&weights).view([-1, 1, 1])).sum_dim_intlist(0, false, Kind::Float)
}

fn prefix(head: usize) -> String {
    format!("{head}.")
}

impl Head for Ensemble {
    fn logits(&self, inputs: &[f32], terms: Option<&Sparse>) -> Result<Vec<f32>, HeadError> {
        values(&weighted(&self.answers(inputs, terms)?, &self.shape.weights))
    }

    fn save(&self, path: &Path) -> Result<(), HeadError> {
        let mut all = Vec::new();
        for (i, head) in self.heads.iter().enumerate() {
            head.save(path)?;
            let own = Tensor::read_safetensors(path).map_err(failed)?;
            all.extend(own.into_iter().map(|(name, tensor)| (prefix(i) + &name, tensor)));
        }
        Tensor::write_safetensors(&all, path).map_err(failed)
    }
}

/// [`pipeline::train::Fit::fit`] of several heads. With `stacked` each head's weight is learned on the validation rows
/// (a logarithmic opinion pool, Heskes 1998), else all weigh the same.
///
/// # Errors
/// As the heads'.
pub fn fit(
    recipes: &[Recipe],
    stacked: bool,
    data: &FitData<'_>,
    each_epoch: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<Fitted, HeadError> {
    let fitted =
        recipes.iter().map(|recipe| crate::fit(recipe, data, each_epoch)).collect::<Result<Vec<_>, _>>()?;
    let even = vec![1.0 / fitted.len() as f64; fitted.len()];
    let parameters = fitted.iter().map(|f| f.parameters).sum();
    let losses: Vec<[f64; 2]> = fitted
        .iter()
        .map(|f| &f.history[f.best_epoch - 1])
        .map(|epoch| [epoch.train_loss, epoch.train_accuracy])
        .collect();
    let (shapes, heads): (Vec<HeadShape>, Vec<Box<dyn Head>>) =
        fitted.into_iter().map(|f| (f.shape, f.head)).unzip();
    let mut ensemble = Ensemble { shape: EnsembleShape { heads: shapes, weights: even }, heads };
    let Rows { inputs, terms, targets } = data.validation;
    let answers = ensemble.answers(inputs, terms)?;
    let score = |weights: &[f64]| {
        loss_and_accuracy(&weighted(&answers, weights), targets, data.blocks[0].width, data)
    };
    if stacked {
        ensemble.shape.weights = least(ensemble.shape.weights, |weights| score(weights).0);
    }
    let validation = score(&ensemble.shape.weights);
    // Each head has its own notion of a loss on the training rows (left out, or not); their weighted mean stands for all.
    let mean = |i: usize| losses.iter().zip(&ensemble.shape.weights).map(|(l, w)| l[i] * w).sum();
    let shape = HeadShape::Ensemble(ensemble.shape.clone());
    let scores = ((mean(0), mean(1)), validation);
    crate::without_epochs((Box::new(ensemble), shape), parameters, scores, each_epoch)
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
                let given = tried[from].min(part);
                tried[from] -= given;
                tried[to] += given;
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
