//! Two models on the same rows or folds, and means over folds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, StudentsT};

use super::figure::{Figure, Predictions};
use super::interval::Estimate;
use super::resample::{Drawn, Weights};
use super::scores::{Scores, Unseen};
use super::tally::{Answered, Tally};

/// Folds whose figures are averaged.
#[derive(Clone, Copy, Debug)]
pub struct Folded {
    /// Ratio of held-out to training rows in a fold.
    pub test_over_train: f64,
    /// Rows that are held out once by all folds of a repeat.
    pub rows: usize,
}

impl Folded {
    /// k-fold cross-validation of so many rows.
    pub fn of(folds: usize, rows: usize) -> Self {
        Self { test_over_train: 1.0 / (folds as f64 - 1.0), rows }
    }
}

/// Mean of a figure over the folds of (repeated) k-fold cross-validation, with the corrected resampled t interval
/// (Nadeau & Bengio 2003; for repeated folds Bouckaert & Frank 2004): variance · (1/n + test rows / training rows).
///
/// It is of the procedure, not of one model: what heads trained like this on other rows of as many would have on the average
/// (Bates, Hastie & Tibshirani 2021). `values` has one entry a fold. With fewer than two folds the interval is everything.
/// Folds that agree to the last digit still leave open what their rows do not show: the deviation is that of Jeffreys'
/// posterior of a proportion without exception among so many rows, at least.
pub fn fold_mean(values: &[f64], folded: Folded) -> Estimate {
    let n = values.len() as f64;
    let value = values.iter().sum::<f64>() / n.max(1.0);
    if values.len() < 2 {
        return Estimate { value, low: f64::NEG_INFINITY, high: f64::INFINITY };
    }
    let variance = values.iter().map(|v| (v - value).powi(2)).sum::<f64>() / (n - 1.0);
    let rows = folded.rows as f64;
    let least = (0.5 * (rows + 0.5) / (rows + 2.0)).sqrt() / (rows + 1.0);
    let deviation = (variance * (1.0 / n + folded.test_over_train)).sqrt().max(least);
    let student = StudentsT::new(0.0, 1.0, n - 1.0).unwrap_or_else(|_| unreachable!("n - 1 is positive"));
    let half = student.inverse_cdf(0.975) * deviation;
    Estimate { value, low: value - half, high: value + half }
}

/// [`fold_mean`] of every figure; `folds` has the figures of each fold. Intervals stay inside what the figures can be for so
/// many `classes`.
pub fn fold_means(
    folds: &[BTreeMap<Figure, f64>],
    folded: Folded,
    classes: usize,
) -> BTreeMap<Figure, Estimate> {
    let means = of_each_figure(folds, folded, |fold, figure| folds[fold][&figure]);
    means.map(|(figure, mean)| (figure, mean.within(figure.range(classes)))).collect()
}

/// [`fold_mean`] of every figure of `first` minus that of `second` on the same fold.
pub fn fold_differences(
    first: &[BTreeMap<Figure, f64>],
    second: &[BTreeMap<Figure, f64>],
    folded: Folded,
) -> BTreeMap<Figure, Estimate> {
    let difference = |fold: usize, figure: Figure| first[fold][&figure] - second[fold][&figure];
    of_each_figure(first, folded, difference).collect()
}

fn of_each_figure(
    folds: &[BTreeMap<Figure, f64>],
    folded: Folded,
    value: impl Fn(usize, Figure) -> f64,
) -> impl Iterator<Item = (Figure, Estimate)> {
    let figures = folds.first().into_iter().flat_map(|fold| fold.keys().copied());
    figures.map(move |figure| {
        let values: Vec<f64> = (0..folds.len()).map(|fold| value(fold, figure)).collect();
        (figure, fold_mean(&values, folded))
    })
}

/// McNemar's exact test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct McNemar {
    /// Rows that only the first model has right.
    pub only_first: usize,
    /// Rows that only the second has right.
    pub only_second: usize,
    /// Two-sided p of a difference at least as great if both models were equally good.
    pub p: f64,
}

/// Two models compared; differences are first minus second.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Name of the first model.
    pub first: String,
    /// Name of the second.
    pub second: String,
    /// On the test rows that both have.
    pub test: ByExample,
    /// On the rows that both have out of fold.
    pub out_of_fold: ByExample,
    /// Fold by fold; absent where the folds differ.
    pub folds: Option<ByFold>,
}

/// Two models on the same rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ByExample {
    /// Rows that both models answered.
    pub rows: usize,
    /// Rows that only the first answered, and that only the second answered; they are left out.
    pub unmatched: [usize; 2],
    /// McNemar's exact test.
    pub mcnemar: McNemar,
    /// First minus second (paired Bayesian bootstrap over groups).
    pub difference: BTreeMap<Figure, Estimate>,
}

/// Two models on the same folds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ByFold {
    /// Number of folds, repeats included.
    pub folds: usize,
    /// First minus second (corrected resampled t).
    pub difference: BTreeMap<Figure, Estimate>,
}

/// McNemar's exact test (McNemar 1947, with the binomial distribution) of two answers to each row.
pub fn mcnemar(truth: &[usize], first: &[usize], second: &[usize]) -> McNemar {
    let rows = || truth.iter().zip(first.iter().zip(second));
    let only_first = rows().filter(|(t, (a, b))| a == t && b != t).count();
    let only_second = rows().filter(|(t, (a, b))| a != t && b == t).count();
    McNemar { only_first, only_second, p: sign_test(only_first, only_second) }
}

fn sign_test(first: usize, second: usize) -> f64 {
    let fair =
        Binomial::new(0.5, (first + second) as u64).unwrap_or_else(|_| unreachable!("0.5 is a probability"));
    (2.0 * fair.cdf(first.min(second) as u64)).min(1.0)
}

/// First minus second for every figure, with the Bayesian bootstrap over groups, both models on the same weighted rows.
///
/// Each draw also has half a row that only the first has right and half a row that only the second has: two models that
/// answered all rows alike need not answer new rows alike. Only a model and itself do.
///
/// Both must have the same truth, classes, order and groups.
pub fn difference(first: Predictions<'_>, second: Predictions<'_>, seed: u64) -> BTreeMap<Figure, Estimate> {
    let (a, b) = (Scores::new(first), Scores::new(second));
    let same = first.probabilities == second.probabilities || first.truth.is_empty() || first.classes < 2;
    let (mut of_a, mut of_b) = (a.rows(), b.rows());
    let minus = |(a, b): (f64, f64)| a - b;
    let of = |(a, b): (Drawn, Drawn)| Drawn { value: a.value - b.value, ..a };
    let values: Vec<Drawn> = a.drawn().into_iter().zip(b.drawn()).map(of).collect();
    let drawn = first.sample().intervals(seed, &values, |weights| {
        let unseen = if same { Default::default() } else { unseen_pair(&a, &b, weights) };
        let set = |rows: &mut [Answered]| {
            rows.iter_mut().zip(&weights.rows).for_each(|(row, &weight)| row.weight = weight);
        };
        set(&mut of_a);
        set(&mut of_b);
        let [unseen_a, unseen_b] = &unseen;
        a.figures(&of_a, unseen_a).into_iter().zip(b.figures(&of_b, unseen_b)).map(minus).collect()
    });
    let within = |(figure, drawn): (Figure, Estimate)| {
        let [least, most] = figure.range(first.classes);
        (figure, drawn.within([least - most, most - least]))
    };
    first.figures().zip(drawn).map(within).collect()
}

/// Half a row that only the first model has right, and half a row that only the second has.
fn unseen_pair(first: &Scores<'_>, second: &Scores<'_>, weights: &mut Weights) -> [Unseen; 2] {
    let mut unseen = [Unseen::default(), Unseen::default()];
    for right in [0, 1] {
        let (row, weight) = (weights.any_below(first.predicted.len()), weights.half_row());
        for (side, scores) in [first, second].into_iter().enumerate() {
            let own = scores.predicted[row];
            // What is the truth for the one that is right is another class for the other, each by its own probabilities.
            let truth = if side == right { own } else { scores.another(row, weights) };
            let answered = scores.answered(row, truth, weight);
            unseen[side].all.push(answered);
            unseen[side].any.push(answered);
            unseen[side].classes.push(answered);
        }
    }
    unseen
}

/// The plain figures of `predictions`, without intervals: for one fold of many.
pub fn point_figures(predictions: Predictions<'_>) -> BTreeMap<Figure, f64> {
    predictions.figures().zip(Scores::new(predictions).values()).collect()
}

/// Precision, recall and F1 of each class, without intervals: for one fold of many.
pub fn point_class_scores(predictions: Predictions<'_>) -> Vec<[f64; 3]> {
    let scores = Scores::new(predictions);
    let tally = Tally::of(predictions.classes, scores.rows().iter());
    (0..predictions.classes).map(|class| tally.class_scores(class)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::reference::reference;

    #[test]
    fn p_and_interval_agree_with_scipy() {
        let made = reference();
        let count = |key: &str| made.value["mcnemar"][key].as_u64().unwrap() as usize;
        let p = made.value["mcnemar"]["p"].as_f64().unwrap();
        assert!((sign_test(count("only_first"), count("only_second")) - p).abs() < 1e-9);
        assert_eq!(sign_test(0, 0), 1.0);

        let of = |key: &str| &made.value["corrected_t"][key];
        let folds: Vec<f64> = serde_json::from_value(of("folds").clone()).unwrap();
        let folded = Folded { test_over_train: of("test_over_train").as_f64().unwrap(), rows: 1000 };
        let mean = fold_mean(&folds, folded);
        assert!((mean.high - mean.value - of("half_width").as_f64().unwrap()).abs() < 1e-9, "{mean:?}");
        assert!((mean.value - 0.72).abs() < 1e-9);
        // All alike: 33 rows without a mistake say about as much as Wilson's interval of them, 0.90 to 1.
        let alike = fold_mean(&[1.0; 15], Folded::of(5, 33));
        assert!((0.9..0.97).contains(&alike.low), "{alike:?}");
    }

    #[test]
    fn a_model_does_not_differ_from_itself_and_beats_a_worse_one() {
        let made = reference();
        let same = difference(made.predictions(), made.predictions(), 1);
        assert!(same.values().all(|d| d.value == 0.0 && d.low == 0.0 && d.high == 0.0));
        let turned: Vec<f32> = made.probabilities.chunks(4).flat_map(|r| [r[1], r[2], r[3], r[0]]).collect();
        let worse = Predictions { probabilities: &turned, ..made.predictions() };
        let found = difference(made.predictions(), worse, 1);
        assert!(found[&Figure::MacroF1].low > 0.0 && found[&Figure::LogLoss].high < 0.0, "{found:?}");
        let test = mcnemar(made.predictions().truth, &made.predictions().answers(), &worse.answers());
        assert!(test.only_first > test.only_second && test.p < 1e-6);
    }
}
