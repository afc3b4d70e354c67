//! A linear head's sizes; there is nothing to set.

use serde::{Deserialize, Serialize};

use crate::heads::Block;

/// Sizes of logistic and ridge regression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogisticShape {
    /// Length of an input row.
    pub inputs: usize,
    /// Blocks of the answer; the label's is the first.
    pub blocks: Vec<Block>,
}
