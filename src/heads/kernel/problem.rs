//! The training rows, ready for linear algebra, and ridge regression on them.

use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{Mat, MatRef, Par};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::heads::dense::{Points, cholesky, columns, inverse_blocks, product, solve_positive, square};
use crate::heads::groups::Groups;
use crate::heads::{Block, BlockKind, FitData, HeadError, outputs, places, row_weight};
use crate::inputs::{KnownDistances, Sparse};

/// Added to the diagonal of the kernel among landmarks that are some of the rows, where two may be alike.
const AMONG_RIDGE: f64 = 1e-4;

/// What is chosen before a fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// In units of 1 / variance of the inputs.
    pub gamma: f64,
    /// Added to the diagonal of the kernel matrix.
    pub ridge: f64,
    /// Factor on the tabular inputs.
    pub feature_weight: f64,
    /// Weight of the linear kernel of words and letters.
    pub term_weight: f64,
}

/// The training rows. Matrices of rows have a column a row.
pub struct Problem<'a> {
    pub blocks: &'a [Block],
    pub inputs: usize,
    /// The first so many inputs are embedding.
    pub embedding: usize,
    /// `rows × inputs`, row-major.
    pub x: &'a [f32],
    /// Squared distances of the embeddings, where they are known.
    pub distances: Option<KnownDistances<'a>>,
    pub terms: Option<&'a Sparse>,
    /// `outputs × rows`, minus the means; 0 where the label of a block is missing.
    pub y: Mat<f64>,
    /// What each row counts.
    pub weights: Vec<f64>,
    /// `outputs × 1`.
    pub means: Mat<f64>,
    /// For each block of classes, the class of each row.
    pub truth: Vec<Vec<Option<usize>>>,
    /// Mean squared distance of the embeddings, and of the tabular inputs, to their mean.
    pub variance: [f64; 2],
    /// Which rows are alike.
    pub groups: Groups,
    /// Which are left out together: groups; of few rows, sets of groups with their share of each class.
    pub sets: Groups,
}

/// Up to so many rows are left out in sets. Without a single row there is one less of its class, so that among few the answer
/// to it leans to the others; in a set of all classes that cancels out.
const SET_ROWS: usize = 300;
const LEAST_SETS: usize = 5;
const MOST_SETS: usize = 60;

/// What ridge regression leaves.
pub struct Solved {
    /// `outputs × rows`, minus the means: the answer to each row of a fit without its group.
    pub left_out: Mat<f64>,
    /// `outputs × landmarks`.
    pub weights: Mat<f64>,
    /// Effective degrees of freedom: the trace of what makes fitted values of targets.
    pub freedom: f64,
}

impl<'a> Problem<'a> {
    pub fn new(data: &FitData<'a>) -> Self {
        let (inputs, embedding) = (data.inputs, data.embedding_dims);
        let outputs = outputs(data.blocks);
        let (x, mut y) = (data.train.inputs, columns(data.train.targets, outputs));
        let rows = y.ncols();
        let of_row = |row: &[f32]| row_weight(row, data.blocks);
        let weights: Vec<f64> = data.train.targets.chunks_exact(outputs).map(of_row).collect();
        let (mut means, mut truth) = (Mat::zeros(outputs, 1), Vec::new());
        for (own, block) in places(data.blocks) {
            if block.kind == BlockKind::Classes {
                let to_shares = |(mut row, weight): (faer::ColMut<'_, f64>, &f64)| {
                    own.clone().for_each(|i| row[i] /= weight);
                };
                y.col_iter_mut().zip(&weights).for_each(to_shares);
            }
            let known: Vec<f64> = match block.kind {
                BlockKind::Classes => y.col_iter().map(|row| own.clone().map(|i| row[i]).sum()).collect(),
                BlockKind::Values => vec![1.0; y.ncols()],
            };
            let count = known.iter().zip(&weights).map(|(known, weight)| known * weight).sum::<f64>();
            for i in own.clone() {
                let sum = y.row(i).iter().zip(&weights).map(|(value, weight)| value * weight).sum::<f64>();
                means[(i, 0)] = sum / count.max(1e-9);
                let centred = |(value, known): (&mut f64, &f64)| *value = (*value - means[(i, 0)]) * known;
                y.row_mut(i).iter_mut().zip(&known).for_each(centred);
            }
            let rows = data.train.targets.chunks_exact(outputs).map(|row| &row[own.clone()]);
            truth.push(match block.kind {
                BlockKind::Classes => rows.map(likeliest).collect(),
                BlockKind::Values => Vec::new(),
            });
        }
        let mut moments = vec![[0.0; 2]; inputs];
        for row in x.chunks_exact(inputs.max(1)) {
            for ([sum, squares], &value) in moments.iter_mut().zip(row) {
                *sum += f64::from(value);
                *squares += f64::from(value).powi(2);
            }
        }
        let n = rows.max(1) as f64;
        let of = |[sum, squares]: &[f64; 2]| (squares / n - (sum / n).powi(2)).max(0.0);
        let (own, tabular) = moments.split_at(embedding);
        let variance = [own, tabular].map(|part| part.iter().map(of).sum());
        let (blocks, terms) = (data.blocks, data.train.terms);
        let groups = Groups::new(rows, data.train.groups);
        let sets = if rows <= SET_ROWS {
            let count = (groups.asked().len() / blocks[0].width.max(1)).clamp(LEAST_SETS, MOST_SETS);
            groups.in_sets(|row| truth[0][row].unwrap_or(0), count)
        } else {
            groups.clone()
        };
        let distances = data.train.distances;
        Self {
            blocks,
            inputs,
            embedding,
            x,
            distances,
            terms,
            y,
            weights,
            means,
            truth,
            variance,
            groups,
            sets,
        }
    }

    pub fn rows(&self) -> usize {
        self.y.ncols()
    }

    /// As [`Groups::asked`].
    pub fn asked(&self) -> Vec<usize> {
        self.groups.asked()
    }

    /// Those of [`Problem::asked`] whose left-out answers are like those to new rows: with landmarks among the rows, the
    /// rows of groups without any; where there is no such group, the rows that are no landmarks.
    pub fn like_new(&self, landmarks: &[usize]) -> Vec<usize> {
        let mut asked = self.asked();
        if landmarks.len() < self.rows() {
            let (mut landmark, mut known) =
                (vec![false; self.rows()], vec![false; self.groups.members.len()]);
            for &row in landmarks {
                landmark[row] = true;
                self.groups.of[row].iter().for_each(|&group| known[group] = true);
            }
            let new: Vec<usize> =
                asked.iter().copied().filter(|&row| !known[self.groups.of[row][0]]).collect();
            if new.is_empty() {
                asked.retain(|&row| !landmark[row]);
            } else {
                asked = new;
            }
        }
        asked
    }

    /// At most `count` rows, evenly drawn; all of them in their order.
    pub fn draw(&self, count: usize, seed: u64) -> Vec<usize> {
        if count >= self.rows() { (0..self.rows()).collect() } else { self.draw_of(self.rows(), count, seed) }
    }

    /// `count` of the first `rows` rows: groups are evenly drawn, and taken whole, but for the last.
    pub fn draw_of(&self, rows: usize, count: usize, seed: u64) -> Vec<usize> {
        let members = &self.groups.members;
        let mut drawn: Vec<usize> = (0..members.len()).filter(|&group| members[group][0] < rows).collect();
        drawn.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let of_group = |group: usize| self.groups.own(group).filter(|&row| row < rows);
        drawn.into_iter().flat_map(of_group).take(count).collect()
    }

    /// γ on the squared distance of the embeddings, and on that of the tabular inputs.
    pub fn gammas(&self, choice: Choice) -> [f64; 2] {
        let squared = choice.feature_weight.powi(2);
        let gamma = choice.gamma / (self.variance[0] + squared * self.variance[1]).max(1e-12);
        [gamma, gamma * squared]
    }

    /// `inputs`: what inputs are multiplied by, so that the kernel is exp(-‖a - b‖²).
    pub fn scale(&self, choice: Choice) -> Vec<f64> {
        let [embedding, tabular] = self.gammas(choice).map(f64::sqrt);
        (0..self.inputs).map(|i| if i < self.embedding { embedding } else { tabular }).collect()
    }

    /// The inputs `of` some rows.
    pub fn points(&self, of: std::ops::Range<usize>, rows: &[usize]) -> Points {
        let value = |i: usize, row: usize| f64::from(self.x[rows[row] * self.inputs + of.start + i]);
        Points::new(Mat::from_fn(of.len(), rows.len(), value))
    }

    /// The inputs of some rows, row-major, so that the Gaussian kernel is exp(-‖a - b‖²).
    pub fn scaled(&self, choice: Choice, rows: &[usize]) -> Vec<f32> {
        let scale = self.scale(choice);
        let of = |&row: &usize| {
            let row = &self.x[row * self.inputs..(row + 1) * self.inputs];
            row.iter().zip(&scale).map(|(&value, scale)| (f64::from(value) * scale) as f32)
        };
        rows.iter().flat_map(of).collect()
    }

    /// `outputs × columns` numbers, plus the means.
    pub fn with_means(&self, mut answers: Mat<f64>) -> Mat<f64> {
        for column in answers.col_iter_mut() {
            column.iter_mut().zip(self.means.col_as_slice(0)).for_each(|(answer, mean)| *answer += mean);
        }
        answers
    }

    /// `outputs × terms`: Σ over the landmarks of their terms times their `weights`, `outputs × landmarks`.
    pub fn term_weights(&self, choice: Choice, landmarks: &[usize], weights: &Mat<f64>) -> Mat<f64> {
        let mut sums = Mat::zeros(weights.nrows(), self.terms.map_or(0, |terms| terms.width));
        let Some(terms) = self.terms else { return sums };
        for (i, &row) in landmarks.iter().enumerate() {
            for (column, value) in terms.row(row) {
                let value = f64::from(value) * choice.term_weight;
                let sums = sums.col_as_slice_mut(column).iter_mut();
                sums.zip(weights.col_as_slice(i)).for_each(|(sum, weight)| *sum += value * weight);
            }
        }
        sums
    }

    /// Ridge regression of the targets on the kernel to the landmarks.
    pub fn solve(&self, choice: Choice, landmarks: &[usize]) -> Result<Solved, HeadError> {
        let among = || self.among(choice, landmarks);
        if landmarks.iter().copied().eq(0..self.rows()) {
            self.solve_own(among, choice.ridge)
        } else {
            self.solve_among(among, || self.to_rows(choice, landmarks), choice.ridge)
        }
    }

    /// Where the rows themselves are the landmarks, A = K + ridge · W⁻¹, with what the rows count on the diagonal of W, has the
    /// weights w = A⁻¹ y, and the answers to the rows of a set by a fit without them are y - ((A⁻¹) of the set)⁻¹ w (Rifkin &
    /// Lippert 2007 for single rows; by block elimination for more). Of `kernel` only the lower triangle is looked at.
    pub fn solve_own(&self, kernel: impl Fn() -> Mat<f64>, ridge: f64) -> Result<Solved, HeadError> {
        let counted = || {
            let mut kernel = kernel();
            let more = |(i, weight): (usize, &f64)| kernel[(i, i)] += ridge / weight - ridge;
            self.weights.iter().enumerate().for_each(more);
            kernel
        };
        let factor = cholesky(counted, ridge)?;
        let mut weights = self.y.transpose().to_owned();
        solve_lower_triangular_in_place(factor.as_ref(), weights.as_mut(), Par::Seq);
        solve_upper_triangular_in_place(factor.transpose(), weights.as_mut(), Par::Seq);
        let weights = weights.transpose().to_owned();
        let (mut left_out, mut trace) = (Mat::zeros(self.y.nrows(), self.rows()), 0.0);
        let members = &self.sets.members;
        inverse_blocks(&factor, members, |set, block| {
            let own = (0..members[set].len()).filter(|&i| self.sets.of[members[set][i]][0] == set);
            trace += own.map(|i| block[(i, i)] / self.weights[members[set][i]]).sum::<f64>();
            self.put_left_out(&mut left_out, set, &block, weights.as_ref(), &|_| 1.0)
        })?;
        Ok(Solved { left_out, freedom: self.rows() as f64 - trace * ridge, weights })
    }

    /// With Φ the rows in the landmarks' feature space, A = ΦᵀΦ + ridge · I and H the block of a set in Φ A⁻¹ Φᵀ, the
    /// answers to the set by a fit without it are y - (I - H)⁻¹ (y - ŷ) (Allen's PRESS, 1974, for single rows); Φ and y times
    /// the root of what the rows count. `among` is the kernel of the landmarks, whose lower triangle is looked at, `to_rows`
    /// that between them and all rows.
    pub fn solve_among(
        &self,
        among: impl Fn() -> Mat<f64>,
        to_rows: impl Fn() -> Mat<f64>,
        ridge: f64,
    ) -> Result<Solved, HeadError> {
        let among = cholesky(among, AMONG_RIDGE)?;
        let mut features = to_rows();
        let root = |row: usize| self.weights[row].sqrt();
        for (row, column) in features.col_iter_mut().enumerate() {
            column.iter_mut().for_each(|value| *value *= root(row));
        }
        let y = Mat::from_fn(self.y.nrows(), self.rows(), |i, row| self.y[(i, row)] * root(row));
        solve_lower_triangular_in_place(among.as_ref(), features.as_mut(), Par::Seq);
        let factor = cholesky(|| square(features.as_ref()), ridge)?;
        // In the place of the features: so that A is the identity.
        let mut whitened = features;
        solve_lower_triangular_in_place(factor.as_ref(), whitened.as_mut(), Par::Seq);
        let mut weights = product(whitened.as_ref(), y.transpose());
        let fitted = product(weights.transpose(), whitened.as_ref());
        let leverage: Vec<f64> = whitened.col_iter().map(|row| row.iter().map(|v| v * v).sum()).collect();
        let residuals = &y - &fitted;
        let mut left_out = Mat::zeros(self.y.nrows(), self.rows());
        for (set, rows) in self.sets.members.iter().enumerate() {
            let block = if let [row] = rows[..] {
                Mat::from_fn(1, 1, |_, _| (1.0 - leverage[row]).max(1e-3))
            } else {
                let own = Mat::from_fn(whitened.nrows(), rows.len(), |i, j| whitened[(i, rows[j])]);
                let square = square(own.transpose());
                Mat::from_fn(rows.len(), rows.len(), |i, j| f64::from(u8::from(i == j)) - square[(i, j)])
            };
            self.put_left_out(&mut left_out, set, &block, residuals.as_ref(), &root)?;
        }
        solve_upper_triangular_in_place(factor.transpose(), weights.as_mut(), Par::Seq);
        solve_upper_triangular_in_place(among.transpose(), weights.as_mut(), Par::Seq);
        Ok(Solved { left_out, freedom: leverage.iter().sum(), weights: weights.transpose().to_owned() })
    }

    /// y - block⁻¹ · `of` for the rows of a set, which are those of the block; both times what `scale` says of a row.
    fn put_left_out(
        &self,
        left_out: &mut Mat<f64>,
        set: usize,
        block: &Mat<f64>,
        of: MatRef<'_, f64>,
        scale: &dyn Fn(usize) -> f64,
    ) -> Result<(), HeadError> {
        let (outputs, rows) = (self.y.nrows(), &self.sets.members[set]);
        let solved = match rows[..] {
            [row] => Mat::from_fn(1, outputs, |_, i| of[(i, row)] / block[(0, 0)]),
            _ => solve_positive(block, Mat::from_fn(rows.len(), outputs, |j, i| of[(i, rows[j])]))?,
        };
        for (j, &row) in rows.iter().enumerate() {
            if self.sets.of[row][0] == set {
                (0..outputs)
                    .for_each(|i| left_out[(i, row)] = self.y[(i, row)] - solved[(j, i)] / scale(row));
            }
        }
        Ok(())
    }
}

/// The class of a target row, `None` where all are 0.
fn likeliest(row: &[f32]) -> Option<usize> {
    let best = (1..row.len()).fold(0, |best, c| if row[c] > row[best] { c } else { best });
    (row[best] > 0.0).then_some(best)
}
