//! A saved model in forms that other programs read: ONNX, sentence-transformers, NumPy, the hub's model card, Croissant.
//!
//! Every form starts from the model's files; no encoder is run, and libtorch is not needed for networks either.

mod target;
mod error;
mod function;
mod subject;
mod staging;
mod row_inputs;
mod encoder_files;
mod onnx;
mod sentence_transformers;
mod python;
mod card;
mod hub;
mod croissant;
mod write;

pub use error::ExportError;
pub use staging::{Staging, WrittenFile};
pub use subject::Subject;
pub use target::Target;
pub use write::{Exported, Request, export_data, export_model};
