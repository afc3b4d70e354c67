//! What a head must beat: the majority class, TF-IDF with logistic regression, logistic regression on the embeddings.
//!
//! Everything here learns from the training rows it is given and from nothing else; no libtorch, no files.

mod draws;
mod models;

pub use draws::few_shot_accuracy;
pub use models::{BASELINES, BaselineData, baselines};
