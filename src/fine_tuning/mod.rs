//! What fine-tuning an encoder is: its settings, the rows it learns from, what can go wrong. The training itself needs libtorch
//! and lives in its own crate (`crates/torch`).

mod settings;
mod data;
mod error;
mod outcome;
mod fingerprint;

pub use data::{EncoderTuning, TuningData, TuningRows, TuningTask};
pub use error::TuningError;
pub use fingerprint::fingerprint;
pub use outcome::{EpochLoss, Event, Phase, Tuned, Watch};
pub use settings::{Contrastive, Depth, TuningRun, TuningSettings};
