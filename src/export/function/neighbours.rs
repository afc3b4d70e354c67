//! Heads that ask remembered rows.

use super::columns::first_columns;
use crate::heads::{HeadError, NeighbourShape, PRIOR_VOTES, Tensors, outputs};

/// The `nearest` of the remembered rows vote, each with `exp(-(d² - least d²) / width)` for its shares of the classes:
/// `bias + ln max(10⁻⁶, (Σ votes · answers + prior) / (Σ votes · Σ answers + PRIOR_VOTES))`.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbours {
    /// `inputs`.
    pub scale: Vec<f32>,
    /// `count × inputs`, scaled.
    pub rows: Vec<f32>,
    /// Remembered rows.
    pub count: usize,
    /// `count × classes`: what each row says of the classes.
    pub answers: Vec<f32>,
    /// `classes`: votes of no row, [`PRIOR_VOTES`] in all.
    pub prior: Vec<f32>,
    /// `classes`.
    pub bias: Vec<f32>,
    /// How many of the rows vote, at least one and at most all.
    pub nearest: usize,
    /// Squared distance beyond the nearest row at which a vote has fallen to 1/e; above 0.
    pub width: f64,
}

impl Neighbours {
    /// The head of this `shape` with the weights in `tensors`.
    ///
    /// # Errors
    /// The weights do not fit it, or no row votes.
    pub fn read(shape: &NeighbourShape, tensors: &mut Tensors) -> Result<Self, HeadError> {
        let (inputs, count) = (shape.inputs, shape.rows);
        let (outputs, classes) = (outputs(&shape.blocks), shape.blocks[0].width);
        let nearest = shape.nearest.min(count);
        if nearest == 0 || shape.width <= 0.0 || !shape.width.is_finite() {
            return Err(HeadError::Shape("none of its rows votes".into()));
        }
        let answers: Vec<f32> = tensors.take("answers", &[count, outputs])?;
        let mut prior: Vec<f32> = tensors.take("prior", &[outputs])?;
        let mut bias: Vec<f32> = tensors.take("bias", &[outputs])?;
        prior.truncate(classes);
        prior.iter_mut().for_each(|share| *share *= PRIOR_VOTES as f32);
        bias.truncate(classes);
        Ok(Self {
            scale: tensors.take("scale", &[inputs])?,
            rows: tensors.take("rows", &[count, inputs])?,
            count,
            answers: first_columns(&answers, outputs, classes),
            prior,
            bias,
            nearest,
            width: shape.width,
        })
    }
}
