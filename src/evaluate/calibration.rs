//! Whether probabilities mean what they say, and one number that makes them.

use serde::{Deserialize, Serialize};

use super::figure::Predictions;
use super::interval::Estimate;

/// Standard deviation of the logarithm of temperatures before any row is seen: two of them reach from a third to three.
const PRIOR_DEVIATION: f64 = 0.5;

/// The temperature T > 0 that minimises the log loss of `probabilities^(1/T)`, renormalised (Guo et al. 2017).
///
/// On probabilities this is the same as dividing logits by T. T > 1 means that the model was too sure. It must be fitted
/// on rows that the model has not learned from. Between 1/20 and 20; 1 without rows.
///
/// Few rows say little about it, so log T is expected to be 0 give or take a half (the maximum a posteriori
/// of that normal prior): of a dozen rows without a mistake the temperature would be 0, and the next mistake infinitely wrong.
pub fn fit_temperature(predictions: Predictions<'_>) -> f64 {
    likeliest_temperature(predictions, PRIOR_DEVIATION)
}

fn likeliest_temperature(predictions: Predictions<'_>, prior_deviation: f64) -> f64 {
    if predictions.truth.is_empty() {
        return 1.0;
    }
    let logs: Vec<f64> =
        predictions.probabilities.iter().map(|&p| f64::from(p.max(f32::MIN_POSITIVE)).ln()).collect();
    let loss = |log_temperature: f64| {
        let temperature = log_temperature.exp();
        let of = |(row, &class): (&[f64], &usize)| {
            let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = row.iter().map(|l| ((l - max) / temperature).exp()).sum();
            sum.ln() - (row[class] - max) / temperature
        };
        let prior = (log_temperature / prior_deviation).powi(2) / 2.0;
        prior + logs.chunks_exact(predictions.classes).zip(predictions.truth).map(of).sum::<f64>()
    };
    // Golden-section search: the loss has one minimum in 1/T, and so in log T.
    let ratio = (5.0f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (-(20.0f64.ln()), 20.0f64.ln());
    let (mut a, mut b) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut at_a, mut at_b) = (loss(a), loss(b));
    while high - low > 1e-7 {
        if at_a < at_b {
            (high, b, at_b) = (b, a, at_a);
            a = high - ratio * (high - low);
            at_a = loss(a);
        } else {
            (low, a, at_a) = (a, b, at_b);
            b = low + ratio * (high - low);
            at_b = loss(b);
        }
    }
    (f64::midpoint(low, high)).exp()
}

/// Raise probabilities to 1/`temperature` and renormalise each row of `classes`, in place.
pub fn apply_temperature(probabilities: &mut [f32], classes: usize, temperature: f64) {
    for row in probabilities.chunks_exact_mut(classes) {
        let max = row.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        row.iter_mut().for_each(|p| *p = (f64::from(*p / max)).powf(1.0 / temperature) as f32);
        let sum: f32 = row.iter().sum();
        row.iter_mut().for_each(|p| *p /= sum);
    }
}

/// Rows whose confidence lies in one range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Lower edge of the confidence, inclusive.
    pub from: f64,
    /// Rows in the bin.
    pub rows: usize,
    /// Their mean confidence.
    pub confidence: f64,
    /// Share of them that are right (Wilson interval).
    pub accuracy: Estimate,
}

/// A reliability diagram (DeGroot & Fienberg 1983): accuracy by confidence in ten equal-width bins; empty ones are left out.
pub fn reliability(predictions: Predictions<'_>) -> Vec<ReliabilityBin> {
    const BINS: usize = 10;
    let (confidences, predicted) = (predictions.confidences(), predictions.answers());
    let place = |row: usize| ((confidences[row] * BINS as f32) as usize).min(BINS - 1);
    let sample = predictions.sample();
    let bin = |bin: usize| {
        let own = confidences.iter().enumerate().filter(|(row, _)| place(*row) == bin);
        let own: Vec<f64> = own.map(|(_, &confidence)| f64::from(confidence)).collect();
        (!own.is_empty()).then(|| ReliabilityBin {
            from: bin as f64 / BINS as f64,
            rows: own.len(),
            confidence: own.iter().sum::<f64>() / own.len() as f64,
            accuracy: sample
                .proportion(|row| place(row) == bin, |row| predicted[row] == predictions.truth[row]),
        })
    };
    (0..BINS).filter_map(bin).collect()
}

/// What answering only the surest rows gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// Share of rows answered.
    pub coverage: f64,
    /// The confidence from which rows are answered.
    pub min_confidence: f64,
    /// Accuracy among those answered (Wilson interval); 1 minus the risk.
    pub accuracy: Estimate,
}

/// The risk–coverage curve (El-Yaniv & Wiener 2010): the surest 5 %, 10 %, … 100 % of the rows.
pub fn risk_coverage(predictions: Predictions<'_>) -> Vec<Coverage> {
    let (confidences, predicted) = (predictions.confidences(), predictions.answers());
    let mut surest: Vec<usize> = (0..confidences.len()).collect();
    surest.sort_by(|&a, &b| confidences[b].total_cmp(&confidences[a]));
    let mut rank = vec![0; surest.len()];
    surest.iter().enumerate().for_each(|(place, &row)| rank[row] = place);
    let sample = predictions.sample();
    let counts = (1..=20).map(|i| (surest.len() * i).div_ceil(20));
    counts
        .filter(|&count| count > 0)
        .map(|count| Coverage {
            coverage: count as f64 / surest.len() as f64,
            min_confidence: f64::from(confidences[surest[count - 1]]),
            accuracy: sample
                .proportion(|row| rank[row] < count, |row| predicted[row] == predictions.truth[row]),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::reference::reference;

    #[test]
    fn the_temperature_is_scipys_minimum() {
        let made = reference();
        let found = likeliest_temperature(made.predictions(), f64::INFINITY);
        assert!((found - made.number("temperature")).abs() < 1e-3, "{found}");
        let mut scaled = made.probabilities.clone();
        apply_temperature(&mut scaled, 4, found);
        let again = Predictions { probabilities: &scaled, ..made.predictions() };
        assert!((likeliest_temperature(again, f64::INFINITY) - 1.0).abs() < 1e-3);
        assert_eq!(again.answers(), made.predictions().answers(), "scaling changes no answer");
    }

    #[test]
    fn few_rows_move_the_temperature_little_and_many_freely() {
        // All right at a confidence of 0.6: the likelier, the colder.
        let of = |rows: usize| {
            let (truth, probabilities) = (vec![0; rows], [0.6, 0.4].repeat(rows));
            fit_temperature(Predictions {
                truth: &truth,
                probabilities: &probabilities,
                classes: 2,
                ordered: false,
                groups: None,
                decided: None,
            })
        };
        let found = [1, 12, 1000].map(of);
        assert!(found[0] > 0.9 && (0.4..0.8).contains(&found[1]) && found[2] < 0.25, "{found:?}");
    }

    #[test]
    fn bins_and_coverage_count_rows() {
        let probabilities = [0.95, 0.05, 0.9, 0.1, 0.55, 0.45, 0.4, 0.6];
        let predictions = Predictions {
            truth: &[0, 1, 0, 0],
            probabilities: &probabilities,
            classes: 2,
            ordered: false,
            groups: None,
            decided: None,
        };
        let bins = reliability(predictions);
        let seen: Vec<(f64, usize, f64)> = bins.iter().map(|b| (b.from, b.rows, b.accuracy.value)).collect();
        assert_eq!(seen, [(0.5, 1, 1.0), (0.6, 1, 0.0), (0.9, 2, 0.5)]);
        let curve = risk_coverage(predictions);
        assert_eq!((curve[0].coverage, curve[0].accuracy.value), (0.25, 1.0));
        assert_eq!((curve[19].coverage, curve[19].accuracy.value), (1.0, 0.5));
        assert_eq!(curve[19].min_confidence as f32, 0.55);
    }
}
