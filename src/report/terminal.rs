//! The summary at the end of a training.

use super::Table;
use crate::evaluate::{Estimate, Metrics};
use crate::train::Epoch;

/// Classes shown in full; of more, the worst are shown.
const CLASSES_SHOWN: usize = 12;

/// What the summary tells.
pub struct Summary<'a> {
    /// Name of the model.
    pub name: &'a str,
    /// Figures of the validation part.
    pub validation: &'a Metrics,
    /// Figures of the test part.
    pub test: &'a Metrics,
    /// The training history.
    pub history: &'a [Epoch],
    /// The epoch that was kept.
    pub best_epoch: usize,
    /// Whether early stopping ended the training.
    pub stopped_early: bool,
    /// Rows trained on, and how many of them are augmented.
    pub training_rows: (usize, usize),
    /// Trainable parameters of the head.
    pub parameters: usize,
}

/// A screenful: how the training went, the figures with their intervals, the classes, the confusions.
pub fn summary(s: &Summary<'_>) -> String {
    let mut text = format!("model {}\n", s.name);
    let (rows, augmented) = s.training_rows;
    text += &format!("  trained on {rows} rows ({augmented} augmented), {} parameters\n", s.parameters);
    let end = if s.stopped_early { "stopped early" } else { "ran to the end" };
    text += &format!("  {} epochs, {end}; epoch {} kept", s.history.len(), s.best_epoch);
    if let Some(best) = s.best_epoch.checked_sub(1).and_then(|i| s.history.get(i)) {
        text += &format!(" (loss: train {:.3}, validation {:.3})", best.train_loss, best.validation_loss);
    }
    text += "\n\n";

    let mut figures = Table::new(["", "test", "95 % interval", "validation", "95 % interval"]);
    let percent = |e: Estimate| {
        [format!("{:.1} %", 100.0 * e.value), format!("{:.1} – {:.1}", 100.0 * e.low, 100.0 * e.high)]
    };
    let plain = |e: Estimate| [format!("{:.3}", e.value), format!("{:.3} – {:.3}", e.low, e.high)];
    let (test, validation) = (s.test, s.validation);
    figures.push(
        ["accuracy".into()].into_iter().chain(percent(test.accuracy)).chain(percent(validation.accuracy)),
    );
    figures
        .push(["macro-F1".into()].into_iter().chain(plain(test.macro_f1)).chain(plain(validation.macro_f1)));
    figures
        .push(["log loss".into()].into_iter().chain(plain(test.log_loss)).chain(plain(validation.log_loss)));
    figures.push(["rows".into(), test.rows.to_string(), String::new(), validation.rows.to_string()]);
    text += &figures.to_string();

    let mut order: Vec<usize> = (0..test.per_class.len()).collect();
    let shown = if order.len() > CLASSES_SHOWN {
        order.sort_by(|&a, &b| test.per_class[a].f1.value.total_cmp(&test.per_class[b].f1.value));
        text += &format!("\n  the {CLASSES_SHOWN} worst of {} classes on the test part:\n", order.len());
        &order[..CLASSES_SHOWN]
    } else {
        text += "\n";
        &order[..]
    };
    let mut classes = Table::new(["class (test)", "rows", "precision", "recall", "F1", "95 % interval"]);
    for class in shown.iter().map(|&c| &test.per_class[c]) {
        let value = |e: Estimate| format!("{:.3}", e.value);
        let interval = format!("{:.3} – {:.3}", class.f1.low, class.f1.high);
        let (precision, recall, f1) = (value(class.precision), value(class.recall), value(class.f1));
        classes.push([class.class.clone(), class.support.to_string(), precision, recall, f1, interval]);
    }
    text += &classes.to_string();
    text += &confusions(test);
    text
}

/// The three most frequent confusions, in words.
fn confusions(metrics: &Metrics) -> String {
    let mut pairs: Vec<(usize, usize, usize)> = Vec::new();
    for (truth, row) in metrics.confusion.iter().enumerate() {
        pairs.extend(
            row.iter().enumerate().filter(|&(p, &n)| p != truth && n > 0).map(|(p, &n)| (n, truth, p)),
        );
    }
    pairs.sort_by_key(|&(n, truth, predicted)| (std::cmp::Reverse(n), truth, predicted));
    let name = |class: usize| &metrics.per_class[class].class;
    let words: Vec<String> =
        pairs.iter().take(3).map(|&(n, t, p)| format!("{} taken for {} ({n})", name(t), name(p))).collect();
    if words.is_empty() { String::new() } else { format!("\n  most confused: {}\n", words.join("; ")) }
}
