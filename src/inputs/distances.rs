//! Squared distances of the embeddings of many rows, made once where several fits look at parts of them.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use rayon::prelude::*;

/// Columns that one thread makes, and rows of them that it makes at once.
const COLUMNS: usize = 256;
const ROWS: usize = 512;

/// Squared distances of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Distances {
    rows: usize,
    /// One column after the other, each from its own row on.
    below: Vec<f32>,
}

impl Distances {
    /// More rows than these take too much memory, two bytes for each pair.
    pub const MOST_ROWS: usize = 10_000;

    /// Of `embedding`, `rows × dims`, row-major.
    pub fn new(embedding: &[f32], dims: usize) -> Self {
        let rows = embedding.len().checked_div(dims).unwrap_or(0);
        let length = |row: usize| -> f64 {
            embedding[row * dims..(row + 1) * dims].iter().map(|&v| f64::from(v) * f64::from(v)).sum()
        };
        let lengths: Vec<f64> = (0..rows).map(length).collect();
        let mut below = vec![0.0; rows * (rows + 1) / 2];
        let (mut left, mut panels) = (&mut below[..], Vec::new());
        for first in (0..rows).step_by(COLUMNS) {
            let count = COLUMNS.min(rows - first);
            let (own, rest) = left.split_at_mut(start(rows, first + count) - start(rows, first));
            panels.push((first..first + count, own));
            left = rest;
        }
        let points = |of: std::ops::Range<usize>| {
            Mat::from_fn(dims, of.len(), |i, row| f64::from(embedding[(of.start + row) * dims + i]))
        };
        panels.into_par_iter().for_each(|(columns, out)| {
            let own = points(columns.clone());
            let begin = start(rows, columns.start);
            for from in (columns.start..rows).step_by(ROWS) {
                let others = from..rows.min(from + ROWS);
                let mut products = Mat::zeros(others.len(), columns.len());
                let other = points(others.clone());
                let (to, a) = (products.as_mut(), other.transpose());
                matmul(to, Accum::Replace, a, own.as_ref(), 1.0, Par::Seq);
                for (column, products) in columns.clone().zip(products.col_iter()) {
                    for (row, product) in
                        others.clone().zip(products.iter()).skip_while(|(row, _)| *row < column)
                    {
                        let distance = (lengths[row] + lengths[column] - 2.0 * product).max(0.0);
                        out[start(rows, column) - begin + row - column] = distance as f32;
                    }
                }
            }
        });
        Self { rows, below }
    }

    fn between(&self, a: usize, b: usize) -> f64 {
        let (column, row) = (a.min(b), a.max(b));
        f64::from(self.below[start(self.rows, column) + row - column])
    }
}

/// Where a column begins.
fn start(rows: usize, column: usize) -> usize {
    column * rows - column * column.saturating_sub(1) / 2
}

/// Some of the rows.
#[derive(Clone, Copy)]
pub struct KnownDistances<'a> {
    /// Of all rows.
    pub all: &'a Distances,
    /// Which of them these are.
    pub rows: &'a [usize],
}

impl KnownDistances<'_> {
    /// The squared distance between two of the rows, by their places.
    pub fn between(&self, a: usize, b: usize) -> f64 {
        self.all.between(self.rows[a], self.rows[b])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_those_of_the_points_whatever_the_panel() {
        let (rows, dims) = (COLUMNS + ROWS + 7, 5);
        let embedding: Vec<f32> = (0..rows * dims).map(|i| (i as f32 * 0.7).sin()).collect();
        let distances = Distances::new(&embedding, dims);
        let known = KnownDistances { all: &distances, rows: &[3, rows - 1, 300, 3] };
        for (a, &row) in known.rows.iter().enumerate() {
            for (b, &other) in known.rows.iter().enumerate() {
                let of =
                    |i: usize| f64::from(embedding[row * dims + i] - embedding[other * dims + i]).powi(2);
                let expected: f64 = (0..dims).map(of).sum();
                let found = known.between(a, b);
                assert!((found - expected).abs() < 1e-6, "{row} {other}: {found} {expected}");
            }
        }
        for row in 0..rows {
            assert!(distances.between(row, row) < 1e-12);
        }
        assert_eq!(Distances::new(&[], 0).below.len(), 0);
    }
}
