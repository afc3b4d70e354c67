//! Multinomial logistic regression, one a block of classes, and ridge regression of the values: linear in the inputs, words
//! and letters not seen.
//!
//! The penalties are chosen by the loss on the validation rows, which therefore do not teach.

mod answer;
mod fit;
mod settings;
mod solver;
mod thin;

pub use answer::Linear;
pub use fit::fit;
pub use settings::LogisticShape;
pub use solver::{Labelled, LogisticRegression, Matrix};
