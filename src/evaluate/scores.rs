//! From rows, weighed in whatever way, to figures. Definitions are scikit-learn's where it has one; what is divided by 0 is 0.

use super::calibration_error::{Bins, calibration_error};
use super::figure::{Figure, Predictions};
use super::resample::{Drawn, Weights};

/// What the figures of any weighing of rows are made of, computed once for all rows.
pub(super) struct Scores<'a> {
    predictions: Predictions<'a>,
    pub predicted: Vec<usize>,
    confidence: Vec<f32>,
    /// Whether a class has rows; one that has only what was not seen is none of the means'.
    supported: Vec<bool>,
}

/// How one row was answered, or a row that was not seen might be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered {
    pub weight: f64,
    pub truth: usize,
    pub predicted: usize,
    confidence: f64,
    loss: f64,
    brier: f64,
}

/// Rows that were not seen, with which a figure is drawn.
#[derive(Default)]
pub(super) struct Unseen {
    /// Half a row right and half a row wrong in all, by its probabilities: for figures that are made of these.
    pub all: Vec<Answered>,
    /// The same with any class instead of the likeliest ones: for figures that are made of the table of classes.
    pub any: Vec<Answered>,
    /// The same of each class: for figures that are means over the classes.
    pub classes: Vec<Answered>,
}

impl<'a> Scores<'a> {
    pub fn new(predictions: Predictions<'a>) -> Self {
        let mut supported = vec![false; predictions.classes];
        predictions.truth.iter().for_each(|&class| supported[class] = true);
        let (predicted, confidence) = (predictions.answers(), predictions.confidences());
        Self { predictions, predicted, confidence, supported }
    }

    fn probabilities(&self, row: usize) -> &'a [f32] {
        let classes = self.predictions.classes;
        &self.predictions.probabilities[row * classes..(row + 1) * classes]
    }

    /// The answer to `row`, if its true class were this one.
    pub fn answered(&self, row: usize, truth: usize, weight: f64) -> Answered {
        let probabilities = self.probabilities(row);
        let distance = |(c, &p): (usize, &f32)| (f64::from(p) - f64::from(u8::from(c == truth))).powi(2);
        Answered {
            weight,
            truth,
            predicted: self.predicted[row],
            confidence: f64::from(self.confidence[row]),
            loss: -f64::from(probabilities[truth].max(f32::EPSILON)).ln(),
            brier: probabilities.iter().enumerate().map(distance).sum(),
        }
    }

    /// The answers to all rows, each of weight 1.
    pub fn rows(&self) -> Vec<Answered> {
        let truth = self.predictions.truth.iter().enumerate();
        truth.map(|(row, &class)| self.answered(row, class, 1.0)).collect()
    }

    /// Half a row whose class is the likeliest, and half a row of another class, by its probabilities; of random rows.
    pub fn unseen(&self, weights: &mut Weights) -> Unseen {
        let mut unseen = Unseen::default();
        let (rows, classes) = (self.predictions.truth.len(), self.predictions.classes);
        if rows == 0 || classes < 2 {
            return unseen;
        }
        for wrong in [false, true] {
            let (row, weight) = (weights.any_below(rows), weights.half_row());
            let truth = if wrong { self.another(row, weights) } else { self.predicted[row] };
            unseen.all.push(self.answered(row, truth, weight));
            let any = (self.predicted[row] + 1 + weights.any_below(classes - 1)) % classes;
            let truth = if wrong { any } else { truth };
            unseen.any.push(Answered { truth, ..unseen.all[unseen.all.len() - 1] });
        }
        for class in 0..classes {
            let mut half = |predicted| {
                let weight = weights.half_row();
                Answered { weight, truth: class, predicted, confidence: 0.0, loss: 0.0, brier: 0.0 }
            };
            let right = half(class);
            let mut wrong = half(class);
            wrong.predicted = (class + 1 + weights.any_below(classes - 1)) % classes;
            unseen.classes.extend([right, wrong]);
        }
        unseen
    }

    /// A class but the likeliest one of the row.
    pub fn another(&self, row: usize, weights: &mut Weights) -> usize {
        let probabilities = self.probabilities(row).iter().enumerate();
        let shares =
            probabilities.map(|(c, &p)| if c == self.predicted[row] { 0.0 } else { f64::from(p).max(1e-9) });
        weights.any_of(shares)
    }

    /// The value of each of [`Predictions::figures`] of the answered rows; the calibration error is the plain one.
    pub fn figures(&self, rows: &[Answered], unseen: &Unseen) -> Vec<f64> {
        let table = self.confusion(rows.iter().chain(&unseen.classes));
        let over_rows = self.confusion(rows.iter().chain(&unseen.any));
        let all = || rows.iter().chain(&unseen.all);
        let total: f64 = all().map(|row| row.weight).sum::<f64>().max(f64::MIN_POSITIVE);
        let mean =
            |value: &dyn Fn(&Answered) -> f64| all().map(|row| row.weight * value(row)).sum::<f64>() / total;
        let supported = &self.supported;
        let one = |figure| match figure {
            Figure::Accuracy => mean(&|row| f64::from(u8::from(row.truth == row.predicted))),
            Figure::BalancedAccuracy => over_supported(&table, supported, |_| 1.0, |[_, recall, _]| recall),
            Figure::MacroF1 => over_supported(&table, supported, |_| 1.0, |[_, _, f1]| f1),
            Figure::WeightedF1 => over_supported(&over_rows, supported, |rows| rows, |[_, _, f1]| f1),
            Figure::Mcc => mcc(&over_rows),
            Figure::QuadraticKappa => quadratic_kappa(&over_rows),
            Figure::ClassError => class_error(&over_rows),
            Figure::LogLoss => mean(&|row| row.loss),
            Figure::Ece => {
                Bins::of(all().map(|row| (row.confidence, row.truth == row.predicted, row.weight))).error()
            }
            Figure::Brier => mean(&|row| row.brier),
        };
        self.predictions.figures().map(one).collect()
    }

    /// The plain figures of the rows at hand, to be drawn.
    pub fn drawn(&self) -> Vec<Drawn> {
        let classes = self.supported.iter().filter(|supported| **supported).count();
        let parts = |figure| match figure {
            Figure::BalancedAccuracy | Figure::MacroF1 => classes,
            // Most rows lie in a handful of its bins.
            Figure::Ece => 5,
            _ => 1,
        };
        let values = self.figures(&self.rows(), &Unseen::default());
        let of = |(figure, value)| Drawn { value, parts: parts(figure) };
        self.predictions.figures().zip(values).map(of).collect()
    }

    /// The figures of the rows at hand; the calibration error less what chance brings about.
    pub fn values(&self) -> Vec<f64> {
        let values = self.figures(&self.rows(), &Unseen::default());
        let of =
            |(figure, value)| if figure == Figure::Ece { calibration_error(self.predictions) } else { value };
        self.predictions.figures().zip(values).map(of).collect()
    }

    /// Weight of each true class (outer) by predicted class (inner).
    pub fn confusion<'r>(&self, rows: impl Iterator<Item = &'r Answered>) -> Vec<Vec<f64>> {
        let mut table = vec![vec![0.0; self.predictions.classes]; self.predictions.classes];
        rows.for_each(|row| table[row.truth][row.predicted] += row.weight);
        table
    }
}

fn share(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}

/// Precision, recall and F1 of one class from a confusion table (truth outer, prediction inner).
pub(super) fn class_scores(table: &[Vec<f64>], class: usize) -> [f64; 3] {
    let hits = table[class][class];
    let (predicted, support) = (predicted_as(table, class), table[class].iter().sum::<f64>());
    [share(hits, predicted), share(hits, support), share(2.0 * hits, predicted + support)]
}

fn predicted_as(table: &[Vec<f64>], class: usize) -> f64 {
    table.iter().map(|row| row[class]).sum()
}

/// Mean over the classes that have rows.
fn over_supported(
    table: &[Vec<f64>],
    supported: &[bool],
    weight: impl Fn(f64) -> f64,
    score: impl Fn([f64; 3]) -> f64,
) -> f64 {
    let (mut sum, mut weights) = (0.0, 0.0);
    for class in (0..table.len()).filter(|&class| supported[class]) {
        let weight = weight(table[class].iter().sum());
        sum += weight * score(class_scores(table, class));
        weights += weight;
    }
    if weights > 0.0 { sum / weights } else { 0.0 }
}

fn class_error(table: &[Vec<f64>]) -> f64 {
    let rows: f64 = table.iter().flatten().sum();
    let far = |(truth, row): (usize, &Vec<f64>)| {
        row.iter()
            .enumerate()
            .map(|(predicted, weight)| truth.abs_diff(predicted) as f64 * weight)
            .sum::<f64>()
    };
    share(table.iter().enumerate().map(far).sum(), rows)
}

fn mcc(table: &[Vec<f64>]) -> f64 {
    let classes = 0..table.len();
    let rows: f64 = table.iter().flatten().sum();
    let hits: f64 = classes.clone().map(|c| table[c][c]).sum();
    let truth: Vec<f64> = classes.clone().map(|c| table[c].iter().sum()).collect();
    let predicted: Vec<f64> = classes.map(|c| predicted_as(table, c)).collect();
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let spread = |values: &[f64]| (rows * rows - product(values, values)).max(0.0);
    let scale = (spread(&predicted) * spread(&truth)).sqrt();
    if scale > 0.0 { (hits * rows - product(&truth, &predicted)) / scale } else { 0.0 }
}

fn quadratic_kappa(table: &[Vec<f64>]) -> f64 {
    let rows: f64 = table.iter().flatten().sum();
    let (mut observed, mut expected) = (0.0, 0.0);
    for truth in 0..table.len() {
        let support = table[truth].iter().sum::<f64>();
        for predicted in 0..table.len() {
            let weight = (truth.abs_diff(predicted) as f64).powi(2);
            observed += weight * table[truth][predicted];
            expected += weight * support * predicted_as(table, predicted) / rows.max(f64::MIN_POSITIVE);
        }
    }
    if expected > 0.0 { 1.0 - observed / expected } else { 0.0 }
}
