//! Encoders on the own pass: the texts of a batch one behind the other, no padding, and the pooling of their states.

use std::sync::Arc;

use rayon::ThreadPool;

use crate::architecture::Architecture;
use crate::arithmetic::Arithmetic;
use crate::batch::Batch;
use crate::encode::EncoderError;
use crate::folder::Folder;
use crate::transformer::{Bert, Scratch};
use crate::weights::Weights;

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
    /// Load an encoder that the own pass can run.
    ///
    /// # Errors
    /// A missing, unreadable or unsuitable file, named by its path; or the own pass, or this processor, cannot run it.
    pub fn load(folder: &Folder, arithmetic: Arithmetic) -> Result<Self, EncoderError> {
        let needs = |reason| EncoderError::NeedsTorch { folder: folder.path.clone(), reason };
        folder.runs_natively().map_err(needs)?;
        if arithmetic.needs_torch() {
            return Err(needs(format!("its arithmetic is to be {}", arithmetic.name())));
        }
        let Architecture::Bert(config) = &folder.architecture else {
            return Err(needs(format!("it is a `{}`", folder.architecture.name())));
        };
        let path = folder.weights();
        let invalid = |reason: String| EncoderError::Invalid { path: path.clone(), reason };
        let bert = Weights::open(&path).and_then(|weights| Bert::pack(config, arithmetic, &weights));
        Ok(Self {
            bert: Arc::new(bert.map_err(invalid)?),
            pool: if folder.pooling.pooling_mode_cls_token { Pool::First } else { Pool::Mean },
            normalize: folder.normalize,
            scratch: Scratch::default(),
        })
    }

    /// How many of them are of use for one text.
    pub fn threads(&self) -> usize {
        self.bert.threads()
    }

    /// The vector of one text by several clones, each on a thread: the caller's and those of `others`, which do nothing else.
    ///
    /// # Errors
    /// As [`Self::embed`].
    pub fn embed_together(
        of: &mut [&mut Self],
        text: &[i64],
        others: &ThreadPool,
    ) -> Result<Vec<f32>, EncoderError> {
        let Some(Self { bert, pool, normalize, .. }) = of.first() else { return Ok(Vec::new()) };
        let (bert, pool, normalize) = (Arc::clone(bert), *pool, *normalize);
        let mut scratches: Vec<&mut Scratch> = of.iter_mut().map(|packed| &mut packed.scratch).collect();
        let states = bert.forward_together(text, &mut scratches, others).map_err(EncoderError::Forward)?;
        embedding(states, bert.hidden_size(), pool, normalize)
    }

    /// The vector of each text of `batch`, in its order.
    ///
    /// # Errors
    /// The model does not fit the tokens.
    pub fn embed(&mut self, batch: &Batch) -> Result<Vec<Vec<f32>>, EncoderError> {
        let texts: Vec<&[i64]> = batch.texts.iter().map(|t| &t.ids[..]).collect();
        let mut states = self.bert.forward(&texts, &mut self.scratch).map_err(EncoderError::Forward)?;
        let mut embeddings = Vec::with_capacity(texts.len());
        for text in texts {
            let (own, rest) = states.split_at(text.len() * self.bert.hidden_size());
            states = rest;
            embeddings.push(embedding(own, self.bert.hidden_size(), self.pool, self.normalize)?);
        }
        Ok(embeddings)
    }
}

/// The embedding of a text from its tokens' states, each of `size` numbers.
///
/// # Errors
/// A state is no number.
fn embedding(states: &[f32], size: usize, pool: Pool, normalize: bool) -> Result<Vec<f32>, EncoderError> {
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
    match embedding.iter().all(|v| v.is_finite()) {
        true => Ok(embedding),
        false => {
            let reason = "what it gives for a text is no number; its weights are damaged, or too large for its arithmetic";
            Err(EncoderError::Forward(reason.into()))
        }
    }
}
