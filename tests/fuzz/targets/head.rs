//! The weights of heads, and what the heads then answer.

use std::path::Path;

use pipeline::heads::{HeadShape, Tensors, load};
use pipeline::inputs::{InputEncoder, RawInputs};
use pipeline::model::answers;

use super::model::{built_before, card_of};
use crate::target::{Outcome, Target, digest};

const WORDS: &[&str] = &["\"F32\"", "\"I64\"", "\"shape\":[", "\"data_offsets\":[", "[0]", "{", "}"];

const HEAD: Target = Target {
    name: "",
    file: "head.safetensors",
    longest: 600_000,
    seeds: &[],
    words: WORDS,
    read: |_, _| Err(String::new()),
};

/// Support vectors.
pub const KERNEL: Target = Target {
    name: "head_kernel",
    seeds: &["built_before/kernel/head.safetensors"],
    read: |path, _| of(path, "kernel"),
    ..HEAD
};
/// Rows and their neighbours.
pub const NEIGHBOURS: Target = Target {
    name: "head_neighbours",
    seeds: &["built_before/knn/head.safetensors"],
    read: |path, _| of(path, "knn"),
    ..HEAD
};
/// Means of the classes.
pub const PROTOTYPES: Target = Target {
    name: "head_prototypes",
    seeds: &["built_before/prototypes/head.safetensors"],
    read: |path, _| of(path, "prototypes"),
    ..HEAD
};
/// Boosted trees.
pub const TREES: Target = Target {
    name: "head_trees",
    seeds: &["built_before/trees/head.safetensors"],
    read: |path, _| of(path, "trees"),
    ..HEAD
};

fn of(path: &Path, kind: &str) -> Outcome {
    let weights = Tensors::read(path).map_err(|e| e.to_string())?;
    answered(&card_of(kind).head, weights, kind)
}

/// What a head of this shape says of two rows, with the inputs of the model that an older program left.
pub fn answered(shape: &HeadShape, weights: Tensors, kind: &str) -> Outcome {
    let head = load(shape, weights, None).map_err(|e| format!("{e} {:?}", e.hint()))?;
    let inputs = std::fs::read(built_before(kind, "inputs.json")).expect("the inputs are there");
    let inputs: InputEncoder = serde_json::from_slice(&inputs).expect("the inputs are sound");
    let answers = answers(head.as_ref(), shape, &inputs, &two_rows()).map_err(|e| e.to_string())?;
    Ok(digest(answers))
}

/// Two rows as inputs of a head.
pub fn encoded(inputs: &InputEncoder) -> Vec<f32> {
    let (raw, rows) = (two_rows(), [0, 1]);
    let encoded = inputs.encode(&raw, &rows);
    assert_eq!(encoded.len(), 2 * inputs.width());
    let _ = inputs.terms(&raw, &rows);
    encoded
}

/// Rows as the models of an older program want them: texts, one number or none, two categories, four figures of the texts' shape.
fn two_rows() -> RawInputs {
    let dims = 384;
    RawInputs {
        embedding_dims: dims,
        embedding: (0..2 * dims).map(|i| (i % 17) as f32 / 100.0 - 0.08).collect(),
        numeric: vec![vec![Some(30.0); NUMERIC], vec![None; NUMERIC]],
        categories: vec![
            vec![vec!["free".into()], vec![]],
            vec![vec!["unheard of".into()], vec!["2".into()]],
        ],
        texts: vec!["Hide and seek in the garden".into(), String::new()],
        ..RawInputs::default()
    }
}

/// The figures of a row.
const NUMERIC: usize = 5;
