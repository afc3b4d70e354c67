//! How far confidence is from the share that is right, and whether that is more than chance.

use std::collections::{BTreeMap, BTreeSet};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use statrs::distribution::{ContinuousCDF, Normal};

use super::figure::Predictions;

/// Equal-width bins of the confidence (Guo et al. 2017 use 15).
const BINS: usize = 15;

/// Sets of labels drawn of a model that is calibrated: a p of 0.05 is then known to about 0.007.
const DRAWS: usize = 999;

/// Rows by their confidence.
#[derive(Default)]
pub(super) struct Bins([Bin; BINS]);

#[derive(Clone, Copy, Default)]
struct Bin {
    rows: f64,
    right: f64,
    confidence: f64,
}

impl Bins {
    /// Of confidences, whether the likeliest class is the true one, and weights.
    pub fn of(rows: impl Iterator<Item = (f64, bool, f64)>) -> Self {
        let mut bins = Self::default();
        for (confidence, right, weight) in rows {
            let bin = &mut bins.0[place(confidence)];
            bin.rows += weight;
            bin.right += f64::from(u8::from(right)) * weight;
            bin.confidence += confidence * weight;
        }
        bins
    }

    /// Mean over the rows of the distance of their bin's mean confidence to its share of right rows.
    pub fn error(&self) -> f64 {
        let rows: f64 = self.0.iter().map(|bin| bin.rows).sum();
        self.0.iter().map(|bin| (bin.right - bin.confidence).abs()).sum::<f64>() / rows.max(f64::MIN_POSITIVE)
    }
}

fn place(confidence: f64) -> usize {
    ((confidence * BINS as f64) as usize).min(BINS - 1)
}

/// The expected calibration error less its bias: in few rows the share that is right is off the confidence by chance, and the
/// error never falls below 0. What the error would be on the average if each bin's share varied as a binomial one does is
/// taken off once more (Kumar, Liang & Ma 2019, "Verified Uncertainty Calibration", section 4 and their library). Not below 0.
///
/// The variance of a bin counts one row more at its confidence, so that a bin without a mistake has one, and each group of
/// near-duplicates as one row.
pub(super) fn calibration_error(predictions: Predictions<'_>) -> f64 {
    let confidences = predictions.confidences();
    let predicted = predictions.answers();
    let right = |row: usize| predicted[row] == predictions.truth[row];
    let rows = confidences.len();
    let bins = Bins::of((0..rows).map(|row| (f64::from(confidences[row]), right(row), 1.0)));
    let mut groups: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); BINS];
    for (row, &confidence) in confidences.iter().enumerate() {
        groups[place(f64::from(confidence))].insert(predictions.groups.map_or(row, |groups| groups[row]));
    }
    let plain = bins.error();
    let expected = |(bin, groups): (&Bin, BTreeSet<usize>)| {
        if bin.rows == 0.0 {
            return 0.0;
        }
        let (count, confidence) = (groups.len() as f64, bin.confidence / bin.rows);
        let share = (bin.right / bin.rows * count + confidence) / (count + 1.0);
        let deviation = (share * (1.0 - share) / count).sqrt();
        bin.rows / rows as f64 * mean_distance(bin.right / bin.rows - confidence, deviation)
    };
    let expected: f64 = bins.0.iter().zip(groups).map(expected).sum();
    (2.0 * plain - expected).clamp(0.0, 1.0)
}

/// Mean absolute value of a normal variable.
fn mean_distance(mean: f64, deviation: f64) -> f64 {
    if deviation == 0.0 {
        return mean.abs();
    }
    let z = mean / deviation;
    let density = (-z * z / 2.0).exp() * (2.0 / std::f64::consts::PI).sqrt();
    deviation * density + mean * (1.0 - 2.0 * Normal::standard().cdf(-z))
}

/// The share of sets of labels, drawn by the confidences themselves, on which the calibration error is at least as great: the
/// p value of a calibrated model (consistency resampling, Bröcker & Smith 2007; as a test Vaicenavicius et al. 2019).
///
/// The rows of a group are right or wrong together, as far as their confidences allow. 1 without rows.
pub fn miscalibration_p(predictions: Predictions<'_>, seed: u64) -> f64 {
    let confidences: Vec<f64> = predictions.confidences().into_iter().map(f64::from).collect();
    let predicted = predictions.answers();
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for row in 0..confidences.len() {
        groups.entry(predictions.groups.map_or(row, |groups| groups[row])).or_default().push(row);
    }
    if groups.is_empty() {
        return 1.0;
    }
    let error = |right: &[bool]| {
        Bins::of(confidences.iter().zip(right).map(|(&confidence, &right)| (confidence, right, 1.0))).error()
    };
    let found = error(&predicted.iter().zip(predictions.truth).map(|(p, t)| p == t).collect::<Vec<_>>());
    let (mut rng, mut right) = (ChaCha8Rng::seed_from_u64(seed), vec![false; confidences.len()]);
    let as_great = (0..DRAWS).filter(|_| {
        for group in groups.values() {
            let lot: f64 = rng.random();
            group.iter().for_each(|&row| right[row] = lot < confidences[row]);
        }
        error(&right) >= found
    });
    (as_great.count() + 1) as f64 / (DRAWS + 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two classes; confidences spread over (0.5, 1), right as often as they say to the power of `power`.
    fn drawn(rows: usize, power: f64, seed: u64) -> (Vec<usize>, Vec<f32>) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut truth, mut probabilities) = (Vec::new(), Vec::new());
        for _ in 0..rows {
            let confidence = rng.random_range(0.5..1.0f64);
            truth.push(usize::from(!rng.random_bool(confidence.powf(power))));
            probabilities.extend([confidence as f32, 1.0 - confidence as f32]);
        }
        (truth, probabilities)
    }

    fn predictions(of: &(Vec<usize>, Vec<f32>)) -> Predictions<'_> {
        Predictions {
            truth: &of.0,
            probabilities: &of.1,
            classes: 2,
            ordered: false,
            groups: None,
            decided: None,
        }
    }

    #[test]
    fn a_calibrated_model_has_hardly_any_error_and_is_seldom_called_miscalibrated() {
        for rows in [100, 300, 1000] {
            let runs: Vec<(f64, f64)> = (0..200)
                .map(|seed| {
                    let made = drawn(rows, 1.0, seed);
                    (calibration_error(predictions(&made)), miscalibration_p(predictions(&made), seed))
                })
                .collect();
            let alarms = runs.iter().filter(|(_, p)| *p <= 0.05).count();
            assert!(alarms <= 20, "{rows} rows: {alarms} of 200");
            let plain = |seed| {
                let made = drawn(rows, 1.0, seed);
                let of = predictions(&made);
                let right = of.answers();
                Bins::of((0..rows).map(|r| (f64::from(of.confidences()[r]), right[r] == of.truth[r], 1.0)))
                    .error()
            };
            let plain = (0..200).map(plain).sum::<f64>() / 200.0;
            let mean = runs.iter().map(|r| r.0).sum::<f64>() / 200.0;
            assert!(mean < 0.7 * plain, "{rows} rows: {mean} {plain}");
        }
    }

    #[test]
    fn an_overconfident_model_is_found() {
        let made = drawn(1000, 2.0, 1);
        // ∫ (c - c²) dc over (0.5, 1), times 2, is 1/6.
        assert!((calibration_error(predictions(&made)) - 1.0 / 6.0).abs() < 0.04);
        assert!(miscalibration_p(predictions(&made), 1) < 0.01);
    }

    #[test]
    fn the_mean_distance_is_that_of_the_folded_normal() {
        assert!((mean_distance(0.0, 1.0) - (2.0 / std::f64::consts::PI).sqrt()).abs() < 1e-12);
        assert!((mean_distance(3.0, 0.1) - 3.0).abs() < 1e-12 && mean_distance(-0.2, 0.0) == 0.2);
    }
}
