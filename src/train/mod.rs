//! Training rows to a head: class weights, targets, the call of the trainer, the history.
//!
//! The trainer itself needs libtorch and lives in its own crate (`src/torch`); here is only what it must do ([`Fit`]).
//! Metrics beyond the loss are made elsewhere.

mod fit;
mod inputs;

use std::ops::ControlFlow;

pub use fit::{Epoch, Fit, FitSettings, Fitted, Head, HeadError, HeadShape, Rows};
pub use inputs::{InputEncoder, RawInputs};

use crate::augment::Mixed;
use crate::config::TrainConfig;
use crate::progress::Progress;

/// What a head is trained from. Rows are indices of the dataset.
pub struct TrainInput<'a> {
    /// Inputs of the dataset's rows.
    pub rows: &'a RawInputs,
    /// Class of each row of the dataset.
    pub classes: &'a [usize],
    /// Number of classes.
    pub class_count: usize,
    /// Rows of the training part.
    pub train: &'a [usize],
    /// Rows of the validation part.
    pub validation: &'a [usize],
    /// Inputs of the synonym variants.
    pub variants: &'a RawInputs,
    /// Parent row of each variant, all in `train`.
    pub parents: &'a [usize],
    /// Mixed rows, their parents all in `train`.
    pub mixed: &'a [Mixed],
}

/// A trained head with what is needed to use it.
pub struct Trained {
    /// The head.
    pub head: Box<dyn Head>,
    /// Its shape.
    pub shape: HeadShape,
    /// How raw inputs become the head's.
    pub inputs: InputEncoder,
    /// All epochs.
    pub history: Vec<Epoch>,
    /// The epoch that was kept.
    pub best_epoch: usize,
    /// Whether early stopping ended the training.
    pub stopped_early: bool,
    /// Rows trained on, augmented ones included.
    pub training_rows: usize,
}

/// Train one head.
///
/// Everything that learns (standardisation, categories, class weights) learns from the rows of the training part.
///
/// # Errors
/// Divergence, interruption, or a failure of libtorch.
///
/// # Panics
/// If an augmented row has a parent outside the training part: that is a bug of the caller, and a leak.
pub fn train(
    input: &TrainInput<'_>,
    config: &TrainConfig,
    min_count: usize,
    seed: u64,
    trainer: &dyn Fit,
    progress: &dyn Progress,
) -> Result<Trained, HeadError> {
    let mut in_training = vec![false; input.classes.len()];
    input.train.iter().for_each(|&row| in_training[row] = true);
    let parents = input.parents.iter().copied().chain(input.mixed.iter().flat_map(|m| [m.first, m.second]));
    assert!(
        parents.into_iter().all(|p| in_training[p]),
        "an augmented row descends from a row outside training"
    );

    let encoder = InputEncoder::learn(input.rows, input.train, min_count);
    let width = encoder.width();
    let mut inputs = encoder.encode(input.rows, input.train);
    inputs.extend(encoder.encode(input.variants, &(0..input.parents.len()).collect::<Vec<_>>()));
    let mut targets = one_hot(input.train, input.classes, input.class_count);
    targets.extend(one_hot(input.parents, input.classes, input.class_count));
    for mixed in input.mixed {
        let rows = [mixed.first, mixed.second];
        let weights = [mixed.lambda, 1.0 - mixed.lambda];
        inputs.extend(blend(&encoder.encode(input.rows, &rows), weights));
        targets.extend(blend(&one_hot(&rows, input.classes, input.class_count), weights));
    }
    let shape = HeadShape {
        inputs: width,
        hidden: config.hidden.clone(),
        classes: input.class_count,
        dropout: config.dropout,
        batch_norm: config.batch_norm,
    };
    let settings = settings(config, class_weights(input, config.class_weights), seed);
    let validation_inputs = encoder.encode(input.rows, input.validation);
    let validation_targets = one_hot(input.validation, input.classes, input.class_count);

    progress.start("training", config.epochs as u64, "epochs");
    let fitted = trainer.fit(
        &shape,
        &settings,
        Rows { inputs: &inputs, targets: &targets },
        Rows { inputs: &validation_inputs, targets: &validation_targets },
        &mut |_| {
            progress.advance(1);
            if progress.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        },
    );
    progress.finish();
    let Fitted { head, history, best_epoch, stopped_early } = fitted?;
    Ok(Trained {
        head,
        shape,
        inputs: encoder,
        history,
        best_epoch,
        stopped_early,
        training_rows: inputs.len() / width,
    })
}

fn settings(config: &TrainConfig, class_weights: Vec<f32>, seed: u64) -> FitSettings {
    FitSettings {
        epochs: config.epochs,
        batch_size: config.batch_size,
        learning_rate: config.learning_rate,
        weight_decay: config.weight_decay,
        class_weights,
        patience: config.patience,
        min_delta: config.min_delta,
        plateau_factor: config.plateau.factor,
        plateau_patience: config.plateau.patience,
        min_learning_rate: config.plateau.min_learning_rate,
        seed,
    }
}

/// Rows / (classes · rows of the class), scikit-learn's "balanced", over the training part; 1 each when off.
fn class_weights(input: &TrainInput<'_>, balanced: bool) -> Vec<f32> {
    let mut counts = vec![0usize; input.class_count];
    input.train.iter().for_each(|&row| counts[input.classes[row]] += 1);
    let present = counts.iter().filter(|&&c| c > 0).count();
    let weight = |&count: &usize| match count {
        0 => 0.0,
        _ if balanced => input.train.len() as f32 / (present * count) as f32,
        _ => 1.0,
    };
    counts.iter().map(weight).collect()
}

fn one_hot(rows: &[usize], classes: &[usize], count: usize) -> Vec<f32> {
    let mut targets = vec![0.0; rows.len() * count];
    for (i, &row) in rows.iter().enumerate() {
        targets[i * count + classes[row]] = 1.0;
    }
    targets
}

/// Weighted sum of the two halves of `pair`.
fn blend(pair: &[f32], weights: [f32; 2]) -> Vec<f32> {
    let (first, second) = pair.split_at(pair.len() / 2);
    first.iter().zip(second).map(|(a, b)| weights[0] * a + weights[1] * b).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use std::path::Path;
    use std::sync::Mutex;

    /// Keeps what it is given instead of training.
    #[derive(Default)]
    struct Recorder(Mutex<Vec<Vec<f32>>>);

    struct NoHead;

    impl Head for NoHead {
        fn logits(&self, _: &[f32]) -> Result<Vec<f32>, HeadError> {
            Ok(Vec::new())
        }
        fn save(&self, _: &Path) -> Result<(), HeadError> {
            Ok(())
        }
    }

    impl Fit for Recorder {
        fn fit(
            &self,
            _: &HeadShape,
            settings: &FitSettings,
            train: Rows<'_>,
            validation: Rows<'_>,
            _: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
        ) -> Result<Fitted, HeadError> {
            *self.0.lock().unwrap() = vec![
                train.inputs.to_vec(),
                train.targets.to_vec(),
                validation.inputs.to_vec(),
                settings.class_weights.clone(),
            ];
            Ok(Fitted { head: Box::new(NoHead), history: vec![], best_epoch: 1, stopped_early: false })
        }
        fn load_head(&self, _: &HeadShape, _: &Path) -> Result<Box<dyn Head>, HeadError> {
            Ok(Box::new(NoHead))
        }
    }

    fn raw(embedding: &[f32]) -> RawInputs {
        RawInputs { embedding_dims: 1, embedding: embedding.to_vec(), ..RawInputs::default() }
    }

    fn run(mixed: &[Mixed]) -> Vec<Vec<f32>> {
        let (rows, variants) = (raw(&[1.0, 3.0, 1.0, 3.0, 99.0]), raw(&[2.0]));
        let input = TrainInput {
            rows: &rows,
            classes: &[0, 1, 0, 0, 1],
            class_count: 2,
            train: &[0, 1, 2, 3],
            validation: &[4],
            variants: &variants,
            parents: &[1],
            mixed,
        };
        let recorder = Recorder::default();
        train(&input, &TrainConfig::default(), 1, 1, &recorder, &Silent).unwrap();
        recorder.0.into_inner().unwrap()
    }

    #[test]
    fn rows_variants_and_mixtures_become_inputs_and_targets() {
        let seen = run(&[Mixed { first: 1, second: 0, lambda: 0.75 }]);
        assert_eq!(seen[0], [1.0, 3.0, 1.0, 3.0, 2.0, 2.5]);
        assert_eq!(seen[1], [1., 0., 0., 1., 1., 0., 1., 0., 0., 1., 0.25, 0.75]);
        assert_eq!(seen[2], [99.0]);
        // 4 rows, 2 classes: 4/(2·3) and 4/(2·1)
        assert_eq!(seen[3], [4.0 / 6.0, 2.0]);
    }

    #[test]
    #[should_panic(expected = "descends from a row outside training")]
    fn a_descendant_of_a_held_out_row_is_refused() {
        run(&[Mixed { first: 1, second: 4, lambda: 0.75 }]);
    }
}
