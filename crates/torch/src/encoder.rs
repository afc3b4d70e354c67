//! Sentence embeddings as sentence-transformers computes them.
//!
//! The work goes through three kinds of threads: one tokenises ahead, each worker runs batches, and the caller's takes
//! the results. A worker is the own forward pass (`packed`, over `bert`) where model and processor allow it, else
//! rust-bert's (`padded`).

use std::fs;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, mpsc};

use pipeline::embed::{Encode, Encoded, EncoderError, EncoderSettings};
use serde::Deserialize;
use tokenizers::{Tokenizer, TruncationParams};

use crate::batch::{Batch, Tokens, Worker, batches};
use crate::folder::{Modules, read_json};
#[cfg(target_arch = "x86_64")]
use crate::packed::Packed;
use crate::padded::Padded;

/// Texts tokenised together; it bounds the memory that token ids take, and sorting by length works inside it.
const WINDOW_TEXTS: usize = 1024;

/// A loaded sentence encoder.
pub struct Encoder {
    tokenizer: Truncating,
    workers: Vec<Box<dyn Worker>>,
}

impl Encoder {
    /// Load the folder named by `settings`, on the CPU.
    ///
    /// # Errors
    /// A missing, unreadable or unsuitable file, named by its path.
    pub fn load(settings: &EncoderSettings) -> Result<Self, EncoderError> {
        #[cfg(target_arch = "x86_64")]
        {
            let modules = Modules::read(&settings.folder)?;
            if let Some(packed) = Packed::load(&settings.folder, &modules, settings.precision)? {
                let worker = |_| -> Box<dyn Worker> { Box::new(packed.clone()) };
                let tokenizer = Truncating::load(settings)?;
                return Ok(Self { tokenizer, workers: (0..settings.workers).map(worker).collect() });
            }
        }
        Self::load_padded(settings)
    }

    /// As [`Encoder::load`], through rust-bert and libtorch even where there is a faster way, to compare with.
    ///
    /// # Errors
    /// As [`Encoder::load`].
    pub fn load_padded(settings: &EncoderSettings) -> Result<Self, EncoderError> {
        let EncoderSettings { folder, precision, workers, .. } = settings;
        let tokenizer = Truncating::load(settings)?;
        let pad_id = ["[PAD]", "<pad>"].iter().find_map(|t| tokenizer.whole.token_to_id(t)).unwrap_or(0);
        let padded = Padded::load(folder, &Modules::read(folder)?, *precision, i64::from(pad_id), *workers)?;
        let worker = |padded| -> Box<dyn Worker> { Box::new(padded) };
        Ok(Self { tokenizer, workers: padded.into_iter().map(worker).collect() })
    }
}

impl Encode for Encoder {
    fn encode(
        &mut self,
        texts: &[&str],
        sink: &mut dyn FnMut(Vec<Encoded>) -> ControlFlow<()>,
    ) -> Result<(), EncoderError> {
        let ahead = 2 * self.workers.len();
        let (batch_sender, batches) = mpsc::sync_channel(ahead);
        let (sender, results) = mpsc::sync_channel(ahead);
        // Gone with the last worker, which also ends the tokenising.
        let batches = Arc::new(Mutex::new(batches));
        let tokenizer = &self.tokenizer;
        std::thread::scope(|scope| {
            let failed = sender.clone();
            scope.spawn(move || {
                if let Err(error) = tokenizer.batches(texts, &batch_sender) {
                    let _ = failed.send(Err(error));
                }
            });
            for worker in &mut self.workers {
                let (batches, sender) = (Arc::clone(&batches), sender.clone());
                scope.spawn(move || {
                    let next = || batches.lock().ok()?.recv().ok();
                    while let Some(batch) = next() {
                        let embedded = worker.embed(&batch).map(|embeddings| {
                            let named = |(t, embedding): (&Tokens, _)| Encoded {
                                text: t.text,
                                tokens: t.length,
                                embedding,
                            };
                            batch.texts.iter().zip(embeddings).map(named).collect::<Vec<_>>()
                        });
                        if sender.send(embedded).is_err() {
                            break;
                        }
                    }
                });
            }
            drop((batches, sender));
            for result in results {
                if sink(result?).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }
}

/// The folder's tokenizer, which cuts long texts and still knows their length.
struct Truncating {
    whole: Tokenizer,
    /// Cuts to `max_tokens`, keeping the special tokens at the end.
    cutter: Tokenizer,
    max_tokens: usize,
    lower_case: bool,
}

impl Truncating {
    fn load(settings: &EncoderSettings) -> Result<Self, EncoderError> {
        #[derive(Default, Deserialize)]
        struct SentenceConfig {
            #[serde(default)]
            do_lower_case: bool,
        }
        let EncoderSettings { folder, max_tokens, .. } = settings;
        let sentence: SentenceConfig = match read_json(&folder.join("sentence_bert_config.json")) {
            Err(EncoderError::Read { .. }) => SentenceConfig::default(),
            other => other?,
        };
        let path = folder.join("tokenizer.json");
        let bytes = fs::read(&path).map_err(|source| EncoderError::Read { path: path.clone(), source })?;
        let invalid =
            |e: tokenizers::Error| EncoderError::Invalid { path: path.clone(), reason: e.to_string() };
        // The padding and truncation left in the file are replaced: nothing is padded here, and cut at `max_tokens`.
        let mut whole = Tokenizer::from_bytes(&bytes).map_err(invalid)?;
        whole.with_padding(None).with_truncation(None).map_err(invalid)?;
        let mut cutter = whole.clone();
        let at = TruncationParams { max_length: *max_tokens, ..Default::default() };
        cutter.with_truncation(Some(at)).map_err(invalid)?;
        Ok(Self { whole, cutter, max_tokens: *max_tokens, lower_case: sentence.do_lower_case })
    }

    /// Send the texts' batches until all are sent or nobody takes them any more.
    fn batches(&self, texts: &[&str], sender: &mpsc::SyncSender<Batch>) -> Result<(), EncoderError> {
        for (window, chunk) in texts.chunks(WINDOW_TEXTS).enumerate() {
            for batch in batches(self.tokenize(chunk, window * WINDOW_TEXTS)?) {
                if sender.send(batch).is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Token ids of each text, cut to `max_tokens` the way the tokenizer cuts (special tokens stay).
    fn tokenize(&self, texts: &[&str], offset: usize) -> Result<Vec<Tokens>, EncoderError> {
        let cleaned: Vec<String> = texts
            .iter()
            .map(|t| if self.lower_case { t.trim().to_lowercase() } else { t.trim().to_owned() })
            .collect();
        let failed = |e: tokenizers::Error| EncoderError::Tokenize(e.to_string());
        let ids = |e: &tokenizers::Encoding| e.get_ids().iter().map(|&id| i64::from(id)).collect();
        let encodings = self.whole.encode_batch(cleaned.clone(), true).map_err(failed)?;
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline::config::Precision;

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
        assert!(error.to_string().contains("modules.json"), "{error}");
    }
}
