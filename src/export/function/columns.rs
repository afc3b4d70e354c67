//! The label's columns of a matrix that has those of other blocks, too.

/// The first `kept` of each row of `width` numbers.
pub fn first_columns(values: &[f32], width: usize, kept: usize) -> Vec<f32> {
    values.chunks_exact(width).flat_map(|row| &row[..kept]).copied().collect()
}
