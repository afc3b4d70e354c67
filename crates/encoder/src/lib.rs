//! Sentence embeddings on the CPU, as sentence-transformers computes them.
//!
//! A [`Folder`] says what an encoder is, a [`Model`] how it is run, and an [`Encoder`] turns texts into vectors: one thread
//! tokenises ahead, each worker runs batches through the own forward pass (`transformer`, on the vector instructions of
//! `simd`), the caller's thread takes the results. Nothing here knows config files, labels, the terminal or libtorch;
//! another way to run a batch is a [`Worker`] of somebody else's.

mod architecture;
mod arithmetic;
mod batch;
mod encode;
mod folder;
mod foreign;
mod hub;
mod model;
mod parameters;
mod pool;
mod processor;
#[expect(unsafe_code, reason = "vector instructions")]
mod simd;
mod threads;
mod tokenize;
#[expect(unsafe_code, reason = "vector instructions")]
mod transformer;
mod weights;
mod worker;

pub use architecture::{Architecture, BertConfig};
pub use arithmetic::{Arithmetic, Backend, Precision};
pub use batch::{Batch, Tokens};
pub use encode::{Encode, Encoded, EncoderError, EncoderSettings, Joined};
pub use folder::{Folder, FolderError, Pooling};
pub use foreign::{guarded, is_under_way};
pub use hub::{Place, fetch, fetch_files, locate};
pub use model::{Encoders, Known, Model};
pub use parameters::Parameters;
pub use processor::{Choice, Processor, Rates, Reason, choice, here, measurements, user_cache};
pub use threads::Encoder;
pub use tokenize::Truncating;
pub use transformer::rate;
pub use worker::Worker;
