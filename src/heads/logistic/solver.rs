//! Multinomial logistic regression with an L2 penalty, by L-BFGS or, of few weights in double precision, by Newton's method.

use faer::Mat;

use super::descent::{Cost, Limits, descend};
use super::matrix::{Layout, Matrix, Rows};
use crate::heads::dense::{exp_of_minus, solve_positive, square};
use crate::heads::lanes::Real;

/// Up to so many weights Newton's method, which needs all products of two, takes less time than L-BFGS, which needs hundreds of
/// steps to the last digits.
const FEW_WEIGHTS: usize = 400;

/// Rows whose class is known.
#[derive(Clone, Copy)]
pub struct Labelled<'a> {
    /// The rows' inputs.
    pub x: &'a Matrix,
    /// The class of each.
    pub classes: &'a [usize],
}

/// A fitted model.
#[derive(Clone, Debug)]
pub struct LogisticRegression {
    /// `classes × width`, row-major.
    weights: Vec<f64>,
    intercepts: Vec<f64>,
}

/// What is fitted, whatever the precision of the rows.
#[derive(Clone, Copy)]
struct Fit<'a> {
    targets: Targets<'a>,
    /// Number of classes.
    count: usize,
    /// Weight of the rows against that of the penalty.
    c: f64,
    start: Option<&'a LogisticRegression>,
    centre: Option<&'a LogisticRegression>,
}

impl LogisticRegression {
    /// Minimise mean cross entropy + ‖W‖² / (2 · `c` · rows), intercepts free: scikit-learn's `LogisticRegression(C=c)`.
    ///
    /// `classes` has the class of each row of `x`, below `count`; `start` is a model to begin from, zeros without one.
    /// Ends after `iterations` or when the gradient's length is below 1e-4, 1e-9 for [`Matrix::Exact`].
    pub fn fit(
        x: &Matrix,
        classes: &[usize],
        count: usize,
        c: f64,
        iterations: u64,
        start: Option<&Self>,
    ) -> Self {
        Fit { targets: Targets::Classes(classes), count, c, start, centre: None }.minimise(x, iterations)
    }

    /// As [`Self::fit`], the penalty being on what weights and intercepts differ from those of `centre` (a normal prior with
    /// that mean), where the descent begins.
    pub fn fit_around(rows: Labelled<'_>, count: usize, c: f64, iterations: u64, centre: &Self) -> Self {
        let (targets, around) = (Targets::Classes(rows.classes), Some(centre));
        Fit { targets, count, c, start: around, centre: around }.minimise(rows.x, iterations)
    }

    /// A model of these weights, `classes × width` row-major, and intercepts.
    ///
    /// # Panics
    /// If the weights are not whole rows.
    pub fn of(weights: Vec<f64>, intercepts: Vec<f64>) -> Self {
        assert!(weights.len().is_multiple_of(intercepts.len().max(1)), "whole rows");
        Self { weights, intercepts }
    }

    /// As [`Self::fit`], of rows that belong to classes in part, or count for more or less than one row: `shares` has
    /// `rows × count` shares of the classes times the weight of the row. The rows' number is the sum of all.
    pub fn fit_shares(
        x: &Matrix,
        shares: &[f32],
        count: usize,
        c: f64,
        iterations: u64,
        start: Option<&Self>,
    ) -> Self {
        Fit { targets: Targets::Shares(shares), count, c, start, centre: None }.minimise(x, iterations)
    }

    /// Fit with the penalty of `choices` (values of C, ascending) that has the least log loss on the rows `held_back` of a
    /// fit of `train`, then once more on `both` together. Classes are below `count`.
    pub fn fit_best(
        choices: &[f64],
        train: Labelled<'_>,
        held_back: Labelled<'_>,
        both: Labelled<'_>,
        count: usize,
        iterations: u64,
    ) -> Self {
        let (c, start) = Self::best_penalty(choices, train, held_back, count, iterations);
        Self::fit(both.x, both.classes, count, c, iterations, start.as_ref())
    }

    /// The penalty of `choices` (values of C, ascending) that has the least log loss on the rows `held_back` of a fit of
    /// `train`, with its model; 1 and none where there is no choice. They are tried as long as that loss falls. Classes are
    /// below `count`.
    pub fn best_penalty(
        choices: &[f64],
        train: Labelled<'_>,
        held_back: Labelled<'_>,
        count: usize,
        iterations: u64,
    ) -> (f64, Option<Self>) {
        let mut best: Option<(f64, f64, Self)> = None;
        for &c in choices {
            let last = best.as_ref().map(|(.., model)| model);
            let model = Self::fit(train.x, train.classes, count, c, iterations, last);
            let loss = model.losses(held_back).iter().sum();
            if best.as_ref().is_some_and(|(least, ..)| loss >= *least) {
                break;
            }
            best = Some((loss, c, model));
        }
        best.map_or((1.0, None), |(_, c, model)| (c, Some(model)))
    }

    /// The log loss of each row, in nats.
    pub fn losses(&self, rows: Labelled<'_>) -> Vec<f64> {
        let probabilities = self.of_rows(rows.x);
        let of_class = |(row, &class): (&[f64], &usize)| -row[class].max(f64::from(f32::EPSILON)).ln();
        probabilities.chunks_exact(self.intercepts.len()).zip(rows.classes).map(of_class).collect()
    }

    /// Weights, `classes × width` row-major, and intercepts.
    pub fn parameters(&self) -> (&[f64], &[f64]) {
        (&self.weights, &self.intercepts)
    }

    /// Class probabilities of every row of `x`, `rows × classes`, row-major.
    pub fn probabilities(&self, x: &Matrix) -> Vec<f32> {
        self.of_rows(x).iter().map(|&p| p as f32).collect()
    }

    fn of_rows(&self, x: &Matrix) -> Vec<f64> {
        match x {
            Matrix::Single(rows) => self.answers(rows),
            Matrix::Exact(rows) => self.answers(rows),
        }
    }

    fn answers<T: Real>(&self, rows: &Rows<T>) -> Vec<f64> {
        let (classes, mut answers) = (self.intercepts.len(), Vec::new());
        let layout = rows.layout(classes);
        rows.pass(&layout, &self.packed::<T>(&layout), None, |_, logits| {
            let first = answers.len();
            answers.extend(logits.iter().map(|&logit| -> f64 { logit.into() }));
            softmax(&mut answers[first..], classes, |_, _| {});
        });
        answers
    }

    fn packed<T: Real>(&self, layout: &Layout<'_>) -> Vec<T> {
        layout.pack(&self.weights, &self.intercepts)
    }
}

/// What is to be answered to each row.
#[derive(Clone, Copy)]
enum Targets<'a> {
    /// Its class.
    Classes(&'a [usize]),
    /// `rows × classes` shares, times the row's weight.
    Shares(&'a [f32]),
}

impl Fit<'_> {
    fn minimise(self, x: &Matrix, steps: u64) -> LogisticRegression {
        match x {
            Matrix::Single(rows) => self.of(rows, Limits { gradient: 1e-4, cost: 1e-9, steps }),
            Matrix::Exact(rows) => self.of(rows, Limits { gradient: 1e-9, cost: 1e-15, steps }),
        }
    }

    fn of<T: Real>(self, x: &Rows<T>, limits: Limits) -> LogisticRegression {
        let layout = x.layout(self.count);
        let rows = match self.targets {
            Targets::Classes(_) => x.count().max(1) as f64,
            // No known row is no cost, and needs no division by its weight.
            Targets::Shares(shares) => {
                let sum = shares.iter().map(|&share| f64::from(share)).sum::<f64>();
                if sum > 0.0 { sum } else { 1.0 }
            }
        };
        let mut problem = Problem {
            x,
            targets: self.targets,
            rows,
            penalty: 1.0 / (self.c * rows),
            centre: self.centre.map(|centre| centre.packed(&layout)),
            block: Vec::new(),
            layout: &layout,
            count: self.count,
        };
        let start =
            self.start.map_or_else(|| vec![T::default(); layout.len()], |start| start.packed(&layout));
        let found = descend(&mut problem, start, limits);
        let (weights, intercepts) = layout.unpack(&found);
        LogisticRegression { weights, intercepts }
    }
}

struct Problem<'a, T> {
    x: &'a Rows<T>,
    layout: &'a Layout<'a>,
    targets: Targets<'a>,
    count: usize,
    /// Their number, or the sum of their weights.
    rows: f64,
    /// Weight of half the squared length of the weights; with a centre, of what weights and intercepts differ from it.
    penalty: f64,
    centre: Option<Vec<T>>,
    /// Probabilities of a few rows.
    block: Vec<f64>,
}

impl<T: Real> Cost<T> for Problem<'_, T> {
    fn evaluate(&mut self, at: &[T], gradient: &mut [T]) -> f64 {
        let Self { x, layout, targets, count, rows, penalty, ref centre, ref mut block } = *self;
        let mut cost = 0.0;
        gradient.fill(T::default());
        x.pass(layout, at, Some(gradient), |first, logits| {
            block.clear();
            block.extend(logits.iter().map(|&logit| -> f64 { logit.into() }));
            match targets {
                Targets::Classes(classes) => {
                    softmax(block, count, |row, losses| cost += losses.of(classes[first + row]));
                    for (row, own) in block.chunks_exact_mut(count).enumerate() {
                        own[classes[first + row]] -= 1.0;
                    }
                }
                Targets::Shares(shares) => {
                    let of = |row: usize| {
                        shares[(first + row) * count..(first + row + 1) * count]
                            .iter()
                            .map(|&share| f64::from(share))
                    };
                    softmax(block, count, |row, losses| {
                        let known = of(row).enumerate().filter(|&(_, share)| share != 0.0);
                        cost += known.map(|(class, share)| share * losses.of(class)).sum::<f64>();
                    });
                    for (row, own) in block.chunks_exact_mut(count).enumerate() {
                        let weight: f64 = of(row).sum();
                        own.iter_mut().zip(of(row)).for_each(|(p, share)| *p = *p * weight - share);
                    }
                }
            }
            logits.iter_mut().zip(&*block).for_each(|(out, &residual)| *out = T::of(residual));
        });
        let (scale, penalty_there) = (T::of(1.0 / rows), T::of(penalty));
        let penalised = if centre.is_some() { layout.len() } else { layout.weights() };
        gradient.iter_mut().for_each(|g| *g = *g * scale);
        let mut length = 0.0;
        for (i, g) in gradient.iter_mut().take(penalised).enumerate() {
            let off = at[i] - centre.as_ref().map_or(T::default(), |centre| centre[i]);
            *g += penalty_there * off;
            length += off.into() * off.into();
        }
        cost / rows + penalty * length / 2.0
    }

    /// With x̃ a row's values and a 1, and p its probabilities: the second derivatives are, of a class, Σ p_c x̃ x̃ᵀ, and of all of
    /// them minus Σ u uᵀ with u = p ⊗ x̃ (Böhning 1992), plus the penalty, without which they are singular.
    fn newton_step(&mut self, at: &[T], gradient: &[T]) -> Option<Vec<T>> {
        let Self { x, layout, count, rows, penalty, .. } = *self;
        let regular = self.centre.is_some() && matches!(self.targets, Targets::Classes(_));
        if !regular || !layout.is_dense() || at.len() > FEW_WEIGHTS {
            return None;
        }
        let (weights, width) = (layout.weights(), layout.weights() / count);
        // Where the weight of a class on an input, the last of which is the 1, lies.
        let place = |class: usize, input: usize| {
            if input < width { class * width + input } else { weights + class }
        };
        let value = |row: usize, input: usize| x.values(row).get(input).map_or(1.0, |&v| v.into());
        let mut shares = Vec::with_capacity(x.count() * count);
        x.pass(layout, at, None, |_, logits| {
            let first = shares.len();
            shares.extend(logits.iter().map(|&logit| -> f64 { logit.into() }));
            softmax(&mut shares[first..], count, |_, _| {});
        });
        let mut products = Mat::zeros(at.len(), x.count());
        for (row, shares) in shares.chunks_exact(count).enumerate() {
            for (class, share) in shares.iter().enumerate() {
                (0..=width).for_each(|i| products[(place(class, i), row)] = share * value(row, i));
            }
        }
        let mut curvature = -square(products.as_ref());
        for class in 0..count {
            let root = |row: usize| shares[row * count + class].sqrt();
            let own = Mat::from_fn(width + 1, x.count(), |input, row| root(row) * value(row, input));
            let own = square(own.as_ref());
            for i in 0..=width {
                (0..=i).for_each(|j| curvature[(place(class, i), place(class, j))] += own[(i, j)]);
            }
        }
        curvature *= faer::Scale(1.0 / rows);
        (0..at.len()).for_each(|i| curvature[(i, i)] += penalty);
        let downhill = Mat::from_fn(at.len(), 1, |i, _| -gradient[i].into());
        let step = solve_positive(&curvature, downhill).ok()?;
        Some(step.col_as_slice(0).iter().map(|&v| T::of(v)).collect())
    }
}

/// Log losses of a row by its class.
struct Losses<'a> {
    /// By what each logit is below the greatest.
    below: &'a [f64],
    /// Logarithm of the sum of e to the minus those.
    log_sum: f64,
}

impl Losses<'_> {
    fn of(&self, class: usize) -> f64 {
        self.below[class] + self.log_sum
    }
}

/// Softmax in place of each row of `logits`, `rows × classes`, by the maximum of the row itself; `each` gets the row and what
/// each class would cost.
fn softmax(logits: &mut [f64], classes: usize, mut each: impl FnMut(usize, &Losses<'_>)) {
    for row in logits.chunks_exact_mut(classes) {
        let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        row.iter_mut().for_each(|logit| *logit = most - *logit);
    }
    let below = logits.to_vec();
    exp_of_minus(logits);
    for (place, (row, below)) in logits.chunks_exact_mut(classes).zip(below.chunks_exact(classes)).enumerate()
    {
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|share| *share /= sum);
        each(place, &Losses { below, log_sum: sum.ln() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::Sparse;

    const X: [[f32; 2]; 9] = [
        [0.5, 1.0],
        [1.5, 0.3],
        [-0.4, 0.9],
        [-1.2, -0.7],
        [0.1, -1.4],
        [2.0, -0.5],
        [-0.9, 0.2],
        [0.7, 0.8],
        [-0.3, -1.1],
    ];
    const CLASSES: [usize; 9] = [0, 1, 0, 2, 2, 1, 0, 1, 2];

    fn dense(rows: &[[f32; 2]]) -> Matrix {
        Matrix::dense(2, rows.as_flattened().to_vec())
    }

    fn exact(rows: &[[f32; 2]]) -> Matrix {
        Matrix::exact(2, rows.as_flattened().iter().map(|&v| f64::from(v)).collect())
    }

    /// What the order of summing decides is far below what anyone sees.
    #[test]
    fn solved_exactly_it_does_not_hang_on_the_order_of_the_rows() {
        let turned = |i: usize| (i * 4 + 2) % X.len();
        let (x, y): (Vec<_>, Vec<_>) = (0..X.len()).map(|i| (X[turned(i)], CLASSES[turned(i)])).unzip();
        let fit =
            |x: &[[f32; 2]], y: &[usize]| LogisticRegression::fit(&exact(x), y, 3, 1.0, 200, None).weights;
        let off = fit(&X, &CLASSES).iter().zip(fit(&x, &y)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off < 1e-7, "{off}");
    }

    /// Where it ends, the penalty's pull is that of the rows: with x̃ the inputs and a 1, n (w - centre) / (C n) = Σ (y - p) x̃.
    #[test]
    fn around_a_centre_a_few_of_newtons_steps_find_the_optimum() {
        let centre = LogisticRegression::of(vec![3.0, -1.0, 0.0, 4.0, -2.0, 0.5], vec![0.3, -0.8, 0.0]);
        let (x, c) = (exact(&X), 0.5);
        let fit = LogisticRegression::fit_around(Labelled { x: &x, classes: &CLASSES }, 3, c, 8, &centre);
        let answers = fit.of_rows(&x);
        for class in 0..3 {
            let missing = |row: usize| f64::from(u8::from(CLASSES[row] == class)) - answers[3 * row + class];
            let pull = |input: usize| -> f64 {
                let of = |row: usize| missing(row) * X[row].get(input).map_or(1.0, |&v| f64::from(v));
                (0..X.len()).map(of).sum()
            };
            for input in 0..2 {
                let off = (fit.weights[2 * class + input] - centre.weights[2 * class + input]) / c;
                assert!((off - pull(input)).abs() < 1e-8, "{class} {input}: {off} {}", pull(input));
            }
            let off = (fit.intercepts[class] - centre.intercepts[class]) / c;
            assert!((off - pull(2)).abs() < 1e-8, "{class}: {off} {}", pull(2));
        }
    }

    fn sparse(rows: &[[f32; 2]]) -> Matrix {
        Matrix::sparse(Sparse {
            width: 2,
            ends: (1..=rows.len()).map(|r| 2 * r).collect(),
            columns: [0, 1].repeat(rows.len()),
            values: rows.concat(),
        })
    }

    /// The first column dense, the second sparse.
    fn beside(rows: &[[f32; 2]]) -> Matrix {
        let second = Sparse {
            width: 1,
            ends: (1..=rows.len()).collect(),
            columns: vec![0; rows.len()],
            values: rows.iter().map(|row| row[1]).collect(),
        };
        Matrix::dense(1, rows.iter().map(|row| row[0]).collect()).beside(second)
    }

    /// scikit-learn 1.9: `LogisticRegression(C=c, tol=1e-8).fit(X, CLASSES).predict_proba([[0.2, 0.1], [1, -1]])`.
    #[test]
    fn probabilities_agree_with_scikit_learn() {
        for (c, expected) in [
            (1.0, [0.4092955, 0.3244432, 0.2662613, 0.0875462, 0.4654781, 0.4469758]),
            (10.0, [0.4055034, 0.3906864, 0.2038102, 0.0048698, 0.5382724, 0.4568579]),
        ] {
            let kinds =
                [(dense as fn(&[[f32; 2]]) -> Matrix, 1e-3), (sparse, 1e-3), (beside, 1e-3), (exact, 2e-7)];
            for (kind, most) in kinds {
                let model = LogisticRegression::fit(&kind(&X), &CLASSES, 3, c, 200, None);
                let probabilities = model.probabilities(&kind(&[[0.2, 0.1], [1.0, -1.0]]));
                for (p, e) in probabilities.iter().zip(expected) {
                    assert!((f64::from(*p) - e).abs() < most, "C={c}: {probabilities:?}");
                }
            }
        }
    }

    #[test]
    fn the_penalty_is_chosen_on_held_back_rows() {
        // Separable, so the least penalty wins; with held-back labels turned round, the greatest does.
        let x = dense(&[[1.0, 0.0], [0.8, 0.1], [-1.0, 0.0], [-0.7, 0.2]]);
        let sureness = |held: [usize; 2]| {
            let seen = dense(&[[0.9, 0.0], [-0.9, 0.0]]);
            let train = Labelled { x: &x, classes: &[0, 0, 1, 1] };
            let held_back = Labelled { x: &seen, classes: &held };
            let choices = [0.1, 1.0, 10.0];
            let model = LogisticRegression::fit_best(&choices, train, held_back, train, 2, 100);
            model.probabilities(&seen)[0]
        };
        assert!(sureness([0, 1]) > 0.9 && sureness([1, 0]) < 0.7);
    }
}
