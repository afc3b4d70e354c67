//! The files of a sentence-transformers folder.

use std::fs;
use std::path::{Path, PathBuf};

use pipeline::embed::EncoderError;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// What modules.json of a sentence-transformers folder says.
pub struct Modules {
    /// The pooling layer's config.
    pub pooling: PathBuf,
    /// The dense layer's folder, if there is one.
    pub dense: Option<PathBuf>,
    /// Whether embeddings are scaled to length 1.
    pub normalize: bool,
}

impl Modules {
    pub fn read(folder: &Path) -> Result<Self, EncoderError> {
        #[derive(Deserialize)]
        struct Module {
            path: String,
            #[serde(rename = "type")]
            kind: String,
        }
        let path = folder.join("modules.json");
        let modules: Vec<Module> = read_json(&path)?;
        let module =
            |suffix: &str| modules.iter().find(|m| m.kind.ends_with(suffix)).map(|m| folder.join(&m.path));
        let pooling = module(".Pooling").ok_or_else(|| EncoderError::Invalid {
            path,
            reason: "has no Pooling module; only sentence-transformers folders can be used".into(),
        })?;
        Ok(Self {
            pooling: pooling.join("config.json"),
            dense: module(".Dense"),
            normalize: module(".Normalize").is_some(),
        })
    }
}

/// The weights of a folder: safetensors, else rust-bert's own `.ot`.
pub fn weights_file(folder: &Path) -> Result<PathBuf, EncoderError> {
    ["model.safetensors", "rust_model.ot"].iter().map(|n| folder.join(n)).find(|p| p.exists()).ok_or_else(
        || EncoderError::Invalid {
            path: folder.to_owned(),
            reason: "has neither model.safetensors nor rust_model.ot; save the model with \
                     save_pretrained(safe_serialization=True)"
                .into(),
        },
    )
}

pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, EncoderError> {
    let bytes = fs::read(path).map_err(|source| EncoderError::Read { path: path.to_owned(), source })?;
    serde_json::from_slice(&bytes)
        .map_err(|e| EncoderError::Invalid { path: path.to_owned(), reason: e.to_string() })
}
