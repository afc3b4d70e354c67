//! The rows of a fold as its head sees them: embedding, tabular inputs, words and letters, each block of one size.

use faer::Mat;

use super::data::BaselineData;
use super::dual::LinearRows;
use crate::heads::{Matrix, Points, add_products, exp_of_minus, product};
use crate::inputs::{InputEncoder, Sparse};
use crate::train::class_weights;

/// What is chosen before a fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// What a mistake costs, against the length of the weights.
    pub c: f64,
    /// γ of a Gaussian kernel, on distances between inputs of variance 1.
    pub gamma: f64,
    /// Factor on the tabular inputs, which all together have the embedding's variance.
    pub tabular: f64,
    /// Weight of the products of words and letters, whose rows are of length 1.
    pub terms: f64,
}

/// How rows are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// By products.
    Linear,
    /// By distances, but for words and letters: beside the Gaussian kernel these have a linear one, as in a kernel head.
    Gaussian,
}

/// Rows as the head sees them. They are numbered from 0, in the order in which they came.
pub struct Sight {
    /// `rows × width`, row-major; over the training rows the embedding has the mean 0 and, as a whole, the variance 1, and so
    /// have the tabular inputs.
    inputs: Vec<f32>,
    /// Length of a row.
    width: usize,
    /// The first so many inputs are embedding.
    embedding: usize,
    /// Words and letters, where the head sees them.
    pub terms: Option<Sparse>,
    /// Class of each row.
    pub classes: Vec<usize>,
    /// Group of near-duplicates of each row.
    pub groups: Vec<usize>,
    /// Number of classes.
    pub class_count: usize,
    /// What a row of each class counts for.
    pub weights: Vec<f64>,
}

/// What a kernel between some rows is made of, whatever is chosen: `own × other` each.
pub struct Parts {
    kernel: Kernel,
    /// Products or squared distances of the embeddings.
    embedding: Mat<f64>,
    /// The same of the tabular inputs, where there are any.
    tabular: Option<Mat<f64>>,
    /// Products of the words and letters, where there are any.
    terms: Option<Mat<f64>>,
}

impl Sight {
    /// `rows` of the dataset as the head sees them after learning from the rows `train`.
    pub fn new(data: BaselineData<'_>, train: &[usize], rows: &[usize]) -> Self {
        let encoder = InputEncoder::learn(data.raw, train, data.features.min_count, data.features.terms);
        let (width, embedding) = (encoder.width(), encoder.embedding_dims());
        let mut inputs = encoder.encode(data.raw, rows);
        let (mut means, mut squares) = (vec![0.0f64; width], vec![0.0f64; width]);
        let n = train.len().max(1) as f64;
        // A few rows at a time: an encoded copy of all would be as large as the embeddings.
        for rows in train.chunks(1000) {
            for row in encoder.encode(data.raw, rows).chunks_exact(width.max(1)) {
                for (i, value) in row.iter().map(|&v| f64::from(v)).enumerate() {
                    means[i] += value / n;
                    squares[i] += value * value / n;
                }
            }
        }
        let scale = |block: std::ops::Range<usize>| {
            let variance: f64 = block.map(|i| squares[i] - means[i] * means[i]).sum();
            1.0 / variance.max(1e-12).sqrt()
        };
        let scales = [scale(0..embedding), scale(embedding..width)];
        for row in inputs.chunks_exact_mut(width.max(1)) {
            for (i, value) in row.iter_mut().enumerate() {
                let scale = scales[usize::from(i >= embedding)];
                *value = ((f64::from(*value) - means[i]) * scale) as f32;
            }
        }
        let weights = class_weights(&data.truth(train), data.class_count, data.class_weights);
        Self {
            inputs,
            width,
            embedding,
            terms: encoder.terms(data.raw, rows),
            classes: data.truth(rows),
            groups: rows.iter().map(|&row| data.groups[row]).collect(),
            class_count: data.class_count,
            weights: weights.into_iter().map(f64::from).collect(),
        }
    }

    /// Whether there are tabular inputs.
    pub fn has_tabular(&self) -> bool {
        self.embedding < self.width
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.inputs[row * self.width..(row + 1) * self.width]
    }

    /// What each of `rows` counts for.
    pub fn weights_of(&self, rows: &[usize]) -> Vec<f64> {
        rows.iter().map(|&row| self.weights[self.classes[row]]).collect()
    }

    /// What the kernel between the rows `own` and `other` is made of.
    pub fn parts(&self, kernel: Kernel, own: &[usize], other: &[usize]) -> Parts {
        let block = |from: usize, to: usize| {
            let points = |rows: &[usize]| {
                Points::new(Mat::from_fn(to - from, rows.len(), |i, row| {
                    f64::from(self.row(rows[row])[from + i])
                }))
            };
            let (own, other) = (points(own), points(other));
            match kernel {
                Kernel::Linear => product(own.at.transpose(), other.at.as_ref()),
                Kernel::Gaussian => own.squared_distances(&other),
            }
        };
        let products = |terms: &Sparse| {
            let mut products = Mat::zeros(own.len(), other.len());
            add_products(&mut products, terms, own, Some(other), 1.0);
            products
        };
        Parts {
            kernel,
            embedding: block(0, self.embedding),
            tabular: self.has_tabular().then(|| block(self.embedding, self.width)),
            terms: self.terms.as_ref().map(products),
        }
    }

    /// Dense inputs of `rows`, tabular ones times the chosen factor.
    pub fn dense(&self, rows: &[usize], choice: Choice) -> Vec<f32> {
        let factor = |i: usize| if i < self.embedding { 1.0 } else { choice.tabular as f32 };
        rows.iter().flat_map(|&r| self.row(r).iter().enumerate().map(move |(i, v)| v * factor(i))).collect()
    }

    /// `rows` for a linear model, the words and letters times the root of their chosen weight.
    pub fn matrix(&self, rows: &[usize], choice: Choice) -> Matrix {
        let dense = Matrix::dense(self.width, self.dense(rows, choice));
        let Some(terms) = self.terms.as_ref().filter(|_| choice.terms > 0.0) else { return dense };
        let mut terms = terms.pick(rows.iter().copied());
        let factor = choice.terms.sqrt() as f32;
        terms.values.iter_mut().for_each(|value| *value *= factor);
        dense.beside(terms)
    }

    /// Call `with` with `rows` for a linear machine.
    pub fn with_rows<T>(&self, rows: &[usize], choice: Choice, with: impl FnOnce(&LinearRows<'_>) -> T) -> T {
        let dense = self.dense(rows, choice);
        let terms = self.terms.as_ref().filter(|_| choice.terms > 0.0);
        let terms = terms.map(|terms| terms.pick(rows.iter().copied()));
        let sparse = terms.as_ref().map(|terms| (terms, choice.terms.sqrt()));
        with(&LinearRows { dense: &dense, width: self.width, sparse })
    }
}

impl Parts {
    /// The kernel, `own × other`; 1 is added to it, for the bias.
    pub fn kernel(&self, choice: Choice) -> Mat<f64> {
        let mut kernel = self.embedding.clone();
        let add = |kernel: &mut Mat<f64>, part: &Option<Mat<f64>>, weight: f64| {
            let Some(part) = part.as_ref().filter(|_| weight > 0.0) else { return };
            for (to, from) in kernel.col_iter_mut().zip(part.col_iter()) {
                to.iter_mut().zip(from.iter()).for_each(|(to, from)| *to += weight * from);
            }
        };
        add(&mut kernel, &self.tabular, choice.tabular.powi(2));
        if self.kernel == Kernel::Gaussian {
            for i in 0..kernel.ncols() {
                let column = kernel.col_as_slice_mut(i);
                column.iter_mut().for_each(|distance| *distance *= choice.gamma);
                exp_of_minus(column);
            }
        }
        add(&mut kernel, &self.terms, choice.terms);
        kernel.col_iter_mut().for_each(|column| column.iter_mut().for_each(|value| *value += 1.0));
        kernel
    }
}
