//! The files of a saved model: read, and seen to be of one training.

use std::path::{Path, PathBuf};

use pipeline_encoder::{Arithmetic, EncoderError, FolderError};
use serde::Deserialize;

use super::card::{Calibration, FORMAT, ModelCard, OLDEST_FORMAT};
use super::check::{check_calibration, check_card};
use crate::evaluate::Evaluation;
use crate::heads::{self, Head, HeadError, Networks, Tensors, Whole};
use crate::inputs::InputEncoder;
use crate::novelty::Novelty;
use crate::store::{map, quick_checksum};
use crate::table::shorten;

/// Name of the report for people.
pub const REPORT: &str = "report.html";

/// The files of a model folder.
pub struct ModelFiles {
    /// The folder.
    pub folder: PathBuf,
}

impl ModelFiles {
    /// `model.json`.
    pub fn card(&self) -> PathBuf {
        self.folder.join("model.json")
    }
    /// `inputs.json`: means, scales and categories, learned on the training part.
    pub fn inputs(&self) -> PathBuf {
        self.folder.join("inputs.json")
    }
    /// `head.safetensors`: the head's weights.
    pub fn head(&self) -> PathBuf {
        self.folder.join("head.safetensors")
    }
    /// `novelty.safetensors`: how far training rows are from each other.
    pub fn novelty(&self) -> PathBuf {
        self.folder.join("novelty.safetensors")
    }
    /// `encoder`: the folder of the encoder that was tuned for the model, where one was.
    pub fn encoder(&self) -> PathBuf {
        self.folder.join("encoder")
    }
    /// `metrics.json`: all that the evaluation found.
    pub fn metrics(&self) -> PathBuf {
        self.folder.join("metrics.json")
    }
    /// `calibration.json`: the temperature.
    pub fn calibration(&self) -> PathBuf {
        self.folder.join("calibration.json")
    }
    /// `predictions.csv`: the answer to every test row, and to every other row out of fold.
    pub fn predictions(&self) -> PathBuf {
        self.folder.join("predictions.csv")
    }
    /// `report.html`: everything for people.
    pub fn report(&self) -> PathBuf {
        self.folder.join(REPORT)
    }
    /// `validation.npy`: probabilities of the validation rows, of a head that has not learned them; not calibrated.
    pub fn validation(&self) -> PathBuf {
        self.folder.join("validation.npy")
    }
    /// `history.csv`: a line an epoch.
    pub fn history(&self) -> PathBuf {
        self.folder.join("history.csv")
    }
}

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PredictError {
    /// A file of the model is missing or damaged.
    #[error("cannot read the model file {}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The model is of a newer program.
    #[error("the model {} was written by pipeline {version}, and this is {}: {reason}", path.display(), env!("CARGO_PKG_VERSION"))]
    Newer {
        /// Its `model.json`.
        path: PathBuf,
        /// The program that wrote it.
        version: String,
        /// What this one cannot read.
        reason: String,
    },
    /// The encoder on this machine is not the one of the training.
    #[error(
        "the encoder in {} is not the one that the model was trained with (fingerprint {found}, expected {expected})",
        folder.display()
    )]
    Encoder {
        /// The encoder's folder.
        folder: PathBuf,
        /// Its fingerprint.
        found: String,
        /// The model's.
        expected: String,
    },
    /// The encoder is that of the training, and this processor cannot compute as it was computed there.
    #[error(
        "the model was trained on embeddings computed as {}, for which this processor has no instructions",
        arithmetic.name()
    )]
    Arithmetic {
        /// That of the training.
        arithmetic: Arithmetic,
    },
    /// The number of encoders is not the model's.
    #[error("the model has {wanted} encoders, --encoder names {named}; name each")]
    Encoders {
        /// How many `--encoder` names.
        named: usize,
        /// How many it has.
        wanted: usize,
    },
    /// The encoder's folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The encoder failed.
    #[error(transparent)]
    Encode(#[from] EncoderError),
    /// The head failed.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The user asked to stop.
    #[error("interrupted; nothing was labelled")]
    Interrupted,
}

impl PredictError {
    /// What can be done about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Newer { version, .. } => {
                return Some(format!(
                    "install pipeline {version} or later; or train the model anew with this one: `pipeline train --force`"
                ));
            }
            Self::File { .. } => "train one with `pipeline build`, or name another with --model",
            Self::Encoder { .. } => "install the same encoder; predictions from another one would be wrong",
            Self::Arithmetic { .. } => {
                "--any-arithmetic computes them in another way (cosine at least 0.999); encoder.precision = \"f32\" \
                 before training gives the same bits on every processor with AVX2"
            }
            Self::Folder(error) => return error.hint(),
            Self::Encode(error) => return error.hint(),
            Self::Head(error) => return error.hint(),
            Self::Encoders { .. } | Self::Interrupted => return None,
        };
        Some(hint.to_owned())
    }
}

/// Read `model.json`.
///
/// # Errors
/// It is missing, damaged, of another format, or of a program so much newer that it cannot be read.
pub fn load_card(files: &ModelFiles) -> Result<ModelCard, PredictError> {
    let path = files.card();
    let failed = |reason: String| PredictError::File { path: path.clone(), reason };
    let bytes = std::fs::read(&path).map_err(|e| failed(e.to_string()))?;
    let written: Written = serde_json::from_slice(&bytes).map_err(|e| failed(e.to_string()))?;
    let newer = |reason: String| PredictError::Newer {
        path: path.clone(),
        version: shorten(&written.pipeline_version, LONGEST_VERSION),
        reason,
    };
    if written.format > FORMAT {
        return Err(newer(format!("its format is {}, this program reads up to {FORMAT}", written.format)));
    }
    if written.format < OLDEST_FORMAT {
        let reason = format!(
            "its format is {}, which is read no more (this program reads {OLDEST_FORMAT} to {FORMAT})",
            written.format
        );
        return Err(failed(reason));
    }
    let card: ModelCard = serde_json::from_slice(&bytes).map_err(|e| {
        // Within a format a newer program may say what an older one does not know.
        match is_newer(&written.pipeline_version, env!("CARGO_PKG_VERSION")) {
            true => newer(e.to_string()),
            false => failed(e.to_string()),
        }
    })?;
    check_card(&card).map_err(failed)?;
    Ok(card)
}

/// What `model.json` says of itself in every format.
#[derive(Deserialize)]
struct Written {
    format: u32,
    #[serde(default)]
    pipeline_version: String,
}

/// Characters of a version that are shown: it is read from a file that may be anybody's.
const LONGEST_VERSION: usize = 40;

/// Whether a version such as `0.12.3` is later than another; what is none is not.
fn is_newer(version: &str, than: &str) -> bool {
    let parts = |version: &str| -> Option<Vec<u64>> {
        let release = version.split(['-', '+']).next()?;
        release.split('.').map(|part| part.parse().ok()).collect()
    };
    matches!((parts(version), parts(than)), (Some(version), Some(than)) if version > than)
}

/// Read `inputs.json`, and see that it is of the training of `card`.
///
/// # Errors
/// The file is missing, damaged, or of another training.
pub fn load_inputs(files: &ModelFiles, card: &ModelCard) -> Result<InputEncoder, PredictError> {
    let path = files.inputs();
    let bytes = read_checked(&path, |bytes| blake3::hash(bytes).to_hex().as_str() == card.inputs_blake3)?;
    let failed = |reason: String| PredictError::File { path: path.clone(), reason };
    let inputs: InputEncoder = serde_json::from_slice(&bytes).map_err(|e| failed(e.to_string()))?;
    inputs.check(card.embedding_dims()).map_err(failed)?;
    Ok(inputs)
}

/// Read `novelty.safetensors`, and see that it is of the training of `card`; `None` where that left none, or the file is not there.
///
/// # Errors
/// The file is damaged, of another training, or does not fit the card.
pub fn load_novelty(files: &ModelFiles, card: &ModelCard) -> Result<Option<Novelty>, PredictError> {
    let path = files.novelty();
    let Some(expected) = card.novelty_xxh3.as_ref().filter(|_| path.exists()) else { return Ok(None) };
    let bytes = read_checked(&path, |bytes| quick_checksum(bytes) == *expected)?;
    let fields = card.config.encoded_fields().len();
    let dims = card.embedding_dims() / fields.max(1);
    let novelty = Novelty::load(&path, Whole::Mapped(bytes), fields, dims);
    Ok(Some(novelty.map_err(HeadError::from)?))
}

/// Read `head.safetensors`, and see that it is of the training of `card`; `networks` is asked for what is a network's.
///
/// # Errors
/// The file is missing, damaged, of another training, or does not fit the card; or it is a network's without `networks`.
pub fn load_head(
    files: &ModelFiles,
    card: &ModelCard,
    networks: Option<&dyn Networks>,
) -> Result<Box<dyn Head>, PredictError> {
    Ok(heads::load(&card.head, load_tensors(files, card)?, networks)?)
}

/// The weights in `head.safetensors`, seen to be of the training of `card`.
///
/// # Errors
/// The file is missing, damaged, or of another training.
pub fn load_tensors(files: &ModelFiles, card: &ModelCard) -> Result<Tensors, PredictError> {
    let path = files.head();
    let bytes = read_checked(&path, |bytes| match &card.head_xxh3 {
        Some(expected) => quick_checksum(bytes) == *expected,
        None => blake3::Hasher::new().update_rayon(bytes).finalize().to_hex().as_str() == card.head_blake3,
    })?;
    Ok(Tensors::parse(&path, Whole::Mapped(bytes)).map_err(HeadError::from)?)
}

fn read_checked(path: &Path, expected: impl Fn(&[u8]) -> bool) -> Result<memmap2::Mmap, PredictError> {
    let failed = |reason: String| PredictError::File { path: path.to_owned(), reason };
    let bytes = map(path).map_err(|e| failed(e.to_string()))?;
    if !expected(&bytes) {
        return Err(failed("it is damaged, or of another training than model.json".to_owned()));
    }
    Ok(bytes)
}

/// `calibration.json`; `None` where there is no such file, or one of another training.
///
/// # Errors
/// The file is damaged.
pub fn load_calibration(files: &ModelFiles, card: &ModelCard) -> Result<Option<Calibration>, PredictError> {
    if !files.calibration().exists() {
        return Ok(None);
    }
    let calibration: Calibration = read_json(&files.calibration())?;
    check_calibration(&calibration, card.classes.len())
        .map_err(|reason| PredictError::File { path: files.calibration(), reason })?;
    Ok((calibration.head_blake3 == card.head_blake3).then_some(calibration))
}

/// Read `metrics.json`.
///
/// # Errors
/// It is missing or damaged.
pub fn load_evaluation(files: &ModelFiles) -> Result<Evaluation, PredictError> {
    read_json(&files.metrics())
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, PredictError> {
    let failed = |reason: String| PredictError::File { path: path.to_owned(), reason };
    let bytes = std::fs::read(path).map_err(|e| failed(e.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|e| failed(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        for (version, than, expected) in [
            ("0.2.0", "0.1.9", true),
            ("0.10.0", "0.9.0", true),
            ("1.0.0-beta.1", "0.9.0", true),
            ("0.1.0", "0.1.0", false),
            ("0.1.0", "0.1.1", false),
            ("", "0.1.0", false),
            ("new", "0.1.0", false),
            ("99999999999999999999.0", "0.1.0", false),
        ] {
            assert_eq!(is_newer(version, than), expected, "{version} {than}");
        }
    }

    #[test]
    fn a_model_of_a_newer_program_is_refused_with_its_version() {
        let folder = tempfile::tempdir().unwrap();
        let files = ModelFiles { folder: folder.path().to_owned() };
        let text = std::fs::read_to_string("tests/data/built_before/kernel/model.json").unwrap();
        let card: serde_json::Value = serde_json::from_str(&text).unwrap();
        let said = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut card = card.clone();
            change(&mut card);
            std::fs::write(files.card(), card.to_string()).unwrap();
            load_card(&files).map_err(|e| (e.to_string(), e.hint().unwrap_or_default()))
        };
        said(&|_| {}).unwrap();
        // Another format, whatever else is in it.
        let (message, hint) = said(&|card| {
            *card = serde_json::json!({ "format": FORMAT + 1, "pipeline_version": "0.9.0", "layers": [] });
        })
        .unwrap_err();
        assert!(message.contains("was written by pipeline 0.9.0"), "{message}");
        assert!(message.contains(&format!("its format is {}", FORMAT + 1)), "{message}");
        assert!(hint.contains("install pipeline 0.9.0 or later"), "{hint}");
        // The same format with a head that nobody knew here.
        let unknown = |card: &mut serde_json::Value| {
            card["head"] = serde_json::json!({ "kind": "oracle" });
        };
        let (message, _) = said(&unknown).unwrap_err();
        assert!(message.starts_with("cannot read the model file"), "{message}");
        let (message, _) = said(&|card| {
            unknown(card);
            card["pipeline_version"] = "99.0.0".into();
        })
        .unwrap_err();
        assert!(message.contains("was written by pipeline 99.0.0"), "{message}");
        let (message, _) = said(&|card| card["format"] = 1.into()).unwrap_err();
        assert!(message.contains("which is read no more"), "{message}");
    }
}
