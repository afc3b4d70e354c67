//! Support vector machines of two classes, by dual coordinate descent (Hsieh, Chang, Lin, Keerthi & Sundararajan 2008, the
//! method of LIBLINEAR): of rows, for a linear machine of any number of them, or of a kernel matrix.
//!
//! The bias is a constant input of 1, penalised like the other weights (LIBLINEAR's `-B 1`), so that each step moves one
//! row alone; whoever makes a kernel matrix adds 1 to it.
//!
//! Own code, because no crate serves: linfa-svm 0.8 makes the kernel matrix anew for each class and each penalty, from dense
//! rows alone, and weighs classes, not rows; smartcore 0.7 stops after two passes, without weights; liblinear 1.0 (2019) is
//! C++.

use faer::MatRef;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::inputs::Sparse;

/// What a row costs whose answer, times its sign, is `m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// max(0, 1 - m).
    Hinge,
    /// max(0, 1 - m)².
    SquaredHinge,
}

/// When the descent ends.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Greatest step along which the dual still falls, in units of the answers.
    pub tolerance: f64,
    /// Most passes over all rows.
    pub passes: usize,
}

/// A machine as the descent moves it: a weighted sum of rows.
pub trait Machine {
    /// Its answer to a row it learns from.
    fn answer(&self, row: usize) -> f64;

    /// Product of a row with itself.
    fn length(&self, row: usize) -> f64;

    /// Add `by` times a row.
    fn add(&mut self, row: usize, by: f64);
}

/// A machine of which the kernel matrix of the rows is known.
pub struct OfKernel<'a> {
    kernel: MatRef<'a, f64>,
    /// To each row.
    answers: Vec<f64>,
}

impl<'a> OfKernel<'a> {
    /// All answers 0; `kernel` is `rows × rows`, symmetric.
    pub fn new(kernel: MatRef<'a, f64>) -> Self {
        Self { kernel, answers: vec![0.0; kernel.nrows()] }
    }
}

impl Machine for OfKernel<'_> {
    fn answer(&self, row: usize) -> f64 {
        self.answers[row]
    }

    fn length(&self, row: usize) -> f64 {
        self.kernel[(row, row)]
    }

    fn add(&mut self, row: usize, by: f64) {
        let with = |(answer, kernel): (&mut f64, &f64)| *answer += by * kernel;
        self.answers.iter_mut().zip(self.kernel.col(row).iter()).for_each(with);
    }
}

/// Rows for linear machines: a dense part and, where there is one, a sparse part, each times a factor, and a 1.
pub struct LinearRows<'a> {
    /// `rows × width`, row-major.
    pub dense: &'a [f32],
    /// Length of a dense row.
    pub width: usize,
    /// The sparse part and its factor.
    pub sparse: Option<(&'a Sparse, f64)>,
}

/// A linear machine.
pub struct OfRows<'a> {
    rows: &'a LinearRows<'a>,
    /// Of the dense part.
    dense: Vec<f64>,
    /// Of the sparse part, times its factor.
    sparse: Vec<f64>,
    bias: f64,
}

impl<'a> OfRows<'a> {
    /// All weights 0.
    pub fn new(rows: &'a LinearRows<'a>) -> Self {
        let columns = rows.sparse.map_or(0, |(sparse, _)| sparse.width);
        Self { rows, dense: vec![0.0; rows.width], sparse: vec![0.0; columns], bias: 0.0 }
    }

    /// Its answer to a row of `rows`, which have the widths of those it learned from.
    pub fn answer_to(&self, rows: &LinearRows<'_>, row: usize) -> f64 {
        let of = |(value, weight): (&f32, &f64)| f64::from(*value) * weight;
        let dense: f64 = rows.dense_row(row).iter().zip(&self.dense).map(of).sum();
        let sparse: f64 = rows.sparse.map_or(0.0, |(sparse, _)| {
            sparse.row(row).map(|(column, value)| f64::from(value) * self.sparse[column]).sum()
        });
        self.bias + dense + sparse
    }
}

impl LinearRows<'_> {
    fn dense_row(&self, row: usize) -> &[f32] {
        &self.dense[row * self.width..(row + 1) * self.width]
    }
}

impl Machine for OfRows<'_> {
    fn answer(&self, row: usize) -> f64 {
        self.answer_to(self.rows, row)
    }

    fn length(&self, row: usize) -> f64 {
        let square = |value: f32| f64::from(value).powi(2);
        let dense: f64 = self.rows.dense_row(row).iter().map(|&v| square(v)).sum();
        let sparse = self.rows.sparse.map_or(0.0, |(sparse, factor)| {
            sparse.row(row).map(|(_, value)| square(value)).sum::<f64>() * factor.powi(2)
        });
        1.0 + dense + sparse
    }

    fn add(&mut self, row: usize, by: f64) {
        let with = |(weight, value): (&mut f64, &f32)| *weight += by * f64::from(*value);
        self.dense.iter_mut().zip(self.rows.dense_row(row)).for_each(with);
        if let Some((sparse, factor)) = self.rows.sparse {
            // Kept times the factor once more, so that an answer needs none.
            let by = by * factor.powi(2);
            sparse.row(row).for_each(|(column, value)| self.sparse[column] += by * f64::from(value));
        }
        self.bias += by;
    }
}

/// Teach a `machine` that starts at 0, and return each row's share α·sign in it.
///
/// Minimises ½‖w‖² + Σ cost · loss(sign · answer) over the rows; `signs` are ±1, `costs` positive. The order of the rows is
/// drawn anew by `seed` for each pass.
pub fn teach(
    machine: &mut impl Machine,
    signs: &[f64],
    costs: &[f64],
    loss: Loss,
    limits: Limits,
    seed: u64,
) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut order: Vec<usize> = (0..signs.len()).collect();
    let mut shares = vec![0.0; signs.len()];
    let lengths: Vec<f64> = order.iter().map(|&row| machine.length(row)).collect();
    for _ in 0..limits.passes {
        order.shuffle(&mut rng);
        let mut greatest = 0.0f64;
        for &row in &order {
            let (most, diagonal) = bounds(costs[row], loss);
            let alpha = shares[row] * signs[row];
            let slope = signs[row] * machine.answer(row) - 1.0 + diagonal * alpha;
            // At a bound, what points out of it is no slope.
            let inside = (alpha > 0.0 || slope < 0.0) && (alpha < most || slope > 0.0);
            if !inside || slope == 0.0 {
                continue;
            }
            greatest = greatest.max(slope.abs());
            let moved = (alpha - slope / (lengths[row] + diagonal)).clamp(0.0, most) - alpha;
            shares[row] += moved * signs[row];
            machine.add(row, moved * signs[row]);
        }
        if greatest < limits.tolerance {
            break;
        }
    }
    shares
}

/// Greatest α of a row, and what its loss adds to the diagonal of the dual.
fn bounds(cost: f64, loss: Loss) -> (f64, f64) {
    match loss {
        Loss::Hinge => (cost, 0.0),
        Loss::SquaredHinge => (f64::INFINITY, 0.5 / cost),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use faer::Mat;
    use rand::RngExt;
    use serde::Deserialize;

    const EXACT: Limits = Limits { tolerance: 1e-9, passes: 100_000 };

    /// Points in a square with a constant, whether they lie inside a circle, and what each costs.
    fn circle(count: usize) -> (Vec<[f64; 2]>, Vec<f64>, Vec<f64>) {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let points: Vec<[f64; 2]> =
            (0..count).map(|_| [rng.random_range(-1.0..1.0), rng.random_range(-1.0..1.0)]).collect();
        let signs = points.iter().map(|[a, b]| if a * a + b * b < 0.5 { 1.0 } else { -1.0 }).collect();
        let costs = (0..count).map(|i| 1.0 + (i % 3) as f64).collect();
        (points, signs, costs)
    }

    fn gaussian(a: &[[f64; 2]], b: &[[f64; 2]]) -> Mat<f64> {
        let squared = |i: usize, j: usize| (0..2).map(|d| (a[i][d] - b[j][d]).powi(2)).sum::<f64>();
        Mat::from_fn(a.len(), b.len(), |i, j| 1.0 + (-2.0 * squared(i, j)).exp())
    }

    /// At the optimum the dual is as high as the primal is low.
    #[test]
    fn the_duality_gap_closes_and_a_circle_is_separated() {
        let (points, signs, costs) = circle(120);
        let kernel = gaussian(&points, &points);
        for loss in [Loss::Hinge, Loss::SquaredHinge] {
            let mut machine = OfKernel::new(kernel.as_ref());
            let shares = teach(&mut machine, &signs, &costs, loss, EXACT, 1);
            let length: f64 = shares.iter().zip(&machine.answers).map(|(share, answer)| share * answer).sum();
            let (mut primal, mut dual) = (length / 2.0, -length / 2.0);
            for row in 0..points.len() {
                let (most, diagonal) = bounds(costs[row], loss);
                let alpha = shares[row] * signs[row];
                assert!((0.0..=most).contains(&alpha));
                let slack = (1.0 - signs[row] * machine.answers[row]).max(0.0);
                primal += costs[row] * if loss == Loss::Hinge { slack } else { slack * slack };
                dual += alpha - diagonal * alpha * alpha / 2.0;
            }
            assert!((primal - dual).abs() < 1e-6 * primal, "{loss:?}: {primal} {dual}");
            let asked = [[0.0, 0.1], [0.9, 0.9], [-0.95, 0.2]];
            let answers = gaussian(&asked, &points);
            let answer = |i: usize| (0..points.len()).map(|j| answers[(i, j)] * shares[j]).sum::<f64>();
            assert!(answer(0) > 0.0 && answer(1) < 0.0 && answer(2) < 0.0);
        }
    }

    /// The same machine by rows and by the matrix of their products.
    #[test]
    fn rows_and_their_kernel_make_the_same_machine() {
        let (points, signs, costs) = circle(60);
        let dense: Vec<f32> = points.iter().flatten().map(|&v| v as f32).collect();
        let sparse = Sparse {
            width: 5,
            ends: (1..=60).collect(),
            columns: (0..60).map(|i| i % 5).collect(),
            values: (0..60).map(|i| (i as f32).sin()).collect(),
        };
        let rows = LinearRows { dense: &dense, width: 2, sparse: Some((&sparse, 0.5)) };
        let whole = |row: usize| {
            let mut values = vec![1.0, f64::from(dense[2 * row]), f64::from(dense[2 * row + 1])];
            values.resize(8, 0.0);
            sparse.row(row).for_each(|(column, value)| values[3 + column] = 0.5 * f64::from(value));
            values
        };
        let of = |i: usize, j: usize| whole(i).iter().zip(whole(j)).map(|(a, b)| a * b).sum::<f64>();
        let kernel = Mat::from_fn(60, 60, of);
        for loss in [Loss::Hinge, Loss::SquaredHinge] {
            let (mut by_rows, mut by_kernel) = (OfRows::new(&rows), OfKernel::new(kernel.as_ref()));
            teach(&mut by_rows, &signs, &costs, loss, EXACT, 1);
            teach(&mut by_kernel, &signs, &costs, loss, EXACT, 2);
            for row in 0..60 {
                assert!((by_rows.answer(row) - by_kernel.answer(row)).abs() < 1e-6);
                assert!((by_rows.length(row) - kernel[(row, row)]).abs() < 1e-9);
            }
        }
    }

    #[derive(Deserialize)]
    struct Reference {
        train: Vec<Vec<f32>>,
        signs: Vec<f64>,
        costs: Vec<f64>,
        test: Vec<Vec<f32>>,
        gamma: f64,
        linear: Vec<Answers>,
        gaussian: Vec<Answers>,
    }

    #[derive(Deserialize)]
    struct Answers {
        loss: String,
        answers: Vec<f64>,
    }

    /// scikit-learn's `LinearSVC`, on the rows and on a Gaussian kernel's Cholesky factor (`scripts/reference_svm.py`).
    #[test]
    fn answers_agree_with_scikit_learn() {
        let reference: Reference = serde_json::from_str(include_str!("../../tests/golden/svm.json")).unwrap();
        let loss = |name: &str| if name == "hinge" { Loss::Hinge } else { Loss::SquaredHinge };
        let width = reference.train[0].len();
        let [train, test] = [&reference.train, &reference.test].map(|rows| rows.concat());
        let [train, test] = [&train, &test].map(|dense| LinearRows { dense, width, sparse: None });
        for expected in &reference.linear {
            let mut machine = OfRows::new(&train);
            teach(&mut machine, &reference.signs, &reference.costs, loss(&expected.loss), EXACT, 1);
            for (row, answer) in expected.answers.iter().enumerate() {
                assert!((machine.answer_to(&test, row) - answer).abs() < 1e-5, "{}", expected.loss);
            }
        }
        let squared = |a: &[f32], b: &[f32]| {
            a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>()
        };
        let kernel = |a: &[Vec<f32>], b: &[Vec<f32>]| {
            Mat::from_fn(a.len(), b.len(), |i, j| 1.0 + (-reference.gamma * squared(&a[i], &b[j])).exp())
        };
        let own = kernel(&reference.train, &reference.train);
        let asked = kernel(&reference.test, &reference.train);
        for expected in &reference.gaussian {
            let mut machine = OfKernel::new(own.as_ref());
            let shares =
                teach(&mut machine, &reference.signs, &reference.costs, loss(&expected.loss), EXACT, 1);
            for (row, answer) in expected.answers.iter().enumerate() {
                let found: f64 = shares.iter().enumerate().map(|(j, share)| share * asked[(row, j)]).sum();
                assert!((found - answer).abs() < 1e-4, "{}: {found} {answer}", expected.loss);
            }
        }
    }
}
