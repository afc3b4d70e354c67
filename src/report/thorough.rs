//! What a thorough build found, for a terminal.

use super::table::Table;
use crate::counting::{counted, minutes};
use crate::evaluate::{Figure, Thorough, signed};

/// The figures of both, their difference, and whether it was worth it.
pub fn thorough_text(t: &Thorough) -> String {
    let header = ["", "frozen", "tuned", "95 % interval", "difference", "95 % interval"];
    let mut table = Table::new(header);
    for figure in [Figure::Accuracy, Figure::MacroF1, Figure::LogLoss, Figure::Ece] {
        let (frozen, tuned, by) = (t.frozen[&figure], t.tuned[&figure], t.difference[&figure]);
        table.push([
            figure.label().to_owned(),
            format!("{:.3}", frozen.value),
            format!("{:.3}", tuned.value),
            format!("{:.3} – {:.3}", tuned.low, tuned.high),
            signed(by.value),
            format!("{} – {}", signed(by.low), signed(by.high)),
        ]);
    }
    let verdict = if t.worth {
        format!("it was worth it: {} is better by more than chance", t.metric.label())
    } else {
        format!(
            "it was not worth it: {} is not better by more than chance, and the encoder stays frozen",
            t.metric.label()
        )
    };
    format!(
        "an encoder that learns ({}), on {} folds of {} ({}, up to {} were foretold)\n\n{table}\n{verdict}\n",
        t.training,
        t.folds,
        counted(t.rows, "row", "rows"),
        minutes(t.minutes),
        minutes(t.foretold_minutes)
    )
}
