//! What the `pipeline` library asks of whoever links libtorch.

use std::ops::ControlFlow;
use std::path::Path;

use pipeline::augment::{Translate, TranslationError};
use pipeline::device::{Device, DeviceChoice, DeviceError};
use pipeline::engine::Engine;
use pipeline::fine_tuning::{EncoderTuning, Tuned, TuningError, Watch};
use pipeline::heads::{
    Epoch, FitData, Fitted, Head, HeadError, NetworkSettings, NetworkShape, Networks, Tensors,
};
use pipeline_encoder::{Encode, EncoderError, EncoderSettings};

use crate::device;
use crate::libtorch::single_threaded;
use crate::marian;
use crate::network::{self, Network};
use crate::padded;
use crate::tuning::SentenceEncoder;

/// The engine over libtorch. What trains does so where it was asked to; all else runs on the processor.
pub struct Torch {
    device: tch::Device,
}

impl Torch {
    /// An engine that trains where it is `asked` to.
    ///
    /// # Errors
    /// A GPU was asked for, and libtorch has no CUDA, does not find the GPU, or cannot compute there.
    pub fn on(asked: DeviceChoice) -> Result<Self, DeviceError> {
        Ok(Self { device: device::open(asked)? })
    }
}

impl Default for Torch {
    /// On the processor.
    fn default() -> Self {
        Self { device: device::CPU }
    }
}

impl Engine for Torch {
    fn device(&self) -> Device {
        device::recorded(self.device)
    }

    fn load_encoder(&self, settings: &EncoderSettings) -> Result<Box<dyn Encode>, EncoderError> {
        Ok(Box::new(padded::load(settings)?))
    }

    fn load_translator(&self, folder: &Path) -> Result<Box<dyn Translate>, TranslationError> {
        Ok(Box::new(marian::load(folder)?))
    }

    fn tune_encoder(&self, tuning: &EncoderTuning<'_>, watch: Watch<'_>) -> Result<Tuned, TuningError> {
        let EncoderTuning { folder, into, data, settings, run } = tuning;
        let mut encoder = SentenceEncoder::open(folder, settings.max_tokens)?;
        let tuned = encoder.tune(data, settings, *run, self.device, watch)?;
        encoder.save(into)?;
        Ok(tuned)
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
        network::fit(shape, settings, data, self.device, each_epoch)
    }

    fn load_network(&self, shape: &NetworkShape, tensors: Tensors) -> Result<Box<dyn Head>, HeadError> {
        single_threaded();
        Ok(Box::new(Network::load(shape, tensors)?))
    }
}

#[cfg(test)]
mod tests {
    use pipeline::fine_tuning::Depth;

    use super::*;
    use crate::tuning::fixture::{Problem, folder, settings, tuned};

    #[test]
    fn a_tuned_encoder_is_written_where_it_was_asked_for() {
        let (folder, problem, settings) = (folder(), Problem::new(16, 1), settings(Depth::Top(1)));
        let out = tempfile::tempdir().unwrap();
        let into = out.path().join("tuned");
        let tune = |into: &Path, watch: Watch<'_>| {
            problem.with(|data| {
                let tuning = EncoderTuning {
                    folder: folder.path(),
                    into,
                    data: *data,
                    settings: &settings,
                    run: None,
                };
                Torch::default().tune_encoder(&tuning, watch)
            })
        };
        let told = tune(&into, &mut |_| ControlFlow::Continue(())).unwrap();
        let (expected, told_there) = tuned(folder.path(), &problem, &settings);
        assert_eq!(told, told_there);
        let saved = SentenceEncoder::open(&into, None).unwrap();
        assert_eq!(saved.embed(&["w3 w25"]).unwrap(), expected.embed(&["w3 w25"]).unwrap());
        let nowhere = out.path().join("nowhere");
        let error = tune(&nowhere, &mut |_| ControlFlow::Break(())).unwrap_err();
        assert!(matches!(error, TuningError::Interrupted) && !nowhere.exists());
    }
}
