//! Texts to the cache: what is in it is not computed again, what is computed is kept batch by batch.

use std::collections::HashSet;
use std::ops::ControlFlow;

use pipeline_encoder::{Encode, EncoderError};
use serde::{Deserialize, Serialize};

use super::cache::{Cache, CacheError};
use crate::counting::counted;
use crate::progress::Progress;

/// Texts whose presence in the cache is looked up together; it bounds memory, not the result.
const WINDOW_TEXTS: usize = 8192;

/// What embedding did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EmbedReport {
    /// Texts asked for.
    pub texts: usize,
    /// Different texts that were not in the cache and have been computed.
    pub computed: usize,
    /// Texts, of those asked for, longer than the encoder's limit: only their beginning counts.
    pub truncated: usize,
    /// Texts that are empty or blank; they get the embedding of the empty text.
    pub blank: usize,
}

/// Why texts could not be embedded.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// The encoder failed.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// The cache failed.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The user asked to stop.
    #[error(
        "interrupted: {} computed and kept; run the same command to go on",
        counted(*computed, "text is", "texts are")
    )]
    Interrupted {
        /// Texts computed by this run.
        computed: usize,
    },
}

impl EmbedError {
    /// What can be done about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Encoder(error) => error.hint(),
            Self::Cache(error) => error.hint(),
            Self::Interrupted { .. } => None,
        }
    }
}

/// See to it that every text is in the cache, computing those that are not.
///
/// `encoder` is called only when something has to be computed. Finished batches are committed one by one, so a run
/// killed at any moment loses at most the batches in flight.
///
/// # Errors
/// The encoder or the cache failed, or the user interrupted.
pub fn embed(
    texts: &[&str],
    cache: &Cache,
    max_tokens: usize,
    encoder: &mut dyn FnMut() -> Result<Box<dyn Encode>, EncoderError>,
    progress: &dyn Progress,
) -> Result<EmbedReport, EmbedError> {
    let mut report = EmbedReport { texts: texts.len(), ..EmbedReport::default() };
    let unknown = unknown(texts, cache, max_tokens, &mut report, progress)?;
    if cache.damaged() > 0 {
        progress.note(&format!(
            "{} damaged in the embedding cache, and computed anew",
            counted(cache.damaged(), "entry is", "entries are")
        ));
    }
    let missing = different(&unknown);
    if !missing.is_empty() {
        progress.start("embedding", missing.len() as u64, "texts");
        let encoder = encoder()?;
        for window in missing.chunks(WINDOW_TEXTS) {
            report.computed += compute(window, cache, encoder.as_ref(), progress)?;
            if progress.interrupted() {
                progress.finish();
                return Err(EmbedError::Interrupted { computed: report.computed });
            }
        }
        progress.finish();
    }
    report.blank = texts.iter().filter(|t| t.trim().is_empty()).count();
    for window in unknown.chunks(WINDOW_TEXTS) {
        report.truncated +=
            cache.tokens(window)?.iter().flatten().filter(|&&tokens| tokens > max_tokens).count();
    }
    Ok(report)
}

/// The texts that the cache does not hold; of those it holds, the cut ones are counted.
fn unknown<'t>(
    texts: &[&'t str],
    cache: &Cache,
    max_tokens: usize,
    report: &mut EmbedReport,
    progress: &dyn Progress,
) -> Result<Vec<&'t str>, EmbedError> {
    let mut unknown = Vec::new();
    for window in texts.chunks(WINDOW_TEXTS) {
        if progress.interrupted() {
            return Err(EmbedError::Interrupted { computed: 0 });
        }
        for (text, tokens) in window.iter().zip(cache.tokens(window)?) {
            match tokens {
                Some(tokens) => report.truncated += usize::from(tokens > max_tokens),
                None => unknown.push(*text),
            }
        }
    }
    Ok(unknown)
}

/// Each text once.
fn different<'t>(texts: &[&'t str]) -> Vec<&'t str> {
    let mut seen = HashSet::new();
    texts.iter().copied().filter(|text| seen.insert(blake3::hash(text.as_bytes()))).collect()
}

/// Compute and store one window of texts; the number stored.
fn compute(
    texts: &[&str],
    cache: &Cache,
    encoder: &dyn Encode,
    progress: &dyn Progress,
) -> Result<usize, EmbedError> {
    let mut stored = 0;
    let mut failure = None;
    encoder.encode(texts, &mut |batch| {
        if let Err(error) = cache.insert(texts, &batch) {
            failure = Some(error);
            return ControlFlow::Break(());
        }
        stored += batch.len();
        progress.advance(batch.len() as u64);
        if progress.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    failure.map_or(Ok(stored), |error| Err(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use pipeline_encoder::{Encoded, Joined};
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Embeds a text as its length and first byte, and counts what it is asked.
    struct Counting<'a>(&'a AtomicUsize);

    impl Encode for Counting<'_> {
        fn encode(
            &self,
            texts: &[&str],
            sink: &mut dyn FnMut(Vec<Encoded>) -> ControlFlow<()>,
        ) -> Result<(), EncoderError> {
            for (text, t) in texts.iter().enumerate() {
                self.0.fetch_add(1, Ordering::Relaxed);
                let embedding = vec![t.len() as f32, t.bytes().next().map_or(0.0, f32::from)];
                if sink(vec![Encoded { text, tokens: t.len() + 2, embedding }]).is_break() {
                    break;
                }
            }
            Ok(())
        }
    }

    fn run(texts: &[&str], cache: &Cache, asked: &'static AtomicUsize) -> EmbedReport {
        embed(texts, cache, 6, &mut || Ok(Box::new(Counting(asked))), &Silent).unwrap()
    }

    #[test]
    fn several_encoders_stand_side_by_side() {
        let asked: &'static AtomicUsize = Box::leak(Box::default());
        let joined = Joined { encoders: vec![Box::new(Counting(asked)), Box::new(Counting(asked))] };
        let texts: Vec<String> = (0..2000).map(|i| "x".repeat(i % 7)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut seen = vec![false; texts.len()];
        let mut take = |batch: Vec<Encoded>| {
            for encoded in batch {
                let text = texts[encoded.text];
                let one = [text.len() as f32, text.bytes().next().map_or(0.0, f32::from)];
                assert_eq!((encoded.embedding, encoded.tokens), ([one, one].concat(), text.len() + 2));
                seen[encoded.text] = true;
            }
            ControlFlow::Continue(())
        };
        joined.encode(&texts, &mut take).unwrap();
        assert!(seen.into_iter().all(|s| s));
    }

    #[test]
    fn every_text_is_computed_once_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let asked: &'static AtomicUsize = Box::leak(Box::default());
        let cache = Cache::open(&folder.path().join("c"), "model-a", 2).unwrap();
        let report = run(&["one", "two", "one", " ", "longer"], &cache, asked);
        assert_eq!(report, EmbedReport { texts: 5, computed: 4, truncated: 1, blank: 1 });
        assert_eq!(run(&["two", "one", "three"], &cache, asked).computed, 1);
        assert_eq!(asked.load(Ordering::Relaxed), 5);
        assert_eq!(cache.get(&["two", "longer"]).unwrap().values, [3.0, 116.0, 6.0, 108.0]);
        drop(cache);
        // Another model shares the file but none of the entries.
        let other = Cache::open(&folder.path().join("c"), "model-b", 2).unwrap();
        assert_eq!(run(&["one"], &other, asked).computed, 1);
    }
}
