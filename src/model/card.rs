//! What the JSON files of a saved model say.

use serde::{Deserialize, Serialize};

use pipeline_encoder::{Arithmetic, Known, Precision};

use crate::config::Config;
use crate::device::Device;
use crate::evaluate::{Decision, LabelSets};
use crate::heads::{BlockKind, HeadShape};
use crate::table::Wanted;

/// Format of a model's folder: 4 may have landmarks in half precision. A model of a greater one is refused.
pub const FORMAT: u32 = 4;

/// The oldest format that is read.
pub const OLDEST_FORMAT: u32 = 3;

/// `model.json`: everything but the numbers that a prediction needs, on any machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// [`FORMAT`].
    pub format: u32,
    /// Version of the program that trained it.
    pub pipeline_version: String,
    /// Class names, in the order of the probabilities.
    pub classes: Vec<String>,
    /// The encoders whose embeddings, side by side, the head was trained on; mostly one.
    pub encoders: Vec<EncoderCard>,
    /// Layers of the head.
    pub head: HeadShape,
    /// Where libtorch trained the head; absent where it did not, and in models of older programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_device: Option<Device>,
    /// BLAKE3 of `head.safetensors`, hex: the name of the training.
    pub head_blake3: String,
    /// [`crate::store::quick_checksum`] of `head.safetensors`, by which it is checked; models of older programs have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_xxh3: Option<String>,
    /// BLAKE3 of `inputs.json`, hex.
    pub inputs_blake3: String,
    /// [`crate::store::quick_checksum`] of `novelty.safetensors`; absent where there were too few rows to tell what is unlike them, and in
    /// models of older programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub novelty_xxh3: Option<String>,
    /// The resolved config of the training.
    pub config: Config,
}

/// An encoder of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncoderCard {
    /// Folder or name it was given by.
    pub model: String,
    /// Hash of its weights, tokenizer and settings.
    pub fingerprint: String,
    /// Length of an embedding.
    pub dims: usize,
    /// Tokens after which a text is cut.
    pub max_tokens: usize,
    /// Number format of its weights.
    pub precision: Precision,
    /// How its numbers are computed; models of older programs do not say, their fingerprint does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arithmetic: Option<Arithmetic>,
    /// Checksum of its files, so that they are known again without hashing them for the fingerprint; models of older programs
    /// have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xxh3: Option<String>,
    /// Whether it was tuned for the model, and lies in its folder.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tuned: bool,
    /// Where it was tuned; absent where it was not, and in models of older programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
}

impl EncoderCard {
    /// What is remembered of it.
    pub fn known(&self) -> Known<'_> {
        let EncoderCard { max_tokens, fingerprint, .. } = self;
        Known { max_tokens: *max_tokens, fingerprint, checked: self.xxh3.as_deref().zip(self.arithmetic) }
    }
}

impl ModelCard {
    /// Names of the numbers behind the label, where the head has learned them; both are one where the label has one number.
    pub fn ends(&self) -> Vec<&str> {
        match &self.config.label.range {
            Some(rule) if self.head.blocks().iter().any(|block| block.kind == BlockKind::Values) => {
                rule.ends()
            }
            _ => Vec::new(),
        }
    }

    /// Values of the embeddings of all text fields of a row.
    pub fn embedding_dims(&self) -> usize {
        let dims: usize = self.encoders.iter().map(|encoder| encoder.dims).sum();
        dims * self.config.encoded_fields().len()
    }

    /// The columns that the model wants in new data.
    pub fn wanted(&self) -> Wanted<'_> {
        Wanted {
            texts: &self.config.data.text_fields,
            join_text: self.config.data.join_text,
            numeric: &self.config.features.numeric,
            categorical: &self.config.features.categorical,
            missing: &self.config.data.missing,
        }
    }
}

/// `calibration.json`: what makes probabilities mean what they say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Probabilities are raised to 1 / this and renormalised.
    pub temperature: f64,
    /// How these become an answer; of older programs the likeliest class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// Which classes a row may have, where a share of the rows is to be covered; older programs do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sets: Option<LabelSets>,
    /// BLAKE3 of the `head.safetensors` that it was fitted for, hex.
    pub head_blake3: String,
}
