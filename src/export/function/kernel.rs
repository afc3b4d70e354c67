//! Kernel machines.

use super::columns::first_columns;
use crate::heads::{HeadError, KernelShape, Remembered, Tensors, outputs};

/// `bias + Σ weights[l] · exp(-‖scale · x - landmark[l]‖²) + Σ term_weights[t] · terms[t]`.
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
    /// Words and letter groups; 0 where it sees none.
    pub terms: usize,
    /// `terms × classes`.
    pub term_weights: Vec<f32>,
    /// `classes`.
    pub bias: Vec<f32>,
}

impl Kernel {
    /// The head of this `shape` with the weights in `tensors`.
    ///
    /// # Errors
    /// The weights do not fit it.
    pub fn read(shape: &KernelShape, tensors: &mut Tensors) -> Result<Self, HeadError> {
        let (inputs, count, terms) = (shape.inputs, shape.landmarks, shape.terms);
        let (outputs, classes) = (outputs(&shape.blocks), shape.blocks[0].width);
        let weights: Vec<f32> = tensors.take("weights", &[count, outputs])?;
        let term_weights: Vec<f32> = tensors.take("term_weights", &[terms, outputs])?;
        let mut bias: Vec<f32> = tensors.take("bias", &[outputs])?;
        bias.truncate(classes);
        Ok(Self {
            scale: tensors.take("scale", &[inputs])?,
            landmarks: Remembered::take(tensors, "landmarks", [count, inputs])?.values(),
            count,
            weights: first_columns(&weights, outputs, classes),
            terms,
            term_weights: first_columns(&term_weights, outputs, classes),
            bias,
        })
    }
}
