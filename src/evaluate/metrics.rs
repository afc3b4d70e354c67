//! Figures of one part. Definitions follow scikit-learn: precision, recall and F1 are 0 where nothing was predicted or
//! nothing is there, and macro-F1 is the plain mean over the classes that have rows.

use serde::{Deserialize, Serialize};

use super::interval::{Estimate, stratified_bootstrap, wilson};

/// A model's answers on some rows.
#[derive(Clone, Copy)]
pub struct Predictions<'a> {
    /// True class of each row.
    pub truth: &'a [usize],
    /// `rows × classes` probabilities, row-major; each row adds up to 1.
    pub probabilities: &'a [f32],
    /// Number of classes.
    pub classes: usize,
}

impl Predictions<'_> {
    /// The likeliest class of each row; of equals the first.
    pub fn likeliest(&self) -> Vec<usize> {
        self.probabilities
            .chunks_exact(self.classes)
            .map(|row| (1..row.len()).fold(0, |best, c| if row[c] > row[best] { c } else { best }))
            .collect()
    }
}

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

/// Figures of one part, each with its 95 % interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Rows evaluated.
    pub rows: usize,
    /// Share of rows whose likeliest class is right (Wilson interval).
    pub accuracy: Estimate,
    /// Mean F1 over the classes that have rows (stratified bootstrap, as all below).
    pub macro_f1: Estimate,
    /// Mean of -log of the probability given to the true class, in nats; lower is better.
    pub log_loss: Estimate,
    /// Figures of each class.
    pub per_class: Vec<ClassMetrics>,
    /// Rows of each true class (outer) by predicted class (inner).
    pub confusion: Vec<Vec<usize>>,
}

/// All figures of `predictions`, with bootstrap intervals drawn from `seed`.
pub fn evaluate(predictions: Predictions<'_>, names: &[String], seed: u64) -> Metrics {
    let classes = predictions.classes;
    let (truth, predicted) = (predictions.truth, predictions.likeliest());
    let mut strata = vec![Vec::new(); classes];
    truth.iter().enumerate().for_each(|(row, &class)| strata[class].push(row));

    let confusion_of = |rows: &[usize]| {
        let mut table = vec![vec![0usize; classes]; classes];
        rows.iter().for_each(|&row| table[truth[row]][predicted[row]] += 1);
        table
    };
    let loss_of_row = |row: usize| {
        let given = f64::from(predictions.probabilities[row * classes + truth[row]]);
        -given.max(f64::from(f32::EPSILON)).ln()
    };
    // Order: macro-F1, log loss, then precision, recall, F1 of each class.
    let estimates = stratified_bootstrap(&strata, seed, |rows| {
        let table = confusion_of(rows);
        let scores: Vec<[f64; 3]> = (0..classes).map(|class| class_scores(&table, class)).collect();
        let supported: Vec<f64> =
            (0..classes).filter(|&c| !strata[c].is_empty()).map(|c| scores[c][2]).collect();
        let loss = rows.iter().map(|&row| loss_of_row(row)).sum::<f64>() / rows.len().max(1) as f64;
        let macro_f1 = supported.iter().sum::<f64>() / supported.len().max(1) as f64;
        [macro_f1, loss].into_iter().chain(scores.into_iter().flatten()).collect()
    });

    let right = truth.iter().zip(&predicted).filter(|(t, p)| t == p).count();
    let per_class = (0..classes)
        .map(|class| {
            let [precision, recall, f1] = [0, 1, 2].map(|i| estimates[2 + 3 * class + i]);
            ClassMetrics { class: names[class].clone(), support: strata[class].len(), precision, recall, f1 }
        })
        .collect();
    Metrics {
        rows: truth.len(),
        accuracy: wilson(right, truth.len()),
        macro_f1: estimates[0],
        log_loss: estimates[1],
        per_class,
        confusion: confusion_of(&(0..truth.len()).collect::<Vec<_>>()),
    }
}

/// Precision, recall and F1 of one class from a confusion table (truth outer, prediction inner).
fn class_scores(table: &[Vec<usize>], class: usize) -> [f64; 3] {
    let share = |part: usize, whole: usize| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    let hits = table[class][class];
    let (predicted, support) =
        (table.iter().map(|row| row[class]).sum::<usize>(), table[class].iter().sum::<usize>());
    [share(hits, predicted), share(hits, support), share(2 * hits, predicted + support)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values from scikit-learn 1.9: `precision_recall_fscore_support`, `f1_score(average="macro")`, `log_loss`.
    #[test]
    fn figures_agree_with_scikit_learn() {
        let truth = [0, 0, 0, 1, 1, 2, 2, 2, 2];
        #[rustfmt::skip]
        let probabilities = [
            0.7, 0.2, 0.1, 0.3, 0.5, 0.2, 0.6, 0.2, 0.2, 0.1, 0.8, 0.1, 0.2, 0.3, 0.5,
            0.1, 0.1, 0.8, 0.2, 0.2, 0.6, 0.5, 0.1, 0.4, 0.05, 0.05, 0.9,
        ];
        let predictions = Predictions { truth: &truth, probabilities: &probabilities, classes: 3 };
        assert_eq!(predictions.likeliest(), [0, 1, 0, 1, 2, 2, 2, 0, 2]);
        let names = ["a".to_owned(), "b".into(), "c".into()];
        let metrics = evaluate(predictions, &names, 1);
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} {b}");
        close(metrics.accuracy.value, 6.0 / 9.0);
        close(metrics.macro_f1.value, 0.6388888888888888);
        close(metrics.log_loss.value, 0.5838011278092207);
        for (class, f1) in metrics.per_class.iter().zip([2.0 / 3.0, 0.5, 0.75]) {
            close(class.f1.value, f1);
            assert!(class.f1.low <= class.f1.value && class.f1.value <= class.f1.high);
        }
        assert_eq!(metrics.confusion, [[2, 1, 0], [0, 1, 1], [1, 0, 3]]);
        assert_eq!(metrics, evaluate(predictions, &names, 1), "the same seed gives the same intervals");
    }

    #[test]
    fn a_class_without_rows_or_predictions_is_zero_and_out_of_the_mean() {
        let predictions = Predictions { truth: &[0, 0], probabilities: &[0.9, 0.1, 0.8, 0.2], classes: 2 };
        let metrics = evaluate(predictions, &["a".into(), "b".into()], 1);
        assert_eq!(metrics.macro_f1.value, 1.0);
        assert_eq!((metrics.per_class[1].support, metrics.per_class[1].f1.value), (0, 0.0));
    }
}
