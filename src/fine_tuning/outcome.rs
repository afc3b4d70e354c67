//! What a tuning says while it runs and when it is over.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::device::Device;

/// What is learned at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The encoder, on pairs of rows.
    Contrastive,
    /// The head alone.
    Head,
    /// Encoder and head.
    Encoder,
}

/// Losses of an epoch of encoder and head.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochLoss {
    /// From 1.
    pub epoch: usize,
    /// Mean over its steps, with dropout.
    pub train: f64,
    /// Over the validation rows, without; `None` where there are none.
    pub validation: Option<f64>,
}

/// What a tuning says while it runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Something a person should know.
    Note(String),
    /// A step is over.
    Step {
        /// What is learned now.
        phase: Phase,
        /// Steps so far, from 1.
        step: usize,
        /// Steps in all, if nothing stops early.
        steps: usize,
        /// The step's loss.
        loss: f64,
        /// Since the tuning began or was gone on with.
        seconds: f64,
    },
    /// An epoch of encoder and head is over.
    Epoch(EpochLoss),
}

/// Who hears of events and can break off.
pub type Watch<'a> = &'a mut dyn FnMut(&Event) -> ControlFlow<()>;

/// What a tuning has done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tuned {
    /// Epochs of encoder and head.
    pub history: Vec<EpochLoss>,
    /// The one whose weights were kept, from 1; 0 where there was none.
    pub best_epoch: usize,
    /// Whether early stopping ended it.
    pub stopped_early: bool,
    /// Different texts that were cut.
    pub cut_texts: usize,
    /// Where it ended; one that was gone on with may have begun elsewhere.
    pub device: Device,
}
