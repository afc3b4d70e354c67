//! A model whose answers are hashes of the texts, so that each can be checked, and which fails on demand.

#![allow(dead_code, reason = "each test uses its part")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pipeline_serve::outside::{Answer, AnswerError, Answerer, Embedded, Row, Source, TaskAnswer};
use serde_json::{Value, json};

/// Values of an embedding.
pub const DIMS: usize = 16;
/// Letters of the longest text that counts.
pub const LONGEST: usize = 400;

/// The model. A text with `PANIC` in it makes it panic, with `FAIL` fail, with `SLOW` take a second.
pub struct Fake {
    /// Stands in every answer.
    pub version: u64,
    pub fields: Vec<String>,
    pub columns: Vec<String>,
    pub classes: Vec<String>,
    /// How long a row takes, and a batch beside its rows.
    pub row: Duration,
    pub batch: Duration,
    /// Rows of all batches that were asked, in order.
    pub asked: Arc<Mutex<Vec<Vec<String>>>>,
}

pub fn fake(version: u64) -> Fake {
    Fake {
        version,
        fields: vec!["title".into(), "body".into()],
        columns: vec!["title".into(), "body".into(), "price".into()],
        classes: vec!["ham".into(), "spam".into(), "unsure <b>".into()],
        row: Duration::ZERO,
        batch: Duration::ZERO,
        asked: Arc::default(),
    }
}

pub fn text_of(row: &Row) -> String {
    match row {
        Row::Text(text) => text.clone(),
        Row::Fields(map) => ["title", "body"]
            .iter()
            .filter_map(|name| map.get(*name).and_then(Value::as_str))
            .collect::<Vec<_>>()
            .join(" "),
    }
}

/// The vector of a text.
pub fn vector(text: &str, normalize: bool) -> Vec<f32> {
    let text: String = text.chars().take(LONGEST).collect();
    let mut bytes = [0; DIMS];
    blake3::Hasher::new().update(text.as_bytes()).finalize_xof().fill(&mut bytes);
    let raw: Vec<f32> = bytes.iter().map(|byte| f32::from(*byte) + 1.0).collect();
    let length = if normalize { raw.iter().map(|v| v * v).sum::<f32>().sqrt() } else { 1.0 };
    raw.iter().map(|v| v / length).collect()
}

/// The probability of the first class: of a text and a version.
pub fn probability(text: &str, version: u64) -> f64 {
    let hash = blake3::hash(format!("{version} {text}").as_bytes());
    f64::from(hash.as_bytes()[0]) / 510.0
}

impl Fake {
    fn look(&self, texts: &[&str]) -> Result<(), AnswerError> {
        self.asked.lock().unwrap().push(texts.iter().map(|text| (*text).to_owned()).collect());
        assert!(!texts.iter().any(|text| text.contains("PANIC")), "the model was told to panic");
        if texts.iter().any(|text| text.contains("FAIL")) {
            return Err(AnswerError("it was told to fail".into()));
        }
        let slow = texts.iter().any(|text| text.contains("SLOW"));
        let time = self.batch + self.row * texts.len() as u32 + Duration::from_secs(u64::from(slow));
        if !time.is_zero() {
            std::thread::sleep(time);
        }
        Ok(())
    }
}

impl Answerer for Fake {
    fn text_fields(&self) -> &[String] {
        &self.fields
    }
    fn columns(&self) -> &[String] {
        &self.columns
    }
    fn classes(&self) -> &[String] {
        &self.classes
    }
    fn encoder(&self) -> Option<&str> {
        Some("hash-encoder")
    }
    fn max_tokens(&self) -> usize {
        LONGEST / 4
    }
    fn info(&self) -> Value {
        json!({ "version": self.version, "calibrated": true })
    }
    fn tokens(&self, row: &Row) -> usize {
        text_of(row).len().min(LONGEST) / 4 + 1
    }
    fn predict(&self, rows: &[&Row]) -> Result<Vec<Result<Answer, String>>, AnswerError> {
        let texts: Vec<String> = rows.iter().map(|row| text_of(row)).collect();
        self.look(&texts.iter().map(String::as_str).collect::<Vec<_>>())?;
        let answer = |text: &String| {
            if text.trim().is_empty() {
                return Err("no text in title, body".to_owned());
            }
            let first = probability(text, self.version);
            let probabilities = vec![first, 0.75 * (1.0 - first), 0.25 * (1.0 - first)];
            let best = usize::from(probabilities[1] > first);
            Ok(Answer {
                best,
                probabilities,
                tasks: vec![TaskAnswer { name: "tone".into(), label: "calm".into(), probability: 0.5 }],
                range: vec![("version".into(), self.version as f64)],
                unlike_training: Some(text.contains("STRANGE")),
                explanation: None,
            })
        };
        Ok(texts.iter().map(answer).collect())
    }
    fn tokens_to_explain(&self, row: &Row, samples: usize) -> usize {
        self.tokens(row) * samples
    }
    fn explain(
        &self,
        row: &Row,
        samples: usize,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Result<Answer, String>, AnswerError> {
        let text = text_of(row);
        while text.contains("ENDLESS") {
            if stop() {
                self.asked.lock().unwrap().push(vec!["given up".into()]);
                return Err(AnswerError("given up".into()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut answers = self.predict(&[row])?;
        let class = &self.classes;
        Ok(answers.remove(0).map(|answer| {
            let word = |(place, word): (usize, &str)| {
                let value = if place % 2 == 0 { 0.5 } else { -0.25 };
                json!({ "field": "title", "text": word, "value": value, "standard_error": 0.01 })
            };
            let words: Vec<Value> = text.split_whitespace().enumerate().map(word).collect();
            let whole: f64 = words.iter().filter_map(|word| word["value"].as_f64()).sum();
            let near = json!({ "place": "a.csv:2", "label": "ham", "cosine": 0.875, "text": "<i>near</i>" });
            let explanation = json!({
                "class": class[answer.best], "log_odds": whole - 1.0, "log_odds_of_nothing": -1.0, "exact": false,
                "fields": [], "columns": [], "words": words, "samples": samples, "nearest": [near],
            });
            Answer { explanation: Some(explanation), ..answer }
        }))
    }
    fn embed(&self, texts: &[&str], normalize: bool) -> Result<Vec<Embedded>, AnswerError> {
        self.look(texts)?;
        let of = |text: &&str| Embedded {
            vector: vector(text, normalize),
            tokens: text.len().min(LONGEST) / 4 + 1,
            truncated: text.chars().count() > LONGEST,
        };
        Ok(texts.iter().map(of).collect())
    }
}

/// Where fakes come from: the version that was put here last, as if files had been changed.
pub struct FakeSource {
    pub name: &'static str,
    pub version: Arc<AtomicU64>,
    pub row: Duration,
    pub batch: Duration,
    pub asked: Arc<Mutex<Vec<Vec<String>>>>,
}

/// A version that cannot be loaded.
pub const BROKEN: u64 = 666;

pub fn source(name: &'static str) -> FakeSource {
    let version = Arc::new(AtomicU64::new(1));
    FakeSource { name, version, row: Duration::ZERO, batch: Duration::ZERO, asked: Arc::default() }
}

impl Source for FakeSource {
    fn name(&self) -> &str {
        self.name
    }
    fn fingerprint(&self) -> Result<String, AnswerError> {
        Ok(self.version.load(Ordering::SeqCst).to_string())
    }
    fn load(&self) -> Result<Arc<dyn Answerer>, AnswerError> {
        let version = self.version.load(Ordering::SeqCst);
        if version == BROKEN {
            return Err(AnswerError("card.json: unexpected end at line 3".into()));
        }
        Ok(Arc::new(Fake { row: self.row, batch: self.batch, asked: self.asked.clone(), ..fake(version) }))
    }
}

/// A source of an encoder without labels.
pub struct EncoderSource;

impl Source for EncoderSource {
    fn name(&self) -> &str {
        "encoder-only"
    }
    fn fingerprint(&self) -> Result<String, AnswerError> {
        Ok("1".into())
    }
    fn load(&self) -> Result<Arc<dyn Answerer>, AnswerError> {
        Ok(Arc::new(Fake { classes: Vec::new(), ..fake(1) }))
    }
}
