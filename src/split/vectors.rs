//! Rows of vectors whose products are cosines, and products of blocks of them.

/// Rows of length 1 at most, so that the product of two is their cosine, or the mean of their fields' cosines.
#[derive(Clone, Copy, Debug)]
pub struct Vectors<'a> {
    values: &'a [f32],
    dims: usize,
}

impl<'a> Vectors<'a> {
    /// `values` is `rows × dims`, row-major; what is left over behind the last whole row is not looked at. A row with values
    /// that are no numbers is near nothing.
    pub fn new(values: &'a [f32], dims: usize) -> Self {
        Self { values, dims }
    }

    /// How many rows there are; none of no values.
    pub fn rows(&self) -> usize {
        self.values.len().checked_div(self.dims).unwrap_or(0)
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

    /// The `rows`, one behind the other, in place of what `into` holds.
    pub(super) fn gather(&self, rows: &[usize], into: &mut Vec<f32>) {
        into.clear();
        rows.iter().for_each(|&row| into.extend_from_slice(self.row(row)));
    }
}

/// Rows of `fields` concatenated embeddings of equal length `dims`, scaled so that the product of two rows is the mean
/// of their fields' cosines. The encoder need not normalise; a zero vector stays zero.
pub fn mean_cosine_vectors(concatenated: &[f32], fields: usize, dims: usize) -> Vec<f32> {
    let mut vectors = concatenated.to_vec();
    scale_to_mean_cosine(&mut vectors, fields, dims);
    vectors
}

/// [`mean_cosine_vectors`] in place.
pub fn scale_to_mean_cosine(concatenated: &mut [f32], fields: usize, dims: usize) {
    let share = 1.0 / (fields.max(1) as f32).sqrt();
    for field in concatenated.chunks_exact_mut(dims.max(1)) {
        let norm = field.iter().map(|v| v * v).sum::<f32>().sqrt();
        let scale = if norm > 0.0 { share / norm } else { 0.0 };
        field.iter_mut().for_each(|v| *v *= scale);
    }
}

/// `out[i, j] = Σ_k a[i, k] · b[j, k]`, row-major. An element has the same bits whatever rows are beside it.
#[expect(unsafe_code, reason = "matrixmultiply's interface is raw pointers; the lengths are asserted")]
pub(super) fn multiply_transposed(a: &[f32], b: &[f32], dims: usize, out: &mut [f32]) {
    let (height, width) = (a.len() / dims, b.len() / dims);
    assert!(out.len() >= height * width && a.len() == height * dims && b.len() == width * dims);
    let (d, w) = (dims as isize, width as isize);
    // SAFETY: the strides stay inside the slices whose lengths are asserted above, and `out` aliases neither input.
    unsafe {
        matrixmultiply::sgemm(
            height,
            dims,
            width,
            1.0,
            a.as_ptr(),
            d,
            1,
            b.as_ptr(),
            1,
            d,
            0.0,
            out.as_mut_ptr(),
            w,
            1,
        );
    }
}
