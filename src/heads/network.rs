//! What a network is and how it is trained. The training itself needs libtorch and lives in its own crate
//! (`crates/torch`); here is only what it must do ([`Networks`]).

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::block::checked_outputs;
use super::block::{Block, outputs};
use super::error::HeadError;
use super::head::{Epoch, FitData, Fitted, Head};
use super::tensors::Tensors;

/// What only libtorch can do with heads.
pub trait Networks: Send + Sync {
    /// Train a network.
    ///
    /// Early stopping keeps the weights of the epoch with the least validation loss (Prechelt 1998); on plateaus the
    /// learning rate falls as in PyTorch's `ReduceLROnPlateau(mode="min", threshold=1e-4, threshold_mode="rel")`.
    /// `each_epoch` sees every line of the history as it is made and can break off.
    ///
    /// # Errors
    /// Divergence, interruption, or a libtorch failure.
    fn fit_network(
        &self,
        shape: &NetworkShape,
        settings: &NetworkSettings,
        data: &FitData<'_>,
        each_epoch: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
    ) -> Result<Fitted, HeadError>;

    /// A network with weights saved by [`Head::save`].
    ///
    /// # Errors
    /// They do not fit `shape`.
    fn load_network(&self, shape: &NetworkShape, tensors: Tensors) -> Result<Box<dyn Head>, HeadError>;
}

/// Layer sizes of a network: inputs → hidden (linear, batch norm, ReLU, dropout each) → outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkShape {
    /// Length of an input row.
    pub inputs: usize,
    /// Units of each hidden layer; empty for multinomial logistic regression.
    pub hidden: Vec<usize>,
    /// Blocks of the answer; the label's is the first.
    pub blocks: Vec<Block>,
    /// Share of hidden units dropped while training, in `[0, 1)`.
    pub dropout: f64,
    /// Batch normalisation (Ioffe & Szegedy 2015) before each ReLU.
    pub batch_norm: bool,
    /// How the label's probabilities are made.
    pub output: Output,
    /// Networks that are trained together, each from its own weights, and whose probabilities are averaged.
    pub members: usize,
}

/// How a network's last layer makes the label's probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Output {
    /// A score a class and softmax.
    #[default]
    Softmax,
    /// For ordered classes: one score, and a threshold between each two classes (CORAL, Cao et al. 2020).
    Coral,
    /// For ordered classes: the chance to pass each threshold once the one before is passed (CORN, Shi et al. 2023).
    Corn,
}

impl NetworkShape {
    /// Whether weights of this shape are at most `numbers`: a card that asks for more is refused before memory is.
    ///
    /// # Errors
    /// They are more, or no network has this shape.
    pub fn check(&self, numbers: usize) -> Result<(), HeadError> {
        checked_outputs(&self.blocks)?;
        let classes = self.blocks[0].width;
        if classes < 2 && self.output != Output::Softmax {
            return Err(HeadError::Shape("its card orders a single class".into()));
        }
        let sizes = [self.members, self.inputs];
        if sizes.iter().chain(&self.hidden).any(|&size| size == 0) {
            return Err(HeadError::Shape("its card has a network with a layer of nothing".into()));
        }
        // Floating point does not overflow, and is exact enough to refuse what is beyond the file.
        let widths = sizes[1..].iter().chain(&self.hidden).map(|&width| width as f64);
        let next = self.hidden.iter().map(|&width| width as f64).chain([self.scores() as f64]);
        let weights: f64 = widths.zip(next).map(|(from, to)| (from + 1.0) * to).sum();
        if weights * self.members as f64 > numbers as f64 {
            return Err(HeadError::Shape(format!("its card has a network of more than {numbers} weights")));
        }
        Ok(())
    }

    /// Columns of the last layer that make the label's probabilities.
    pub fn label_scores(&self) -> usize {
        let classes = self.blocks[0].width;
        if self.output == Output::Softmax { classes } else { classes - 1 }
    }

    /// Width of the last layer.
    pub fn scores(&self) -> usize {
        self.label_scores() + outputs(&self.blocks[1..])
    }

    /// Trainable parameters of all members: weights, biases and batch-norm scales and shifts.
    pub fn parameters(&self) -> usize {
        let mut count = 0;
        let mut width = self.inputs;
        for &units in &self.hidden {
            count += (width + 1) * units + if self.batch_norm { 2 * units } else { 0 };
            width = units;
        }
        self.members * (count + (width + 1) * self.scores())
    }
}

/// How to train a network.
#[derive(Clone, Debug, Default)]
pub struct NetworkSettings {
    /// Most epochs to run.
    pub epochs: usize,
    /// Rows a step; a last batch of one row is joined to the one before it (batch norm needs two).
    pub batch_size: usize,
    /// Adam's learning rate (Kingma & Ba 2015): the first, or the greatest where the schedule warms up.
    pub learning_rate: f64,
    /// L2 penalty added to the gradient.
    pub weight_decay: f64,
    /// Epochs without an improvement of more than `min_delta` before training stops.
    pub patience: usize,
    /// Smallest fall of the validation loss that counts as an improvement.
    pub min_delta: f64,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Focal loss (Lin et al. 2017): the loss of a row is multiplied by (1 - p)^γ; 0 for cross entropy.
    pub focal_gamma: f64,
    /// Share of a target that is spread over all classes (Szegedy et al. 2016).
    pub label_smoothing: f64,
    /// Each epoch draws as many rows of each class, with replacement.
    pub balanced_sampling: bool,
    /// Each member learns from all folds of the training rows but one of its own.
    pub member_folds: bool,
    /// Standard deviation of the noise added to the inputs of a step.
    pub noise: f64,
    /// Manifold mixup (Verma et al. 2019) behind the first hidden layer, with λ from Beta(α, α); 0 for none.
    pub manifold_mixup: f64,
    /// Which weights are kept.
    pub averaging: Averaging,
    /// Curriculum (Bengio et al. 2009): epochs of each of three phases, the easiest third, two thirds, all; 0 for none.
    pub curriculum: usize,
}

/// How the learning rate changes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Schedule {
    /// It does not.
    #[default]
    Constant,
    /// PyTorch's `ReduceLROnPlateau(mode="min", threshold=1e-4, threshold_mode="rel")`.
    Plateau {
        /// Factor applied to the learning rate.
        factor: f64,
        /// Epochs without improvement that are tolerated.
        patience: usize,
        /// The learning rate never falls below this.
        least: f64,
    },
    /// Linear warm-up over the share `warmup` of all steps, then half a cosine to 0 (Loshchilov & Hutter 2017).
    Cosine {
        /// In `[0, 1)`.
        warmup: f64,
    },
    /// PyTorch's `OneCycleLR` with its defaults, momentum constant (Smith & Topin 2019).
    OneCycle,
}

/// Which weights are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Averaging {
    /// Those after the last step of the best epoch.
    #[default]
    None,
    /// Their exponential moving average with this decay a step (Polyak & Juditsky 1992).
    Ema(f64),
    /// The mean of the weights after each epoch from this one on (SWA, Izmailov et al. 2018).
    Swa(usize),
}
