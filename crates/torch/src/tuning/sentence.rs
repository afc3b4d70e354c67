//! A sentence encoder that is tuned.

use std::path::Path;

use pipeline::fine_tuning::{Tuned, TuningData, TuningError, TuningRun, TuningSettings, Watch};
use serde_json::json;
use tch::Device;

use super::fit::tune;
use super::folder::BertFolder;
use super::model::Model;
use super::readout::{Pool, Pooling, Readout};
use super::written::NewFolder;

/// A BERT that makes a vector of a text, in a folder of sentence-transformers or of transformers.
pub struct SentenceEncoder(pub(super) Model);

impl SentenceEncoder {
    /// Open a folder with config.json, tokenizer.json and model.safetensors; its vectors are what modules.json says, and the
    /// mean of the tokens' where there is none. Texts are cut at `max_tokens`, else where the folder says.
    ///
    /// # Errors
    /// A file is missing or is not what it should be; or the folder asks for what cannot be tuned, such as a dense layer.
    pub fn open(path: &Path, max_tokens: Option<usize>) -> Result<Self, TuningError> {
        let folder = BertFolder::open(path, max_tokens)?;
        let pooling = match &folder.sentence {
            None => Pooling { pool: Pool::Mean, normalize: false },
            Some(sentence) => {
                let refused = |reason: &str| TuningError::Folder {
                    path: path.join("modules.json"),
                    reason: format!("{reason}, which cannot be tuned"),
                };
                if sentence.dense.is_some() {
                    return Err(refused("it has a Dense module"));
                }
                let modes = sentence.pooling;
                let pool = match (modes.pooling_mode_cls_token, modes.pooling_mode_mean_tokens) {
                    _ if modes.pooling_mode_max_tokens || modes.pooling_mode_mean_sqrt_len_tokens => None,
                    (true, false) => Some(Pool::First),
                    (false, true) => Some(Pool::Mean),
                    (true, true) | (false, false) => None,
                };
                let pool =
                    pool.ok_or_else(|| refused("its pooling is neither the mean nor the first token"))?;
                Pooling { pool, normalize: sentence.normalize }
            }
        };
        Ok(Self(Model::new(folder, pooling, Readout::Linear)))
    }

    /// Tune it on `device` with a new head, which is only there to teach it. After an error it is no longer of use.
    ///
    /// # Errors
    /// Settings or data that cannot be, divergence, interruption by `watch`, a checkpoint that cannot be written.
    pub fn tune(
        &mut self,
        data: &TuningData<'_>,
        settings: &TuningSettings,
        run: Option<&TuningRun>,
        device: Device,
        watch: Watch<'_>,
    ) -> Result<Tuned, TuningError> {
        tune(&mut self.0, data, settings, run, device, watch)
    }

    /// The vectors of `texts` one behind the other.
    ///
    /// # Errors
    /// The tokenizer or libtorch failed.
    pub fn embed(&self, texts: &[&str]) -> Result<Vec<f32>, TuningError> {
        self.0.embed(texts)
    }

    /// Write a folder of sentence-transformers, in the place of what was there: the configs and the tokenizer of the one that was
    /// opened, and the weights, adapters merged, float32.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub fn save(&mut self, path: &Path) -> Result<(), TuningError> {
        let model = &mut self.0;
        model.bert.merge_adapters();
        let folder = NewFolder::begin(path)?;
        folder.config(model, serde_json::Map::new())?;
        match &model.folder.sentence {
            Some(sentence) => {
                let from = &model.folder.path;
                folder.copy(from, "modules.json")?;
                for file in ["sentence_bert_config.json", "config_sentence_transformers.json"] {
                    if from.join(file).exists() {
                        folder.copy(from, file)?;
                    }
                }
                if let Some(file) = sentence.pooling_file.strip_prefix(from).ok().and_then(Path::to_str) {
                    folder.copy(from, file)?;
                }
            }
            None => {
                let module = |at: usize, path: &str, kind: &str| {
                    json!({
                        "idx": at, "name": at.to_string(), "path": path,
                        "type": format!("sentence_transformers.models.{kind}"),
                    })
                };
                folder.json(
                    "modules.json",
                    &json!([module(0, "", "Transformer"), module(1, "1_Pooling", "Pooling")]),
                )?;
                let pooling = json!({
                    "word_embedding_dimension": model.bert.config.hidden_size,
                    "pooling_mode_cls_token": false,
                    "pooling_mode_mean_tokens": true,
                    "pooling_mode_max_tokens": false,
                    "pooling_mode_mean_sqrt_len_tokens": false,
                });
                folder.json("1_Pooling/config.json", &pooling)?;
            }
        }
        let own = |name: &str| {
            let of_encoder = ["embeddings.", "encoder.", "pooler."];
            of_encoder.iter().any(|own| name.starts_with(own)).then(|| name.to_owned())
        };
        folder.model(model, own)?;
        folder.finish()
    }
}
