//! Tables from standard input to standard output as a stream of Arrow, batch for batch: for engines that start a worker and give it rows.
//!
//! A row's answer depends on nothing but the row, so that it does not matter how an engine parts its rows. What cannot be answered has a
//! reason; what goes wrong with the stream ends the worker with an error, so that its engine tries again.

use std::io::{BufReader, Write};
use std::sync::Arc;

use anyhow::{Context, Result};
use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{Field, Schema, SchemaRef};

use super::answered_typed::{batch_of, schema_of};
use super::columns::check_columns;
use super::exit::{BadInput, BadUsage, Exit};
use super::output::Sink;
use super::progress::Terminal;
use super::vectors::Vectors;
use crate::config::nearest;
use crate::engine::{Engine, load_encoder, on_disk};
use crate::model::{Form, Layout, Predictor, answered};
use crate::progress::{Background, Progress};
use crate::store::user_cache;
use crate::table::{Batches, Cells, arrow_stream, text_column};
use pipeline_encoder::{Backend, Encode, Model, Precision, locate};

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
pub struct Answers {
    /// A less likely answer is none.
    pub min_confidence: f32,
    /// Whether the columns that came stand before the answer.
    pub with_input: bool,
    /// Whether embeddings are written, too.
    pub embeddings: bool,
    /// What they are.
    pub vectors: Vectors,
}

/// The rows with the answers of a model.
pub fn predict(predictor: &Predictor, answers: &Answers, terminal: &Terminal) -> Result<Exit> {
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
        explained: false,
    };
    let layout = Layout::new(card, form, &names);
    let schema = schema_of(&layout, Some(&given), answers.vectors);
    stream.answer(&schema, "predicting", terminal, |batch| {
        let rows = columns.rows(&Arc::new(batch));
        let cells: Vec<&Cells> = rows.iter().filter_map(|row| row.cells.as_ref().ok()).collect();
        let predicted = predictor.rows(&cells, &Background(terminal))?;
        let found = answered(&rows, &predicted, predictor.decision(), card.classes.len());
        Ok(batch_of(&layout, &schema, &found, answers.vectors)?)
    })
}

/// What is embedded, and how.
pub struct Embedding<'a> {
    /// A folder, a name in the per-user cache, or of the hub.
    pub encoder: &'a str,
    /// The column of the texts.
    pub column: &'a str,
    /// That of the embeddings.
    pub to: &'a str,
    /// What they are.
    pub vectors: Vectors,
}

/// The rows with the embeddings of a column; a null has none.
pub fn embed(of: &Embedding<'_>, engine: Option<&dyn Engine>, terminal: &Terminal) -> Result<Exit> {
    let folder = on_disk(locate(of.encoder, "".as_ref(), &user_cache())?, terminal)?;
    let model = Model::open(&folder, None, Precision::Auto, Backend::Auto)?;
    let encoder = load_encoder(engine, &model.settings(None))?;
    let stream = Stream::open()?;
    let names = || stream.schema.fields().iter().map(|field| field.name().as_str());
    let Some(place) = names().position(|name| name == of.column) else {
        let near = nearest(of.column, names());
        let all = names().collect::<Vec<_>>().join(", ");
        return Err(BadUsage(format!("--column {}: the stream has {all}{near}", of.column)).into());
    };
    if names().any(|name| name == of.to) {
        return Err(BadUsage(format!("--as {}: the stream has such a column", of.to)).into());
    }
    let mut fields: Vec<_> = stream.schema.fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new(of.to, of.vectors.data_type(model.dims), true)));
    let schema = Arc::new(Schema::new(fields));
    stream.answer(&schema, "embedding", terminal, |batch| {
        let texts = text_column(batch.column(place))
            .map_err(|reason| BadInput(format!("standard input: the column `{}` {reason}", of.column)))?;
        let vectors = embedded(encoder.as_ref(), &texts)?;
        let column = of.vectors.column(model.dims, vectors.iter().map(Option::as_deref))?;
        let columns = batch.columns().iter().cloned().chain([column]).collect();
        Ok(RecordBatch::try_new(schema.clone(), columns)?)
    })
}

/// The embedding of each text; a text that is there more than once is computed once.
fn embedded(encoder: &dyn Encode, texts: &[Option<String>]) -> Result<Vec<Option<Vec<f32>>>> {
    let mut different: Vec<&str> = texts.iter().flatten().map(String::as_str).collect();
    different.sort_unstable();
    different.dedup();
    let mut found = vec![Vec::new(); different.len()];
    encoder.encode(&different, &mut |batch| {
        batch.into_iter().for_each(|one| found[one.text] = one.embedding);
        std::ops::ControlFlow::Continue(())
    })?;
    let of = |text: &String| different.binary_search(&text.as_str()).ok().map(|place| found[place].clone());
    Ok(texts.iter().map(|text| text.as_ref().and_then(of)).collect())
}
