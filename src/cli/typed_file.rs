//! Files whose columns have types, a batch after another.

use anyhow::{Context, Result};
use arrow_array::RecordBatch;
use arrow_ipc::writer::{FileWriter, StreamWriter};
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::output::Sink;

/// What such a file is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TypedFormat {
    /// Apache Parquet.
    Parquet,
    /// Apache Arrow's file, which is Feather.
    Arrow,
    /// Apache Arrow's stream.
    Arrows,
}

impl TypedFormat {
    /// That of a file with this ending, in lower case.
    pub fn of_ending(ending: &str) -> Option<Self> {
        match ending {
            "parquet" | "pq" => Some(Self::Parquet),
            "arrow" | "feather" | "ipc" => Some(Self::Arrow),
            "arrows" => Some(Self::Arrows),
            _ => None,
        }
    }
}

/// Bytes that are kept until a row group of Parquet is written: with embeddings, a million rows would be gigabytes.
const ROW_GROUP: usize = 64 << 20;

/// A file that is being written.
pub enum TypedFile {
    /// Apache Parquet, a row group after another.
    Parquet(ArrowWriter<Sink>),
    /// Apache Arrow's file.
    Arrow(FileWriter<Sink>),
    /// Apache Arrow's stream.
    Arrows(StreamWriter<Sink>),
}

impl TypedFile {
    /// Begin one with columns of `schema`.
    ///
    /// # Errors
    /// Nothing can be written there, or the format cannot hold a type.
    pub fn new(format: TypedFormat, schema: &SchemaRef, sink: Sink) -> Result<Self> {
        let cannot = || format!("cannot write {format:?}");
        Ok(match format {
            TypedFormat::Arrow => Self::Arrow(FileWriter::try_new(sink, schema).with_context(cannot)?),
            TypedFormat::Arrows => Self::Arrows(StreamWriter::try_new(sink, schema).with_context(cannot)?),
            TypedFormat::Parquet => {
                let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
                let writer = ArrowWriter::try_new(sink, schema.clone(), Some(properties));
                Self::Parquet(writer.with_context(cannot)?)
            }
        })
    }

    /// Write the next rows.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match self {
            Self::Parquet(writer) => {
                writer.write(batch)?;
                if writer.in_progress_size() > ROW_GROUP {
                    writer.flush()?;
                }
            }
            Self::Arrow(writer) => writer.write(batch)?,
            Self::Arrows(writer) => writer.write(batch)?,
        }
        Ok(())
    }

    /// Write what is left; the sink is to be finished.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(self) -> Result<Sink> {
        Ok(match self {
            Self::Parquet(writer) => writer.into_inner()?,
            Self::Arrow(writer) => writer.into_inner()?,
            Self::Arrows(writer) => writer.into_inner()?,
        })
    }
}
