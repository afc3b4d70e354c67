//! Multilayer perceptrons.

use super::columns::first_columns;
use crate::heads::{HeadError, NetworkShape, Output, Tensors};

/// Added to the variance in batch norm: PyTorch's default, with which networks are trained.
const BATCH_NORM_EPSILON: f32 = 1e-5;

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

impl Network {
    /// The head of this `shape` with the weights in `tensors`.
    ///
    /// # Errors
    /// The weights do not fit it.
    pub fn read(shape: &NetworkShape, tensors: &mut Tensors) -> Result<Self, HeadError> {
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
    fn softplus_is_finite_everywhere() {
        assert!((softplus(0.0) - std::f32::consts::LN_2).abs() < 1e-7);
        assert_eq!((softplus(200.0), softplus(-200.0)), (200.0, 0.0));
    }
}
