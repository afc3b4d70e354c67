//! A saved model and new rows to labels and probabilities.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::{Config, Precision};
use crate::embed::Embeddings;
use crate::inputs::{InputEncoder, RawInputs};
use crate::store::checksum;
use crate::table::{Cells, Wanted};
use crate::train::{Block, BlockKind, Head, HeadError, HeadShape, softmax};

/// Format of `model.json`; a model of another format is refused.
pub const FORMAT: u32 = 3;

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
    /// BLAKE3 of `head.safetensors`, hex.
    pub head_blake3: String,
    /// BLAKE3 of `inputs.json`, hex.
    pub inputs_blake3: String,
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
}

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
        self.folder.join("report.html")
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

/// `calibration.json`: what makes probabilities mean what they say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Probabilities are raised to 1 / this and renormalised.
    pub temperature: f64,
    /// BLAKE3 of the `head.safetensors` that it was fitted for, hex.
    pub head_blake3: String,
}

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PredictError {
    /// A file of the model is missing or damaged.
    #[error("cannot read the model file {}: {reason}\n  hint: train one with `pipeline build`, or name another with --model", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The encoder on this machine is not the one of the training.
    #[error(
        "the encoder in {} is not the one that the model was trained with (fingerprint {found}, expected {expected})\n  \
         hint: install the same encoder; predictions from another one would be wrong",
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
    /// The head failed.
    #[error(transparent)]
    Head(#[from] HeadError),
}

/// Read `model.json` and `inputs.json`, and see that all files are of one training.
///
/// # Errors
/// A file is missing, damaged, or of another format.
pub fn load_card(files: &ModelFiles) -> Result<(ModelCard, InputEncoder), PredictError> {
    let card: ModelCard = read_json(&files.card())?;
    if card.format != FORMAT {
        let reason = format!("its format is {}, this program reads {FORMAT}", card.format);
        return Err(PredictError::File { path: files.card(), reason });
    }
    for (path, expected) in [(files.head(), &card.head_blake3), (files.inputs(), &card.inputs_blake3)] {
        let found = checksum(&path)
            .map_err(|e| PredictError::File { path: path.clone(), reason: e.source.to_string() })?;
        if found != *expected {
            let reason = "it is damaged, or of another training than model.json".to_owned();
            return Err(PredictError::File { path, reason });
        }
    }
    Ok((card, read_json(&files.inputs())?))
}

/// The temperature of `calibration.json`; `None` where there is no such file, or one of another training.
///
/// # Errors
/// The file is damaged.
pub fn load_temperature(files: &ModelFiles, card: &ModelCard) -> Result<Option<f64>, PredictError> {
    if !files.calibration().exists() {
        return Ok(None);
    }
    let calibration: Calibration = read_json(&files.calibration())?;
    Ok((calibration.head_blake3 == card.head_blake3).then_some(calibration.temperature))
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, PredictError> {
    let failed = |reason: String| PredictError::File { path: path.to_owned(), reason };
    let bytes = std::fs::read(path).map_err(|e| failed(e.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|e| failed(e.to_string()))
}

impl ModelCard {
    /// The columns that the model wants in new data.
    pub fn wanted(&self) -> Wanted<'_> {
        Wanted {
            texts: &self.config.data.text_fields,
            join_text: self.config.data.join_text,
            numeric: &self.config.features.numeric,
            categorical: &self.config.features.categorical,
        }
    }
}

/// One field's embeddings beside the other's, row by row, with the tabular features: what a head's inputs are made of.
///
/// `fields` has one matrix a text field, each with one row for every item of `cells`. With a `config`, fields are weighted
/// and the shape of each text follows the numeric features, as it says; without, the texts are taken as they are.
pub fn raw_inputs<'c>(
    fields: &[Embeddings],
    cells: impl Iterator<Item = &'c Cells>,
    config: Option<&Config>,
) -> RawInputs {
    let weights = config.map_or(Vec::new(), Config::field_weights);
    let text_shape = config.is_some_and(|c| c.features.text_shape);
    let mut inputs =
        RawInputs { embedding_dims: fields.iter().map(|f| f.dims).sum(), ..RawInputs::default() };
    for (row, cells) in cells.enumerate() {
        for (i, field) in fields.iter().enumerate() {
            let weight = weights.get(i).copied().unwrap_or(1.0);
            inputs.embedding.extend(field.row(row).iter().map(|value| value * weight));
        }
        let mut numeric = cells.numeric.clone();
        if text_shape {
            numeric.extend(cells.texts.iter().flat_map(|text| shape_of(text)).map(Some));
        }
        inputs.numeric.push(numeric);
        inputs.categories.push(cells.categories.clone());
        inputs.texts.push(cells.texts.join("\n"));
    }
    inputs
}

/// Words, letters a word, exclamation marks and question marks: what an embedding, which is of one length whatever the
/// text, says little about.
fn shape_of(text: &str) -> [f32; 4] {
    let words = text.split_whitespace().count() as f32;
    let letters = text.chars().filter(|c| c.is_alphanumeric()).count() as f32;
    let count = |mark| text.chars().filter(|&c| c == mark).count() as f32;
    [words, letters / words.max(1.0), count('!'), count('?')]
}

/// What a head says of rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    /// Probabilities of the label's classes, `rows × classes`, row-major.
    pub label: Vec<f32>,
    /// For each task, its block and the probabilities of its classes, `rows × its classes`. They are not calibrated.
    pub tasks: Vec<(Block, Vec<f32>)>,
    /// For each row, the two numbers behind the label, lower one first; empty where the head has not learned them.
    pub ranges: Vec<[f32; 2]>,
}

/// The answers of a head of this `shape` to all rows of `raw`.
///
/// # Errors
/// libtorch failed.
pub fn answers(
    head: &dyn Head,
    shape: &HeadShape,
    encoder: &InputEncoder,
    raw: &RawInputs,
) -> Result<Answers, HeadError> {
    let rows: Vec<usize> = (0..raw.numeric.len()).collect();
    if rows.is_empty() {
        return Ok(Answers::default());
    }
    let given = head.logits(&encoder.encode(raw, &rows), encoder.terms(raw, &rows).as_ref())?;
    let width = given.len() / rows.len();
    let (mut answers, mut at) = (Answers::default(), 0);
    for (i, block) in shape.blocks().iter().enumerate() {
        let from = at;
        let own = given.chunks_exact(width).map(|row| &row[from..from + block.width]);
        at += block.width;
        if block.kind == BlockKind::Values {
            answers.ranges = own.map(|row| range_of(row, &block.scales)).collect();
            continue;
        }
        let mut values: Vec<f32> = own.flatten().copied().collect();
        values.chunks_exact_mut(block.width).for_each(softmax);
        match i {
            0 => answers.label = values,
            _ => answers.tasks.push((block.clone(), values)),
        }
    }
    Ok(answers)
}

/// The two ends of a range from the standardised ones.
fn range_of(row: &[f32], scales: &[[f32; 2]]) -> [f32; 2] {
    let [a, b] = [0, 1].map(|end| row[end] * scales[end][1] + scales[end][0]);
    [a.min(b), a.max(b)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_features_stand_side_by_side() {
        let fields = [
            Embeddings { dims: 1, values: vec![1.0, 2.0] },
            Embeddings { dims: 2, values: vec![3.0, 4.0, 5.0, 6.0] },
        ];
        let cells = [Cells::default(), Cells::default()];
        assert_eq!(shape_of("Run! Run, quick!"), [3.0, 11.0 / 3.0, 2.0, 0.0]);
        assert_eq!(shape_of(""), [0.0; 4]);
        assert_eq!(raw_inputs(&fields, cells.iter(), None).embedding, [1.0, 3.0, 4.0, 2.0, 5.0, 6.0]);
        let config = "name = \"t\"\n[data]\nfiles = [\"*.csv\"]\ntext_fields = [\"a\", \"b\"]\n[label]\ncolumn = \"c\"\n\
                      [features]\nfield_weights = { b = 0.5 }";
        let config = Config::parse(config, Path::new("t.toml")).unwrap();
        let weighted = raw_inputs(&fields, cells.iter(), Some(&config)).embedding;
        assert_eq!(weighted, [1.0, 1.5, 2.0, 2.0, 2.5, 3.0]);
    }
}
