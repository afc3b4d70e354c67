//! Raw files, as people have them, to a [`Dataset`]: encodings, header, list cells, label, rejects, duplicates.
//!
//! Nothing is dropped in silence: a row is used, or it is in [`ReadReport::rejects`] with file, line, column, value and
//! reason, or it is in [`ReadReport::duplicates`] with the row it repeats.

mod errors;
mod cell;
mod fault;
mod dataset;
mod report;
mod source;
mod csv;
mod formats;
mod files;
mod columns;
mod labels;
mod rows;
mod duplicates;
mod rejects;
mod read;
mod named;
mod second_labels;

pub use cell::{items, normalise};
pub use dataset::{Cells, ContentHash, Dataset, Row, check_classes};
pub use errors::TableError;
pub use files::files;
pub use named::{NamedRow, Wanted, read_named};
pub use read::read;
pub use rejects::{check_rejects, write_rejects};
pub use report::{Duplicate, ReadReport, Reject};
pub use second_labels::{Labelled, second_labels};
