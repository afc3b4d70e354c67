//! What a head is, what it is trained from and what training leaves.

use std::ops::ControlFlow;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::block::Block;
use super::error::HeadError;
use super::kinds::HeadShape;
use super::tensors::Tensors;
use crate::inputs::{Distances, KnownDistances, Sparse};

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
    /// `n × outputs` targets, block beside block; one-hot for ordinary rows, soft for mixed ones. Of classes they add up to
    /// what the row counts.
    pub targets: &'a [f32],
    /// `n` pairs: the groups that a row descends from, twice the same but for a mixed row. Rows that share one are
    /// near-duplicates or variants of each other, and are left out together. Without groups each row is alone.
    pub groups: Option<&'a [[usize; 2]]>,
    /// Squared distances of the rows' embeddings, where they are known.
    pub distances: Option<KnownDistances<'a>>,
}

/// [`Rows`] put together anew.
pub(super) struct OwnedRows<'a> {
    pub inputs: Vec<f32>,
    pub terms: Option<Sparse>,
    pub targets: Vec<f32>,
    pub groups: Option<Vec<[usize; 2]>>,
    /// All distances, and of which rows these are.
    pub distances: Option<(&'a Distances, Vec<usize>)>,
}

impl OwnedRows<'_> {
    /// They, to be learned from.
    pub fn rows(&self) -> Rows<'_> {
        let Self { inputs, terms, targets, groups, distances } = self;
        let distances = distances.as_ref().map(|(all, rows)| KnownDistances { all, rows });
        Rows { inputs, terms: terms.as_ref(), targets, groups: groups.as_deref(), distances }
    }
}

/// One line of the training history. Losses are class-weighted cross entropy of the label in nats, dropout off.
///
/// Heads other than networks have one line; the loss of a kernel machine and of k-NN on the training rows is
/// that of answers to each row left out with its group.
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
    /// Answers to training rows; `None` where the head has no way to leave them out.
    pub left_out: Option<LeftOut>,
}

/// Answers to training rows, each as by a head that has not learned its group.
pub struct LeftOut {
    /// Places among the training rows.
    pub rows: Vec<usize>,
    /// `rows × outputs`.
    pub logits: Vec<f32>,
}

impl Fitted {
    /// A head that was not trained in epochs: the history has one line. `train` and `validation` are loss and accuracy, as
    /// in [`Epoch`].
    pub(super) fn at_once(
        head: Box<dyn Head>,
        shape: HeadShape,
        parameters: usize,
        [train, validation]: [Score; 2],
        each_epoch: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
    ) -> Result<Self, HeadError> {
        let epoch = Epoch {
            epoch: 1,
            learning_rate: 0.0,
            train_loss: train.loss,
            train_accuracy: train.accuracy,
            validation_loss: validation.loss,
            validation_accuracy: validation.accuracy,
        };
        if each_epoch(&epoch).is_break() {
            return Err(HeadError::Interrupted);
        }
        let (validation, left_out) = (None, None);
        let history = vec![epoch];
        let (best_epoch, stopped_early) = (1, false);
        Ok(Self { head, shape, parameters, history, best_epoch, stopped_early, validation, left_out })
    }
}

/// Loss and accuracy of the label, as in [`Epoch`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Score {
    pub loss: f64,
    pub accuracy: f64,
}

/// A head with its weights.
pub trait Head: Send + Sync {
    /// Answers to `n × inputs` rows, `n × outputs`, block beside block: logits and values; dropout off.
    /// `terms` has their words and letters, where the head was trained with them.
    ///
    /// # Errors
    /// The rows are not of this head's width, or libtorch failed.
    fn logits(&self, inputs: &[f32], terms: Option<&Sparse>) -> Result<Vec<f32>, HeadError>;

    /// The weights, as they are saved.
    ///
    /// # Errors
    /// libtorch failed.
    fn tensors(&self) -> Result<Tensors, HeadError>;

    /// Write the weights as safetensors.
    ///
    /// # Errors
    /// The file cannot be written.
    fn save(&self, path: &Path) -> Result<(), HeadError> {
        Ok(self.tensors()?.write(path)?)
    }
}

/// Refuse rows that are not whole ones of `width` inputs.
///
/// # Errors
/// They are not.
pub fn check_rows(inputs: &[f32], width: usize) -> Result<(), HeadError> {
    if width == 0 || !inputs.len().is_multiple_of(width) {
        let count = inputs.len();
        return Err(HeadError::Shape(format!("it takes {width} inputs a row; {count} are no whole rows")));
    }
    Ok(())
}
