//! The result of a search, for a terminal.

use std::collections::BTreeMap;

use serde_json::Value;

use super::table::Table;
use crate::counting::counted;
use crate::evaluate::{Figure, Tuning, signed};

/// Configs shown.
const SHOWN: usize = 8;

/// The best configs, what searching is worth on rows it has not seen, and what to write into the config.
pub fn tuning_text(t: &Tuning) -> String {
    let mut text = format!(
        "{}: {} tried on {} folds of {} outside the test part\n\n",
        t.name,
        counted(t.trials.len(), "config", "configs"),
        t.inner_folds,
        counted(t.rows, "row", "rows")
    );
    let mut tried: Vec<_> = t.trials.iter().map(|trial| (trial.value, trial)).collect();
    tried.sort_by(|a, b| a.0.value.total_cmp(&b.0.value));
    if t.metric.higher_is_better() {
        tried.reverse();
    }
    let mut table = Table::new(["best configs", t.metric.label(), "95 % interval", "seconds"]);
    for (value, trial) in tried.into_iter().take(SHOWN) {
        table.push([
            values(&trial.values),
            format!("{:.3}", value.value),
            format!("{:.3} – {:.3}", value.low, value.high),
            format!("{:.1}", trial.seconds),
        ]);
    }
    text += &format!("{table}\n");
    let header = ["on rows the search has not seen", "searched", "95 % interval", "as it was"];
    let mut table = Table::new(header.into_iter().chain(["difference", "95 % interval"]));
    for figure in [Figure::Accuracy, Figure::MacroF1, Figure::LogLoss, Figure::Ece] {
        let (tuned, present, by) = (t.tuned[&figure], t.present[&figure], t.difference[&figure]);
        table.push([
            figure.label().to_owned(),
            format!("{:.3}", tuned.value),
            format!("{:.3} – {:.3}", tuned.low, tuned.high),
            format!("{:.3}", present.value),
            signed(by.value),
            format!("{} – {}", signed(by.low), signed(by.high)),
        ]);
    }
    text += &format!("{table}\n");
    if t.best.is_empty() {
        return text + "nothing tried is better than the config as it is\n";
    }
    text += "to use the best of them, set in the config:\n";
    for (key, value) in &t.best {
        let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
        text += &format!("  [{section}] {name} = {value}\n");
    }
    let by = t.difference[&t.metric];
    if by.low <= 0.0 && by.high >= 0.0 {
        text += "searching gained nothing beyond chance: the interval of its difference holds 0\n";
    }
    text
}

fn values(of: &BTreeMap<String, Value>) -> String {
    if of.is_empty() {
        return "as it was".into();
    }
    of.iter()
        .map(|(key, value)| format!("{}={value}", key.rsplit('.').next().unwrap_or(key)))
        .collect::<Vec<_>>()
        .join(" ")
}
