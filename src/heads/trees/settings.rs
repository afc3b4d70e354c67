//! How boosted trees are grown, and their sizes.

use serde::{Deserialize, Serialize};

use crate::heads::Block;

/// How to train boosted trees.
#[derive(Clone, Debug)]
pub struct TreeSettings {
    /// Most questions on the way to a leaf.
    pub depth: usize,
    /// Share of a tree's answer that is added.
    pub learning_rate: f64,
    /// Share of the inputs that a tree sees.
    pub columns: f64,
    /// Share of the rows that a tree sees.
    pub rows: f64,
}

/// Sizes of boosted trees.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TreeShape {
    /// Length of an input row.
    pub inputs: usize,
    /// Blocks of the answer; the label's is the first.
    pub blocks: Vec<Block>,
    /// Trees of all outputs.
    pub trees: usize,
    /// Nodes of all trees.
    pub nodes: usize,
}
