//! From left-out answers to logits: a logistic regression on them.

use faer::Mat;

use super::problem::{Problem, Solved};
use crate::heads::dense::{floats, log_sum_exp};
use crate::heads::head::Score;
use crate::heads::{BlockKind, Labelled, LogisticRegression, Matrix, places};

/// Penalties (C, ascending) that the logistic regression chooses from, and its most steps.
pub const CS: [f64; 5] = [0.001, 0.01, 0.1, 1.0, 10.0];
const ITERATIONS: u64 = 1000;

/// What makes logits of answers.
pub struct Stack {
    /// `outputs × outputs`: where a block is classes, the regression's weights; values pass.
    pub matrix: Mat<f64>,
    /// `outputs`.
    pub bias: Vec<f32>,
    /// For each block of classes, the penalty that was chosen.
    pub penalties: Vec<f64>,
}

impl Problem<'_> {
    /// The answer to each row of a fit without its group, `rows × outputs`, row-major.
    pub fn answers(&self, solved: &Solved) -> Vec<f32> {
        floats(&self.with_means(solved.left_out.clone()))
    }

    /// From `answers`, `rows × outputs`, to logits, learned on the rows `asked`; with `penalties`, one for each block of classes,
    /// these are not chosen.
    pub fn stack(&self, answers: &[f32], asked: &[usize], penalties: Option<&[f64]>) -> Stack {
        let width = self.y.nrows();
        let (mut matrix, mut bias, mut chosen) = (Mat::zeros(width, width), vec![0.0; width], Vec::new());
        for ((own, block), truth) in places(self.blocks).zip(&self.truth) {
            match block.kind {
                BlockKind::Values => own.for_each(|i| matrix[(i, i)] = 1.0),
                BlockKind::Classes => {
                    let rows: Vec<usize> = asked.iter().copied().filter(|&r| truth[r].is_some()).collect();
                    let tried = penalties.map_or(&CS[..], |fixed| &fixed[chosen.len()..=chosen.len()]);
                    let stacked = self.stacked(answers, &rows, truth, block.width, tried);
                    chosen.push(stacked.penalty);
                    for (class, output) in own.enumerate() {
                        for from in 0..width {
                            matrix[(output, from)] = stacked.weights[class * width + from];
                        }
                        bias[output] = stacked.intercepts[class] as f32;
                    }
                }
            }
        }
        Stack { matrix, bias, penalties: chosen }
    }

    /// The penalty with the least loss on rows that the logistic regression has not seen.
    pub fn penalty(&self, answers: &[f32]) -> f64 {
        self.stacked(answers, &self.asked(), &self.truth[0], self.blocks[0].width, &CS).penalty
    }

    /// Mean log loss and accuracy of the label: of the logistic regression taught on every other group asked, for the rest.
    pub fn left_out_score(&self, answers: &[f32], asked: &[usize], penalties: &[f64]) -> Score {
        let (width, truth, classes) = (self.y.nrows(), &self.truth[0], self.blocks[0].width);
        let hands = self.groups.deal(asked, 2);
        let [learn, ask] = [&hands[0], &hands[1]];
        let stacked = self.stacked(answers, learn, truth, classes, penalties);
        let (mut loss, mut right) = (0.0, 0);
        for &row in ask {
            let x = &answers[row * width..(row + 1) * width];
            let logit = |class: usize| {
                let weights = &stacked.weights[class * width..(class + 1) * width];
                stacked.intercepts[class] + weights.iter().zip(x).map(|(w, &x)| w * f64::from(x)).sum::<f64>()
            };
            let logits: Vec<f64> = (0..classes).map(logit).collect();
            let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let own = logits[truth[row].unwrap_or(0)];
            loss += log_sum_exp(logits.iter().copied()) - own;
            right += usize::from(own == most);
        }
        let count = ask.len().max(1) as f64;
        Score { loss: loss / count, accuracy: right as f64 / count }
    }
    /// A logistic regression on the answers to `rows`. The penalty is the one of `penalties` that does best on a quarter of
    /// the groups when taught on the others.
    fn stacked(
        &self,
        answers: &[f32],
        rows: &[usize],
        truth: &[Option<usize>],
        classes: usize,
        penalties: &[f64],
    ) -> Stacked {
        let width = self.y.nrows();
        let column = |i: usize| rows.iter().map(move |&r| f64::from(answers[r * width + i]));
        let n = rows.len().max(1) as f64;
        let (mut means, mut scales) = (Vec::new(), Vec::new());
        for i in 0..width {
            let mean = column(i).sum::<f64>() / n;
            let variance = column(i).map(|v| (v - mean).powi(2)).sum::<f64>() / n;
            means.push(mean);
            scales.push(variance.sqrt().max(1e-6));
        }
        let inputs = |rows: &[usize]| {
            let scaled = rows.iter().flat_map(|&r| {
                let row = &answers[r * width..(r + 1) * width];
                row.iter().zip(means.iter().zip(&scales)).map(|(&v, (m, s))| (f64::from(v) - m) / s)
            });
            Matrix::exact(width, scaled.collect())
        };
        let known = |rows: &[usize]| rows.iter().map(|&r| truth[r].unwrap_or(0)).collect::<Vec<_>>();
        let penalty = if let [only] = penalties {
            *only
        } else {
            let mut hands = self.groups.deal(rows, 4);
            let (held, mut kept) = (hands.pop().unwrap_or_default(), hands.concat());
            kept.sort_unstable();
            let [(x, y), (held_x, held_y)] = [kept, held].map(|side| (inputs(&side), known(&side)));
            let (kept, held) = (Labelled { x: &x, classes: &y }, Labelled { x: &held_x, classes: &held_y });
            LogisticRegression::best_penalty(penalties, kept, held, classes, ITERATIONS).0
        };
        let (x, y) = (inputs(rows), known(rows));
        let model = LogisticRegression::fit(&x, &y, classes, penalty, ITERATIONS, None);
        let (mut weights, mut intercepts) = model.parameters();
        for class in 0..classes {
            for i in 0..width {
                let weight = &mut weights[class * width + i];
                *weight /= scales[i];
                intercepts[class] -= *weight * means[i];
            }
        }
        Stacked { weights, intercepts, penalty }
    }
}

/// A logistic regression on answers, its inputs brought to unit variance and back.
struct Stacked {
    /// `classes × width`.
    weights: Vec<f64>,
    intercepts: Vec<f64>,
    /// The penalty (C) that was chosen.
    penalty: f64,
}
