//! The summary at the end of a training, a screenful.

use super::table::Table;
use crate::evaluate::{Estimate, Evaluation, Figure, Gate, Metrics, signed};

/// Classes shown in full; of more, the worst are shown.
const CLASSES_SHOWN: usize = 4;

/// Findings shown; the report has all, with advice.
const FINDINGS_SHOWN: usize = 5;

/// The figures shown; the report has all.
const FIGURES: [Figure; 4] = [Figure::Accuracy, Figure::MacroF1, Figure::LogLoss, Figure::Ece];

/// Verdict, training, figures, classes, baselines, findings, gates: about thirty lines.
pub fn summary(e: &Evaluation) -> String {
    let mut text = format!("model {}: {}\n", e.name, verdict(e));
    let t = &e.training;
    let how = if !t.has_epochs {
        let loss = if t.left_out { "leave-one-out" } else { "train" };
        format!("{} effective parameters, without epochs (loss: {loss}", t.parameters)
    } else {
        let end = if t.stopped_early { "stopped early" } else { "ran to the end" };
        let (parameters, epochs, best) = (t.parameters, t.epochs, t.best_epoch);
        format!("{parameters} parameters; {epochs} epochs, {end}, epoch {best} kept (loss: train")
    };
    let [train, validation] = t.losses;
    let more = match t.learned_validation {
        true => format!("{} of the validation part", t.part_rows[1]),
        false => format!("{} augmented", t.augmented),
    };
    text +=
        &format!("  {} rows and {more}, {how} {train:.3}, validation {validation:.3})\n\n", t.part_rows[0]);
    text += &format!("{}{}{}{}{}\n", figures(e), classes(&e.test), tasks(e), range(e), models(e));
    for finding in e.findings.iter().take(FINDINGS_SHOWN) {
        text += &format!("  ! {}: {}\n", finding.finding, finding.evidence);
    }
    if let more @ 1.. = e.findings.len().saturating_sub(FINDINGS_SHOWN) {
        text += &format!("  ! and {more} more; the report has them all, with what to do\n");
    }
    if !e.findings.is_empty() {
        text += "\n";
    }
    text + &gates(&e.gates).to_string()
}

/// One sentence: how many gates failed, and the weightiest finding.
pub fn verdict(e: &Evaluation) -> String {
    let failed = e.gates.iter().filter(|g| !g.passed).count();
    let gates = match failed {
        0 => format!("all {} gates passed", e.gates.len()),
        n => format!("{n} of {} gates failed", e.gates.len()),
    };
    e.findings.first().map_or(gates.clone(), |f| format!("{gates}; {}", f.finding))
}

fn plain(e: Estimate) -> [String; 2] {
    [format!("{:.3}", e.value), format!("{:.3} – {:.3}", e.low, e.high)]
}

fn figures(e: &Evaluation) -> Table {
    let cv = &e.cross_validation;
    let test = format!("test ({} rows)", e.test.rows);
    let folds = format!("{} × {} folds ({})", cv.folds, cv.repeats, cv.rows);
    let header = ["", &test, "95 % interval", &folds, "95 % interval"];
    let mut table = Table::new(header);
    for figure in FIGURES {
        let over_folds = cv.models.first().and_then(|m| m.mean.get(&figure)).copied();
        let cells = plain(e.test.of(figure)).into_iter().chain(over_folds.map(plain).unwrap_or_default());
        table.push([figure.label().to_owned()].into_iter().chain(cells));
    }
    table
}

fn classes(test: &Metrics) -> Table {
    let mut shown: Vec<_> = test.per_class.iter().collect();
    let mut heading = "class (test)".to_owned();
    if shown.len() > CLASSES_SHOWN {
        heading = format!("the {CLASSES_SHOWN} worst of {} classes (test)", shown.len());
        shown.sort_by(|a, b| a.f1.value.total_cmp(&b.f1.value));
        shown.truncate(CLASSES_SHOWN);
    }
    let mut table = Table::new([heading.as_str(), "rows", "precision", "recall", "F1", "95 % interval"]);
    for class in shown {
        let [f1, interval] = plain(class.f1);
        let [precision, recall] = [class.precision, class.recall].map(|e| format!("{:.3}", e.value));
        table.push([class.class.clone(), class.support.to_string(), precision, recall, f1, interval]);
    }
    table
}

fn tasks(e: &Evaluation) -> String {
    if e.tasks.is_empty() {
        return String::new();
    }
    let header =
        ["task (test)", "rows", "accuracy", "95 % interval", "macro-F1", "95 % interval", "most frequent"];
    let mut table = Table::new(header);
    for task in &e.tasks {
        let start = [task.column.clone(), task.metrics.rows.to_string()].into_iter();
        let figures = [Figure::Accuracy, Figure::MacroF1].map(|f| plain(task.metrics.of(f)));
        table.push(start.chain(figures.into_iter().flatten()).chain([format!("{:.3}", task.majority.value)]));
    }
    table.to_string()
}

fn range(e: &Evaluation) -> String {
    if e.range.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["behind the class (test)", "mean absolute error", "95 % interval"]);
    for number in &e.range {
        table.push([number.column.clone()].into_iter().chain(plain(number.mean_absolute_error)));
    }
    table.to_string()
}

fn models(e: &Evaluation) -> Table {
    let mut table =
        Table::new(["macro-F1 over the folds", "mean", "95 % interval", "head minus it", "95 % interval"]);
    for model in &e.cross_validation.models {
        let difference = model.difference.as_ref().map(|d| {
            let d = d[&Figure::MacroF1];
            [signed(d.value), format!("{} – {}", signed(d.low), signed(d.high))]
        });
        let cells = plain(model.mean[&Figure::MacroF1]).into_iter().chain(difference.unwrap_or_default());
        table.push([model.model.clone()].into_iter().chain(cells));
    }
    table
}

/// The gates with their values; ✓ passed, ✗ failed.
pub fn gates(gates: &[Gate]) -> Table {
    let mut table = Table::new(["gate", "measured", "limit"]);
    for gate in gates {
        let mark = if gate.passed { "✓" } else { "✗" };
        let sign = if gate.above { ">" } else { "<" };
        let [value, limit] = gate_numbers(gate);
        table.push([format!("{mark} {}", gate.name), value, format!("{sign} {limit}")]);
    }
    table
}

/// What was measured, and the limit; where both are whole, they are counts.
pub fn gate_numbers(gate: &Gate) -> [String; 2] {
    let counts = gate.limit.fract() == 0.0 && gate.value.is_none_or(|v| v.fract() == 0.0);
    let number = |v: f64| if counts { format!("{v:.0}") } else { format!("{v:.3}") };
    [gate.value.map_or("not measured".into(), number), number(gate.limit)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_no_decimals_and_shares_have_three() {
        let numbers = |value, limit| {
            gate_numbers(&Gate { name: String::new(), value, limit, above: true, passed: true })
        };
        assert_eq!(numbers(Some(8.0), 500.0), ["8", "500"]);
        assert_eq!(numbers(Some(1.0), 0.85), ["1.000", "0.850"]);
        assert_eq!(numbers(Some(12.5), 1.0), ["12.500", "1.000"]);
        assert_eq!(numbers(None, 0.02), ["not measured", "0.020"]);
    }
}
