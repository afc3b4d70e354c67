//! Steps that have no room at once.

use pipeline::fine_tuning::{Depth, Phase, TuningError};
use tch::Tensor;

use super::super::fixture::{Problem, folder, settings, tuned};
use super::super::lower::Lower;
use super::super::objective::Objective;
use super::super::pairs::Pair;
use super::super::prepared::Prepared;
use super::super::random::Dropout;
use super::super::room::Room;
use super::super::room::tests::no_room;
use crate::device::CPU;

/// What a step learns from is the same however many of its rows have room at once: an even or an uneven share of them, one only.
#[test]
fn a_batch_in_pieces_has_the_gradients_of_the_whole() {
    let (folder, problem) = (folder(), Problem::new(12, 1));
    let (mut encoder, _) = tuned(folder.path(), &problem, &settings(Depth::Full));
    let model = &mut encoder.0;
    for weight in model.bert.weights.values_mut() {
        *weight = weight.detach().set_requires_grad(true);
    }
    let tokenizer = &model.folder.tokenizer;
    let data = problem.with(|data| Prepared::new(data, tokenizer, model.bert.config.vocab_size)).unwrap();
    let pairs = (0..6).map(|row| Pair { rows: [row, row + 6], same: row % 2 == 0 }).collect();
    let lower = Lower::new(&model.bert, 0, &data.texts, 0);
    let mut objective = Objective { data, pairs, lower };
    let batch: Vec<usize> = (0..6).collect();
    for phase in [Phase::Encoder, Phase::Contrastive] {
        let mut learned = |least_that_has_none: usize| {
            let mut room = Room::of(CPU);
            let mut tried = Vec::new();
            let loss = room.halving(batch.len(), &mut |at_once| {
                tried.push(at_once);
                model.bert.weights.values_mut().for_each(Tensor::zero_grad);
                let mut none = Dropout::default();
                let loss = objective.gradients(model, (phase, &batch), at_once, None, &mut none);
                // The first pieces have left their gradients by then.
                if at_once >= least_that_has_none {
                    no_room()
                }
                loss
            })?;
            let gradient =
                |weight: &Tensor| Some(weight.grad()).filter(Tensor::defined).map(|own| own.copy());
            let gradients: Vec<Option<Tensor>> = model.bert.weights.values().map(gradient).collect();
            Ok::<_, TuningError>((tried, loss, gradients))
        };
        let (_, whole, expected) = learned(7).unwrap();
        assert!(expected.iter().flatten().count() > 30);
        for (least, tries) in [(6, vec![6, 3]), (3, vec![6, 3, 1])] {
            let (tried, loss, gradients) = learned(least).unwrap();
            assert_eq!(tried, tries);
            assert!((loss - whole).abs() < 1e-5 * whole, "{loss} {whole}");
            for (own, expected) in gradients.iter().flatten().zip(expected.iter().flatten()) {
                assert!(own.allclose(expected, 1e-3, 1e-6, false), "{phase:?}: {own} {expected}");
            }
        }
        assert!(matches!(learned(1), Err(TuningError::OutOfMemory { things: 1, .. })));
    }
}
