//! The files of a saved model, save the weights of its head.

use std::fs;
use std::path::{Path, PathBuf};

use pipeline::embed::Embeddings;
use pipeline::embed::read_npy;
use pipeline::heads::{Tensors, Whole};
use pipeline::inputs::InputEncoder;
use pipeline::model::{ModelCard, ModelFiles, load_calibration, load_card, load_evaluation, load_inputs};
use pipeline::novelty::{Novelty, Texts};

use crate::target::{Outcome, Target, digest};

const JSON: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "null",
    "true",
    "-1",
    "0",
    "1e400",
    "18446744073709551615",
    "0.0",
    "[]",
    "{}",
    "\"\"",
    "\"width\":",
    "\"classes\":",
    "\"dims\":",
    "\"terms\":",
    "\"kind\":",
    "\"kernel\"",
    "\"trees\"",
    "\"values\"",
    "\"neighbours\"",
];
const TENSOR: &[&str] = &[
    "{",
    "}",
    "\"F32\"",
    "\"I64\"",
    "\"F4\"",
    "\"BOOL\"",
    "\"shape\":[0]",
    "\"shape\":[4294967296,4294967296]",
    "data_offsets",
    "\"data_offsets\":[0,0]",
    "__metadata__",
    "18446744073709551615",
];

const FILE: Target =
    Target { name: "", file: "", longest: 200_000, seeds: &[], words: JSON, read: |_, _| Err(String::new()) };

/// A safetensors file.
pub const TENSORS: Target =
    Target { name: "tensors", file: "head.safetensors", words: TENSOR, read: tensors, ..FILE };
/// A matrix.
pub const NPY: Target = Target {
    name: "npy",
    file: "input.npy",
    words: &[
        "'descr'",
        "'<f4'",
        "'|O'",
        "(",
        ",)",
        "True",
        "99999999999999999999",
        "'fortran_order': True",
        "(3, 0)",
        "\u{93}NUMPY",
    ],
    read: npy,
    ..FILE
};
/// `model.json`, and what its head is.
pub const CARD: Target = Target {
    name: "card",
    file: "model.json",
    seeds: &[
        "built_before/kernel/model.json",
        "built_before/trees/model.json",
        "built_before/ensemble/model.json",
    ],
    read: card,
    ..FILE
};
/// `inputs.json`.
pub const INPUTS: Target = Target {
    name: "inputs",
    file: "inputs.json",
    seeds: &["built_before/knn/inputs.json"],
    read: inputs,
    ..FILE
};
/// `calibration.json`.
pub const CALIBRATION: Target = Target {
    name: "calibration",
    file: "calibration.json",
    seeds: &["built_before/kernel/calibration.json"],
    read: calibration,
    ..FILE
};
/// `metrics.json`.
pub const METRICS: Target = Target { name: "metrics", file: "metrics.json", read: metrics, ..FILE };
/// `novelty.safetensors`.
pub const NOVELTY: Target =
    Target { name: "novelty", file: "novelty.safetensors", words: TENSOR, read: novelty, ..FILE };

/// A file of a model that an older program left.
pub fn built_before(kind: &str, file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/built_before").join(kind).join(file)
}

/// The card of a model that an older program left.
pub fn card_of(kind: &str) -> ModelCard {
    load_card(&ModelFiles { folder: built_before(kind, "") }).expect("the card is sound")
}

fn folder_of(path: &Path) -> ModelFiles {
    ModelFiles { folder: path.parent().expect("the file is in a folder").to_owned() }
}

fn tensors(path: &Path, _: &[u8]) -> Outcome {
    let mut tensors = Tensors::read(path).map_err(|e| e.to_string())?;
    let numbers = tensors.numbers();
    let mut below = tensors.below("0.");
    for rows in [tensors.rows_of("a"), 3] {
        let (taken, floats) = (tensors.take::<i64>("a", &[rows]), below.take_numbers::<f32>("b", &[rows, 2]));
        taken.iter().for_each(|values| assert_eq!(values.len(), rows));
        floats.iter().for_each(|values| assert_eq!(values.len(), rows * 2));
    }
    let bytes = tensors.to_bytes().expect("what was read can be written");
    Ok(digest((numbers, bytes)))
}

fn npy(path: &Path, _: &[u8]) -> Outcome {
    let matrix = read_npy(path).map_err(|e| e.to_string())?;
    (0..matrix.rows()).for_each(|row| assert_eq!(matrix.row(row).len(), matrix.dims));
    Ok(digest(matrix))
}

fn card(path: &Path, _: &[u8]) -> Outcome {
    let card = load_card(&folder_of(path)).map_err(|e| e.to_string())?;
    let said = digest((card.ends(), card.embedding_dims(), card.wanted().columns()));
    // The weights of each kind of head with what this card says of them.
    let answers = ["kernel", "knn", "prototypes", "trees"].map(|kind| {
        let weights = Tensors::read(&built_before(kind, "head.safetensors")).expect("the weights are sound");
        super::head::answered(&card.head, weights, kind)
    });
    Ok(format!("{said} {}", digest(answers)))
}

fn inputs(path: &Path, bytes: &[u8]) -> Outcome {
    let mut card = card_of("knn");
    card.inputs_blake3 = blake3::hash(bytes).to_hex().to_string();
    let inputs: InputEncoder = load_inputs(&folder_of(path), &card).map_err(|e| e.to_string())?;
    Ok(digest(super::head::encoded(&inputs)))
}

fn calibration(path: &Path, _: &[u8]) -> Outcome {
    let card = card_of("kernel");
    let calibration = load_calibration(&folder_of(path), &card).map_err(|e| e.to_string())?;
    let Some(calibration) = calibration else { return Ok("of another training".into()) };
    let mut probabilities = vec![0.25f32, 0.25, 0.4, 0.1];
    pipeline::evaluate::apply_temperature(&mut probabilities, 4, calibration.temperature);
    assert!(probabilities.iter().all(|p| p.is_finite()), "{probabilities:?}");
    let best = calibration.decision.as_ref().map(|decision| decision.answer(&probabilities));
    Ok(digest((probabilities, best)))
}

fn metrics(path: &Path, _: &[u8]) -> Outcome {
    let evaluation = load_evaluation(&folder_of(path)).map_err(|e| e.to_string())?;
    Ok(digest(evaluation))
}

fn novelty(path: &Path, _: &[u8]) -> Outcome {
    let bytes = Whole::Own(fs::read(path).expect("the file was just written"));
    let novelty = Novelty::load(path, bytes, 2, 4).map_err(|e| e.to_string())?;
    let of = |values: [f32; 8]| Embeddings { dims: 4, values: values.to_vec() };
    let fields = [of([0.5, 0.5, 0.5, -0.5, 1.0, 0.0, 0.0, 0.0]), of([0.0; 8])];
    let is_blank = |field: usize, row: usize| field == 1 && row == 1;
    let p_values = novelty.p_values(Texts { fields: &fields, is_blank: &is_blank });
    assert!(p_values.iter().all(|p| *p > 0.0 && *p <= 1.0), "{p_values:?}");
    Ok(digest(p_values))
}
