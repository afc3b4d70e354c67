//! A small BERT that tests make, and rows that it can learn.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use pipeline::fine_tuning::{
    Depth, Event, Tuned, TuningData, TuningError, TuningRows, TuningRun, TuningSettings, TuningTask,
};
use pipeline_encoder::Precision;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use tch::{Kind, Tensor};

use super::config::Config;
use super::random::normal;
use super::sentence::SentenceEncoder;
use super::weights::{Weights, write};
use crate::device::CPU;

/// Words of the vocabulary: ten of each class, ten of none.
const WORDS: usize = 30;

/// Config of a BERT of two layers.
pub fn config() -> serde_json::Value {
    json!({
        "model_type": "bert", "architectures": ["BertModel"], "hidden_size": 64, "num_attention_heads": 2,
        "num_hidden_layers": 2, "intermediate_size": 64, "vocab_size": 4 + WORDS, "max_position_embeddings": 24,
        "type_vocab_size": 2, "layer_norm_eps": 1e-12, "hidden_act": "gelu", "initializer_range": 0.02,
        "torch_dtype": "float16",
    })
}

/// Weights of it.
pub fn weights() -> Weights {
    let config: Config = serde_json::from_value(config()).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let weight = |(name, size): (String, Vec<i64>)| {
        let tensor = match name.ends_with("LayerNorm.weight") {
            true => Tensor::ones(&size[..], (Kind::Float, CPU)),
            false => normal(&mut rng, &size, 0.1),
        };
        (name, tensor)
    };
    config.weights().map(weight).collect()
}

/// Write a folder of transformers with these weights.
pub fn folder_of(weights: &Weights) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |file: &str| folder.path().join(file);
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"].map(str::to_owned);
    let vocabulary: serde_json::Map<String, serde_json::Value> = special
        .iter()
        .cloned()
        .chain((0..WORDS).map(|word| format!("w{word}")))
        .enumerate()
        .map(|(id, word)| (word, json!(id)))
        .collect();
    let added: Vec<_> = special
        .iter()
        .enumerate()
        .map(|(id, content)| {
            json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                   "normalized": false, "special": true})
        })
        .collect();
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                       "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": vocabulary},
    });
    fs::write(at("tokenizer.json"), tokenizer.to_string()).unwrap();
    fs::write(at("config.json"), config().to_string()).unwrap();
    let named = weights.iter().map(|(name, tensor)| (name.clone(), tensor));
    write(&at("model.safetensors"), named, Default::default()).unwrap();
    folder
}

/// A folder of sentence-transformers.
pub fn folder() -> tempfile::TempDir {
    let folder = folder_of(&weights());
    let at = |file: &str| folder.path().join(file);
    let modules = json!([
        {"path": "", "type": "sentence_transformers.models.Transformer"},
        {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
    ]);
    fs::write(at("modules.json"), modules.to_string()).unwrap();
    fs::create_dir(at("1_Pooling")).unwrap();
    let pooling = json!({"word_embedding_dimension": 64, "pooling_mode_mean_tokens": true});
    fs::write(at("1_Pooling/config.json"), pooling.to_string()).unwrap();
    fs::write(at("sentence_bert_config.json"), json!({"max_seq_length": 20}).to_string()).unwrap();
    folder
}

/// Rows of one text, one number and two tasks, which owns what [`TuningData`] borrows.
#[derive(Clone)]
pub struct Problem {
    pub texts: [Vec<String>; 2],
    pub columns: [Vec<f32>; 2],
    pub targets: [Vec<f32>; 2],
    pub tasks: Vec<TuningTask>,
}

impl Problem {
    /// Texts of words of their class and of none; the second task is whether they are long, and missing in every third row.
    pub fn new(rows: usize, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let task = |name: &str, weight| TuningTask { name: name.into(), classes: 2, weight };
        let mut problem = Self {
            texts: [vec![], vec![]],
            columns: [vec![], vec![]],
            targets: [vec![], vec![]],
            tasks: vec![task("label", 1.0), task("long", 0.3)],
        };
        for row in 0..rows + rows / 2 {
            let part = usize::from(row >= rows);
            let (class, words) = (row % 2, rng.random_range(3..10));
            let word = |at: usize, rng: &mut ChaCha8Rng| match at % 3 {
                0 => rng.random_range(20..30),
                _ => 10 * class + rng.random_range(0..10),
            };
            let words: Vec<String> = (0..words).map(|at| format!("w{}", word(at, &mut rng))).collect();
            let one_hot = |at: bool| if at { [0.0, 1.0] } else { [1.0, 0.0] };
            problem.targets[part].extend(one_hot(class == 1));
            problem.targets[part].extend(if row % 3 == 0 { [0.0; 2] } else { one_hot(words.len() > 6) });
            problem.columns[part].push(rng.random_range(-1.0..1.0));
            problem.texts[part].push(words.join(" "));
        }
        problem
    }

    /// Ask `ask` about it.
    pub fn with<T>(&self, ask: impl FnOnce(&TuningData<'_>) -> T) -> T {
        let texts = self.texts.each_ref().map(|texts| texts.iter().map(String::as_str).collect::<Vec<_>>());
        let rows = |part: usize| TuningRows {
            texts: &texts[part],
            columns: &self.columns[part],
            targets: &self.targets[part],
        };
        let columns = self.columns[0].len() / self.texts[0].len().max(1);
        let (train, validation) = (rows(0), rows(1));
        ask(&TuningData { fields: 1, columns, tasks: &self.tasks, train, validation, seed: 11 })
    }
}

/// Settings with which the small BERT learns.
pub fn settings(depth: Depth) -> TuningSettings {
    TuningSettings {
        depth,
        epochs: 3,
        batch_size: 8,
        learning_rate: 2e-3,
        head_learning_rate: 1e-2,
        precision: Precision::F32,
        ..TuningSettings::default()
    }
}

/// Tune what is in `folder` on `problem`.
pub fn tuned(folder: &Path, problem: &Problem, settings: &TuningSettings) -> (SentenceEncoder, Tuned) {
    let mut encoder = SentenceEncoder::open(folder, None).unwrap();
    let tuned = tune_quietly(&mut encoder, problem, settings, None).unwrap();
    (encoder, tuned)
}

/// Tune without looking.
pub fn tune_quietly(
    encoder: &mut SentenceEncoder,
    problem: &Problem,
    settings: &TuningSettings,
    run: Option<&TuningRun>,
) -> Result<Tuned, TuningError> {
    problem.with(|data| encoder.tune(data, settings, run, CPU, &mut |_: &Event| ControlFlow::Continue(())))
}

/// Names of the weights in which two encoders differ in a bit, or that one of them lacks.
pub fn different(a: &SentenceEncoder, b: &SentenceEncoder) -> Vec<String> {
    let (a, b) = (&a.0.bert.weights, &b.0.bert.weights);
    let names: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let same = |name: &String| match (a.get(name), b.get(name)) {
        (Some(a), Some(b)) => a.size() == b.size() && a.equal(b),
        _ => false,
    };
    names.into_iter().filter(|name| !same(name)).cloned().collect()
}
