//! Logistic regression.

use crate::heads::{HeadError, LogisticShape, Tensors, outputs};

/// `weights · x + bias`.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// Length of an input row.
    pub inputs: usize,
    /// `classes × inputs`.
    pub weights: Vec<f32>,
    /// `classes`.
    pub bias: Vec<f32>,
}

impl Linear {
    /// The head of this `shape` with the weights in `tensors`.
    ///
    /// # Errors
    /// The weights do not fit it.
    pub fn read(shape: &LogisticShape, tensors: &mut Tensors) -> Result<Self, HeadError> {
        let (inputs, outputs, classes) = (shape.inputs, outputs(&shape.blocks), shape.blocks[0].width);
        let mut weights: Vec<f32> = tensors.take("weights", &[outputs, inputs])?;
        let mut bias: Vec<f32> = tensors.take("bias", &[outputs])?;
        weights.truncate(classes * inputs);
        bias.truncate(classes);
        Ok(Self { inputs, weights, bias })
    }
}
