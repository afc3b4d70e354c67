//! From left-out answers to logits: a logistic regression on them.

use std::ops::Range;

use faer::Mat;

use super::problem::{Problem, Solved};
use crate::heads::dense::{floats, log_sum_exp};
use crate::heads::groups::Groups;
use crate::heads::head::Score;
use crate::heads::{BlockKind, Labelled, LogisticRegression, Matrix, places};

/// Penalties (C, ascending) that the logistic regression chooses from, and its most steps.
pub const CS: [f64; 5] = [0.001, 0.01, 0.1, 1.0, 10.0];
const ITERATIONS: u64 = 1000;

/// A step of the regression takes as many multiplications as there are rows, times classes, times outputs. Beyond so many the factor
/// alone is taken, without a regression: of a thousand classes with a few rows each a million weights cannot be learned anyhow.
const MOST_WORK: f64 = 5e8;

/// Up to so many rows each of them is asked once to choose a penalty; of more a quarter says enough.
const FEW_ROWS: usize = 400;

/// Factors on the answers that are tried, ascending by steps of √2, and what is expected of few rows: the logarithm is normal
/// with this mean and deviation.
const FACTORS: std::ops::RangeInclusive<i32> = -2..=14;
const EXPECTED_FACTOR: [f64; 2] = [1.8, 0.7];

/// What makes logits of answers.
pub struct Stack {
    /// `outputs × outputs`: where a block is classes, the regression's weights; values pass.
    pub matrix: Mat<f64>,
    /// `outputs`.
    pub bias: Vec<f32>,
    /// For each block of classes, the penalty that was chosen.
    pub penalties: Vec<f64>,
}

/// A block of classes among the outputs.
pub struct Classes<'a> {
    own: Range<usize>,
    /// The class of each row.
    truth: &'a [Option<usize>],
}

impl Classes<'_> {
    /// As [`Groups::deal`], by these classes.
    pub fn deal(&self, groups: &Groups, rows: &[usize], count: usize) -> Vec<Vec<usize>> {
        groups.deal(rows, |row| self.truth[row].unwrap_or(0), count)
    }
}

fn is_too_much(rows: usize, classes: usize, outputs: usize) -> bool {
    rows as f64 * classes as f64 * outputs as f64 > MOST_WORK
}

/// The rows of all hands but one, ascending.
fn but(hands: &[Vec<usize>], held: usize) -> Vec<usize> {
    let mut rows = [&hands[..held], &hands[held + 1..]].concat().concat();
    rows.sort_unstable();
    rows
}

/// What the logistic regression of other groups says of a row's own class.
#[derive(Clone, Copy)]
pub struct Asked {
    pub row: usize,
    /// Its log loss, in nats.
    pub loss: f64,
    /// Whether it is the likeliest.
    pub right: bool,
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
                    let stacked = self.stacked(answers, &rows, &Classes { own: own.clone(), truth }, tried);
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

    /// The label's classes.
    pub fn label(&self) -> Classes<'_> {
        Classes { own: 0..self.blocks[0].width, truth: &self.truth[0] }
    }

    /// The penalty with the least loss on rows that the logistic regression has not seen.
    pub fn penalty(&self, answers: &[f32]) -> f64 {
        self.stacked(answers, &self.asked(), &self.label(), &CS).penalty
    }

    /// Mean log loss and accuracy of the label: of the logistic regression taught on other groups asked.
    pub fn left_out_score(&self, answers: &[f32], asked: &[usize], penalties: &[f64]) -> Score {
        let all = self.by_others(answers, asked, penalties);
        let count = all.len().max(1) as f64;
        let loss = all.iter().map(|row| row.loss).sum::<f64>() / count;
        Score { loss, accuracy: all.iter().filter(|row| row.right).count() as f64 / count }
    }

    /// Of few rows, each answered by the logistic regression of four in five of the groups asked; of many, half by that of the
    /// others.
    pub fn by_others(&self, answers: &[f32], asked: &[usize], penalties: &[f64]) -> Vec<Asked> {
        let few = asked.len() <= FEW_ROWS;
        let hands = self.label().deal(&self.groups, asked, if few { 5 } else { 2 });
        let mut out = Vec::new();
        for held in if few { 0..5 } else { 1..2 } {
            let stacked = self.stacked(answers, &but(&hands, held), &self.label(), penalties);
            out.extend(hands[held].iter().map(|&row| {
                let logits = self.logits(&stacked, answers, row);
                let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let own = logits[self.truth[0][row].unwrap_or(0)];
                Asked { row, loss: log_sum_exp(logits.iter().copied()) - own, right: own == most }
            }));
        }
        out
    }

    fn logits(&self, stacked: &Stacked, answers: &[f32], row: usize) -> Vec<f64> {
        let width = self.y.nrows();
        let x = &answers[row * width..(row + 1) * width];
        let of = |(weights, intercept): (&[f64], &f64)| {
            intercept + weights.iter().zip(x).map(|(w, &x)| w * f64::from(x)).sum::<f64>()
        };
        stacked.weights.chunks_exact(width).zip(&stacked.intercepts).map(of).collect()
    }

    /// A logistic regression on the answers to `rows`. The penalty is the one of `penalties` that does best on other groups
    /// than taught it.
    ///
    /// It is a penalty on what the weights differ from one factor on each class's own answer, so that from few rows the
    /// answers are made more or less sure and not turned round.
    fn stacked(&self, answers: &[f32], rows: &[usize], classes: &Classes<'_>, penalties: &[f64]) -> Stacked {
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
        let known = |rows: &[usize]| rows.iter().map(|&r| classes.truth[r].unwrap_or(0)).collect::<Vec<_>>();
        let count = classes.own.len();
        let iterations = if is_too_much(self.truth[0].len(), count, width) { 0 } else { ITERATIONS };
        let centre = |rows: &[usize]| {
            let (factor, shares) = self.factor(answers, rows, classes);
            let mut weights = vec![0.0; count * width];
            let mut intercepts = Vec::new();
            for (class, output) in classes.own.clone().enumerate() {
                weights[class * width + output] = factor * scales[output];
                intercepts.push(shares[class] + factor * (means[output] - self.means[(output, 0)]));
            }
            LogisticRegression::of(weights, intercepts)
        };
        let penalty = if let ([only], _) | ([only, ..], 0) = (penalties, iterations) {
            *only
        } else {
            let hands = classes.deal(&self.groups, rows, 4);
            let mut losses: Vec<Vec<f64>> = vec![Vec::new(); penalties.len()];
            for held in if rows.len() <= FEW_ROWS { 0..4 } else { 3..4 } {
                let kept = but(&hands, held);
                let (x, y, centre) = (inputs(&kept), known(&kept), centre(&kept));
                let (held_x, held_y) = (inputs(&hands[held]), known(&hands[held]));
                for (loss, &c) in losses.iter_mut().zip(penalties) {
                    let rows = Labelled { x: &x, classes: &y };
                    let model = LogisticRegression::fit_around(rows, count, c, iterations, &centre);
                    loss.extend(model.losses(Labelled { x: &held_x, classes: &held_y }));
                }
            }
            penalties[least_complex(&losses)]
        };
        let (x, y) = (inputs(rows), known(rows));
        let model = LogisticRegression::fit_around(
            Labelled { x: &x, classes: &y },
            count,
            penalty,
            iterations,
            &centre(rows),
        );
        let (weights, intercepts) = model.parameters();
        let (mut weights, mut intercepts) = (weights.to_vec(), intercepts.to_vec());
        for class in 0..count {
            for i in 0..width {
                let weight = &mut weights[class * width + i];
                *weight /= scales[i];
                intercepts[class] -= *weight * means[i];
            }
        }
        Stacked { weights, intercepts, penalty }
    }

    /// The factor f for which softmax(log share + f · (answer - mean)) is likeliest, and the logarithms of the classes' shares.
    fn factor(&self, answers: &[f32], rows: &[usize], classes: &Classes<'_>) -> (f64, Vec<f64>) {
        let (width, count) = (self.y.nrows(), classes.own.len());
        let mut shares = vec![1.0; count];
        rows.iter().filter_map(|&row| classes.truth[row]).for_each(|class| shares[class] += 1.0);
        let sum = (rows.len() + count) as f64;
        let logs: Vec<f64> = shares.iter().map(|share| f64::ln(share / sum)).collect();
        let loss = |factor: f64| {
            let [mean, deviation] = EXPECTED_FACTOR;
            let of = |&row: &usize| {
                let logit = |class: usize| {
                    let output = classes.own.start + class;
                    logs[class]
                        + factor * (f64::from(answers[row * width + output]) - self.means[(output, 0)])
                };
                log_sum_exp((0..count).map(logit)) - logit(classes.truth[row].unwrap_or(0))
            };
            ((factor.ln() - mean) / deviation).powi(2) / 2.0 + rows.iter().map(of).sum::<f64>()
        };
        let tried = FACTORS.map(|power| std::f64::consts::SQRT_2.powi(power));
        let best = tried
            .map(|factor| (factor, loss(factor)))
            .fold((1.0, f64::INFINITY), |best, new| if new.1 < best.1 { new } else { best });
        (best.0, logs)
    }
}

/// The first of some models, ascending by what they can fit, whose mean loss is not more than a standard error above the least;
/// the error is that of the rows' differences (the rule of Breiman, Friedman, Olshen & Stone 1984, section 3.4.3, paired).
fn least_complex(losses: &[Vec<f64>]) -> usize {
    let sum = |of: &[f64]| of.iter().sum::<f64>();
    let best =
        (0..losses.len()).fold(0, |best, i| if sum(&losses[i]) < sum(&losses[best]) { i } else { best });
    let near = |i: &usize| {
        let differences: Vec<f64> = losses[*i].iter().zip(&losses[best]).map(|(a, b)| a - b).collect();
        let n = differences.len().max(1) as f64;
        let mean = sum(&differences) / n;
        let variance = differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
        mean <= (variance / n).sqrt()
    };
    (0..best).find(near).unwrap_or(best)
}

/// A logistic regression on answers, its inputs brought to unit variance and back.
struct Stacked {
    /// `classes × width`.
    weights: Vec<f64>,
    intercepts: Vec<f64>,
    /// The penalty (C) that was chosen.
    penalty: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_better_by_chance_is_not_taken_for_better() {
        // The second is better by 0.1 a row, give or take 1; the third as bad as the first.
        let losses = |rows: usize| -> Vec<Vec<f64>> {
            let second = (0..rows).map(|row| 0.9 + if row % 2 == 0 { 1.0 } else { -1.0 }).collect();
            vec![vec![1.0; rows], second, vec![1.0; rows]]
        };
        assert_eq!([20, 2000].map(|rows| least_complex(&losses(rows))), [0, 1]);
    }
}
