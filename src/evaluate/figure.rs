//! The figures of a classifier, by name, and what they are made of.

use serde::{Deserialize, Serialize};

use super::resample::Sample;
use crate::heads::likeliest;

/// A figure of a whole part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Share of rows whose answer is right.
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
    /// Mean of -log of the probability of the true class, in nats; a probability is taken as 2^-23 at least.
    LogLoss,
    /// Expected calibration error of the likeliest class, in `[0, 1]`: 15 equal-width bins (Guo et al. 2017), less what chance
    /// brings about in so few rows (Kumar, Liang & Ma 2019).
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
            Self::LogLoss => [0.0, -f64::from(f32::EPSILON).ln()],
            Self::Brier => [0.0, 2.0],
        }
    }

    /// Whether it needs ordered classes.
    pub fn needs_order(self) -> bool {
        matches!(self, Self::QuadraticKappa | Self::ClassError)
    }

    /// Whether it is of probabilities, not of answers alone.
    pub fn needs_probabilities(self) -> bool {
        matches!(self, Self::LogLoss | Self::Ece | Self::Brier)
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
    /// Group of near-duplicates of each row; without, every row stands for itself.
    pub groups: Option<&'a [usize]>,
    /// The answer given to each row; without, its likeliest class.
    pub decided: Option<&'a [usize]>,
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

    /// The answer to each row: what was decided, or the likeliest class, of equals the first.
    pub fn answers(&self) -> Vec<usize> {
        let likeliest = || self.probabilities.chunks_exact(self.classes).map(likeliest).collect();
        self.decided.map_or_else(likeliest, <[usize]>::to_vec)
    }

    /// The probability of the answer to each row.
    pub fn confidences(&self) -> Vec<f32> {
        self.probabilities.chunks_exact(self.classes).zip(self.answers()).map(|(row, a)| row[a]).collect()
    }

    /// The figures that these predictions have.
    pub fn figures(&self) -> impl Iterator<Item = Figure> {
        let ordered = self.ordered;
        Figure::ALL.into_iter().filter(move |f| ordered || !f.needs_order())
    }

    /// The rows as intervals are drawn from them.
    pub(super) fn sample(&self) -> Sample {
        Sample::new(self.truth.len(), self.groups)
    }
}
