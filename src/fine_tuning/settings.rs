//! How an encoder is tuned.

use std::path::PathBuf;

use pipeline_encoder::Precision;
use serde::{Deserialize, Serialize};

use super::error::TuningError;

/// How much of an encoder learns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Depth {
    /// The uppermost layers, at least one; those below stay as they are to the bit.
    Top(usize),
    /// Low-rank adapters of the query and value products of all layers (Hu et al. 2021, arXiv 2106.09685), merged into them
    /// when the encoder is saved.
    Lora {
        /// Rank of an adapter, at least 1.
        rank: usize,
        /// What it adds is scaled by `alpha / rank`; above 0.
        alpha: f64,
    },
    /// Everything, the embeddings of words and places included.
    Full,
}

/// Supervised contrastive learning before the head is fit, as in SetFit (Tunstall et al. 2022, arXiv 2209.11055): pairs of rows
/// of one class are pulled towards cosine 1, pairs of two classes towards 0, by the mean squared error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contrastive {
    /// Pairs that are drawn at most, half of each kind; at least 2.
    pub pairs: usize,
}

/// Settings of a tuning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TuningSettings {
    /// How much of the encoder learns.
    pub depth: Depth,
    /// Tokens after which a text is cut; as the folder says where there is none.
    pub max_tokens: Option<usize>,
    /// Pairs that are learned before anything else.
    pub contrastive: Option<Contrastive>,
    /// Epochs in which the head alone learns, before the encoder does.
    pub head_epochs: usize,
    /// Epochs of encoder and head together, at most.
    pub epochs: usize,
    /// Rows of a step, at least 1.
    pub batch_size: usize,
    /// Greatest learning rate of the encoder's uppermost layer, above 0.
    pub learning_rate: f64,
    /// Greatest learning rate of the head, above 0.
    pub head_learning_rate: f64,
    /// What the learning rate of a layer is of that of the layer above it (Howard & Ruder 2018), in `(0, 1]`.
    pub layer_decay: f64,
    /// Share of the steps in which the rate rises to its greatest, in `[0, 1)`; then it falls to 0, both in a line.
    pub warm_up: f64,
    /// Decoupled weight decay (Loshchilov & Hutter 2019) of what is neither a bias nor a layer norm, from 0.
    pub weight_decay: f64,
    /// Longest gradient: a longer one is shortened to this; above 0.
    pub clip: f64,
    /// Share of states, of attention and of what the head sees that is dropped while training, in `[0, 1)`.
    pub dropout: f64,
    /// Epochs without a lower validation loss after which the training ends.
    pub patience: usize,
    /// How much lower a validation loss must be to count.
    pub min_delta: f64,
    /// Number format of the products; [`Precision::Auto`] is bfloat16 where the processor has instructions for it.
    pub precision: Precision,
    /// Bytes that the states of the frozen layers may take; where they are more, they are computed anew each time.
    pub frozen_bytes: u64,
    /// Threads that one operation is split over, at least 1. Other counts may round differently.
    pub threads: usize,
}

impl Default for TuningSettings {
    fn default() -> Self {
        Self {
            depth: Depth::Top(2),
            max_tokens: None,
            contrastive: None,
            head_epochs: 1,
            epochs: 5,
            batch_size: 16,
            learning_rate: 5e-5,
            head_learning_rate: 2e-3,
            layer_decay: 0.9,
            warm_up: 0.1,
            weight_decay: 0.01,
            clip: 1.0,
            dropout: 0.1,
            patience: 2,
            min_delta: 0.0,
            precision: Precision::Auto,
            frozen_bytes: 2 << 30,
            threads: 1,
        }
    }
}

impl TuningSettings {
    /// See that every setting is in its range.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), TuningError> {
        let least = |name, value: usize, least: usize| match value >= least {
            true => Ok(()),
            false => Err(TuningError::setting(name, value, format!("it must be at least {least}"))),
        };
        let within = |name, value: f64, range: &'static str, fits: bool| match fits && value.is_finite() {
            true => Ok(()),
            false => Err(TuningError::setting(name, value, format!("it must be {range}"))),
        };
        match self.depth {
            Depth::Top(layers) => least("train.encoder", layers, 1)?,
            Depth::Lora { rank, alpha } => {
                least("train.tuning.rank", rank, 1)?;
                within("train.tuning.alpha", alpha, "above 0", alpha > 0.0)?;
            }
            Depth::Full => {}
        }
        if let Some(Contrastive { pairs }) = self.contrastive {
            least("train.tuning.pairs", pairs, 2)?;
        }
        least("train.tuning.batch_size", self.batch_size, 1)?;
        least("train.tuning.threads", self.threads, 1)?;
        let share = |value: f64| (0.0..1.0).contains(&value);
        for (name, value) in [
            ("train.tuning.learning_rate", self.learning_rate),
            ("train.tuning.head_learning_rate", self.head_learning_rate),
            ("train.tuning.clip", self.clip),
        ] {
            within(name, value, "above 0", value > 0.0)?;
        }
        within("train.tuning.layer_decay", self.layer_decay, "above 0 and at most 1", {
            self.layer_decay > 0.0 && self.layer_decay <= 1.0
        })?;
        within("train.tuning.warm_up", self.warm_up, "from 0 and below 1", share(self.warm_up))?;
        within("train.tuning.dropout", self.dropout, "from 0 and below 1", share(self.dropout))?;
        within("train.tuning.weight_decay", self.weight_decay, "from 0", self.weight_decay >= 0.0)?;
        within("train.tuning.min_delta", self.min_delta, "from 0", self.min_delta >= 0.0)
    }
}

/// Where a tuning is kept while it runs, so that one that was killed goes on where it was.
#[derive(Clone, Debug, PartialEq)]
pub struct TuningRun {
    /// The folder of the checkpoint; made where there is none.
    pub folder: PathBuf,
    /// Steps after which it is written again, at least 1.
    pub every: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_is_named_with_its_value() {
        assert!(TuningSettings::default().check().is_ok());
        let said = |change: fn(&mut TuningSettings)| {
            let mut settings = TuningSettings::default();
            change(&mut settings);
            settings.check().unwrap_err().to_string()
        };
        for (error, name, value) in [
            (said(|s| s.learning_rate = f64::NAN), "learning_rate", "NaN"),
            (said(|s| s.clip = 0.0), "clip", "0"),
            (said(|s| s.depth = Depth::Top(0)), "train.encoder", "0"),
            (said(|s| s.depth = Depth::Lora { rank: 4, alpha: f64::INFINITY }), "train.tuning.alpha", "inf"),
            (said(|s| s.dropout = 1.0), "dropout", "1"),
            (said(|s| s.layer_decay = 1.5), "layer_decay", "1.5"),
            (said(|s| s.contrastive = Some(Contrastive { pairs: 1 })), "train.tuning.pairs", "1"),
            (said(|s| s.batch_size = 0), "batch_size", "0"),
        ] {
            assert!(error.contains(&format!("{name} = {value}")), "{error}");
        }
    }
}
