//! Back-translation by Marian models through rust-bert. The models are tiny and made here, of random weights: they show that every
//! file is read and every step done, not that anybody would understand what comes out.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use pipeline::augment::TranslationError;
use pipeline::engine::Engine;
use pipeline::progress::Silent;
use pipeline::stages::{BuildSettings, Project, Stage, build};
use pipeline_torch::Torch;
use rust_bert::Config;
use rust_bert::bart::BartConfig;
use rust_bert::marian::MarianForConditionalGeneration;
use serde_json::json;
use tch::{Device, nn};

/// Word pieces: the special ones, letters, and some words.
fn pieces() -> Vec<String> {
    let words = ["▁the", "▁a", "▁make", "▁with", "▁and", "▁it", "▁in", "▁of"].map(str::to_owned);
    let letters = ('a'..='z').flat_map(|c| [c.to_string(), format!("▁{c}")]);
    ["</s>", "<unk>"].map(str::to_owned).into_iter().chain(words).chain(letters).chain(["▁".into()]).collect()
}

/// A SentencePiece model (a protocol buffer): field 1 is a piece, with its text (1), score (2) and kind (3; 1 ordinary, 2 unknown,
/// 3 control).
fn sentence_pieces(pieces: &[String]) -> Vec<u8> {
    let mut model = Vec::new();
    for (number, piece) in pieces.iter().enumerate() {
        let kind = match piece.as_str() {
            "<unk>" => 2,
            "</s>" => 3,
            _ => 1,
        };
        let mut message = vec![0x0a, piece.len() as u8];
        message.extend(piece.as_bytes());
        message.push(0x15);
        message.extend((-(number as f32)).to_le_bytes());
        message.extend([0x18, kind]);
        model.extend([0x0a, message.len() as u8]);
        model.extend(message);
    }
    model
}

/// A model of one layer and 16 dimensions in `folder`.
fn tiny_model(folder: &Path, seed: i64) {
    fs::create_dir_all(folder).unwrap();
    let pieces = pieces();
    let vocabulary: serde_json::Map<_, _> = pieces
        .iter()
        .map(String::as_str)
        .chain(["<pad>"])
        .enumerate()
        .map(|(number, piece)| (piece.to_owned(), json!(number)))
        .collect();
    let pad = pieces.len();
    let config = json!({
        "vocab_size": pad + 1, "d_model": 16, "encoder_layers": 1, "decoder_layers": 1,
        "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32,
        "encoder_layerdrop": 0.0, "decoder_layerdrop": 0.0, "dropout": 0.0, "attention_dropout": 0.0,
        "activation_dropout": 0.0, "classif_dropout": 0.0, "activation_function": "swish", "init_std": 0.02,
        "is_encoder_decoder": true, "max_position_embeddings": 128, "scale_embedding": true,
        "static_position_embeddings": true, "num_hidden_layers": 1, "normalize_embedding": false, "add_final_layer_norm": false,
        "pad_token_id": pad, "eos_token_id": 0, "bos_token_id": 0, "decoder_start_token_id": pad,
    });
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    fs::write(folder.join("vocab.json"), serde_json::Value::Object(vocabulary).to_string()).unwrap();
    fs::write(folder.join("source.spm"), sentence_pieces(&pieces)).unwrap();
    tch::manual_seed(seed);
    let weights = nn::VarStore::new(Device::Cpu);
    MarianForConditionalGeneration::new(weights.root(), &BartConfig::from_file(folder.join("config.json")));
    weights.save(folder.join("rust_model.ot")).unwrap();
}

#[test]
fn lines_are_translated_each_for_itself() {
    let folder = tempfile::tempdir().unwrap();
    tiny_model(folder.path(), 1);
    let model = Torch::default().load_translator(folder.path()).unwrap();
    let lines = ["make a boat of bark", "the tower falls", "sing it in the dark and loudly, please"];
    let found = model.translate(&lines).unwrap();
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|line| !line.contains('\n')), "{found:?}");
    assert_eq!(found, model.translate(&lines).unwrap());
    let alone: Vec<String> = lines.iter().flat_map(|line| model.translate(&[line]).unwrap()).collect();
    assert_eq!(found, alone, "a line's neighbours move nothing");
    tiny_model(folder.path(), 2);
    assert_ne!(Torch::default().load_translator(folder.path()).unwrap().translate(&lines).unwrap(), found);
}

#[test]
fn files_that_are_no_model_are_named() {
    let folder = tempfile::tempdir().unwrap();
    tiny_model(folder.path(), 1);
    for (file, content) in [
        ("config.json", "{}"),
        ("config.json", "{\"max_position_embeddings\": 128, \"d_model\": 0}"),
        ("vocab.json", "[1]"),
        ("source.spm", "not a model"),
        ("rust_model.ot", "not a model"),
    ] {
        let path = folder.path().join(file);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, content).unwrap();
        match Torch::default().load_translator(folder.path()) {
            Err(TranslationError::Model { model, reason }) => {
                assert_eq!(model, folder.path().display().to_string());
                assert!(!reason.is_empty() && !reason.contains("frame #"), "{file}: {reason}");
            }
            Err(other) => panic!("{file}: {other}"),
            Ok(_) => panic!("{file}: it was loaded"),
        }
        fs::write(&path, whole).unwrap();
    }
    Torch::default().load_translator(folder.path()).unwrap();
}

#[test]
fn a_project_gets_variants_that_know_their_rows() {
    let folder = tempfile::tempdir().unwrap();
    for (place, seed) in [("models/m-en-es", 3), ("models/m-es-en", 4)] {
        tiny_model(&folder.path().join(place), seed);
    }
    let mut table = String::from("text,label\n");
    for row in 0..40 {
        let label = ["high", "low"][row % 2];
        let word = ["tower", "cellar"][row % 2];
        table += &format!("Row {row} climbs the {word} and counts {row} steps,{label}\n");
    }
    fs::write(folder.path().join("a.csv"), table).unwrap();
    let config = "name = \"t\"\n[data]\nfiles = [\"a.csv\"]\ntext_fields = [\"text\"]\n[label]\ncolumn = \"label\"\n\
         [augment.synonyms]\ncosine_min = -1.0\ncosine_max = 1.0\n\
         [augment.back_translation]\nthrough = [\"es\"]\nfrom = \"en\"\nmodels = \"models/m-{from}-{to}\"\n";
    let path = folder.path().join("pipeline.toml");
    fs::write(&path, config).unwrap();
    let project = Project::open(&path).unwrap();
    let settings = BuildSettings { to: Stage::Augment, from: None };
    build(&project, settings, Some(&Torch::default()), &Silent, &mut |_, _| ()).unwrap();
    let variants = fs::read_to_string(folder.path().join("data/augmented/t/variants.jsonl")).unwrap();
    let variants: Vec<serde_json::Value> =
        variants.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(variants.len() > 10, "{}", variants.len());
    let parents: BTreeSet<u64> = variants.iter().map(|v| v["parent"].as_u64().unwrap()).collect();
    assert_eq!(parents.len(), variants.len(), "one a row: {variants:?}");
    let kept = fs::read_to_string(folder.path().join("data/.pipeline/translations.jsonl")).unwrap();
    assert!(kept.lines().count() >= variants.len());
    // Without libtorch it is said so.
    let none = build(
        &project,
        BuildSettings { from: Some(Stage::Augment), ..settings },
        None,
        &Silent,
        &mut |_, _| (),
    );
    assert!(none.unwrap_err().to_string().contains("needs libtorch"));
}
