//! Heads that answer together.

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
        checked_outputs(first.blocks())?;
        let load = |(i, shape)| load(shape, tensors.below(&prefix(i)), networks);
        let heads = shape.heads.iter().enumerate().map(load).collect::<Result<_, _>>()?;
        Ok(Self { shape: shape.clone(), heads })
    }

    /// For each head `rows × outputs` log probabilities and values.
    pub(super) fn answers(&self, inputs: &[f32], terms: Option<&Sparse>) -> Result<Vec<Vec<f64>>, HeadError> {
        let mut answers = Vec::new();
        for (head, shape) in self.heads.iter().zip(&self.shape.heads) {
            let mut answer: Vec<f64> = head.logits(inputs, terms)?.into_iter().map(f64::from).collect();
            normalise(&mut answer, shape.blocks());
            answers.push(answer);
        }
        Ok(answers)
    }
}

/// Make logits log probabilities, where a block is classes.
fn normalise(answers: &mut [f64], blocks: &[Block]) {
    let outputs = outputs(blocks);
    for row in answers.chunks_exact_mut(outputs) {
        for (own, block) in places(blocks) {
            if block.kind == BlockKind::Classes {
                let own = &mut row[own];
                let whole = log_sum_exp(own.iter().copied());
                own.iter_mut().for_each(|logit| *logit -= whole);
            }
        }
    }
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
