//! CORAL (Cao, Mirjalili & Raschka 2020): ordered classes by one score and a threshold between each two of them.

use pipeline::heads::{FitData, outputs};
use tch::{Kind, Tensor};

/// Log odds to lie beyond each threshold, `[…, thresholds]`: one score for all, from the first column of `scores`, and
/// thresholds that are no function of the input, from the columns of `bias` (of the last layer) but the first. Softplus
/// keeps them in order.
pub fn odds(scores: &Tensor, bias: &Tensor) -> Tensor {
    let columns = scores.size()[scores.dim() - 1];
    let first = scores.narrow(-1, 0, 1);
    let steps = bias.narrow(-1, 1, columns - 1).softplus().cumsum(-1, Kind::Float);
    Tensor::cat(&[&first, &(&first - steps)], -1)
}

/// Log probabilities of the classes, `[…, thresholds + 1]`, of [`odds`].
pub fn log_probabilities(odds: &Tensor) -> Tensor {
    let beyond = odds.sigmoid();
    let one = beyond.narrow(-1, 0, 1).ones_like();
    let (above, below) = (Tensor::cat(&[&one, &beyond], -1), Tensor::cat(&[&beyond, &one.zeros_like()], -1));
    (above - below).clamp_min(1e-7).log()
}

/// Binary cross entropy of the [`odds`], weighted by class, summed over the members.
///
/// Targets, which add up to what a row counts, are `[rows, classes]`, or `[members, rows, classes]` where a member's rows of zeros are none that it learns from.
pub fn loss(odds: &Tensor, targets: &Tensor, class_weights: &Tensor) -> Tensor {
    let classes = targets.size()[targets.dim() - 1];
    let row_weights = targets.sum_dim_intlist(-1, true, Kind::Float).clamp_min(1e-12);
    let beyond: Tensor = 1.0 - (targets / row_weights).cumsum(-1, Kind::Float).narrow(-1, 0, classes - 1);
    let below: Tensor = 1.0 - &beyond;
    let weight = (targets * class_weights).sum_dim_intlist(-1, true, Kind::Float);
    let loss = -(&beyond * odds.log_sigmoid() + below * (-odds).log_sigmoid());
    let of_member = |values: Tensor| values.sum_dim_intlist(&[-2, -1][..], true, Kind::Float);
    (of_member(loss * &weight) / of_member(weight).clamp_min(1e-12)).sum(Kind::Float)
}

/// The biases of the last layer, one a threshold, with which [`odds`] are those of the training rows' classes where the
/// inputs add nothing.
pub fn biases_at_the_shares(data: &FitData<'_>) -> Vec<f32> {
    let outputs = outputs(data.blocks);
    let mut counts = vec![1.0f64; data.blocks[0].width];
    for row in data.train.targets.chunks_exact(outputs) {
        counts.iter_mut().zip(row).for_each(|(count, share)| *count += f64::from(*share));
    }
    let total: f64 = counts.iter().sum();
    let mut beyond = total;
    let odds = counts[..counts.len() - 1].iter().map(|count| {
        beyond -= count;
        (beyond / (total - beyond)).ln()
    });
    let odds: Vec<f64> = odds.collect();
    // The steps down from one threshold to the next pass through softplus.
    let steps = odds.windows(2).map(|pair| ((pair[0] - pair[1]).exp_m1().max(1e-3)).ln() as f32);
    std::iter::once(odds[0] as f32).chain(steps).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{block, data, shape};
    use super::*;
    use pipeline::heads::{BlockKind, NetworkShape};

    #[test]
    fn odds_begin_at_the_shares_of_the_classes() {
        // Counts 1, 2 and 1, each plus one: 2, 3 and 2 of 7. Beyond the first threshold are 5 of 7, the second 2 of 7:
        // ln(5 / 2) = 0.916291, ln(2 / 5) = -0.916291
        let targets = [[1.0f32, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]].concat();
        let shape = NetworkShape { blocks: vec![block(3, BlockKind::Classes)], ..shape() };
        let data = data(&shape, (&[], &targets), 1);
        // The first bias is part of the score.
        let bias = Tensor::from_slice(&biases_at_the_shares(&data));
        let odds = odds(&bias.unsqueeze(0), &bias);
        assert!((odds.double_value(&[0, 0]) - 0.916291).abs() < 1e-5, "{odds}");
        assert!((odds.double_value(&[0, 1]) + 0.916291).abs() < 1e-5, "{odds}");
        let p = log_probabilities(&odds).exp();
        for (class, share) in [2.0 / 7.0, 3.0 / 7.0, 2.0 / 7.0].into_iter().enumerate() {
            assert!((p.double_value(&[0, class as i64]) - share).abs() < 1e-5, "{p}");
        }
    }

    #[test]
    fn the_loss_is_binary_cross_entropy_of_each_threshold() {
        // Classes 0 and 2, weights 1, 1 and 3, odds [0, 0] and [2, -1]:
        // row 0: 2 · 0.693147; row 1: 0.126928 + 1.313262; (1.386294 + 3 · 1.440190) / (1 + 3) = 1.426716
        let odds = Tensor::from_slice(&[0.0f32, 0.0, 2.0, -1.0]).view([1, 2, 2]);
        let targets = Tensor::from_slice(&[1.0f32, 0.0, 0.0, 0.0, 0.0, 1.0]).view([2, 3]);
        let value = loss(&odds, &targets, &Tensor::from_slice(&[1.0f32, 1.0, 3.0])).double_value(&[]);
        assert!((value - 1.426716).abs() < 1e-5, "{value}");
    }
}
