//! The folder of an ONNX graph, as ONNX Runtime, Transformers and text-embeddings-inference read one.

use pipeline_encoder::{Folder, Model};
use serde_json::Value;

use super::bert::Bert;
use super::columns::{COLUMNS, columns};
use super::graph::{Attribute, Graph, Size};
use super::head::{Rows, logits};
use super::terms::{self, Terms};
use crate::export::encoder_files::{add_labels, read_object, write_tokenizer};
use crate::export::error::ExportError;
use crate::export::row_inputs::{IMPORTS, code, described, write_terms};
use crate::export::staging::Staging;
use crate::export::subject::{Columns, Subject};
use crate::export::target::Target;

/// Name of the output of a classifier, and of an encoder.
const LOGITS: &str = "logits";
const EMBEDDING: &str = "sentence_embedding";

/// Write the model from tokens to logits.
///
/// # Errors
/// ONNX has no operators for a part of it, or a file cannot be read or written.
pub fn write_classifier(
    subject: &Subject,
    encoder: &Model,
    staging: &mut Staging,
) -> Result<(), ExportError> {
    let (function, tabular) = (subject.function(Target::Onnx)?, subject.columns()?);
    let (fields, folder) = (subject.fields(), Folder::open(&encoder.folder)?);
    let mut graph = Graph::default();
    let bert = Bert::load(&mut graph, &folder)?;
    let (has_columns, is_plain) = (!tabular.inputs.mean.is_empty(), is_plain(subject, &tabular));
    let mut parts = Vec::new();
    for (field, weight) in &fields {
        let prefix = if is_plain { String::new() } else { format!("{field}.") };
        let mut embedding = bert.embed(&mut graph, &prefix).embedding;
        if *weight != 1.0 {
            let weight = graph.number(*weight);
            embedding = graph.node("Mul", &[&embedding, &weight], &[]);
        }
        parts.push(embedding);
    }
    if has_columns {
        parts.push(columns(&mut graph, &tabular.inputs));
    }
    let names: Vec<&str> = parts.iter().map(String::as_str).collect();
    let row = match names[..] {
        [only] => only.to_owned(),
        _ => graph.node("Concat", &names, &[Attribute::Int("axis", 1)]),
    };
    let terms = subject.vocabularies().map(|_| Terms::input(&mut graph));
    let rows = Rows { x: &row, terms: terms.as_ref() };
    let mut answer = logits(&mut graph, &function, rows, "head.");
    if subject.temperature() != 1.0 {
        let temperature = graph.number(subject.temperature());
        answer = graph.node("Div", &[&answer, &temperature], &[]);
    }
    let classes = &subject.card.classes;
    graph.output(&answer, LOGITS, &[Size::Named("batch"), Size::Fixed(classes.len())]);
    let metadata = [("classes", Value::from(classes.clone()).to_string())];
    staging.write("model.onnx", &graph.encode(subject.name(), &metadata)?)?;

    let mut config = read_object(&encoder.folder, "config.json")?;
    config.insert("architectures".into(), Value::from(vec!["BertForSequenceClassification"]));
    config.insert("problem_type".into(), "single_label_classification".into());
    add_labels(&mut config, classes);
    staging.write_json("config.json", &Value::Object(config))?;
    write_tokenizer(encoder, staging)?;
    if !is_plain {
        let mut inputs = described(subject, &tabular);
        inputs.insert("terms".into(), terms.is_some().into());
        inputs.insert("classes".into(), classes.clone().into());
        staging.write_json("inputs.json", &Value::Object(inputs))?;
        write_terms(subject, &tabular, staging)?;
        let columns = code(subject, &tabular);
        let text = format!(
            "{USE}{IMPORTS}\n{}\n\n{columns}\n\n{}",
            include_str!("folder.py"),
            include_str!("feeds.py")
        );
        staging.write("inputs.py", text.as_bytes())?;
    }
    staging.write("README.md", readme(subject, encoder, &tabular).as_bytes())
}

/// Write the encoder alone, from tokens to an embedding.
///
/// # Errors
/// The own pass does not run it, or a file cannot be read or written.
pub fn write_encoder(subject: &Subject, encoder: &Model, staging: &mut Staging) -> Result<(), ExportError> {
    let folder = Folder::open(&encoder.folder)?;
    let mut graph = Graph::default();
    let bert = Bert::load(&mut graph, &folder)?;
    let embedded = bert.embed(&mut graph, "");
    let (batch, sequence) = (Size::Named("batch"), Size::Named("sequence"));
    graph.output(&embedded.states, "last_hidden_state", &[batch, sequence, Size::Fixed(bert.hidden())]);
    graph.output(&embedded.embedding, EMBEDDING, &[batch, Size::Fixed(bert.dims())]);
    staging.write("model.onnx", &graph.encode("encoder", &[])?)?;
    staging.copy(&encoder.folder.join("config.json"), "config.json")?;
    staging.copy(&encoder.folder.join("modules.json"), "modules.json")?;
    let pooling = folder.pooling_file.strip_prefix(&encoder.folder).unwrap_or(&folder.pooling_file);
    staging.copy(&folder.pooling_file, &pooling.to_string_lossy())?;
    write_tokenizer(encoder, staging)?;
    let text = format!(
        "# The encoder of {}\n\n`model.onnx` (opset 17): `input_ids`, `attention_mask`, `token_type_ids` \
         (int64, batch × sequence) to `last_hidden_state` and `{EMBEDDING}` (batch × {}). Texts are trimmed, and cut at \
         {} tokens.\n",
        subject.name(),
        bert.dims(),
        encoder.max_tokens
    );
    staging.write("README.md", text.as_bytes())
}

/// Whether the graph has the inputs of an ordinary text classifier.
fn is_plain(subject: &Subject, tabular: &Columns) -> bool {
    subject.fields().len() == 1 && tabular.inputs.mean.is_empty() && subject.vocabularies().is_none()
}

const USE: &str = r#""""What model.onnx takes, made of rows. The tokens need `tokenizers`, and whoever runs this file `onnxruntime`.

    python inputs.py "A text" ...           answers texts, each standing in every field of the model
    import inputs                           inputs.feeds(rows) is the second argument of a session's run
"""
"#;

fn readme(subject: &Subject, encoder: &Model, tabular: &Columns) -> String {
    let (fields, has_columns) = (subject.fields(), !tabular.inputs.mean.is_empty());
    let classes = subject.card.classes.len();
    let mut text = format!(
        "# {}\n\n`model.onnx` (opset 17) answers with `{LOGITS}` (batch × {classes}, classes as in config.json); their softmax \
         is the probabilities of `pipeline predict`, calibrated where the model was evaluated. Encoder: {} ({} numbers, texts \
         trimmed and cut at {} tokens).\n\n",
        subject.name(),
        subject.card.encoders[0].model,
        encoder.dims,
        encoder.max_tokens
    );
    let tensors = "`input_ids`, `attention_mask`, `token_type_ids`";
    if is_plain(subject, tabular) {
        text += &format!(
            "Inputs: {tensors} (int64, batch × sequence). The folder is served by text-embeddings-inference \
             (`--model-id` with this folder) at `/predict`.\n"
        );
    } else {
        text +=
            &format!("Inputs: for each text {tensors} (int64, batch × sequence) with its name in front:\n\n");
        text.extend(fields.iter().map(|(field, _)| format!("- `{field}.input_ids` …\n")));
        text += "\nServers of one text cannot ask it; ONNX Runtime can: `python inputs.py \"A text\"` (NumPy, tokenizers, \
                 onnxruntime), or `inputs.feeds(rows)` for what `run` of a session takes.\n";
    }
    if subject.config().data.join_text {
        let names = subject.config().data.text_fields.join("`, `");
        text += &format!("\nThe text is the columns `{names}`, those that are not empty, a line each.\n");
    }
    if has_columns {
        text += &format!(
            "\n`{COLUMNS}` (float32, batch × {}), in this order; a number that is missing is NaN, an indicator is 1 where the \
             row has the value (in lower case) and else 0:\n\n",
            tabular.inputs.mean.len()
        );
        text.extend(tabular.names().into_iter().map(|(name, value)| match value {
            None => format!("1. `{name}`\n"),
            Some(Some(value)) => format!("1. `{name}` is `{value}`\n"),
            Some(None) => format!("1. `{name}` has another value, or one more\n"),
        }));
    }
    if subject.vocabularies().is_some() {
        text += &format!(
            "\n`{}` (int64) and `terms.values` (float32), batch × terms: TF-IDF of the words and letters of a row's texts, as \
             `terms` of inputs.py makes them; rows with fewer are filled up with 0.\n",
            terms::COLUMNS
        );
    }
    for note in subject.left_out() {
        text += &format!("\nNote: {note}.\n");
    }
    text
}
