//! What is chosen or set before a kernel machine is fitted, and its sizes.

use serde::{Deserialize, Serialize};

use crate::heads::Block;

/// How to train a kernel machine. What is `None` is chosen by the loss on training rows that are left out.
#[derive(Clone, Debug)]
pub struct KernelSettings {
    /// Up to so many training rows, all are landmarks.
    pub exact_rows: usize,
    /// Beyond that, training rows that become landmarks.
    pub landmarks: usize,
    /// γ of the kernel exp(-γ·‖a - b‖²), in units of 1 / variance of the inputs.
    pub gamma: Option<f64>,
    /// Ridge penalty.
    pub ridge: Option<f64>,
    /// Factor on the (standardised) tabular inputs before distances are taken.
    pub feature_weight: Option<f64>,
    /// Weight of the words' and letters' linear kernel beside the Gaussian one of the inputs.
    pub term_weight: Option<f64>,
    /// Learn from the validation rows, too; they are then answered by leaving each one out with its
    /// group.
    pub all_rows: bool,
}

/// Sizes of a kernel machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KernelShape {
    /// Length of an input row.
    pub inputs: usize,
    /// Words and letter groups; 0 where it sees none.
    pub terms: usize,
    /// Training rows that every row is compared with.
    pub landmarks: usize,
    /// Blocks of the answer; the label's is the first.
    pub blocks: Vec<Block>,
}
