//! Rows to a head's inputs: embeddings, columns, text shape, words and letters. Everything learned here is learned on the
//! training part; targets stay out.

mod counted;
mod distances;
mod encoder;
mod raw;
mod strings;
mod terms;
mod tfidf;

pub use counted::Counted;
pub use distances::{Distances, KnownDistances};
pub use encoder::{InputEncoder, NumericInput, TabularInputs};
pub use raw::{RawInputs, SHAPE, raw_inputs};
pub use terms::Terms;
pub use tfidf::{Sparse, TfIdf};
