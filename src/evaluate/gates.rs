//! Limits that a model must keep to be put to use.

use serde::{Deserialize, Serialize};

use super::figure::Figure;
use super::interval::mean_and_deviation;
use super::metrics::Metrics;
use crate::config::GatesConfig;
use crate::heads::Epoch;

/// A limit and the value that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// What is limited.
    pub name: String,
    /// The measured value; absent where it could not be measured.
    pub value: Option<f64>,
    /// The limit.
    pub limit: f64,
    /// Whether the value must be above the limit; else it must be below.
    pub above: bool,
    /// Whether it is.
    pub passed: bool,
}

/// What the gates look at.
pub struct GateInput<'a> {
    /// Figures of the test part.
    pub test: &'a Metrics,
    /// The training history.
    pub history: &'a [Epoch],
    /// The epoch that was kept, counted from 1.
    pub best_epoch: usize,
    /// Whether there are epochs over which a figure could be steady.
    pub has_epochs: bool,
    /// Usable rows of all parts.
    pub rows: usize,
}

/// Epochs over which the validation accuracy is to be steady.
const STEADY_EPOCHS: usize = 5;

/// Every gate with its value, in the order of the config.
pub fn gates(input: &GateInput<'_>, limits: &GatesConfig) -> Vec<Gate> {
    let accuracy = input.test.of(Figure::Accuracy);
    let worst = input.test.per_class.iter().min_by(|a, b| a.f1.value.total_cmp(&b.f1.value));
    let above = |name: String, value: Option<f64>, limit: f64| Gate {
        name,
        value,
        limit,
        above: true,
        passed: value.is_some_and(|v| v > limit),
    };
    let below = |name: &str, value: Option<f64>, limit: f64| Gate {
        name: name.into(),
        value,
        limit,
        above: false,
        passed: value.is_some_and(|v| v < limit),
    };
    let half_width = (accuracy.high - accuracy.low) / 2.0;
    let worst_name = worst.map_or_else(String::new, |c| format!(" ({})", c.class));
    let steady = below(
        "standard deviation of late validation accuracy",
        late_deviation(input.history),
        limits.validation_accuracy_deviation,
    );
    let mut all = vec![
        above("test accuracy".into(), Some(accuracy.value), limits.test_accuracy),
        below("half-width of its 95 % interval", Some(half_width), limits.test_accuracy_half_width),
        above(format!("least F1 of a class{worst_name}"), worst.map(|c| c.f1.value), limits.class_f1),
        below("validation loss above train loss", loss_gap(input.history, input.best_epoch), limits.loss_gap),
        above("rows".into(), Some(input.rows as f64), limits.rows as f64),
        above("test rows".into(), Some(input.test.rows as f64), limits.test_rows as f64),
    ];
    if input.has_epochs {
        all.insert(4, steady);
    }
    all
}

/// Validation loss minus training loss of the kept epoch.
pub(super) fn loss_gap(history: &[Epoch], best_epoch: usize) -> Option<f64> {
    let best = history.get(best_epoch.checked_sub(1)?)?;
    Some(best.validation_loss - best.train_loss)
}

/// Sample standard deviation of the validation accuracy over the last epochs.
pub(super) fn late_deviation(history: &[Epoch]) -> Option<f64> {
    let late: Vec<f64> = history.iter().rev().take(STEADY_EPOCHS).map(|e| e.validation_accuracy).collect();
    if late.len() < 2 {
        return None;
    }
    Some(mean_and_deviation(&late).1)
}
