//! `[augment]`: more training rows.

use serde::{Deserialize, Serialize};

use super::error::Fault;
use super::number::{Number, real, whole};
use super::section::Section;

/// Most variants of a row: beyond, texts of which nearly all repeat one another.
const MOST_VARIANTS: usize = 1000;

/// Most neighbours of a row.
const MOST_NEIGHBOURS: usize = 10_000;

/// `[augment]`. All is off by default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentConfig {
    /// Synonym swap.
    pub synonyms: SynonymConfig,
    /// Random deletion and swap of words.
    pub eda: EdaConfig,
    /// Texts through another language and back.
    #[serde(skip_serializing_if = "BackTranslationConfig::is_default")]
    pub back_translation: BackTranslationConfig,
    /// Embedding mixup.
    pub mixup: MixupConfig,
    /// SMOTE.
    pub smote: SmoteConfig,
}

impl AugmentConfig {
    /// Whether points between rows are made, which have no text.
    pub(super) fn makes_points(&self) -> bool {
        self.mixup.ratio > 0.0 || self.smote.kind != SmoteKind::Off
    }
}

/// `[augment.smote]`: every class is filled up to the largest with points between its rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SmoteConfig {
    /// Whether, and from which rows; `off` by default.
    pub kind: SmoteKind,
    /// Nearest rows of the same class to choose from, in `[1, 10,000]`; 3 by default.
    pub k: usize,
    /// Borderline: nearest rows of any class that say whether a row is in danger, in `[1, 10,000]`; 10 by default.
    pub m: usize,
}

impl Section for SmoteConfig {
    fn numbers(&self) -> Vec<Number> {
        vec![
            whole("augment.smote.k", self.k, 1..=MOST_NEIGHBOURS),
            whole("augment.smote.m", self.m, 1..=MOST_NEIGHBOURS),
        ]
    }
}

impl Default for SmoteConfig {
    fn default() -> Self {
        Self { kind: SmoteKind::Off, k: 3, m: 10 }
    }
}

/// Which rows SMOTE begins from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmoteKind {
    /// None.
    Off,
    /// All rows of a class (Chawla et al. 2002).
    Smote,
    /// Those near other classes (borderline-SMOTE 1, Han et al. 2005).
    Borderline,
}

/// `[augment.synonyms]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SynonymConfig {
    /// Variants tried for each training row, in `[0, 1000]`; 0, the default, switches synonym swap off.
    pub variants: usize,
    /// Text fields to vary; all by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<String>>,
    /// Share of a field's swappable words that are swapped, at least one word. In `[0, 1]`, 0.2 by default.
    pub swap_share: f64,
    /// A variant is kept only if its cosine to the original is at least this in every field (in `[-1, 1]`, 0.85 by
    /// default) …
    pub cosine_min: f64,
    /// … and at most this in a changed field: closer ones say nothing new. In `[-1, 1]` and not below `cosine_min`; 0.999 by
    /// default.
    pub cosine_max: f64,
    /// Words never touched, besides those that carry the label (class names, numbers, words that predict a class).
    pub protect: Vec<String>,
}

impl Section for SynonymConfig {
    fn numbers(&self) -> Vec<Number> {
        vec![
            whole("augment.synonyms.variants", self.variants, 0..=MOST_VARIANTS),
            real("augment.synonyms.swap_share", self.swap_share, 0.0..=1.0),
            real("augment.synonyms.cosine_min", self.cosine_min, -1.0..=1.0),
            real("augment.synonyms.cosine_max", self.cosine_max, -1.0..=1.0),
        ]
    }

    fn check(&self) -> Result<(), Fault> {
        let (low, high) = (self.cosine_min, self.cosine_max);
        if low > high {
            let problem = format!("cosine_min {low} is above cosine_max {high}; no variant could be kept");
            return Fault::at("augment.synonyms", problem);
        }
        Ok(())
    }
}

impl Default for SynonymConfig {
    fn default() -> Self {
        Self {
            variants: 0,
            fields: None,
            swap_share: 0.2,
            cosine_min: 0.85,
            cosine_max: 0.999,
            protect: Vec::new(),
        }
    }
}

/// `[augment.eda]`: words left out and exchanged at random. Fields, protected words and band are those of
/// `[augment.synonyms]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EdaConfig {
    /// Variants tried for each training row, in `[0, 1000]`; 0, the default, switches it off.
    pub variants: usize,
    /// Chance of each word to be left out, in `[0, 0.9]`; 0.1 by default.
    pub deletion: f64,
    /// Pairs of words that are exchanged, as a share of the words, in `[0, 0.5]`; 0.1 by default.
    pub swap: f64,
}

impl Section for EdaConfig {
    fn numbers(&self) -> Vec<Number> {
        vec![
            whole("augment.eda.variants", self.variants, 0..=MOST_VARIANTS),
            real("augment.eda.deletion", self.deletion, 0.0..=0.9),
            real("augment.eda.swap", self.swap, 0.0..=0.5),
        ]
    }
}

impl Default for EdaConfig {
    fn default() -> Self {
        Self { variants: 0, deletion: 0.1, swap: 0.1 }
    }
}

/// `[augment.back_translation]`: a variant of each training row for each language, through it and back. Fields and band are those
/// of `[augment.synonyms]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackTranslationConfig {
    /// Languages to go through, as the translator calls them; none, the default, switches it off.
    pub through: Vec<String>,
    /// The language of the texts; `eng` by default.
    pub from: String,
    /// Program and arguments, with `{from}` and `{to}` in the place of the languages: gets a text a line and answers a line
    /// each; Apertium by default.
    pub command: Vec<String>,
    /// A server in the form of LibreTranslate instead of the command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Marian models instead of the command or a server, with `{from}` and `{to}` in the place of the languages: folders, or names of the
    /// hub (`Helsinki-NLP/opus-mt-{from}-{to}`). Needs libtorch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models: Option<String>,
}

impl BackTranslationConfig {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Section for BackTranslationConfig {
    fn check(&self) -> Result<(), Fault> {
        let key = "augment.back_translation";
        if self.through.is_empty() {
            return Ok(());
        }
        if let Some(same) =
            self.through.iter().find(|language| **language == self.from || language.is_empty())
        {
            return Fault::at(
                key,
                format!("goes through {same:?} from {:?}; name another language", self.from),
            );
        }
        if let Some(models) = self.models.as_deref().filter(|m| !m.contains("{from}") || !m.contains("{to}"))
        {
            return Fault::at(
                key,
                format!(
                    "has the models {models:?}; a direction is a model, so put {{from}} and {{to}} into it"
                ),
            );
        }
        match &self.url {
            Some(url) if !url.starts_with("http://") && !url.starts_with("https://") => Fault::at(
                key,
                format!("has the url {url:?}, which begins neither with http:// nor with https://"),
            ),
            None if self.command.is_empty() && self.models.is_none() => {
                Fault::at(key, "has neither a command nor a url")
            }
            _ => Ok(()),
        }
    }
}

impl Default for BackTranslationConfig {
    fn default() -> Self {
        Self {
            through: Vec::new(),
            from: "eng".into(),
            command: ["apertium", "-u", "-f", "line", "{from}-{to}"].map(str::to_owned).to_vec(),
            url: None,
            models: None,
        }
    }
}

/// `[augment.mixup]` (Zhang et al. 2018), on embeddings and features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MixupConfig {
    /// Mixed rows for each training row, in `[0, 100]`; 0, the default, switches mixup off.
    pub ratio: f64,
    /// Fixed weight of the first parent, in `[0.5, 0.999]`; 0.7 by default. Used when `alpha` is not set.
    pub lambda: f64,
    /// Draw the weight from Beta(α, α) instead; the first parent gets the larger part. In `[0.01, 100]`, not set by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f64>,
    /// Also mix rows of different classes, with soft labels; not by default.
    pub between_classes: bool,
}

impl Section for MixupConfig {
    fn numbers(&self) -> Vec<Number> {
        vec![
            real("augment.mixup.ratio", self.ratio, 0.0..=100.0),
            real("augment.mixup.lambda", self.lambda, 0.5..=0.999),
            real("augment.mixup.alpha", self.alpha, 0.01..=100.0),
        ]
    }
}

impl Default for MixupConfig {
    fn default() -> Self {
        Self { ratio: 0.0, lambda: 0.7, alpha: None, between_classes: false }
    }
}
