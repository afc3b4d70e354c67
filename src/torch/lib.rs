//! The tensors of the pipeline: the sentence encoder ([`encoder`]) and the classifier heads ([`network`],
//! [`kernel`]).
//!
//! This is the only crate that links libtorch. It implements what the `pipeline` library asks for
//! ([`pipeline::engine::Engine`]) and knows nothing of files under `data/` or the terminal.

pub mod encoder;
pub mod hub;
pub mod kernel;
pub mod network;

use std::ops::ControlFlow;
use std::path::Path;

use pipeline::embed::{Encode, EncoderError, EncoderSettings};
use pipeline::engine::Engine;
use pipeline::train::{Epoch, Fit, FitData, Fitted, Head, HeadError, HeadShape, Recipe};

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
        match recipe {
            Recipe::Network { shape, settings } => network::fit(shape, settings, data, each_epoch),
            Recipe::Kernel(settings) => kernel::fit(settings, data, each_epoch),
        }
    }

    fn load_head(&self, shape: &HeadShape, path: &Path) -> Result<Box<dyn Head>, HeadError> {
        single_threaded();
        Ok(match shape {
            HeadShape::Network(shape) => Box::new(network::Perceptron::load(shape, path)?),
            HeadShape::Kernel(shape) => Box::new(kernel::KernelMachine::load(shape, path)?),
        })
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
