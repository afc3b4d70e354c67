//! Training so many small networks as members of one.

use std::ops::ControlFlow;
use std::time::Instant;

use pipeline::heads::{Block, FitData, NetworkSettings, NetworkShape, Networks, Output, Rows, Schedule};
use pipeline_torch::Torch;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Sizes of the problem; the script has the same.
const ROWS: usize = 3750;
const VALIDATION: usize = 470;
const INPUTS: usize = 384;
const CLASSES: usize = 4;
const HIDDEN: usize = 64;
const BATCH: usize = 64;

fn rows(count: usize, seed: u64) -> (Vec<f32>, Vec<f32>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let inputs: Vec<f32> = (0..count * INPUTS).map(|_| rng.random_range(-0.1..0.1f32)).collect();
    let class = |row: &[f32]| usize::from(row[0] > 0.0) + 2 * usize::from(row[1] > 0.0);
    let targets = inputs
        .chunks(INPUTS)
        .flat_map(|row| (0..CLASSES).map(move |c| f32::from(u8::from(c == class(row)))))
        .collect();
    (inputs, targets)
}

/// Train `members` networks for `epochs` and print the seconds.
pub fn run(members: usize, epochs: usize) {
    let blocks = vec![Block { name: "label".into(), width: CLASSES, weight: 1.0, ..Block::default() }];
    let shape = NetworkShape {
        inputs: INPUTS,
        hidden: vec![HIDDEN],
        blocks: blocks.clone(),
        dropout: 0.3,
        batch_norm: true,
        output: Output::Softmax,
        members,
    };
    let settings = NetworkSettings {
        epochs,
        batch_size: BATCH,
        learning_rate: 1e-3,
        weight_decay: 1e-4,
        patience: epochs,
        schedule: Schedule::Constant,
        ..NetworkSettings::default()
    };
    let (train, validation) = (rows(ROWS, 1), rows(VALIDATION, 2));
    let part = |(inputs, targets): &'static (Vec<f32>, Vec<f32>)| Rows {
        inputs,
        terms: None,
        targets,
        groups: None,
        distances: None,
    };
    let data = FitData {
        inputs: INPUTS,
        embedding_dims: INPUTS,
        blocks: &blocks,
        class_weights: vec![1.0; CLASSES],
        train: part(Box::leak(Box::new(train))),
        validation: part(Box::leak(Box::new(validation))),
        seed: 1,
    };
    let begin = Instant::now();
    match Torch::default().fit_network(&shape, &settings, &data, &mut |_| ControlFlow::Continue(())) {
        Ok(fitted) => println!(
            "{{\"seconds\": {:.4}, \"validation_accuracy\": {:.3}}}",
            begin.elapsed().as_secs_f64(),
            fitted.history[epochs - 1].validation_accuracy
        ),
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    }
}
