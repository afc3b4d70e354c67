//! A head as plain arithmetic on an input row: what every form is written from.
//!
//! Only the label's block is kept; tasks and the numbers behind the label stay with the pipeline.

use super::error::ExportError;
use super::target::Target;
use crate::heads::{
    HeadError, HeadShape, KernelShape, LogisticShape, NetworkShape, Output, Tensors, outputs,
};

/// Added to the variance in batch norm: PyTorch's default, with which networks are trained.
const BATCH_NORM_EPSILON: f32 = 1e-5;

/// From an input row of `inputs` numbers to one logit a class; softmax makes the probabilities.
#[derive(Clone, Debug, PartialEq)]
pub enum Function {
    /// `weights · x + bias`.
    Linear(Linear),
    /// Gaussian kernels around landmarks, added up.
    Kernel(Kernel),
    /// The mean over the members of what a perceptron says.
    Network(Network),
    /// Log probabilities of several, each times its weight, added up.
    Ensemble(Vec<(f32, Function)>),
}

/// Logistic regression.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// Length of an input row.
    pub inputs: usize,
    /// `classes × inputs`.
    pub weights: Vec<f32>,
    /// `classes`.
    pub bias: Vec<f32>,
}

/// `bias + Σ weights[l] · exp(-‖scale · x - landmark[l]‖²)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernel {
    /// `inputs`.
    pub scale: Vec<f32>,
    /// `count × inputs`, scaled.
    pub landmarks: Vec<f32>,
    /// Landmarks.
    pub count: usize,
    /// `count × classes`.
    pub weights: Vec<f32>,
    /// `classes`.
    pub bias: Vec<f32>,
}

/// Members of equal layers. Between two layers is a ReLU; batch norm is folded into the layer before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// How many there are.
    pub members: usize,
    /// The hidden ones and the last.
    pub layers: Vec<Layer>,
    /// How the last layer makes log probabilities of the classes.
    pub output: Output,
    /// For [`Output::Coral`], `members × (classes - 1)`: what the score is lowered by for each threshold; else empty.
    pub thresholds: Vec<f32>,
}

/// `x · weights + bias` of each member.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Length of an input row.
    pub inputs: usize,
    /// Length of an output row.
    pub units: usize,
    /// `members × inputs × units`.
    pub weights: Vec<f32>,
    /// `members × units`.
    pub bias: Vec<f32>,
}

impl Function {
    /// The head of this `shape` with the weights in `tensors`.
    ///
    /// # Errors
    /// It is of a kind that `target` cannot express, or the weights do not fit it.
    pub fn read(shape: &HeadShape, tensors: &mut Tensors, target: Target) -> Result<Self, ExportError> {
        let refused = |reason: &str, setting, instead| {
            Err(ExportError::NotExpressible { target, reason: reason.to_owned(), setting, instead })
        };
        let another_head = "the heads logistic, kernel and network can be; --encoder-only writes the encoder alone, and \
             `pipeline serve` answers with every head";
        match shape {
            HeadShape::Logistic(shape) => Ok(Self::Linear(Linear::read(shape, tensors)?)),
            HeadShape::Kernel(KernelShape { terms: 1.., .. }) => refused(
                "the head sees words and letters of the texts",
                "features.terms",
                "set features.terms = false and train again; --encoder-only writes the encoder alone",
            ),
            HeadShape::Kernel(shape) => Ok(Self::Kernel(Kernel::read(shape, tensors)?)),
            HeadShape::Network(shape) => Ok(Self::Network(Network::read(shape, tensors)?)),
            HeadShape::Trees(_) => refused("the head is boosted trees", "train.head", another_head),
            HeadShape::Neighbours(_) => {
                refused("the head asks the nearest training rows", "train.head", another_head)
            }
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
            Self::Network(network) => network.layers.first().map_or(0, |layer| layer.inputs),
            Self::Ensemble(heads) => heads.first().map_or(0, |(_, head)| head.inputs()),
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

/// The first `kept` of each row of `width` numbers.
fn first_columns(values: &[f32], width: usize, kept: usize) -> Vec<f32> {
    values.chunks_exact(width).flat_map(|row| &row[..kept]).copied().collect()
}

impl Linear {
    fn read(shape: &LogisticShape, tensors: &mut Tensors) -> Result<Self, HeadError> {
        let (inputs, outputs, classes) = (shape.inputs, outputs(&shape.blocks), shape.blocks[0].width);
        let mut weights: Vec<f32> = tensors.take("weights", &[outputs, inputs])?;
        let mut bias: Vec<f32> = tensors.take("bias", &[outputs])?;
        weights.truncate(classes * inputs);
        bias.truncate(classes);
        Ok(Self { inputs, weights, bias })
    }
}

impl Kernel {
    fn read(shape: &KernelShape, tensors: &mut Tensors) -> Result<Self, HeadError> {
        let (inputs, count) = (shape.inputs, shape.landmarks);
        let (outputs, classes) = (outputs(&shape.blocks), shape.blocks[0].width);
        let weights: Vec<f32> = tensors.take("weights", &[count, outputs])?;
        let mut bias: Vec<f32> = tensors.take("bias", &[outputs])?;
        bias.truncate(classes);
        Ok(Self {
            scale: tensors.take("scale", &[inputs])?,
            landmarks: tensors.take("landmarks", &[count, inputs])?,
            count,
            weights: first_columns(&weights, outputs, classes),
            bias,
        })
    }
}

impl Network {
    fn read(shape: &NetworkShape, tensors: &mut Tensors) -> Result<Self, HeadError> {
        shape.check(tensors.numbers())?;
        let members = shape.members;
        let mut layers = Vec::new();
        let mut inputs = shape.inputs;
        for (i, &units) in shape.hidden.iter().enumerate() {
            let mut layer = Layer::read(&format!("hidden{i}"), [members, inputs, units], tensors)?;
            if shape.batch_norm {
                layer.fold(&format!("norm{i}"), members, tensors)?;
            }
            layers.push(layer);
            inputs = units;
        }
        let last = Layer::read("out", [members, inputs, shape.scores()], tensors)?;
        let (scores, mut thresholds) = (shape.label_scores(), Vec::new());
        if shape.output == Output::Coral {
            for bias in last.bias.chunks_exact(last.units) {
                let mut sum = 0.0;
                thresholds.push(sum);
                for &step in &bias[1..scores] {
                    sum += softplus(step);
                    thresholds.push(sum);
                }
            }
        }
        let kept = if shape.output == Output::Coral { 1 } else { scores };
        layers.push(Layer {
            inputs,
            units: kept,
            weights: first_columns(&last.weights, last.units, kept),
            bias: first_columns(&last.bias, last.units, kept),
        });
        Ok(Self { members, layers, output: shape.output, thresholds })
    }
}

/// ln(1 + eˣ), without overflow.
fn softplus(x: f32) -> f32 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

impl Layer {
    fn read(
        name: &str,
        [members, inputs, units]: [usize; 3],
        tensors: &mut Tensors,
    ) -> Result<Self, HeadError> {
        let weights = tensors.take(&format!("{name}.weight"), &[members, inputs, units])?;
        let bias = tensors.take(&format!("{name}.bias"), &[members, 1, units])?;
        Ok(Self { inputs, units, weights, bias })
    }

    /// Take in the batch norm `name` behind it, with the statistics that training left.
    fn fold(&mut self, name: &str, members: usize, tensors: &mut Tensors) -> Result<(), HeadError> {
        let mut take = |part: &str| tensors.take::<f32>(&format!("{name}.{part}"), &[members * self.units]);
        let (gain, shift) = (take("weight")?, take("bias")?);
        let (mean, variance) = (take("running_mean")?, take("running_var")?);
        let factors: Vec<f32> =
            gain.iter().zip(&variance).map(|(g, v)| g / (v + BATCH_NORM_EPSILON).sqrt()).collect();
        let of_members = self.weights.chunks_exact_mut(self.inputs * self.units);
        for (weights, factors) in of_members.zip(factors.chunks_exact(self.units)) {
            for row in weights.chunks_exact_mut(self.units) {
                row.iter_mut().zip(factors).for_each(|(weight, factor)| *weight *= factor);
            }
        }
        for (i, bias) in self.bias.iter_mut().enumerate() {
            *bias = (*bias - mean[i]) * factors[i] + shift[i];
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heads::Block;

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
    fn batch_norm_is_folded_into_the_layer_before() {
        // ((2 · 3 + 1) - 0.5) / √(4 - 1e-5 + 1e-5) · 6 + 0.25 = 19.75
        let mut layer = Layer { inputs: 1, units: 1, weights: vec![2.0], bias: vec![1.0] };
        let mut tensors = Tensors::default();
        let values = [("weight", 6.0f32), ("bias", 0.25), ("running_mean", 0.5), ("running_var", 4.0 - 1e-5)];
        values.iter().for_each(|(name, value)| tensors.put(&format!("norm0.{name}"), &[1], &[*value]));
        layer.fold("norm0", 1, &mut tensors).unwrap();
        let answer = 3.0 * layer.weights[0] + layer.bias[0];
        assert!((answer - 19.75).abs() < 1e-5, "{answer}");
    }

    #[test]
    fn a_head_without_operators_is_refused_with_its_setting() {
        let shape =
            HeadShape::Kernel(KernelShape { inputs: 1, terms: 3, landmarks: 1, blocks: vec![block(2)] });
        let error = Function::read(&shape, &mut Tensors::default(), Target::Onnx).unwrap_err();
        assert!(error.to_string().contains("as onnx") && error.to_string().contains("features.terms"));
        assert!(error.hint().is_some());
    }

    #[test]
    fn softplus_is_finite_everywhere() {
        assert!((softplus(0.0) - std::f32::consts::LN_2).abs() < 1e-7);
        assert_eq!((softplus(200.0), softplus(-200.0)), (200.0, 0.0));
    }
}
