//! The folder of a BERT, with or without the modules of sentence-transformers, read without trust.

use std::fs;
use std::path::{Path, PathBuf};

use pipeline::fine_tuning::TuningError;
use pipeline_encoder::{Folder, Truncating};
use serde_json::Value;

use super::config::Config;
use super::weights::{self, Weights};

/// The file of the weights.
pub const WEIGHTS: &str = "model.safetensors";

/// The file of the config.
pub const CONFIG: &str = "config.json";

/// A BERT's folder and what is in it.
pub struct BertFolder {
    pub path: PathBuf,
    pub config: Config,
    /// All of config.json.
    pub json: serde_json::Map<String, Value>,
    /// By the names of `BertModel`, and those of a pooler and classifier where there are any.
    pub weights: Weights,
    /// What sentence-transformers has said, where the folder is one of its.
    pub sentence: Option<Folder>,
    pub tokenizer: Truncating,
}

impl BertFolder {
    /// Read a folder with config.json, model.safetensors and tokenizer.json; texts are cut at `max_tokens`, else where the folder
    /// says, else at the last place that the model has.
    ///
    /// # Errors
    /// A file is missing or is not what it should be: another model, a tensor that is missing, of another size or unknown.
    pub fn open(path: &Path, max_tokens: Option<usize>) -> Result<Self, TuningError> {
        let file = path.join(CONFIG);
        let invalid = |reason: String| TuningError::Folder { path: file.clone(), reason };
        let bytes = fs::read(&file).map_err(|e| invalid(e.to_string()))?;
        let json = serde_json::from_slice(&bytes).map_err(|e| invalid(e.to_string()))?;
        let config: Config = serde_json::from_slice(&bytes).map_err(|e| invalid(e.to_string()))?;
        config.check().map_err(&invalid)?;
        let weights = read_weights(&path.join(WEIGHTS), &config)?;
        let modules = path.join("modules.json").exists();
        let sentence =
            modules.then(|| Folder::open(path)).transpose().map_err(pipeline_encoder::EncoderError::from)?;
        let places = config.max_position_embeddings as usize;
        let (limit, lower_case) = match &sentence {
            Some(folder) => {
                let limit = folder.max_tokens(max_tokens).map_err(pipeline_encoder::EncoderError::from)?;
                (limit, folder.lower_case)
            }
            None => (max_tokens.unwrap_or(places), false),
        };
        if limit > places {
            return Err(TuningError::setting(
                "encoder.max_tokens",
                limit,
                format!("the model has {places} places"),
            ));
        }
        let tokenizer = Truncating::open(path, limit, lower_case)?;
        Ok(Self { path: path.to_owned(), config, json, weights, sentence, tokenizer })
    }

    /// BLAKE3 of its weights, as hex.
    ///
    /// # Errors
    /// libtorch failed.
    pub fn fingerprint(weights: &Weights) -> Result<String, TuningError> {
        let mut hasher = blake3::Hasher::new();
        for (name, tensor) in weights {
            hasher.update(name.as_bytes());
            hasher.update(&weights::bytes(tensor)?);
        }
        Ok(hasher.finalize().to_hex().to_string())
    }
}

/// The name in `BertModel` of a tensor of any BERT; `None` for what other heads and older programs have left.
fn canonical(name: &str) -> Option<String> {
    let own = name.strip_prefix("bert.").unwrap_or(name);
    if own == "embeddings.position_ids" || own == "embeddings.token_type_ids" || own.starts_with("cls.") {
        return None;
    }
    // TensorFlow's names of a layer norm.
    Some(own.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias"))
}

fn read_weights(path: &Path, config: &Config) -> Result<Weights, TuningError> {
    let invalid = |reason: String| TuningError::Folder { path: path.to_owned(), reason };
    let (mut found, _) = weights::read(path, canonical)?;
    let mut own = Weights::new();
    for (name, size) in config.weights() {
        let tensor = found.remove(&name).ok_or_else(|| invalid(format!("it has no weight `{name}`")))?;
        if tensor.size() != size {
            return Err(invalid(format!(
                "the weight `{name}` has the size {:?}, expected {size:?}",
                tensor.size()
            )));
        }
        own.insert(name, tensor);
    }
    let hidden = config.hidden_size;
    for (name, tensor) in found {
        let size = tensor.size();
        let (fits, expected) = match name.as_str() {
            "pooler.dense.weight" => (size == [hidden, hidden], format!("[{hidden}, {hidden}]")),
            "pooler.dense.bias" => (size == [hidden], format!("[{hidden}]")),
            "classifier.weight" => (size.len() == 2 && size[1] == hidden, format!("[labels, {hidden}]")),
            "classifier.bias" => (size.len() == 1, "[labels]".into()),
            _ => return Err(invalid(format!("it has a weight `{name}`, which no BERT has"))),
        };
        if !fits {
            return Err(invalid(format!("the weight `{name}` has the size {size:?}, expected {expected}")));
        }
        own.insert(name, tensor);
    }
    Ok(own)
}
