//! Why an encoder cannot be tuned.

use std::fmt::Display;
use std::path::PathBuf;

use pipeline_encoder::EncoderError;

use crate::counting::counted;
use crate::device::Device;
use crate::store::StoreError;

/// Why an encoder cannot be tuned.
#[derive(Debug, thiserror::Error)]
pub enum TuningError {
    /// A file of the encoder's folder is missing or is not what it should be.
    #[error("{}: {reason}", path.display())]
    Folder {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The encoder's tokenizer cannot be loaded or used.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// A setting is out of its range, or asks for what the encoder has not.
    #[error("{name} = {value}: {reason}")]
    Setting {
        /// Its key.
        name: &'static str,
        /// Its value.
        value: String,
        /// Why it cannot be so.
        reason: String,
    },
    /// The rows are not what can be learned.
    #[error("the encoder cannot be tuned on these rows: {reason}")]
    Data {
        /// Why not.
        reason: String,
    },
    /// The loss is no number, or stays far above that of the first step.
    #[error("tuning diverged: the loss of step {step} is {loss}, of the first it was {first}")]
    Diverged {
        /// The step, from 1.
        step: usize,
        /// Its loss.
        loss: f64,
        /// The loss of the first step.
        first: f64,
        /// Greatest learning rates of encoder and head.
        rates: [f64; 2],
    },
    /// The user asked to stop.
    #[error("interrupted while tuning the encoder")]
    Interrupted,
    /// The encoder is to be tuned, and libtorch is not here.
    #[error("tuning the encoder needs libtorch (train.encoder)")]
    NeedsTorch,
    /// Memory is too short for the least that can be passed at once.
    #[error("tuning ran out of memory ({device}) with {} at once: {said}", counted(*things, "row", "rows"))]
    OutOfMemory {
        /// Rows, or pairs of them.
        things: usize,
        /// Whose memory.
        device: Device,
        /// What libtorch said.
        said: String,
    },
    /// libtorch failed.
    #[error("tuning failed: {0}")]
    Torch(String),
    /// What was made cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl TuningError {
    /// The setting `name` of this `value`, and what it must be instead.
    pub fn setting(name: &'static str, value: impl Display, reason: String) -> Self {
        Self::Setting { name, value: value.to_string(), reason }
    }

    /// What can be done about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Diverged { rates: [encoder, head], .. } => Some(format!(
                "lower train.tuning.learning_rate (it was {encoder}) or train.tuning.head_learning_rate (it was {head})"
            )),
            Self::Encoder(error) => error.hint(),
            Self::OutOfMemory { device, .. } => {
                let elsewhere = match device {
                    Device::Cpu => "",
                    Device::Cuda => ", or train with --device cpu, in the memory of the machine",
                };
                Some(format!(
                    "lower encoder.max_tokens, or let less of the encoder learn (train.encoder = \"top-1\"){elsewhere}"
                ))
            }
            Self::Folder { .. }
            | Self::Setting { .. }
            | Self::Data { .. }
            | Self::NeedsTorch
            | Self::Interrupted
            | Self::Torch(_)
            | Self::Store(_) => None,
        }
    }
}
