//! The head in NumPy: weights as `.npy`, and a module of a page that answers with them.

use std::path::Path;

use npyz::WriterBuilder;
use serde_json::{Value, json};

use super::error::ExportError;
use super::function::{Function, Network};
use super::staging::Staging;
use super::subject::{AnswerRule, Columns, Subject};
use super::target::Target;
use crate::heads::Output;
use crate::store::StoreError;

/// Write weights, `model.json` and `model.py`.
///
/// # Errors
/// The head is of a kind that is not written so, or a file cannot be written.
pub fn write(subject: &Subject, staging: &mut Staging) -> Result<(), ExportError> {
    let target = Target::Python;
    let (function, columns) = (subject.function(target)?, subject.columns(target)?);
    let mut code = Code::default();
    let head = code.head(&function, "", staging)?;
    staging.write_json("model.json", &described(subject, &columns))?;
    staging.write("model.py", code.module(subject, &head).as_bytes())
}

/// What is no matrix.
fn described(subject: &Subject, columns: &Columns) -> Value {
    let inputs = &columns.inputs;
    let numeric = columns.numeric.iter().zip(&inputs.numeric).map(|(name, how)| {
        json!({ "name": name, "logarithmic": how.logarithmic, "missing": how.missing, "limits": how.limits })
    });
    let categorical = columns.categorical.iter().zip(&inputs.categories);
    let categorical = categorical.map(|(name, known)| json!({ "name": name, "known": known }));
    let (divisors, costs) = match subject.answer_rule() {
        None => (Value::Null, Value::Null),
        Some(AnswerRule::Divisors(divisors)) => (json!(divisors), Value::Null),
        Some(AnswerRule::Costs(costs)) => (Value::Null, json!(costs)),
    };
    let fields = subject.fields();
    let encoder = &subject.card.encoders[0];
    json!({
        "name": subject.name(),
        "classes": subject.card.classes,
        "temperature": subject.temperature(),
        "encoder": encoder.model,
        "max_tokens": encoder.max_tokens,
        "fields": fields.iter().map(|(field, _)| field).collect::<Vec<_>>(),
        "field_weights": fields.iter().map(|(_, weight)| weight).collect::<Vec<_>>(),
        "numeric": numeric.collect::<Vec<_>>(),
        "categorical": categorical.collect::<Vec<_>>(),
        "divisors": divisors,
        "costs": costs,
        "mean": inputs.mean,
        "scale": inputs.scale,
        "left_out": subject.left_out(),
    })
}

/// The functions that a head needs, each once.
#[derive(Default)]
struct Code {
    functions: Vec<&'static str>,
}

impl Code {
    fn need(&mut self, function: &'static str) {
        if !self.functions.contains(&function) {
            self.functions.push(function);
        }
    }

    /// Write the weights of `function`, their names with `prefix` in front; the expression that answers the rows `x`.
    fn head(
        &mut self,
        function: &Function,
        prefix: &str,
        staging: &mut Staging,
    ) -> Result<String, ExportError> {
        let mut save = |name: &str, sizes: &[usize], values: &[f32]| -> Result<(), ExportError> {
            staging.write(&format!("weights/{prefix}{name}.npy"), &npy(sizes, values)?)
        };
        match function {
            Function::Linear(head) => {
                save("weights", &[head.bias.len(), head.inputs], &head.weights)?;
                save("bias", &[head.bias.len()], &head.bias)?;
                self.need(LINEAR);
                Ok(format!("linear(x, {prefix:?})"))
            }
            Function::Kernel(head) => {
                let (width, classes) = (head.scale.len(), head.bias.len());
                save("scale", &[width], &head.scale)?;
                save("landmarks", &[head.count, width], &head.landmarks)?;
                save("weights", &[head.count, classes], &head.weights)?;
                save("bias", &[classes], &head.bias)?;
                self.need(KERNEL);
                Ok(format!("kernel(x, {prefix:?})"))
            }
            Function::Network(Network { members, layers, output, thresholds }) => {
                for (i, layer) in layers.iter().enumerate() {
                    let sizes = [*members, layer.inputs, layer.units];
                    save(&format!("layer{i}.weights"), &sizes, &layer.weights)?;
                    save(&format!("layer{i}.bias"), &[*members, 1, layer.units], &layer.bias)?;
                }
                self.need(NETWORK);
                let logs = match output {
                    Output::Softmax => "log_softmax",
                    Output::Coral => {
                        let count = thresholds.len().checked_div(*members).unwrap_or(0);
                        save("thresholds", &[*members, 1, count], thresholds)?;
                        self.need(CORAL);
                        "coral"
                    }
                    Output::Corn => {
                        self.need(CORN);
                        "corn"
                    }
                };
                Ok(format!("network(x, {prefix:?}, {}, {logs})", layers.len()))
            }
            Function::Ensemble(heads) => {
                let parts = heads.iter().enumerate().map(|(i, (weight, head))| {
                    let own = self.head(head, &format!("{prefix}{i}."), staging)?;
                    Ok(format!("{weight} * log_softmax({own})"))
                });
                Ok(parts.collect::<Result<Vec<_>, ExportError>>()?.join(" + "))
            }
        }
    }

    fn module(&self, subject: &Subject, head: &str) -> String {
        let name = subject.name().replace(['\\', '"'], "_");
        let functions: String = self.functions.iter().map(|function| format!("\n\n\n{function}")).collect();
        let version = env!("CARGO_PKG_VERSION");
        format!(
            "\"\"\"The head of {name} in NumPy, written by pipeline {version}.\n{BEFORE}{functions}\n\n\n\
             def logits(x):\n    return {head}\n{AFTER}"
        )
    }
}

/// An `.npy` file of any dimensions.
fn npy(sizes: &[usize], values: &[f32]) -> Result<Vec<u8>, ExportError> {
    let mut bytes = Vec::new();
    let sizes: Vec<u64> = sizes.iter().map(|&size| size as u64).collect();
    let writer = npyz::WriteOptions::new().default_dtype().shape(&sizes).writer(&mut bytes).begin_nd();
    let written = writer.and_then(|mut writer| {
        writer.extend(values.iter().copied())?;
        writer.finish()
    });
    written.map_err(StoreError::of("write", Path::new("weights")))?;
    Ok(bytes)
}

const BEFORE: &str = r#"
    python model.py ENCODER "A text" ...    answers texts by sentence-transformers with ENCODER, a folder or a hub name
    import model                            model.answer(embeddings, rows) needs NumPy alone
"""
import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
MODEL = json.loads((HERE / "model.json").read_text(encoding="utf-8"))
W = {file.name[:-4]: np.load(file).astype(float) for file in (HERE / "weights").glob("*.npy")}


def log_softmax(z, _=None):
    z = z - z.max(-1, keepdims=True)
    return z - np.log(np.exp(z).sum(-1, keepdims=True))"#;

const LINEAR: &str = r#"def linear(x, of):
    return x @ W[of + "weights"].T + W[of + "bias"]"#;

const KERNEL: &str = r#"def kernel(x, of):
    """Gaussian kernels around the landmarks: exp(-|scale * x - landmark|^2)."""
    z, marks = x * W[of + "scale"], W[of + "landmarks"]
    distances = (z * z).sum(1)[:, None] + (marks * marks).sum(1) - 2 * z @ marks.T
    return np.exp(-np.maximum(distances, 0)) @ W[of + "weights"] + W[of + "bias"]"#;

const NETWORK: &str = r#"def network(x, of, layers, logs):
    """The mean probability of the members, as logarithm; batch norm is part of the weights."""
    x = x[None]
    for i in range(layers):
        x = (np.maximum(x, 0) if i else x) @ W[f"{of}layer{i}.weights"] + W[f"{of}layer{i}.bias"]
    return np.log(np.exp(logs(x, W.get(of + "thresholds"))).mean(0))"#;

const CORAL: &str = r#"def coral(score, thresholds):
    """Ordered classes by one score: the odds to lie beyond each threshold."""
    beyond = 1 / (1 + np.exp(thresholds - score))
    one = np.ones_like(beyond[..., :1])
    share = np.concatenate([one, beyond], -1) - np.concatenate([beyond, 0 * one], -1)
    return np.log(np.maximum(share, 1e-7))"#;

const CORN: &str = r#"def corn(scores, _):
    """Ordered classes: the odds to pass each threshold once the one before is passed."""
    none = np.zeros_like(scores[..., :1])
    passed = np.concatenate([none, np.cumsum(-np.logaddexp(0, -scores), -1)], -1)
    return passed + np.concatenate([-np.logaddexp(0, scores), none], -1)"#;

const AFTER: &str = r#"

def columns(rows):
    """The tabular inputs of rows: dicts with a number or None, or a list of values, for each column."""
    lines = []
    for row in rows:
        line = []
        for column in MODEL["numeric"]:
            value = row.get(column["name"])
            if value is None:
                value = column["missing"]
            elif column["logarithmic"]:
                value = np.log1p(max(value, 0))
            line.append(np.clip(value, *column["limits"]) if column["limits"] else value)
        for column in MODEL["categorical"]:
            values, known = row.get(column["name"], []), column["known"]
            line += [float(one in values) for one in known] + [float(any(one not in known for one in values))]
        lines.append(line)
    return (np.array(lines, float).reshape(len(rows), -1) - MODEL["mean"]) / MODEL["scale"]


def answer(embeddings, rows=()):
    """Probabilities, rows x classes, of a matrix of embeddings for each of MODEL["fields"] and the rows' columns."""
    parts = [np.asarray(e, float) * w for e, w in zip(embeddings, MODEL["field_weights"], strict=True)]
    if MODEL["mean"]:
        parts.append(columns(rows))
    return np.exp(log_softmax(logits(np.concatenate(parts, 1)) / MODEL["temperature"]))


def label(row):
    """The class that answers a row of probabilities."""
    if MODEL["costs"]:
        return MODEL["classes"][np.argmin(row @ np.array(MODEL["costs"]))]
    divisors = np.array(MODEL["divisors"] or [1.0] * len(row))
    return MODEL["classes"][np.argmax(np.where(divisors > 0, row / np.where(divisors > 0, divisors, 1), 0))]


if __name__ == "__main__":
    from sentence_transformers import SentenceTransformer

    encoder, texts = SentenceTransformer(sys.argv[1]), sys.argv[2:]
    encoder.max_seq_length = MODEL["max_tokens"]
    vectors = encoder.encode(texts)
    for text, row in zip(texts, answer([vectors] * len(MODEL["fields"]), [{}] * len(texts))):
        print(label(row), f"{row.max():.3f}", text, sep="\t")
"#;
