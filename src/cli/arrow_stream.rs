//! Tables from standard input to standard output as a stream of Arrow, batch for batch: for engines that start a worker and give it rows.
//!
//! A row's answer depends on nothing but the row, so that it does not matter how an engine parts its rows. What cannot be answered has a
//! reason; what goes wrong with the stream ends the worker with an error, so that its engine tries again.

use std::io::{BufReader, Write};
use std::sync::Arc;

use anyhow::{Context, Result};
use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::SchemaRef;

use super::answered_typed::{batch_of, schema_of};
use super::column_embedder::{Embedding, LoadedEncoder};
use super::columns::check_columns;
use super::exit::{BadInput, Exit};
use super::output::Sink;
use super::progress::Terminal;
use super::vectors::Vectors;
use crate::engine::Engine;
use crate::model::{Form, Layout, Predictor, answered};
use crate::progress::{Background, Progress};
use crate::stages::Explainer;
use crate::table::{Batches, Cells, arrow_stream};

/// Batches of standard input; batches to standard output, each there at once.
struct Stream {
    schema: SchemaRef,
    batches: Batches,
}

impl Stream {
    fn open() -> Result<Self> {
        let (schema, batches) = arrow_stream(BufReader::with_capacity(1 << 20, std::io::stdin()))
            .map_err(|error| BadInput(format!("standard input is no Arrow stream: {error}")))?;
        Ok(Self { schema, batches })
    }

    /// Answer each batch with one of `schema`.
    fn answer(
        self,
        schema: &SchemaRef,
        what: &str,
        terminal: &Terminal,
        mut one: impl FnMut(RecordBatch) -> Result<RecordBatch>,
    ) -> Result<Exit> {
        let cannot = "cannot write to standard output";
        let mut writer = StreamWriter::try_new(Sink::Printed, schema).context(cannot)?;
        writer.flush().context(cannot)?;
        terminal.start(what, 0, "rows");
        for batch in self.batches {
            let batch = batch.map_err(|error| BadInput(format!("standard input: {error}")))?;
            let rows = batch.num_rows() as u64;
            // Nothing tells the types of no rows.
            let answers = if rows == 0 { RecordBatch::new_empty(schema.clone()) } else { one(batch)? };
            writer.write(&answers).context(cannot)?;
            writer.flush().context(cannot)?;
            std::io::stdout().flush().context(cannot)?;
            terminal.advance(rows);
        }
        terminal.finish();
        writer.finish().context(cannot)?;
        std::io::stdout().flush().context(cannot)?;
        Ok(Exit::Done)
    }
}

/// What is written of a model's answers.
pub struct Answers<'a> {
    /// A less likely answer is none.
    pub min_confidence: f32,
    /// Whether the columns that came stand before the answer.
    pub with_input: bool,
    /// Whether embeddings are written, too.
    pub embeddings: bool,
    /// What they are.
    pub vectors: Vectors,
    /// What says why, where that is asked.
    pub explainer: Option<Explainer<'a>>,
}

/// The rows with the answers of a model.
pub fn predict(predictor: &Predictor, answers: &Answers<'_>, terminal: &Terminal) -> Result<Exit> {
    let stream = Stream::open()?;
    let (card, given) = (predictor.card(), stream.schema.clone());
    let names: Vec<String> = given.fields().iter().map(|field| field.name().clone()).collect();
    let wanted = card.wanted();
    let columns = wanted.in_stream(&given).map_err(|reason| BadInput(format!("standard input: {reason}")))?;
    check_columns(terminal, &wanted, &names)?;
    let form = Form {
        min_confidence: answers.min_confidence,
        with_input: answers.with_input,
        embedded: if answers.embeddings { card.config.encoded_fields() } else { Vec::new() },
        dims: predictor.encoders().dims(),
        with_set: false,
        explained: answers.explainer.is_some(),
    };
    let layout = Layout::new(card, form, &names);
    let schema = schema_of(&layout, Some(&given), answers.vectors);
    stream.answer(&schema, "predicting", terminal, |batch| {
        let rows = columns.rows(&Arc::new(batch));
        let cells: Vec<&Cells> = rows.iter().filter_map(|row| row.cells.as_ref().ok()).collect();
        let predicted = predictor.rows(&cells, &Background(terminal))?;
        let mut found = answered(&rows, &predicted, predictor.decision(), card.classes.len());
        if let Some(explainer) = &answers.explainer {
            // The whole batch is counted when it is written.
            explainer.explain(&rows, &predicted, &mut found, &Background(terminal))?;
        }
        Ok(batch_of(&layout, &schema, &found, answers.vectors)?)
    })
}

/// The rows with the embeddings of a column.
pub fn embed(
    of: &Embedding<'_>,
    encoder: &str,
    engine: Option<&dyn Engine>,
    terminal: &Terminal,
) -> Result<Exit> {
    let encoder = LoadedEncoder::load(encoder, engine, terminal)?;
    let stream = Stream::open()?;
    let embedder = encoder.on(of, &stream.schema, "the stream")?;
    stream.answer(&embedder.schema, "embedding", terminal, |batch| {
        let embedded = embedder.embed(&batch, "standard input")?;
        embedder.with_embeddings(&batch, &embedded)
    })
}
