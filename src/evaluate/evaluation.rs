//! Everything that the evaluation of a model found: the content of `metrics.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::calibration::{Coverage, ReliabilityBin};
use super::decision::{Aim, Decision};
use super::diagnosis::Finding;
use super::figure::Figure;
use super::gates::Gate;
use super::interval::Estimate;
use super::metrics::{ClassMetrics, Metrics};
use super::paired::{Folded, McNemar, fold_differences, fold_mean, fold_means};
use super::sets::SetFigures;
use super::slices::Slices;
use crate::split::FoldCounts;

/// Name of the trained head among the models of an evaluation.
pub const HEAD: &str = "head";

/// The content of `metrics.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Name of the model.
    pub name: String,
    /// Version of the program that evaluated it.
    pub pipeline_version: String,
    /// Class names, in their order.
    pub classes: Vec<String>,
    /// How the head was trained.
    pub training: Training,
    /// The temperature of the probabilities, fitted out of fold; 1 leaves them as they are.
    pub temperature: f64,
    /// How calibrated probabilities become answers. Evaluations of older programs answer the likeliest class and do not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// What answers by each aim give on the rows of `out_of_fold`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_aim: Vec<AimFigures>,
    /// Figures of the head on the test part, calibrated.
    pub test: Metrics,
    /// Figures of the head on all rows outside the test part, calibrated: each answered by the head of the fold that held it out
    /// in the first repeat. Evaluations of older programs have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_fold: Option<Metrics>,
    /// Figures of the head on the validation part, calibrated. It chose the epoch, so they are a little too good.
    pub validation: Metrics,
    /// Figures of the tasks beside the label on the test part.
    #[serde(default)]
    pub tasks: Vec<TaskFigures>,
    /// How well the numbers behind the label are predicted, where it comes from a range.
    #[serde(default)]
    pub range: Vec<ValueError>,
    /// The baselines on the test part.
    pub test_baselines: Vec<TestBaseline>,
    /// Cross-validation over the rows outside the test part.
    pub cross_validation: CrossValidation,
    /// Reliability of the calibrated out-of-fold probabilities of the first repeat.
    pub reliability: Vec<ReliabilityBin>,
    /// Risk–coverage curve of the same.
    pub risk_coverage: Vec<Coverage>,
    /// How often sets of classes hold the true one. Evaluations of older programs have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sets: Vec<SetFigures>,
    /// Where the model is worse, out of fold. Evaluations of older programs do not say.
    #[serde(default)]
    pub slices: Slices,
    /// The diagnosis. A finding that only another version of the program makes is passed over when it is read.
    #[serde(deserialize_with = "known_findings")]
    pub findings: Vec<Finding>,
    /// The gates.
    pub gates: Vec<Gate>,
}

impl Evaluation {
    /// The figures of the most rows that the head was judged on: out of fold, or, of older programs, of the test part; and
    /// what they are called.
    pub fn judged(&self) -> (&Metrics, &'static str) {
        self.out_of_fold.as_ref().map_or((&self.test, "test"), |all| (all, "out of fold"))
    }
}

/// What answers that serve one aim give, out of fold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AimFigures {
    /// The aim.
    pub aim: Aim,
    /// t of the decision that is learned from all rows.
    pub exponent: f64,
    /// Accuracy, balanced accuracy, macro-F1.
    pub figures: BTreeMap<Figure, Estimate>,
}

impl AimFigures {
    /// The figures that it has.
    pub const FIGURES: [Figure; 3] = [Figure::Accuracy, Figure::BalancedAccuracy, Figure::MacroF1];
}

/// A task beside the label, on the test rows whose value is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskFigures {
    /// Its column.
    pub column: String,
    /// Its figures; the probabilities are not calibrated.
    pub metrics: Metrics,
    /// Accuracy of always answering the class most frequent in the training part.
    pub majority: Estimate,
}

/// A number that is predicted, on the test part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValueError {
    /// Its column.
    pub column: String,
    /// Mean distance of prediction and truth, in the column's unit.
    pub mean_absolute_error: Estimate,
}

/// How the head was trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// Rows of the train, validation and test part.
    pub part_rows: [usize; 3],
    /// The same of each class.
    pub class_rows: Vec<[usize; 3]>,
    /// Augmented rows, beside those of the training part.
    pub augmented: usize,
    /// Trained parameters, effective ones where the head is solved in closed form.
    pub parameters: usize,
    /// Epochs that were run.
    pub epochs: usize,
    /// The epoch that was kept.
    pub best_epoch: usize,
    /// Whether early stopping ended the training.
    pub stopped_early: bool,
    /// Whether the head is trained in epochs.
    pub has_epochs: bool,
    /// Whether the training loss is that of rows left out with their groups.
    pub left_out: bool,
    /// Whether the head learned from the validation rows, too.
    pub learned_validation: bool,
    /// Training and validation loss of the kept epoch, in nats.
    pub losses: [f64; 2],
}

/// A baseline on the test part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestBaseline {
    /// Name of the baseline.
    pub model: String,
    /// Its figures.
    pub metrics: Metrics,
    /// Head minus baseline (paired stratified bootstrap).
    pub difference: BTreeMap<Figure, Estimate>,
    /// The head is `first`.
    pub mcnemar: McNemar,
}

/// Repeated k-fold cross-validation of several models on the same folds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CrossValidation {
    /// Folds of a repeat.
    pub folds: usize,
    /// Repeats.
    pub repeats: usize,
    /// Rows that were dealt.
    pub rows: usize,
    /// Hash of the rows of every fold: two evaluations with the same one can be compared fold by fold.
    pub folds_blake3: String,
    /// Mean over the folds of the head's ECE before calibration.
    pub uncalibrated_ece: Estimate,
    /// The same of its log loss; evaluations of older programs have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncalibrated_log_loss: Option<Estimate>,
    /// The models; the head is the first.
    pub models: Vec<ModelFigures>,
}

/// One model over all folds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelFigures {
    /// Name of the model.
    pub model: String,
    /// Mean of each figure over the folds, with the corrected resampled t interval.
    pub mean: BTreeMap<Figure, Estimate>,
    /// Means of each class over the folds; its support is that of one repeat.
    pub per_class: Vec<ClassMetrics>,
    /// Head minus this model, fold by fold; absent for the head itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<BTreeMap<Figure, Estimate>>,
    /// The figures of every fold, repeat after repeat.
    pub folds: Vec<BTreeMap<Figure, f64>>,
}

/// What one model had on every fold.
#[derive(Clone, Debug)]
pub struct ModelFolds {
    /// Name of the model.
    pub model: String,
    /// The figures of every fold.
    pub figures: Vec<BTreeMap<Figure, f64>>,
    /// Precision, recall and F1 of each class of every fold.
    pub class_scores: Vec<Vec<[f64; 3]>>,
    /// Of the rows held out in the first repeat, all together.
    pub together: Metrics,
    /// The head minus this model on the same; absent for the head itself.
    pub difference: Option<BTreeMap<Figure, Estimate>>,
}

impl CrossValidation {
    /// Means and intervals of `models`, the head first, each of which has `counts.folds` · `counts.repeats` folds.
    ///
    /// `classes` are the name and the dealt rows of each class. No interval is narrower than that of the rows of all folds
    /// together, answered by the same models: a mean over folds cannot be known better than the answers that it is made of.
    pub fn new(
        counts: FoldCounts,
        classes: &[(String, usize)],
        folds_blake3: String,
        uncalibrated: &[BTreeMap<Figure, f64>],
        models: Vec<ModelFolds>,
    ) -> Self {
        let FoldCounts { folds, repeats } = counts;
        let rows = classes.iter().map(|c| c.1).sum();
        let folded = Folded::of(folds, rows);
        let head = models.first().map(|m| m.figures.clone()).unwrap_or_default();
        let summarise = |(place, of): (usize, ModelFolds)| {
            let figures = &of.figures;
            let score = |class: usize, score: usize| {
                let of_folds: Vec<f64> = of.class_scores.iter().map(|fold| fold[class][score]).collect();
                let together = &of.together.per_class[class];
                let together = [together.precision, together.recall, together.f1][score];
                fold_mean(&of_folds, folded).at_least_as_wide(together).within([0.0, 1.0])
            };
            let of_class = |(class, (name, support)): (usize, &(String, usize))| ClassMetrics {
                class: name.clone(),
                support: *support,
                precision: score(class, 0),
                recall: score(class, 1),
                f1: score(class, 2),
            };
            let mut mean = fold_means(figures, folded, classes.len());
            for (figure, mean) in &mut mean {
                *mean = mean.at_least_as_wide(of.together.of(*figure)).within(figure.range(classes.len()));
            }
            let mut difference = fold_differences(&head, figures, folded);
            for (figure, difference) in &mut difference {
                if let Some(together) = of.difference.as_ref().and_then(|d| d.get(figure)) {
                    *difference = difference.at_least_as_wide(*together);
                }
            }
            ModelFigures {
                mean,
                per_class: classes.iter().enumerate().map(of_class).collect(),
                difference: (place > 0).then_some(difference),
                model: of.model.clone(),
                folds: of.figures.clone(),
            }
        };
        let models = models.into_iter().enumerate().map(summarise).collect();
        let uncalibrated = fold_means(uncalibrated, folded, classes.len());
        Self {
            folds,
            repeats,
            rows,
            folds_blake3,
            uncalibrated_ece: uncalibrated[&Figure::Ece],
            uncalibrated_log_loss: uncalibrated.get(&Figure::LogLoss).copied(),
            models,
        }
    }

    /// Its folds.
    pub fn folded(&self) -> Folded {
        Folded::of(self.folds, self.rows)
    }
}

fn known_findings<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Finding>, D::Error> {
    let all = Vec::<serde_json::Value>::deserialize(deserializer)?;
    Ok(all.into_iter().filter_map(|finding| serde_json::from_value(finding).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_of_another_version_is_passed_over() {
        #[derive(Deserialize)]
        struct Only {
            #[serde(deserialize_with = "known_findings")]
            findings: Vec<Finding>,
        }
        let text = r#"{"findings": [
            {"ill": "permuted_labels_predicted", "finding": "a", "evidence": "b", "advice": "c"},
            {"ill": "imbalance", "finding": "a", "evidence": "b", "advice": "c"}]}"#;
        let read: Only = serde_json::from_str(text).unwrap();
        assert_eq!(
            read.findings.iter().map(|f| f.ill).collect::<Vec<_>>(),
            [crate::evaluate::Ill::Imbalance]
        );
    }
}
