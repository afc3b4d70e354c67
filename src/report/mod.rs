//! Metrics to text that a person reads. Nothing is computed here.

mod table;
mod terminal;

pub use table::Table;
pub use terminal::{Summary, summary};
