//! Gradient-boosted trees (Friedman 2001) over embeddings and features: one ensemble a class against the others, one a
//! value.

mod answer;
mod fit;
mod settings;

pub use answer::Forest;
pub use fit::fit;
pub use settings::{TreeSettings, TreeShape};
