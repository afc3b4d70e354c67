//! The encoder against sentence-transformers, and the traps of rust-bert that it must not fall into.
//!
//! `golden/minilm_reference.json`: texts with the embedding that sentence-transformers (Python, float32, CPU) gives for
//! all-MiniLM-L6-v2. `PIPELINE_REFERENCE` may name a longer file of the same form.

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use pipeline::store::user_cache;
use pipeline_encoder::{Arithmetic, Encode, Encoded, Encoder, EncoderError, EncoderSettings, Precision};
use pipeline_torch::padded;
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    max_seq_length: usize,
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    text: String,
    embedding: Vec<f32>,
}

fn reference() -> Reference {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/minilm_reference.json");
    let path = std::env::var_os("PIPELINE_REFERENCE").map_or(own, PathBuf::from);
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn model() -> PathBuf {
    user_cache().join("all-MiniLM-L6-v2")
}

fn settings(folder: &Path) -> EncoderSettings {
    EncoderSettings {
        folder: folder.to_owned(),
        max_tokens: 256,
        arithmetic: Arithmetic::native(Precision::F32).unwrap(),
        workers: 2,
    }
}

/// The ways of computing that this processor has: the own pass's, and rust-bert's.
fn ways(precision: Precision) -> Vec<Arithmetic> {
    let native = Arithmetic::native(precision);
    native.into_iter().chain([Arithmetic::rust_bert(precision)]).collect()
}

fn load(settings: &EncoderSettings) -> Result<Encoder, EncoderError> {
    if settings.arithmetic.needs_torch() { padded::load(settings) } else { Encoder::load(settings) }
}

fn encode(settings: &EncoderSettings, texts: &[&str]) -> Vec<Encoded> {
    encode_with(&load(settings).unwrap(), texts)
}

fn encode_with(encoder: &Encoder, texts: &[&str]) -> Vec<Encoded> {
    let mut encoded = Vec::new();
    encoder
        .encode(texts, &mut |batch| {
            encoded.extend(batch);
            ControlFlow::Continue(())
        })
        .unwrap();
    encoded.sort_by_key(|e| e.text);
    assert_eq!(encoded.len(), texts.len());
    encoded
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(p, q)| f64::from(*p) * f64::from(*q)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn lowest_cosine(precision: Precision) -> f64 {
    let reference = reference();
    assert_eq!(reference.max_seq_length, 256);
    let texts: Vec<&str> = reference.items.iter().map(|i| i.text.as_str()).collect();
    let mut lowest = 1.0f64;
    for arithmetic in ways(precision) {
        let encoder = load(&EncoderSettings { arithmetic, ..settings(&model()) }).unwrap();
        for (item, ours) in reference.items.iter().zip(&encode_with(&encoder, &texts)) {
            let cosine = cosine(&item.embedding, &ours.embedding);
            lowest = lowest.min(cosine);
            assert!(cosine.is_finite(), "{cosine} for {:?}", item.text);
        }
        println!("lowest cosine of {} texts so far, {}: {lowest:.7}", texts.len(), arithmetic.name());
    }
    lowest
}

#[test]
fn embeddings_equal_sentence_transformers() {
    assert!(lowest_cosine(Precision::F32) >= 0.9999);
}

#[test]
fn bfloat16_stays_close() {
    assert!(lowest_cosine(Precision::Bf16) >= 0.999);
}

/// rust-bert is the reference for what sentence-transformers has no vectors for.
#[test]
fn the_own_pass_agrees_with_rust_bert_on_every_text() {
    let reference = reference();
    let texts: Vec<&str> = reference.items.iter().map(|i| i.text.as_str()).collect();
    for (precision, least) in [(Precision::F32, 0.999_999), (Precision::Bf16, 0.999)] {
        let by = |arithmetic| {
            encode_with(&load(&EncoderSettings { arithmetic, ..settings(&model()) }).unwrap(), &texts)
        };
        let Some(native) = Arithmetic::native(precision) else { continue };
        for (own, other) in by(native).iter().zip(by(Arithmetic::rust_bert(precision))) {
            assert_eq!(own.tokens, other.tokens);
            let cosine = cosine(&own.embedding, &other.embedding);
            assert!(cosine >= least, "{}: {cosine} for {:?}", native.name(), texts[own.text]);
        }
    }
}

#[test]
fn vectors_do_not_depend_on_batch_size_or_order() {
    let reference = reference();
    let texts: Vec<&str> = reference.items.iter().map(|i| i.text.as_str()).collect();
    let reversed: Vec<&str> = texts.iter().rev().copied().collect();
    for arithmetic in ways(Precision::F32).into_iter().chain(ways(Precision::Bf16)) {
        let load = |workers| load(&EncoderSettings { workers, arithmetic, ..settings(&model()) }).unwrap();
        let together = encode_with(&load(2), &texts);
        let single = load(1);
        let backwards = encode_with(&single, &reversed);
        for (i, text) in texts.iter().enumerate() {
            let alone = &encode_with(&single, &[text])[0];
            // To the bit, so that an interrupted or incremental run trains the very same model.
            for other in [&together[i], &backwards[texts.len() - 1 - i]] {
                assert!(alone.embedding == other.embedding, "{text:?}");
            }
        }
    }
}

#[test]
fn long_texts_are_cut_and_counted() {
    let long = "word ".repeat(300);
    let cut = "word ".repeat(254);
    let encoded = encode(&settings(&model()), &[&long, &cut, "word"]);
    assert_eq!(encoded.iter().map(|e| e.tokens).collect::<Vec<_>>(), [302, 256, 3]);
    assert!(cosine(&encoded[0].embedding, &encoded[1].embedding) > 0.999_999, "the cut keeps [SEP]");
    let shorter = encode(&EncoderSettings { max_tokens: 16, ..settings(&model()) }, &[&long, "word"]);
    assert_eq!(shorter[0].tokens, 302);
    assert!(cosine(&shorter[0].embedding, &encoded[0].embedding) < 0.999);
}

#[test]
fn blank_texts_are_the_empty_text() {
    let encoded = encode(&settings(&model()), &["", "  \n\t ", "\u{a0}"]);
    for other in &encoded[1..] {
        assert_eq!(other.tokens, 2);
        assert!(cosine(&encoded[0].embedding, &other.embedding) > 0.999_999);
    }
    let norm: f32 = encoded[0].embedding.iter().map(|v| v * v).sum();
    assert!((norm - 1.0).abs() < 1e-5);
}

#[test]
fn nothing_to_encode_is_no_error() {
    assert!(encode(&settings(&model()), &[]).is_empty());
}

/// rust-bert masks every id equal to the padding's, also one that the user typed.
#[test]
fn a_typed_pad_token_is_part_of_the_text() {
    let texts = [
        "a soft [PAD] ball",
        "a soft ball",
        "a much longer text so that the first two are padded in one batch",
    ];
    let encoded = encode(&settings(&model()), &texts);
    assert_eq!(encoded[0].tokens, encoded[1].tokens + 1);
    assert!(cosine(&encoded[0].embedding, &encoded[1].embedding) < 0.9999);
    let alone = encode(&settings(&model()), &texts[..1]);
    assert!(cosine(&alone[0].embedding, &encoded[0].embedding) > 0.999_999);
}

/// A copy of the model of which one file has been replaced.
fn with_file(name: &str, bytes: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let pooling = folder.path().join("1_Pooling");
    fs::create_dir(&pooling).unwrap();
    for (from, to) in [(model(), folder.path()), (model().join("1_Pooling"), &pooling)] {
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap).filter(|e| e.path().is_file()) {
            symlink(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
    let path = folder.path().join(name);
    fs::remove_file(&path).unwrap();
    fs::write(&path, bytes).unwrap();
    folder
}

/// A copy of the model of which `change` has rewritten a JSON file.
fn with_json(name: &str, change: impl Fn(&mut serde_json::Value)) -> tempfile::TempDir {
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(model().join(name)).unwrap()).unwrap();
    change(&mut json);
    with_file(name, json.to_string().as_bytes())
}

/// Pooling and activation are read from the folder, and what the own pass cannot run it refuses.
#[test]
fn other_poolings_and_activations_are_run_by_who_can() {
    let texts = ["Build a den of cushions.", "Count the red cars on the way to school, then the blue ones."];
    let pooling = |mode: &'static str| {
        with_json("1_Pooling/config.json", move |json| {
            json["pooling_mode_mean_tokens"] = false.into();
            json[mode] = true.into();
        })
    };
    let plain = encode(&settings(&model()), &texts);
    let changed = [
        (pooling("pooling_mode_cls_token"), true),
        (pooling("pooling_mode_max_tokens"), false),
        (with_json("config.json", |json| json["hidden_act"] = "relu".into()), false),
    ];
    for (folder, native) in changed {
        let rust_bert = EncoderSettings { arithmetic: Arithmetic::RustBertF32, ..settings(folder.path()) };
        let found = encode(&rust_bert, &texts);
        for (found, plain) in found.iter().zip(&plain) {
            assert!(cosine(&found.embedding, &plain.embedding) < 0.99);
        }
        if !native {
            assert!(matches!(load(&settings(folder.path())), Err(EncoderError::NeedsTorch { .. })));
            continue;
        }
        for (own, found) in encode(&settings(folder.path()), &texts).iter().zip(&found) {
            assert!(cosine(&own.embedding, &found.embedding) > 0.999_99);
        }
    }
}

#[test]
fn damaged_weights_are_named() {
    let weights = fs::read(model().join("model.safetensors")).unwrap();
    for bytes in [&weights[..weights.len() / 2], b"not weights"] {
        let folder = with_file("model.safetensors", bytes);
        for arithmetic in ways(Precision::F32) {
            let settings = EncoderSettings { arithmetic, ..settings(folder.path()) };
            let error = load(&settings).err().unwrap().to_string();
            assert!(error.contains("model.safetensors"), "{error}");
        }
    }
    // Weights that are no numbers are read like others; what they give is refused.
    let mut broken = weights.clone();
    let half = broken.len() / 2;
    broken[half..].fill(0xff);
    let folder = with_file("model.safetensors", &broken);
    let encoder = Encoder::load(&settings(folder.path())).unwrap();
    let error = encoder.encode(&["a text"], &mut |_| ControlFlow::Continue(())).unwrap_err().to_string();
    assert!(error.contains("is no number"), "{error}");
    let folder = with_json("config.json", |json| json["num_hidden_layers"] = 7.into());
    let error = load(&settings(folder.path())).err().unwrap().to_string();
    assert!(error.contains("encoder.layer.6") && error.contains("model.safetensors"), "{error}");
}

#[test]
fn padding_and_truncation_left_in_the_tokenizer_change_nothing() {
    let plain = with_json("tokenizer.json", |json| {
        json["padding"] = serde_json::Value::Null;
        json["truncation"] = serde_json::Value::Null;
    });
    let padded = with_json("tokenizer.json", |json| {
        json["padding"] = serde_json::json!({
            "strategy": {"Fixed": 128}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"
        });
        json["truncation"] = serde_json::json!({
            "direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0
        });
    });
    let texts = ["Pour the water from one jug into the other until the tray is wet.", "short"];
    let (a, b) = (encode(&settings(plain.path()), &texts), encode(&settings(padded.path()), &texts));
    for (a, b) in a.iter().zip(&b) {
        assert_eq!(a.tokens, b.tokens);
        assert_eq!(a.embedding, b.embedding);
    }
}

#[test]
fn a_stopped_sink_ends_the_work() {
    let texts: Vec<String> = (0..3000).map(|i| format!("text number {i}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let encoder = load(&settings(&model())).unwrap();
    let mut batches = 0;
    encoder
        .encode(&texts, &mut |_| {
            batches += 1;
            ControlFlow::Break(())
        })
        .unwrap();
    assert_eq!(batches, 1);
}
