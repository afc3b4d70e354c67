//! Encoders learn: a BERT with autograd, tuned on labelled rows or on pairs of them, kept while it runs and saved as a folder.
//!
//! Everything random (new weights, batch order, dropout, pairs) comes from streams of a seeded generator that are named by what
//! they are for and by the step, never from libtorch's global one. So the same rows, settings and seed give the same weights
//! to the bit, and a run that was killed needs nothing but its weights, its moments and its place to end as if it had not been.

mod config;
mod weights;
mod folder;
mod random;
mod bert;
mod texts;
mod vocabulary;
mod lower;
mod readout;
mod model;
mod parameters;
mod adamw;
mod rate;
mod batches;
mod pairs;
mod prepared;
mod place;
mod checkpoint;
mod pass;
mod room;
mod objective;
mod fit;
mod written;
mod sentence;
mod classifier;
#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

pub use classifier::SequenceClassifier;
pub use sentence::SentenceEncoder;
