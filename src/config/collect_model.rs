//! `[collect.model]`, `[collect.generate]`, `[collect.paraphrase]`: rows from a language model.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::Fault;
use super::number::{Number, real, whole};
use super::section::Section;

/// Most rows that one run may ask for.
const MOST_ROWS: usize = 1_000_000;

/// Longest text of a field, in characters.
const MOST_CHARS: usize = 20_000;

/// `[collect.model]`: an endpoint that understands OpenAI's chat completions, and what it may cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// Its address, to which `/chat/completions` is added; empty, the default, for none.
    pub base_url: String,
    /// The model's name, as the endpoint knows it.
    pub name: String,
    /// Environment variable that holds the key, where one is needed; `OPENAI_API_KEY` by default.
    pub key_env: String,
    /// Limit of one try in seconds, in `[1, 86,400]`; 120 by default.
    pub timeout_s: f64,
    /// How often a failed try is repeated, in `[0, 20]`; 6 by default.
    pub retries: usize,
    /// Limit of an answer in tokens, in `[1, 1,000,000]`; 1,000 by default.
    pub max_tokens: usize,
    /// Sampling temperature, in `[0, 2]`; the endpoint's by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Requests under way at once, in `[1, 256]`; 4 by default.
    pub concurrency: usize,
    /// Most requests of a run, in `[1, 10⁶]`; no limit by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most_requests: Option<usize>,
    /// Most tokens of a run, prompts and answers, in `[1, 10¹²]`; no limit by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most_tokens: Option<usize>,
    /// Most money of a run, in the currency of the prices, in `[0, 10⁶]`; no limit by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most_cost: Option<f64>,
    /// Price of a million tokens of prompts, in `[0, 10⁶]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_price: Option<f64>,
    /// Price of a million tokens of answers, in `[0, 10⁶]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_price: Option<f64>,
}

impl Section for ModelConfig {
    fn numbers(&self) -> Vec<Number> {
        vec![
            real("collect.model.timeout_s", self.timeout_s, 1.0..=86_400.0),
            whole("collect.model.retries", self.retries, 0..=20),
            whole("collect.model.max_tokens", self.max_tokens, 1..=1_000_000),
            real("collect.model.temperature", self.temperature, 0.0..=2.0),
            whole("collect.model.concurrency", self.concurrency, 1..=256),
            whole("collect.model.most_requests", self.most_requests, 1..=1_000_000),
            whole("collect.model.most_tokens", self.most_tokens, 1..=1_000_000_000_000),
            real("collect.model.most_cost", self.most_cost, 0.0..=1e6),
            real("collect.model.prompt_price", self.prompt_price, 0.0..=1e6),
            real("collect.model.answer_price", self.answer_price, 0.0..=1e6),
        ]
    }

    fn check(&self) -> Result<(), Fault> {
        if self.most_cost.is_some() && (self.prompt_price.is_none() || self.answer_price.is_none()) {
            return Fault::at("collect.model.most_cost", "needs prompt_price and answer_price");
        }
        Ok(())
    }
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            base_url: String::new(),
            name: String::new(),
            key_env: "OPENAI_API_KEY".into(),
            timeout_s: 120.0,
            retries: 6,
            max_tokens: 1_000,
            temperature: None,
            concurrency: 4,
            most_requests: None,
            most_tokens: None,
            most_cost: None,
            prompt_price: None,
            answer_price: None,
        }
    }
}

/// `[collect.generate]`: rows that a language model writes for a class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GenerateConfig {
    /// What is to be written, in a sentence or two.
    pub task: String,
    /// Valid rows after which a run ends, in `[1, 10⁶]`; 300 by default.
    pub rows: usize,
    /// Rows asked for in one request, in `[1, 100]`; 5 by default.
    pub rows_per_request: usize,
    /// Rows of the training part shown in one request, in `[0, 20]`; 3 by default.
    pub examples: usize,
    /// The text columns that are written; those of `data.text_fields` by default.
    pub fields: Vec<GenerateField>,
    /// What rows differ in beside their class: a name, and the values of which each is drawn about equally often.
    pub attributes: BTreeMap<String, Vec<String>>,
    /// The classes.
    pub classes: Vec<GenerateClass>,
    /// Cells of every row in other columns.
    pub cells: BTreeMap<String, String>,
}

/// A text column that is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerateField {
    /// Its name.
    pub name: String,
    /// What stands in it, for the prompt.
    #[serde(default)]
    pub what: String,
    /// Fewest characters, in `[1, 20,000]`; 3 by default.
    #[serde(default = "least_chars")]
    pub min_chars: usize,
    /// Most characters, in `[1, 20,000]`; 1,000 by default.
    #[serde(default = "most_chars")]
    pub max_chars: usize,
}

/// A class of which rows are written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerateClass {
    /// Its name, which the prompt does not say.
    pub name: String,
    /// What rows of it are, for the prompt.
    pub what: String,
    /// Words, and regular expressions between slashes, that no text of it may hold since they would give it away.
    #[serde(default)]
    pub avoid: Vec<String>,
    /// Its cells in the label's columns.
    pub cells: BTreeMap<String, String>,
    /// Its share of the requests beside those of the others, in `[0, 1000]`; 1 by default.
    #[serde(default = "one")]
    pub share: f64,
}

impl GenerateField {
    /// A column of at most so many characters, with nothing more said of it.
    pub fn of(name: &str, max_chars: usize) -> Self {
        Self { name: name.to_owned(), what: String::new(), min_chars: least_chars(), max_chars }
    }
}

fn least_chars() -> usize {
    3
}

fn most_chars() -> usize {
    1_000
}

fn one() -> f64 {
    1.0
}

impl Section for GenerateConfig {
    fn numbers(&self) -> Vec<Number> {
        let least = whole("collect.generate.fields[].min_chars", None, 1..=MOST_CHARS);
        let most = whole("collect.generate.fields[].max_chars", None, 1..=MOST_CHARS);
        let share = real("collect.generate.classes[].share", None, 0.0..=1000.0);
        let mut numbers = vec![
            whole("collect.generate.rows", self.rows, 1..=MOST_ROWS),
            whole("collect.generate.rows_per_request", self.rows_per_request, 1..=100),
            whole("collect.generate.examples", self.examples, 0..=20),
        ];
        for (i, field) in self.fields.iter().enumerate() {
            numbers.extend([least.at(i, field.min_chars), most.at(i, field.max_chars)]);
        }
        numbers.extend(self.classes.iter().enumerate().map(|(i, class)| share.at(i, class.share)));
        numbers.extend([least, most, share]);
        numbers
    }
}

impl Default for GenerateConfig {
    fn default() -> Self {
        Self {
            task: String::new(),
            rows: 300,
            rows_per_request: 5,
            examples: 3,
            fields: Vec::new(),
            attributes: BTreeMap::new(),
            classes: Vec::new(),
            cells: BTreeMap::new(),
        }
    }
}

/// `[collect.paraphrase]`: rows of the training part in other words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ParaphraseConfig {
    /// Paraphrases asked for of each row, in `[1, 100]`; 2 by default.
    pub each: usize,
    /// Valid rows after which a run ends, in `[1, 10⁶]`; 300 by default.
    pub rows: usize,
    /// As in `[collect.generate]`: words and regular expressions that no text may hold.
    pub avoid: Vec<String>,
}

impl Section for ParaphraseConfig {
    fn numbers(&self) -> Vec<Number> {
        vec![
            whole("collect.paraphrase.each", self.each, 1..=100),
            whole("collect.paraphrase.rows", self.rows, 1..=MOST_ROWS),
        ]
    }
}

impl Default for ParaphraseConfig {
    fn default() -> Self {
        Self { each: 2, rows: 300, avoid: Vec::new() }
    }
}
