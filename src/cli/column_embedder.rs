//! Batches with a column of texts to batches with their embeddings behind it, without a project.

use std::sync::Arc;

use anyhow::Result;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema, SchemaRef};

use super::exit::{BadInput, BadUsage};
use super::progress::Terminal;
use super::vectors::Vectors;
use crate::config::nearest;
use crate::engine::{Engine, load_encoder, on_disk};
use crate::store::user_cache;
use crate::table::text_column;
use pipeline_encoder::{Backend, Encode, Model, Precision, locate};

/// What is embedded, and how.
pub struct Embedding<'a> {
    /// The column of the texts; where it is not named, the only one.
    pub column: Option<&'a str>,
    /// That of the embeddings.
    pub to: &'a str,
    /// What they are.
    pub vectors: Vectors,
}

/// An encoder that is loaded.
pub struct LoadedEncoder {
    /// What it is.
    pub model: Model,
    encoder: Box<dyn Encode>,
}

impl LoadedEncoder {
    /// Load `encoder`: a folder, a name in the per-user cache, or of the hub.
    ///
    /// # Errors
    /// There is none, or it cannot be run here.
    pub fn load(encoder: &str, engine: Option<&dyn Engine>, terminal: &Terminal) -> Result<Self> {
        let folder = on_disk(locate(encoder, "".as_ref(), &user_cache())?, terminal)?;
        let model = Model::open(&folder, None, Precision::Auto, Backend::Auto)?;
        let encoder = load_encoder(engine, &model.settings(None))?;
        Ok(Self { model, encoder })
    }

    /// For batches of `given` columns of what messages call `source`.
    ///
    /// # Errors
    /// They lack the column, or have one of the name that embeddings shall have.
    pub fn on(&self, of: &Embedding<'_>, given: &Schema, source: &'static str) -> Result<ColumnEmbedder<'_>> {
        let names: Vec<&str> = given.fields().iter().map(|field| field.name().as_str()).collect();
        let place = match (of.column, names.as_slice()) {
            (None, [_]) => 0,
            (None, names) => {
                let all = names.join(", ");
                return Err(
                    BadUsage(format!("--column: name the column of texts; {source} has {all}")).into()
                );
            }
            (Some(column), names) => names.iter().position(|name| *name == column).ok_or_else(|| {
                let near = nearest(column, names.iter().copied());
                BadUsage(format!("--column {column}: {source} has {}{near}", names.join(", ")))
            })?,
        };
        if names.contains(&of.to) {
            return Err(BadUsage(format!("--as {}: {source} has such a column", of.to)).into());
        }
        let dims = self.model.dims;
        let mut fields: Vec<_> = given.fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(of.to, of.vectors.data_type(dims), true)));
        let schema = Arc::new(Schema::new(fields));
        Ok(ColumnEmbedder { encoder: self, place, vectors: of.vectors, schema })
    }
}

/// Embeds a column of batches.
pub struct ColumnEmbedder<'e> {
    encoder: &'e LoadedEncoder,
    place: usize,
    vectors: Vectors,
    /// The columns that came, and behind them that of embeddings.
    pub schema: SchemaRef,
}

/// The embeddings of a column.
pub struct EmbeddedColumn {
    /// One a row; a null or blank text has none.
    pub rows: Vec<Option<Vec<f32>>>,
    /// Rows whose text is longer than the encoder's limit: only its beginning counts.
    pub truncated: usize,
}

impl ColumnEmbedder<'_> {
    /// The embedding of each row; a text that is there more than once is computed once.
    ///
    /// # Errors
    /// The column is none of texts, or the encoder failed.
    pub fn embed(&self, batch: &RecordBatch, input: &str) -> Result<EmbeddedColumn> {
        let name = batch.schema_ref().field(self.place).name();
        let texts = text_column(batch.column(self.place))
            .map_err(|reason| BadInput(format!("{input}: the column `{name}` {reason}")))?;
        let texts: Vec<Option<&str>> =
            texts.iter().map(|text| text.as_deref().filter(|text| !text.trim().is_empty())).collect();
        let mut different: Vec<&str> = texts.iter().flatten().copied().collect();
        different.sort_unstable();
        different.dedup();
        let found = self.encoder.encoder.in_order(&different)?;
        let (mut rows, mut truncated) = (Vec::with_capacity(texts.len()), 0);
        for text in texts {
            let one = text.and_then(|text| found.get(different.binary_search(&text).ok()?));
            truncated += usize::from(one.is_some_and(|one| one.tokens > self.encoder.model.max_tokens));
            rows.push(one.map(|one| one.embedding.clone()));
        }
        Ok(EmbeddedColumn { rows, truncated })
    }

    /// A batch with the embeddings of its rows.
    ///
    /// # Errors
    /// They are more than a column holds.
    pub fn with_embeddings(&self, batch: &RecordBatch, embedded: &EmbeddedColumn) -> Result<RecordBatch> {
        let column: ArrayRef =
            self.vectors.column(self.encoder.model.dims, embedded.rows.iter().map(Option::as_deref))?;
        let columns = batch.columns().iter().cloned().chain([column]).collect();
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}
