//! All figures of one part, each with its interval.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::calibration_error::{calibration_error, miscalibration_p};
use super::figure::{Figure, Predictions};
use super::interval::Estimate;
use super::scores::Scores;

/// Figures of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// Class name.
    pub class: String,
    /// Rows of the class.
    pub support: usize,
    /// Share of the rows predicted as the class that are of it.
    pub precision: Estimate,
    /// Share of the rows of the class that are predicted as it.
    pub recall: Estimate,
    /// Harmonic mean of the two.
    pub f1: Estimate,
}

/// Figures of one part, each with the 95 % interval of what this model would have on new rows like these: Wilson's for
/// proportions, the Bayesian bootstrap over groups of near-duplicates for the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Rows evaluated.
    pub rows: usize,
    /// The figures of the whole part.
    #[serde(flatten)]
    pub figures: BTreeMap<Figure, Estimate>,
    /// Figures of each class.
    pub per_class: Vec<ClassMetrics>,
    /// Rows of each true class (outer) by predicted class (inner).
    pub confusion: Vec<Vec<usize>>,
    /// As [`miscalibration_p`]; evaluations of older programs have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub miscalibration_p: Option<f64>,
}

/// From this p on a calibration error may be chance.
pub(super) const CHANCE: f64 = 0.05;

impl Metrics {
    /// One of the figures.
    ///
    /// # Panics
    /// If the figure needs ordered classes and these are not.
    pub fn of(&self, figure: Figure) -> Estimate {
        self.figures[&figure]
    }
}

/// All figures of `predictions`, with intervals drawn from `seed`. `names` are the classes' names.
pub fn evaluate(predictions: Predictions<'_>, names: &[String], seed: u64) -> Metrics {
    let (scores, sample) = (Scores::new(predictions), predictions.sample());
    let mut rows = scores.rows();
    let (truth, predicted) = (predictions.truth, &scores.predicted);
    let drawn = sample.intervals(seed, &scores.drawn(), |weights| {
        rows.iter_mut().zip(&weights.rows).for_each(|(row, &weight)| row.weight = weight);
        scores.figures(&rows, &scores.unseen(weights))
    });
    let within =
        |(figure, drawn): (Figure, Estimate)| (figure, drawn.within(figure.range(predictions.classes)));
    let mut figures: BTreeMap<Figure, Estimate> = predictions.figures().zip(drawn).map(within).collect();
    figures.insert(Figure::Accuracy, sample.proportion(|_| true, |row| truth[row] == predicted[row]));
    let p = miscalibration_p(predictions, seed);
    // The upper end stays that of the plain error: what is taken off is known no better than the rest.
    if let Some(error) = figures.get_mut(&Figure::Ece) {
        let value = calibration_error(predictions);
        let low = if p > CHANCE { 0.0 } else { (error.low - (error.value - value)).max(0.0) };
        *error = Estimate { value, low: low.min(value), high: error.high.max(value) };
    }
    let per_class = (0..predictions.classes).map(|class| {
        let (is, said) = (|row: usize| truth[row] == class, |row: usize| predicted[row] == class);
        let hit = |row| is(row) && said(row);
        let jaccard = sample.proportion(|row| is(row) || said(row), hit);
        // F1 = 2 J / (1 + J), J the share of hits among the rows of the class or predicted as it.
        let f1 = |share: f64| 2.0 * share / (1.0 + share);
        ClassMetrics {
            class: names[class].clone(),
            support: truth.iter().filter(|t| **t == class).count(),
            precision: sample.proportion(said, hit),
            recall: sample.proportion(is, hit),
            f1: Estimate { value: f1(jaccard.value), low: f1(jaccard.low), high: f1(jaccard.high) },
        }
    });
    Metrics {
        rows: truth.len(),
        figures,
        per_class: per_class.collect(),
        confusion: confusion(predictions.classes, truth, predicted),
        miscalibration_p: Some(p),
    }
}

/// Rows of each true class (outer) by predicted class (inner).
fn confusion(classes: usize, truth: &[usize], predicted: &[usize]) -> Vec<Vec<usize>> {
    let mut table = vec![vec![0; classes]; classes];
    truth.iter().zip(predicted).for_each(|(&truth, &predicted)| table[truth][predicted] += 1);
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::reference::reference;

    #[test]
    fn figures_agree_with_scikit_learn() {
        let made = reference();
        let predictions = made.predictions();
        let names = ["a", "b", "c", "d"].map(str::to_owned);
        let metrics = evaluate(predictions, &names, 1);
        assert_eq!(metrics.figures.len(), Figure::ALL.len());
        for (figure, estimate) in &metrics.figures {
            let key = serde_json::to_value(figure).unwrap();
            let expected = made.number(key.as_str().unwrap());
            // The reference has the plain error, which is greater by what chance brings about.
            if *figure == Figure::Ece {
                assert!(
                    estimate.value < expected && estimate.value > expected / 3.0,
                    "{estimate:?} {expected}"
                );
            } else {
                assert!(
                    (estimate.value - expected).abs() < 2e-6,
                    "{figure:?}: {} {expected}",
                    estimate.value
                );
            }
            assert!(estimate.low < estimate.high, "{figure:?}");
            assert!(
                estimate.low <= estimate.value && estimate.value <= estimate.high,
                "{figure:?}: {estimate:?}"
            );
        }
        let accuracy = metrics.of(Figure::Accuracy);
        for (found, expected) in [accuracy.low, accuracy.high].iter().zip(made.numbers("wilson")) {
            assert!((found - expected).abs() < 1e-9);
        }
        for (name, of) in [
            ("precision", (|c| c.precision) as fn(&ClassMetrics) -> Estimate),
            ("recall", |c| c.recall),
            ("f1", |c| c.f1),
        ] {
            for (class, expected) in metrics.per_class.iter().zip(made.numbers(name)) {
                assert!((of(class).value - expected).abs() < 1e-9, "{name} of {}", class.class);
            }
        }
        assert_eq!(metrics, evaluate(predictions, &names, 1), "the same seed gives the same intervals");
        let json = serde_json::to_string(&metrics).unwrap();
        assert_eq!(serde_json::from_str::<Metrics>(&json).unwrap(), metrics);
    }

    #[test]
    fn a_class_without_rows_or_predictions_is_zero_and_out_of_the_mean() {
        let probabilities = [0.9, 0.1, 0.8, 0.2];
        let predictions = Predictions {
            truth: &[0, 0],
            probabilities: &probabilities,
            classes: 2,
            ordered: false,
            groups: None,
            decided: None,
        };
        let metrics = evaluate(predictions, &["a".into(), "b".into()], 1);
        assert_eq!(metrics.of(Figure::MacroF1).value, 1.0);
        assert_eq!((metrics.per_class[1].support, metrics.per_class[1].f1.value), (0, 0.0));
        assert!(!metrics.figures.contains_key(&Figure::QuadraticKappa), "these classes have no order");
    }
    /// 33 rows without a mistake, and a class of five.
    #[test]
    fn no_interval_has_width_zero() {
        let truth: Vec<usize> = (0..33).map(|row| usize::from(row < 5)).collect();
        let probabilities: Vec<f32> = truth.iter().flat_map(|&t| [1.0 - t as f32, t as f32]).collect();
        let predictions = Predictions {
            truth: &truth,
            probabilities: &probabilities,
            classes: 2,
            ordered: true,
            groups: None,
            decided: None,
        };
        let metrics = evaluate(predictions, &["a".into(), "b".into()], 1);
        for (figure, estimate) in &metrics.figures {
            let [least, most] = figure.range(2);
            assert!(estimate.low < estimate.high, "{figure:?}: {estimate:?}");
            assert!(least <= estimate.low && estimate.high <= most, "{figure:?}: {estimate:?}");
        }
        assert!((0.6..0.95).contains(&metrics.of(Figure::MacroF1).low), "{:?}", metrics.of(Figure::MacroF1));
        assert!((0.4..0.8).contains(&metrics.per_class[1].f1.low), "{:?}", metrics.per_class[1].f1);
    }
}
