//! Several heads of different kinds on the same rows: their log probabilities and values, averaged by weights.

mod answer;
mod fit;
mod settings;

pub use answer::Ensemble;
pub use fit::fit;
pub use settings::{EnsembleShape, Views};
