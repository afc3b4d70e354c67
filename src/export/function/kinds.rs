//! All heads that are arithmetic, in one enum.

use super::kernel::Kernel;
use super::linear::Linear;
use super::neighbours::Neighbours;
use super::network::Network;
use crate::export::error::ExportError;
use crate::export::target::Target;
use crate::heads::{HeadError, HeadShape, Output, Tensors};

/// From an input row of `inputs` numbers, and where it sees them `terms` words and letters, to one logit a class; softmax makes
/// the probabilities.
#[derive(Clone, Debug, PartialEq)]
pub enum Function {
    /// `weights · x + bias`.
    Linear(Linear),
    /// Gaussian kernels around landmarks, and weights of words and letters, added up.
    Kernel(Kernel),
    /// Votes of the nearest remembered rows.
    Neighbours(Neighbours),
    /// The mean over the members of what a perceptron says.
    Network(Network),
    /// Log probabilities of several, each times its weight, added up.
    Ensemble(Vec<(f32, Function)>),
}

impl Function {
    /// The head of this `shape` with the weights in `tensors`.
    ///
    /// # Errors
    /// It is of a kind that `target` cannot express, or the weights do not fit it.
    pub fn read(shape: &HeadShape, tensors: &mut Tensors, target: Target) -> Result<Self, ExportError> {
        match shape {
            HeadShape::Logistic(shape) => Ok(Self::Linear(Linear::read(shape, tensors)?)),
            HeadShape::Kernel(shape) => Ok(Self::Kernel(Kernel::read(shape, tensors)?)),
            HeadShape::Network(shape) => Ok(Self::Network(Network::read(shape, tensors)?)),
            HeadShape::Neighbours(shape) => Ok(Self::Neighbours(Neighbours::read(shape, tensors)?)),
            HeadShape::Trees(_) => Err(ExportError::NotExpressible {
                target,
                reason:
                    "an answer jumps where the last bit of an embedding is another: the head is boosted trees"
                        .into(),
                setting: "train.head",
                instead: "every other head can be; --encoder-only writes the encoder alone, and `pipeline serve` answers with \
                     every head",
            }),
            HeadShape::Ensemble(shape) => {
                if shape.weights.len() != shape.heads.len() || shape.heads.is_empty() {
                    return Err(HeadError::Shape("its ensemble has not one weight a head".into()).into());
                }
                let heads = shape.heads.iter().zip(&shape.weights).enumerate().map(|(i, (head, &weight))| {
                    let own = Self::read(head, &mut tensors.below(&format!("{i}.")), target)?;
                    Ok((weight as f32, own))
                });
                heads.collect::<Result<_, ExportError>>().map(Self::Ensemble)
            }
        }
    }

    /// Length of an input row.
    pub fn inputs(&self) -> usize {
        match self {
            Self::Linear(linear) => linear.inputs,
            Self::Kernel(kernel) => kernel.scale.len(),
            Self::Neighbours(memory) => memory.scale.len(),
            Self::Network(network) => network.layers.first().map_or(0, |layer| layer.inputs),
            Self::Ensemble(heads) => heads.first().map_or(0, |(_, head)| head.inputs()),
        }
    }

    /// Length of a row of words and letters; 0 where it sees none.
    pub fn terms(&self) -> usize {
        match self {
            Self::Linear(_) | Self::Neighbours(_) | Self::Network(_) => 0,
            Self::Kernel(kernel) => kernel.terms,
            Self::Ensemble(heads) => heads.iter().map(|(_, head)| head.terms()).max().unwrap_or(0),
        }
    }

    /// The function as one linear layer, where it is one up to a number that is the same for all classes.
    pub fn as_linear(&self) -> Option<Linear> {
        match self {
            Self::Linear(linear) => Some(linear.clone()),
            Self::Network(Network { members: 1, layers, output: Output::Softmax, .. }) => {
                let [only] = &layers[..] else { return None };
                let turned = (0..only.units).flat_map(|unit| {
                    (0..only.inputs).map(move |input| only.weights[input * only.units + unit])
                });
                Some(Linear { inputs: only.inputs, weights: turned.collect(), bias: only.bias.clone() })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heads::{Block, KernelShape, LogisticShape, NeighbourShape, TreeShape};

    fn block(width: usize) -> Block {
        Block { width, ..Block::default() }
    }

    #[test]
    fn only_the_columns_of_the_label_are_kept() {
        let shape = HeadShape::Logistic(LogisticShape { inputs: 2, blocks: vec![block(2), block(1)] });
        let mut tensors = Tensors::default();
        tensors.put("weights", &[3, 2], &[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
        tensors.put("bias", &[3], &[0.1f32, 0.2, 0.3]);
        let Function::Linear(linear) = Function::read(&shape, &mut tensors, Target::Onnx).unwrap() else {
            panic!("it is linear")
        };
        assert_eq!((linear.weights, linear.bias), (vec![1.0, 2.0, 3.0, 4.0], vec![0.1, 0.2]));
    }

    #[test]
    fn of_words_and_letters_the_label_keeps_its_weights_too() {
        let blocks = vec![block(2), block(1)];
        let shape = HeadShape::Kernel(KernelShape { inputs: 1, terms: 2, landmarks: 1, blocks });
        let mut tensors = Tensors::default();
        tensors.put("scale", &[1], &[1.0f32]);
        tensors.put("landmarks", &[1, 1], &[0.0f32]);
        tensors.put("weights", &[1, 3], &[1.0f32, 2.0, 3.0]);
        tensors.put("term_weights", &[2, 3], &[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
        tensors.put("bias", &[3], &[0.1f32, 0.2, 0.3]);
        let function = Function::read(&shape, &mut tensors, Target::Onnx).unwrap();
        assert_eq!((function.terms(), function.as_linear()), (2, None));
        let Function::Kernel(kernel) = function else { panic!("it is a kernel machine") };
        assert_eq!(kernel.term_weights, [1.0, 2.0, 4.0, 5.0]);
    }

    #[test]
    fn rows_of_which_none_votes_are_no_head() {
        for (nearest, width) in [(0, 1.0), (1, 0.0), (1, f64::NAN), (1, f64::INFINITY)] {
            let shape = NeighbourShape { inputs: 1, rows: 1, blocks: vec![block(2)], nearest, width };
            let read = Function::read(&HeadShape::Neighbours(shape), &mut Tensors::default(), Target::Python);
            assert!(
                matches!(read, Err(ExportError::Head(HeadError::Shape(_)))),
                "{nearest} {width}: {read:?}"
            );
        }
    }

    #[test]
    fn a_head_without_operators_is_refused_with_its_setting() {
        let shape = HeadShape::Trees(TreeShape::default());
        let error = Function::read(&shape, &mut Tensors::default(), Target::Onnx).unwrap_err();
        assert!(error.to_string().contains("as onnx") && error.to_string().contains("train.head"));
        assert!(error.hint().is_some());
    }
}
