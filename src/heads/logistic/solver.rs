//! Multinomial logistic regression with an L2 penalty, by L-BFGS.

use std::cell::RefCell;

use argmin::core::{CostFunction, Error, Executor, Gradient};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;
use ndarray::{Array2, ArrayView2, Axis, s};

use super::thin::DenseRows;
use crate::inputs::Sparse;

/// Input rows.
pub enum Matrix {
    /// `rows × width` values.
    Dense(Array2<f32>),
    /// The same, few columns of them, where the optimum is to be found to the last digits: float32 products and a gradient of
    /// 1e-4 leave it open by a thousandth, which then hangs on the order in which a processor sums.
    Exact(Array2<f64>),
    /// Rows of few non-zero values.
    Sparse(Sparse),
    /// `rows × width` values, and after them few of many more.
    Beside(Array2<f32>, Sparse),
}

impl Matrix {
    /// Rows of `width` values, one after the other.
    pub fn dense(width: usize, values: Vec<f32>) -> Self {
        let rows = values.len() / width.max(1);
        Self::Dense(
            Array2::from_shape_vec((rows, width), values).unwrap_or_else(|e| unreachable!("whole rows: {e}")),
        )
    }

    /// As [`Self::dense`], solved to convergence in float64.
    pub fn exact(width: usize, values: Vec<f64>) -> Self {
        let rows = values.len() / width.max(1);
        Self::Exact(
            Array2::from_shape_vec((rows, width), values).unwrap_or_else(|e| unreachable!("whole rows: {e}")),
        )
    }

    /// These rows, and `sparse` after them.
    ///
    /// # Panics
    /// If these are not [`Matrix::Dense`].
    pub fn beside(self, sparse: Sparse) -> Self {
        match self {
            Self::Dense(x) => Self::Beside(x, sparse),
            _ => panic!("only dense rows have sparse ones beside them"),
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Self::Dense(x) | Self::Beside(x, _) => x.nrows(),
            Self::Exact(x) => x.nrows(),
            Self::Sparse(x) => x.ends.len(),
        }
    }

    /// Length of a row.
    pub fn width(&self) -> usize {
        match self {
            Self::Dense(x) => x.ncols(),
            Self::Exact(x) => x.ncols(),
            Self::Sparse(x) => x.width,
            Self::Beside(x, sparse) => x.ncols() + sparse.width,
        }
    }

    /// Length of the gradient, and step of the cost, at which the descent ends.
    fn tolerances(&self) -> (f64, f64) {
        match self {
            Self::Exact(_) => (1e-9, 1e-15),
            Self::Dense(_) | Self::Sparse(_) | Self::Beside(..) => (1e-4, 1e-9),
        }
    }

    /// `rows × classes` products with `weights`, `classes × width`.
    fn product(&self, weights: ArrayView2<'_, f64>) -> Array2<f64> {
        let single = weights.mapv(|v| v as f32);
        let out = match self {
            Self::Exact(x) => return x.dot(&weights.t()),
            Self::Dense(x) => dense_product(x, single.view()),
            Self::Sparse(x) => {
                let mut out = Array2::zeros((x.ends.len(), weights.nrows()));
                add_sparse_product(x, single.view(), &mut out);
                out
            }
            Self::Beside(x, sparse) => {
                let (dense, rest) = single.view().split_at(Axis(1), x.ncols());
                let mut out = dense_product(x, dense);
                add_sparse_product(sparse, rest, &mut out);
                out
            }
        };
        out.mapv(f64::from)
    }

    /// `classes × width` sums of the rows, each weighted by its line of `residuals`, `rows × classes`.
    fn weighted_sum(&self, residuals: &Array2<f64>) -> Array2<f64> {
        let single = residuals.mapv(|v| v as f32);
        let sums = match self {
            Self::Exact(x) => return residuals.t().dot(x),
            Self::Dense(x) => dense_sum(x, &single),
            Self::Sparse(x) => sparse_sum(x, &single),
            Self::Beside(x, sparse) => {
                let (dense, rest) = (dense_sum(x, &single), sparse_sum(sparse, &single));
                let mut sums = Array2::zeros((dense.nrows(), self.width()));
                sums.slice_mut(s![.., ..x.ncols()]).assign(&dense);
                sums.slice_mut(s![.., x.ncols()..]).assign(&rest);
                sums
            }
        };
        sums.mapv(f64::from)
    }
}

/// `rows × classes` products of the rows with `weights`, `classes × width`.
fn dense_product(x: &Array2<f32>, weights: ArrayView2<'_, f32>) -> Array2<f32> {
    let mut out = Array2::zeros((x.nrows(), weights.nrows()));
    let (rows, weights) = (dense_rows(x), weights.as_standard_layout());
    rows.add_products(weights.as_slice().unwrap_or_default(), out.as_slice_mut().unwrap_or_default());
    out
}

/// `classes × width` sums of the rows, each weighted by its line of `residuals`, `rows × classes`.
fn dense_sum(x: &Array2<f32>, residuals: &Array2<f32>) -> Array2<f32> {
    let mut out = Array2::zeros((residuals.ncols(), x.ncols()));
    dense_rows(x)
        .add_weighted(residuals.as_slice().unwrap_or_default(), out.as_slice_mut().unwrap_or_default());
    out
}

/// Rows as they lie one after the other.
fn dense_rows(x: &Array2<f32>) -> DenseRows<'_> {
    DenseRows { values: x.as_slice().unwrap_or_default(), width: x.ncols() }
}

/// Add the products of the rows with `weights`, `classes × width`, to `out`, `rows × classes` in that order.
fn add_sparse_product(x: &Sparse, weights: ArrayView2<'_, f32>, out: &mut Array2<f32>) {
    let columns = weights.t().as_standard_layout().into_owned();
    let classes = columns.ncols();
    let (Some(columns), Some(out)) = (columns.as_slice(), out.as_slice_mut()) else { return };
    for (row, sums) in out.chunks_exact_mut(classes.max(1)).enumerate() {
        for (column, value) in x.row(row) {
            let weights = &columns[column * classes..(column + 1) * classes];
            sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += value * weight);
        }
    }
}

/// `classes × width` sums of the rows, each weighted by its line of `residuals`, `rows × classes`.
fn sparse_sum(x: &Sparse, residuals: &Array2<f32>) -> Array2<f32> {
    let classes = residuals.ncols();
    let mut columns = Array2::<f32>::zeros((x.width, classes));
    if let (Some(columns), Some(residuals)) = (columns.as_slice_mut(), residuals.as_slice()) {
        for (row, residuals) in residuals.chunks_exact(classes.max(1)).enumerate() {
            for (column, value) in x.row(row) {
                let sums = &mut columns[column * classes..(column + 1) * classes];
                sums.iter_mut().zip(residuals).for_each(|(sum, residual)| *sum += value * residual);
            }
        }
    }
    columns.reversed_axes()
}

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
    /// `classes × width`.
    weights: Array2<f64>,
    intercepts: Vec<f64>,
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
        Self::minimise(x, Targets::Classes(classes), count, c, iterations, start, None)
    }

    /// As [`Self::fit`], the penalty being on what weights and intercepts differ from those of `centre` (a normal prior with
    /// that mean), where the descent begins.
    pub fn fit_around(rows: Labelled<'_>, count: usize, c: f64, iterations: u64, centre: &Self) -> Self {
        let targets = Targets::Classes(rows.classes);
        Self::minimise(rows.x, targets, count, c, iterations, Some(centre), Some(centre))
    }

    /// A model of these weights, `classes × width` row-major, and intercepts.
    ///
    /// # Panics
    /// If the weights are not whole rows.
    pub fn of(weights: Vec<f64>, intercepts: Vec<f64>) -> Self {
        let (classes, all) = (intercepts.len(), weights.len());
        let weights = Array2::from_shape_vec((classes, all / classes.max(1)), weights)
            .unwrap_or_else(|e| panic!("whole rows: {e}"));
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
        Self::minimise(x, Targets::Shares(shares), count, c, iterations, start, None)
    }

    fn minimise(
        x: &Matrix,
        targets: Targets<'_>,
        count: usize,
        c: f64,
        iterations: u64,
        start: Option<&Self>,
        centre: Option<&Self>,
    ) -> Self {
        let width = x.width();
        let rows = match targets {
            Targets::Classes(_) => x.rows().max(1) as f64,
            // No known row is no cost, and needs no division by its weight.
            Targets::Shares(shares) => {
                let sum = shares.iter().map(|&share| f64::from(share)).sum::<f64>();
                if sum > 0.0 { sum } else { 1.0 }
            }
        };
        let (penalty, centre) = (1.0 / (c * rows), centre.map(Self::packed));
        let problem = Problem { x, targets, count, rows, penalty, centre, last: RefCell::default() };
        let start = start.map_or_else(|| vec![0.0; count * (width + 1)], Self::packed);
        let (gradient, cost) = x.tolerances();
        let solver = LBFGS::new(MoreThuenteLineSearch::new(), 10)
            .with_tolerance_grad(gradient)
            .and_then(|s| s.with_tolerance_cost(cost))
            .unwrap_or_else(|e| unreachable!("tolerances are positive: {e}"));
        // A line search that finds nothing better ends the descent with an error; the best point so far is then lost,
        // so the start is kept. It happens at the optimum only.
        let best = Executor::new(problem, solver)
            .configure(|state| state.param(start.clone()).max_iters(iterations))
            .run()
            .ok()
            .and_then(|mut done| done.state.take_best_param())
            .unwrap_or(start);
        let (weights, intercepts) = unpack(&best, count, width);
        Self { weights, intercepts }
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
    /// `train`, with its model; 1 and none where there is no choice. Classes are below `count`.
    pub fn best_penalty(
        choices: &[f64],
        train: Labelled<'_>,
        held_back: Labelled<'_>,
        count: usize,
        iterations: u64,
    ) -> (f64, Option<Self>) {
        let mut last: Option<Self> = None;
        let mut best: Option<(f64, f64, Self)> = None;
        for &c in choices {
            let model = Self::fit(train.x, train.classes, count, c, iterations, last.as_ref());
            let loss = model.losses(held_back).iter().sum();
            if best.as_ref().is_none_or(|(least, ..)| loss < *least) {
                best = Some((loss, c, model.clone()));
            }
            last = Some(model);
        }
        best.map_or((1.0, None), |(_, c, model)| (c, Some(model)))
    }

    /// The log loss of each row, in nats.
    pub fn losses(&self, rows: Labelled<'_>) -> Vec<f64> {
        let (probabilities, least) = (self.of_rows(rows.x), f64::from(f32::EPSILON));
        let of_class = |(row, &class): (ndarray::ArrayView1<'_, f64>, &usize)| -row[class].max(least).ln();
        probabilities.outer_iter().zip(rows.classes).map(of_class).collect()
    }

    /// Weights, `classes × width` row-major, and intercepts.
    pub fn parameters(&self) -> (Vec<f64>, Vec<f64>) {
        (self.weights.iter().copied().collect(), self.intercepts.clone())
    }

    fn packed(&self) -> Vec<f64> {
        self.weights.iter().chain(&self.intercepts).copied().collect()
    }

    /// Class probabilities of every row of `x`, `rows × classes`, row-major.
    pub fn probabilities(&self, x: &Matrix) -> Vec<f32> {
        self.of_rows(x).iter().map(|&p| p as f32).collect()
    }

    fn of_rows(&self, x: &Matrix) -> Array2<f64> {
        let mut logits = x.product(self.weights.view());
        for mut row in logits.axis_iter_mut(Axis(0)) {
            softmax(row.as_slice_mut().unwrap_or_default(), &self.intercepts);
        }
        logits
    }
}

/// Cost and gradient at a point.
#[derive(Clone)]
struct Pass {
    at: Vec<f64>,
    cost: f64,
    gradient: Vec<f64>,
}

/// What is to be answered to each row.
#[derive(Clone, Copy)]
enum Targets<'a> {
    /// Its class.
    Classes(&'a [usize]),
    /// `rows × classes` shares, times the row's weight.
    Shares(&'a [f32]),
}

struct Problem<'a> {
    x: &'a Matrix,
    targets: Targets<'a>,
    count: usize,
    /// Their number, or the sum of their weights.
    rows: f64,
    /// Weight of half the squared length of the weights; with a centre, of what weights and intercepts differ from it.
    penalty: f64,
    centre: Option<Vec<f64>>,
    /// The solver asks for cost and gradient of the same point one after the other; both come from one pass.
    last: RefCell<Option<Pass>>,
}

impl Problem<'_> {
    fn evaluate(&self, at: &[f64]) -> Pass {
        if let Some(last) = &*self.last.borrow()
            && last.at == at
        {
            return last.clone();
        }
        let (width, rows) = (self.x.width(), self.rows);
        let (weights, intercepts) = unpack(at, self.count, width);
        let mut residuals = self.x.product(weights.view());
        let mut cost = 0.0;
        for (i, mut row) in residuals.axis_iter_mut(Axis(0)).enumerate() {
            let Some(row) = row.as_slice_mut() else { continue };
            softmax(row, &intercepts);
            match self.targets {
                Targets::Classes(classes) => {
                    cost -= row[classes[i]].max(f64::MIN_POSITIVE).ln();
                    row[classes[i]] -= 1.0;
                }
                Targets::Shares(shares) => {
                    let shares = &shares[i * self.count..(i + 1) * self.count];
                    let weight: f64 = shares.iter().map(|&share| f64::from(share)).sum();
                    for (p, share) in row.iter_mut().zip(shares.iter().map(|&share| f64::from(share))) {
                        cost -= share * p.max(f64::MIN_POSITIVE).ln();
                        *p = *p * weight - share;
                    }
                }
            }
        }
        let off = |i: usize| at[i] - self.centre.as_ref().map_or(0.0, |centre| centre[i]);
        let sums = self.x.weighted_sum(&residuals);
        let mut gradient: Vec<f64> = sums.iter().map(|&g| g / rows).collect();
        gradient.extend(residuals.sum_axis(Axis(0)).iter().map(|&g| g / rows));
        let penalised = if self.centre.is_some() { at.len() } else { self.count * width };
        gradient.iter_mut().take(penalised).enumerate().for_each(|(i, g)| *g += self.penalty * off(i));
        let length: f64 = (0..penalised).map(|i| off(i).powi(2)).sum();
        let cost = cost / rows + self.penalty * length / 2.0;
        let pass = Pass { at: at.to_vec(), cost, gradient };
        *self.last.borrow_mut() = Some(pass.clone());
        pass
    }
}

impl CostFunction for Problem<'_> {
    type Param = Vec<f64>;
    type Output = f64;
    fn cost(&self, at: &Self::Param) -> Result<f64, Error> {
        Ok(self.evaluate(at).cost)
    }
}

impl Gradient for Problem<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;
    fn gradient(&self, at: &Self::Param) -> Result<Vec<f64>, Error> {
        Ok(self.evaluate(at).gradient)
    }
}

/// Weights, `classes × width`, then intercepts.
fn unpack(packed: &[f64], count: usize, width: usize) -> (Array2<f64>, Vec<f64>) {
    let weights = Array2::from_shape_fn((count, width), |(c, i)| packed[c * width + i]);
    (weights, packed[count * width..].to_vec())
}

/// Add `intercepts`, then softmax in place, by the maximum of the row itself.
fn softmax(logits: &mut [f64], intercepts: &[f64]) {
    logits.iter_mut().zip(intercepts).for_each(|(l, b)| *l += b);
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    logits.iter_mut().for_each(|l| *l = (*l - most).exp());
    let sum: f64 = logits.iter().sum();
    logits.iter_mut().for_each(|l| *l /= sum);
}

#[cfg(test)]
mod tests {
    use super::*;

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
        Matrix::Dense(Array2::from_shape_fn((rows.len(), 2), |(r, c)| rows[r][c]))
    }

    fn exact(rows: &[[f32; 2]]) -> Matrix {
        Matrix::exact(2, rows.as_flattened().iter().map(|&v| f64::from(v)).collect())
    }

    /// What the order of summing decides is far below what anyone sees.
    #[test]
    fn solved_exactly_it_does_not_hang_on_the_order_of_the_rows() {
        let turned = |i: usize| (i * 4 + 2) % X.len();
        let (x, y): (Vec<_>, Vec<_>) = (0..X.len()).map(|i| (X[turned(i)], CLASSES[turned(i)])).unzip();
        let fit = |x: &[[f32; 2]], y: &[usize]| {
            LogisticRegression::fit(&exact(x), y, 3, 1.0, 200, None).parameters().0
        };
        let off = fit(&X, &CLASSES).iter().zip(fit(&x, &y)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off < 1e-7, "{off}");
    }

    fn sparse(rows: &[[f32; 2]]) -> Matrix {
        Matrix::Sparse(Sparse {
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
