//! The summary at the end of a training, a screenful.

use super::table::Table;
use crate::counting::{counted, grouped};
use crate::evaluate::{Aim, Estimate, Evaluation, Figure, Gate, Level, Metrics, Slice, signed};
use crate::table::shorten;

/// Classes shown in full; of more, the worst are shown.
const CLASSES_SHOWN: usize = 4;

/// Findings shown; the report has all, with advice.
const FINDINGS_SHOWN: usize = 5;

/// Parts of the rows that are shown; the report has all.
const SLICES_SHOWN: usize = 3;

/// Characters of the name of such a part.
const SLICE: usize = 40;

/// The share of which the sets are told; the report has others.
const SET_SHARE: f64 = 0.9;

/// The figures shown; the report has all.
pub(super) const FIGURES: [Figure; 4] = [Figure::Accuracy, Figure::MacroF1, Figure::LogLoss, Figure::Ece];

/// Verdict, training, figures, classes, baselines, findings, gates: about thirty lines.
pub fn summary(e: &Evaluation) -> String {
    let mut text = format!("model {}: {}\n", e.name, verdict(e));
    let t = &e.training;
    let how = if !t.has_epochs {
        let loss = if t.left_out { "left out" } else { "train" };
        format!("{} effective parameters, without epochs (loss: {loss}", grouped(t.parameters))
    } else {
        let end = if t.stopped_early { "stopped early" } else { "ran to the end" };
        let (parameters, epochs, best) = (t.parameters, t.epochs, t.best_epoch);
        let (parameters, epochs) = (grouped(parameters), counted(epochs, "epoch", "epochs"));
        format!("{parameters} parameters; {epochs}, {end}, epoch {best} kept (loss: train")
    };
    let [train, validation] = t.losses;
    let more = match t.learned_validation {
        true => format!("{} of the validation part", grouped(t.part_rows[1])),
        false => format!("{} augmented", grouped(t.augmented)),
    };
    text += &format!(
        "  {} and {more}, {how} {train:.3}, validation {validation:.3})\n\n",
        counted(t.part_rows[0], "row", "rows")
    );
    let decided = decided(e);
    text += &format!(
        "{}{decided}{}{}{}{}{}{}\n",
        figures(e),
        classes(e.judged()),
        tasks(e),
        range(e),
        sets(e),
        slices(e),
        models(e)
    );
    for finding in e.findings.iter().take(FINDINGS_SHOWN) {
        let mark = if finding.level == Level::Ill { '!' } else { '·' };
        text += &format!("  {mark} {}: {}\n", finding.finding, finding.evidence);
    }
    if let more @ 1.. = e.findings.len().saturating_sub(FINDINGS_SHOWN) {
        text += &format!("  · and {more} more; the report has them all, with what to do\n");
    }
    if !e.findings.is_empty() {
        text += "\n";
    }
    text + &gates(&e.gates).to_string()
}

/// One sentence: how many gates failed, and the weightiest finding.
pub fn verdict(e: &Evaluation) -> String {
    let failed = e.gates.iter().filter(|g| !g.passed).count();
    let applied = e.gates.iter().filter(|g| g.not_applied.is_none()).count();
    let gates = match failed {
        0 => format!("all {} passed", counted(applied, "gate", "gates")),
        n => format!("{n} of {} failed", counted(applied, "gate", "gates")),
    };
    let gravest = e.findings.iter().find(|finding| finding.level == Level::Ill);
    gravest.map_or(gates.clone(), |finding| format!("{gates}; {}", finding.finding))
}

pub(super) fn plain(e: Estimate, range: [f64; 2]) -> [String; 2] {
    [format!("{:.3}", e.value), interval(e, range)]
}

/// The ends of an interval, or that there are too few rows for one, of a figure of that range.
pub fn interval(e: Estimate, range: [f64; 2]) -> String {
    match e.is_everything(range) {
        true => "too few rows".to_owned(),
        false => format!("{:.3} – {:.3}", e.low, e.high),
    }
}

/// The range of shares.
const SHARE: [f64; 2] = [0.0, 1.0];

fn figures(e: &Evaluation) -> Table {
    let cv = &e.cross_validation;
    let test = format!("test ({})", counted(e.test.rows, "row", "rows"));
    let folds = format!("{} × {} folds ({})", cv.folds, cv.repeats, counted(cv.rows, "row", "rows"));
    let header = ["", &test, "95 % interval", &folds, "95 % interval"];
    let mut table = Table::new(header);
    for figure in FIGURES {
        let over_folds = cv.models.first().and_then(|m| m.mean.get(&figure)).copied();
        let plain = |estimate| plain(estimate, figure.range(e.classes.len()));
        let cells = plain(e.test.of(figure)).into_iter().chain(over_folds.map(plain).unwrap_or_default());
        table.push([figure.label().to_owned()].into_iter().chain(cells));
    }
    table
}

/// How answers are decided, where that is not by the likeliest class; else nothing.
fn decided(e: &Evaluation) -> String {
    let Some(decision) = &e.decision else { return String::new() };
    match decision.aim {
        Aim::Costs => "  answers of the least expected cost (evaluate.costs)\n".to_owned(),
        aim if decision.exponent > 0.0 => {
            let (aim, exponent) = (aim.label(), decision.exponent);
            format!(
                "  answers for {aim}: the greatest probability / share of the class to the power of {exponent:.2}\n"
            )
        }
        _ => String::new(),
    }
}

pub(super) fn classes((judged, what): (&Metrics, &str)) -> Table {
    let mut shown: Vec<_> = judged.per_class.iter().collect();
    let mut heading = format!("class ({what})");
    if shown.len() > CLASSES_SHOWN {
        heading = format!("the {CLASSES_SHOWN} worst of {} classes ({what})", shown.len());
        shown.sort_by(|a, b| a.f1.value.total_cmp(&b.f1.value));
        shown.truncate(CLASSES_SHOWN);
    }
    let mut table = Table::new([heading.as_str(), "rows", "precision", "recall", "F1", "95 % interval"]);
    for class in shown {
        let [f1, interval] = plain(class.f1, SHARE);
        let [precision, recall] = [class.precision, class.recall].map(|e| format!("{:.3}", e.value));
        table.push([class.class.clone(), grouped(class.support), precision, recall, f1, interval]);
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
        let start = [task.column.clone(), grouped(task.metrics.rows)].into_iter();
        let figures = [Figure::Accuracy, Figure::MacroF1].map(|f| plain(task.metrics.of(f), SHARE));
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
        table.push(
            [number.column.clone()]
                .into_iter()
                .chain(plain(number.mean_absolute_error, [0.0, f64::INFINITY])),
        );
    }
    table.to_string()
}

/// How often the sets for a share that people ask for hold the class, in a line.
fn sets(e: &Evaluation) -> String {
    let asked = e.sets.iter().find(|sets| sets.asked == SET_SHARE);
    let told = asked.map(|sets| {
        let [found, ends] = plain(sets.coverage, SHARE);
        format!(
            "  sets for {SET_SHARE} of the rows hold the class of {found} ({ends}), with {:.1} classes on the average\n",
            sets.size
        )
    });
    told.unwrap_or_default()
}

/// Where the model is worse beyond chance.
fn slices(e: &Evaluation) -> String {
    let said = |slice: &Slice| {
        let Slice { by, value, accuracy, difference, rows, .. } = slice;
        let [_, ends] = plain(*accuracy, SHARE);
        format!(
            "  worse where {by} is {}: {:.3} ({ends}) of {} right, {} ({} – {}) beside the others\n",
            shorten(value, SLICE),
            accuracy.value,
            counted(*rows, "row", "rows"),
            signed(difference.value),
            signed(difference.low),
            signed(difference.high)
        )
    };
    e.slices.worse().take(SLICES_SHOWN).map(said).collect()
}

fn models(e: &Evaluation) -> Table {
    let mut table =
        Table::new(["macro-F1 over the folds", "mean", "95 % interval", "head minus it", "95 % interval"]);
    for model in &e.cross_validation.models {
        let difference = model.difference.as_ref().map(|d| {
            let d = d[&Figure::MacroF1];
            let ends = match d.is_everything([-1.0, 1.0]) {
                true => "too few rows".to_owned(),
                false => format!("{} – {}", signed(d.low), signed(d.high)),
            };
            [signed(d.value), ends]
        });
        let cells =
            plain(model.mean[&Figure::MacroF1], SHARE).into_iter().chain(difference.unwrap_or_default());
        table.push([model.model.clone()].into_iter().chain(cells));
    }
    table
}

/// The gates with their values; ✓ passed, ✗ failed, – does not apply.
pub fn gates(gates: &[Gate]) -> Table {
    let mut table = Table::new(["gate", "measured", "limit", "likely"]);
    for gate in gates {
        let mark = gate_mark(gate);
        let sign = if gate.above { ">" } else { "<" };
        let [value, limit] = gate_numbers(gate);
        let likely = gate.likely.map_or_else(String::new, |p| format!("{p:.2}"));
        table.push([format!("{mark} {}", gate.name), value, format!("{sign} {limit}"), likely]);
    }
    table
}

/// Passed, failed, or does not apply.
pub fn gate_mark(gate: &Gate) -> &'static str {
    match gate {
        Gate { not_applied: Some(_), .. } => "–",
        Gate { passed: true, .. } => "✓",
        Gate { passed: false, .. } => "✗",
    }
}

fn three_digits(value: f64) -> String {
    let text = format!("{value:.3}");
    if text == "-0.000" { "0.000".into() } else { text }
}

/// What was measured, and the limit; where both are whole, they are counts.
pub fn gate_numbers(gate: &Gate) -> [String; 2] {
    let counts = gate.limit.fract() == 0.0 && gate.value.is_none_or(|v| v.fract() == 0.0);
    let number = |v: f64| if counts { format!("{v:.0}") } else { three_digits(v) };
    let value = match (&gate.not_applied, gate.value) {
        (Some(why), _) => format!("does not apply: {why}"),
        (None, value) => value.map_or("not measured".into(), number),
    };
    [value, number(gate.limit)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_no_decimals_and_shares_have_three() {
        let numbers = |value, limit| {
            let (likely, not_applied) = (None, None);
            gate_numbers(&Gate {
                name: String::new(),
                value,
                limit,
                above: true,
                passed: true,
                likely,
                not_applied,
            })
        };
        assert_eq!(numbers(Some(8.0), 500.0), ["8", "500"]);
        assert_eq!(numbers(Some(1.0), 0.85), ["1.000", "0.850"]);
        assert_eq!(numbers(Some(12.5), 1.0), ["12.500", "1.000"]);
        assert_eq!(numbers(None, 0.02), ["not measured", "0.020"]);
    }
}
