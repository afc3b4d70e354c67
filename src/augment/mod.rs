//! More training rows from the training rows: synonym swap, EDA, back-translation, embedding mixup, SMOTE. Validation and test rows never come in.
//!
//! Every augmented row carries its parents. Whoever trains takes only augmented rows whose parents are all in the
//! training part ([`Augmented::within`]), so leakage is impossible whatever the split.

mod augmenter;
mod band;
mod eda;
mod error;
mod lexicon;
mod lineage;
mod mixup;
mod untouchable;
mod protect;
mod smote;
mod synonym;
mod translation;

pub use augmenter::TextAugmenter;
pub use band::{keep_in_band, with_originals};
pub use eda::{delete_words, swap_words};
pub use error::AugmentError;
pub use lexicon::{Lexicon, LexiconError};
pub use lineage::{Augmented, Mixed, Variant};
pub use mixup::mix;
pub use protect::protected_words;
pub use smote::{Points, smote};
pub use synonym::{seed_of, swap};
pub use translation::{LoadTranslator, Translate, TranslationError, Translator};
