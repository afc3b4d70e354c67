//! Is the data fit to learn from? Columns, duplicates, texts that name the label, rows that look mislabelled.

mod columns;
mod data;
mod drift;
mod halves;
mod leaks;
mod near;
mod shift;
mod suspects;

pub use columns::{ColumnProfile, ColumnProfiler, Quartiles};
pub use data::{ClassCount, Mentions, RowCounts, ValidateInput, Validation, validate};
pub use drift::{Moments, drift, tells_time};
pub use leaks::{LeakInput, leaks};
pub use near::{NearDuplicates, near_duplicates, near_recall};
pub use shift::{share_difference, shift, text_shift};
pub use suspects::{Suspect, suspects};
