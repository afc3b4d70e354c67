//! The rows that baselines learn from.

use crate::heads::Matrix;
use crate::inputs::RawInputs;
use crate::train::FeatureSettings;

/// All rows, of which a fold takes its own. What has an entry a row is indexed by row of the dataset.
#[derive(Clone, Copy)]
pub struct BaselineData<'a> {
    /// Inputs of every row.
    pub raw: &'a RawInputs,
    /// Class of every row, below `class_count`.
    pub classes: &'a [usize],
    /// Group of near-duplicates of every row: whatever is chosen, is chosen on rows of other groups.
    pub groups: &'a [usize],
    /// Number of classes.
    pub class_count: usize,
    /// What the head sees beside the embedding.
    pub features: FeatureSettings,
    /// Whether each class is weighted by the inverse of its share, as for the head. The first three baselines never are.
    pub class_weights: bool,
    /// Decides which rows are drawn, and the order in which a machine goes through them.
    pub seed: u64,
}

impl BaselineData<'_> {
    /// Class of each of the rows `of`.
    pub fn truth(&self, of: &[usize]) -> Vec<usize> {
        of.iter().map(|&row| self.classes[row]).collect()
    }
}

/// Embeddings of the rows `of`.
pub fn embedding_matrix(raw: &RawInputs, of: &[usize]) -> Matrix {
    let (dims, all) = (raw.embedding_dims, &raw.embedding);
    Matrix::dense(dims, of.iter().flat_map(|&row| &all[row * dims..(row + 1) * dims]).copied().collect())
}
