//! What the `pipeline` library asks of whoever links libtorch.

use std::ops::ControlFlow;
use std::path::Path;

use pipeline::augment::{Translate, TranslationError};
use pipeline::engine::Engine;
use pipeline::heads::{
    Epoch, FitData, Fitted, Head, HeadError, NetworkSettings, NetworkShape, Networks, Tensors,
};
use pipeline_encoder::{Encode, EncoderError, EncoderSettings};

use crate::libtorch::single_threaded;
use crate::marian;
use crate::network::{self, Network};
use crate::padded;

/// The engine over libtorch, on the CPU.
pub struct Torch;

impl Engine for Torch {
    fn load_encoder(&self, settings: &EncoderSettings) -> Result<Box<dyn Encode>, EncoderError> {
        Ok(Box::new(padded::load(settings)?))
    }

    fn load_translator(&self, folder: &Path) -> Result<Box<dyn Translate>, TranslationError> {
        Ok(Box::new(marian::load(folder)?))
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
        Ok(Box::new(Network::load(shape, tensors)?))
    }
}
