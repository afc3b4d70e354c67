//! Remembering rows, and choosing how they vote.

use std::ops::ControlFlow;

use super::answer::Memory;
use super::settings::{NeighbourSettings, NeighbourShape};
use crate::heads::dense::{Points, columns, score};
use crate::heads::groups::Groups;
use crate::heads::{
    Block, BlockKind, Epoch, FitData, Fitted, HeadError, HeadShape, LeftOut, outputs, places, row_weight,
};

/// Rows that vote, how fast a vote falls with the squared distance (in units of the inputs' variance), and the factor on
/// standardised tabular inputs: what is tried on the validation rows.
const NEAREST: [usize; 6] = [3, 5, 10, 20, 40, 80];
const WIDTHS: [f64; 6] = [0.01, 0.03, 0.1, 0.3, 1.0, 1e9];
const FEATURE_WEIGHTS: [f32; 4] = [0.0, 0.05, 0.1, 0.2];

/// [`crate::heads::fit`] of a head that remembers. What is not given is chosen by the loss on the validation rows.
///
/// # Errors
/// Interruption.
pub fn fit(
    settings: &NeighbourSettings,
    data: &FitData<'_>,
    each_epoch: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<Fitted, HeadError> {
    let outputs = outputs(data.blocks);
    let (x, y) = (data.train.inputs, data.train.targets);
    let classes = data.blocks[0].width;
    let inputs = RowMajor { values: x, width: data.inputs };
    let targets = RowMajor { values: y, width: outputs };
    // Row-major, `remembered × inputs` and `× outputs`.
    let (remembered, answers) = if settings.prototypes {
        let shares = shares(y, data.blocks);
        let shares = RowMajor { values: &shares, width: outputs };
        (class_means(inputs, targets, classes), class_means(shares, targets, classes))
    } else {
        (x.to_vec(), y.to_vec())
    };
    let all = remembered.len() / data.inputs;
    let weights = data.class_weights.iter().map(|w| w.max(f32::MIN_POSITIVE).ln());
    let mut memory = Memory {
        shape: NeighbourShape {
            inputs: data.inputs,
            rows: all,
            blocks: data.blocks.to_vec(),
            nearest: 0,
            width: 0.0,
        },
        scale: Vec::new(),
        rows: Points::new(columns(&[], data.inputs)),
        answers: columns(&answers, outputs),
        prior: prior(y, data.blocks),
        bias: weights.chain(std::iter::repeat_n(0.0, outputs - classes)).collect(),
    };
    let counts: Vec<usize> = match settings.nearest {
        _ if settings.prototypes => vec![all],
        Some(count) => vec![count],
        None => NEAREST.into_iter().filter(|&count| count < all).collect(),
    };
    let most = counts.iter().copied().max().unwrap_or(1);
    let tabular = data.embedding_dims < data.inputs;
    let variance = variance(x, data.inputs, data.embedding_dims).max(1e-12);

    let (mut least, mut chosen) = (f64::INFINITY, (0.0, most, 1.0));
    for weight in FEATURE_WEIGHTS.into_iter().take(if tabular { FEATURE_WEIGHTS.len() } else { 1 }) {
        memory.weigh_features(&remembered, data.embedding_dims, weight);
        let nearest = memory.nearest(data.validation.inputs, most, None);
        for &count in &counts {
            for width in WIDTHS {
                let logits = memory.vote(&nearest, count, width * variance);
                let loss = score(&logits, data.validation.targets, data).loss;
                if loss < least {
                    (least, chosen) = (loss, (weight, count, width * variance));
                }
            }
        }
    }
    memory.weigh_features(&remembered, data.embedding_dims, chosen.0);
    (memory.shape.nearest, memory.shape.width) = (chosen.1, chosen.2);

    let groups = (!settings.prototypes).then(|| Groups::new(all, data.train.groups));
    let of_train = memory.answer(x, groups.as_ref());
    let scores = [
        score(&of_train, y, data),
        score(&memory.answer(data.validation.inputs, None), data.validation.targets, data),
    ];
    let shape = memory.shape.clone();
    // A prototype is a mean an input; k neighbours are about n / k means (Hastie, Tibshirani & Friedman 2009, 2.3.3).
    let parameters = match settings.prototypes {
        true => shape.rows * (data.inputs + outputs),
        false => shape.rows / shape.nearest.max(1) * outputs,
    };
    let shape = HeadShape::Neighbours(shape);
    let fitted = Fitted::at_once(Box::new(memory), shape, parameters, scores, each_epoch)?;
    let left_out = groups.map(|groups| {
        let rows: Vec<usize> = (0..all).filter(|&row| !groups.is_mixed(row)).collect();
        let logits = rows.iter().flat_map(|&row| &of_train[row * outputs..(row + 1) * outputs]);
        LeftOut { logits: logits.copied().collect(), rows }
    });
    Ok(Fitted { left_out, ..fitted })
}

impl Memory {
    fn weigh_features(&mut self, remembered: &[f32], embedding: usize, weight: f32) {
        let inputs = self.shape.inputs;
        self.scale = (0..inputs).map(|i| if i < embedding { 1.0 } else { weight }).collect();
        let rows = remembered.chunks_exact(inputs).flat_map(|row| row.iter().zip(&self.scale));
        let scaled: Vec<f32> = rows.map(|(x, scale)| x * scale).collect();
        self.rows = Points::new(columns(&scaled, inputs));
    }
}

/// Mean squared distance of the first `embedding` of `inputs` numbers a row to their mean.
fn variance(rows: &[f32], inputs: usize, embedding: usize) -> f64 {
    let count = (rows.len() / inputs) as f64;
    let of = |i: usize| {
        let column = || rows.iter().skip(i).step_by(inputs).map(|&v| f64::from(v));
        let mean = column().sum::<f64>() / count;
        column().map(|v| (v - mean).powi(2)).sum::<f64>() / count
    };
    (0..embedding).map(of).sum()
}

/// Rows of `width` values, one after the other.
#[derive(Clone, Copy)]
struct RowMajor<'a> {
    values: &'a [f32],
    width: usize,
}

/// Targets as those of rows that count alike.
fn shares(targets: &[f32], blocks: &[Block]) -> Vec<f32> {
    let mut shares = targets.to_vec();
    for row in shares.chunks_exact_mut(outputs(blocks)) {
        let weight = row_weight(row, blocks) as f32;
        for (own, _) in places(blocks).filter(|(_, block)| block.kind == BlockKind::Classes) {
            row[own].iter_mut().for_each(|share| *share /= weight);
        }
    }
    shares
}

/// `classes × width` means of the rows of `x` by their (soft) class in the first columns of `y`; zeros for a class
/// without rows.
fn class_means(x: RowMajor<'_>, y: RowMajor<'_>, classes: usize) -> Vec<f32> {
    let width = x.width;
    let (mut sums, mut totals) = (vec![0.0f64; classes * width], vec![0.0f64; classes]);
    for (row, targets) in x.values.chunks_exact(width).zip(y.values.chunks_exact(y.width)) {
        for (class, &share) in targets[..classes].iter().enumerate().filter(|(_, share)| **share != 0.0) {
            let share = f64::from(share);
            totals[class] += share;
            let sums = &mut sums[class * width..(class + 1) * width];
            sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += share * f64::from(x));
        }
    }
    let mean = |(i, sum): (usize, f64)| (sum / totals[i / width].max(1e-6)) as f32;
    sums.into_iter().enumerate().map(mean).collect()
}

/// `outputs` mean targets; of a block of classes the shares of the known ones.
fn prior(y: &[f32], blocks: &[Block]) -> Vec<f32> {
    let outputs = outputs(blocks);
    let rows = (y.len() / outputs) as f64;
    let mean = |i: usize| y.iter().skip(i).step_by(outputs).map(|&v| f64::from(v)).sum::<f64>() / rows;
    let means: Vec<f64> = (0..outputs).map(mean).collect();
    let mut prior = Vec::new();
    for (own, block) in places(blocks) {
        let own = &means[own];
        let whole = match block.kind {
            BlockKind::Classes => own.iter().sum::<f64>().max(1e-6),
            BlockKind::Values => 1.0,
        };
        prior.extend(own.iter().map(|mean| (mean / whole) as f32));
    }
    prior
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heads::{Head, Rows, Tensors};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn blocks() -> Vec<Block> {
        let block = |width, kind| Block { width, kind, weight: 1.0, ..Block::default() };
        vec![block(2, BlockKind::Classes), block(1, BlockKind::Values)]
    }

    /// Two clouds in the plane, the second to the right, and where a row lies as a value; the second input is noise.
    fn clouds(rows: usize, seed: u64) -> (Vec<f32>, Vec<f32>) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut inputs, mut targets) = (Vec::new(), Vec::new());
        for i in 0..rows {
            let right = (i % 2) as f32;
            let x = right + rng.random_range(-0.6..0.6f32);
            inputs.extend([x, rng.random_range(-3.0..3.0f32)]);
            targets.extend([1.0 - right, right, x]);
        }
        (inputs, targets)
    }

    fn fit_on(
        prototypes: bool,
        train: &(Vec<f32>, Vec<f32>),
        held: &(Vec<f32>, Vec<f32>),
        groups: Option<&[[usize; 2]]>,
    ) -> Fitted {
        let rows = |of: &'static (Vec<f32>, Vec<f32>)| Rows {
            inputs: &of.0,
            terms: None,
            targets: &of.1,
            groups: None,
            distances: None,
        };
        let keep = |of: &(Vec<f32>, Vec<f32>)| -> &'static _ { Box::leak(Box::new(of.clone())) };
        let data = FitData {
            inputs: 2,
            embedding_dims: 1,
            blocks: &blocks(),
            class_weights: vec![1.0, 1.0],
            train: Rows { groups, ..rows(keep(train)) },
            validation: rows(keep(held)),
            seed: 1,
        };
        let settings = NeighbourSettings { prototypes, nearest: None };
        fit(&settings, &data, &mut |_| ControlFlow::Continue(())).unwrap()
    }

    #[test]
    fn clouds_are_told_apart_and_noise_is_left_out() {
        let (train, held, asked) = (clouds(400, 1), clouds(100, 2), clouds(400, 3));
        for prototypes in [false, true] {
            let fitted = fit_on(prototypes, &train, &held, None);
            let logits = fitted.head.logits(&asked.0, None).unwrap();
            let rows = || logits.chunks(3).zip(asked.1.chunks(3));
            let right = rows().filter(|(l, t)| (l[1] > l[0]) == (t[1] > 0.5)).count();
            assert!(right > 350, "{prototypes}: {right}");
            let error = rows().map(|(l, t)| (l[2] - t[2]).abs()).sum::<f32>() / 400.0;
            assert!(error < if prototypes { 0.4 } else { 0.2 }, "{prototypes}: {error}");

            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("head.safetensors");
            fitted.head.save(&path).unwrap();
            let HeadShape::Neighbours(shape) = &fitted.shape else { panic!("neighbours") };
            let loaded = Memory::load(shape, Tensors::read(&path).unwrap()).unwrap();
            assert_eq!(loaded.logits(&asked.0, None).unwrap(), logits);
        }
    }

    /// Every row once more with the other class: whoever asks himself is always wrong.
    #[test]
    fn the_training_loss_leaves_each_row_out() {
        let mut train = clouds(200, 4);
        let flipped: Vec<f32> = train.1.chunks(3).flat_map(|t| [t[1], t[0], t[2]]).collect();
        train.0.extend(train.0.clone());
        train.1.extend(flipped);
        let fitted = fit_on(false, &train, &clouds(100, 5), None);
        let accuracy = fitted.history[0].train_accuracy;
        assert!(accuracy < 0.6, "{accuracy}");
    }

    /// Labels that nothing tells, each row thrice: whoever asks the copies is always right.
    #[test]
    fn the_training_loss_leaves_the_copies_out() {
        let noise = |(inputs, targets): (Vec<f32>, Vec<f32>)| {
            let mut rng = ChaCha8Rng::seed_from_u64(6);
            (inputs.iter().map(|_| rng.random_range(-1.0..1.0f32)).collect::<Vec<_>>(), targets)
        };
        let (once, held) = (noise(clouds(200, 4)), noise(clouds(100, 5)));
        let train = (once.0.repeat(3), once.1.repeat(3));
        let groups: Vec<[usize; 2]> = (0..600).map(|row| [row % 200; 2]).collect();
        let accuracy = |groups| fit_on(false, &train, &held, groups).history[0].train_accuracy;
        let [alone, together] = [None, Some(&groups[..])].map(accuracy);
        assert!(together < 0.62 && alone > together + 0.1, "{alone} {together}");
    }
}
