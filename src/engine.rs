//! What libtorch does for the pipeline. The crate in `crates/torch` implements it; this one never links it.

use std::path::{Path, PathBuf};

use pipeline_encoder::{
    Encode, Encoder, EncoderError, EncoderSettings, Encoders, Joined, Model, Place, fetch,
};

use crate::augment::{Translate, TranslationError};
use crate::device::{Device, DeviceChoice, DeviceError};
use crate::fine_tuning::{EncoderTuning, Tuned, TuningError, Watch};
use crate::heads::Networks;
use crate::progress::Progress;

/// Encoders and heads that only libtorch can run.
pub trait Engine: Networks {
    /// Where networks and encoders are trained; all else runs on the processor.
    fn device(&self) -> Device;

    /// Load an encoder for rust-bert, on the CPU.
    ///
    /// # Errors
    /// A missing, unreadable or unsuitable file, named by its path.
    fn load_encoder(&self, settings: &EncoderSettings) -> Result<Box<dyn Encode>, EncoderError>;

    /// Load a Marian model (`config.json`, `vocab.json`, `source.spm`, `rust_model.ot`) for rust-bert, on the CPU.
    ///
    /// # Errors
    /// A file cannot be read or is no such model's.
    fn load_translator(&self, folder: &Path) -> Result<Box<dyn Translate>, TranslationError>;

    /// Tune an encoder and write the folder of what it has become.
    ///
    /// # Errors
    /// As [`TuningError`] says; what was at the place of the new folder is then still there.
    fn tune_encoder(&self, tuning: &EncoderTuning<'_>, watch: Watch<'_>) -> Result<Tuned, TuningError>;
}

/// Makes an engine that trains where it is asked to; fails where it cannot compute there.
pub type MakeEngine<'a> = &'a dyn Fn(DeviceChoice) -> Result<Box<dyn Engine>, DeviceError>;

/// The part of an engine that heads ask for.
pub fn networks(engine: Option<&dyn Engine>) -> Option<&dyn Networks> {
    engine.map(|engine| engine as _)
}

/// The folder of an encoder; the hub's is downloaded first.
///
/// # Errors
/// The download failed, or the user interrupted it.
pub fn on_disk(place: Place, progress: &dyn Progress) -> Result<PathBuf, EncoderError> {
    match place {
        Place::Here(folder) => Ok(folder),
        Place::Hub { name, folder } => {
            progress.note(&format!("downloading the encoder {name} to {}", folder.display()));
            fetch(&name, &folder, &mut |_| !progress.interrupted())?;
            Ok(folder)
        }
    }
}

/// Load `encoders` as one, with `workers` threads, one a core where none are given.
///
/// # Errors
/// As [`load_encoder`]'s.
pub fn load_encoders(
    engine: Option<&dyn Engine>,
    workers: Option<usize>,
    encoders: &Encoders,
) -> Result<Box<dyn Encode>, EncoderError> {
    let load = |model: &Model| load_encoder(engine, &model.settings(workers));
    Ok(joined(encoders.models.iter().map(load).collect::<Result<_, _>>()?))
}

/// Load an encoder by the own pass, or by `engine` where only rust-bert is to run it.
///
/// # Errors
/// A missing, unreadable or unsuitable file, named by its path; or rust-bert is needed and `engine` is not there.
pub fn load_encoder(
    engine: Option<&dyn Engine>,
    settings: &EncoderSettings,
) -> Result<Box<dyn Encode>, EncoderError> {
    match engine {
        Some(engine) if settings.arithmetic.needs_torch() => engine.load_encoder(settings),
        _ => Ok(Box::new(Encoder::load(settings)?)),
    }
}

/// Several encoders as one; one as it is.
pub fn joined(mut encoders: Vec<Box<dyn Encode>>) -> Box<dyn Encode> {
    match (encoders.pop(), encoders.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            encoders.extend(last);
            Box::new(Joined { encoders })
        }
    }
}
