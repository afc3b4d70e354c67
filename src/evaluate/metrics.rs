//! All figures of one part, each with its interval.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::figure::{Figure, Predictions, Scores, class_scores};
use super::interval::{Estimate, stratified_bootstrap, wilson};

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

/// Figures of one part, each with its 95 % interval: Wilson for accuracy, the stratified bootstrap for the rest.
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
}

impl Metrics {
    /// One of the figures.
    ///
    /// # Panics
    /// If the figure needs ordered classes and these are not.
    pub fn of(&self, figure: Figure) -> Estimate {
        self.figures[&figure]
    }
}

/// All figures of `predictions`, with bootstrap intervals drawn from `seed`. `names` are the classes' names.
pub fn evaluate(predictions: Predictions<'_>, names: &[String], seed: u64) -> Metrics {
    let (scores, strata) = (Scores::new(predictions), predictions.strata());
    let figures: Vec<Figure> = predictions.figures().collect();
    let estimates = stratified_bootstrap(&strata, seed, |rows| {
        let table = scores.confusion(rows);
        let per_class = (0..predictions.classes).flat_map(|class| class_scores(&table, class));
        scores.figures(rows).into_iter().chain(per_class).collect()
    });
    let (whole, per_class) = estimates.split_at(figures.len());
    let right = predictions.truth.iter().zip(predictions.likeliest()).filter(|(t, p)| *t == p).count();
    let mut figures: BTreeMap<Figure, Estimate> = figures.into_iter().zip(whole.iter().copied()).collect();
    figures.insert(Figure::Accuracy, wilson(right, predictions.truth.len()));
    let per_class = per_class
        .chunks_exact(3)
        .enumerate()
        .map(|(class, estimates)| ClassMetrics {
            class: names[class].clone(),
            support: strata[class].len(),
            precision: estimates[0],
            recall: estimates[1],
            f1: estimates[2],
        })
        .collect();
    let all: Vec<usize> = (0..predictions.truth.len()).collect();
    Metrics { rows: all.len(), figures, per_class, confusion: scores.confusion(&all) }
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
            assert!((estimate.value - expected).abs() < 2e-6, "{figure:?}: {} {expected}", estimate.value);
            assert!(estimate.low < estimate.high, "{figure:?}");
            // The resampled ECE is biased upwards, so its own value may lie below the interval.
            let inside = estimate.low <= estimate.value && estimate.value <= estimate.high;
            assert!(inside || *figure == Figure::Ece, "{figure:?}: {estimate:?}");
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
        let predictions =
            Predictions { truth: &[0, 0], probabilities: &[0.9, 0.1, 0.8, 0.2], classes: 2, ordered: false };
        let metrics = evaluate(predictions, &["a".into(), "b".into()], 1);
        assert_eq!(metrics.of(Figure::MacroF1).value, 1.0);
        assert_eq!((metrics.per_class[1].support, metrics.per_class[1].f1.value), (0, 0.0));
        assert!(!metrics.figures.contains_key(&Figure::QuadraticKappa), "these classes have no order");
    }
}
