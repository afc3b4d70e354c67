//! The threads of an encoder: one tokenises ahead, each worker runs batches, the caller's takes the results.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError, mpsc};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::batch::{Tokens, batches};
use crate::encode::{Encode, Encoded, EncoderError, EncoderSettings};
use crate::folder::Folder;
use crate::pool::Packed;
use crate::tokenize::Truncating;
use crate::worker::Worker;

/// A loaded sentence encoder.
pub struct Encoder {
    tokenizer: Truncating,
    workers: Vec<Mutex<Box<dyn Worker>>>,
    /// One fewer than there are workers, started with the first text that comes alone; none where there can be none.
    helpers: OnceLock<Option<Mutex<ThreadPool>>>,
}

impl Encoder {
    /// Load the folder named by `settings` for the own pass.
    ///
    /// # Errors
    /// A missing, unreadable or unsuitable file, named by its path; or only rust-bert can run it.
    pub fn load(settings: &EncoderSettings) -> Result<Self, EncoderError> {
        let folder = Folder::open(&settings.folder)?;
        let (tokenizer, packed) = rayon::join(
            || Truncating::load(&folder, settings.max_tokens),
            || Packed::load(&folder, settings.arithmetic),
        );
        let packed = packed?;
        let worker = |_| -> Box<dyn Worker> { Box::new(packed.clone()) };
        Ok(Self::of(tokenizer?, (0..settings.workers.max(1)).map(worker).collect()))
    }

    /// The folder's tokenizer with somebody else's workers, of which `load` makes as many as wanted; it is given the id of
    /// the padding token.
    ///
    /// # Errors
    /// As the tokenizer's and `load`'s.
    pub fn with_workers(
        settings: &EncoderSettings,
        load: impl FnOnce(&Folder, i64) -> Result<Vec<Box<dyn Worker>>, EncoderError>,
    ) -> Result<Self, EncoderError> {
        let folder = Folder::open(&settings.folder)?;
        let tokenizer = Truncating::load(&folder, settings.max_tokens)?;
        let workers = load(&folder, tokenizer.pad_id())?;
        Ok(Self::of(tokenizer, workers))
    }

    fn of(tokenizer: Truncating, workers: Vec<Box<dyn Worker>>) -> Self {
        let workers = workers.into_iter().map(Mutex::new).collect();
        Self { tokenizer, workers, helpers: OnceLock::new() }
    }
}

impl Encoder {
    /// The threads that help the caller's with one text, unless somebody else has them.
    fn helpers(&self) -> Option<MutexGuard<'_, ThreadPool>> {
        let start = || {
            let count = self.workers.len().saturating_sub(1);
            let name = |i| format!("encoder helper {i}");
            let pool =
                (count > 0).then(|| ThreadPoolBuilder::new().num_threads(count).thread_name(name).build());
            pool?.ok().map(Mutex::new)
        };
        self.helpers.get_or_init(start).as_ref()?.try_lock().ok()
    }

    /// One text, on as many workers as are of use to it and idle.
    fn encode_one(&self, text: &str) -> Result<Vec<Encoded>, EncoderError> {
        let batch = batches(self.tokenizer.tokenize(&[text], 0)?).pop();
        let Some(batch) = batch else { return Ok(Vec::new()) };
        let [Tokens { text, length, ids }] = &batch.texts[..] else { return Ok(Vec::new()) };
        let mut mine: Vec<Mine<'_>> = self.workers.iter().find_map(idle).into_iter().collect();
        if mine.is_empty() {
            let first = self.workers.first();
            mine.extend(first.map(|worker| worker.lock().unwrap_or_else(PoisonError::into_inner)));
        }
        let Some(first) = mine.first_mut() else { return Ok(Vec::new()) };
        let wanted = first.own_pass().map_or(1, |packed| packed.threads());
        let helpers = if wanted > 1 { self.helpers() } else { None };
        let mut embeddings = match helpers {
            Some(helpers) => {
                mine.extend(self.workers.iter().filter_map(idle).take(wanted - 1));
                let mut packed: Vec<&mut Packed> =
                    mine.iter_mut().filter_map(|worker| worker.own_pass()).collect();
                vec![Packed::embed_together(&mut packed, ids, &helpers)?]
            }
            None => first.embed(&batch)?,
        };
        let embedding = embeddings.pop();
        Ok(embedding
            .map(|embedding| Encoded { text: *text, tokens: *length, embedding })
            .into_iter()
            .collect())
    }
}

/// A worker that nobody else has for now.
type Mine<'a> = MutexGuard<'a, Box<dyn Worker>>;

fn idle(worker: &Mutex<Box<dyn Worker>>) -> Option<Mine<'_>> {
    match worker.try_lock() {
        Ok(worker) => Some(worker),
        Err(TryLockError::Poisoned(worker)) => Some(worker.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

impl Encode for Encoder {
    fn encode(
        &self,
        texts: &[&str],
        sink: &mut dyn FnMut(Vec<Encoded>) -> ControlFlow<()>,
    ) -> Result<(), EncoderError> {
        if let [text] = texts {
            let _ = sink(self.encode_one(text)?);
            return Ok(());
        }
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
            for worker in &self.workers {
                let (batches, sender) = (Arc::clone(&batches), sender.clone());
                scope.spawn(move || {
                    let next = || batches.lock().ok()?.recv().ok();
                    while let Some(batch) = next() {
                        // Taken for a batch at a time, so that callers who come together share the workers.
                        let mut worker = worker.lock().unwrap_or_else(PoisonError::into_inner);
                        let embedded = worker.embed(&batch).map(|embeddings| {
                            let named = |(t, embedding): (&Tokens, _)| Encoded {
                                text: t.text,
                                tokens: t.length,
                                embedding,
                            };
                            batch.texts.iter().zip(embeddings).map(named).collect::<Vec<_>>()
                        });
                        drop(worker);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::Arithmetic;

    #[test]
    fn a_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let settings = EncoderSettings {
            folder: folder.path().to_owned(),
            max_tokens: 256,
            arithmetic: Arithmetic::F32,
            workers: 1,
        };
        let error = Encoder::load(&settings).err().unwrap();
        assert!(error.to_string().contains("modules.json"), "{error}");
    }
}
