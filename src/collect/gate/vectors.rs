//! Rows of embeddings as the gate gets them.

use ndarray::ArrayView2;

use super::gate_error::GateError;

/// How far the length of a vector may be from 1: what rounding to half precision leaves.
const LENGTH_TOLERANCE: f64 = 1e-2;

/// Embeddings, one a row, each of length 1 or 0, so that the product of two is their cosine.
#[derive(Clone, Copy, Debug)]
pub struct Vectors<'a> {
    values: &'a [f32],
    dims: usize,
}

impl<'a> Vectors<'a> {
    /// The rows of `values`, row-major, each of `dims` values; `of` names them in errors.
    ///
    /// # Errors
    /// The values fill no whole number of rows, or a row's length is neither 1 nor 0.
    pub fn new(values: &'a [f32], dims: usize, of: &'static str) -> Result<Self, GateError> {
        if dims == 0 || !values.len().is_multiple_of(dims) {
            let wanted = values.len() - values.len().checked_rem(dims).unwrap_or(values.len());
            return Err(GateError::Shape { what: of, found: values.len(), wanted });
        }
        for (row, vector) in values.chunks_exact(dims).enumerate() {
            let length = vector.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
            let fits = length == 0.0 || (length - 1.0).abs() <= LENGTH_TOLERANCE;
            if !fits {
                return Err(GateError::Length { of, row, length });
            }
        }
        Ok(Self { values, dims })
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.values.len() / self.dims
    }

    /// Values of a row.
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// One row.
    ///
    /// # Panics
    /// There is no such row.
    pub fn row(&self, row: usize) -> &'a [f32] {
        &self.values[row * self.dims..(row + 1) * self.dims]
    }

    /// The rows from `first` on, `count` at most, as a matrix of rows × dims.
    pub(crate) fn block(&self, first: usize, count: usize) -> ArrayView2<'a, f32> {
        let (first, end) = (first.min(self.rows()), (first + count).min(self.rows()));
        ArrayView2::from_shape((end - first, self.dims), &self.values[first * self.dims..end * self.dims])
            .unwrap_or_else(|_| unreachable!("the slice has rows × dims values"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_rows_of_length_one_or_zero_are_vectors() {
        assert_eq!(Vectors::new(&[1.0, 0.0, 0.6, 0.8, 0.0, 0.0], 2, "candidate").unwrap().rows(), 3);
        let shape = Vectors::new(&[1.0, 0.0, 1.0], 2, "candidate").unwrap_err();
        assert_eq!(shape, GateError::Shape { what: "candidate", found: 3, wanted: 2 });
        assert!(matches!(Vectors::new(&[], 0, "candidate"), Err(GateError::Shape { .. })));
        let long = Vectors::new(&[1.0, 0.0, 1.0, 1.0], 2, "known row").unwrap_err();
        assert!(matches!(long, GateError::Length { row: 1, .. }));
        for bad in [f32::NAN, f32::INFINITY] {
            assert!(matches!(
                Vectors::new(&[bad, 0.0], 2, "known row"),
                Err(GateError::Length { row: 0, .. })
            ));
        }
    }
}
