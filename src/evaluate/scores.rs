//! From rows, weighed in whatever way, to figures. Definitions are scikit-learn's where it has one; what is divided by 0 is 0.

use super::calibration_error::{Bins, calibration_error};
use super::figure::{Figure, Predictions};
use super::resample::{Drawn, Weights};
use super::tally::{Answered, Tally};

/// What the figures of any weighing of rows are made of, computed once for all rows.
pub(super) struct Scores<'a> {
    predictions: Predictions<'a>,
    pub predicted: Vec<usize>,
    confidence: Vec<f32>,
    /// Whether a class has rows; one that has only what was not seen is none of the means'.
    supported: Vec<bool>,
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
        let classes = self.predictions.classes;
        let by_class = Tally::of(classes, rows.iter().chain(&unseen.classes));
        let over_rows = Tally::of(classes, rows.iter().chain(&unseen.any));
        let all = || rows.iter().chain(&unseen.all);
        let total: f64 = all().map(|row| row.weight).sum::<f64>().max(f64::MIN_POSITIVE);
        let mean =
            |value: &dyn Fn(&Answered) -> f64| all().map(|row| row.weight * value(row)).sum::<f64>() / total;
        let supported = &self.supported;
        let one = |figure| match figure {
            Figure::Accuracy => mean(&|row| f64::from(u8::from(row.truth == row.predicted))),
            Figure::BalancedAccuracy => by_class.over_supported(supported, |_| 1.0, |[_, recall, _]| recall),
            Figure::MacroF1 => by_class.over_supported(supported, |_| 1.0, |[_, _, f1]| f1),
            Figure::WeightedF1 => over_rows.over_supported(supported, |rows| rows, |[_, _, f1]| f1),
            Figure::Mcc => over_rows.mcc(),
            Figure::QuadraticKappa => over_rows.quadratic_kappa(),
            Figure::ClassError => over_rows.class_error(),
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
}
