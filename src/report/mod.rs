//! Metrics to text that a person reads. Nothing is computed here.

mod table;
mod terminal;
mod validation;

pub use table::Table;
pub use terminal::{Summary, summary};
pub use validation::validation_text;
