//! `pipeline embed FILE`: a table to a table with embeddings, or to the matrix of them, however long it is.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use arrow_array::RecordBatch;
use serde_json::json;

use super::column_embedder::{ColumnEmbedder, EmbeddedColumn, Embedding, LoadedEncoder};
use super::exit::{BadRows, BadUsage, Exit};
use super::input::{TableInput, check_there};
use super::output::{Sink, print, print_json};
use super::progress::Terminal;
use super::typed_file::{TypedFile, TypedFormat};
use super::vectors::Vectors;
use crate::counting::{counted, grouped};
use crate::embed::{Embeddings, NpyWriter};
use crate::engine::Engine;
use crate::progress::Progress;
use crate::stages::BuildError;
use crate::table::TypedTable;

/// Rows that are in memory together.
const ROWS: usize = 1024;
/// Of a million bad rows nobody reads every one.
const TOLD: usize = 20;

/// What is written.
#[derive(Clone, Copy)]
enum Format {
    /// The columns of the table, and the embeddings.
    Typed(TypedFormat),
    /// The embeddings alone, a row of the matrix for each of the table; those of a row without a text are NaN.
    Npy,
}

impl Format {
    fn of_file(path: &Path) -> Result<Self, BadUsage> {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match ending.as_str() {
            "npy" => Ok(Self::Npy),
            ending => TypedFormat::of_ending(ending).map(Self::Typed).ok_or_else(|| {
                BadUsage(format!(
                    "--output {}: embeddings are written to .parquet, .arrow, .feather, .arrows and .npy",
                    path.display()
                ))
            }),
        }
    }
}

/// From where to where.
pub struct Files<'a> {
    /// The table; `-` is standard input.
    pub table: &'a Path,
    /// What is written, whole or not at all.
    pub output: &'a Path,
}

/// Embed a column of a table by `encoder`.
pub fn embed_table(
    files: &Files<'_>,
    of: &Embedding<'_>,
    encoder: &str,
    json: bool,
    engine: Option<&dyn Engine>,
    terminal: &Terminal,
) -> Result<Exit> {
    check_there(files.table)?;
    let format = Format::of_file(files.output)?;
    if matches!(format, Format::Npy) && of.vectors != Vectors::F32 {
        return Err(BadUsage("--vectors: a matrix of .npy has floats; leave it out".into()).into());
    }
    let encoder = LoadedEncoder::load(encoder, engine, terminal)?;
    let input = TableInput::open(files.table)?;
    let table = TypedTable::open(input.path(), input.shown()).map_err(BuildError::from)?;
    table.notes().iter().for_each(|note| terminal.note(&format!("note: {note}")));
    let embedder = encoder.on(of, table.schema(), "the table")?;
    let mut sink = Sink::new(Some(files.output))?;
    let started = Instant::now();
    let rows = table.count().map_err(BuildError::from)?;
    let walk = Walk { table: &table, rows, embedder: &embedder, input: &input, terminal };
    let (dims, cannot) = (encoder.model.dims, || format!("cannot write {}", files.output.display()));
    let (counts, sink) = match format {
        Format::Typed(format) => {
            let mut file = TypedFile::new(format, &embedder.schema, sink)?;
            let counts = walk.each(&mut |batch, embedded| {
                file.write(&embedder.with_embeddings(batch, embedded)?).with_context(cannot)
            })?;
            (counts, file.finish().with_context(cannot)?)
        }
        Format::Npy => {
            let mut file = NpyWriter::new(&mut sink, rows, dims).with_context(cannot)?;
            let counts =
                walk.each(&mut |_, embedded| file.extend(&matrix(dims, embedded)).with_context(cannot))?;
            file.finish().with_context(cannot)?;
            (counts, sink)
        }
    };
    sink.finish()?;
    let seconds = started.elapsed().as_secs_f64();
    if json {
        print_json(&json!({
            "rows": counts.rows,
            "without_text": counts.without_text,
            "unreadable": counts.unreadable,
            "truncated": counts.truncated,
            "dims": dims,
            "fingerprint": encoder.model.fingerprint,
            "output": files.output,
            "seconds": seconds,
        }))?;
    } else {
        print(&counts.told(files.output, dims, seconds))?;
    }
    match counts.unreadable {
        0 => Ok(Exit::Done),
        rows => Err(BadRows { rows, others: "embedded" }.into()),
    }
}

/// What is counted on the way, in rows.
#[derive(Default)]
struct Counts {
    rows: usize,
    without_text: usize,
    unreadable: usize,
    truncated: usize,
}

impl Counts {
    fn told(&self, output: &Path, dims: usize, seconds: f64) -> String {
        let rows = counted(self.rows, "row is", "rows are");
        let mut text = format!("{rows} in {}, {dims} values each, in {seconds:.1} s", output.display());
        for (count, what) in
            [(self.without_text, "without text"), (self.truncated, "cut at the encoder's limit")]
        {
            if count > 0 {
                text += &format!("; {} {what}", grouped(count));
            }
        }
        text + "\n"
    }
}

/// The way through a table.
struct Walk<'a> {
    table: &'a TypedTable,
    rows: usize,
    embedder: &'a ColumnEmbedder<'a>,
    input: &'a TableInput,
    terminal: &'a Terminal,
}

impl Walk<'_> {
    /// Hand on each batch with its embeddings.
    fn each(&self, take: &mut dyn FnMut(&RecordBatch, &EmbeddedColumn) -> Result<()>) -> Result<Counts> {
        let input = self.input.shown().display().to_string();
        let mut counts = Counts::default();
        self.terminal.start("embedding", self.rows as u64, "rows");
        for part in self.table.parts(ROWS).map_err(BuildError::from)? {
            let part = part.map_err(BuildError::from)?;
            if self.terminal.interrupted() {
                return Err(BuildError::Interrupted.into());
            }
            for (line, reason) in &part.unreadable {
                counts.unreadable += 1;
                if counts.unreadable <= TOLD {
                    self.terminal.note(&format!("error: line {line}: {reason}"));
                }
            }
            let embedded = self.embedder.embed(&part.batch, &input)?;
            counts.rows += embedded.rows.len();
            counts.without_text += embedded.rows.iter().filter(|row| row.is_none()).count();
            counts.truncated += embedded.truncated;
            take(&part.batch, &embedded)?;
            self.terminal.advance(embedded.rows.len() as u64);
        }
        self.terminal.finish();
        counts.without_text -= counts.unreadable;
        Ok(counts)
    }
}

fn matrix(dims: usize, embedded: &EmbeddedColumn) -> Embeddings {
    let mut values = Vec::with_capacity(embedded.rows.len() * dims);
    for row in &embedded.rows {
        match row {
            Some(vector) => values.extend_from_slice(vector),
            None => values.resize(values.len() + dims, f32::NAN),
        }
    }
    Embeddings { dims, values }
}
