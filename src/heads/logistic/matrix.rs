//! Input rows, and passes over them.

use pulp::{Simd, WithSimd};

use crate::heads::lanes::{OTHERS, OWN, Real};
use crate::inputs::Sparse;

/// Rows that are answered and then taught from while they are near: a pass loads each row once.
const ROWS_AT_ONCE: usize = 32;

/// Input rows.
pub enum Matrix {
    /// Of single precision.
    Single(Rows<f32>),
    /// Of double precision, where the optimum is to be found to the last digits: single products and a gradient of 1e-4 leave
    /// it open by a thousandth, which then hangs on the order in which a processor sums.
    Exact(Rows<f64>),
}

/// Rows of values, and after them few of many more.
pub struct Rows<T> {
    count: usize,
    /// Length of a row of values.
    width: usize,
    /// `count × width`, row-major.
    values: Vec<T>,
    sparse: Option<Columns>,
}

/// The sparse part of rows, the columns that most rows have first: their weights stay near the processor.
struct Columns {
    /// Columns are their places.
    rows: Sparse,
    /// The place of each column.
    place: Vec<u32>,
}

impl Columns {
    fn new(mut rows: Sparse) -> Self {
        let mut having = vec![0u32; rows.width];
        rows.columns.iter().for_each(|&column| having[column as usize] += 1);
        let mut order: Vec<u32> = (0..rows.width as u32).collect();
        order.sort_by_key(|&column| std::cmp::Reverse(having[column as usize]));
        let mut place = vec![0; rows.width];
        (0..).zip(order).for_each(|(at, column)| place[column as usize] = at);
        rows.columns.iter_mut().for_each(|column| *column = place[*column as usize]);
        Self { rows, place }
    }
}

impl Matrix {
    /// Rows of `width` values, one after the other.
    pub fn dense(width: usize, values: Vec<f32>) -> Self {
        Self::Single(Rows { count: values.len() / width.max(1), width, values, sparse: None })
    }

    /// As [`Self::dense`], solved to convergence in double precision.
    pub fn exact(width: usize, values: Vec<f64>) -> Self {
        Self::Exact(Rows { count: values.len() / width.max(1), width, values, sparse: None })
    }

    /// Rows of few non-zero values.
    pub fn sparse(sparse: Sparse) -> Self {
        Self::Single(Rows {
            count: sparse.ends.len(),
            width: 0,
            values: Vec::new(),
            sparse: Some(Columns::new(sparse)),
        })
    }

    /// These rows, and `sparse` after them.
    ///
    /// # Panics
    /// If these are not [`Matrix::dense`].
    pub fn beside(self, sparse: Sparse) -> Self {
        match self {
            Self::Single(Rows { width, values, sparse: None, .. }) => Self::Single(Rows {
                count: sparse.ends.len(),
                width,
                values,
                sparse: Some(Columns::new(sparse)),
            }),
            _ => panic!("only dense rows have sparse ones beside them"),
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Self::Single(rows) => rows.count,
            Self::Exact(rows) => rows.count,
        }
    }
}

/// The weights of a model as a pass needs them: first those of the values, `classes × width`, then those of the sparse part,
/// `sparse width × classes`, then an intercept a class.
pub struct Layout<'a> {
    classes: usize,
    width: usize,
    sparse: usize,
    /// The place of each column of the sparse part.
    place: &'a [u32],
}

impl Layout<'_> {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.classes * (self.width + self.sparse + 1)
    }

    /// Whether all inputs are values.
    pub fn is_dense(&self) -> bool {
        self.sparse == 0
    }

    /// The first so many are weights, the rest intercepts.
    pub fn weights(&self) -> usize {
        self.classes * (self.width + self.sparse)
    }

    /// From weights, `classes × inputs` row-major, and intercepts.
    pub fn pack<T: Real>(&self, weights: &[f64], intercepts: &[f64]) -> Vec<T> {
        let (inputs, mut packed) = (self.width + self.sparse, vec![T::default(); self.len()]);
        for (class, intercept) in intercepts.iter().enumerate() {
            for input in 0..inputs {
                packed[self.place(class, input)] = T::of(weights[class * inputs + input]);
            }
            packed[self.weights() + class] = T::of(*intercept);
        }
        packed
    }

    /// Weights, `classes × inputs` row-major, and intercepts.
    pub fn unpack<T: Real>(&self, packed: &[T]) -> (Vec<f64>, Vec<f64>) {
        let inputs = self.width + self.sparse;
        let weight = |i: usize| packed[self.place(i / inputs, i % inputs)].into();
        let weights = (0..self.weights()).map(weight).collect();
        (weights, packed[self.weights()..].iter().map(|&v| v.into()).collect())
    }

    fn place(&self, class: usize, input: usize) -> usize {
        match input.checked_sub(self.width) {
            None => class * self.width + input,
            Some(column) => self.classes * self.width + self.place[column] as usize * self.classes + class,
        }
    }
}

impl<T: Real> Rows<T> {
    /// How the weights of so many classes lie.
    pub fn layout(&self, classes: usize) -> Layout<'_> {
        let place = self.sparse.as_ref().map_or(&[][..], |sparse| &sparse.place);
        Layout { classes, width: self.width, sparse: place.len(), place }
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The values of a row.
    pub fn values(&self, row: usize) -> &[T] {
        of(&self.values, self.width, row)
    }

    /// Call `each` with the first of some rows and their logits, `rows × classes`. What it leaves there is what each row's
    /// inputs are multiplied by and added to `sums`, where there are any; as [`Layout`] says, like the `weights`.
    pub fn pass(
        &self,
        layout: &Layout<'_>,
        weights: &[T],
        mut sums: Option<&mut [T]>,
        mut each: impl FnMut(usize, &mut [T]),
    ) {
        let classes = layout.classes;
        let mut block = vec![T::default(); ROWS_AT_ONCE * classes];
        let (dense, rest) = weights.split_at(classes * layout.width);
        let (sparse, intercepts) = rest.split_at(classes * layout.sparse);
        for first in (0..self.count).step_by(ROWS_AT_ONCE) {
            let count = ROWS_AT_ONCE.min(self.count - first);
            let block = &mut block[..count * classes];
            block.chunks_exact_mut(classes).for_each(|logits| logits.copy_from_slice(intercepts));
            let rows = &self.values[first * self.width..(first + count) * self.width];
            let rows = Block { rows, width: self.width, classes };
            rows.add_products(dense, block);
            if let Some(Columns { rows: matrix, .. }) = &self.sparse {
                for (row, logits) in block.chunks_exact_mut(classes).enumerate() {
                    for (column, value) in matrix.row(first + row) {
                        add_times(logits, T::from(value), of(sparse, classes, column));
                    }
                }
            }
            each(first, block);
            let Some(sums) = sums.as_deref_mut() else { continue };
            let (dense, rest) = sums.split_at_mut(classes * layout.width);
            let (sparse, intercepts) = rest.split_at_mut(classes * layout.sparse);
            rows.add_weighted(block, dense);
            for (row, factors) in block.chunks_exact(classes).enumerate() {
                intercepts.iter_mut().zip(factors).for_each(|(sum, &factor)| *sum += factor);
                let Some(Columns { rows: matrix, .. }) = &self.sparse else { continue };
                for (column, value) in matrix.row(first + row) {
                    let sums = &mut sparse[column * classes..(column + 1) * classes];
                    add_times(sums, T::from(value), factors);
                }
            }
        }
    }
}

/// Some rows of values. A general product first copies the rows into panels, which for four classes takes longer than the
/// product itself.
#[derive(Clone, Copy)]
struct Block<'a, T> {
    /// `rows × width`, row-major.
    rows: &'a [T],
    width: usize,
    classes: usize,
}

impl<T: Real> Block<'_, T> {
    /// Add the products with `weights`, `classes × width`, to `out`, `rows × classes`.
    fn add_products(self, weights: &[T], out: &mut [T]) {
        struct Products<'a, T>(Block<'a, T>, &'a [T], &'a mut [T]);

        impl<T: Real> WithSimd for Products<'_, T> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                let Self(Block { rows, width, classes }, weights, out) = self;
                let count = rows.len() / width;
                for first in (0..classes).step_by(OTHERS) {
                    // Past the last one it is multiplied again, and the product not used.
                    let weights = std::array::from_fn(|i| of(weights, width, (first + i).min(classes - 1)));
                    for pair in (0..count).step_by(OWN) {
                        let own = std::array::from_fn(|i| of(rows, width, (pair + i).min(count - 1)));
                        let products = T::products(simd, own, weights);
                        for (row, products) in (pair..count).zip(products) {
                            let to = &mut out[row * classes + first..(row + 1) * classes];
                            to.iter_mut().zip(products).for_each(|(to, product)| *to += product);
                        }
                    }
                }
            }
        }

        if self.width > 0 {
            pulp::Arch::new().dispatch(Products(self, weights, out));
        }
    }

    /// Add the rows, each times its line of `factors`, `rows × classes`, to `out`, `classes × width`.
    fn add_weighted(self, factors: &[T], out: &mut [T]) {
        struct Weighted<'a, T>(Block<'a, T>, &'a [T], &'a mut [T]);

        impl<T: Real> WithSimd for Weighted<'_, T> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                let Self(Block { rows, width, classes }, factors, out) = self;
                let count = rows.len() / width;
                for first in (0..count).step_by(OTHERS) {
                    let few = std::array::from_fn(|i| of(rows, width, (first + i).min(count - 1)));
                    for (class, out) in out.chunks_exact_mut(width).enumerate() {
                        let factor = |i: usize| match first + i {
                            row if row < count => factors[row * classes + class],
                            _ => T::default(),
                        };
                        T::add_rows(simd, out, few, std::array::from_fn(factor));
                    }
                }
            }
        }

        if self.width > 0 {
            pulp::Arch::new().dispatch(Weighted(self, factors, out));
        }
    }
}

/// Add `factor` times `other`, as long, to `to`. There are few of them, as many as classes.
#[inline(always)]
fn add_times<T: Real>(to: &mut [T], factor: T, other: &[T]) {
    let ((to, to_rest), (other, rest)) = (to.as_chunks_mut::<OTHERS>(), other.as_chunks::<OTHERS>());
    for (to, other) in to.iter_mut().zip(other) {
        *to = std::array::from_fn(|i| to[i] + factor * other[i]);
    }
    to_rest.iter_mut().zip(rest).for_each(|(to, &other)| *to += factor * other);
}

/// One row of many.
#[inline(always)]
fn of<T>(rows: &[T], width: usize, row: usize) -> &[T] {
    &rows[row * width..(row + 1) * width]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against sums of single numbers, over rows, widths and classes that fill no block.
    #[test]
    fn a_pass_is_a_product_and_a_weighted_sum() {
        for (count, width, classes) in [(1, 1, 1), (3, 7, 2), (4, 0, 4), (9, 19, 5), (70, 40, 9)] {
            let number = |i: usize, step: usize| ((i * step % 101) as f64 - 50.0) / 50.0;
            let sparse = Sparse {
                width: 6,
                ends: (1..=count).map(|row| 2 * row).collect(),
                columns: (0..count).flat_map(|row| [row as u32 % 3, 3 + row as u32 % 2]).collect(),
                values: (0..2 * count).map(|i| number(i, 29) as f32).collect(),
            };
            let values: Vec<f64> = (0..count * width).map(|i| number(i, 37)).collect();
            let whole = |row: usize| -> Vec<f64> {
                let mut all = values[row * width..(row + 1) * width].to_vec();
                all.resize(width + 6, 0.0);
                sparse.row(row).for_each(|(column, value)| all[width + column] = f64::from(value));
                all
            };
            let wholes: Vec<Vec<f64>> = (0..count).map(whole).collect();
            let rows = Rows { count, width, values: values.clone(), sparse: Some(Columns::new(sparse)) };
            let layout = rows.layout(classes);
            let weights: Vec<f64> = (0..layout.weights()).map(|i| number(i, 53)).collect();
            let intercepts: Vec<f64> = (0..classes).map(|i| number(i, 71)).collect();
            let packed: Vec<f64> = layout.pack(&weights, &intercepts);
            assert_eq!(layout.unpack(&packed), (weights.clone(), intercepts.clone()));
            let (mut logits, mut sums) = (Vec::new(), vec![0.0; layout.len()]);
            rows.pass(&layout, &packed, Some(&mut sums), |first, block| {
                logits.extend_from_slice(block);
                let factor = |(i, out): (usize, &mut f64)| *out = number(first * classes + i, 43);
                block.iter_mut().enumerate().for_each(factor);
            });
            let (of_inputs, of_rows) = layout.unpack(&sums);
            for class in 0..classes {
                let own = &weights[class * (width + 6)..(class + 1) * (width + 6)];
                for (row, whole) in wholes.iter().enumerate() {
                    let expected = intercepts[class] + own.iter().zip(whole).map(|(a, b)| a * b).sum::<f64>();
                    assert!((logits[row * classes + class] - expected).abs() < 1e-12);
                }
                let factor = |row: usize| number(row * classes + class, 43);
                for input in 0..width + 6 {
                    let expected: f64 = (0..count).map(|row| factor(row) * wholes[row][input]).sum();
                    assert!((of_inputs[class * (width + 6) + input] - expected).abs() < 1e-12);
                }
                assert!((of_rows[class] - (0..count).map(factor).sum::<f64>()).abs() < 1e-12);
            }
        }
    }
}
