//! Rows to a head's inputs: embeddings, columns, text shape, words and letters. Everything learned here is learned on the
//! training part; targets stay out.

mod encoder;
mod raw;
mod strings;
mod tfidf;

pub use encoder::InputEncoder;
pub use raw::{RawInputs, raw_inputs};
pub use tfidf::{Sparse, Terms, TfIdf};
