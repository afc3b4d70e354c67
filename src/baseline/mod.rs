//! What a head must beat: the majority class, TF-IDF with logistic regression, logistic regression on the embeddings, and
//! three models of equal sight, on the inputs of the head itself.
//!
//! Everything here learns from the training rows it is given and from nothing else; no libtorch, no files.

mod data;
mod draws;
mod dual;
mod machines;
mod models;
mod own_inputs;
mod sight;

pub use data::BaselineData;
pub use draws::few_shot_accuracy;
pub use models::{Answered, baselines};
