//! Runs: the same ones, those that were killed, those that diverge.

use std::fs;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pipeline::fine_tuning::{Contrastive, Depth, Event, TuningData, TuningError, TuningRun, TuningSettings};

use super::super::SentenceEncoder;
use crate::device::CPU;

use super::super::fixture::{Problem, different, folder, settings, tune_quietly, tuned};

const LORA: Depth = Depth::Lora { rank: 4, alpha: 8.0 };

#[test]
fn the_same_seed_gives_the_same_weights_and_another_one_others() {
    let (folder, problem) = (folder(), Problem::new(40, 1));
    let settings = TuningSettings { contrastive: Some(Contrastive { pairs: 20 }), ..settings(Depth::Full) };
    let (a, told) = tuned(folder.path(), &problem, &settings);
    let (b, again) = tuned(folder.path(), &problem, &settings);
    assert_eq!((different(&a, &b), &told), (vec![], &again));
    let mut c = SentenceEncoder::open(folder.path(), None).unwrap();
    let quiet = &mut |_: &Event| ControlFlow::Continue(());
    problem.with(|data| c.tune(&TuningData { seed: 12, ..*data }, &settings, None, CPU, quiet)).unwrap();
    assert!(different(&a, &c).len() > 30);
}

#[test]
fn a_run_that_was_killed_ends_as_one_that_was_not() {
    let (folder, problem) = (folder(), Problem::new(40, 1));
    for depth in [Depth::Top(1), LORA] {
        let settings = TuningSettings { contrastive: Some(Contrastive { pairs: 30 }), ..settings(depth) };
        let (whole, told) = tuned(folder.path(), &problem, &settings);
        let kept = tempfile::tempdir().unwrap();
        let run = TuningRun { folder: kept.path().join("run"), every: 3 };
        // In pairs, in the head's epoch, in the encoder's first and second; killed or asked to stop.
        for (stop, kill) in [(2, true), (4, false), (8, true), (13, true), (17, false)] {
            let mut encoder = SentenceEncoder::open(folder.path(), None).unwrap();
            let mut watch = |event: &Event| match event {
                Event::Step { step, .. } if *step == stop && kill => panic!("killed"),
                Event::Step { step, .. } if *step == stop => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            };
            let mut begin =
                || problem.with(|data| encoder.tune(data, &settings, Some(&run), CPU, &mut watch));
            match catch_unwind(AssertUnwindSafe(&mut begin)) {
                Err(_) => assert!(kill),
                Ok(ended) => assert!(!kill && matches!(ended, Err(TuningError::Interrupted))),
            }
        }
        let mut encoder = SentenceEncoder::open(folder.path(), None).unwrap();
        let mut steps = Vec::new();
        let mut watch = |event: &Event| {
            if let Event::Step { step, steps: all, .. } = event {
                steps.push((*step, *all));
            }
            ControlFlow::Continue(())
        };
        let ended = problem.with(|data| encoder.tune(data, &settings, Some(&run), CPU, &mut watch)).unwrap();
        assert_eq!((different(&whole, &encoder), &ended), (vec![], &told));
        // 4 of pairs, 5 of the head, 15 of the encoder.
        assert_eq!((steps[0], steps.last()), ((18, 24), Some(&(24, 24))));
        // One that had ended does nothing more.
        let mut again = SentenceEncoder::open(folder.path(), None).unwrap();
        assert_eq!(tune_quietly(&mut again, &problem, &settings, Some(&run)).unwrap(), told);
        assert_eq!(different(&whole, &again), Vec::<String>::new());
    }
}

#[test]
fn a_foreign_or_damaged_checkpoint_is_said_and_not_used() {
    let (folder, problem) = (folder(), Problem::new(16, 1));
    let settings = settings(Depth::Top(1));
    let kept = tempfile::tempdir().unwrap();
    let run = TuningRun { folder: kept.path().to_owned(), every: 2 };
    let file = kept.path().join("tuning.safetensors");
    let notes = |settings: &TuningSettings, problem: &Problem| {
        let mut encoder = SentenceEncoder::open(folder.path(), None).unwrap();
        let mut notes = Vec::new();
        let mut watch = |event: &Event| {
            if let Event::Note(note) = event {
                notes.push(note.clone());
            }
            ControlFlow::Continue(())
        };
        problem.with(|data| encoder.tune(data, settings, Some(&run), CPU, &mut watch)).unwrap();
        (encoder, notes)
    };
    let (whole, none) = notes(&settings, &problem);
    assert!(none.is_empty());
    let bytes = fs::read(&file).unwrap();
    let mut flipped = bytes.clone();
    let last = flipped.len() - 10;
    flipped[last] ^= 1;
    for damaged in [&flipped[..], &bytes[..bytes.len() / 2], b"", b"no checkpoint"] {
        fs::write(&file, damaged).unwrap();
        let (encoder, notes) = notes(&settings, &problem);
        assert!(notes.len() == 1 && notes[0].contains("is not used"), "{notes:?}");
        assert_eq!(different(&whole, &encoder), Vec::<String>::new());
    }
    let mut other = problem.clone();
    other.texts[0][3] += " w1";
    for (settings, problem) in
        [(settings.clone(), &other), (TuningSettings { learning_rate: 1e-3, ..settings.clone() }, &problem)]
    {
        fs::write(&file, &bytes).unwrap();
        let notes = notes(&settings, problem).1;
        assert!(notes.len() == 1 && notes[0].contains("other settings, rows"), "{notes:?}");
    }
}

#[test]
fn divergence_is_an_error_that_says_what_to_lower() {
    let (folder, problem) = (folder(), Problem::new(40, 1));
    let settings = TuningSettings {
        epochs: 40,
        patience: 40,
        learning_rate: 1e4,
        head_learning_rate: 1e4,
        clip: 1e9,
        ..settings(Depth::Full)
    };
    let mut encoder = SentenceEncoder::open(folder.path(), None).unwrap();
    let error = tune_quietly(&mut encoder, &problem, &settings, None).unwrap_err();
    assert!(matches!(error, TuningError::Diverged { .. }), "{error}");
    let hint = error.hint().unwrap();
    assert!(hint.contains("train.tuning.learning_rate (it was 10000)"), "{hint}");
}
