//! Is the data fit to learn from? Columns, duplicates, texts that name the label, rows that look mislabelled.

mod columns;
mod data;
mod giveaways;
mod suspects;

pub use columns::{ColumnProfile, ColumnProfiler, Quartiles};
pub use data::{ClassCount, Mentions, NearDuplicates, RowCounts, ValidateInput, Validation, validate};
pub use giveaways::giveaways;
pub use suspects::{Suspect, suspects};
