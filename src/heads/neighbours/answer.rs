//! Remembered rows, and how the nearest of them vote.

use faer::Mat;

use super::settings::NeighbourShape;
use crate::heads::block::checked_outputs;
use crate::heads::dense::{Points, columns, floats};
use crate::heads::groups::Groups;
use crate::heads::head::check_rows;
use crate::heads::{BlockKind, Head, HeadError, Tensors, places};
use crate::inputs::Sparse;

/// Rows compared with all remembered ones at once.
const ROWS_AT_ONCE: usize = 512;

/// Votes of no row, dealt by the classes' shares: no class is ever impossible.
pub const PRIOR_VOTES: f64 = 0.5;

/// Remembered rows and what they answer. Numbers are kept as the file has them, in single precision.
pub struct Memory {
    pub(super) shape: NeighbourShape,
    /// `inputs`: what inputs are multiplied by.
    pub(super) scale: Vec<f32>,
    /// `inputs × remembered`, scaled.
    pub(super) rows: Points,
    /// `outputs × remembered` targets.
    pub(super) answers: Mat<f64>,
    /// `outputs`: mean targets.
    pub(super) prior: Vec<f32>,
    /// `outputs`: added to the logits.
    pub(super) bias: Vec<f32>,
}

/// The nearest remembered rows of some rows, `count` each, the nearest first.
pub(super) struct Nearest {
    pub count: usize,
    /// Squared distances and places.
    found: Vec<(f64, usize)>,
}

impl Memory {
    /// Load weights saved by [`Head::save`].
    ///
    /// # Errors
    /// They do not fit `shape`.
    pub fn load(shape: &NeighbourShape, mut tensors: Tensors) -> Result<Self, HeadError> {
        let (inputs, rows, outputs) = (shape.inputs, shape.rows, checked_outputs(&shape.blocks)?);
        Ok(Self {
            scale: tensors.take("scale", &[inputs])?,
            rows: Points::new(columns(&tensors.take("rows", &[rows, inputs])?, inputs)),
            answers: columns(&tensors.take("answers", &[rows, outputs])?, outputs),
            prior: tensors.take("prior", &[outputs])?,
            bias: tensors.take("bias", &[outputs])?,
            shape: shape.clone(),
        })
    }

    /// The `count` nearest remembered rows of each row of `inputs`, fewer where there are no more; with `groups` the
    /// rows are the remembered ones, and none is the neighbour of a row of its group.
    pub(super) fn nearest(&self, inputs: &[f32], count: usize, groups: Option<&Groups>) -> Nearest {
        let (width, count) = (self.shape.inputs, count.min(self.rows.count()));
        let mut found = Vec::with_capacity(inputs.len() / width * count);
        for (part, rows) in inputs.chunks(ROWS_AT_ONCE * width).enumerate() {
            let scaled = rows.chunks_exact(width).flat_map(|row| row.iter().zip(&self.scale));
            let scaled: Vec<f32> = scaled.map(|(x, scale)| x * scale).collect();
            let distances = self.rows.squared_distances(&Points::new(columns(&scaled, width)));
            for row in 0..distances.ncols() {
                let of = distances.col_as_slice(row).iter().copied();
                let mut near: Vec<(f64, usize)> = of.zip(0..).collect();
                if let Some(groups) = groups {
                    let own = groups.of[part * ROWS_AT_ONCE + row].iter();
                    own.flat_map(|&group| &groups.members[group])
                        .for_each(|&row| near[row].0 = f64::INFINITY);
                }
                let order = |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
                if count < near.len() {
                    near.select_nth_unstable_by(count, order);
                    near.truncate(count);
                }
                near.sort_unstable_by(order);
                found.extend(near);
            }
        }
        Nearest { count, found }
    }

    /// `rows × outputs` logits and values by the votes of the first `count` of `nearest`.
    pub(super) fn vote(&self, nearest: &Nearest, count: usize, width: f64) -> Vec<f32> {
        let outputs = self.bias.len();
        let count = count.min(nearest.count);
        let mut answers = Vec::with_capacity(nearest.found.len() / nearest.count.max(1) * outputs);
        let mut sums = vec![0.0; outputs];
        for near in nearest.found.chunks_exact(nearest.count.max(1)) {
            sums.fill(0.0);
            let mut all = 0.0;
            for &(distance, place) in &near[..count] {
                let vote = (-(distance - near[0].0) / width).exp();
                // Where all rows but its group are infinitely far, none votes.
                let vote = if vote.is_nan() { 0.0 } else { vote };
                all += vote;
                let target = self.answers.col_as_slice(place);
                sums.iter_mut().zip(target).for_each(|(sum, target)| *sum += vote * target);
            }
            for (own, block) in places(&self.shape.blocks) {
                let known: f64 = sums[own.clone()].iter().sum();
                for i in own {
                    let answer = match block.kind {
                        BlockKind::Classes => {
                            let votes = sums[i] + f64::from(self.prior[i]) * PRIOR_VOTES;
                            (votes / (known + PRIOR_VOTES)).max(1e-6).ln()
                        }
                        BlockKind::Values => sums[i] / all,
                    };
                    answers.push((answer + f64::from(self.bias[i])) as f32);
                }
            }
        }
        answers
    }

    /// Answers to rows by the chosen count and width; `groups` as in [`Memory::nearest`].
    pub(super) fn answer(&self, inputs: &[f32], groups: Option<&Groups>) -> Vec<f32> {
        let (count, width) = (self.shape.nearest, self.shape.width);
        self.vote(&self.nearest(inputs, count, groups), count, width)
    }
}

impl Head for Memory {
    fn logits(&self, inputs: &[f32], _: Option<&Sparse>) -> Result<Vec<f32>, HeadError> {
        check_rows(inputs, self.shape.inputs)?;
        if self.shape.nearest.min(self.rows.count()) == 0 {
            return Err(HeadError::Shape("none of its rows votes".into()));
        }
        Ok(self.answer(inputs, None))
    }

    fn tensors(&self) -> Result<Tensors, HeadError> {
        let (inputs, rows, outputs) = (self.shape.inputs, self.shape.rows, self.bias.len());
        let mut tensors = Tensors::default();
        tensors.put("scale", &[inputs], &self.scale);
        tensors.put("rows", &[rows, inputs], &floats(&self.rows.at));
        tensors.put("answers", &[rows, outputs], &floats(&self.answers));
        tensors.put("prior", &[outputs], &self.prior);
        tensors.put("bias", &[outputs], &self.bias);
        Ok(tensors)
    }
}
