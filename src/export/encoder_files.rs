//! The files of an encoder as other programs read them: configs and tokenizer, with the limit of the training.

use std::fs;
use std::path::Path;

use pipeline_encoder::Model;
use serde_json::{Map, Value, json};

use super::error::ExportError;
use super::staging::Staging;
use crate::store::StoreError;

/// Files of a tokenizer that are copied where they are there.
const OF_TOKENIZER: [&str; 2] = ["special_tokens_map.json", "vocab.txt"];

/// A JSON object in the encoder's folder.
///
/// # Errors
/// It cannot be read, or is none.
pub fn read_object(folder: &Path, name: &str) -> Result<Map<String, Value>, ExportError> {
    let path = folder.join(name);
    let bytes = fs::read(&path).map_err(StoreError::of("read", &path))?;
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(ExportError::File { path, reason: "it is no JSON object".into() }),
        Err(error) => Err(ExportError::File { path, reason: error.to_string() }),
    }
}

/// tokenizer.json and what belongs to it, cutting texts where the training did; sentence_bert_config.json says so, too.
///
/// # Errors
/// A file cannot be read or written.
pub fn write_tokenizer(model: &Model, staging: &mut Staging) -> Result<(), ExportError> {
    let (folder, limit) = (&model.folder, model.max_tokens);
    let mut tokenizer = read_object(folder, "tokenizer.json")?;
    tokenizer.insert(
        "truncation".into(),
        json!({ "direction": "Right", "max_length": limit, "strategy": "LongestFirst", "stride": 0 }),
    );
    tokenizer.insert("padding".into(), Value::Null);
    staging.write("tokenizer.json", Value::Object(tokenizer).to_string().as_bytes())?;
    let own = "tokenizer_config.json";
    let mut config = if folder.join(own).exists() { read_object(folder, own)? } else { Map::new() };
    config.entry("tokenizer_class").or_insert_with(|| "PreTrainedTokenizerFast".into());
    config.insert("model_max_length".into(), limit.into());
    staging.write_json(own, &Value::Object(config))?;
    let sentence = "sentence_bert_config.json";
    let mut config = if folder.join(sentence).exists() { read_object(folder, sentence)? } else { Map::new() };
    config.insert("max_seq_length".into(), limit.into());
    config.entry("do_lower_case").or_insert(false.into());
    staging.write_json(sentence, &Value::Object(config))?;
    for name in OF_TOKENIZER.iter().filter(|name| folder.join(name).exists()) {
        staging.copy(&folder.join(name), name)?;
    }
    Ok(())
}

/// The labels as config.json of the hub's programs names them, added to the encoder's.
pub fn add_labels(config: &mut Map<String, Value>, classes: &[String]) {
    let of = |(i, class): (usize, &String)| (i.to_string(), Value::from(class.as_str()));
    let ids: Map<String, Value> = classes.iter().enumerate().map(of).collect();
    let labels: Map<String, Value> =
        classes.iter().enumerate().map(|(i, class)| (class.clone(), Value::from(i))).collect();
    config.insert("id2label".into(), ids.into());
    config.insert("label2id".into(), labels.into());
}
