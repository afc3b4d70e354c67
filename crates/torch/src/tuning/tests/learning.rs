//! What learns, and from what.

use std::ops::ControlFlow;

use pipeline::fine_tuning::{Contrastive, Depth, Event, TuningData, TuningRows, TuningSettings};
use pipeline_encoder::Precision;
use tch::Kind;

use super::super::SentenceEncoder;
use crate::device::CPU;

use super::super::fixture::{Problem, different, folder, settings, tune_quietly, tuned};
use super::super::lower::Lower;
use super::super::model::Model;
use super::super::pass::{loss, vectors};
use super::super::prepared::Prepared;
use super::super::random::Dropout;

const LORA: Depth = Depth::Lora { rank: 4, alpha: 8.0 };

#[test]
fn it_learns_what_rows_have_and_nothing_from_permuted_labels() {
    let (folder, problem) = (folder(), Problem::new(80, 1));
    let settings = TuningSettings { epochs: 6, patience: 9, ..settings(Depth::Full) };
    let least = |problem: &Problem| {
        let history = tuned(folder.path(), problem, &settings).1.history;
        let losses: Vec<f64> = history.iter().filter_map(|epoch| epoch.validation).collect();
        assert_eq!(losses.len(), 6);
        losses.into_iter().fold(f64::INFINITY, f64::min)
    };
    // The share of the first task alone of a head that knows nothing.
    let blind = 2f64.ln();
    let seen = least(&problem);
    assert!(seen < 0.75 * blind, "{seen}");
    let mut permuted = problem.clone();
    permuted.tasks.truncate(1);
    for (part, targets) in permuted.targets.iter_mut().enumerate() {
        let rows = permuted.texts[part].len();
        // Independent of the class, which alternates.
        *targets = (0..rows).flat_map(|row| if row / 2 % 2 == 0 { [1.0, 0.0] } else { [0.0, 1.0] }).collect();
    }
    let unseen = least(&permuted);
    assert!(unseen > 0.93 * blind, "{unseen}");
}

#[test]
fn only_the_layers_that_are_to_learn_do() {
    let (folder, problem) = (folder(), Problem::new(24, 1));
    let before = SentenceEncoder::open(folder.path(), None).unwrap();
    let changed = |depth| {
        let (encoder, _) = tuned(folder.path(), &problem, &settings(depth));
        let mut changed = different(&before, &encoder);
        changed.retain(|name| !name.starts_with("head."));
        changed
    };
    let top = changed(Depth::Top(1));
    assert_eq!(top.len(), 16);
    assert!(top.iter().all(|name| name.starts_with("encoder.layer.1.")), "{top:?}");
    assert_eq!(changed(Depth::Top(2)).len(), 32);
    assert_eq!(changed(Depth::Full).len(), 37);
    let lora = changed(LORA);
    assert!(lora.len() == 8 && lora.iter().all(|name| name.contains(".lora_")), "{lora:?}");
}

#[test]
fn words_that_no_row_has_stay_as_they_are() {
    let (folder, mut problem) = (folder(), Problem::new(24, 1));
    problem.texts.iter_mut().flatten().for_each(|text| *text = text.replace("w7", "w8"));
    let table =
        |encoder: &SentenceEncoder| encoder.0.bert.weights["embeddings.word_embeddings.weight"].detach();
    let before = table(&SentenceEncoder::open(folder.path(), None).unwrap());
    let after = table(&tuned(folder.path(), &problem, &settings(Depth::Full)).0);
    assert_eq!(before.size(), after.size());
    // Four special tokens stand before the words.
    let [seven, eight] = [4 + 7, 4 + 8].map(|word| before.get(word) == after.get(word));
    assert!(seven && !eight);
}

#[test]
fn merged_adapters_answer_as_before() {
    let (folder, problem) = (folder(), Problem::new(24, 1));
    let (mut encoder, _) = tuned(folder.path(), &problem, &settings(LORA));
    let texts: Vec<&str> = problem.texts[1].iter().map(String::as_str).collect();
    let before = SentenceEncoder::open(folder.path(), None).unwrap().embed(&texts).unwrap();
    let apart = encoder.embed(&texts).unwrap();
    encoder.0.bert.merge_adapters();
    let merged = encoder.embed(&texts).unwrap();
    let most = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(most(&apart, &merged) < 1e-5 && most(&before, &merged) > 1e-3);
    assert!(!encoder.0.bert.weights.keys().any(|name| name.contains("lora")));
}

#[test]
fn a_row_that_counts_for_nothing_is_as_good_as_absent() {
    let (folder, problem) = (folder(), Problem::new(30, 1));
    let (mut with, mut without) = (problem.clone(), problem);
    with.targets[0][4 * 7..4 * 8].fill(0.0);
    without.targets[0].drain(4 * 7..4 * 8);
    without.columns[0].remove(7);
    without.texts[0].remove(7);
    let settings = settings(Depth::Top(1));
    let [a, b] = [&with, &without].map(|problem| tuned(folder.path(), problem, &settings).0);
    assert_eq!(different(&a, &b), Vec::<String>::new());
    // And one that counts twice is not.
    without.targets[0][4..8].iter_mut().for_each(|target| *target *= 2.0);
    let c = tuned(folder.path(), &without, &settings).0;
    assert!(!different(&a, &c).is_empty());
}

#[test]
fn frozen_states_are_the_same_to_the_bit_kept_or_not() {
    let (folder, problem) = (folder(), Problem::new(24, 1));
    let kept = settings(Depth::Top(1));
    let anew = TuningSettings { frozen_bytes: 10, ..kept.clone() };
    let [a, b] = [&kept, &anew].map(|settings| tuned(folder.path(), &problem, settings).0);
    assert_eq!(different(&a, &b), Vec::<String>::new());
    let prepared = prepared(&a, &problem);
    let keeps =
        |settings: &TuningSettings| Lower::new(&a.0.bert, 1, &prepared.texts, settings.frozen_bytes).keeps();
    assert!(keeps(&kept) && !keeps(&anew));
}

fn prepared(encoder: &SentenceEncoder, problem: &Problem) -> Prepared {
    let tokenizer = &encoder.0.folder.tokenizer;
    problem.with(|data| Prepared::new(data, tokenizer, encoder.0.bert.config.vocab_size)).unwrap()
}

/// Of a weight of each kind, in double precision, by central differences.
#[test]
fn gradients_are_those_of_finite_differences() {
    let (folder, problem) = (folder(), Problem::new(6, 1));
    let (mut encoder, _) = tuned(folder.path(), &problem, &settings(LORA));
    let data = prepared(&encoder, &problem);
    let model = &mut encoder.0;
    for weight in model.bert.weights.values_mut() {
        *weight = weight.to_kind(Kind::Double).set_requires_grad(true);
    }
    let value = |model: &Model| {
        let rows: Vec<usize> = (0..6).collect();
        let mut none = Dropout::default();
        let mut lower = Lower::new(&model.bert, 0, &data.texts, 0);
        let vectors = vectors(model, &mut lower, &data, &data.train.texts_of(&rows), &mut none);
        loss(model, &data.tasks, (&data.train, &rows), &vectors, &mut none)
    };
    value(model).backward();
    for (name, at) in [
        ("embeddings.word_embeddings.weight", 64 * 2 + 3),
        ("embeddings.LayerNorm.weight", 4),
        ("encoder.layer.0.attention.self.key.weight", 70),
        ("encoder.layer.0.attention.self.query.lora_a", 9),
        ("encoder.layer.1.attention.self.value.lora_b", 9),
        ("encoder.layer.1.attention.output.LayerNorm.bias", 5),
        ("encoder.layer.1.intermediate.dense.weight", 99),
        ("encoder.layer.0.output.dense.bias", 7),
        ("head.weight", 64),
    ] {
        let own = model.bert.weights[name].grad().contiguous().view([-1]).double_value(&[at]);
        let moved = |by: f64| {
            let _ = tch::no_grad(|| model.bert.weights[name].view([-1]).get(at).g_add_scalar_(by));
            tch::no_grad(|| value(model)).double_value(&[])
        };
        let step = 1e-5;
        let difference = moved(step) - moved(-2.0 * step);
        moved(step);
        let expected = difference / (2.0 * step);
        assert!(
            own != 0.0 && (own - expected).abs() < 1e-6 * own.abs().max(1e-3),
            "{name}: {own} {expected}"
        );
    }
}

#[test]
fn pairs_pull_classes_together() {
    let (folder, problem) = (folder(), Problem::new(40, 1));
    let settings = TuningSettings {
        contrastive: Some(Contrastive { pairs: 400 }),
        head_epochs: 0,
        epochs: 0,
        ..settings(Depth::Full)
    };
    let (encoder, told) = tuned(folder.path(), &problem, &settings);
    assert_eq!((told.best_epoch, told.history.len()), (0, 0));
    // How much nearer held-out texts are to their own class.
    let gap = |encoder: &SentenceEncoder| {
        let texts: Vec<&str> = problem.texts[1].iter().map(String::as_str).collect();
        let all = encoder.embed(&texts).unwrap();
        let vectors: Vec<&[f32]> = all.chunks_exact(64).collect();
        let (mut sums, mut counts) = ([0.0; 2], [0.0; 2]);
        for (i, a) in vectors.iter().enumerate() {
            for (j, b) in vectors.iter().enumerate().skip(i + 1) {
                let same = usize::from(i % 2 == j % 2);
                sums[same] += a.iter().zip(*b).map(|(a, b)| a * b).sum::<f32>();
                counts[same] += 1.0;
            }
        }
        sums[1] / counts[1] - sums[0] / counts[0]
    };
    let before = gap(&SentenceEncoder::open(folder.path(), None).unwrap());
    let after = gap(&encoder);
    assert!(after > 0.5 && before < 0.2, "{before} {after}");
}

#[test]
fn what_an_encoder_has_not_or_rows_are_not_is_said() {
    let (folder, problem) = (folder(), Problem::new(8, 1));
    let mut encoder = SentenceEncoder::open(folder.path(), None).unwrap();
    let mut error =
        |depth| tune_quietly(&mut encoder, &problem, &settings(depth), None).unwrap_err().to_string();
    assert!(error(Depth::Top(3)).contains("train.encoder = top-3: the encoder has 2 layers"));
    assert!(error(Depth::Lora { rank: 65, alpha: 1.0 }).contains("train.tuning.rank = 65"));
    let error = SentenceEncoder::open(folder.path(), Some(25)).err().unwrap().to_string();
    assert!(error.contains("25"), "{error}");
    let watch = &mut |_: &Event| ControlFlow::Continue(());
    let empty = problem.with(|data| {
        let data = TuningData { train: TuningRows::default(), ..*data };
        encoder.tune(&data, &settings(Depth::Full), None, CPU, watch)
    });
    assert!(empty.unwrap_err().to_string().contains("no row of the training part counts"));
}

#[test]
fn bfloat16_is_near_float32() {
    let (folder, problem) = (folder(), Problem::new(24, 1));
    let texts: Vec<&str> = problem.texts[1].iter().map(String::as_str).collect();
    let [a, b] = [Precision::F32, Precision::Bf16].map(|precision| {
        let settings = TuningSettings { precision, ..settings(Depth::Top(1)) };
        let (encoder, told) = tuned(folder.path(), &problem, &settings);
        (encoder.embed(&texts).unwrap(), told.history.last().unwrap().train)
    });
    assert!(a.0 != b.0 && (a.1 - b.1).abs() < 0.05, "{} {}", a.1, b.1);
}
