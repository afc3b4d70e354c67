//! The runs of a project, a line each and what made it another.

use super::table::Table;
use super::terminal::interval;
use crate::evaluate::{Estimate, Figure};
use crate::model::{Run, RunFigures};

/// Digits shown of a hash.
const SHORT: usize = 8;

/// Changes shown of a run.
const SHOWN: usize = 3;

/// Runs in their order, `current` marked; figures with their intervals, and what of the config is other than in the run before.
pub fn runs_text(runs: &[Run], current: Option<u32>) -> String {
    let header = [
        "  run",
        "finished (UTC)",
        "head",
        "accuracy",
        "macro-F1",
        "log loss",
        "gates passed",
        "data",
        "commit",
    ];
    let mut table = Table::new(header);
    let mut changes = Vec::new();
    for (place, run) in runs.iter().enumerate() {
        let mark = if current == Some(run.run) { "* " } else { "  " };
        let finished = run.date.get(..16).unwrap_or(&run.date).replace('T', " ");
        let figure = |of: Figure| run.figures.as_ref().map_or_else(String::new, |f| cell(f, of));
        let gates = run.figures.as_ref().map_or("not evaluated".to_owned(), |figures| {
            format!("{} of {}", figures.gates_passed, figures.gates)
        });
        let short = |hash: &str| hash.get(..SHORT).unwrap_or(hash).to_owned();
        let commit = run.commit.as_deref().map_or_else(String::new, |commit| {
            short(commit) + if commit.ends_with("-dirty") { "+" } else { "" }
        });
        table.push([
            format!("{mark}{}", run.run),
            finished,
            run.head().to_owned(),
            figure(Figure::Accuracy),
            figure(Figure::MacroF1),
            figure(Figure::LogLoss),
            gates,
            short(&run.data_blake3),
            commit,
        ]);
        let before = place.checked_sub(1).map(|place| &runs[place]);
        changes.push(change(run, before));
    }
    let table = table.to_string();
    let mut lines = table.lines();
    let mut text = format!("{}\n", lines.next().unwrap_or_default());
    for (line, change) in lines.zip(changes) {
        text += &format!("{line}\n");
        if !change.is_empty() {
            text += &format!("       {change}\n");
        }
    }
    text
}

fn cell(figures: &RunFigures, of: Figure) -> String {
    // Of a loss every value is possible; too few rows for an interval is seen of shares.
    let text = |e: &Estimate| format!("{:.3} ({})", e.value, interval(*e, of.range(usize::MAX)));
    figures.figures.get(&of).map_or_else(String::new, text)
}

fn change(run: &Run, before: Option<&Run>) -> String {
    let mut said = Vec::new();
    if let Some(before) = before {
        let settings = run.differs_from(before);
        said.extend(settings.iter().take(SHOWN).map(ToString::to_string));
        if settings.len() > SHOWN {
            said.push(format!("{} more settings", settings.len() - SHOWN));
        }
        if run.data_blake3 != before.data_blake3 {
            said.push("other data".to_owned());
        }
    }
    if !run.is_kept() {
        said.push("its files were pruned".to_owned());
    }
    said.join("; ")
}
