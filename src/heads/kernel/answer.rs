//! A fitted kernel machine.

use faer::Mat;

use super::settings::KernelShape;
use crate::heads::block::checked_outputs;
use crate::heads::dense::{Remembered, columns, exp_of_minus, floats, product};
use crate::heads::head::check_rows;
use crate::heads::{Head, HeadError, Tensors};
use crate::inputs::Sparse;

/// Rows compared with all landmarks at once.
const ROWS_AT_ONCE: usize = 512;

/// Landmarks and what each says of the targets. Numbers are kept as the file has them.
pub struct KernelMachine {
    pub(super) shape: KernelShape,
    /// `inputs`: what inputs are multiplied by, so that the kernel is exp(-‖a - b‖²).
    pub(super) scale: Vec<f32>,
    /// Scaled.
    pub(super) landmarks: Remembered,
    /// `outputs × landmarks`.
    pub(super) weights: Mat<f64>,
    /// `terms × outputs`, row-major: what the landmarks' words and letters say, a linear kernel's sum over the landmarks.
    pub(super) term_weights: Vec<f32>,
    /// `outputs`.
    pub(super) bias: Vec<f32>,
}

impl KernelMachine {
    /// Load weights saved by [`Head::save`].
    ///
    /// # Errors
    /// They do not fit `shape`.
    pub fn load(shape: &KernelShape, mut tensors: Tensors) -> Result<Self, HeadError> {
        let (inputs, landmarks, outputs) = (shape.inputs, shape.landmarks, checked_outputs(&shape.blocks)?);
        Ok(Self {
            scale: tensors.take("scale", &[inputs])?,
            landmarks: Remembered::take(&mut tensors, "landmarks", [landmarks, inputs])?,
            weights: columns(&tensors.take("weights", &[landmarks, outputs])?, outputs),
            term_weights: tensors.take("term_weights", &[shape.terms, outputs])?,
            bias: tensors.take("bias", &[outputs])?,
            shape: shape.clone(),
        })
    }

    /// `outputs` values a row, added to those of the inputs.
    fn add_terms(&self, answers: &mut [f32], terms: &Sparse) -> Result<(), HeadError> {
        let outputs = self.bias.len();
        if terms.width != self.shape.terms || terms.ends.len() * outputs != answers.len() {
            let (found, expected) = (terms.width, self.shape.terms);
            return Err(HeadError::Shape(format!(
                "it knows {expected} words and letter groups, not {found}"
            )));
        }
        for (row, answer) in answers.chunks_exact_mut(outputs).enumerate() {
            let mut sums: Vec<f64> = answer.iter().map(|&v| f64::from(v)).collect();
            for (column, value) in terms.row(row) {
                let weights = &self.term_weights[column * outputs..(column + 1) * outputs];
                let with = |(sum, &weight): (&mut f64, &f32)| *sum += f64::from(value) * f64::from(weight);
                sums.iter_mut().zip(weights).for_each(with);
            }
            answer.iter_mut().zip(sums).for_each(|(answer, sum)| *answer = sum as f32);
        }
        Ok(())
    }
}

impl Head for KernelMachine {
    fn logits(&self, inputs: &[f32], terms: Option<&Sparse>) -> Result<Vec<f32>, HeadError> {
        let width = self.shape.inputs;
        check_rows(inputs, width)?;
        let mut answers = Vec::with_capacity(inputs.len() / width * self.bias.len());
        for rows in inputs.chunks(ROWS_AT_ONCE * width) {
            let scaled = rows.chunks_exact(width).flat_map(|row| row.iter().zip(&self.scale));
            let x: Vec<f64> = scaled.map(|(&x, &scale)| f64::from(x) * f64::from(scale)).collect();
            let mut kernel = self.landmarks.squared_distances(&x);
            (0..kernel.ncols()).for_each(|row| exp_of_minus(kernel.col_as_slice_mut(row)));
            let mut logits = product(self.weights.as_ref(), kernel.as_ref());
            for row in logits.col_iter_mut() {
                row.iter_mut().zip(&self.bias).for_each(|(y, &bias)| *y += f64::from(bias));
            }
            answers.extend(floats(&logits));
        }
        if let Some(terms) = terms {
            self.add_terms(&mut answers, terms)?;
        }
        Ok(answers)
    }

    fn tensors(&self) -> Result<Tensors, HeadError> {
        let (inputs, landmarks, outputs) = (self.shape.inputs, self.shape.landmarks, self.bias.len());
        let mut tensors = Tensors::default();
        tensors.put("scale", &[inputs], &self.scale);
        self.landmarks.put(&mut tensors, "landmarks");
        tensors.put("weights", &[landmarks, outputs], &floats(&self.weights));
        tensors.put("term_weights", &[self.shape.terms, outputs], &self.term_weights);
        tensors.put("bias", &[outputs], &self.bias);
        Ok(tensors)
    }
}
