//! Any of rust-bert's sentence encoders, over libtorch: every text of a batch padded to the same width. The reference that
//! the own pass is checked against, and the way to run what it cannot.
//!
//! rust-bert's own `SentenceEmbeddingsModel` is not used because it hides what must be seen: it truncates in silence,
//! masks a literal `[PAD]` in the text, pads a whole slice to its longest text, panics without a path when a config
//! file is missing, and picks CUDA unasked. Its transformer, pooling and dense layers are used as they are.

use std::collections::BTreeMap;
use std::path::Path;

use pipeline_encoder::{
    Architecture, Batch, Encoder, EncoderError, EncoderSettings, Folder, Precision, Worker,
};
use rust_bert::albert::AlbertConfig;
use rust_bert::bert::BertConfig;
use rust_bert::distilbert::DistilBertConfig;
use rust_bert::pipelines::common::{ConfigOption, ModelType};
use rust_bert::pipelines::sentence_embeddings::SentenceEmbeddingsOption;
use rust_bert::pipelines::sentence_embeddings::layers::{Dense, DenseConfig, Pooling};
use rust_bert::roberta::RobertaConfig;
use rust_bert::t5::T5Config;
use serde::de::DeserializeOwned;
use tch::{Kind, Tensor, nn};

use crate::device::CPU;
use crate::libtorch::single_threaded;

/// Load an encoder for rust-bert, on the CPU.
///
/// # Errors
/// A missing, unreadable or unsuitable file, named by its path.
pub fn load(settings: &EncoderSettings) -> Result<Encoder, EncoderError> {
    Encoder::with_workers(settings, |folder, pad_id| {
        let precision = settings.arithmetic.precision();
        let padded = Padded::load(folder, precision, pad_id, settings.workers)?;
        Ok(padded.into_iter().map(|padded| -> Box<dyn Worker> { Box::new(padded) }).collect())
    })
}

/// What one thread needs to turn token ids into vectors. libtorch modules are `Send` but not `Sync`, hence one each.
struct Padded {
    transformer: SentenceEmbeddingsOption,
    pooling: Pooling,
    dense: Option<Dense>,
    normalize: bool,
    pad_id: i64,
}

impl Padded {
    /// A model for each worker; they share their weights.
    ///
    /// # Errors
    /// A missing, unreadable or unsuitable file, named by its path.
    fn load(
        folder: &Folder,
        precision: Precision,
        pad_id: i64,
        workers: usize,
    ) -> Result<Vec<Self>, EncoderError> {
        single_threaded();
        let (first, weights) = Self::load_one(folder, precision, pad_id, None)?;
        let mut all = vec![first];
        for _ in 1..workers {
            all.push(Self::load_one(folder, precision, pad_id, Some(&weights))?.0);
        }
        Ok(all)
    }

    /// With `shared`, the weights are those tensors instead of copies. Returns the model and its named weights.
    fn load_one(
        folder: &Folder,
        precision: Precision,
        pad_id: i64,
        shared: Option<&BTreeMap<String, Tensor>>,
    ) -> Result<(Self, BTreeMap<String, Tensor>), EncoderError> {
        let dense = match &folder.dense {
            Some(path) => {
                let config: DenseConfig = read_json(&path.join("config.json"))?;
                let weights = Folder::weights_in(path);
                Some(
                    Dense::new(config, &weights, CPU)
                        .map_err(|e| EncoderError::Invalid { path: weights, reason: e.to_string() })?,
                )
            }
            None => None,
        };
        let config_path = folder.path.join("config.json");
        let (model_type, config) = transformer_config(folder, &config_path)?;
        let mut store = nn::VarStore::new(CPU);
        let transformer = SentenceEmbeddingsOption::new(model_type, store.root(), &config)
            .map_err(|e| EncoderError::Invalid { path: config_path, reason: e.to_string() })?;
        match shared {
            None => {
                let path = folder.weights();
                store.load(&path).map_err(|e| EncoderError::Invalid { path, reason: e.to_string() })?;
                if precision == Precision::Bf16 {
                    store.bfloat16();
                }
            }
            Some(weights) => {
                for (name, mut variable) in store.variables() {
                    variable.set_data(&weights[&name]);
                }
            }
        }
        let weights = store.variables().into_iter().collect();
        let pooling = Pooling::new(read_json(&folder.pooling_file)?);
        Ok((Self { transformer, pooling, dense, normalize: folder.normalize, pad_id }, weights))
    }
}

impl Worker for Padded {
    /// Ids are `[rows, width]`, the mask is 1 for tokens and 0 for padding only.
    fn embed(&mut self, batch: &Batch) -> Result<Vec<Vec<f32>>, EncoderError> {
        let Batch { width, rows, texts } = batch;
        let mut ids = vec![self.pad_id; rows * width];
        let mut mask = vec![0i64; rows * width];
        for row in 0..*rows {
            let start = row * width;
            match texts.get(row) {
                Some(text) => {
                    ids[start..start + text.ids.len()].copy_from_slice(&text.ids);
                    mask[start..start + text.ids.len()].fill(1);
                }
                // Attention over nothing is not a number.
                None => mask[start] = 1,
            }
        }
        let fail = |e: String| EncoderError::Forward(e);
        // This thread may be a new one.
        single_threaded();
        tch::no_grad(|| {
            let ids = Tensor::from_slice(&ids).view([*rows as i64, *width as i64]);
            let mask = Tensor::from_slice(&mask).view([*rows as i64, *width as i64]);
            let (states, _) = self.transformer.forward(&ids, &mask).map_err(|e| fail(e.to_string()))?;
            let mut pooled = self.pooling.forward(states.to_kind(Kind::Float), &mask);
            if let Some(dense) = &self.dense {
                pooled = dense.forward(&pooled);
            }
            if self.normalize {
                let norm = pooled.norm_scalaropt_dim(2, [1].as_slice(), true).clamp_min(1e-12);
                pooled /= norm;
            }
            let dims = pooled.size()[1] as usize;
            let values =
                Vec::<f32>::try_from(pooled.contiguous().view([-1])).map_err(|e| fail(e.to_string()))?;
            Ok(values.chunks_exact(dims).take(texts.len()).map(<[f32]>::to_vec).collect())
        })
    }
}

/// Read config.json once to see that it parses (rust-bert panics where it does not) and hand it to rust-bert.
fn transformer_config(folder: &Folder, path: &Path) -> Result<(ModelType, ConfigOption), EncoderError> {
    let model_type = match folder.architecture {
        Architecture::Bert(_) => read_json::<BertConfig>(path).map(|_| ModelType::Bert)?,
        Architecture::DistilBert {} => read_json::<DistilBertConfig>(path).map(|_| ModelType::DistilBert)?,
        Architecture::Roberta {} => read_json::<RobertaConfig>(path).map(|_| ModelType::Roberta)?,
        Architecture::Albert {} => read_json::<AlbertConfig>(path).map(|_| ModelType::Albert)?,
        Architecture::T5 {} => read_json::<T5Config>(path).map(|_| ModelType::T5)?,
    };
    Ok((model_type, ConfigOption::from_file(model_type, path)))
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, EncoderError> {
    let bytes = std::fs::read(path).map_err(|source| EncoderError::Read { path: path.to_owned(), source })?;
    serde_json::from_slice(&bytes)
        .map_err(|e| EncoderError::Invalid { path: path.to_owned(), reason: e.to_string() })
}
