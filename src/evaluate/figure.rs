//! The figures of a classifier, by name. Definitions are scikit-learn's where it has one; what is divided by 0 is 0.

use serde::{Deserialize, Serialize};

use crate::heads::likeliest;

/// Equal-width bins of the expected calibration error (Guo et al. 2017 use 15).
const ECE_BINS: usize = 15;

/// A figure of a whole part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Share of rows whose likeliest class is right.
    Accuracy,
    /// Mean recall over the classes that have rows.
    BalancedAccuracy,
    /// Mean F1 over the classes that have rows.
    MacroF1,
    /// Mean F1 weighted by the rows of each class.
    WeightedF1,
    /// Matthews's correlation for several classes (Gorodkin 2004), in `[-1, 1]`.
    Mcc,
    /// Cohen's κ with quadratic weights (Cohen 1968); ordered classes only.
    QuadraticKappa,
    /// Mean absolute difference of class indices; ordered classes only.
    ClassError,
    /// Mean of -log of the probability of the true class, in nats.
    LogLoss,
    /// Expected calibration error of the likeliest class, 15 equal-width bins (Guo et al. 2017), in `[0, 1]`.
    Ece,
    /// Mean squared distance of the probabilities to the one-hot truth (Brier 1950), in `[0, 2]`.
    Brier,
}

impl Figure {
    /// All, in the order in which they are shown.
    pub const ALL: [Figure; 10] = [
        Figure::Accuracy,
        Figure::BalancedAccuracy,
        Figure::MacroF1,
        Figure::WeightedF1,
        Figure::Mcc,
        Figure::QuadraticKappa,
        Figure::ClassError,
        Figure::LogLoss,
        Figure::Ece,
        Figure::Brier,
    ];

    /// Name in tables.
    pub fn label(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::BalancedAccuracy => "balanced accuracy",
            Self::MacroF1 => "macro-F1",
            Self::WeightedF1 => "weighted F1",
            Self::Mcc => "MCC",
            Self::QuadraticKappa => "quadratic κ",
            Self::ClassError => "class error",
            Self::LogLoss => "log loss",
            Self::Ece => "ECE",
            Self::Brier => "Brier",
        }
    }

    /// Whether a greater value is better.
    pub fn higher_is_better(self) -> bool {
        !matches!(self, Self::ClassError | Self::LogLoss | Self::Ece | Self::Brier)
    }

    /// The least and the greatest value that it can have for so many classes.
    pub fn range(self, classes: usize) -> [f64; 2] {
        match self {
            Self::Accuracy | Self::BalancedAccuracy | Self::MacroF1 | Self::WeightedF1 | Self::Ece => {
                [0.0, 1.0]
            }
            Self::Mcc | Self::QuadraticKappa => [-1.0, 1.0],
            Self::ClassError => [0.0, classes.saturating_sub(1) as f64],
            Self::LogLoss => [0.0, f64::INFINITY],
            Self::Brier => [0.0, 2.0],
        }
    }

    /// Whether it needs ordered classes.
    pub fn needs_order(self) -> bool {
        matches!(self, Self::QuadraticKappa | Self::ClassError)
    }
}

/// A model's answers on some rows.
#[derive(Clone, Copy)]
pub struct Predictions<'a> {
    /// True class of each row.
    pub truth: &'a [usize],
    /// `rows × classes` probabilities, row-major; each row adds up to 1.
    pub probabilities: &'a [f32],
    /// Number of classes.
    pub classes: usize,
    /// Whether the classes are ordered by their index.
    pub ordered: bool,
}

/// A label is contradicted with confidence when it has at most this probability …
const CONTRADICTED: f32 = 0.05;

/// … and another class at least this.
const CONTRADICTING: f32 = 0.9;

impl Predictions<'_> {
    /// Rows whose label is contradicted with confidence.
    pub fn contradicted(&self) -> usize {
        let rows = self.probabilities.chunks_exact(self.classes).zip(self.truth);
        rows.filter(|(row, truth)| row[**truth] <= CONTRADICTED && row[likeliest(row)] >= CONTRADICTING)
            .count()
    }

    /// The likeliest class of each row; of equals the first.
    pub fn likeliest(&self) -> Vec<usize> {
        self.probabilities.chunks_exact(self.classes).map(likeliest).collect()
    }

    /// The probability of the likeliest class of each row.
    pub fn confidences(&self) -> Vec<f32> {
        self.probabilities.chunks_exact(self.classes).map(|row| row[likeliest(row)]).collect()
    }

    /// The figures that these predictions have.
    pub fn figures(&self) -> impl Iterator<Item = Figure> {
        let ordered = self.ordered;
        Figure::ALL.into_iter().filter(move |f| ordered || !f.needs_order())
    }

    /// The rows of each true class.
    pub fn strata(&self) -> Vec<Vec<usize>> {
        let mut strata = vec![Vec::new(); self.classes];
        self.truth.iter().enumerate().for_each(|(row, &class)| strata[class].push(row));
        strata
    }
}

/// What the figures of any choice of rows are made of, computed once for all rows.
pub(super) struct Scores<'a> {
    predictions: Predictions<'a>,
    predicted: Vec<usize>,
    confidence: Vec<f32>,
    loss: Vec<f64>,
    brier: Vec<f64>,
}

impl<'a> Scores<'a> {
    pub fn new(predictions: Predictions<'a>) -> Self {
        let rows = || predictions.probabilities.chunks_exact(predictions.classes).zip(predictions.truth);
        let loss = |(row, &class): (&[f32], &usize)| -f64::from(row[class].max(f32::EPSILON)).ln();
        let brier = |(row, &class): (&[f32], &usize)| {
            let distance = |(c, &p): (usize, &f32)| (f64::from(p) - f64::from(u8::from(c == class))).powi(2);
            row.iter().enumerate().map(distance).sum()
        };
        Self {
            predicted: predictions.likeliest(),
            confidence: predictions.confidences(),
            loss: rows().map(loss).collect(),
            brier: rows().map(brier).collect(),
            predictions,
        }
    }

    /// Rows of each true class (outer) by predicted class (inner).
    pub fn confusion(&self, rows: &[usize]) -> Vec<Vec<usize>> {
        let mut table = vec![vec![0usize; self.predictions.classes]; self.predictions.classes];
        rows.iter().for_each(|&row| table[self.predictions.truth[row]][self.predicted[row]] += 1);
        table
    }

    /// The value of each of [`Predictions::figures`] on `rows`, which may repeat.
    pub fn figures(&self, rows: &[usize]) -> Vec<f64> {
        let table = self.confusion(rows);
        let mean = |values: &[f64]| rows.iter().map(|&r| values[r]).sum::<f64>() / rows.len().max(1) as f64;
        let one = |figure| match figure {
            Figure::Accuracy => share((0..table.len()).map(|c| table[c][c]).sum(), rows.len()),
            Figure::BalancedAccuracy => over_supported(&table, |_| 1.0, |[_, recall, _]| recall),
            Figure::MacroF1 => over_supported(&table, |_| 1.0, |[_, _, f1]| f1),
            Figure::WeightedF1 => over_supported(&table, |rows| rows as f64, |[_, _, f1]| f1),
            Figure::Mcc => mcc(&table),
            Figure::QuadraticKappa => quadratic_kappa(&table),
            Figure::ClassError => {
                let far = |&r: &usize| self.predictions.truth[r].abs_diff(self.predicted[r]);
                share(rows.iter().map(far).sum(), rows.len())
            }
            Figure::LogLoss => mean(&self.loss),
            Figure::Ece => self.ece(rows),
            Figure::Brier => mean(&self.brier),
        };
        self.predictions.figures().map(one).collect()
    }

    fn ece(&self, rows: &[usize]) -> f64 {
        let mut gaps = [0.0; ECE_BINS];
        for &row in rows {
            let confidence = self.confidence[row];
            let bin = ((confidence * ECE_BINS as f32) as usize).min(ECE_BINS - 1);
            let right = self.predicted[row] == self.predictions.truth[row];
            gaps[bin] += f64::from(u8::from(right)) - f64::from(confidence);
        }
        gaps.iter().map(|gap: &f64| gap.abs()).sum::<f64>() / rows.len().max(1) as f64
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Precision, recall and F1 of one class from a confusion table (truth outer, prediction inner).
pub(super) fn class_scores(table: &[Vec<usize>], class: usize) -> [f64; 3] {
    let hits = table[class][class];
    let (predicted, support) = (predicted_as(table, class), table[class].iter().sum::<usize>());
    [share(hits, predicted), share(hits, support), share(2 * hits, predicted + support)]
}

fn predicted_as(table: &[Vec<usize>], class: usize) -> usize {
    table.iter().map(|row| row[class]).sum()
}

/// Mean over the classes that have rows.
fn over_supported(
    table: &[Vec<usize>],
    weight: impl Fn(usize) -> f64,
    score: impl Fn([f64; 3]) -> f64,
) -> f64 {
    let (mut sum, mut weights) = (0.0, 0.0);
    for class in 0..table.len() {
        let rows = table[class].iter().sum();
        if rows > 0 {
            sum += weight(rows) * score(class_scores(table, class));
            weights += weight(rows);
        }
    }
    if weights > 0.0 { sum / weights } else { 0.0 }
}

fn mcc(table: &[Vec<usize>]) -> f64 {
    let classes = 0..table.len();
    let rows: f64 = table.iter().flatten().sum::<usize>() as f64;
    let hits: f64 = classes.clone().map(|c| table[c][c]).sum::<usize>() as f64;
    let truth: Vec<f64> = classes.clone().map(|c| table[c].iter().sum::<usize>() as f64).collect();
    let predicted: Vec<f64> = classes.map(|c| predicted_as(table, c) as f64).collect();
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let spread = |values: &[f64]| rows * rows - product(values, values);
    let scale = (spread(&predicted) * spread(&truth)).sqrt();
    if scale > 0.0 { (hits * rows - product(&truth, &predicted)) / scale } else { 0.0 }
}

fn quadratic_kappa(table: &[Vec<usize>]) -> f64 {
    let rows: f64 = table.iter().flatten().sum::<usize>() as f64;
    let (mut observed, mut expected) = (0.0, 0.0);
    for truth in 0..table.len() {
        let support = table[truth].iter().sum::<usize>() as f64;
        for predicted in 0..table.len() {
            let weight = (truth.abs_diff(predicted) as f64).powi(2);
            observed += weight * table[truth][predicted] as f64;
            expected += weight * support * predicted_as(table, predicted) as f64 / rows.max(1.0);
        }
    }
    if expected > 0.0 { 1.0 - observed / expected } else { 0.0 }
}
