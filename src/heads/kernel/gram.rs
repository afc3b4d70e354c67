//! Kernel matrices: the Gaussian kernel of the inputs, and beside it the linear one of words and letters.
//!
//! Rows are indices of the problem's. In double precision a matrix of all rows is the most memory that a fit needs, so it is
//! made in place; only for the search among kernels, on a few rows, are its parts kept.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};

use super::problem::{Choice, Problem};
use crate::heads::dense::exp_of_minus;
use crate::inputs::Sparse;

/// A term is frequent when more than one in so many rows has it.
const FREQUENT: usize = 10;

/// Columns of products of frequent terms that are made at once.
const COLUMNS_AT_ONCE: usize = 256;

/// What the kernel among some rows is made of, whatever is chosen. Of each matrix only the lower triangle is there.
pub struct Parts {
    /// Squared distances of the embeddings.
    embedding: Mat<f64>,
    /// Squared distances of the tabular inputs, where there are any.
    tabular: Option<Mat<f64>>,
    /// Products of the terms, where there are any.
    terms: Option<Mat<f64>>,
}

impl Problem<'_> {
    /// The parts of the kernel among all rows.
    pub fn parts(&self) -> Parts {
        let rows: Vec<usize> = (0..self.rows()).collect();
        let tabular = self.embedding..self.inputs;
        let products = |terms| {
            let mut out = Mat::zeros(rows.len(), rows.len());
            add_products(&mut out, terms, &rows, None, 1.0);
            out
        };
        Parts {
            embedding: self.embedding_distances(&rows, None),
            tabular: (!tabular.is_empty()).then(|| self.points(tabular, &rows).squared_distances_among()),
            terms: self.terms.map(products),
        }
    }

    /// The kernel among the landmarks, of which only the lower triangle is made.
    pub fn among(&self, choice: Choice, landmarks: &[usize]) -> Mat<f64> {
        let mut kernel = self.gaussian(choice, landmarks, None);
        if let (Some(terms), true) = (self.terms, choice.term_weight > 0.0) {
            add_products(&mut kernel, terms, landmarks, None, choice.term_weight);
        }
        kernel
    }

    /// `landmarks × rows`: the kernel between the landmarks and all rows.
    pub fn to_rows(&self, choice: Choice, landmarks: &[usize]) -> Mat<f64> {
        let rows: Vec<usize> = (0..self.rows()).collect();
        let mut kernel = self.gaussian(choice, landmarks, Some(&rows));
        if let (Some(terms), true) = (self.terms, choice.term_weight > 0.0) {
            add_products(&mut kernel, terms, landmarks, Some(&rows), choice.term_weight);
        }
        kernel
    }

    /// exp(-γ‖a - b‖²) of the landmarks and `others`, a column each; without others, of the landmarks themselves, and then only
    /// the lower triangle is made.
    fn gaussian(&self, choice: Choice, landmarks: &[usize], others: Option<&[usize]>) -> Mat<f64> {
        let [of_embedding, of_tabular] = self.gammas(choice);
        let mut kernel = self.embedding_distances(landmarks, others);
        let tabular = self.embedding..self.inputs;
        let own = self.points(tabular.clone(), landmarks);
        let columns = others.unwrap_or(landmarks);
        for (panel, columns) in columns.chunks(COLUMNS_AT_ONCE).enumerate() {
            let distances = own.squared_distances(&self.points(tabular.clone(), columns));
            for (column, distances) in distances.col_iter().enumerate() {
                let i = panel * COLUMNS_AT_ONCE + column;
                let first = if others.is_none() { i } else { 0 };
                let below = &mut kernel.col_as_slice_mut(i)[first..];
                let scaled =
                    |(out, tabular): (&mut f64, &f64)| *out = *out * of_embedding + tabular * of_tabular;
                below.iter_mut().zip(distances.iter().skip(first)).for_each(scaled);
                exp_of_minus(below);
            }
        }
        kernel
    }

    /// Squared distances of the embeddings, as [`Self::gaussian`].
    fn embedding_distances(&self, landmarks: &[usize], others: Option<&[usize]>) -> Mat<f64> {
        let points = |rows| self.points(0..self.embedding, rows);
        match (self.distances, others) {
            (Some(known), _) => {
                let columns = others.unwrap_or(landmarks);
                let mut out = Mat::zeros(landmarks.len(), columns.len());
                for (i, &column) in columns.iter().enumerate() {
                    let first = if others.is_none() { i } else { 0 };
                    let below = out.col_as_slice_mut(i)[first..].iter_mut().zip(&landmarks[first..]);
                    below.for_each(|(out, &row)| *out = known.between(row, column));
                }
                out
            }
            (None, None) => points(landmarks).squared_distances_among(),
            (None, Some(others)) => points(landmarks).squared_distances(&points(others)),
        }
    }
}

impl Parts {
    /// The kernel matrix, of which only the lower triangle is made. `embedding` and `tabular` are γ on their distances.
    pub fn kernel(&self, [embedding, tabular]: [f64; 2], term_weight: f64) -> Mat<f64> {
        let size = self.embedding.nrows();
        let mut kernel = Mat::zeros(size, size);
        for i in 0..size {
            let below = &mut kernel.col_as_slice_mut(i)[i..];
            let scaled = |(out, distance): (&mut f64, &f64)| *out = distance * embedding;
            below.iter_mut().zip(&self.embedding.col_as_slice(i)[i..]).for_each(scaled);
            if let Some(distances) = &self.tabular {
                let scaled = |(out, distance): (&mut f64, &f64)| *out += distance * tabular;
                below.iter_mut().zip(&distances.col_as_slice(i)[i..]).for_each(scaled);
            }
            exp_of_minus(below);
            if let (Some(products), true) = (&self.terms, term_weight > 0.0) {
                let scaled = |(out, product): (&mut f64, &f64)| *out += product * term_weight;
                below.iter_mut().zip(&products.col_as_slice(i)[i..]).for_each(scaled);
            }
        }
        kernel
    }
}

/// Add `weight` times the products of the landmarks' terms with those of `others`, a column each; without others, with
/// the landmarks' themselves, and then only the lower triangle is right.
///
/// The terms that many rows have make most of the work: these are multiplied as a dense matrix, the others one by one.
pub fn add_products(
    kernel: &mut Mat<f64>,
    terms: &Sparse,
    landmarks: &[usize],
    others: Option<&[usize]>,
    weight: f64,
) {
    let mut share = vec![0usize; terms.width];
    terms.columns.iter().for_each(|&column| share[column as usize] += 1);
    let frequent: Vec<usize> = (0..terms.width).filter(|&c| share[c] > terms.ends.len() / FREQUENT).collect();
    let mut place = vec![usize::MAX; terms.width];
    frequent.iter().enumerate().for_each(|(i, &column)| place[column] = i);

    // For each rare term, the landmarks that have it, in their order.
    let mut having: Vec<Vec<(u32, f32)>> = vec![Vec::new(); terms.width];
    for (landmark, &row) in (0..).zip(landmarks) {
        for (column, value) in terms.row(row).filter(|&(c, _)| place[c] == usize::MAX) {
            having[column].push((landmark, value));
        }
    }
    let rows = others.unwrap_or(landmarks);
    for (i, &row) in rows.iter().enumerate() {
        let first = if others.is_none() { i } else { 0 };
        let sums = kernel.col_as_slice_mut(i);
        for (column, value) in terms.row(row).filter(|&(c, _)| place[c] == usize::MAX) {
            let value = f64::from(value) * weight;
            let having = &having[column];
            let from = having.partition_point(|&(landmark, _)| (landmark as usize) < first);
            for &(landmark, other) in &having[from..] {
                sums[landmark as usize] += value * f64::from(other);
            }
        }
    }

    // `frequent × rows`.
    let dense = |rows: &[usize]| {
        let mut dense = Mat::<f64>::zeros(frequent.len(), rows.len());
        for (i, &row) in rows.iter().enumerate() {
            let column = dense.col_as_slice_mut(i);
            for (term, value) in terms.row(row).filter(|&(c, _)| place[c] != usize::MAX) {
                column[place[term]] = f64::from(value);
            }
        }
        dense
    };
    let own = dense(landmarks);
    for start in (0..rows.len()).step_by(COLUMNS_AT_ONCE) {
        let count = COLUMNS_AT_ONCE.min(rows.len() - start);
        let first = if others.is_none() { start } else { 0 };
        let below = landmarks.len() - first;
        let a = own.subcols(first, below).transpose();
        let out = kernel.as_mut().submatrix_mut(first, start, below, count);
        let b = dense(&rows[start..start + count]);
        matmul(out, Accum::Add, a, b.as_ref(), weight, Par::Seq);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Terms of every frequency, more rows than are multiplied at once.
    fn terms(rows: usize) -> Sparse {
        let mut terms = Sparse { width: 40, ..Sparse::default() };
        for row in 0..rows {
            for column in (0..40u32).filter(|c| (row as u32 * 31 + c * 17).is_multiple_of(c + 1)) {
                terms.columns.push(column);
                terms.values.push((row as f32 + column as f32).sin());
            }
            terms.ends.push(terms.columns.len());
        }
        terms
    }

    #[test]
    fn products_are_those_of_the_rows() {
        let count = COLUMNS_AT_ONCE + 30;
        let terms = terms(count);
        let product = |a: usize, b: usize| -> f64 {
            let other: Vec<(usize, f32)> = terms.row(b).collect();
            let with = |(c, v): (usize, f32)| {
                other.iter().filter(|o| o.0 == c).map(|o| f64::from(v) * f64::from(o.1)).sum::<f64>()
            };
            terms.row(a).map(with).sum()
        };
        let landmarks: Vec<usize> = (0..count).rev().collect();
        let rows: Vec<usize> = (0..count).collect();
        let [mut among, mut to_rows] = [0, 1].map(|_| Mat::from_fn(count, count, |_, _| 1.0));
        add_products(&mut among, &terms, &landmarks, None, 0.5);
        add_products(&mut to_rows, &terms, &landmarks, Some(&rows), 0.5);
        for i in 0..count {
            for j in 0..count {
                let expected = 1.0 + product(landmarks[i], rows[j]) / 2.0;
                assert!((to_rows[(i, j)] - expected).abs() < 1e-9);
                let expected = 1.0 + product(landmarks[i], landmarks[j]) / 2.0;
                assert!(j > i || (among[(i, j)] - expected).abs() < 1e-9);
            }
        }
    }
}
