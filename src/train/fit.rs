//! What a trainer is, without libtorch.

use std::ops::ControlFlow;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Layer sizes of a head: inputs → hidden (linear, batch norm, ReLU, dropout each) → classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadShape {
    /// Length of an input row.
    pub inputs: usize,
    /// Units of each hidden layer; empty for multinomial logistic regression.
    pub hidden: Vec<usize>,
    /// Number of classes.
    pub classes: usize,
    /// Share of hidden units dropped while training, in `[0, 1)`.
    pub dropout: f64,
    /// Batch normalisation (Ioffe & Szegedy 2015) before each ReLU.
    pub batch_norm: bool,
}

impl HeadShape {
    /// Trainable parameters: weights, biases and batch-norm scales and shifts.
    pub fn parameters(&self) -> usize {
        let mut count = 0;
        let mut width = self.inputs;
        for &units in &self.hidden {
            count += (width + 1) * units + if self.batch_norm { 2 * units } else { 0 };
            width = units;
        }
        count + (width + 1) * self.classes
    }
}

/// How to train a head.
#[derive(Clone, Debug)]
pub struct FitSettings {
    /// Most epochs to run.
    pub epochs: usize,
    /// Rows a step; a last batch of one row is joined to the one before it (batch norm needs two).
    pub batch_size: usize,
    /// Adam's first learning rate (Kingma & Ba 2015).
    pub learning_rate: f64,
    /// L2 penalty added to the gradient.
    pub weight_decay: f64,
    /// Weight of each class in the loss.
    pub class_weights: Vec<f32>,
    /// Epochs without an improvement of more than `min_delta` before training stops.
    pub patience: usize,
    /// Smallest fall of the validation loss that counts as an improvement.
    pub min_delta: f64,
    /// ReduceLROnPlateau: factor applied to the learning rate.
    pub plateau_factor: f64,
    /// ReduceLROnPlateau: epochs without improvement that are tolerated.
    pub plateau_patience: usize,
    /// ReduceLROnPlateau: the learning rate never falls below this.
    pub min_learning_rate: f64,
    /// Seed of every random choice.
    pub seed: u64,
}

/// Rows of one part, row-major.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// `n × inputs` values.
    pub inputs: &'a [f32],
    /// `n × classes` target probabilities; one-hot for ordinary rows, soft for mixed ones.
    pub targets: &'a [f32],
}

/// One line of the training history. Losses are class-weighted cross entropy in nats, dropout off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: usize,
    /// Adam's learning rate in this epoch.
    pub learning_rate: f64,
    /// Loss on the training rows after the epoch.
    pub train_loss: f64,
    /// Share of training rows whose likeliest class is right, in `[0, 1]`.
    pub train_accuracy: f64,
    /// Loss on the validation rows.
    pub validation_loss: f64,
    /// Share of validation rows whose likeliest class is right, in `[0, 1]`.
    pub validation_accuracy: f64,
}

/// A trained head with its history.
pub struct Fitted {
    /// The weights of the best epoch.
    pub head: Box<dyn Head>,
    /// All epochs that were run.
    pub history: Vec<Epoch>,
    /// The epoch whose weights were kept.
    pub best_epoch: usize,
    /// Whether early stopping ended the training.
    pub stopped_early: bool,
}

/// Why a head cannot be trained or loaded.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// libtorch failed, or the weights file does not fit the shape.
    #[error("the head failed: {0}")]
    Torch(String),
    /// The loss is not a number.
    #[error(
        "training diverged: the validation loss of epoch {epoch} is {loss}\n  \
         hint: lower train.learning_rate (it was {learning_rate})"
    )]
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

/// A head with its weights.
pub trait Head {
    /// Logits of `n × inputs` rows, `n × classes`, dropout off.
    ///
    /// # Errors
    /// libtorch failed.
    fn logits(&self, inputs: &[f32]) -> Result<Vec<f32>, HeadError>;

    /// Write the weights as safetensors.
    ///
    /// # Errors
    /// The file cannot be written.
    fn save(&self, path: &Path) -> Result<(), HeadError>;
}

/// Trains and loads heads.
pub trait Fit: Sync {
    /// Train a head on `train`, choosing the epoch by the loss on `validation`.
    ///
    /// Early stopping keeps the weights of the best epoch (Prechelt 1998); the learning rate falls on plateaus as in
    /// PyTorch's `ReduceLROnPlateau(mode="min", threshold=1e-4, threshold_mode="rel")`. `each_epoch` sees every line
    /// of the history as it is made and can break off.
    ///
    /// # Errors
    /// Divergence, interruption, or a libtorch failure.
    fn fit(
        &self,
        shape: &HeadShape,
        settings: &FitSettings,
        train: Rows<'_>,
        validation: Rows<'_>,
        each_epoch: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
    ) -> Result<Fitted, HeadError>;

    /// Load weights saved by [`Head::save`].
    ///
    /// # Errors
    /// The file is missing, not safetensors, or does not fit `shape`.
    fn load_head(&self, shape: &HeadShape, path: &Path) -> Result<Box<dyn Head>, HeadError>;
}
