//! The training loop: epochs over all groups of members, until the validation loss no longer falls.

use std::ops::ControlFlow;

use pipeline::heads::{
    Epoch, FitData, Fitted, HeadError, HeadShape, NetworkSettings, NetworkShape, Rows, margins, outputs,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use tch::{Device, Tensor};

use super::group::{Answers, Group, MEMBERS_AT_ONCE, Part, Parts, Step, joined};
use super::head::Network;
use super::loss::Loss;
use super::order::{Order, all_but_one_fold, batches};
use super::perceptron::mean_of_logs;
use super::schedule::Rate;

/// [`pipeline::heads::fit`] of a network, which is trained on `device` and then lies on the processor.
///
/// # Errors
/// Divergence, interruption, or a libtorch failure.
pub fn fit(
    shape: &NetworkShape,
    settings: &NetworkSettings,
    data: &FitData<'_>,
    device: Device,
    each_epoch: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<Fitted, HeadError> {
    let mut rng = ChaCha8Rng::seed_from_u64(data.seed);
    let parts = parts(shape, data, device);
    let loss = Loss::new(settings, data, device);
    let mut order = Order::new(&parts.train.y, data.blocks[0].width, settings)?;
    if settings.curriculum > 0 {
        order.begin_with_easy(&margins(data)?);
    }
    let mut groups = groups(shape, settings, data, &parts, &mut rng)?;

    let mut history: Vec<Epoch> = Vec::new();
    let (mut least, mut best_epoch, mut warm) = (f64::INFINITY, 0, 0);
    let steps_an_epoch = parts.train.x.size()[0] as usize / settings.batch_size.max(1) + 1;
    let mut rate = Rate::new(settings, steps_an_epoch);
    let mut stopped_early = false;
    for epoch in 1..=settings.epochs {
        let rows = order.of_epoch(epoch, &mut rng);
        let steps: Vec<Step<'_>> = batches(&rows, settings.batch_size)
            .into_iter()
            .map(|rows| Step { rows, rate: rate.of_step() })
            .collect();
        let answers: Vec<Answers> =
            groups.par_iter_mut().map(|group| group.epoch(epoch, &steps, settings)).collect();
        let mean = |of: fn(&Answers) -> &Tensor| {
            mean_of_logs(&Tensor::cat(&answers.iter().map(of).collect::<Vec<_>>(), 0))
        };
        let train = loss.score(&mean(|answers| &answers.train), &parts.train.y);
        let validation = loss.score(&mean(|answers| &answers.validation), &parts.validation.y);
        if !validation.loss.is_finite() {
            return Err(HeadError::Diverged {
                epoch,
                loss: validation.loss,
                learning_rate: settings.learning_rate,
            });
        }
        history.push(Epoch {
            epoch,
            learning_rate: rate.now(),
            train_loss: train.loss,
            train_accuracy: train.accuracy,
            validation_loss: validation.loss,
            validation_accuracy: validation.accuracy,
        });
        if each_epoch(&history[epoch - 1]).is_break() {
            return Err(HeadError::Interrupted);
        }
        // Patience begins when the rate has risen.
        if rate.warms_up() {
            warm = epoch;
        }
        if validation.loss < least - settings.min_delta {
            (least, best_epoch) = (validation.loss, epoch);
            groups.iter_mut().for_each(Group::keep);
        } else if epoch - best_epoch.max(warm) >= settings.patience && order.all_seen(epoch) {
            stopped_early = true;
            break;
        }
        rate.after_epoch(validation.loss);
    }
    Ok(Fitted {
        head: Box::new(Network::new(joined(shape, &groups))),
        shape: HeadShape::Network(shape.clone()),
        parameters: shape.parameters(),
        history,
        best_epoch,
        stopped_early,
        validation: None,
        left_out: None,
    })
}

fn parts(shape: &NetworkShape, data: &FitData<'_>, device: Device) -> Parts {
    let outputs = outputs(data.blocks);
    let part = |rows: Rows<'_>| Part {
        x: Tensor::from_slice(rows.inputs).view([-1, shape.inputs as i64]).to_device(device),
        y: Tensor::from_slice(rows.targets).view([-1, outputs as i64]).to_device(device),
    };
    Parts { train: part(data.train), validation: part(data.validation) }
}

/// All members in groups. So many at once are trained on one core, whatever the cores: the numbers must not depend on them.
fn groups(
    shape: &NetworkShape,
    settings: &NetworkSettings,
    data: &FitData<'_>,
    parts: &Parts,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<Group>, HeadError> {
    let rows = parts.train.x.size()[0] as usize;
    let folds =
        (settings.member_folds && shape.members > 1).then(|| all_but_one_fold(shape.members, rows, rng));
    let group = |first: usize| {
        let members = MEMBERS_AT_ONCE.min(shape.members - first);
        let folds = folds.as_ref().map(|folds| folds.narrow(0, first as i64, members as i64));
        Group::new(&NetworkShape { members, ..shape.clone() }, settings, data, parts, folds, first)
    };
    (0..shape.members).step_by(MEMBERS_AT_ONCE).map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{block, data, exclusive_or, fit_exclusive_or, fit_on, settings, shape};
    use super::super::perceptron::Perceptron;
    use super::*;
    use pipeline::heads::{Averaging, BlockKind, Schedule, Tensors};

    #[test]
    fn a_hidden_layer_learns_what_a_linear_head_cannot() {
        let best = |f: &Fitted| f.history[f.best_epoch - 1].validation_accuracy;
        let mlp = fit_exclusive_or(&shape(), 1);
        assert!(best(&mlp) > 0.9, "{}", best(&mlp));
        let linear = fit_exclusive_or(&NetworkShape { hidden: vec![], ..shape() }, 1);
        assert!(best(&linear) < 0.7, "{}", best(&linear));
    }

    #[test]
    fn the_same_seed_gives_the_same_bits_and_another_seed_does_not() {
        let logits = |seed| fit_exclusive_or(&shape(), seed).head.logits(&exclusive_or().0, None).unwrap();
        let (first, again, other) = (logits(7), logits(7), logits(8));
        assert_eq!(first, again);
        assert_ne!(first, other);
    }

    /// While the rate still rises, an epoch without improvement is no sign of the end.
    #[test]
    fn patience_begins_when_the_rate_has_risen() {
        let settings = NetworkSettings {
            schedule: Schedule::OneCycle,
            epochs: 40,
            patience: 1,
            min_delta: 10.0,
            ..settings()
        };
        let (x, y) = exclusive_or();
        let fitted = fit_on(&shape(), &settings, (&x, &y), 1).unwrap();
        // A third of the epochs warm up; then nothing improves by ten nats.
        assert!((12..=14).contains(&fitted.history.len()), "{}", fitted.history.len());
    }

    #[test]
    fn the_best_epoch_is_restored() {
        let fitted = fit_exclusive_or(&shape(), 3);
        let (inputs, targets) = exclusive_or();
        let y = Tensor::from_slice(&targets).view([-1, 2]);
        let x = Tensor::from_slice(&inputs).view([-1, 2]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("head.safetensors");
        fitted.head.save(&path).unwrap();
        let head = Perceptron::load(&shape(), Tensors::read(&path).unwrap()).unwrap();
        let log_p = tch::no_grad(|| head.answer(&x));
        let shape = shape();
        let data = data(&shape, (&inputs, &targets), 3);
        let loss = Loss::new(&settings(), &data, crate::device::CPU).score(&log_p, &y).loss;
        assert_eq!(loss, fitted.history[fitted.best_epoch - 1].validation_loss);
    }

    /// What each option is for cannot be seen on so small a problem, but that the problem is still learned with it can.
    #[test]
    fn every_option_of_training_still_learns() {
        let (inputs, targets) = exclusive_or();
        let with: [fn(&mut NetworkSettings); 9] = [
            |s| s.schedule = Schedule::Cosine { warmup: 0.1 },
            |s| s.schedule = Schedule::OneCycle,
            |s| s.focal_gamma = 2.0,
            |s| s.label_smoothing = 0.1,
            |s| s.balanced_sampling = true,
            |s| s.noise = 0.02,
            |s| s.manifold_mixup = 0.2,
            |s| s.averaging = Averaging::Ema(0.98),
            |s| s.averaging = Averaging::Swa(20),
        ];
        for (i, change) in with.into_iter().enumerate() {
            let mut settings = settings();
            change(&mut settings);
            let fitted = fit_on(&shape(), &settings, (&inputs, &targets), 1).unwrap();
            let accuracy = fitted.history[fitted.best_epoch - 1].validation_accuracy;
            assert!(accuracy > 0.85, "option {i}: {accuracy}");
        }
    }

    #[test]
    fn members_are_averaged_and_other_blocks_answered() {
        let (inputs, targets) = exclusive_or();
        // Beside the label: its opposite as classes, missing in every second row, and the first input as a value.
        let wide: Vec<f32> = inputs
            .chunks(2)
            .zip(targets.chunks(2))
            .enumerate()
            .flat_map(|(i, (x, y))| {
                let known = (i % 2) as f32;
                [y[0], y[1], y[1] * known, y[0] * known, x[0]]
            })
            .collect();
        let blocks =
            vec![block(2, BlockKind::Classes), block(2, BlockKind::Classes), block(1, BlockKind::Values)];
        let shape = NetworkShape { blocks, members: 3, ..shape() };
        let fitted = fit_on(&shape, &settings(), (&inputs, &wide), 5).unwrap();
        assert_eq!(fitted.parameters, 3 * (3 * 8 + 2 * 8 + 9 * 5));
        let predicted = fitted.head.logits(&inputs, None).unwrap();
        let rows = || predicted.chunks(5).zip(inputs.chunks(2));
        let right = rows().filter(|(p, x)| (p[1] > p[0]) == (x[0] * x[1] > 0.0)).count();
        let opposite = rows().filter(|(p, x)| (p[3] < p[2]) == (x[0] * x[1] > 0.0)).count();
        let error: f32 = rows().map(|(p, x)| (p[4] - x[0]).powi(2)).sum::<f32>() / 400.0;
        assert!(right > 360 && opposite > 360 && error < 0.1, "{right} {opposite} {error}");
    }

    #[test]
    fn a_loss_that_is_no_number_is_divergence() {
        let inputs = [1.0, f32::INFINITY, 0.5, 1.0];
        let error = fit_on(&shape(), &settings(), (&inputs, &[1.0, 0.0, 0.0, 1.0]), 1).err().unwrap();
        let hint = error.hint().unwrap();
        assert!(error.to_string().contains("training diverged") && hint.contains("0.02"), "{error}, {hint}");
    }
}
