//! Two models side by side, for a terminal.

use super::table::Table;
use crate::counting::counted;
use crate::evaluate::{Comparison, Estimate, McNemar, signed};

/// Differences of every figure on the test part, out of fold and by fold, and McNemar's test.
pub fn comparison_text(c: &Comparison) -> String {
    let header = ["", "test", "95 % interval", "out of fold", "95 % interval", "by fold", "95 % interval"];
    let mut table = Table::new(header);
    let cells = |d: Option<&Estimate>| {
        d.map_or_else(<[String; 2]>::default, |d| {
            [signed(d.value), format!("{} – {}", signed(d.low), signed(d.high))]
        })
    };
    for figure in c.test.difference.keys() {
        let by_fold = c.folds.as_ref().and_then(|d| d.difference.get(figure));
        let columns = [c.test.difference.get(figure), c.out_of_fold.difference.get(figure), by_fold];
        table.push([figure.label().to_owned()].into_iter().chain(columns.into_iter().flat_map(cells)));
    }
    let mut text = format!("{} minus {}\n{table}", c.first, c.second);
    for (part, by) in [("test", &c.test), ("out of fold", &c.out_of_fold)] {
        let McNemar { only_first, only_second, p } = by.mcnemar;
        text += &format!(
            "  {part}: {} of both ({} of {} alone, {} of {} alone, left out), {only_first} right in {} alone, {only_second} in {} \
             alone, McNemar p = {p:.3}\n",
            counted(by.rows, "row", "rows"),
            by.unmatched[0],
            c.first,
            by.unmatched[1],
            c.second,
            c.first,
            c.second
        );
    }
    if c.folds.is_none() {
        text += "  not compared fold by fold: the folds differ (other rows, seed, or [evaluate])\n";
    }
    text
}
