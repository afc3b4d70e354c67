//! What a trainer is, without libtorch.

use std::ops::ControlFlow;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::inputs::Sparse;

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
    /// Probabilities that add up to 1 (a row of zeros where the label is missing); answered by logits.
    #[default]
    Classes,
    /// Standardised numbers; answered as they are.
    Values,
}

/// A kind of head with its sizes: what is needed to load its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum HeadShape {
    /// A multilayer perceptron.
    Network(NetworkShape),
    /// A kernel machine.
    Kernel(KernelShape),
    /// Remembered rows.
    Neighbours(NeighbourShape),
    /// Boosted trees.
    Trees(TreeShape),
    /// Several heads.
    Ensemble(EnsembleShape),
}

impl HeadShape {
    /// Blocks of the answer; the label's is the first.
    pub fn blocks(&self) -> &[Block] {
        match self {
            Self::Network(shape) => &shape.blocks,
            Self::Kernel(shape) => &shape.blocks,
            Self::Neighbours(shape) => &shape.blocks,
            Self::Trees(shape) => &shape.blocks,
            Self::Ensemble(shape) => shape.heads.first().map_or(&[], Self::blocks),
        }
    }
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
    /// Columns of the last layer that make the label's probabilities.
    pub fn label_scores(&self) -> usize {
        let classes = self.blocks[0].width;
        if self.output == Output::Softmax { classes } else { classes - 1 }
    }

    /// Width of the last layer.
    pub fn scores(&self) -> usize {
        self.label_scores() + self.blocks[1..].iter().map(|b| b.width).sum::<usize>()
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

/// The heads of an ensemble.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnsembleShape {
    /// Their shapes.
    pub heads: Vec<HeadShape>,
    /// Their weights, which add up to 1.
    pub weights: Vec<f64>,
}

/// Which head to train, and how.
#[derive(Clone, Debug)]
pub enum Recipe {
    /// A multilayer perceptron by gradient descent.
    Network {
        /// Its layers.
        shape: NetworkShape,
        /// Its training.
        settings: NetworkSettings,
    },
    /// A kernel machine in closed form.
    Kernel(KernelSettings),
    /// Nearest rows, or class means.
    Neighbours(NeighbourSettings),
    /// Boosted trees.
    Trees(TreeSettings),
    /// Several heads on the same rows.
    Ensemble {
        /// The heads'.
        recipes: Vec<Recipe>,
        /// Whether their weights are learned on the validation rows.
        stacked: bool,
    },
}

/// How to train a head that compares rows with remembered ones.
#[derive(Clone, Debug)]
pub struct NeighbourSettings {
    /// Remember the mean of each class instead of all training rows.
    pub prototypes: bool,
    /// Rows that vote; chosen on the validation rows where it is not given.
    pub nearest: Option<usize>,
}

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

/// How to train a kernel machine. What is `None` is chosen by leave-one-out loss on the training rows.
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
    /// Learn from the validation rows, too; they are then answered by leaving each one out.
    pub all_rows: bool,
}

/// What a head is trained from.
pub struct FitData<'a> {
    /// Length of an input row.
    pub inputs: usize,
    /// The first so many inputs are embedding, the rest tabular.
    pub embedding_dims: usize,
    /// Blocks of the targets; the label's is the first. They add up to the width of a target row.
    pub blocks: &'a [Block],
    /// Weight of each class of the label in the loss.
    pub class_weights: Vec<f32>,
    /// Rows to learn from.
    pub train: Rows<'a>,
    /// Rows that choose the epoch.
    pub validation: Rows<'a>,
    /// Seed of every random choice.
    pub seed: u64,
}

/// Rows of one part, row-major.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// `n × inputs` values.
    pub inputs: &'a [f32],
    /// `n` rows of words and letters, where the head sees them; a network does not.
    pub terms: Option<&'a Sparse>,
    /// `n × outputs` targets, block beside block; one-hot for ordinary rows, soft for mixed ones.
    pub targets: &'a [f32],
}

/// One line of the training history. Losses are class-weighted cross entropy of the label in nats, dropout off.
///
/// Heads other than networks have one line; the loss of a kernel machine and of k-NN on the training rows is the
/// leave-one-out loss.
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
    /// What loads them again.
    pub shape: HeadShape,
    /// Trained parameters of a network; a kernel machine's effective ones: degrees of freedom times outputs (Hastie,
    /// Tibshirani & Friedman 2009, section 5.4.1).
    pub parameters: usize,
    /// All epochs that were run.
    pub history: Vec<Epoch>,
    /// The epoch whose weights were kept.
    pub best_epoch: usize,
    /// Whether early stopping ended the training.
    pub stopped_early: bool,
    /// Answers to the validation rows, `n × outputs`, as by a head that has not learned them; `None` where this one has not.
    pub validation: Option<Vec<f32>>,
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
    /// Answers to `n × inputs` rows, `n × outputs`, block beside block: logits and values; dropout off.
    /// `terms` has their words and letters, where the head was trained with them.
    ///
    /// # Errors
    /// libtorch failed.
    fn logits(&self, inputs: &[f32], terms: Option<&Sparse>) -> Result<Vec<f32>, HeadError>;

    /// Write the weights as safetensors.
    ///
    /// # Errors
    /// The file cannot be written.
    fn save(&self, path: &Path) -> Result<(), HeadError>;
}

/// Trains and loads heads.
pub trait Fit: Sync {
    /// Train a head by `recipe`.
    ///
    /// A network's early stopping keeps the weights of the epoch with the least validation loss (Prechelt 1998); its
    /// learning rate falls on plateaus as in PyTorch's `ReduceLROnPlateau(mode="min", threshold=1e-4,
    /// threshold_mode="rel")`. `each_epoch` sees every line of the history as it is made and can break off.
    ///
    /// # Errors
    /// Divergence, interruption, or a libtorch failure.
    fn fit(
        &self,
        recipe: &Recipe,
        data: &FitData<'_>,
        each_epoch: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
    ) -> Result<Fitted, HeadError>;

    /// Load weights saved by [`Head::save`].
    ///
    /// # Errors
    /// The file is missing, not safetensors, or does not fit `shape`.
    fn load_head(&self, shape: &HeadShape, path: &Path) -> Result<Box<dyn Head>, HeadError>;
}
