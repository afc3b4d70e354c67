//! Heads that answer together.

use std::borrow::Cow;

use super::settings::EnsembleShape;
use crate::heads::block::checked_outputs;
use crate::heads::dense::log_sum_exp;
use crate::heads::{Block, BlockKind, Head, HeadError, Networks, Tensors, load, outputs, places};
use crate::inputs::Sparse;

/// The heads with their weights.
pub struct Ensemble {
    pub(super) shape: EnsembleShape,
    pub(super) heads: Vec<Box<dyn Head>>,
}

impl Ensemble {
    /// Load weights saved by [`Head::save`].
    ///
    /// # Errors
    /// They do not fit `shape`, or a head is a network and there is no libtorch.
    pub fn load(
        shape: &EnsembleShape,
        mut tensors: Tensors,
        networks: Option<&dyn Networks>,
    ) -> Result<Self, HeadError> {
        let refused = |problem: &str| Err(HeadError::Shape(problem.into()));
        let Some(first) = shape.heads.first() else { return refused("its card has an ensemble of no heads") };
        if shape.heads.iter().any(|head| head.blocks() != first.blocks()) {
            return refused("the heads of its ensemble answer to different questions");
        }
        if shape.weights.len() != shape.heads.len() {
            return refused("its ensemble has not one weight a head");
        }
        shape.sees.as_ref().map_or(Ok(()), |views| views.check(shape.heads.len()))?;
        checked_outputs(first.blocks())?;
        let load = |(i, shape)| load(shape, tensors.below(&prefix(i)), networks);
        let heads = shape.heads.iter().enumerate().map(load).collect::<Result<_, _>>()?;
        Ok(Self { shape: shape.clone(), heads })
    }

    /// A head's answers, `rows × outputs`.
    pub(super) fn logits_of(
        &self,
        head: usize,
        inputs: &[f32],
        terms: Option<&Sparse>,
    ) -> Result<Vec<f32>, HeadError> {
        let seen = match &self.shape.sees {
            Some(views) => Cow::Owned(views.of(head, inputs)?),
            None => Cow::Borrowed(inputs),
        };
        self.heads[head].logits(&seen, terms)
    }
}

/// Logits as log probabilities, where a block is classes.
pub(super) fn normalised(logits: &[f32], blocks: &[Block]) -> Vec<f64> {
    let outputs = outputs(blocks);
    let mut answers: Vec<f64> = logits.iter().copied().map(f64::from).collect();
    for row in answers.chunks_exact_mut(outputs) {
        for (own, block) in places(blocks) {
            if block.kind == BlockKind::Classes {
                let own = &mut row[own];
                let whole = log_sum_exp(own.iter().copied());
                own.iter_mut().for_each(|logit| *logit -= whole);
            }
        }
    }
    answers
}

/// Sum over the heads of their answers times their weights.
pub(super) fn weighted(answers: &[Vec<f64>], weights: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; answers.first().map_or(0, Vec::len)];
    for (answer, weight) in answers.iter().zip(weights) {
        sums.iter_mut().zip(answer).for_each(|(sum, value)| *sum += weight * value);
    }
    sums
}

fn prefix(head: usize) -> String {
    format!("{head}.")
}

impl Head for Ensemble {
    fn logits(&self, inputs: &[f32], terms: Option<&Sparse>) -> Result<Vec<f32>, HeadError> {
        let answers = self.shape.heads.iter().enumerate().map(|(i, shape)| {
            Ok::<_, HeadError>(normalised(&self.logits_of(i, inputs, terms)?, shape.blocks()))
        });
        let sums = weighted(&answers.collect::<Result<Vec<_>, _>>()?, &self.shape.weights);
        Ok(sums.into_iter().map(|v| v as f32).collect())
    }

    fn tensors(&self) -> Result<Tensors, HeadError> {
        let mut all = Tensors::default();
        for (i, head) in self.heads.iter().enumerate() {
            all.put_below(&prefix(i), head.tensors()?);
        }
        Ok(all)
    }
}
