//! A sentence-transformers folder: the encoder, and behind it a dense layer where the head is one.

use std::fs;
use std::path::Path;

use pipeline_encoder::{Folder, Model};
use serde_json::{Value, json};

use super::encoder_files::{add_labels, read_object, write_tokenizer};
use super::error::ExportError;
use super::staging::Staging;
use super::subject::Subject;
use super::target::Target;
use crate::heads::Tensors;
use crate::store::StoreError;

/// Weights that sentence-transformers reads.
const WEIGHTS: &str = "model.safetensors";

/// Write the encoder, and unless `encoder_only` the head as a last module, whose outputs are logits.
///
/// # Errors
/// The head is not linear in one embedding, or a file cannot be read or written.
pub fn write(
    subject: &Subject,
    encoder: &Model,
    encoder_only: bool,
    staging: &mut Staging,
) -> Result<(), ExportError> {
    let target = Target::SentenceTransformers;
    subject.check_encoders(target)?;
    let refused = |reason: &str, setting| ExportError::NotExpressible {
        target,
        reason: reason.to_owned(),
        setting,
        instead: "a linear head on one text can be, without columns and with features.text_shape = false; --encoder-only \
                  writes the encoder alone, --to onnx more heads",
    };
    let head = match encoder_only {
        true => None,
        false => {
            let columns = subject.columns()?;
            let linear = subject.function(target)?.as_linear();
            let linear =
                linear.ok_or_else(|| refused("the head is not linear in the embedding", "train.head"))?;
            if subject.fields().len() > 1 {
                return Err(refused("the head sees several texts", "data.text_fields"));
            }
            if columns.text_shape {
                return Err(refused("the head sees what is counted in the text, too", "features.text_shape"));
            }
            if !columns.inputs.mean.is_empty() {
                return Err(refused("the head sees columns, too", "features.numeric, features.categorical"));
            }
            Some(linear)
        }
    };
    let folder = Folder::open(&encoder.folder)?;
    if !folder.weights().ends_with(WEIGHTS) {
        return Err(refused("the encoder's weights are not safetensors", "encoder.model"));
    }
    let path = encoder.folder.join("modules.json");
    let bytes = fs::read(&path).map_err(StoreError::of("read", &path))?;
    let modules: Result<Vec<Value>, _> = serde_json::from_slice(&bytes);
    let mut modules =
        modules.map_err(|error| ExportError::File { path: path.clone(), reason: error.to_string() })?;
    let mut config = read_object(&encoder.folder, "config.json")?;
    if let Some(mut head) = head {
        let place = format!("{}_Dense", modules.len());
        let (classes, factor) = (&subject.card.classes, subject.temperature());
        let weight = subject.fields().first().map_or(1.0, |(_, weight)| *weight);
        head.weights.iter_mut().for_each(|value| *value = *value * weight / factor);
        head.bias.iter_mut().for_each(|value| *value /= factor);
        let mut tensors = Tensors::default();
        tensors.put("linear.weight", &[classes.len(), head.inputs], &head.weights);
        tensors.put("linear.bias", &[classes.len()], &head.bias);
        let name = format!("{place}/{WEIGHTS}");
        let bytes = tensors.to_bytes().map_err(StoreError::of("write", Path::new(&name)))?;
        staging.write(&name, &bytes)?;
        let dense = json!({
            "in_features": head.inputs,
            "out_features": classes.len(),
            "bias": true,
            "activation_function": "torch.nn.modules.linear.Identity",
        });
        staging.write_json(&format!("{place}/config.json"), &dense)?;
        modules.push(json!({
            "idx": modules.len(),
            "name": modules.len().to_string(),
            "path": place,
            "type": "sentence_transformers.models.Dense",
        }));
        add_labels(&mut config, classes);
    }
    staging.write_json("modules.json", &Value::Array(modules))?;
    staging.write_json("config.json", &Value::Object(config))?;
    staging.copy(&folder.weights(), WEIGHTS)?;
    for file in
        [Some(folder.pooling_file.clone()), folder.dense.as_ref().map(|dense| dense.join("config.json"))]
            .into_iter()
            .flatten()
            .chain(folder.dense.as_ref().map(|dense| Folder::weights_in(dense)))
    {
        let name = file.strip_prefix(&encoder.folder).unwrap_or(&file).to_string_lossy().into_owned();
        staging.copy(&file, &name)?;
    }
    write_tokenizer(encoder, staging)?;
    let own = "config_sentence_transformers.json";
    if encoder.folder.join(own).exists() {
        staging.copy(&encoder.folder.join(own), own)?;
    }
    staging.write("README.md", readme(subject, encoder_only).as_bytes())
}

fn readme(subject: &Subject, encoder_only: bool) -> String {
    let name = subject.name();
    let mut text = format!("# {name}\n\n```python\nfrom sentence_transformers import SentenceTransformer\n");
    if encoder_only {
        text += "vectors = SentenceTransformer(\".\").encode([\"A text\"])\n```\n\nThe encoder alone.\n";
        return text;
    }
    text += "logits = SentenceTransformer(\".\").encode([\"A text\"])\n```\n\n";
    text += "The last module is the head: a logit a class, in the order of `id2label` in config.json. Their softmax is the \
             probabilities of `pipeline predict`.\n";
    subject.left_out().iter().for_each(|note| text += &format!("\nNote: {note}.\n"));
    text
}
