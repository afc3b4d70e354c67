//! The folder: weights, `model.json` and what `model.py` reads beside it.

use serde_json::{Value, json};

use super::module::Module;
use crate::export::error::ExportError;
use crate::export::row_inputs::{described, write_terms};
use crate::export::staging::Staging;
use crate::export::subject::{AnswerRule, Columns, Subject};
use crate::export::target::Target;

/// Write weights, `model.json` and `model.py`, and the vocabularies of a head that sees words and letters.
///
/// # Errors
/// The head is of a kind that is not written so, or a file cannot be written.
pub fn write(subject: &Subject, staging: &mut Staging) -> Result<(), ExportError> {
    let (function, columns) = (subject.function(Target::Python)?, subject.columns()?);
    let mut module = Module::default();
    let head = module.head(&function, "", staging)?;
    staging.write_json("model.json", &model(subject, &columns))?;
    write_terms(subject, &columns, staging)?;
    staging.write("model.py", module.text(subject, &columns, &head).as_bytes())
}

/// What is no matrix.
fn model(subject: &Subject, columns: &Columns) -> Value {
    let (divisors, costs) = match subject.answer_rule() {
        None => (Value::Null, Value::Null),
        Some(AnswerRule::Divisors(divisors)) => (json!(divisors), Value::Null),
        Some(AnswerRule::Costs(costs)) => (Value::Null, json!(costs)),
    };
    let encoder = &subject.card.encoders[0];
    let mut model = described(subject, columns);
    let own = json!({
        "name": subject.name(),
        "classes": subject.card.classes,
        "temperature": subject.temperature(),
        "encoder": encoder.model,
        "max_tokens": encoder.max_tokens,
        "field_weights": subject.fields().iter().map(|(_, weight)| weight).collect::<Vec<_>>(),
        "terms": subject.vocabularies().is_some(),
        "divisors": divisors,
        "costs": costs,
        "mean": columns.inputs.mean,
        "scale": columns.inputs.scale,
        "left_out": subject.left_out(),
    });
    if let Value::Object(own) = own {
        model.extend(own);
    }
    model.into()
}
