//! A whole `pipeline.toml`: reading it, and what follows from several sections.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::augment::AugmentConfig;
use super::collect::CollectConfig;
use super::data::DataConfig;
use super::encoder::EncoderConfig;
use super::error::ConfigError;
use super::evaluate::EvaluateConfig;
use super::features::FeatureConfig;
use super::gates::GatesConfig;
use super::label::LabelConfig;
use super::names::with_nearest_key;
use super::number::{Number, whole};
use super::section::Section;
use super::split::SplitConfig;
use super::train::TrainConfig;
use super::tune::TuneConfig;
use super::validate::ValidateConfig;

/// Greatest seed: TOML has no greater whole number.
const GREATEST_SEED: usize = i64::MAX as usize;

/// A whole `pipeline.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the dataset and its model; folders under `data/` carry it. Letters, digits, `-` and `_`.
    pub name: String,
    /// Seed of every random choice: any whole number in `[0, 2⁶³ - 1]`, 42 by default. Each consumer derives a stream of its
    /// own from it by name.
    #[serde(default = "seed")]
    pub seed: u64,
    /// Raw files and text fields.
    pub data: DataConfig,
    /// Where the label comes from.
    pub label: LabelConfig,
    /// Tabular features joined to the embedding.
    #[serde(default)]
    pub features: FeatureConfig,
    /// The sentence encoder.
    #[serde(default)]
    pub encoder: EncoderConfig,
    /// Train, validation and test parts.
    #[serde(default)]
    pub split: SplitConfig,
    /// Augmentation of the training part.
    #[serde(default)]
    pub augment: AugmentConfig,
    /// The head and how it is trained.
    #[serde(default)]
    pub train: TrainConfig,
    /// Cross-validation.
    #[serde(default)]
    pub evaluate: EvaluateConfig,
    /// Limits that a model must keep.
    #[serde(default)]
    pub gates: GatesConfig,
    /// What `pipeline validate` demands of the data.
    #[serde(default)]
    pub validate: ValidateConfig,
    /// What `pipeline tune` tries.
    #[serde(default)]
    pub tune: TuneConfig,
    /// Rows that were not in the raw files.
    #[serde(default, skip_serializing_if = "CollectConfig::is_default")]
    pub collect: CollectConfig,
}

fn seed() -> u64 {
    42
}

impl Config {
    /// Read and check the file at `path`.
    ///
    /// # Errors
    /// The file is unreadable, not TOML, has an unknown key (the nearest known one is named), a value that is not one of
    /// those that it may be, or lets the label into the input.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// A config made by a program, of `table`: checked, settings without an effect at their defaults.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn made(table: &toml::Table, path: &Path) -> Result<Self, ConfigError> {
        let unreadable =
            |e: toml::ser::Error| ConfigError::Parse { path: path.to_owned(), message: e.to_string() };
        Ok(Self::read(&toml::to_string(table).map_err(unreadable)?, path)?.without_dead_settings())
    }

    /// Read and check `text`; `path` is where it comes from, for messages.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let config = Self::read(text, path)?;
        config.check_effects().map_err(|fault| fault.of(path))?;
        Ok(config)
    }

    /// As [`Config::parse`], but settings without an effect are let pass.
    pub(super) fn read(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |message: String| ConfigError::Parse { path: path.to_owned(), message };
        let toml =
            toml::Deserializer::parse(text).map_err(|e| unreadable(e.to_string().trim_end().to_owned()))?;
        let config: Self = serde_path_to_error::deserialize(toml).map_err(|e| {
            let key = e.path().to_string();
            unreadable(with_key(e.into_inner().to_string().trim_end(), &key))
        })?;
        config.check().map_err(|fault| fault.of(path))?;
        Ok(config)
    }

    /// All sections, in the order of the file.
    pub(super) fn sections(&self) -> [&dyn Section; 26] {
        let (augment, train) = (&self.augment, &self.train);
        [
            &self.data,
            &self.label,
            &self.features,
            &self.encoder,
            &self.split,
            &augment.synonyms,
            &augment.eda,
            &augment.back_translation,
            &augment.mixup,
            &augment.smote,
            train,
            &train.kernel,
            &train.trees,
            &train.tuning,
            &train.ensemble,
            &train.plateau,
            &self.evaluate,
            &self.gates,
            &self.validate,
            &self.tune,
            &self.collect,
            &self.collect.gate,
            &self.collect.model,
            &self.collect.generate,
            &self.collect.paraphrase,
            &self.collect.scrape,
        ]
    }

    /// Every number of the file, set or not.
    pub(super) fn numbers(&self) -> Vec<Number> {
        let mut numbers = vec![whole("seed", usize::try_from(self.seed).ok(), 0..=GREATEST_SEED)];
        numbers.extend(self.sections().into_iter().flat_map(Section::numbers));
        numbers
    }

    /// The least that a file must say, and no number in a list: its numbers are what every file's may be.
    pub(super) fn least() -> Self {
        toml::from_str("name = \"\"\ndata = { files = [], text_fields = [] }\nlabel = {}\ntrain.hidden = []")
            .unwrap_or_else(|e| unreachable!("a config as the tests read it: {e}"))
    }

    /// Weight of each text field's embedding, in their order.
    pub fn field_weights(&self) -> Vec<f32> {
        let weight = |field| self.features.field_weights.get(field).copied().unwrap_or(1.0) as f32;
        self.data.text_fields.iter().map(weight).collect()
    }

    /// The columns that are inputs, by the key that names them.
    pub(super) fn inputs(&self) -> [(&'static str, &[String]); 3] {
        [
            ("data.text_fields", &self.data.text_fields),
            ("features.numeric", &self.features.numeric),
            ("features.categorical", &self.features.categorical),
        ]
    }

    /// The columns that the label is computed from.
    pub fn label_columns(&self) -> Vec<&str> {
        match (&self.label.column, &self.label.range) {
            (Some(column), _) => vec![column],
            (None, Some(rule)) => vec![&rule.min, &rule.max],
            (None, None) => vec![],
        }
    }

    /// The column whose equal value makes two rows duplicates, where one is named.
    pub fn title(&self) -> Option<&str> {
        self.data.title.as_deref()
    }

    /// Every column the config names, each once, label columns first.
    pub fn columns(&self) -> Vec<&str> {
        let mut columns = self.label_columns();
        columns.extend(self.inputs().into_iter().flat_map(|(_, c)| c).map(String::as_str));
        columns.extend(self.train.tasks.iter().map(|task| task.column.as_str()));
        for more in self.title().into_iter().chain(self.label.weight.as_deref()) {
            if !columns.contains(&more) {
                columns.push(more);
            }
        }
        columns
    }

    /// Names of the texts each row has for the encoder: the text fields, or one joined text.
    pub fn encoded_fields(&self) -> Vec<String> {
        if self.data.join_text { vec!["text".into()] } else { self.data.text_fields.clone() }
    }

    /// A seed for the consumer `name`, so that adding a consumer does not move the others.
    pub fn seed_for(&self, name: &str) -> u64 {
        let hash = blake3::hash(format!("{}/{name}", self.seed).as_bytes());
        u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap_or_else(|_| unreachable!("8 bytes")))
    }
}

/// What serde says of the value of `key`, with the key, and of a number with what it may be: serde says only where the value
/// stands and of which of Rust's types it should be.
fn with_key(message: &str, key: &str) -> String {
    if message.contains("unknown field `") {
        return with_nearest_key(message);
    }
    match Config::least().numbers().into_iter().find(|number| number.speaks_of(key)) {
        Some(number) => format!("{message}\n  {key} must be {}", number.bounds),
        None if key == "." => message.to_owned(),
        None => format!("{message}\n  the key is {key}"),
    }
}
