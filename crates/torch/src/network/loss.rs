//! What training minimises, and what the history counts.

use pipeline::heads::{BlockKind, FitData, NetworkSettings, Output};
use tch::{Device, Kind, Tensor};

use super::coral;
use super::perceptron::Perceptron;

/// What a batch is to be answered with.
pub struct Targets<'a> {
    /// `[rows, outputs]`, block beside block; soft targets where rows are mixed. Of classes they add up to what a row counts.
    pub values: &'a Tensor,
    /// `[members, rows, 1]` of 0 and 1, where not every member learns from every row.
    pub seen: Option<&'a Tensor>,
}

impl Targets<'_> {
    /// `values` without the rows that a member does not learn from.
    fn of_seen(&self, values: Tensor) -> Tensor {
        self.seen.map_or(values.shallow_clone(), |seen| values * seen)
    }
}

/// The loss of a step, and its settings.
pub struct Loss {
    /// Of the label, `[classes]`.
    class_weights: Tensor,
    /// Focal loss's γ; 0 for cross entropy.
    focal_gamma: f64,
    /// Share of a target that is spread over all classes, in `[0, 1)`.
    label_smoothing: f64,
}

/// How well the label is predicted.
pub struct Score {
    /// Class-weighted cross entropy in nats.
    pub loss: f64,
    /// Share of rows whose likeliest class is right, in `[0, 1]`.
    pub accuracy: f64,
}

impl Loss {
    /// The loss that `settings` ask for, with the class weights of `data`.
    pub fn new(settings: &NetworkSettings, data: &FitData<'_>, device: Device) -> Self {
        Self {
            class_weights: Tensor::from_slice(&data.class_weights).to_device(device),
            focal_gamma: settings.focal_gamma,
            label_smoothing: settings.label_smoothing,
        }
    }

    /// What a step minimises, a single number: the sum over the members of the loss of `scores`, `[members, rows, scores]`.
    pub fn of_step(&self, network: &Perceptron, scores: &Tensor, targets: &Targets<'_>) -> Tensor {
        let shape = &network.shape;
        let classes = shape.blocks[0].width as i64;
        let mut label = targets.values.narrow(-1, 0, classes);
        let row_weights = label.sum_dim_intlist(-1, true, Kind::Float);
        if self.label_smoothing > 0.0 {
            label =
                label * (1.0 - self.label_smoothing) + &row_weights * (self.label_smoothing / classes as f64);
        }
        let label = targets.of_seen(label);
        let mut total = if shape.output == Output::Coral {
            coral::loss(&network.odds(scores), &label, &self.class_weights)
        } else {
            cross_entropy(&network.log_probabilities(scores), &label, &self.class_weights, self.focal_gamma)
        };
        let (mut at, mut score_at) = (classes, shape.label_scores() as i64);
        for block in &shape.blocks[1..] {
            let width = block.width as i64;
            let (own, wanted) = (scores.narrow(-1, score_at, width), targets.values.narrow(-1, at, width));
            (at, score_at) = (at + width, score_at + width);
            let loss = match block.kind {
                BlockKind::Classes => {
                    let even = Tensor::ones([width], (Kind::Float, scores.device()));
                    cross_entropy(&own.log_softmax(-1, Kind::Float), &targets.of_seen(wanted), &even, 0.0)
                }
                BlockKind::Values => {
                    let off = targets.of_seen((own - wanted).square() * &row_weights);
                    let share = targets.seen.map_or(1.0, |seen| seen.mean(Kind::Float).double_value(&[]));
                    off.mean(Kind::Float) * shape.members as f64 / (2.0 * share.max(1e-6))
                }
            };
            total += loss * block.weight;
        }
        total
    }

    /// Loss (neither focal nor smoothed) and accuracy of the label's log probabilities `[rows, classes]`, where `targets`
    /// is `[rows, outputs]`.
    pub fn score(&self, log_p: &Tensor, targets: &Tensor) -> Score {
        let y = targets.narrow(-1, 0, log_p.size()[1]);
        let right = log_p.argmax(-1, false).eq_tensor(&y.argmax(-1, false));
        let loss = cross_entropy(log_p, &y, &self.class_weights, 0.0);
        Score { loss: loss.double_value(&[]), accuracy: right.mean(Kind::Double).double_value(&[]) }
    }
}

/// Cross entropy with class weights and soft targets: Σ w·y·(1-p)^γ·(-log p) / Σ w·y, summed over the members; with a
/// `gamma` above 0 focal loss (Lin et al. 2017).
///
/// With one-hot targets and γ = 0 this is PyTorch's weighted `CrossEntropyLoss(reduction="mean")`. Targets are
/// `[rows, classes]`, or `[members, rows, classes]` where a member's rows of zeros are none that it learns from.
fn cross_entropy(log_p: &Tensor, targets: &Tensor, class_weights: &Tensor, gamma: f64) -> Tensor {
    let weighted = targets * class_weights;
    let total = weighted.sum_dim_intlist(&[-2, -1][..], true, Kind::Float).clamp_min(1e-12);
    let mut rows = weighted * log_p;
    if gamma > 0.0 {
        let unsure: Tensor = 1.0 - log_p.exp();
        rows *= unsure.clamp_min(0.0).pow_tensor_scalar(gamma);
    }
    -(rows.sum_dim_intlist(&[-2, -1][..], true, Kind::Float) / total).sum(Kind::Float)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{block, shape};
    use super::super::order::all_but_one_fold;
    use super::*;
    use crate::device::CPU;
    use pipeline::heads::NetworkShape;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn the_loss_is_pytorchs_weighted_cross_entropy() {
        // logits [[2,0],[0,1],[1,1]], classes 0,1,0, weights 1,3:
        // -log p = 0.126928, 0.313262, 0.693147; (0.126928 + 3*0.313262 + 0.693147) / (1+3+1) = 0.351972
        let logits = Tensor::from_slice(&[2.0f32, 0., 0., 1., 1., 1.]).view([3, 2]);
        let targets = Tensor::from_slice(&[1.0f32, 0., 0., 1., 1., 0.]).view([3, 2]);
        let weights = Tensor::from_slice(&[1.0f32, 3.0]);
        let log_p = logits.log_softmax(-1, Kind::Float);
        let value = cross_entropy(&log_p, &targets, &weights, 0.0).double_value(&[]);
        assert!((value - 0.351972).abs() < 1e-5, "{value}");
        // Focal, γ = 2: each term times (1 - p)²: 0.119203², 0.268941², 0.5²:
        // (0.001804 + 3*0.022658 + 0.173287) / 5 = 0.048613
        let value = cross_entropy(&log_p, &targets, &weights, 2.0).double_value(&[]);
        assert!((value - 0.048613).abs() < 1e-5, "{value}");
    }

    #[test]
    fn a_row_that_counts_twice_is_two_rows() {
        let blocks =
            vec![block(3, BlockKind::Classes), block(2, BlockKind::Classes), block(1, BlockKind::Values)];
        for output in [Output::Softmax, Output::Coral, Output::Corn] {
            let shape = NetworkShape { blocks: blocks.clone(), output, ..shape() };
            let mut network = Perceptron::blank(&shape, CPU);
            network.initialise(&mut ChaCha8Rng::seed_from_u64(2));
            let loss = Loss {
                class_weights: Tensor::from_slice(&[1.0f32, 2.0, 0.5]),
                focal_gamma: 0.0,
                label_smoothing: 0.1,
            };
            let of = |inputs: &[f32], targets: &[f32]| {
                let scores = network.forward(&Tensor::from_slice(inputs).view([-1, 2]), None);
                let values = Tensor::from_slice(targets).view([-1, 6]);
                loss.of_step(&network, &scores, &Targets { values: &values, seen: None }).double_value(&[])
            };
            // Of mean weight 1, as training gives it: a half and one and a half are one row and three.
            let (x, y) = (
                [0.4f32, -0.3, 0.8, 0.1],
                [[0.0f32, 1.0, 0.0, 1.0, 0.0, 0.7], [1.0, 0.0, 0.0, 0.0, 1.0, -0.2]],
            );
            let scaled = |row: [f32; 6], weight: f32| {
                let mut row = row;
                row[..5].iter_mut().for_each(|share| *share *= weight);
                row
            };
            let weighted = of(&x, &[scaled(y[0], 0.5), scaled(y[1], 1.5)].concat());
            let repeated =
                of(&[&x[..2], &x[2..], &x[2..], &x[2..]].concat(), &[y[0], y[1], y[1], y[1]].concat());
            assert!((weighted - repeated).abs() < 1e-5, "{output:?}: {weighted} {repeated}");
        }
    }

    #[test]
    fn a_member_learns_nothing_from_its_own_fold() {
        let blocks =
            vec![block(2, BlockKind::Classes), block(2, BlockKind::Classes), block(1, BlockKind::Values)];
        let shape = NetworkShape { blocks, hidden: vec![], members: 3, ..shape() };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (mut network, folds) = (Perceptron::blank(&shape, CPU), all_but_one_fold(3, 9, &mut rng));
        network.initialise(&mut rng);
        let x = Tensor::from_slice(&(0..18).map(|i| (i as f32 * 0.7).sin()).collect::<Vec<_>>()).view([9, 2]);
        let row = |i: usize| [[1.0f32, 0.0, 0.0, 1.0, 0.3], [0.0, 1.0, 1.0, 0.0, -0.8]][i % 2];
        let y = Tensor::from_slice(&(0..9).flat_map(row).collect::<Vec<_>>()).view([9, 5]);
        let class_weights = Tensor::from_slice(&[1.0f32, 2.0]);
        let loss = Loss { class_weights, focal_gamma: 0.0, label_smoothing: 0.0 };
        let scores = network.forward(&x, None);
        let targets = Targets { values: &y, seen: Some(&folds) };
        let found = loss.of_step(&network, &scores, &targets).double_value(&[]);
        let alone = Perceptron::blank(&NetworkShape { members: 1, ..shape }, CPU);
        let of_member = |member: i64| {
            let kept = folds.get(member).squeeze().nonzero().squeeze();
            assert_eq!(kept.size(), [6]);
            let scores = scores.narrow(0, member, 1).index_select(1, &kept);
            let targets = Targets { values: &y.index_select(0, &kept), seen: None };
            loss.of_step(&alone, &scores, &targets).double_value(&[])
        };
        let expected: f64 = (0..3).map(of_member).sum();
        assert!((found - expected).abs() < 1e-4, "{found} {expected}");
    }
}
