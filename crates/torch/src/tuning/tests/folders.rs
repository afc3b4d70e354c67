//! Folders that are read and written.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use pipeline::fine_tuning::{Depth, Event, Phase, TuningSettings};
use pipeline_encoder::{Arithmetic, Encode, Encoder, EncoderSettings, Folder, Precision};

use crate::device::CPU;

use super::super::fixture::{Problem, different, folder, folder_of, settings, tuned, weights};
use super::super::weights::Weights;
use super::super::{SentenceEncoder, SequenceClassifier};

const LORA: Depth = Depth::Lora { rank: 4, alpha: 8.0 };

#[test]
fn a_saved_encoder_gives_the_vectors_by_the_own_pass() {
    let problem = Problem::new(24, 1);
    let texts: Vec<&str> = problem.texts[1].iter().map(String::as_str).collect();
    for (folder, depth) in [(folder(), Depth::Full), (folder(), LORA), (folder_of(&weights()), Depth::Top(1))]
    {
        let (mut encoder, _) = tuned(folder.path(), &problem, &settings(depth));
        let out = tempfile::tempdir().unwrap();
        let saved = out.path().join("deep/encoder");
        encoder.save(&saved).unwrap();
        encoder.save(&saved).unwrap();
        let ours = encoder.embed(&texts).unwrap();
        assert_eq!(SentenceEncoder::open(&saved, None).unwrap().embed(&texts).unwrap(), ours);
        let opened = Folder::open(&saved).unwrap();
        assert_eq!(opened.normalize, folder.path().join("modules.json").exists());
        let settings = EncoderSettings {
            folder: saved.clone(),
            max_tokens: opened.max_tokens(None).unwrap(),
            arithmetic: Arithmetic::native(Precision::F32).unwrap(),
            workers: 1,
        };
        let mut own = vec![Vec::new(); texts.len()];
        let take = &mut |batch: Vec<pipeline_encoder::Encoded>| {
            batch.into_iter().for_each(|encoded| own[encoded.text] = encoded.embedding);
            ControlFlow::Continue(())
        };
        Encoder::load(&settings).unwrap().encode(&texts, take).unwrap();
        let most = own.concat().iter().zip(&ours).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(most < 1e-4, "{most}");
        assert_eq!(fs::read_dir(saved.parent().unwrap()).unwrap().count(), 1);
        let config = fs::read_to_string(saved.join("config.json")).unwrap();
        assert!(config.contains("\"float32\""), "{config}");
    }
}

/// A classifier of the texts of `problem`, tuned, and the phases of that.
fn classifier(problem: &Problem) -> (SequenceClassifier, Vec<Phase>, tempfile::TempDir) {
    let folder = folder_of(&weights());
    let mut problem = problem.clone();
    problem.tasks.truncate(1);
    problem.columns = [vec![], vec![]];
    for targets in &mut problem.targets {
        *targets = targets.chunks_exact(4).flat_map(|row| [row[0], row[1]]).collect();
    }
    let labels = vec!["sun".to_owned(), "snow".to_owned()];
    let mut model = SequenceClassifier::begin(folder.path(), None, labels, 3).unwrap();
    let settings = TuningSettings { epochs: 5, ..settings(Depth::Top(2)) };
    let mut phases = Vec::new();
    let mut watch = |event: &Event| {
        if let Event::Step { phase, .. } = event {
            phases.push(*phase);
        }
        ControlFlow::Continue(())
    };
    problem.with(|data| model.tune(data, &settings, None, CPU, &mut watch)).unwrap();
    phases.dedup();
    (model, phases, folder)
}

#[test]
fn a_sequence_classifier_learns_and_is_read_again_to_the_bit() {
    let problem = Problem::new(60, 1);
    let texts: Vec<&str> = problem.texts[1].iter().map(String::as_str).collect();
    let (mut model, phases, folder) = classifier(&problem);
    assert_eq!(phases, [Phase::Head, Phase::Encoder]);
    let logits = model.logits(&texts).unwrap();
    let right =
        logits.chunks_exact(2).enumerate().filter(|(row, logits)| (logits[1] > logits[0]) == (row % 2 == 1));
    assert!(right.count() * 10 >= texts.len() * 8);
    let out = tempfile::tempdir().unwrap();
    let saved = out.path().join("classifier");
    model.save(&saved).unwrap();
    let again = SequenceClassifier::open(&saved, None).unwrap();
    assert_eq!(again.logits(&texts).unwrap(), logits);
    assert_eq!(again.labels(), ["sun", "snow"]);
    // What it is opened from, and what it is asked to learn, must fit.
    let error = SequenceClassifier::open(folder.path(), None).err().unwrap().to_string();
    assert!(error.contains("model.safetensors") && error.contains("pooler.dense.weight"), "{error}");
    let config = fs::read_to_string(saved.join("config.json")).unwrap();
    fs::write(saved.join("config.json"), config.replace("\"1\": \"snow\"", "\"2\": \"snow\"")).unwrap();
    let error = SequenceClassifier::open(&saved, None).err().unwrap().to_string();
    assert!(error.contains("no label 1"), "{error}");
    let settings = settings(Depth::Top(1));
    let error =
        problem.with(|data| model.tune(data, &settings, None, CPU, &mut |_| ControlFlow::Continue(())));
    assert!(error.unwrap_err().to_string().contains("2 tasks"));
}

/// scripts/check_tuned.py reads it.
#[test]
#[ignore = "leaves folders in $PIPELINE_TUNED"]
fn leaves_what_transformers_is_to_read() {
    let out = PathBuf::from(std::env::var_os("PIPELINE_TUNED").unwrap());
    let problem = Problem::new(60, 1);
    let texts: Vec<&str> = problem.texts[1].iter().map(String::as_str).collect();
    let folder = folder();
    let (mut encoder, _) = tuned(folder.path(), &problem, &settings(LORA));
    encoder.save(&out.join("encoder")).unwrap();
    let (mut model, _, _folder) = classifier(&problem);
    model.save(&out.join("classifier")).unwrap();
    let said = serde_json::json!({
        "texts": texts, "encoder": encoder.embed(&texts).unwrap(), "classifier": model.logits(&texts).unwrap(),
    });
    fs::write(out.join("said.json"), said.to_string()).unwrap();
}

#[test]
fn a_hostile_folder_is_refused_with_file_and_tensor() {
    let refused = |change: &dyn Fn(&Path)| {
        let folder = folder();
        change(folder.path());
        SentenceEncoder::open(folder.path(), None).err().unwrap().to_string()
    };
    let replace = |file: &'static str, from: &'static str, to: &'static str| {
        refused(&|path| {
            let text = fs::read_to_string(path.join(file)).unwrap();
            assert!(text.contains(from), "{text}");
            fs::write(path.join(file), text.replace(from, to)).unwrap();
        })
    };
    for (from, to, said) in [
        ("\"bert\"", "\"mpnet\"", "mpnet"),
        ("\"gelu\"", "\"silu\"", "silu"),
        ("\"hidden_size\":64", "\"hidden_size\":0", "hidden_size is 0"),
        ("\"hidden_size\":64", "\"hidden_size\":-64", "hidden_size is -64"),
        ("\"hidden_size\":64", "\"hidden_size\":32", "[34, 64]"),
        ("\"num_attention_heads\":2", "\"num_attention_heads\":3", "3 heads"),
        ("\"num_hidden_layers\":2", "\"num_hidden_layers\":1", "encoder.layer.1"),
        (
            "\"num_hidden_layers\":2",
            "\"num_hidden_layers\":2000000000",
            "encoder.layer.2.attention.self.query",
        ),
        ("\"vocab_size\":34", "\"vocab_size\":9000000000000000000", "vocab_size"),
        ("\"layer_norm_eps\":1e-12", "\"layer_norm_eps\":-1", "layer_norm_eps"),
        ("{", "", "config.json"),
    ] {
        let error = replace("config.json", from, to);
        assert!(
            error.contains(said) && (error.contains("config.json") || error.contains("model.safetensors")),
            "{error}"
        );
    }
    let changed = |change: &dyn Fn(&mut Weights)| {
        let mut own = weights();
        change(&mut own);
        SentenceEncoder::open(folder_of(&own).path(), None).err().unwrap().to_string()
    };
    let key = "encoder.layer.1.attention.self.key.weight";
    for (error, said) in [
        (changed(&|w| drop(w.remove(key))), key),
        (changed(&|w| drop(w.insert(key.into(), w[key].narrow(0, 0, 63)))), "[63, 64], expected [64, 64]"),
        (changed(&|w| drop(w.insert(key.into(), &w[key] * f64::NAN))), "no number"),
        (
            changed(&|w| drop(w.insert("encoder.layer.1.other".into(), w[key].copy()))),
            "encoder.layer.1.other",
        ),
        (changed(&|w| drop(w.insert(format!("bert.{key}"), w[key].copy()))), "twice"),
    ] {
        assert!(error.contains(said) && error.contains("model.safetensors"), "{error}");
    }
    let cut = refused(&|path| {
        let file = path.join("model.safetensors");
        let bytes = fs::read(&file).unwrap();
        fs::write(&file, &bytes[..bytes.len() - 4]).unwrap();
    });
    assert!(cut.contains("model.safetensors"), "{cut}");
    for file in ["config.json", "model.safetensors", "tokenizer.json", "1_Pooling/config.json"] {
        let error = refused(&|path| fs::remove_file(path.join(file)).unwrap());
        assert!(error.contains(file), "{error}");
    }
    let error = replace("modules.json", "2_Normalize", "../x");
    assert!(error.contains("../x"), "{error}");
    let error = replace("1_Pooling/config.json", "mean_tokens", "max_tokens");
    assert!(error.contains("pooling"), "{error}");
}

#[test]
fn weights_of_transformers_are_found_under_its_names() {
    let plain = weights();
    let mut others = Weights::new();
    for (name, tensor) in &plain {
        let name =
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
        others.insert(format!("bert.{name}"), tensor.copy());
    }
    others.insert("cls.predictions.bias".into(), plain["embeddings.LayerNorm.bias"].copy());
    let [a, b] = [&plain, &others].map(|w| SentenceEncoder::open(folder_of(w).path(), None).unwrap());
    assert_eq!(different(&a, &b), Vec::<String>::new());
}
