//! Why rows cannot be augmented.

use super::lexicon::LexiconError;
use super::translation::TranslationError;
use crate::embed::CacheError;

/// Why rows cannot be augmented.
#[derive(Debug, thiserror::Error)]
pub enum AugmentError {
    /// The synonym data cannot be read.
    #[error(transparent)]
    Lexicon(#[from] LexiconError),
    /// Texts cannot be translated.
    #[error(transparent)]
    Translation(TranslationError),
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
            Self::Translation(error) => error.hint(),
            Self::Cache(error) => error.hint(),
            Self::Interrupted => None,
        }
    }
}

impl From<TranslationError> for AugmentError {
    fn from(error: TranslationError) -> Self {
        match error {
            TranslationError::Interrupted => Self::Interrupted,
            error => Self::Translation(error),
        }
    }
}
