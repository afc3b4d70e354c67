//! Translation models that run inside the program, by whoever can run them.

use super::error::TranslationError;

/// A translation model of one direction.
pub trait Translate: Send {
    /// A translation of each of `lines`, which are not empty.
    ///
    /// # Errors
    /// The model cannot do it.
    fn translate(&self, lines: &[&str]) -> Result<Vec<String>, TranslationError>;
}

/// Loads translation models.
pub trait LoadTranslator: Sync {
    /// The model that `augment.back_translation.models` names, for one direction.
    ///
    /// # Errors
    /// It is not there, cannot be read, or nobody here can run it.
    fn load_translator(&self, model: &str) -> Result<Translator, TranslationError>;
}

/// A model that is loaded.
pub struct Translator {
    /// It.
    pub model: Box<dyn Translate>,
    /// Hash of its weights: what it translated before counts for these alone.
    pub hash: String,
}
