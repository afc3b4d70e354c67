//! `[collect]`: rows that were not in the raw files, and what they may do.

use serde::{Deserialize, Serialize};

use super::collect_model::{GenerateConfig, ModelConfig, ParaphraseConfig};
use super::error::Fault;
use super::number::{Number, real};
use super::scrape::ScrapeConfig;
use super::section::Section;

/// `[collect]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CollectConfig {
    /// Kinds of accepted rows that are used; all by default.
    #[serde(rename = "use")]
    pub used: Vec<CollectedKind>,
    /// Kinds that teach and are never held out, neither for validation nor for test nor in a fold; those that a model wrote
    /// by default.
    pub teach_only: Vec<CollectedKind>,
    /// What every candidate must pass.
    pub gate: GateConfig,
    /// The language model that writes rows.
    pub model: ModelConfig,
    /// What it writes for a class.
    pub generate: GenerateConfig,
    /// What it says in other words.
    pub paraphrase: ParaphraseConfig,
    /// Web pages, and the rules that make rows of them.
    pub scrape: ScrapeConfig,
}

impl Default for CollectConfig {
    fn default() -> Self {
        Self {
            used: CollectedKind::ALL.to_vec(),
            teach_only: vec![CollectedKind::Generated, CollectedKind::Paraphrased],
            gate: GateConfig::default(),
            model: ModelConfig::default(),
            generate: GenerateConfig::default(),
            paraphrase: ParaphraseConfig::default(),
            scrape: ScrapeConfig::default(),
        }
    }
}

impl CollectConfig {
    /// Whether nothing of it is set.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Which accepted rows do what; `None` where it is the default.
    pub fn choice(&self) -> Option<serde_json::Value> {
        let default = Self::default();
        let same = self.used == default.used && self.teach_only == default.teach_only;
        (!same).then(|| serde_json::json!({ "use": self.used, "teach_only": self.teach_only }))
    }
}

impl Section for CollectConfig {}

/// How a row was collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CollectedKind {
    /// Written by a language model for a class.
    Generated,
    /// A row of the data, said in other words by a language model.
    Paraphrased,
    /// Taken from a web page.
    Scraped,
    /// Labelled by people.
    Labelled,
}

impl CollectedKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Generated, Self::Paraphrased, Self::Scraped, Self::Labelled];

    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Generated => "generated",
            Self::Paraphrased => "paraphrased",
            Self::Scraped => "scraped",
            Self::Labelled => "labelled",
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// `[collect.gate]`: what every candidate must pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GateConfig {
    /// Cosine from which a candidate is too like a row of the data or an earlier candidate, in `[0.5, 1.01]`, above 1 for never;
    /// 0.92 by default.
    pub near_duplicate_cosine: f64,
    /// The same for rows of the validation and test parts, not above the former; 0.88 by default.
    pub held_out_cosine: f64,
    /// A candidate is refused when the model, which has not learned from it or from the row that it says in other words, gives
    /// its class less than this, in `[0, 1]`; 0.05 by default.
    pub refuse_below: f64,
    /// … and is doubtful below this, in `[0, 1]` and not below the former; 0.25 by default.
    pub doubtful_below: f64,
    /// What is done about e-mail addresses, telephone numbers and the like; `remove` by default.
    pub personal: PersonalUse,
    /// Whether the language must be one of the data's; it must by default.
    pub language: bool,
    /// Whether what is nothing for families is refused; it is by default.
    pub unsafe_content: bool,
}

/// What is done about personal data in a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PersonalUse {
    /// It is taken out.
    Remove,
    /// The candidate is refused.
    Refuse,
}

impl Section for GateConfig {
    fn numbers(&self) -> Vec<Number> {
        vec![
            real("collect.gate.near_duplicate_cosine", self.near_duplicate_cosine, 0.5..=1.01),
            real("collect.gate.held_out_cosine", self.held_out_cosine, 0.5..=1.01),
            real("collect.gate.refuse_below", self.refuse_below, 0.0..=1.0),
            real("collect.gate.doubtful_below", self.doubtful_below, 0.0..=1.0),
        ]
    }

    fn check(&self) -> Result<(), Fault> {
        if self.held_out_cosine > self.near_duplicate_cosine {
            return Fault::at(
                "collect.gate.held_out_cosine",
                "is above near_duplicate_cosine; held-out rows need the stricter one",
            );
        }
        if self.refuse_below > self.doubtful_below {
            return Fault::at(
                "collect.gate.refuse_below",
                "is above doubtful_below; no row could be doubtful",
            );
        }
        Ok(())
    }
}

impl Default for GateConfig {
    fn default() -> Self {
        Self {
            near_duplicate_cosine: 0.92,
            held_out_cosine: 0.88,
            refuse_below: 0.05,
            doubtful_below: 0.25,
            personal: PersonalUse::Remove,
            language: true,
            unsafe_content: true,
        }
    }
}
