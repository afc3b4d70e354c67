//! BERT sentence encoders over the own forward pass: the texts of a batch one behind the other, no padding.

use std::path::Path;
use std::sync::Arc;

use pipeline::config::Precision;
use pipeline::embed::EncoderError;
use rust_bert::pipelines::sentence_embeddings::layers::PoolingConfig;
use serde::Deserialize;
use tch::Tensor;

use crate::batch::{Batch, Worker};
use crate::bert::{Bert, Scratch, Shape};
use crate::folder::{Modules, read_json};

/// One thread's encoder; clones share the weights.
pub struct Packed {
    bert: Arc<Bert>,
    pool: Pool,
    normalize: bool,
    scratch: Scratch,
}

/// How the states of a text's tokens become one vector.
#[derive(Clone, Copy)]
enum Pool {
    /// That of the first token, `[CLS]`.
    First,
    Mean,
}

impl Clone for Packed {
    fn clone(&self) -> Self {
        Self { bert: Arc::clone(&self.bert), scratch: Scratch::default(), ..*self }
    }
}

impl Packed {
    /// Load a BERT that the own pass can run; `None` for other models, and on processors where libtorch is faster.
    ///
    /// # Errors
    /// A missing, unreadable or unsuitable file, named by its path.
    pub fn load(
        folder: &Path,
        modules: &Modules,
        precision: Precision,
    ) -> Result<Option<Self>, EncoderError> {
        #[derive(Deserialize)]
        struct Kind {
            model_type: String,
            hidden_act: Option<String>,
            position_embedding_type: Option<String>,
        }
        let (config, weights) = (folder.join("config.json"), folder.join("model.safetensors"));
        let kind: Kind = read_json(&config)?;
        let plain = kind.model_type == "bert"
            && kind.hidden_act.is_none_or(|act| act == "gelu")
            && kind.position_embedding_type.is_none_or(|t| t == "absolute");
        let pool = pool(&read_json(&modules.pooling)?);
        let Some(pool) = pool.filter(|_| plain && modules.dense.is_none() && weights.exists()) else {
            return Ok(None);
        };
        let invalid = |reason: String| EncoderError::Invalid { path: weights.clone(), reason };
        let shape: Shape = read_json(&config)?;
        let tensors = Tensor::read_safetensors(&weights).map_err(|e| invalid(e.to_string()))?;
        let bert = Bert::new(shape, precision, &tensors.into_iter().collect()).map_err(invalid)?;
        Ok(bert.map(|bert| Self {
            bert: Arc::new(bert),
            pool,
            normalize: modules.normalize,
            scratch: Scratch::default(),
        }))
    }
}

/// The pooling, where it is one of those done here.
fn pool(config: &PoolingConfig) -> Option<Pool> {
    let PoolingConfig {
        pooling_mode_cls_token: first,
        pooling_mode_mean_tokens: mean,
        pooling_mode_max_tokens: max,
        pooling_mode_mean_sqrt_len_tokens: sqrt,
        ..
    } = *config;
    match (first, mean, max || sqrt) {
        (true, false, false) => Some(Pool::First),
        (false, true, false) => Some(Pool::Mean),
        _ => None,
    }
}

impl Worker for Packed {
    fn embed(&mut self, batch: &Batch) -> Result<Vec<Vec<f32>>, EncoderError> {
        let texts: Vec<&[i64]> = batch.texts.iter().map(|t| &t.ids[..]).collect();
        let mut states = self.bert.forward(&texts, &mut self.scratch).map_err(EncoderError::Forward)?;
        let mut embeddings = Vec::with_capacity(texts.len());
        for text in texts {
            let (own, rest) = states.split_at(text.len() * self.bert.hidden_size());
            states = rest;
            embeddings.push(embedding(own, self.bert.hidden_size(), self.pool, self.normalize));
        }
        Ok(embeddings)
    }
}

/// The embedding of a text from its tokens' states, each of `size` numbers.
fn embedding(states: &[f32], size: usize, pool: Pool, normalize: bool) -> Vec<f32> {
    let tokens = states.chunks_exact(size);
    let counted = match pool {
        Pool::First => tokens.take(1),
        Pool::Mean => tokens.take(usize::MAX),
    };
    let count = counted.len().max(1) as f32;
    let mut embedding = vec![0.0; size];
    for state in counted {
        embedding.iter_mut().zip(state).for_each(|(sum, s)| *sum += s);
    }
    embedding.iter_mut().for_each(|sum| *sum /= count);
    if normalize {
        let norm = embedding.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
        embedding.iter_mut().for_each(|v| *v /= norm);
    }
    embedding
}
