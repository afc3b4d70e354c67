//! The table of an ablation, for a terminal.

use super::table::Table;
use crate::counting::counted;
use crate::evaluate::{Ablation, Estimate, Figure, signed};
use crate::split::FoldCounts;

/// More classes than this have no column each.
const CLASSES_SHOWN: usize = 6;

/// Two tables of one line a preset: accuracy, macro-F1 and its difference to the reference, each with its 95 %
/// interval, log loss, ECE, parameters, seconds; and F1 of each class.
pub fn ablation_text(a: &Ablation) -> String {
    let minus = format!("minus {}", a.reference);
    let header = ["", "accuracy", "95 % interval", "macro-F1", "95 % interval", &minus, "95 % interval"];
    let costs = ["log loss", "ECE", "parameters", "seconds"];
    let mut table = Table::new(header.into_iter().chain(costs));
    let plain = |e: &Estimate| [format!("{:.3}", e.value), format!("{:.3} – {:.3}", e.low, e.high)];
    for of in &a.presets {
        let mut line = vec![of.preset.clone()];
        line.extend(plain(&of.figures[&Figure::Accuracy]));
        line.extend(plain(&of.figures[&Figure::MacroF1]));
        line.extend(match of.difference.as_ref().map(|d| d[&Figure::MacroF1]) {
            Some(d) => [signed(d.value), format!("{} – {}", signed(d.low), signed(d.high))],
            None => ["".into(), "".into()],
        });
        line.push(format!("{:.3}", of.figures[&Figure::LogLoss].value));
        line.push(format!("{:.3}", of.figures[&Figure::Ece].value));
        line.push(of.parameters.to_string());
        line.push(format!("{:.1}", of.train_seconds));
        table.push(line);
    }
    let chosen = a.chosen.as_ref().map(|chosen| {
        let (f1, off) = (chosen.figures[&Figure::MacroF1], chosen.difference[&Figure::MacroF1]);
        let mut picked: Vec<_> = chosen.picked.iter().collect();
        picked.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        let picked: Vec<String> = picked.iter().map(|(name, folds)| format!("{name} {folds}")).collect();
        format!(
            "\nchosen for each fold by the others: macro-F1 {:.3} ({:.3} – {:.3}), {} ({} – {}) against the best of the table; \
             chosen: {}\n",
            f1.value,
            f1.low,
            f1.high,
            signed(off.value),
            signed(off.low),
            signed(off.high),
            picked.join(", ")
        )
    });
    let FoldCounts { folds, repeats } = a.folds;
    let mut text = format!(
        "{}: {folds} × {repeats} folds of {} outside the test part\n\n{table}",
        a.name,
        counted(a.rows, "row", "rows")
    );
    text += &chosen.unwrap_or_default();
    text += &unanimous(a).unwrap_or_default();
    if a.classes.len() <= CLASSES_SHOWN {
        let mut table = Table::new(["F1 of each class".to_owned()].into_iter().chain(a.classes.clone()));
        for of in &a.presets {
            let f1 = of.class_f1.iter().map(|f1| format!("{:.3} ({:.3} – {:.3})", f1.value, f1.low, f1.high));
            table.push([of.preset.clone()].into_iter().chain(f1));
        }
        text += &format!("\n{table}");
    }
    text
}

/// A table of the rows that all labelling passes give one class.
fn unanimous(a: &Ablation) -> Option<String> {
    let header = ["accuracy", "macro-F1", &format!("macro-F1 minus {}", a.reference)].map(str::to_owned);
    let first = format!("on {} whose passes agree", counted(a.unanimous_rows, "row", "rows"));
    let mut table = Table::new([first].into_iter().chain(header));
    for of in &a.presets {
        let found = of.unanimous.as_ref()?;
        let plain = |figure| {
            let e: &Estimate = &found.figures[&figure];
            format!("{:.3} ({:.3} – {:.3})", e.value, e.low, e.high)
        };
        let minus = found.difference.as_ref().map(|d| {
            let d = d[&Figure::MacroF1];
            format!("{} ({} – {})", signed(d.value), signed(d.low), signed(d.high))
        });
        table.push([
            of.preset.clone(),
            plain(Figure::Accuracy),
            plain(Figure::MacroF1),
            minus.unwrap_or_default(),
        ]);
    }
    Some(format!("\n{table}"))
}
