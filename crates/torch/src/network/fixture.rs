//! A small problem that tests train on: exclusive or on a grid.

use std::ops::ControlFlow;

use pipeline::heads::{
    Block, BlockKind, FitData, Fitted, HeadError, NetworkSettings, NetworkShape, Output, Rows, Schedule,
};

use super::fit;

/// Two inputs, eight hidden units, two classes.
pub fn shape() -> NetworkShape {
    NetworkShape {
        inputs: 2,
        hidden: vec![8],
        blocks: vec![block(2, BlockKind::Classes)],
        dropout: 0.3,
        batch_norm: true,
        output: Output::Softmax,
        members: 1,
    }
}

/// A block without names, of the label's weight.
pub fn block(width: usize, kind: BlockKind) -> Block {
    Block { width, kind, weight: 1.0, ..Block::default() }
}

/// Settings with which [`shape`] learns [`exclusive_or`].
pub fn settings() -> NetworkSettings {
    NetworkSettings {
        epochs: 60,
        batch_size: 16,
        learning_rate: 0.02,
        weight_decay: 1e-4,
        patience: 10,
        min_delta: 0.001,
        schedule: Schedule::Plateau { factor: 0.5, patience: 2, least: 1e-6 },
        ..NetworkSettings::default()
    }
}

/// Train on rows that are the validation rows too, every class weighing the same.
pub fn fit_on(
    shape: &NetworkShape,
    settings: &NetworkSettings,
    (inputs, targets): (&[f32], &[f32]),
    seed: u64,
) -> Result<Fitted, HeadError> {
    let data = data(shape, (inputs, targets), seed);
    fit(shape, settings, &data, crate::device::CPU, &mut |_| ControlFlow::Continue(()))
}

/// What [`fit_on`] trains from.
pub fn data<'a>(
    shape: &'a NetworkShape,
    (inputs, targets): (&'a [f32], &'a [f32]),
    seed: u64,
) -> FitData<'a> {
    let rows = Rows { inputs, terms: None, targets, groups: None, distances: None };
    FitData {
        inputs: shape.inputs,
        embedding_dims: shape.inputs,
        blocks: &shape.blocks,
        class_weights: vec![1.0; shape.blocks[0].width],
        train: rows,
        validation: rows,
        seed,
    }
}

/// Inputs and targets of points on a grid, class 1 where both coordinates have one sign: no linear head can separate them.
pub fn exclusive_or() -> (Vec<f32>, Vec<f32>) {
    let (mut inputs, mut targets) = (Vec::new(), Vec::new());
    for i in 0..20 {
        for j in 0..20 {
            let (a, b) = (i as f32 / 10.0 - 0.95, j as f32 / 10.0 - 0.95);
            inputs.extend([a, b]);
            targets.extend(if a * b > 0.0 { [0.0, 1.0] } else { [1.0, 0.0] });
        }
    }
    (inputs, targets)
}

/// [`fit_on`] of [`exclusive_or`] with [`settings`].
pub fn fit_exclusive_or(shape: &NetworkShape, seed: u64) -> Fitted {
    let (inputs, targets) = exclusive_or();
    fit_on(shape, &settings(), (&inputs, &targets), seed).unwrap()
}
