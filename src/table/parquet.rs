//! Parquet: row groups of columns, compressed within, the schema at the file's end.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};

use super::source::Batches;

/// How Parquet files begin: a magic number, and the first field of the header of a page. No text goes on with a control character,
/// but one may begin with a column called PAR1.
pub const MAGIC: &[u8] = b"PAR1\x15";

/// Rows that are read together.
const ROWS: usize = 1024;

/// Begin to read the file `path`.
///
/// # Errors
/// It cannot be read, or is no whole Parquet file.
pub fn begin(path: &Path) -> io::Result<(SchemaRef, Batches)> {
    let file = File::open(path)?;
    let found = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(damaged)?;
    let fields = found.schema().fields().iter().map(without_views).collect::<Vec<_>>();
    let schema = Arc::new(Schema::new_with_metadata(fields, found.schema().metadata().clone()));
    let options = ArrowReaderOptions::new().with_schema(schema.clone());
    let found = ArrowReaderMetadata::try_new(found.metadata().clone(), options).map_err(damaged)?;
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, found).with_batch_size(ROWS);
    let batches = reader.build().map_err(damaged)?.map(|batch| batch.map_err(damaged));
    Ok((schema, Box::new(batches)))
}

/// The type that a column is read as. For views the reader reserves memory for as many values as a page declares, which a damaged
/// file may have billions of: they are read as what they are views of.
fn without_views(field: &FieldRef) -> FieldRef {
    let of = match field.data_type() {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::List(item) => DataType::List(without_views(item)),
        DataType::LargeList(item) => DataType::LargeList(without_views(item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(without_views(item), *size),
        DataType::Map(entries, sorted) => DataType::Map(without_views(entries), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(without_views).collect()),
        other => other.clone(),
    };
    Arc::new(Field::clone(field).with_data_type(of))
}

fn damaged(error: impl std::fmt::Display) -> io::Error {
    let reason = format!("it is no Parquet file, or damaged: {error}");
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
