//! Texts to embeddings, each text computed once: the encoder's interface, the content-addressed cache, the export.
//!
//! The encoder itself lives in its own crate (`crates/encoder`). No label comes in.

mod cache;
mod export;
mod texts;

pub use cache::{Cache, CacheError, Kept};
pub use export::{Embeddings, ExportError, NpyWriter, read_npy};
pub use texts::{EmbedError, EmbedReport, embed};
