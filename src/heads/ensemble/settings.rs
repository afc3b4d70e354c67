//! An ensemble's sizes.

use serde::{Deserialize, Serialize};

use crate::heads::{HeadError, HeadShape, check_rows};

/// The heads of an ensemble.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnsembleShape {
    /// Their shapes.
    pub heads: Vec<HeadShape>,
    /// Their weights, which add up to 1.
    pub weights: Vec<f64>,
    /// What each head sees; absent where all see all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sees: Option<Views>,
}

/// The inputs that each head of an ensemble sees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Views {
    /// Length of a whole row.
    pub inputs: usize,
    /// Half-open ranges of its columns, in order, a list a head.
    pub of_heads: Vec<Vec<[usize; 2]>>,
}

impl Views {
    /// Columns that a head sees.
    pub fn width(&self, head: usize) -> usize {
        self.of_heads[head].iter().map(|[start, end]| end - start).sum()
    }

    /// Whether it is of so many heads and within a row.
    ///
    /// # Errors
    /// It is not.
    pub fn check(&self, heads: usize) -> Result<(), HeadError> {
        let within = |[start, end]: &[usize; 2]| start < end && *end <= self.inputs;
        if self.of_heads.len() != heads || !self.of_heads.iter().flatten().all(within) {
            return Err(HeadError::Shape("what the heads of its ensemble see is not of its inputs".into()));
        }
        Ok(())
    }

    /// What a head sees of whole rows.
    ///
    /// # Errors
    /// They are no whole rows.
    pub fn of(&self, head: usize, inputs: &[f32]) -> Result<Vec<f32>, HeadError> {
        check_rows(inputs, self.inputs)?;
        let ranges = &self.of_heads[head];
        let rows = inputs.chunks_exact(self.inputs);
        Ok(rows.flat_map(|row| ranges.iter().flat_map(|&[start, end]| &row[start..end])).copied().collect())
    }
}
