//! The files from which Python makes the inputs of a row.

use serde_json::{Map, Value, json};

use super::characters::characters;
use crate::export::error::ExportError;
use crate::export::staging::Staging;
use crate::export::subject::{Columns, Subject};
use crate::inputs::TfIdf;

/// Functions that make columns, and words and letters of texts where the model counts in them. Before them stand the imports of
/// [`IMPORTS`]; `MODEL` has what [`described`] says, `HERE` is the folder.
pub fn code(subject: &Subject, columns: &Columns) -> String {
    let texts =
        if counts_in_texts(subject, columns) { concat!(include_str!("texts.py"), "\n\n") } else { "" };
    format!("{texts}{}", include_str!("columns.py"))
}

/// What [`code`] imports.
pub const IMPORTS: &str = "import json\nimport re\nimport sys\nfrom collections import Counter\nfrom pathlib import Path\n\n\
                           import numpy as np\n";

fn counts_in_texts(subject: &Subject, columns: &Columns) -> bool {
    columns.text_shape || subject.vocabularies().is_some()
}

/// Fields, columns and whether texts are counted in, by the keys that [`code`] reads.
pub fn described(subject: &Subject, columns: &Columns) -> Map<String, Value> {
    let inputs = &columns.inputs;
    let numeric = columns.numeric.iter().zip(&inputs.numeric).map(|(name, how)| {
        json!({ "name": name, "logarithmic": how.logarithmic, "missing": how.missing, "limits": how.limits })
    });
    let categorical = columns.categorical.iter().zip(&inputs.categories);
    let categorical = categorical.map(|(name, known)| json!({ "name": name, "known": known }));
    let fields = subject.fields();
    let mut described = Map::new();
    described.insert("fields".into(), fields.iter().map(|(field, _)| field.as_str()).collect());
    described.insert("numeric".into(), numeric.collect());
    described.insert("text_shape".into(), columns.text_shape.into());
    described.insert("categorical".into(), categorical.collect());
    described
}

/// `terms.json`, the vocabularies with the idf of each term, where the head sees any; `characters.json`, where texts are counted in.
///
/// # Errors
/// A file cannot be written.
pub fn write_terms(subject: &Subject, columns: &Columns, staging: &mut Staging) -> Result<(), ExportError> {
    if let Some([words, letters]) = subject.vocabularies() {
        let of = |kind: &TfIdf| json!({ "terms": kind.terms().collect::<Vec<_>>(), "idf": kind.idf() });
        let terms = json!({ "words": of(words), "letters": of(letters) });
        staging.write("terms.json", terms.to_string().as_bytes())?;
    }
    if counts_in_texts(subject, columns) {
        staging.write("characters.json", characters().to_string().as_bytes())?;
    }
    Ok(())
}
