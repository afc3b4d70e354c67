//! The files of an encoder's folder: each changed in a folder whose others are sound, and the encoder run where there is one.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use pipeline_encoder::{Backend, Encode, Encoder, Model, Precision, Truncating};

use crate::target::{Outcome, Target, digest};

const JSON: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "null",
    "true",
    "-1",
    "0",
    "1e400",
    "18446744073709551615",
    "4294967296",
    "\"bert\"",
    "\"roberta\"",
    "\"relu\"",
    "\"..\"",
    "\"/\"",
    "\"path\":",
    "\"hidden_size\":",
];
const TOKENIZER_WORDS: &[&str] = &[
    "\"type\":",
    "\"BPE\"",
    "\"Unigram\"",
    "\"WordLevel\"",
    "\"WordPiece\"",
    "\"merges\":[]",
    "\"vocab\":{}",
    "null",
    "\"Sequence\"",
    "\"Replace\"",
    "{\"Regex\":\"(\"}",
    "\"Split\"",
    "\"NFKC\"",
    "\"Precompiled\"",
    "\"Lowercase\"",
    "\"ByteLevel\"",
    "4294967295",
    "-1",
    "18446744073709551615",
    "[]",
    "{}",
    "\"\"",
    "\"[UNK]\"",
    "\"id\":",
];

const FILE: Target = Target { name: "", file: "", longest: 20_000, seeds: &[], words: JSON, read: encoder };

/// Sizes.
pub const CONFIG: Target = Target { name: "encoder_config", file: "config.json", ..FILE };
/// Parts.
pub const MODULES: Target = Target { name: "encoder_modules", file: "modules.json", ..FILE };
/// From tokens to a text.
pub const POOLING: Target = Target {
    name: "encoder_pooling",
    file: "pooling.json",
    words: &["true", "false", "pooling_mode_max_tokens"],
    ..FILE
};
/// The limit of tokens.
pub const SENTENCES: Target = Target { name: "encoder_sentences", file: "sentence_bert_config.json", ..FILE };
/// Texts to tokens.
pub const TOKENIZER: Target =
    Target { name: "tokenizer", file: "tokenizer.json", words: TOKENIZER_WORDS, read: tokenizer, ..FILE };
/// The numbers.
pub const WEIGHTS: Target = Target {
    name: "encoder_weights",
    file: "model.safetensors",
    longest: 200_000,
    words: &[
        "\"F16\"",
        "\"BF16\"",
        "\"F64\"",
        "\"I64\"",
        "\"F4\"",
        "[0,64]",
        "[72,0]",
        "\"shape\":",
        "18446744073709551615",
    ],
    ..FILE
};

const TEXTS: [&str; 5] =
    ["the cat sat", "", "un\u{301}heard of 猫 \u{1f408}\u{200d}\u{2b1b} \0", "[CLS] [SEP] ##s", "a"];

/// Where each sound file lies in the corpus, and how it is called in the folder.
const SOUND: [(&str, &str); 6] = [
    ("encoder_config/config.json", "config.json"),
    ("encoder_modules/modules.json", "modules.json"),
    ("encoder_pooling/config.json", "1_Pooling/config.json"),
    ("encoder_sentences/sentence_bert_config.json", "sentence_bert_config.json"),
    ("tokenizer/tokenizer.json", "tokenizer.json"),
    ("encoder_weights/model.safetensors", "model.safetensors"),
];

/// A folder with the input in it, beside that of the input.
fn folder_with(path: &Path) -> PathBuf {
    let folder = path.with_file_name("encoder");
    fs::create_dir_all(folder.join("1_Pooling")).unwrap();
    let name = path.file_name().and_then(|name| name.to_str()).expect("the file has a name");
    let name = if name == "pooling.json" { "1_Pooling/config.json" } else { name };
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    for (sound, to) in SOUND.into_iter().filter(|(_, to)| *to != name) {
        if !folder.join(to).exists() {
            fs::copy(corpus.join(sound), folder.join(to)).unwrap();
        }
    }
    fs::copy(path, folder.join(name)).unwrap();
    folder
}

fn encoder(path: &Path, _: &[u8]) -> Outcome {
    let folder = folder_with(path);
    let model = Model::open(&folder, None, Precision::F32, Backend::Auto)
        .map_err(|e| format!("{e} {:?}", e.hint()))?;
    let encoder = Encoder::load(&model.settings(Some(1))).map_err(|e| format!("{e} {:?}", e.hint()))?;
    let mut found = vec![Vec::new(); TEXTS.len()];
    let mut take = |batch: Vec<pipeline_encoder::Encoded>| {
        batch.into_iter().for_each(|encoded| found[encoded.text] = encoded.embedding);
        ControlFlow::Continue(())
    };
    encoder.encode(&TEXTS, &mut take).map_err(|e| e.to_string())?;
    assert!(found.iter().all(|vector| vector.len() == model.dims), "each text has a vector");
    Ok(digest(found))
}

fn tokenizer(path: &Path, bytes: &[u8]) -> Outcome {
    let folder = folder_with(path);
    let tokenizer = Truncating::open(&folder, 16, bytes.len().is_multiple_of(2))
        .map_err(|e| format!("{e} {:?}", e.hint()))?;
    let tokens = tokenizer.tokenize(&TEXTS, 0).map_err(|e| e.to_string())?;
    assert!(tokens.iter().all(|text| text.ids.len() <= 16), "no text is longer than it may be");
    let ids: Vec<_> = tokens.iter().map(|text| (text.length, &text.ids)).collect();
    let _ = encoder(path, bytes);
    Ok(digest((ids, tokenizer.pad_id())))
}
