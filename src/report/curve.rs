//! A learning curve, for a terminal.

use super::table::Table;
use crate::counting::{counted, grouped};
use crate::evaluate::{Curve, Estimate, Figure, signed};

/// A line for each number of rows: accuracy, macro-F1 and log loss with their 95 % intervals; and what more rows would be worth.
pub fn curve_text(curve: &Curve) -> String {
    let mut table = Table::new(["rows", "accuracy", "macro-F1", "log loss"]);
    for point in &curve.points {
        let of = |figure| {
            let e: &Estimate = &point.figures[&figure];
            format!("{:.3} ({:.3} – {:.3})", e.value, e.low, e.high)
        };
        let figures = [Figure::Accuracy, Figure::MacroF1, Figure::LogLoss].map(of);
        table.push([grouped(point.rows.round() as usize)].into_iter().chain(figures));
    }
    let text = format!(
        "{}: taught on parts of {} × {} folds of {} outside the test part\n\n{table}\n",
        curve.name,
        curve.folds,
        curve.repeats,
        counted(curve.rows, "row", "rows")
    );
    text + &gain_text(curve) + "\n"
}

/// A sentence without its full stop: what more rows would be worth, with the 95 % intervals.
pub fn gain_text(curve: &Curve) -> String {
    let Some(gain) = &curve.gain else {
        return "too few rows to say what more would be worth".to_owned();
    };
    let of = |e: Estimate| format!("{} ({} – {})", signed(e.value), signed(e.low), signed(e.high));
    format!(
        "{} like these would be worth {} macro-F1 and {} accuracy",
        counted(gain.more_rows, "more row", "more rows"),
        of(gain.macro_f1),
        of(gain.accuracy)
    )
}
