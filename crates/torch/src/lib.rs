//! What only libtorch can do: network heads ([`network`]), encoders through rust-bert ([`padded`]), encoders that
//! learn ([`tuning`]), and Marian models for translation.
//!
//! This is the only crate that links libtorch. [`Torch`] implements what the `pipeline` library asks for
//! ([`pipeline::engine::Engine`], [`pipeline::heads::Networks`]) and knows nothing of files under `data/` or the terminal.
//! Imports point up the list of modules, here and in each folder.

mod libtorch;
mod sentence_pieces;
mod device;
mod marian;
pub mod padded;
pub mod network;
pub mod tuning;
mod engine;

pub use engine::Torch;
