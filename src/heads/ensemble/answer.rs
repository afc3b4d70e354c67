//! Heads that answer together.

use super::EnsembleShape;
use crate::heads::dense::log_sum_exp;
use crate::heads::head::outputs_of;
use crate::heads::{Block, BlockKind, Head, HeadError, Networks, Tensors, load};
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
        outputs_of(first.blocks())?;
        let load = |(i, shape)| load(shape, tensors.below(&prefix(i)), networks);
        let heads = shape.heads.iter().enumerate().map(load).collect::<Result<_, _>>()?;
        Ok(Self { shape: shape.clone(), heads })
    }

    /// For each head `rows × outputs` log probabilities and values.
    pub(super) fn answers(&self, inputs: &[f32], terms: Option<&Sparse>) -> Result<Vec<Vec<f64>>, HeadError> {
        let mut answers = Vec::new();
        for (head, shape) in self.heads.iter().zip(&self.shape.heads) {
            let mut given: Vec<f64> = head.logits(inputs, terms)?.into_iter().map(f64::from).collect();
            normalise(&mut given, shape.blocks());
            answers.push(given);
        }
        Ok(answers)
    }
}

/// Make logits log probabilities, where a block is classes.
fn normalise(answers: &mut [f64], blocks: &[Block]) {
    let outputs: usize = blocks.iter().map(|b| b.width).sum();
    for row in answers.chunks_exact_mut(outputs) {
        let mut rest = row;
        for block in blocks {
            let (own, after) = rest.split_at_mut(block.width);
            rest = after;
            if block.kind == BlockKind::Classes {
                let whole = log_sum_exp(own.iter().copied());
                own.iter_mut().for_each(|logit| *logit -= whole);
            }
        }
    }
}

/// Sum over the heads of their answers times their weights.
pub(super) fn weighted(answers: &[Vec<f64>], weights: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; answers.first().map_or(0, Vec::len)];
    for (given, weight) in answers.iter().zip(weights) {
        sums.iter_mut().zip(given).for_each(|(sum, given)| *sum += weight * given);
    }
    sums
}

fn prefix(head: usize) -> String {
    format!("{head}.")
}

impl Head for Ensemble {
    fn logits(&self, inputs: &[f32], terms: Option<&Sparse>) -> Result<Vec<f32>, HeadError> {
        let sums = weighted(&self.answers(inputs, terms)?, &self.shape.weights);
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
