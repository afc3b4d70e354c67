//! A fitted linear head.

use faer::Mat;

use super::settings::LogisticShape;
use crate::heads::block::checked_outputs;
use crate::heads::dense::{columns, floats, product};
use crate::heads::head::check_rows;
use crate::heads::{Head, HeadError, Tensors};
use crate::inputs::Sparse;

/// Rows answered at once.
const ROWS_AT_ONCE: usize = 4096;

/// A weight for each input and output. Numbers are kept as the file has them, in single precision.
pub struct Linear {
    pub(super) shape: LogisticShape,
    /// `inputs × outputs`.
    pub(super) weights: Mat<f64>,
    /// `outputs`.
    pub(super) bias: Vec<f32>,
}

impl Linear {
    /// Load weights saved by [`Head::save`].
    ///
    /// # Errors
    /// They do not fit `shape`.
    pub fn load(shape: &LogisticShape, mut tensors: Tensors) -> Result<Self, HeadError> {
        let (inputs, outputs) = (shape.inputs, checked_outputs(&shape.blocks)?);
        Ok(Self {
            weights: columns(&tensors.take("weights", &[outputs, inputs])?, inputs),
            bias: tensors.take("bias", &[outputs])?,
            shape: shape.clone(),
        })
    }
}

impl Head for Linear {
    fn logits(&self, inputs: &[f32], _: Option<&Sparse>) -> Result<Vec<f32>, HeadError> {
        let width = self.shape.inputs;
        check_rows(inputs, width)?;
        let mut answers = Vec::with_capacity(inputs.len() / width * self.bias.len());
        for rows in inputs.chunks(ROWS_AT_ONCE * width) {
            let mut logits = product(self.weights.transpose(), columns(rows, width).as_ref());
            for row in logits.col_iter_mut() {
                row.iter_mut().zip(&self.bias).for_each(|(y, &bias)| *y += f64::from(bias));
            }
            answers.extend(floats(&logits));
        }
        Ok(answers)
    }

    fn tensors(&self) -> Result<Tensors, HeadError> {
        let (inputs, outputs) = (self.shape.inputs, self.bias.len());
        let mut tensors = Tensors::default();
        tensors.put("weights", &[outputs, inputs], &floats(&self.weights));
        tensors.put("bias", &[outputs], &self.bias);
        Ok(tensors)
    }
}
