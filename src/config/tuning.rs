//! `train.encoder` and `[train.tuning]`: how much of the encoder learns, and how.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::Fault;
use super::number::{Number, real, whole};
use super::section::Section;

/// Most layers that are tuned: no BERT has more.
const MOST_LAYERS: usize = 1000;

/// How much of the encoder learns from the training rows: `frozen`, `top-N`, `lora` or `full`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum EncoderTraining {
    /// Nothing: the head alone does.
    #[default]
    Frozen,
    /// The uppermost layers, from 1 to 1000.
    Top(usize),
    /// Low-rank adapters of all layers.
    Lora,
    /// Everything.
    Full,
}

impl EncoderTraining {
    /// Whether the encoder stays as it is.
    pub fn is_frozen(&self) -> bool {
        *self == Self::Frozen
    }
}

impl fmt::Display for EncoderTraining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frozen => f.write_str("frozen"),
            Self::Top(layers) => write!(f, "top-{layers}"),
            Self::Lora => f.write_str("lora"),
            Self::Full => f.write_str("full"),
        }
    }
}

impl From<EncoderTraining> for String {
    fn from(training: EncoderTraining) -> Self {
        training.to_string()
    }
}

impl FromStr for EncoderTraining {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let layers = || text.strip_prefix("top-")?.parse().ok().filter(|n| (1..=MOST_LAYERS).contains(n));
        match text {
            "frozen" => Ok(Self::Frozen),
            "lora" => Ok(Self::Lora),
            "full" => Ok(Self::Full),
            _ => layers().map(Self::Top).ok_or_else(|| {
                format!("`{text}` is none of `frozen`, `top-1` to `top-{MOST_LAYERS}`, `lora`, `full`")
            }),
        }
    }
}

impl TryFrom<String> for EncoderTraining {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// `[train.tuning]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TuningConfig {
    /// Pairs of rows that the encoder learns before anything else (SetFit); in `[0, 10,000,000]`, 0 by default.
    pub pairs: usize,
    /// Epochs in which a linear head alone learns, in `[0, 1000]`; 1 by default.
    pub head_epochs: usize,
    /// Most epochs of encoder and head together, in `[0, 1000]`; 5 by default.
    pub epochs: usize,
    /// Epochs without a lower validation loss after which it ends, in `[1, 1000]`; 2 by default.
    pub patience: usize,
    /// Rows a step, in `[1, 4096]`; 16 by default.
    pub batch_size: usize,
    /// Learning rate of the uppermost layer, in `[1e-8, 1]`; 0.00005 by default.
    pub learning_rate: f64,
    /// Learning rate of the linear head, in `[1e-8, 1]`; 0.002 by default.
    pub head_learning_rate: f64,
    /// What the rate of a layer is of that of the one above, in `[0.01, 1]`; 0.9 by default.
    pub layer_decay: f64,
    /// Share of the steps in which the rate rises, in `[0, 0.9]`; 0.1 by default.
    pub warm_up: f64,
    /// Decoupled weight decay, in `[0, 10]`; 0.01 by default.
    pub weight_decay: f64,
    /// Share of states that is dropped, in `[0, 0.9]`; 0.1 by default.
    pub dropout: f64,
    /// Rank of the adapters of `lora`, in `[1, 4096]`; 8 by default.
    pub rank: usize,
    /// Scale of the adapters of `lora`, which add `alpha / rank` of what they say, in `[0.001, 4096]`; 16 by default.
    pub alpha: f64,
}

impl Section for TuningConfig {
    fn numbers(&self) -> Vec<Number> {
        vec![
            whole("train.tuning.pairs", self.pairs, 0..=10_000_000),
            whole("train.tuning.head_epochs", self.head_epochs, 0..=1000),
            whole("train.tuning.epochs", self.epochs, 0..=1000),
            whole("train.tuning.patience", self.patience, 1..=1000),
            whole("train.tuning.batch_size", self.batch_size, 1..=4096),
            real("train.tuning.learning_rate", self.learning_rate, 1e-8..=1.0),
            real("train.tuning.head_learning_rate", self.head_learning_rate, 1e-8..=1.0),
            real("train.tuning.layer_decay", self.layer_decay, 0.01..=1.0),
            real("train.tuning.warm_up", self.warm_up, 0.0..=0.9),
            real("train.tuning.weight_decay", self.weight_decay, 0.0..=10.0),
            real("train.tuning.dropout", self.dropout, 0.0..=0.9),
            whole("train.tuning.rank", self.rank, 1..=4096),
            real("train.tuning.alpha", self.alpha, 0.001..=4096.0),
        ]
    }

    fn check(&self) -> Result<(), Fault> {
        if self.pairs == 1 {
            return Fault::at("train.tuning.pairs", "is 1; pairs are drawn by twos, one of each kind");
        }
        Ok(())
    }
}

impl Default for TuningConfig {
    fn default() -> Self {
        Self {
            pairs: 0,
            head_epochs: 1,
            epochs: 5,
            patience: 2,
            batch_size: 16,
            learning_rate: 5e-5,
            head_learning_rate: 2e-3,
            layer_decay: 0.9,
            warm_up: 0.1,
            weight_decay: 0.01,
            dropout: 0.1,
            rank: 8,
            alpha: 16.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_much_learns_is_read_as_it_is_written() {
        for text in ["frozen", "top-1", "top-12", "lora", "full"] {
            assert_eq!(text.parse::<EncoderTraining>().unwrap().to_string(), text);
        }
        for text in ["", "top", "top-", "top-0", "top--1", "top-1001", "Full", "top-99999999999999999999"] {
            assert!(text.parse::<EncoderTraining>().unwrap_err().contains("top-1"), "{text}");
        }
    }
}
