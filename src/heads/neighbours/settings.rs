//! How a head that remembers rows is trained, and its sizes.

use serde::{Deserialize, Serialize};

use crate::heads::Block;

/// How to train a head that compares rows with remembered ones.
#[derive(Clone, Debug)]
pub struct NeighbourSettings {
    /// Remember the mean of each class instead of all training rows.
    pub prototypes: bool,
    /// Rows that vote; chosen on the validation rows where it is not given.
    pub nearest: Option<usize>,
}

/// Sizes of a head that compares rows with remembered ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NeighbourShape {
    /// Length of an input row.
    pub inputs: usize,
    /// Remembered rows.
    pub rows: usize,
    /// Blocks of the answer; the label's is the first.
    pub blocks: Vec<Block>,
    /// Nearest remembered rows that vote.
    pub nearest: usize,
    /// Squared distance beyond the nearest row at which a vote has fallen to 1/e.
    pub width: f64,
}
