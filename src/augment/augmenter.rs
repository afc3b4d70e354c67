//! Variants of training rows in other words, by synonym swap, EDA and back-translation.

use std::collections::BTreeSet;
use std::path::Path;

use english_pos_tagger::Tagger;
use rayon::prelude::*;

use super::eda::{delete_words, swap_words};
use super::error::AugmentError;
use super::lexicon::Lexicon;
use super::lineage::Variant;
use super::protect::protected_words;
use super::synonym::{seed_of, swap};
use super::translation::{LoadTranslator, RoundTrips};
use crate::config::Config;
use crate::progress::Progress;
use crate::store::user_cache;
use crate::table::Dataset;

/// Synonym swap, EDA and back-translation, for any choice of training rows.
pub struct TextAugmenter<'a> {
    config: &'a Config,
    dataset: &'a Dataset,
    /// `None` where synonym swap is off.
    words: Option<(Lexicon, Tagger)>,
    /// `None` where back-translation is off.
    round_trips: Option<RoundTrips<'a>>,
}

impl<'a> TextAugmenter<'a> {
    /// For the rows of `dataset`; WordNet is read where synonym swap is on, and `translations`, which keeps what was translated
    /// before, where back-translation is, for which `loader` loads models.
    ///
    /// # Errors
    /// WordNet is not there or damaged, or `translations` cannot be read.
    pub fn new(
        config: &'a Config,
        dataset: &'a Dataset,
        translations: &Path,
        loader: &'a dyn LoadTranslator,
    ) -> Result<Self, AugmentError> {
        let words = match config.augment.synonyms.variants {
            0 => None,
            _ => Some((Lexicon::load(&user_cache().join("wordnet-3.0"))?, Tagger::new())),
        };
        let back_translation = &config.augment.back_translation;
        let round_trips = match back_translation.through.is_empty() {
            true => None,
            false => Some(RoundTrips::new(back_translation, translations, loader)?),
        };
        Ok(Self { config, dataset, words, round_trips })
    }

    /// Variants of the rows `train`, before any is embedded; which words are protected is learned from these rows alone.
    ///
    /// # Errors
    /// The user interrupted, or the translator failed.
    pub fn variants(&self, train: &[usize], progress: &dyn Progress) -> Result<Vec<Variant>, AugmentError> {
        let (dataset, synonyms, eda) =
            (self.dataset, &self.config.augment.synonyms, &self.config.augment.eda);
        let through = &self.config.augment.back_translation.through;
        if synonyms.variants + eda.variants + through.len() == 0 {
            return Ok(Vec::new());
        }
        let whole: Vec<String> = train.iter().map(|&r| dataset.rows[r].cells.texts.join("\n")).collect();
        let classes: Vec<usize> = train.iter().map(|&r| dataset.rows[r].class).collect();
        let protected = protected_words(&whole, &classes, &dataset.classes, &synonyms.protect);
        let joined = self.config.data.join_text;
        let varied = |field: &String| joined || synonyms.fields.as_ref().is_none_or(|f| f.contains(field));
        let varied: Vec<bool> = dataset.text_fields.iter().map(varied).collect();
        let [of_synonyms, of_eda] = ["synonyms", "eda"].map(|name| self.config.seed_for(name));
        let in_other_words = |text: &str, variant: usize| {
            let (lexicon, tagger) = self.words.as_ref()?;
            let seed = seed_of(of_synonyms, text, variant);
            swap(text, synonyms.swap_share, lexicon, tagger, &protected, seed)
        };
        let disturbed = |text: &str, variant: usize| {
            let seed = seed_of(of_eda, text, variant);
            let left = delete_words(text, eda.deletion, &protected, seed);
            let exchanged =
                (eda.swap > 0.0).then(|| swap_words(left.as_deref().unwrap_or(text), eda.swap, seed));
            exchanged.flatten().or(left)
        };
        let fields = |&row: &usize| dataset.rows[row].cells.texts.iter().zip(&varied);
        let texts = train.iter().flat_map(fields).filter(|(_, vary)| **vary).map(|(text, _)| text.as_str());
        let texts: BTreeSet<&str> = texts.collect();
        let trips = self.round_trips.iter().flat_map(|trips| {
            let texts = &texts;
            through.iter().map(move |language| trips.of(texts, language, progress))
        });
        let trips = trips.collect::<Result<Vec<_>, _>>()?;
        progress.start("varying texts", train.len() as u64, "rows");
        let of_row = |&parent: &usize| {
            if progress.interrupted() {
                return Err(AugmentError::Interrupted);
            }
            let original = &dataset.rows[parent].cells.texts;
            let mut variants: Vec<Variant> = Vec::new();
            for number in 0..synonyms.variants + eda.variants + trips.len() {
                let new = |(text, &vary): (&String, &bool)| {
                    let new = match number.checked_sub(synonyms.variants) {
                        _ if !vary => None,
                        None => in_other_words(text, number),
                        Some(number) if number < eda.variants => disturbed(text, number),
                        Some(number) => trips[number - eda.variants].get(text).cloned(),
                    };
                    new.unwrap_or_else(|| text.clone())
                };
                let texts: Vec<String> = original.iter().zip(&varied).map(new).collect();
                if texts != *original && variants.iter().all(|v| v.texts != texts) {
                    variants.push(Variant { parent, texts, cosines: Vec::new() });
                }
            }
            progress.advance(1);
            Ok(variants)
        };
        let all = train.par_iter().map(of_row).collect::<Result<Vec<_>, _>>();
        progress.finish();
        Ok(all?.into_iter().flatten().collect())
    }
}
