//! What libtorch does for the pipeline. The crate in `crates/torch` implements it; this one never links it.

use std::path::Path;

use crate::embed::{Encode, EncoderError, EncoderSettings};
use crate::train::Fit;

/// Encoder and trainer.
pub trait Engine: Fit {
    /// Load an encoder, on the CPU.
    ///
    /// # Errors
    /// A missing, unreadable or unsuitable file, named by its path.
    fn load_encoder(&self, settings: &EncoderSettings) -> Result<Box<dyn Encode>, EncoderError>;

    /// Download the hub model `name` (`owner/model`) into the new folder `target`, which appears only when complete.
    ///
    /// # Errors
    /// The file that could not be had, or the folder that could not be written.
    fn fetch_encoder(&self, name: &str, target: &Path) -> Result<(), EncoderError>;
}
