//! The summary of a validation.

use super::table::Table;
use crate::counting::{counted, grouped};
use crate::evaluate::{Estimate, PassAgreement, PassDrift, PassPair, signed};
use crate::validate::{ColumnProfile, Quartiles, Validation};

/// Findings listed in full for each kind; the JSON has more.
const LISTED: usize = 10;

/// More classes than this have no line each.
const CLASSES_LISTED: usize = 20;

/// What validation found, for a terminal.
pub fn validation_text(v: &Validation) -> String {
    let rows = &v.rows;
    let mut text = format!(
        "data {}\n  {} read, {} used, {} rejected, {} another\n\n",
        v.name,
        counted(rows.read, "row", "rows"),
        grouped(rows.used),
        grouped(rows.rejected),
        counted(rows.repeated, "repeats", "repeat")
    );
    let mut classes = Table::new(["class", "rows", "share"]);
    for class in v.classes.iter().take(CLASSES_LISTED) {
        classes.push([class.class.clone(), grouped(class.rows), format!("{:.1} %", 100.0 * class.share)]);
    }
    text += &format!("{classes}\n");
    if let Some(rest @ [_, ..]) = v.classes.get(CLASSES_LISTED..) {
        let rows = rest.iter().map(|class| class.rows);
        let (least, most) = (rows.clone().min().unwrap_or(0), rows.max().unwrap_or(0));
        text += &format!(
            "and {} of {least} to {most} rows\n\n",
            counted(rest.len(), "more class", "more classes")
        );
    }
    let mut columns =
        Table::new(["column", "missing", "different", "min", "25 %", "median", "75 %", "max", ""]);
    for column in &v.columns {
        let (figures, unit) = figures(column);
        let cells = [column.column.clone(), grouped(column.missing), grouped(column.distinct)];
        let shown = figures.map_or([const { String::new() }; 5], |q| {
            [q.min, q.lower, q.median, q.upper, q.max].map(|n| format!("{n}"))
        });
        columns.push(cells.into_iter().chain(shown).chain([unit.to_owned()]));
    }
    text += &format!("{columns}\n");
    for column in
        v.columns.iter().filter(|c| !c.values.is_empty() && c.values.len() <= 12 && c.numbers.is_none())
    {
        let values: Vec<String> =
            column.values.iter().map(|(value, n)| format!("{value} {}", grouped(*n))).collect();
        text += &format!("  {}: {}\n", column.column, values.join(", "));
    }
    for near in &v.near_duplicates {
        let share = 100.0 * near.share;
        let most = near
            .recall
            .map_or(String::new(), |recall| format!(", of near cells: {} of the pairs", found_share(recall)));
        text += &format!(
            "  near-duplicates at cosine ≥ {}: {} ({share:.2} %){most}\n",
            near.cosine,
            counted(near.rows, "row", "rows")
        );
        for [a, b] in near.pairs.iter().take(LISTED) {
            text += &format!("    {a} ~ {b}\n");
        }
    }
    text += &format!("  texts that name the label: {}\n", grouped(v.label_mentions.rows));
    text += &listed(&v.label_mentions.first);
    if let Some(suspects) = &v.suspects {
        text += &format!("  probably mislabelled ({} listed, most suspect first):\n", suspects.len());
        for s in suspects.iter().take(LISTED) {
            let (own, other) = (100.0 * s.probability, 100.0 * s.likelier_probability);
            text += &format!(
                "    {} \"{}\": {} ({own:.0} %), likelier {} ({other:.0} %)\n",
                s.place, s.title, s.label, s.likelier
            );
        }
    }
    if let Some(agreement) = &v.agreement {
        let (raw, kappa, alpha) =
            (interval(agreement.raw), interval(agreement.kappa), interval(agreement.alpha));
        text += &format!(
            "  second labels, {}: same class {raw}, Cohen's κ {kappa}, Krippendorff's ordinal α {alpha}\n",
            counted(agreement.rows, "row", "rows")
        );
        let mut table = Table::new(
            ["first label \\ second"].into_iter().chain(v.classes.iter().map(|c| c.class.as_str())),
        );
        for (class, row) in v.classes.iter().zip(&agreement.confusion) {
            table.push([class.class.clone()].into_iter().chain(row.iter().map(ToString::to_string)));
        }
        text += &table.to_string();
    }
    if let Some(passes) = &v.passes {
        text += &agreement_of_passes(passes);
    }
    text += &format!("  warnings: {}\n", v.warnings.len());
    text += &listed(&v.warnings);
    text += &format!("  errors: {}\n", v.errors.len());
    text += &listed(&v.errors);
    text
}

fn interval(e: Estimate) -> String {
    format!("{:.3} ({:.3} – {:.3})", e.value, e.low, e.high)
}

fn agreement_of_passes(found: &PassAgreement) -> String {
    let mut text = format!(
        "  {}, {}: all of one class {}, Krippendorff's ordinal α {}\n",
        counted(found.drift.len(), "labelling pass", "labelling passes"),
        counted(found.rows, "row", "rows"),
        interval(found.unanimous),
        interval(found.alpha)
    );
    let mut pairs = Table::new(["passes", "rows", "same class", "Cohen's κ"]);
    for PassPair { passes: [first, second], agreement } in &found.pairs {
        let cells = [grouped(agreement.rows), interval(agreement.raw), interval(agreement.kappa)];
        pairs.push([format!("{first} and {second}")].into_iter().chain(cells));
    }
    text += &pairs.to_string();
    for PassDrift { pass, classes, .. } in &found.drift {
        if classes.low > 0.0 || classes.high < 0.0 {
            let off = [classes.value, classes.low, classes.high].map(signed);
            let [value, low, high] = off;
            text += &format!("    pass {pass} drifts: {value} classes ({low} – {high}) beside the others\n");
        }
    }
    text
}

/// The distribution that says most about a column, and what it counts.
fn figures(column: &ColumnProfile) -> (Option<Quartiles>, &'static str) {
    match (column.numbers, column.items, column.words) {
        (Some(numbers), _, _) => (Some(numbers), "(value)"),
        (None, Some(items), _) => (Some(items), "items"),
        (None, None, words) if column.values.is_empty() => (words, "words"),
        _ => (None, ""),
    }
}

fn listed(lines: &[String]) -> String {
    let mut text: String = lines.iter().take(LISTED).map(|line| format!("    {line}\n")).collect();
    if lines.len() > LISTED {
        text += &format!("    … and {} more\n", lines.len() - LISTED);
    }
    text
}

/// What share of the near pairs a search has found, with its interval.
pub fn found_share(recall: Estimate) -> String {
    if recall.is_everything([0.0, 1.0]) {
        return "an unknown share".into();
    }
    let [value, low, high] = [recall.value, recall.low, recall.high].map(|share| 100.0 * share);
    format!("{value:.2} % [{low:.2}, {high:.2}]")
}
