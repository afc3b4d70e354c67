//! Heads: what is trained on frozen embeddings and answers with logits and values. A folder each.
//!
//! Everything is computed here, on one thread an operation, but for networks: these need libtorch, which whoever links it
//! brings along as [`Networks`]. No files but the weights', and no figures beyond loss and accuracy.

mod block;
mod dense;
mod ensemble;
mod error;
mod groups;
mod head;
mod kernel;
mod kinds;
mod lanes;
mod logistic;
mod neighbours;
mod network;
mod tensors;
#[cfg(test)]
mod tests;
mod trees;

pub use block::{Block, BlockKind, outputs, places, row_weight};
pub use dense::{Points, Remembered, cholesky, exp_of_minus, likeliest, product, softmax};
pub use ensemble::{EnsembleShape, Views};
pub use error::HeadError;
pub use head::{Epoch, FitData, Fitted, Head, LeftOut, Rows, check_rows};
pub use kernel::{KernelSettings, KernelShape, add_products, margins};
pub use kinds::{HeadShape, Recipe, fit, load};
pub use logistic::{Labelled, LogisticRegression, LogisticShape, Matrix};
pub use neighbours::{NeighbourSettings, NeighbourShape, PRIOR_VOTES};
pub use network::{Averaging, NetworkSettings, NetworkShape, Networks, Output, Schedule};
pub use tensors::{Element, Floats, Numbers, TensorError, Tensors, Whole};
pub use trees::{TreeSettings, TreeShape};
