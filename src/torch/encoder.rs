//! Sentence embeddings as sentence-transformers computes them, over rust-bert's transformer.
//!
//! rust-bert's own `SentenceEmbeddingsModel` is not used because it hides what must be seen: it truncates in silence,
//! masks a literal `[PAD]` in the text, pads a whole slice to its longest text, panics without a path when a config
//! file is missing, and picks CUDA unasked. Its transformer, pooling and dense layers are used as they are.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use pipeline::config::Precision;
use pipeline::embed::{Encode, Encoded, EncoderError, EncoderSettings};
use rust_bert::albert::AlbertConfig;
use rust_bert::bert::BertConfig;
use rust_bert::distilbert::DistilBertConfig;
use rust_bert::pipelines::common::{ConfigOption, ModelType};
use rust_bert::pipelines::sentence_embeddings::SentenceEmbeddingsOption;
use rust_bert::pipelines::sentence_embeddings::layers::{Dense, DenseConfig, Pooling, PoolingConfig};
use rust_bert::roberta::RobertaConfig;
use rust_bert::t5::T5Config;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tch::{Device, Kind, Tensor, nn};
use tokenizers::{Tokenizer, TruncationParams};

/// A batch holds about this many tokens, padding included; memory stays below 100 MB a worker.
const BATCH_TOKENS: usize = 512;

/// Token counts are rounded up to a multiple of this to make the width of a batch.
const WIDTH_STEP: usize = 4;

/// Texts tokenised together; it bounds the memory that token ids take, and sorting by length works inside it.
const WINDOW_TEXTS: usize = 2048;

/// A loaded sentence encoder.
pub struct Encoder {
    /// Never cuts, so that the whole length of a text is known.
    tokenizer: Tokenizer,
    /// Cuts to `max_tokens`, keeping the special tokens at the end.
    cutter: Tokenizer,
    max_tokens: usize,
    pad_id: i64,
    lower_case: bool,
    workers: Vec<Worker>,
}

/// What one thread needs to turn token ids into vectors. libtorch modules are `Send` but not `Sync`, hence one each.
struct Worker {
    transformer: SentenceEmbeddingsOption,
    pooling: Pooling,
    dense: Option<Dense>,
    normalize: bool,
}

#[derive(Deserialize)]
struct Module {
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct SentenceConfig {
    #[serde(default)]
    do_lower_case: bool,
}

impl Encoder {
    /// Load the folder named by `settings`, on the CPU.
    ///
    /// # Errors
    /// A missing, unreadable or unsuitable file, named by its path.
    pub fn load(settings: &EncoderSettings) -> Result<Self, EncoderError> {
        crate::single_threaded();
        let folder = &settings.folder;
        let tokenizer = load_tokenizer(folder, None)?;
        let cutter = load_tokenizer(folder, Some(settings.max_tokens))?;
        let pad_id = ["[PAD]", "<pad>"].iter().find_map(|t| tokenizer.token_to_id(t)).unwrap_or(0);
        let sentence: SentenceConfig =
            read_json(&folder.join("sentence_bert_config.json")).or_else(|e| match e {
                EncoderError::Read { .. } => Ok(SentenceConfig { do_lower_case: false }),
                other => Err(other),
            })?;
        let (first, weights) = Worker::load(folder, settings.precision, None)?;
        let mut workers = vec![first];
        for _ in 1..settings.workers {
            workers.push(Worker::load(folder, settings.precision, Some(&weights))?.0);
        }
        Ok(Self {
            tokenizer,
            cutter,
            max_tokens: settings.max_tokens,
            pad_id: i64::from(pad_id),
            lower_case: sentence.do_lower_case,
            workers,
        })
    }

    /// Token ids of each text, cut to `max_tokens` the way the tokenizer cuts (special tokens stay).
    fn tokenize(&self, texts: &[&str], offset: usize) -> Result<Vec<Tokens>, EncoderError> {
        let cleaned: Vec<String> = texts
            .iter()
            .map(|t| if self.lower_case { t.trim().to_lowercase() } else { t.trim().to_owned() })
            .collect();
        let failed = |e: tokenizers::Error| EncoderError::Tokenize(e.to_string());
        let ids = |e: &tokenizers::Encoding| e.get_ids().iter().map(|&id| i64::from(id)).collect();
        let encodings = self.tokenizer.encode_batch(cleaned.clone(), true).map_err(failed)?;
        let mut tokens = Vec::with_capacity(encodings.len());
        for (i, encoding) in encodings.iter().enumerate() {
            let length = encoding.len();
            let ids = if length <= self.max_tokens {
                ids(encoding)
            } else {
                ids(&self.cutter.encode(cleaned[i].as_str(), true).map_err(failed)?)
            };
            tokens.push(Tokens { text: offset + i, length, ids });
        }
        Ok(tokens)
    }

    /// Run the batches on all workers; results reach `sink` on this thread as they come.
    fn run(
        &mut self,
        batches: &[Batch],
        sink: &mut dyn FnMut(Vec<Encoded>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, EncoderError> {
        let next = AtomicUsize::new(0);
        let stop = AtomicBool::new(false);
        let pad_id = self.pad_id;
        std::thread::scope(|scope| {
            let (sender, receiver) = mpsc::sync_channel(2 * self.workers.len());
            for worker in &mut self.workers {
                let (sender, next, stop) = (sender.clone(), &next, &stop);
                scope.spawn(move || {
                    crate::single_threaded();
                    while !stop.load(Ordering::Relaxed) {
                        let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
                        if sender.send(worker.embed(batch, pad_id)).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(sender);
            for result in receiver {
                let flow = result.map(&mut *sink).inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
                if flow.is_break() {
                    stop.store(true, Ordering::Relaxed);
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })
    }
}

/// The token ids of one text.
struct Tokens {
    text: usize,
    length: usize,
    ids: Vec<i64>,
}

impl Encode for Encoder {
    fn encode(
        &mut self,
        texts: &[&str],
        sink: &mut dyn FnMut(Vec<Encoded>) -> ControlFlow<()>,
    ) -> Result<(), EncoderError> {
        for (window, chunk) in texts.chunks(WINDOW_TEXTS).enumerate() {
            let tokenized = self.tokenize(chunk, window * WINDOW_TEXTS)?;
            if self.run(&batches(tokenized), sink)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Texts that are run together.
struct Batch {
    /// Tokens of each row, padding included.
    width: usize,
    /// Rows, of which the last ones are empty when there are fewer texts.
    rows: usize,
    texts: Vec<Tokens>,
}

/// Group texts of similar length into batches, longest first.
///
/// The shape of a batch depends on the length of its texts only, never on how many there are: matrix products of other
/// shapes round differently, and a text must have the same embedding to the bit whatever it was computed beside.
fn batches(mut tokens: Vec<Tokens>) -> Vec<Batch> {
    let width = |t: &Tokens| t.ids.len().max(1).next_multiple_of(WIDTH_STEP);
    tokens.sort_by_key(|t| (std::cmp::Reverse(width(t)), t.text));
    let mut batches: Vec<Batch> = Vec::new();
    for text in tokens {
        let width = width(&text);
        match batches.last_mut() {
            Some(batch) if batch.width == width && batch.texts.len() < batch.rows => batch.texts.push(text),
            _ => batches.push(Batch { width, rows: (BATCH_TOKENS / width).max(1), texts: vec![text] }),
        }
    }
    batches
}

impl Worker {
    /// Load one worker's model; with `shared`, its weights are those tensors instead of copies.
    /// Returns the worker and its named weights.
    fn load(
        folder: &Path,
        precision: Precision,
        shared: Option<&BTreeMap<String, Tensor>>,
    ) -> Result<(Self, BTreeMap<String, Tensor>), EncoderError> {
        let modules_path = folder.join("modules.json");
        let modules: Vec<Module> = read_json(&modules_path)?;
        let module = |suffix: &str| modules.iter().find(|m| m.kind.ends_with(suffix));

        let pooling_module = module(".Pooling").ok_or_else(|| EncoderError::Invalid {
            path: modules_path.clone(),
            reason: "has no Pooling module; only sentence-transformers folders can be used".into(),
        })?;
        let pooling: PoolingConfig = read_json(&folder.join(&pooling_module.path).join("config.json"))?;

        let dense = match module(".Dense") {
            Some(m) => {
                let path = folder.join(&m.path);
                let config: DenseConfig = read_json(&path.join("config.json"))?;
                let weights = weights_file(&path)?;
                Some(
                    Dense::new(config, &weights, Device::Cpu)
                        .map_err(|e| EncoderError::Invalid { path: weights, reason: e.to_string() })?,
                )
            }
            None => None,
        };

        let config_path = folder.join("config.json");
        let (model_type, config) = transformer_config(&config_path)?;
        let mut store = nn::VarStore::new(Device::Cpu);
        let transformer = SentenceEmbeddingsOption::new(model_type, store.root(), &config)
            .map_err(|e| EncoderError::Invalid { path: config_path, reason: e.to_string() })?;
        match shared {
            None => {
                let path = weights_file(folder)?;
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
        let normalize = module(".Normalize").is_some();
        Ok((Self { transformer, pooling: Pooling::new(pooling), dense, normalize }, weights))
    }

    /// Embed one batch: ids `[batch, longest]`, mask 1 for tokens and 0 for padding only.
    fn embed(&self, batch: &Batch, pad_id: i64) -> Result<Vec<Encoded>, EncoderError> {
        let Batch { width, rows, texts } = batch;
        let mut ids = vec![pad_id; rows * width];
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
            Ok(texts
                .iter()
                .zip(values.chunks_exact(dims))
                .map(|(t, v)| Encoded { text: t.text, tokens: t.length, embedding: v.to_vec() })
                .collect())
        })
    }
}

/// The folder's tokenizer with the padding and truncation left in tokenizer.json replaced: padding is done here, and
/// truncation is `max_tokens` or none.
fn load_tokenizer(folder: &Path, max_tokens: Option<usize>) -> Result<Tokenizer, EncoderError> {
    let path = folder.join("tokenizer.json");
    let bytes = fs::read(&path).map_err(|source| EncoderError::Read { path: path.clone(), source })?;
    let invalid = |e: tokenizers::Error| EncoderError::Invalid { path: path.clone(), reason: e.to_string() };
    let mut tokenizer = Tokenizer::from_bytes(&bytes).map_err(invalid)?;
    let truncation = max_tokens.map(|max_length| TruncationParams { max_length, ..Default::default() });
    tokenizer.with_padding(None).with_truncation(truncation).map_err(invalid)?;
    Ok(tokenizer)
}

/// The weights of a folder: safetensors, else rust-bert's own `.ot`.
fn weights_file(folder: &Path) -> Result<PathBuf, EncoderError> {
    ["model.safetensors", "rust_model.ot"].iter().map(|n| folder.join(n)).find(|p| p.exists()).ok_or_else(
        || EncoderError::Invalid {
            path: folder.to_owned(),
            reason: "has neither model.safetensors nor rust_model.ot; save the model with \
                     save_pretrained(safe_serialization=True)"
                .into(),
        },
    )
}

/// Read config.json once to see that it parses (rust-bert panics where it does not) and hand it to rust-bert.
fn transformer_config(path: &Path) -> Result<(ModelType, ConfigOption), EncoderError> {
    #[derive(Deserialize)]
    struct Kind {
        model_type: String,
    }
    let kind: Kind = read_json(path)?;
    let model_type = match kind.model_type.as_str() {
        "bert" => read_json::<BertConfig>(path).map(|_| ModelType::Bert)?,
        "distilbert" => read_json::<DistilBertConfig>(path).map(|_| ModelType::DistilBert)?,
        "roberta" => read_json::<RobertaConfig>(path).map(|_| ModelType::Roberta)?,
        "albert" => read_json::<AlbertConfig>(path).map(|_| ModelType::Albert)?,
        "t5" => read_json::<T5Config>(path).map(|_| ModelType::T5)?,
        other => {
            return Err(EncoderError::Invalid {
                path: path.to_owned(),
                reason: format!(
                    "model_type is `{other}`; the encoder can be bert, distilbert, roberta, albert or t5"
                ),
            });
        }
    };
    Ok((model_type, ConfigOption::from_file(model_type, path)))
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, EncoderError> {
    let bytes = fs::read(path).map_err(|source| EncoderError::Read { path: path.to_owned(), source })?;
    serde_json::from_slice(&bytes)
        .map_err(|e| EncoderError::Invalid { path: path.to_owned(), reason: e.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: usize, length: usize) -> Tokens {
        Tokens { text, length, ids: vec![1; length] }
    }

    #[test]
    fn batches_are_complete_small_and_shaped_by_length_alone() {
        let shapes = |count: usize| -> Vec<(usize, usize)> {
            let made = batches((0..count).map(|i| tokens(i, 1 + (i * 37) % 256)).collect());
            let mut seen: Vec<usize> = made.iter().flat_map(|b| &b.texts).map(|t| t.text).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..count).collect::<Vec<_>>());
            for batch in &made {
                assert!(batch.texts.len() <= batch.rows && batch.rows * batch.width <= BATCH_TOKENS);
                assert!(batch.texts.iter().all(|t| t.ids.len().next_multiple_of(WIDTH_STEP) == batch.width));
            }
            let mut shapes: Vec<(usize, usize)> = made.iter().map(|b| (b.width, b.rows)).collect();
            shapes.dedup();
            shapes
        };
        assert_eq!(shapes(256), shapes(5000));
    }

    #[test]
    fn a_text_longer_than_a_batch_still_gets_one() {
        assert_eq!(batches(vec![tokens(0, BATCH_TOKENS + 1)]).len(), 1);
    }

    #[test]
    fn a_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let settings = EncoderSettings {
            folder: folder.path().to_owned(),
            max_tokens: 256,
            precision: Precision::F32,
            workers: 1,
        };
        let error = Encoder::load(&settings).err().unwrap();
        assert!(error.to_string().contains("tokenizer.json"), "{error}");
    }

    #[test]
    fn a_config_that_rust_bert_would_panic_on_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        fs::write(&path, r#"{"model_type": "bert", "hidden_size": "many"}"#).unwrap();
        let error = transformer_config(&path).err().unwrap().to_string();
        assert!(error.contains("config.json"), "{error}");
        fs::write(&path, r#"{"model_type": "mpnet"}"#).unwrap();
        let error = transformer_config(&path).err().unwrap().to_string();
        assert!(error.contains("mpnet"), "{error}");
    }
}
