//! ONNX: a graph from tokens to logits, written without Python.

mod proto;
mod graph;
mod terms;
mod bert;
mod head;
mod columns;
mod folder;

pub use folder::{write_classifier, write_encoder};
