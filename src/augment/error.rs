//! Why rows cannot be augmented.

use super::lexicon::LexiconError;
use crate::embed::CacheError;

/// Why rows cannot be augmented.
#[derive(Debug, thiserror::Error)]
pub enum AugmentError {
    /// The synonym data cannot be read.
    #[error(transparent)]
    Lexicon(#[from] LexiconError),
    /// The cache of embeddings failed.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The user asked to stop.
    #[error("interrupted while varying texts")]
    Interrupted,
}

impl AugmentError {
    /// What can be done about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Lexicon(error) => error.hint(),
            Self::Cache(error) => error.hint(),
            Self::Interrupted => None,
        }
    }
}
