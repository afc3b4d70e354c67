//! `[tune]`: what `pipeline tune` tries.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::Fault;
use super::evaluate::MOST_FOLDS;
use super::number::{Amount, Number, whole};
use super::section::Section;

/// `[tune]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TuneConfig {
    /// Configs tried in each search, in `[1, 100,000]`; 20 by default.
    pub trials: usize,
    /// Inner folds on which a config is measured, in `[2, 1000]`; 4 by default.
    pub folds: usize,
    /// What is to be best, over the inner folds; `log_loss` by default.
    pub metric: TuneMetric,
    /// Values of a key of this file, by its dotted name, each of them one that the key may have; a space that suits the head
    /// by default.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub space: BTreeMap<String, SpaceAxis>,
}

impl Section for TuneConfig {
    fn numbers(&self) -> Vec<Number> {
        vec![whole("tune.trials", self.trials, 1..=100_000), whole("tune.folds", self.folds, 2..=MOST_FOLDS)]
    }

    fn check(&self) -> Result<(), Fault> {
        for (key, axis) in &self.space {
            let fits = match axis {
                SpaceAxis::Choices(choices) => !choices.is_empty(),
                SpaceAxis::Span { low, high, log, .. } => low < high && (!log || *low > 0.0),
            };
            if !fits {
                let problem = "needs a value to choose, or low < high, with log also 0 < low";
                return Fault::at(format!("tune.space.{key}"), problem);
            }
            let tunable = ["features.", "augment.", "train."].iter().any(|section| key.starts_with(section));
            if !tunable && key != "data.join_text" {
                let problem = "cannot be tuned; keys of features, augment and train can, and data.join_text";
                return Fault::at(format!("tune.space.{key}"), problem);
            }
        }
        Ok(())
    }
}

impl Default for TuneConfig {
    fn default() -> Self {
        Self { trials: 20, folds: 4, metric: TuneMetric::LogLoss, space: BTreeMap::new() }
    }
}

/// What a search makes as good as it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TuneMetric {
    /// The least log loss: it sees every row's probability and is the steadiest.
    LogLoss,
    /// The greatest macro-F1.
    MacroF1,
    /// The greatest accuracy.
    Accuracy,
}

/// The values that one key may have in a search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields, expecting = "expected a list of values, or { low, high, log, whole }")]
pub enum SpaceAxis {
    /// One of these.
    Choices(Vec<toml::Value>),
    /// A number between two others.
    Span {
        /// The least.
        low: f64,
        /// The greatest.
        high: f64,
        /// Drawn by its logarithm.
        #[serde(default)]
        log: bool,
        /// A whole number.
        #[serde(default)]
        whole: bool,
    },
}

/// A number of an axis.
pub(super) struct Tried {
    /// Where in the axis it stands: `.low`, `[0]`.
    pub place: String,
    /// The key that would have it.
    pub of: String,
    /// What it is.
    pub amount: Amount,
}

impl SpaceAxis {
    /// Every number that `key` could come to have, or a number in it; of a span, the ends.
    pub(super) fn tries(&self, key: &str) -> Vec<Tried> {
        let mut found = Vec::new();
        match self {
            Self::Choices(choices) => {
                for (i, choice) in choices.iter().enumerate() {
                    add_numbers(choice, format!("[{i}]"), key.to_owned(), &mut found);
                }
            }
            Self::Span { low, high, whole, .. } => {
                for (place, end) in [(".low", *low), (".high", *high)] {
                    // What is drawn of a span of whole numbers is rounded down.
                    let amount = if *whole && end.is_finite() {
                        Amount::Whole(end.floor() as i64)
                    } else {
                        Amount::Real(end)
                    };
                    found.push(Tried { place: place.to_owned(), of: key.to_owned(), amount });
                }
            }
        }
        found
    }
}

fn add_numbers(value: &toml::Value, place: String, of: String, found: &mut Vec<Tried>) {
    let mut add = |amount| found.push(Tried { place: place.clone(), of: of.clone(), amount });
    match value {
        toml::Value::Integer(value) => add(Amount::Whole(*value)),
        toml::Value::Float(value) => add(Amount::Real(*value)),
        toml::Value::Array(values) => {
            for (i, value) in values.iter().enumerate() {
                add_numbers(value, format!("{place}[{i}]"), format!("{of}[{i}]"), found);
            }
        }
        toml::Value::Table(values) => {
            for (name, value) in values {
                add_numbers(value, format!("{place}.{name}"), format!("{of}.{name}"), found);
            }
        }
        _ => {}
    }
}
