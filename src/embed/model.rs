//! Where an encoder's files are, what they say, and the fingerprint that stands for them in cache keys.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::config::Precision;
use crate::store::{checksum, user_cache};

/// Raised when the encoder's arithmetic changes, so that no embedding of another one is taken from a cache.
const FORWARD: u32 = 2;

/// An encoder whose files are here.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The sentence-transformers folder.
    pub folder: PathBuf,
    /// Length of an embedding.
    pub dims: usize,
    /// Tokens after which a text is cut.
    pub max_tokens: usize,
    /// Number format of the weights, never `auto`.
    pub precision: Precision,
    /// Hash of everything that decides the vectors: weights, tokenizer, configs, token limit, precision, arithmetic.
    pub fingerprint: String,
}

/// One encoder, or several whose embeddings of a text stand side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoders {
    /// At least one.
    pub models: Vec<Model>,
}

impl Encoders {
    /// Length of the embeddings of a text side by side.
    pub fn dims(&self) -> usize {
        self.models.iter().map(|model| model.dims).sum()
    }

    /// The encoder's, or a hash of all.
    pub fn fingerprint(&self) -> String {
        match &self.models[..] {
            [only] => only.fingerprint.clone(),
            all => {
                let joined: Vec<&str> = all.iter().map(|model| model.fingerprint.as_str()).collect();
                blake3::hash(joined.join("\n").as_bytes()).to_hex()[..32].to_owned()
            }
        }
    }

    /// Tokens after which the first encoder cuts a text.
    pub fn max_tokens(&self) -> usize {
        self.models[0].max_tokens
    }
}

/// Where a model name leads.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// A folder on this machine.
    Here(PathBuf),
    /// A model of the hub, to be downloaded into `folder`.
    Hub {
        /// `owner/model`.
        name: String,
        /// Where it will be kept.
        folder: PathBuf,
    },
}

/// Why a model folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// There is no such encoder.
    #[error(
        "there is no encoder `{model}`: not a folder, and not installed in {}\n  \
         hint: `make setup` installs all-MiniLM-L6-v2; encoder.model (or --model) also takes a sentence-transformers \
         folder or a hub name such as sentence-transformers/all-MiniLM-L6-v2",
        cache.display()
    )]
    Unknown {
        /// What was asked for.
        model: String,
        /// The per-user cache.
        cache: PathBuf,
    },
    /// The folder lacks a file, or the file is not what it should be.
    #[error("the encoder folder {} cannot be used: {reason}", folder.display())]
    Unusable {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The token limit is outside what the model can take.
    #[error("encoder.max_tokens = {asked} is outside what the model can take (3 to {limit})")]
    MaxTokens {
        /// What was asked for.
        asked: usize,
        /// The model's positions.
        limit: usize,
    },
}

/// Find `model`: a folder (relative to `project`), a name in the per-user cache, or a hub name (`owner/model`).
///
/// # Errors
/// [`ModelError::Unknown`] when it is none of these.
pub fn locate(model: &str, project: &Path) -> Result<Place, ModelError> {
    let folder = project.join(model);
    if folder.is_dir() {
        return Ok(Place::Here(folder));
    }
    let cache = user_cache();
    for known in [cache.join(model), cache.join("hub").join(model.replace('/', "--"))] {
        if known.is_dir() {
            return Ok(Place::Here(known));
        }
    }
    let parts: Vec<&str> = model.split('/').collect();
    let hub_name = |s: &&str| !s.is_empty() && !s.starts_with('.') && !s.contains(char::is_whitespace);
    if parts.len() == 2 && parts.iter().all(hub_name) {
        let folder = cache.join("hub").join(parts.join("--"));
        return Ok(Place::Hub { name: model.to_owned(), folder });
    }
    Err(ModelError::Unknown { model: model.to_owned(), cache })
}

impl Model {
    /// Read what the configs of a sentence-transformers folder say and fingerprint its files.
    ///
    /// # Errors
    /// A file is missing or is not JSON, or `max_tokens` is more than the model has positions for.
    pub fn open(folder: &Path, max_tokens: Option<usize>, precision: Precision) -> Result<Self, ModelError> {
        let unusable = |reason: String| ModelError::Unusable { folder: folder.to_owned(), reason };
        let json = |file: &str| -> Result<Value, ModelError> {
            let bytes = std::fs::read(folder.join(file)).map_err(|e| unusable(format!("{file}: {e}")))?;
            serde_json::from_slice(&bytes).map_err(|e| unusable(format!("{file}: {e}")))
        };
        let modules = json("modules.json")?;
        let config = json("config.json")?;
        let mut files = vec!["modules.json".to_owned(), "config.json".into(), "tokenizer.json".into()];
        let mut dims = config["hidden_size"].as_u64().or(config["dim"].as_u64());
        let mut has_dense = false;
        for module in modules.as_array().into_iter().flatten() {
            let path = module["path"].as_str().unwrap_or("");
            let kind = module["type"].as_str().unwrap_or("");
            let known = [".Transformer", ".Pooling", ".Dense", ".Normalize"];
            if !known.iter().any(|k| kind.ends_with(k)) {
                let name = kind.rsplit('.').next().unwrap_or(kind);
                return Err(unusable(format!("modules.json has a `{name}` module, which is not supported")));
            }
            if kind.ends_with(".Dense") && std::mem::replace(&mut has_dense, true) {
                return Err(unusable("modules.json has two Dense modules; one is supported".into()));
            }
            if kind.ends_with(".Pooling") || kind.ends_with(".Dense") {
                let file = format!("{path}/config.json");
                let key = if kind.ends_with(".Dense") { "out_features" } else { "word_embedding_dimension" };
                let module = json(&file)?;
                // Each pooling mode gives one vector; they are concatenated.
                let modes = ["cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens"]
                    .iter()
                    .filter(|mode| module[format!("pooling_mode_{mode}")] == true)
                    .count()
                    .max(1) as u64;
                dims = module[key].as_u64().map(|d| d * modes).or(dims);
                files.push(file);
            }
            if kind.ends_with(".Dense") {
                files.push(format!("{path}/{}", weights(&folder.join(path)).map_err(unusable)?));
            }
        }
        files.push(weights(folder).map_err(unusable)?.into());
        let sentence = json("sentence_bert_config.json").ok();
        if sentence.is_some() {
            files.push("sentence_bert_config.json".into());
        }

        let positions = config["max_position_embeddings"].as_u64().unwrap_or(512) as usize;
        // RoBERTa's positions begin after the padding index.
        let limit = if config["model_type"] == "roberta" { positions.saturating_sub(2) } else { positions };
        let own =
            sentence.and_then(|s| s["max_seq_length"].as_u64()).map_or(limit, |n| (n as usize).min(limit));
        if let Some(asked) = max_tokens
            && !(3..=limit).contains(&asked)
        {
            return Err(ModelError::MaxTokens { asked, limit });
        }
        let max_tokens = max_tokens.unwrap_or(own);
        let precision = precision.resolved();

        let mut hasher = blake3::Hasher::new();
        for file in &files {
            let sum = checksum(&folder.join(file)).map_err(|e| unusable(e.to_string()))?;
            hasher.update(format!("{file}={sum}\n").as_bytes());
        }
        let decided = format!("max_tokens={max_tokens}\nprecision={precision:?}\nforward={FORWARD}\n");
        hasher.update(decided.as_bytes());
        Ok(Self {
            folder: folder.to_owned(),
            dims: dims.ok_or_else(|| unusable("no config states the embedding length".into()))? as usize,
            max_tokens,
            precision,
            fingerprint: hasher.finalize().to_hex()[..32].to_owned(),
        })
    }
}

/// Name of the weights file in a folder: safetensors, else rust-bert's own `.ot`.
fn weights(folder: &Path) -> Result<&'static str, String> {
    ["model.safetensors", "rust_model.ot"].into_iter().find(|f| folder.join(f).exists()).ok_or_else(|| {
        "it has neither model.safetensors nor rust_model.ot; save the model with safe_serialization=True"
            .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "modules.json",
            r#"[{"path": "", "type": "x.Transformer"}, {"path": "1_Pooling", "type": "x.Pooling"}]"#,
        );
        write("config.json", r#"{"model_type": "bert", "hidden_size": 8, "max_position_embeddings": 512}"#);
        write("1_Pooling/config.json", r#"{"word_embedding_dimension": 8}"#);
        write("sentence_bert_config.json", r#"{"max_seq_length": 256}"#);
        write("tokenizer.json", "{}");
        write("model.safetensors", "weights");
        folder
    }

    #[test]
    fn the_fingerprint_follows_everything_that_decides_the_vectors() {
        let folder = folder();
        let open = |max, precision| Model::open(folder.path(), max, precision).unwrap();
        let plain = open(None, Precision::F32);
        assert_eq!((plain.dims, plain.max_tokens), (8, 256));
        assert_eq!(open(None, Precision::F32), plain);
        assert_ne!(open(Some(128), Precision::F32).fingerprint, plain.fingerprint);
        assert_ne!(open(None, Precision::Bf16).fingerprint, plain.fingerprint);
        let native = open(None, Precision::Auto);
        assert_eq!(native, open(None, native.precision));
        assert_ne!(native.precision, Precision::Auto);
        for file in ["model.safetensors", "tokenizer.json", "1_Pooling/config.json"] {
            let before = fs::read(folder.path().join(file)).unwrap();
            fs::write(folder.path().join(file), [&before[..], b" "].concat()).unwrap();
            assert_ne!(open(None, Precision::F32).fingerprint, plain.fingerprint, "{file}");
            fs::write(folder.path().join(file), before).unwrap();
        }
    }

    #[test]
    fn what_is_missing_or_too_long_is_said() {
        let folder = folder();
        let error = Model::open(folder.path(), Some(600), Precision::F32).unwrap_err().to_string();
        assert!(error.contains("600") && error.contains("512"), "{error}");
        let modules = r#"[{"path": "", "type": "x.Transformer"}, {"path": "2", "type": "x.LayerNorm"}]"#;
        let before = fs::read(folder.path().join("modules.json")).unwrap();
        fs::write(folder.path().join("modules.json"), modules).unwrap();
        let error = Model::open(folder.path(), None, Precision::F32).unwrap_err().to_string();
        assert!(error.contains("`LayerNorm` module"), "{error}");
        fs::write(folder.path().join("modules.json"), before).unwrap();
        fs::remove_file(folder.path().join("model.safetensors")).unwrap();
        let error = Model::open(folder.path(), None, Precision::F32).unwrap_err().to_string();
        assert!(error.contains("model.safetensors"), "{error}");
    }

    #[test]
    fn names_lead_to_folders_or_the_hub_or_an_explanation() {
        let folder = folder();
        let here = locate(".", folder.path()).unwrap();
        assert_eq!(here, Place::Here(folder.path().join(".")));
        assert!(
            matches!(locate("owner/no-such", folder.path()).unwrap(), Place::Hub { name, .. } if name == "owner/no-such")
        );
        let error = locate("no-such", folder.path()).unwrap_err().to_string();
        assert!(error.contains("no-such") && error.contains("make setup"), "{error}");
    }
}
