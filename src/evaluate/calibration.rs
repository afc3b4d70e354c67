//! Whether probabilities mean what they say, and one number that makes them.

use serde::{Deserialize, Serialize};

use super::figure::Predictions;
use super::interval::{Estimate, wilson};

/// The temperature T > 0 that minimises the log loss of `probabilities^(1/T)`, renormalised (Guo et al. 2017).
///
/// On probabilities this is the same as dividing logits by T. T > 1 means that the model was too sure. It must be fitted
/// on rows that the model has not learned from. Between 1/20 and 20; 1 without rows.
pub fn fit_temperature(predictions: Predictions<'_>) -> f64 {
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
        logs.chunks_exact(predictions.classes).zip(predictions.truth).map(of).sum::<f64>()
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
    let mut bins = [(0usize, 0usize, 0.0f64); BINS];
    for ((confidence, predicted), &truth) in
        predictions.confidences().into_iter().zip(predictions.likeliest()).zip(predictions.truth)
    {
        let bin = &mut bins[((confidence * BINS as f32) as usize).min(BINS - 1)];
        bin.0 += 1;
        bin.1 += usize::from(predicted == truth);
        bin.2 += f64::from(confidence);
    }
    let filled = bins.into_iter().enumerate().filter(|(_, (rows, ..))| *rows > 0);
    filled
        .map(|(i, (rows, right, sum))| ReliabilityBin {
            from: i as f64 / BINS as f64,
            rows,
            confidence: sum / rows as f64,
            accuracy: wilson(right, rows),
        })
        .collect()
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
    let right = predictions.likeliest().into_iter().zip(predictions.truth).map(|(p, &t)| p == t);
    let mut rows: Vec<(f32, bool)> = predictions.confidences().into_iter().zip(right).collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    let counts = (1..=20).map(|i| (rows.len() * i).div_ceil(20));
    counts
        .filter(|&count| count > 0)
        .map(|count| Coverage {
            coverage: count as f64 / rows.len() as f64,
            min_confidence: f64::from(rows[count - 1].0),
            accuracy: wilson(rows[..count].iter().filter(|r| r.1).count(), count),
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
        let found = fit_temperature(made.predictions());
        assert!((found - made.number("temperature")).abs() < 1e-3, "{found}");
        let mut scaled = made.probabilities.clone();
        apply_temperature(&mut scaled, 4, found);
        let again = Predictions { probabilities: &scaled, ..made.predictions() };
        assert!((fit_temperature(again) - 1.0).abs() < 1e-3);
        assert_eq!(again.likeliest(), made.predictions().likeliest(), "scaling changes no answer");
    }

    #[test]
    fn bins_and_coverage_count_rows() {
        let probabilities = [0.95, 0.05, 0.9, 0.1, 0.55, 0.45, 0.4, 0.6];
        let predictions =
            Predictions { truth: &[0, 1, 0, 0], probabilities: &probabilities, classes: 2, ordered: false };
        let bins = reliability(predictions);
        let seen: Vec<(f64, usize, f64)> = bins.iter().map(|b| (b.from, b.rows, b.accuracy.value)).collect();
        assert_eq!(seen, [(0.5, 1, 1.0), (0.6, 1, 0.0), (0.9, 2, 0.5)]);
        let curve = risk_coverage(predictions);
        assert_eq!((curve[0].coverage, curve[0].accuracy.value), (0.25, 1.0));
        assert_eq!((curve[19].coverage, curve[19].accuracy.value), (1.0, 0.5));
        assert_eq!(curve[19].min_confidence as f32, 0.55);
    }
}
