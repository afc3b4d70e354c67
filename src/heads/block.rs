//! Blocks of columns: what the targets of a row, and a head's answer to it, are made of.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::error::HeadError;

/// What one column block of the targets, and of a head's answer, means.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Name of the column (or columns) it comes from.
    pub name: String,
    /// Columns: one a class, or one a value.
    pub width: usize,
    /// Classes or numbers.
    pub kind: BlockKind,
    /// Weight in the loss of a network; the label's is 1.
    pub weight: f64,
    /// Class names of a task; the label's are in the model's card.
    pub classes: Vec<String>,
    /// Mean and standard deviation of each value in the training part.
    pub scales: Vec<[f32; 2]>,
}

/// Classes or numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlockKind {
    /// Shares of the classes that add up to what the row counts, 1 for an ordinary one (a row of zeros where the label is
    /// missing); answered by logits.
    #[default]
    Classes,
    /// Standardised numbers; answered as they are.
    Values,
}

/// Columns of all blocks together: the length of a row of targets or answers.
pub fn outputs(blocks: &[Block]) -> usize {
    blocks.iter().map(|block| block.width).sum()
}

/// What a row with these targets counts: what its shares of the label's classes add up to.
pub fn row_weight(targets: &[f32], blocks: &[Block]) -> f64 {
    targets.iter().zip(0..blocks[0].width).map(|(&share, _)| f64::from(share)).sum()
}

/// Each block with its columns.
pub fn places(blocks: &[Block]) -> impl Iterator<Item = (Range<usize>, &Block)> {
    blocks.iter().scan(0, |end, block| {
        let start = *end;
        *end += block.width;
        Some((start..*end, block))
    })
}

/// [`outputs`] of blocks that a file has.
///
/// # Errors
/// There is no block, or one is empty, or their sum is beyond any machine's memory.
pub(super) fn checked_outputs(blocks: &[Block]) -> Result<usize, HeadError> {
    let sum = blocks.iter().try_fold(0usize, |sum, block| match block.width {
        0 => None,
        width => sum.checked_add(width),
    });
    match sum {
        Some(outputs) if outputs > 0 => Ok(outputs),
        _ => Err(HeadError::Shape("its card has a block without columns, or none".into())),
    }
}
