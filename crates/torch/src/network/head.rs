//! A network as a head that the pipeline asks, saves and loads.

use std::sync::{Mutex, PoisonError};

use pipeline::heads::{Head, HeadError, NetworkShape, Tensors, check_rows};
use pipeline::inputs::Sparse;
use tch::Tensor;

use super::perceptron::Perceptron;
use crate::libtorch::{failed, single_threaded};

/// A network that several threads may ask: one at a time, as libtorch's tensors cannot be shared.
pub struct Network(Mutex<Perceptron>);

impl Network {
    /// The network with the weights of `members`.
    pub(super) fn new(members: Perceptron) -> Self {
        Self(Mutex::new(members))
    }

    /// Load weights saved by [`Head::save`].
    ///
    /// # Errors
    /// They do not fit `shape`.
    pub fn load(shape: &NetworkShape, tensors: Tensors) -> Result<Self, HeadError> {
        Ok(Self::new(Perceptron::load(shape, tensors)?))
    }
}

impl Head for Network {
    fn logits(&self, inputs: &[f32], _: Option<&Sparse>) -> Result<Vec<f32>, HeadError> {
        // A thread that panicked has only read.
        let network = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let width = network.shape.inputs;
        check_rows(inputs, width)?;
        // Threads and gradients are settings of the calling thread, which may be a new one.
        single_threaded();
        let x = Tensor::f_from_slice(inputs).map_err(failed)?.view([-1, width as i64]);
        // Row by row: a product of several rows sums in an order that depends on how many they are, and the same text must have
        // the same answer to the last bit wherever it stands.
        let mut answers = Vec::with_capacity(x.size()[0] as usize * network.shape.scores());
        for row in 0..x.size()[0] {
            let answer = tch::no_grad(|| network.answer(&x.narrow(0, row, 1)));
            answers.extend(Vec::<f32>::try_from(answer.contiguous().view([-1])).map_err(failed)?);
        }
        Ok(answers)
    }

    fn tensors(&self) -> Result<Tensors, HeadError> {
        let network = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tensors = Tensors::default();
        for (name, variable) in network.store.variables() {
            let size: Vec<usize> = variable.size().iter().map(|&n| n as usize).collect();
            let values = Vec::<f32>::try_from(variable.detach().contiguous().view([-1])).map_err(failed)?;
            tensors.put(&name, &size, &values);
        }
        Ok(tensors)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{exclusive_or, fit_exclusive_or, shape};
    use super::super::group::MEMBERS_AT_ONCE;
    use super::*;

    #[test]
    fn a_row_is_answered_the_same_whatever_is_asked_with_it() {
        let fitted = fit_exclusive_or(&NetworkShape { members: 3, ..shape() }, 4);
        let inputs = exclusive_or().0;
        let (all, width) = (fitted.head.logits(&inputs, None).unwrap(), shape().inputs);
        let outputs = all.len() * width / inputs.len();
        for (row, own) in inputs.chunks_exact(width).enumerate() {
            let alone = fitted.head.logits(own, None).unwrap();
            assert_eq!(alone, all[row * outputs..(row + 1) * outputs], "{row}");
        }
    }

    #[test]
    fn saved_weights_predict_the_same() {
        // Also where the members are more than one group.
        for members in [1, MEMBERS_AT_ONCE + 2] {
            let shape = NetworkShape { members, ..shape() };
            let fitted = fit_exclusive_or(&shape, 4);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("head.safetensors");
            fitted.head.save(&path).unwrap();
            let inputs = exclusive_or().0;
            let loaded = Network::load(&shape, Tensors::read(&path).unwrap()).unwrap();
            assert_eq!(fitted.head.logits(&inputs, None).unwrap(), loaded.logits(&inputs, None).unwrap());
            assert!(fitted.history[fitted.best_epoch - 1].validation_accuracy > 0.9, "{members}");
        }
    }

    #[test]
    fn rows_of_another_width_are_refused() {
        let network = Network::new(Perceptron::blank(&shape(), crate::device::CPU));
        assert!(matches!(network.logits(&[1.0; 3], None), Err(HeadError::Shape(_))));
    }
}
