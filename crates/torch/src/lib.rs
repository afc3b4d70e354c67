//! What only libtorch can do: network heads ([`network`]), and encoders through rust-bert ([`padded`]).
//!
//! This is the only crate that links libtorch. It implements what the `pipeline` library asks for
//! ([`pipeline::engine::Engine`], [`pipeline::heads::Networks`]) and knows nothing of files under `data/` or the terminal.

pub mod network;
pub mod padded;

use std::ops::ControlFlow;

use pipeline::engine::Engine;
use pipeline::heads::{
    Epoch, FitData, Fitted, Head, HeadError, NetworkSettings, NetworkShape, Networks, Tensors,
};
use pipeline_encoder::{Encode, EncoderError, EncoderSettings};

/// The engine over libtorch, on the CPU.
pub struct Torch;

impl Engine for Torch {
    fn load_encoder(&self, settings: &EncoderSettings) -> Result<Box<dyn Encode>, EncoderError> {
        Ok(Box::new(padded::load(settings)?))
    }
}

impl Networks for Torch {
    fn fit_network(
        &self,
        shape: &NetworkShape,
        settings: &NetworkSettings,
        data: &FitData<'_>,
        each_epoch: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
    ) -> Result<Fitted, HeadError> {
        single_threaded();
        network::fit(shape, settings, data, each_epoch)
    }

    fn load_network(&self, shape: &NetworkShape, tensors: Tensors) -> Result<Box<dyn Head>, HeadError> {
        single_threaded();
        Ok(Box::new(network::Network::new(network::Perceptron::load(shape, tensors)?)))
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
