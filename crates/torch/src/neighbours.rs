//! Heads that compare a row with remembered ones: with its nearest training rows (k-NN, Cover & Hart 1967), or with the
//! mean of each class (nearest centroid; with a softmax over distances, Snell et al. 2017).

use std::ops::ControlFlow;
use std::path::Path;

use pipeline::inputs::Sparse;
use pipeline::train::{
    Block, BlockKind, Epoch, FitData, Fitted, Head, HeadError, HeadShape, NeighbourSettings, NeighbourShape,
};
use tch::{Device, Kind, Tensor};

use crate::kernel::{loss_and_accuracy, squared_distances, values};
use crate::{Tensors, failed};

/// Rows compared with all remembered ones at once.
const ROWS_AT_ONCE: i64 = 1024;

/// Rows that vote, how fast a vote falls with the squared distance (in units of the inputs' variance), and the factor on
/// standardised tabular inputs: what is tried on the validation rows.
const NEAREST: [i64; 6] = [3, 5, 10, 20, 40, 80];
const WIDTHS: [f64; 6] = [0.01, 0.03, 0.1, 0.3, 1.0, 1e9];
const FEATURE_WEIGHTS: [f64; 4] = [0.0, 0.05, 0.1, 0.2];

/// Votes of no row, dealt by the classes' shares: no class is ever impossible.
const PRIOR_VOTES: f64 = 0.5;

/// Remembered rows and what they answer.
pub struct Memory {
    shape: NeighbourShape,
    /// `[inputs]`: what inputs are multiplied by.
    scale: Tensor,
    /// `[rows, inputs]`, scaled.
    rows: Tensor,
    /// `[rows, outputs]` targets.
    answers: Tensor,
    /// `[outputs]`: mean targets.
    prior: Tensor,
    /// `[outputs]`: added to the logits.
    bias: Tensor,
}

impl Memory {
    /// Load weights saved by [`Head::save`].
    ///
    /// # Errors
    /// They do not fit `shape`.
    pub fn load(shape: &NeighbourShape, mut tensors: Tensors) -> Result<Self, HeadError> {
        let (inputs, rows) = (shape.inputs as i64, shape.rows as i64);
        let outputs: i64 = shape.blocks.iter().map(|b| b.width as i64).sum();
        Ok(Self {
            scale: tensors.take("scale", &[inputs])?,
            rows: tensors.take("rows", &[rows, inputs])?,
            answers: tensors.take("answers", &[rows, outputs])?,
            prior: tensors.take("prior", &[outputs])?,
            bias: tensors.take("bias", &[outputs])?,
            shape: shape.clone(),
        })
    }

    /// Squared distances and places of the nearest remembered rows, `[rows, count]`; with `among` the rows are the
    /// remembered ones from that one on, and none is its own neighbour.
    fn nearest(&self, x: &Tensor, count: i64, among: Option<i64>) -> (Tensor, Tensor) {
        let mut distances = squared_distances(&(x * &self.scale), &self.rows);
        if let Some(first) = among {
            let own = Tensor::arange(x.size()[0], (Kind::Int64, Device::Cpu)).unsqueeze(1) + first;
            let far = Tensor::full([x.size()[0], 1], f64::INFINITY, (Kind::Float, Device::Cpu));
            distances = distances.scatter(1, &own, &far);
        }
        distances.topk(count.min(self.rows.size()[0]), 1, false, true)
    }

    /// `[rows, outputs]` logits and values by the votes of the first `count` of `nearest`.
    fn vote(&self, (distances, places): (&Tensor, &Tensor), count: i64, width: f64) -> Tensor {
        let count = count.min(places.size()[1]);
        let (distances, places) = (distances.narrow(1, 0, count), places.narrow(1, 0, count));
        let votes = (-(&distances - distances.narrow(1, 0, 1)) / width).exp().nan_to_num(0.0, 0.0, 0.0);
        let answers = self.answers.index_select(0, &places.reshape([-1])).view([places.size()[0], count, -1]);
        let sums = votes.unsqueeze(1).bmm(&answers).squeeze_dim(1);
        let all = votes.sum_dim_intlist(1, true, Kind::Float);
        let (mut blocks, mut at) = (Vec::new(), 0);
        for block in &self.shape.blocks {
            let own = sums.narrow(1, at, block.width as i64);
            blocks.push(match block.kind {
                BlockKind::Classes => {
                    let known = own.sum_dim_intlist(1, true, Kind::Float);
                    let prior = self.prior.narrow(0, at, block.width as i64);
                    ((own + prior * PRIOR_VOTES) / (known + PRIOR_VOTES)).clamp_min(1e-6).log()
                }
                BlockKind::Values => own / &all,
            });
            at += block.width as i64;
        }
        Tensor::cat(&blocks, 1) + &self.bias
    }

    fn answer(&self, x: &Tensor, among: bool) -> Tensor {
        let part = |(i, x): (i64, Tensor)| {
            let (distances, places) =
                self.nearest(&x, self.shape.nearest as i64, among.then_some(i * ROWS_AT_ONCE));
            self.vote((&distances, &places), self.shape.nearest as i64, self.shape.width)
        };
        let parts: Vec<Tensor> = (0..).zip(x.split(ROWS_AT_ONCE, 0)).map(part).collect();
        Tensor::cat(&parts, 0)
    }
}

impl Head for Memory {
    fn logits(&self, inputs: &[f32], _: Option<&Sparse>) -> Result<Vec<f32>, HeadError> {
        values(&self.answer(&Tensor::from_slice(inputs).view([-1, self.shape.inputs as i64]), false))
    }

    fn save(&self, path: &Path) -> Result<(), HeadError> {
        let tensors = [
            ("scale", &self.scale),
            ("rows", &self.rows),
            ("answers", &self.answers),
            ("prior", &self.prior),
            ("bias", &self.bias),
        ];
        Tensor::write_safetensors(&tensors, path).map_err(failed)
    }
}

/// [`pipeline::train::Fit::fit`] of a head that remembers. What is not given is chosen by the loss on the validation rows.
///
/// # Errors
/// Interruption, or a libtorch failure.
pub fn fit(
    settings: &NeighbourSettings,
    data: &FitData<'_>,
    each_epoch: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<Fitted, HeadError> {
    let outputs: usize = data.blocks.iter().map(|b| b.width).sum();
    let rows = |of: &[f32]| Tensor::from_slice(of).view([-1, data.inputs as i64]);
    let (x, asked) = (rows(data.train.inputs), rows(data.validation.inputs));
    let y = Tensor::from_slice(data.train.targets).view([-1, outputs as i64]);
    let classes = data.blocks[0].width;
    let (remembered, answers) = if settings.prototypes {
        (class_means(&x, &y, classes as i64), class_means(&y, &y, classes as i64))
    } else {
        (x.shallow_clone(), y.shallow_clone())
    };
    let weights = data.class_weights.iter().map(|w| w.max(f32::MIN_POSITIVE).ln());
    let bias: Vec<f32> = weights.chain(std::iter::repeat_n(0.0, outputs - classes)).collect();
    let mut memory = Memory {
        shape: NeighbourShape {
            inputs: data.inputs,
            rows: remembered.size()[0] as usize,
            blocks: data.blocks.to_vec(),
            nearest: 0,
            width: 0.0,
        },
        scale: Tensor::new(),
        rows: Tensor::new(),
        answers,
        prior: prior(&y, data.blocks),
        bias: Tensor::from_slice(&bias),
    };
    let all = memory.shape.rows as i64;
    let counts: Vec<i64> = match settings.nearest {
        _ if settings.prototypes => vec![all],
        Some(count) => vec![count as i64],
        None => NEAREST.into_iter().filter(|&count| count < all).collect(),
    };
    let most = counts.iter().copied().max().unwrap_or(1);
    let embedding = data.embedding_dims as i64;
    let tabular = embedding < data.inputs as i64;
    let variance = x.narrow(1, 0, embedding).var_dim(&[0i64][..], false, false).sum(Kind::Float);
    let variance = variance.double_value(&[]).max(1e-12);

    let (mut least, mut chosen) = (f64::INFINITY, (0.0, most, 1.0));
    for weight in FEATURE_WEIGHTS.into_iter().take(if tabular { FEATURE_WEIGHTS.len() } else { 1 }) {
        memory.weigh_features(&remembered, embedding, weight);
        let (distances, places) = memory.nearest(&asked, most, None);
        for &count in &counts {
            for width in WIDTHS {
                let given = memory.vote((&distances, &places), count, width * variance);
                let (loss, _) = loss_and_accuracy(&given, data.validation.targets, classes, data);
                if loss < least {
                    (least, chosen) = (loss, (weight, count, width * variance));
                }
            }
        }
    }
    memory.weigh_features(&remembered, embedding, chosen.0);
    (memory.shape.nearest, memory.shape.width) = (chosen.1 as usize, chosen.2);

    let of = |x: &Tensor, targets: &[f32], among: bool| {
        loss_and_accuracy(&memory.answer(x, among), targets, classes, data)
    };
    let scores =
        (of(&x, data.train.targets, !settings.prototypes), of(&asked, data.validation.targets, false));
    let shape = memory.shape.clone();
    // A prototype is a mean an input; k neighbours are about n / k means (Hastie, Tibshirani & Friedman 2009, 2.3.3).
    let parameters = match settings.prototypes {
        true => shape.rows * (data.inputs + outputs),
        false => shape.rows / shape.nearest.max(1) * outputs,
    };
    crate::without_epochs((Box::new(memory), HeadShape::Neighbours(shape)), parameters, scores, each_epoch)
}

impl Memory {
    fn weigh_features(&mut self, remembered: &Tensor, embedding: i64, weight: f64) {
        let inputs = remembered.size()[1];
        self.scale = Tensor::ones([inputs], (Kind::Float, Device::Cpu));
        let _ = self.scale.narrow(0, embedding, inputs - embedding).fill_(weight);
        self.rows = remembered * &self.scale;
    }
}

/// `[classes, columns]` means of the rows of `x` by their (soft) class in the first columns of `y`; zeros for a class
/// without rows.
fn class_means(x: &Tensor, y: &Tensor, classes: i64) -> Tensor {
    let shares = y.narrow(1, 0, classes);
    let totals = shares.sum_dim_intlist(0, false, Kind::Float).clamp_min(1e-6);
    shares.tr().matmul(x) / totals.unsqueeze(1)
}

/// `[outputs]` mean targets; of a block of classes the shares of the known ones.
fn prior(y: &Tensor, blocks: &[Block]) -> Tensor {
    let mean = y.mean_dim(0, false, Kind::Float);
    let (mut parts, mut at) = (Vec::new(), 0);
    for block in blocks {
        let own = mean.narrow(0, at, block.width as i64);
        at += block.width as i64;
        parts.push(match block.kind {
            BlockKind::Classes => &own / own.sum(Kind::Float).clamp_min(1e-6),
            BlockKind::Values => own,
        });
    }
    Tensor::cat(&parts, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline::train::Rows;
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

    fn fit_on(prototypes: bool, train: &(Vec<f32>, Vec<f32>), held: &(Vec<f32>, Vec<f32>)) -> Fitted {
        let rows = |of: &'static (Vec<f32>, Vec<f32>)| Rows { inputs: &of.0, terms: None, targets: &of.1 };
        let keep = |of: &(Vec<f32>, Vec<f32>)| -> &'static _ { Box::leak(Box::new(of.clone())) };
        let data = FitData {
            inputs: 2,
            embedding_dims: 1,
            blocks: &blocks(),
            class_weights: vec![1.0, 1.0],
            train: rows(keep(train)),
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
            let fitted = fit_on(prototypes, &train, &held);
            let given = fitted.head.logits(&asked.0, None).unwrap();
            let rows = || given.chunks(3).zip(asked.1.chunks(3));
            let right = rows().filter(|(g, t)| (g[1] > g[0]) == (t[1] > 0.5)).count();
            assert!(right > 350, "{prototypes}: {right}");
            let error = rows().map(|(g, t)| (g[2] - t[2]).abs()).sum::<f32>() / 400.0;
            assert!(error < if prototypes { 0.4 } else { 0.2 }, "{prototypes}: {error}");

            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("head.safetensors");
            fitted.head.save(&path).unwrap();
            let HeadShape::Neighbours(shape) = &fitted.shape else { panic!("neighbours") };
            let loaded = Memory::load(shape, Tensors::read(&path).unwrap()).unwrap();
            assert_eq!(loaded.logits(&asked.0, None).unwrap(), given);
        }
    }

    /// Every row once more with the other class: whoever asks himself is always wrong.
    #[test]
    fn the_training_loss_leaves_each_row_out() {
        let mut train = clouds(200, 4);
        let flipped: Vec<f32> = train.1.chunks(3).flat_map(|t| [t[1], t[0], t[2]]).collect();
        train.0.extend(train.0.clone());
        train.1.extend(flipped);
        let fitted = fit_on(false, &train, &clouds(100, 5));
        let accuracy = fitted.history[0].train_accuracy;
        assert!(accuracy < 0.6, "{accuracy}");
    }
}
