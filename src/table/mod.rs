//! Raw files, as people have them, to a [`Dataset`]: encodings, header, list cells, label, rejects, duplicates.
//!
//! Nothing is dropped in silence: a row is used, or it is in [`ReadReport::rejects`] with file, line, column, value and
//! reason, or it is in [`ReadReport::duplicates`] with the row it repeats.

mod errors;
mod cell;
mod fault;
mod numbers;
mod missing;
mod dataset;
mod report;
mod encoding;
mod records;
mod dialect;
mod source;
mod bytes;
mod csv;
mod json_lines;
mod spreadsheet;
mod columnar;
mod parquet;
mod arrow;
mod formats;
mod partitions;
mod answers;
mod files;
mod columns;
mod likeness;
mod labels;
mod rows;
mod duplicates;
mod contradictions;
mod corrections;
mod sentinels;
mod rejects;
mod read;
mod new_rows;
mod named;
mod sample;
mod typed_table;
mod without;
mod text_rows;
mod second_labels;

pub use answers::{BECAUSE, LABEL, LINE, PROBABILITY, REASON, SET, UNLIKE_TRAINING, renamed};
pub use arrow::begin_stream as arrow_stream;
pub use bytes::{Packer, Packing, name_unpacked, unpacked};
pub use cell::{harmless, items, normalise, shorten};
pub use columnar::text_column;
pub use corrections::{Correction, Corrections};
pub use dataset::{Cells, Collected, ContentHash, Dataset, Row, check_classes};
pub use errors::TableError;
pub use files::{collected_files, files, matching};
pub use formats::is_table;
pub use likeness::{are_alike, folded};
pub use named::{NamedRow, read_named};
pub use new_rows::{NewRow, NewTable, NoAnswer, Wanted, json_row, json_rows};
pub use numbers::are_numbers;
pub use read::{check_columns, read, read_collected};
pub use rejects::{check_rejects, write_rejects};
pub use report::{Contradiction, Duplicate, ReadReport, Reject};
pub use rows::{KIND, PARENT, SHOWN};
pub use sample::{Sample, sample};
pub use second_labels::{Labelled, Pass, class_of, pass_files, passes, second_labels};
pub use source::{Batches, Stated, TypedRow};
pub use text_rows::{
    TextRow, columns_of_text, columns_there, for_each_line, for_each_text_row, lines_with, named_cells,
    same_text,
};
pub use typed_table::{Part, TypedTable, without_dictionary};
pub use without::{WithoutError, has_lines, remove_unfinished, write_without};
