//! The few dense operations that heads share: double precision, on the calling thread.
//!
//! A matrix of rows has one column a row, so that a row's numbers lie side by side as they do in the lists of floats that
//! come in and go out.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{
    LltParams, LltRegularization, cholesky_in_place, cholesky_in_place_scratch,
};
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{Accum, Mat, MatRef, Par, Spec};
use half::f16;
use half::slice::HalfFloatSliceExt;

use super::block::outputs;
use super::error::HeadError;
use super::head::{FitData, Score};
use super::lanes::{OTHERS, OWN, Real};
use super::tensors::{Floats, Numbers, TensorError, Tensors};

/// Columns of an inverse that are made at once.
const INVERSE_COLUMNS: usize = 256;

/// `rows` of `width` numbers each, as `width × rows`.
pub fn columns(rows: &[f32], width: usize) -> Mat<f64> {
    Mat::from_fn(width, rows.len() / width.max(1), |i, row| f64::from(rows[row * width + i]))
}

/// The columns one after the other.
pub fn floats(matrix: &Mat<f64>) -> Vec<f32> {
    matrix.col_iter().flat_map(|column| column.iter().map(|&v| v as f32)).collect()
}

/// `a · b`.
pub fn product(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    let mut out = Mat::zeros(a.nrows(), b.ncols());
    faer::linalg::matmul::matmul(out.as_mut(), Accum::Replace, a, b, 1.0, Par::Seq);
    out
}

/// `a · aᵀ`, of which only the lower triangle is made.
pub fn square(a: MatRef<'_, f64>) -> Mat<f64> {
    let mut out = Mat::zeros(a.nrows(), a.nrows());
    let whole = BlockStructure::Rectangular;
    let lower = BlockStructure::TriangularLower;
    let (out_view, b) = (out.as_mut(), a.transpose());
    triangular::matmul(out_view, lower, Accum::Replace, a, whole, b, whole, 1.0, Par::Seq);
    out
}

/// Points with their squared lengths.
pub struct Points {
    /// `inputs × points`.
    pub at: Mat<f64>,
    /// `points`.
    lengths: Vec<f64>,
}

impl Points {
    /// `inputs × points`.
    pub fn new(at: Mat<f64>) -> Self {
        let lengths = at.col_iter().map(|point| point.iter().map(|v| v * v).sum()).collect();
        Self { at, lengths }
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.at.ncols()
    }

    /// `own × other`: for each of the other points the squared distances of these to it.
    pub fn squared_distances(&self, other: &Self) -> Mat<f64> {
        let mut out = product(self.at.transpose(), other.at.as_ref());
        for (i, &length) in other.lengths.iter().enumerate() {
            let with = |(product, own): (&mut f64, &f64)| *product = (own + length - 2.0 * *product).max(0.0);
            out.col_as_slice_mut(i).iter_mut().zip(&self.lengths).for_each(with);
        }
        out
    }

    /// As [`Points::squared_distances`] to themselves; only the lower triangle is made.
    pub fn squared_distances_among(&self) -> Mat<f64> {
        let mut out = square(self.at.transpose());
        for (i, &length) in self.lengths.iter().enumerate() {
            let with = |(product, own): (&mut f64, &f64)| *product = (own + length - 2.0 * *product).max(0.0);
            out.col_as_slice_mut(i)[i..].iter_mut().zip(&self.lengths[i..]).for_each(with);
        }
        out
    }
}

/// Points that others are compared with, as the file of a head has them.
pub struct Remembered {
    values: Precision,
    width: usize,
}

enum Precision {
    Half(Numbers<f16>),
    Single(Floats),
}

/// Numbers that are made single precision at once.
const PIECE: usize = 256;

/// Remembered points that stay near the processor while all others go by.
const NEAR: usize = 16;

impl Remembered {
    /// Points of `width` numbers each, one after the other, rounded to half precision (11 bits, IEEE 754 binary16): of a file of
    /// rows that is half, and of a distance hardly anything, since roundings cancel out over hundreds of numbers. They stay as they
    /// are where one is too great for that (65,504).
    pub fn new(values: Vec<f32>, width: usize) -> Self {
        let half: Vec<f16> = values.iter().map(|&value| f16::from_f32(value)).collect();
        let values = match half.iter().all(|value| value.is_finite()) {
            true => Precision::Half(Numbers::Own(half)),
            false => Precision::Single(Numbers::Own(values)),
        };
        Self { values, width }
    }

    /// Those that [`Remembered::put`] saved under this name, `count` of `width` numbers each.
    ///
    /// # Errors
    /// There are none of this size, in half or single precision.
    pub fn take(tensors: &mut Tensors, name: &str, [count, width]: [usize; 2]) -> Result<Self, TensorError> {
        let values = match tensors.holds::<f16>(name) {
            true => Precision::Half(tensors.take_numbers(name, &[count, width])?),
            false => Precision::Single(tensors.take_numbers(name, &[count, width])?),
        };
        Ok(Self { values, width })
    }

    /// Add them under this name.
    pub fn put(&self, tensors: &mut Tensors, name: &str) {
        let size = [self.count(), self.width];
        match &self.values {
            Precision::Half(values) => tensors.put(name, &size, values),
            Precision::Single(values) => tensors.put(name, &size, values),
        }
    }

    /// The numbers, one point after the other.
    pub fn values(&self) -> Vec<f32> {
        match &self.values {
            Precision::Half(values) => HalfFloatSliceExt::to_f32_vec(&values[..]),
            Precision::Single(values) => values.to_vec(),
        }
    }

    /// Put the points from `first` on into `block`, at most [`NEAR`].
    fn near(&self, first: usize, block: &mut Vec<f64>) {
        let (from, to) = (first * self.width, (first + NEAR).min(self.count()) * self.width);
        block.clear();
        match &self.values {
            Precision::Half(values) => {
                let mut single = [0.0; PIECE];
                for piece in values[from..to].chunks(PIECE) {
                    let single = &mut single[..piece.len()];
                    piece.convert_to_f32_slice(single);
                    block.extend(single.iter().map(|&v| f64::from(v)));
                }
            }
            Precision::Single(values) => block.extend(values[from..to].iter().map(|&v| f64::from(v))),
        }
    }

    /// How many.
    pub fn count(&self) -> usize {
        let numbers = match &self.values {
            Precision::Half(values) => values.len(),
            Precision::Single(values) => values.len(),
        };
        numbers / self.width.max(1)
    }

    /// `own × other`: for each of the other points, of as many numbers, the squared distances of these to it.
    ///
    /// They do not depend on how many points are asked about, to the bit.
    pub fn squared_distances(&self, others: &[f64]) -> Mat<f64> {
        struct Compare<'a> {
            own: &'a Remembered,
            others: &'a [f64],
            out: &'a mut Mat<f64>,
        }

        impl pulp::WithSimd for Compare<'_> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: pulp::Simd>(self, simd: S) {
                let Self { own, others, out } = self;
                let width = own.width;
                let points = others.len() / width;
                let mut block = Vec::with_capacity(NEAR * width);
                for from in (0..own.count()).step_by(NEAR) {
                    own.near(from, &mut block);
                    let count = block.len() / width;
                    // Past the last one it is compared again, and the answer not used.
                    let of = |i: usize| i * width..(i + 1) * width;
                    for first in (0..points).step_by(OTHERS) {
                        let asked = std::array::from_fn(|i| &others[of((first + i).min(points - 1))]);
                        for pair in (0..count).step_by(OWN) {
                            let own = std::array::from_fn(|i| &block[of((pair + i).min(count - 1))]);
                            let sums = f64::squared_differences(simd, own, asked);
                            for (row, sums) in (pair..count).zip(sums) {
                                let put = |(i, sum)| out[(from + row, i)] = sum;
                                (first..points).zip(sums).for_each(put);
                            }
                        }
                    }
                }
            }
        }

        let points = others.len().checked_div(self.width).unwrap_or(0);
        let mut out = Mat::zeros(self.count(), points);
        if self.width > 0 {
            pulp::Arch::new().dispatch(Compare { own: self, others, out: &mut out });
        }
        out
    }
}

/// Each number to e to the minus that number; numbers are not negative.
pub fn exp_of_minus(numbers: &mut [f64]) {
    struct OfMinus<'a>(&'a mut [f64]);

    impl pulp::WithSimd for OfMinus<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: pulp::Simd>(self, _: S) {
            self.0.iter_mut().for_each(|number| *number = exp(-*number));
        }
    }

    // With the processor's widest vectors; the numbers are the same for any width.
    pulp::Arch::new().dispatch(OfMinus(numbers));
}

/// e to the `x`, for x ≤ 0, to the last bit but one or two; below 1e-307 it falls no further. What is no number stays so.
///
/// The standard library's is exact to the last bit, but is no code that a compiler can make vector instructions of, and of
/// a kernel matrix it would take most of the time.
#[inline(always)]
fn exp(x: f64) -> f64 {
    /// Added to a number below 2^51 and taken away again, it rounds the number to a whole one.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    /// ln 2 in two parts, the first with so few bits that whole numbers times it are exact (fdlibm's `e_exp.c`).
    const LN_2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];
    /// 1 / n! for n = 13 … 0.
    const SERIES: [f64; 14] = [
        1.0 / 6_227_020_800.0,
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ];
    let x = if x < -708.0 { -708.0 } else { x };
    // e^x = 2^k · e^r with |r| ≤ ln(2) / 2.
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    let r = (x - k * LN_2[0]) - k * LN_2[1];
    let mut sum = SERIES[0];
    for term in &SERIES[1..] {
        sum = sum * r + term;
    }
    // The last bits of `shifted` are k; as an exponent they are 2^k.
    sum * f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52)
}

/// Lower Cholesky factor of `matrix + ridge · I`; a matrix too near to singular gets a little more. Only the lower triangle
/// of the matrix is looked at. It is made anew for each attempt: there is seldom a second one, and two copies of a matrix
/// of all rows are much memory.
///
/// # Errors
/// There is none, as for numbers that are none.
pub fn cholesky(matrix: impl Fn() -> Mat<f64>, ridge: f64) -> Result<Mat<f64>, HeadError> {
    for more in [0.0, 1e-3, 1e-2] {
        let mut factor = matrix();
        let size = factor.nrows();
        (0..size).for_each(|i| factor[(i, i)] += ridge + more);
        let params = Spec::<LltParams, f64>::default();
        let mut memory = MemBuffer::new(cholesky_in_place_scratch(size, Par::Seq, params));
        let (memory, strict) = (MemStack::new(&mut memory), LltRegularization::default());
        let done = cholesky_in_place(factor.as_mut(), strict, Par::Seq, memory, Spec::default());
        if done.is_ok() {
            return Ok(factor);
        }
    }
    let problem = "the kernel matrix has no Cholesky factor; are there values that are no numbers?";
    Err(HeadError::Failed(problem.into()))
}

/// Blocks of A⁻¹ by A's lower Cholesky factor L, one for each set of rows, which are ascending: the products of the columns
/// of L⁻¹, of which some at a time are made. Of single rows that is half the work of the inverse, and none of its memory.
/// `each` gets the place of a set and its block.
///
/// # Errors
/// Those of `each`.
pub fn inverse_blocks(
    factor: &Mat<f64>,
    sets: &[Vec<usize>],
    mut each: impl FnMut(usize, Mat<f64>) -> Result<(), HeadError>,
) -> Result<(), HeadError> {
    let (mut rest, mut place) = (sets, 0);
    while !rest.is_empty() {
        let mut count = 0;
        let together = rest.iter().position(|set| {
            count += set.len();
            count >= INVERSE_COLUMNS
        });
        let (now, later) = rest.split_at(together.map_or(rest.len(), |last| last + 1));
        rest = later;
        let rows: Vec<usize> = now.iter().flatten().copied().collect();
        let first = rows.iter().copied().min().unwrap_or(0);
        let below = factor.nrows() - first;
        let mut columns =
            Mat::from_fn(below, rows.len(), |i, column| f64::from(u8::from(first + i == rows[column])));
        let lower = factor.submatrix(first, first, below, below);
        solve_lower_triangular_in_place(lower, columns.as_mut(), Par::Seq);
        let mut start = 0;
        for set in now {
            let column = |i: usize| columns.col_as_slice(start + i).iter();
            let product = |i, j| column(i).zip(column(j)).map(|(a, b)| a * b).sum::<f64>();
            each(place, Mat::from_fn(set.len(), set.len(), product))?;
            (start, place) = (start + set.len(), place + 1);
        }
    }
    Ok(())
}

/// `b` such that A · b is `right`, for a positive definite A of which only the lower triangle is looked at; a matrix too near
/// to singular gets a little more on its diagonal.
///
/// # Errors
/// As [`cholesky`].
pub fn solve_positive(a: &Mat<f64>, mut right: Mat<f64>) -> Result<Mat<f64>, HeadError> {
    let factor = cholesky(|| a.clone(), 0.0)?;
    solve_lower_triangular_in_place(factor.as_ref(), right.as_mut(), Par::Seq);
    solve_upper_triangular_in_place(factor.transpose(), right.as_mut(), Par::Seq);
    Ok(right)
}

/// Softmax in place, by the row's own maximum.
pub fn softmax(logits: &mut [f32]) {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    logits.iter_mut().for_each(|l| *l = (*l - max).exp());
    let sum: f32 = logits.iter().sum();
    logits.iter_mut().for_each(|l| *l /= sum);
}

/// The index of the greatest value; of equals the first.
pub fn likeliest(row: &[f32]) -> usize {
    (1..row.len()).fold(0, |best, c| if row[c] > row[best] { c } else { best })
}

/// Log of the sum of what has these logs.
pub fn log_sum_exp(logs: impl Iterator<Item = f64> + Clone) -> f64 {
    let most = logs.clone().fold(f64::NEG_INFINITY, f64::max);
    most + logs.map(|l| (l - most).exp()).sum::<f64>().ln()
}

/// Class-weighted cross entropy and accuracy of the label, of answers and targets of `outputs` columns.
pub fn score<T: Copy + Into<f64>>(answers: &[T], targets: &[f32], data: &FitData<'_>) -> Score {
    let outputs = outputs(data.blocks);
    let classes = data.blocks[0].width;
    let (mut loss, mut total, mut right, mut rows) = (0.0, 0.0, 0, 0);
    for (answer, target) in answers.chunks_exact(outputs).zip(targets.chunks_exact(outputs)) {
        let logit = |class: usize| -> f64 { answer[class].into() };
        let whole = log_sum_exp((0..classes).map(logit));
        for (class, (&share, &weight)) in target.iter().zip(&data.class_weights).enumerate() {
            let weight = f64::from(share) * f64::from(weight);
            // A class that counts for nothing may have the probability 0.
            if weight != 0.0 {
                loss -= weight * (logit(class) - whole);
                total += weight;
            }
        }
        let first_greatest = |value: &dyn Fn(usize) -> f64| {
            (1..classes).fold(0, |best, c| if value(c) > value(best) { c } else { best })
        };
        right += usize::from(first_greatest(&logit) == first_greatest(&|c| f64::from(target[c])));
        rows += 1;
    }
    Score { loss: loss / total, accuracy: right as f64 / rows as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heads::{Block, Rows};

    #[test]
    fn the_exponential_is_that_of_the_standard_library() {
        let inputs: Vec<f64> = (0..70_001).map(|i| f64::from(i) / 100.0).chain([1e-300, 0.0]).collect();
        let mut found = inputs.clone();
        exp_of_minus(&mut found);
        for (x, found) in inputs.iter().zip(&found) {
            let expected = (-x).exp();
            assert!((found - expected).abs() <= 4.0 * f64::EPSILON * expected, "{x}: {found} {expected}");
        }
        let mut far = [1e5, f64::INFINITY, f64::NAN];
        exp_of_minus(&mut far);
        assert!(far[0] < 1e-300 && far[1] < 1e-300 && far[2].is_nan(), "{far:?}");
    }

    /// More rows than are inverted at once.
    fn positive(size: usize) -> Mat<f64> {
        let a = Mat::from_fn(size, size, |i, j| ((i * 7 + j * 13) as f64).sin());
        let mut out = product(a.as_ref(), a.transpose());
        (0..size).for_each(|i| out[(i, i)] += 1.0);
        out
    }

    fn matrix_plus(matrix: &Mat<f64>, ridge: f64) -> Mat<f64> {
        let on = |i, j| if i == j { ridge } else { 0.0 };
        Mat::from_fn(matrix.nrows(), matrix.ncols(), |i, j| matrix[(i, j)] + on(i, j))
    }

    #[test]
    fn the_factor_times_itself_is_the_matrix_and_blocks_are_of_its_inverse() {
        let size = INVERSE_COLUMNS + 40;
        let matrix = positive(size);
        let factor = cholesky(|| matrix.clone(), 0.5).unwrap();
        let lower = Mat::from_fn(size, size, |i, j| if i >= j { factor[(i, j)] } else { 0.0 });
        let again = product(lower.as_ref(), lower.transpose());
        for i in 0..size {
            for j in 0..=i {
                let expected = matrix[(i, j)] + if i == j { 0.5 } else { 0.0 };
                assert!((again[(i, j)] - expected).abs() < 1e-9);
            }
        }
        // Each row by itself, and sets of rows that lie apart: the inverse is that of L Lᵀ x = e.
        let inverse = solve_positive(&matrix_plus(&matrix, 0.5), Mat::identity(size, size)).unwrap();
        let alone: Vec<Vec<usize>> = (0..size).map(|row| vec![row]).collect();
        let apart: Vec<Vec<usize>> = (0..5).map(|set| (set..size).step_by(5).collect()).collect();
        for sets in [alone, apart] {
            let mut seen = 0;
            let found = inverse_blocks(&factor, &sets, |set, block| {
                let rows = &sets[set];
                seen += rows.len();
                let off = |i: usize, j: usize| (inverse[(rows[i], rows[j])] - block[(i, j)]).abs();
                assert!((0..rows.len()).all(|i| (0..rows.len()).all(|j| off(i, j) < 1e-9)));
                Ok(())
            });
            assert!(found.is_ok() && seen == size);
        }
    }

    #[test]
    fn no_factor_of_what_is_no_number() {
        let mut matrix = positive(5);
        matrix[(3, 1)] = f64::NAN;
        assert!(matches!(cholesky(|| matrix.clone(), 0.1), Err(HeadError::Failed(_))));
        // Singular, but not with a little more.
        assert!(cholesky(|| Mat::zeros(3, 3), 0.0).is_ok());
    }

    #[test]
    fn distances_are_those_of_differences() {
        let [a, b] = [5, 8]
            .map(|count| Points::new(Mat::from_fn(3, count, |i, j| ((i + 3 * j * count) as f64).sin())));
        let (found, among) = (a.squared_distances(&b), b.squared_distances_among());
        for j in 0..8 {
            let off = |other: &Points, i: usize| {
                (0..3).map(|k| (other.at[(k, i)] - b.at[(k, j)]).powi(2)).sum::<f64>()
            };
            assert!((0..5).all(|i| (found[(i, j)] - off(&a, i)).abs() < 1e-12));
            assert!((j..8).all(|i| (among[(i, j)] - off(&b, i)).abs() < 1e-12));
        }
        for (width, most) in [(1, 1.0), (7, 1.0), (8, 1e6), (21, 1.0), (300, 1.0)] {
            let number = |i: usize| (i as f32 * 0.7).sin() * most;
            let own = Remembered::new((0..5 * width).map(number).collect(), width);
            let near = |(v, i): (&f32, usize)| (v - number(i)).abs() <= if most > 1.0 { 0.0 } else { 4.9e-4 };
            assert!(own.values().iter().zip(0..).all(near), "{width}");
            let others: Vec<f64> = (90..90 + 7 * width).map(|i| f64::from(number(i))).collect();
            let found = own.squared_distances(&others);
            for (j, other) in others.chunks(width).enumerate() {
                for (i, own) in own.values().chunks(width).enumerate() {
                    let off: f64 = own.iter().zip(other).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum();
                    assert!((found[(i, j)] - off).abs() < 1e-12 * off.max(1.0));
                }
                let alone = own.squared_distances(other);
                assert!((0..5).all(|i| alone[(i, 0)] == found[(i, j)]));
            }
        }
    }

    #[test]
    fn remembered_points_are_read_as_they_were_saved() {
        for values in [vec![0.1f32, -2.0, 3e-7, 4.0, 65_504.0, 0.0], vec![0.1, -2.0, 3e-7, 4.0, 1e5, 0.0]] {
            let (own, mut tensors) = (Remembered::new(values, 3), Tensors::default());
            own.put(&mut tensors, "points");
            assert!(Remembered::take(&mut tensors.clone(), "points", [3, 2]).is_err());
            let read = Remembered::take(&mut tensors, "points", [2, 3]).unwrap();
            assert_eq!((read.values(), read.count()), (own.values(), 2));
        }
    }

    #[test]
    fn the_score_is_pytorchs_weighted_cross_entropy() {
        // logits [[2,0],[0,1],[1,1]], classes 0,1,0, weights 1,3:
        // -log p = 0.126928, 0.313262, 0.693147; (0.126928 + 3*0.313262 + 0.693147) / (1+3+1) = 0.351972
        let rows = Rows { inputs: &[], terms: None, targets: &[], groups: None, distances: None };
        let data = FitData {
            inputs: 1,
            embedding_dims: 1,
            blocks: &[Block { width: 2, ..Block::default() }],
            class_weights: vec![1.0, 3.0],
            train: rows,
            validation: rows,
            seed: 1,
        };
        let found = score(&[2.0f32, 0., 0., 1., 1., 1.], &[1., 0., 0., 1., 1., 0.], &data);
        assert!((found.loss - 0.351972).abs() < 1e-5 && found.accuracy == 1.0, "{found:?}");
    }

    #[test]
    fn softmax_is_a_distribution_also_for_large_logits() {
        let mut row = [1000.0, 1001.0, -1e9];
        softmax(&mut row);
        assert!((row[0] - 0.26894143).abs() < 1e-6 && row[2] == 0.0);
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }
}
