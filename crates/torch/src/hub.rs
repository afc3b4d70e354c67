//! Encoders named by their hub name, fetched through rust-bert's remote resources.

use std::fs;
use std::path::{Path, PathBuf};

use pipeline::embed::EncoderError;
use rust_bert::resources::{RemoteResource, ResourceProvider};

/// Download the sentence-transformers model `name` (`owner/model`) into the new folder `target`.
///
/// The folder appears only when every file is there. Files that a model may lack (a Dense layer, the sentence config)
/// are looked for where modules.json names them.
///
/// # Errors
/// The file that could not be had, or the folder that could not be written.
pub fn fetch(name: &str, target: &Path) -> Result<(), EncoderError> {
    let store = |source| EncoderError::Read { path: target.to_owned(), source };
    let fresh = target.with_extension(format!("tmp-{}", std::process::id()));
    let get = |file: &str| -> Result<PathBuf, EncoderError> {
        let url = format!("https://huggingface.co/{name}/resolve/main/{file}");
        let local = RemoteResource::from_pretrained((name, &url)).get_local_path().map_err(|e| {
            EncoderError::Hub { model: name.into(), file: file.into(), reason: e.to_string() }
        })?;
        let path = fresh.join(file);
        fs::create_dir_all(path.parent().unwrap_or(&fresh)).map_err(store)?;
        fs::copy(local, &path).map_err(store)?;
        Ok(path)
    };
    let modules = get("modules.json")?;
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        get(file)?;
    }
    let _ = get("sentence_bert_config.json");
    let text = fs::read_to_string(modules).map_err(store)?;
    let modules: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap_or_default();
    for module in &modules {
        let (path, kind) = (module["path"].as_str().unwrap_or(""), module["type"].as_str().unwrap_or(""));
        if kind.ends_with(".Pooling") || kind.ends_with(".Dense") {
            get(&format!("{path}/config.json"))?;
        }
        if kind.ends_with(".Dense") {
            get(&format!("{path}/model.safetensors"))?;
        }
    }
    fs::rename(&fresh, target).map_err(store)
}
