//! Limits that a model must keep to be put to use.

use serde::{Deserialize, Serialize};

use super::figure::Figure;
use super::interval::{Estimate, mean_and_deviation};
use super::metrics::Metrics;
use crate::config::GateLimits;
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
    /// Whether it is, or there is nothing that could be.
    pub passed: bool,
    /// How likely the truth is on the right side of the limit, in `[0, 1]`; absent of counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub likely: Option<f64>,
    /// Why the gate does not apply, where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_applied: Option<String>,
}

/// What the gates look at.
pub struct GateInput<'a> {
    /// Figures of the test part.
    pub test: &'a Metrics,
    /// The training history.
    pub history: &'a [Epoch],
    /// Log loss found on held-out rows minus what the heads believed it to be, over the folds.
    pub loss_gap: Estimate,
    /// Whether there are epochs over which a figure could be steady.
    pub has_epochs: bool,
    /// Usable rows that are not of given test files.
    pub rows: usize,
}

/// Epochs over which the validation accuracy is to be steady.
const STEADY_EPOCHS: usize = 5;

/// Every gate with its value, in the order of the config.
pub fn gates(input: &GateInput<'_>, limits: &GateLimits) -> Vec<Gate> {
    let accuracy = input.test.of(Figure::Accuracy);
    let worst = input.test.per_class.iter().min_by(|a, b| a.f1.value.total_cmp(&b.f1.value));
    let gate = |name: String, value: Option<f64>, limit: f64, above: bool| Gate {
        name,
        value,
        limit,
        above,
        passed: value.is_some_and(|v| if above { v > limit } else { v < limit }),
        likely: None,
        not_applied: None,
    };
    let estimate = |name: &str, value: Option<Estimate>, limit: f64, above: bool| {
        let likely = value.map(|v| v.probability_above(limit)).map(|p| if above { p } else { 1.0 - p });
        Gate { likely, ..gate(name.to_owned(), value.map(|v| v.value), limit, above) }
    };
    let half_width = (accuracy.high - accuracy.low) / 2.0;
    let worst_name = worst.map_or_else(String::new, |c| format!(" ({})", c.class));
    let steady = gate(
        "standard deviation of late validation accuracy".to_owned(),
        late_deviation(input.history),
        limits.validation_accuracy_deviation,
        false,
    );
    let without_epochs = || "the head is not trained in epochs".to_owned();
    let count = |name: &str, value: usize, limit: usize| {
        gate(name.to_owned(), Some(value as f64), limit as f64, true)
    };
    vec![
        estimate("test accuracy", Some(accuracy), limits.test_accuracy, true),
        gate(
            "half-width of its 95 % interval".to_owned(),
            Some(half_width),
            limits.test_accuracy_half_width,
            false,
        ),
        estimate(&format!("least F1 of a class{worst_name}"), worst.map(|c| c.f1), limits.class_f1, true),
        estimate("log loss found above log loss believed", Some(input.loss_gap), limits.loss_gap, false),
        match input.has_epochs {
            true => steady,
            false => Gate { value: None, passed: true, not_applied: Some(without_epochs()), ..steady },
        },
        count("rows", input.rows, limits.rows),
        count("test rows", input.test.rows, limits.test_rows),
    ]
}

/// Sample standard deviation of the validation accuracy over the last epochs.
pub(super) fn late_deviation(history: &[Epoch]) -> Option<f64> {
    let late: Vec<f64> = history.iter().rev().take(STEADY_EPOCHS).map(|e| e.validation_accuracy).collect();
    if late.len() < 2 {
        return None;
    }
    Some(mean_and_deviation(&late).1)
}
