//! Why a head cannot be trained, asked, saved or loaded.

use super::tensors::TensorError;

/// Why a head cannot be trained, asked, saved or loaded.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// The numbers do not allow it.
    #[error("the head failed: {0}")]
    Failed(String),
    /// libtorch failed.
    #[error("the network failed: {0}")]
    Torch(String),
    /// A network was asked for where there is no libtorch.
    #[error("a network head needs libtorch (train.head, train.ensemble.heads)")]
    NeedsTorch,
    /// The weights file cannot be read or written, or does not fit the shape.
    #[error(transparent)]
    Tensors(#[from] TensorError),
    /// No head has this shape, or it does not fit the rows that are asked about.
    #[error("the head does not fit: {0}")]
    Shape(String),
    /// The loss is not a number.
    #[error("training diverged: the validation loss of epoch {epoch} is {loss}")]
    Diverged {
        /// The epoch.
        epoch: usize,
        /// Its validation loss.
        loss: f64,
        /// The learning rate it ran with.
        learning_rate: f64,
    },
    /// The user asked to stop.
    #[error("interrupted while training; nothing was changed")]
    Interrupted,
}

impl HeadError {
    /// What can be done about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Diverged { learning_rate, .. } => {
                Some(format!("lower train.learning_rate (it was {learning_rate})"))
            }
            Self::Failed(_)
            | Self::Torch(_)
            | Self::NeedsTorch
            | Self::Tensors(_)
            | Self::Shape(_)
            | Self::Interrupted => None,
        }
    }
}
