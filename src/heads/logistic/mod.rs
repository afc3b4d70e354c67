//! Multinomial logistic regression, one a block of classes, and ridge regression of the values: linear in the inputs, words
//! and letters not seen.
//!
//! The penalties are chosen by the loss on the validation rows, which therefore do not teach.

mod answer;
mod descent;
mod fit;
mod matrix;
mod settings;
mod solver;

pub use answer::Linear;
pub use fit::fit;
pub use matrix::Matrix;
pub use settings::LogisticShape;
pub use solver::{Labelled, LogisticRegression};
