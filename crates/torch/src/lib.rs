//! The tensors of the pipeline: the sentence encoder ([`encoder`]) and the classifier heads ([`kernel`], [`network`],
//! [`neighbours`], [`trees`], and several of them: [`ensemble`]).
//!
//! This is the only crate that links libtorch. It implements what the `pipeline` library asks for
//! ([`pipeline::engine::Engine`]) and knows nothing of files under `data/` or the terminal.

mod batch;
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "vector instructions")]
mod bert;
pub mod encoder;
pub mod ensemble;
mod folder;
pub mod hub;
pub mod kernel;
pub mod neighbours;
pub mod network;
#[cfg(target_arch = "x86_64")]
mod packed;
mod padded;
pub mod trees;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;

use pipeline::embed::{Encode, EncoderError, EncoderSettings};
use pipeline::engine::Engine;
use pipeline::train::{Epoch, Fit, FitData, Fitted, Head, HeadError, HeadShape, Recipe};
use tch::Tensor;

/// The engine over libtorch, on the CPU.
pub struct Torch;

impl Engine for Torch {
    fn load_encoder(&self, settings: &EncoderSettings) -> Result<Box<dyn Encode>, EncoderError> {
        Ok(Box::new(encoder::Encoder::load(settings)?))
    }

    fn fetch_encoder(&self, name: &str, target: &Path) -> Result<(), EncoderError> {
        hub::fetch(name, target)
    }
}

impl Fit for Torch {
    fn fit(
        &self,
        recipe: &Recipe,
        data: &FitData<'_>,
        each_epoch: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
    ) -> Result<Fitted, HeadError> {
        single_threaded();
        fit(recipe, data, each_epoch)
    }

    fn load_head(&self, shape: &HeadShape, path: &Path) -> Result<Box<dyn Head>, HeadError> {
        single_threaded();
        load(shape, Tensors::read(path)?)
    }
}

fn fit(
    recipe: &Recipe,
    data: &FitData<'_>,
    each_epoch: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<Fitted, HeadError> {
    match recipe {
        Recipe::Network { shape, settings } => network::fit(shape, settings, data, each_epoch),
        Recipe::Kernel(settings) => kernel::fit(settings, data, each_epoch),
        Recipe::Neighbours(settings) => neighbours::fit(settings, data, each_epoch),
        Recipe::Trees(settings) => trees::fit(settings, data, each_epoch),
        Recipe::Ensemble { recipes, stacked } => ensemble::fit(recipes, *stacked, data, each_epoch),
    }
}

/// A head that was not trained in epochs. `train` and `validation` are loss and accuracy, as in [`Epoch`].
pub(crate) fn without_epochs(
    (head, shape): (Box<dyn Head>, HeadShape),
    parameters: usize,
    (train, validation): ((f64, f64), (f64, f64)),
    each_epoch: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<Fitted, HeadError> {
    let epoch = Epoch {
        epoch: 1,
        learning_rate: 0.0,
        train_loss: train.0,
        train_accuracy: train.1,
        validation_loss: validation.0,
        validation_accuracy: validation.1,
    };
    if each_epoch(&epoch).is_break() {
        return Err(HeadError::Interrupted);
    }
    let history = vec![epoch];
    Ok(Fitted { head, shape, parameters, history, best_epoch: 1, stopped_early: false, validation: None })
}

fn load(shape: &HeadShape, tensors: Tensors) -> Result<Box<dyn Head>, HeadError> {
    Ok(match shape {
        HeadShape::Network(shape) => Box::new(network::Perceptron::load(shape, tensors)?),
        HeadShape::Kernel(shape) => Box::new(kernel::KernelMachine::load(shape, tensors)?),
        HeadShape::Neighbours(shape) => Box::new(neighbours::Memory::load(shape, tensors)?),
        HeadShape::Trees(shape) => Box::new(trees::Forest::load(shape, tensors)?),
        HeadShape::Ensemble(shape) => Box::new(ensemble::Ensemble::load(shape, tensors)?),
    })
}

/// The tensors of a weights file by their names.
pub struct Tensors(HashMap<String, Tensor>);

impl Tensors {
    /// Read a safetensors file.
    ///
    /// # Errors
    /// The file is missing, or not safetensors.
    pub fn read(path: &Path) -> Result<Self, HeadError> {
        Ok(Self(Tensor::read_safetensors(path).map_err(failed)?.into_iter().collect()))
    }

    /// The tensor of this name and size.
    ///
    /// # Errors
    /// There is none.
    pub fn take(&mut self, name: &str, size: &[i64]) -> Result<Tensor, HeadError> {
        match self.0.remove(name) {
            Some(tensor) if tensor.size() == size => Ok(tensor),
            Some(tensor) => {
                Err(HeadError::Torch(format!("{name} has the size {:?}, expected {size:?}", tensor.size())))
            }
            None => Err(HeadError::Torch(format!("{name} is missing"))),
        }
    }

    /// Those whose names begin with `prefix`, without it.
    pub fn below(&mut self, prefix: &str) -> Self {
        let names: Vec<String> = self.0.keys().filter(|name| name.starts_with(prefix)).cloned().collect();
        let own = names.into_iter().filter_map(|name| {
            let tensor = self.0.remove(&name)?;
            Some((name[prefix.len()..].to_owned(), tensor))
        });
        Self(own.collect())
    }
}

/// Make libtorch run each operation on the calling thread.
///
/// Parallelism comes from one model a worker thread: for these matrix sizes that is faster than splitting one
/// multiplication over cores, and it makes every result independent of the core count.
pub(crate) fn single_threaded() {
    tch::set_num_threads(1);
}

pub(crate) fn failed(error: tch::TchError) -> HeadError {
    HeadError::Torch(error.to_string())
}
