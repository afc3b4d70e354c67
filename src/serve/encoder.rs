//! An encoder without a model, which only embeds.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use pipeline_encoder::{Backend, Encode, Model, Precision, locate};
use pipeline_serve::outside::{Answer, AnswerError, Answerer, Embedded, Row, Source};
use serde_json::{Value, json};

use super::embedded::{about_tokens, embedded};
use crate::engine::{load_encoder, on_disk};
use crate::progress::Silent;
use crate::store::user_cache;

/// An encoder under a name.
pub struct EncoderFolder {
    /// The name that clients ask for.
    pub name: String,
    /// Its folder, its name in the per-user cache, or that of the hub.
    pub encoder: String,
    /// The folder that names of encoders are relative to.
    pub root: PathBuf,
    /// How it computes.
    pub precision: Precision,
}

impl EncoderFolder {
    fn folder(&self) -> Result<PathBuf, AnswerError> {
        let place = locate(&self.encoder, &self.root, &user_cache()).map_err(failed)?;
        on_disk(place, &Silent).map_err(failed)
    }
}

fn failed(error: impl ToString) -> AnswerError {
    AnswerError(error.to_string())
}

impl Source for EncoderFolder {
    fn name(&self) -> &str {
        &self.name
    }

    /// Sizes and times of the files: its weights are too many to be hashed every few seconds.
    fn fingerprint(&self) -> Result<String, AnswerError> {
        let folder = self.folder()?;
        let listed =
            std::fs::read_dir(&folder).map_err(|e| AnswerError(format!("{}: {e}", folder.display())))?;
        let of = |entry: std::io::Result<std::fs::DirEntry>| {
            let (entry, named) = (entry?, |e| format!("{e:?}"));
            let data = entry.metadata()?;
            let since = data.modified()?.duration_since(UNIX_EPOCH).map_or_else(|_| String::new(), named);
            Ok(format!("{:?} {} {since}", entry.file_name(), data.len()))
        };
        let mut files: Vec<String> = listed.map(of).collect::<std::io::Result<_>>().map_err(failed)?;
        files.sort_unstable();
        Ok(files.join("\n"))
    }

    fn load(&self) -> Result<Arc<dyn Answerer>, AnswerError> {
        let model = Model::open(&self.folder()?, None, self.precision, Backend::Auto).map_err(failed)?;
        let encoder = load_encoder(None, &model.settings(None)).map_err(failed)?;
        let served = Served { name: self.encoder.clone(), encoder, model, fields: vec!["text".to_owned()] };
        Ok(Arc::new(served))
    }
}

/// A loaded encoder.
struct Served {
    name: String,
    model: Model,
    encoder: Box<dyn Encode>,
    fields: Vec<String>,
}

impl Answerer for Served {
    fn text_fields(&self) -> &[String] {
        &self.fields
    }

    fn columns(&self) -> &[String] {
        &self.fields
    }

    fn classes(&self) -> &[String] {
        &[]
    }

    fn encoder(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn max_tokens(&self) -> usize {
        self.model.max_tokens
    }

    fn info(&self) -> Value {
        json!({
            "pipeline_version": env!("CARGO_PKG_VERSION"),
            "encoders": [self.name],
            "fingerprint": self.model.fingerprint,
            "arithmetic": self.model.arithmetic.name(),
            "dims": self.model.dims,
            "max_tokens": self.model.max_tokens,
        })
    }

    fn tokens(&self, row: &Row) -> usize {
        match row {
            Row::Text(text) => about_tokens(text, self.max_tokens()),
            Row::Fields(_) => 1,
        }
    }

    fn predict(&self, _: &[&Row]) -> Result<Vec<Result<Answer, String>>, AnswerError> {
        Err(AnswerError(format!("{} is an encoder and gives no labels", self.name)))
    }

    fn tokens_to_explain(&self, row: &Row, _: usize) -> usize {
        self.tokens(row)
    }

    fn explain(
        &self,
        _: &Row,
        _: usize,
        _: &(dyn Fn() -> bool + Sync),
    ) -> Result<Result<Answer, String>, AnswerError> {
        Err(AnswerError(format!("{} is an encoder and gives no labels", self.name)))
    }

    fn embed(&self, texts: &[&str], normalize: bool) -> Result<Vec<Embedded>, AnswerError> {
        let found = self.encoder.in_order(texts).map_err(failed)?;
        let found = found.into_iter().map(|one| (one.embedding, one.tokens)).collect();
        Ok(embedded(found, self.max_tokens(), normalize))
    }
}
