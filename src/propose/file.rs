//! The text of a first `pipeline.toml`.

use toml::Value;

use super::facts::Facts;
use super::roles::{Column, Role};
use crate::counting::{counted, grouped};
use crate::table::shorten;

/// Columns with one reason that have a line each, and that are named where there are more.
const NAMED: usize = 12;

/// Characters of a column's name that are shown where many are.
const NAME: usize = 30;

/// What a first config is made of.
pub struct Found<'a> {
    /// The name of the dataset and its model.
    pub name: &'a str,
    /// The patterns of its files.
    pub files: &'a [String],
    /// Those of the files that are the test part as given.
    pub tests: &'a [String],
    /// What is known of the files, for people.
    pub about: &'a str,
    /// Whether labels that are alike are to be one.
    pub normalise: bool,
    /// All columns.
    pub columns: &'a [Column],
}

/// A `pipeline.toml` with a comment on every choice.
pub fn proposal(found: &Found<'_>) -> String {
    let of =
        |role: &Role| found.columns.iter().filter(|c| c.role == *role).map(|c| &c.facts).collect::<Vec<_>>();
    let comments = |facts: &[&Facts]| {
        facts.iter().map(|f| format!("# {}: {}\n", one_line(&f.name), about(f))).collect::<String>()
    };
    let mut text = format!(
        "# What is learned from what. `pipeline build` trains and evaluates; every key is in docs/configuration.md of pipeline.\n\
         name = {}\n\n[data]\n# {}\nfiles = {}\n",
        quoted(found.name),
        one_line(found.about),
        list(found.files.iter())
    );
    if !found.tests.is_empty() {
        text += &format!("test_files = {}\n", list(found.tests.iter()));
    }
    let (texts, labels) = (of(&Role::Text), of(&Role::Label));
    let names = |facts: &[&Facts]| list(facts.iter().map(|f| &f.name));
    text += &format!("{}text_fields = {}\n\n[label]\n", comments(&texts), names(&texts));
    for label in labels {
        text += &format!(
            "# {} classes: {}\ncolumn = {}\n",
            label.distinct(),
            most_frequent(label),
            quoted(&label.name)
        );
    }
    if found.normalise {
        text += "# Some labels differ in case, space or accents only: they are one.\nnormalise = true\n";
    }
    let (numbers, categories) = (of(&Role::Number), of(&Role::Category));
    if !(numbers.is_empty() && categories.is_empty()) {
        text += "\n# What stands beside the text. Leave out what is not known yet when a new row is to be labelled.\n[features]\n";
        for (key, facts) in [("numeric", numbers), ("categorical", categories)] {
            if !facts.is_empty() {
                text += &format!("{}{key} = {}\n", comments(&facts), names(&facts));
            }
        }
    }
    let left = left_out(found.columns);
    if !left.is_empty() {
        let line =
            |LeftOut { names, why }: LeftOut<'_>| format!("# {}: {why}\n", one_line(&names.join(", ")));
        text += &format!("\n# Left out:\n{}", left.into_iter().map(line).collect::<String>());
    }
    text
}

/// Columns that are left out for one reason.
pub struct LeftOut<'a> {
    /// Their names; of many the first ones, and how many more there are.
    pub names: Vec<String>,
    /// The reason.
    pub why: &'a str,
}

/// What is left out, in the order of the columns; those with one reason together where they are many.
pub fn left_out(columns: &[Column]) -> Vec<LeftOut<'_>> {
    let mut of_reason: Vec<(&str, Vec<&str>)> = Vec::new();
    for Column { facts, role } in columns {
        let Role::LeftOut(why) = role else { continue };
        match of_reason.iter_mut().find(|(own, _)| own == why) {
            Some((_, names)) => names.push(&facts.name),
            None => of_reason.push((why, vec![&facts.name])),
        }
    }
    let mut left = Vec::new();
    for (why, names) in of_reason {
        if names.len() <= NAMED {
            left.extend(names.into_iter().map(|name| LeftOut { names: vec![name.to_owned()], why }));
            continue;
        }
        let mut first: Vec<String> = names.iter().take(NAMED).map(|name| shorten(name, NAME)).collect();
        first.push(format!("{} more", grouped(names.len() - NAMED)));
        left.push(LeftOut { names: first, why });
    }
    left
}

/// What stands in a column, for people.
pub fn about(facts: &Facts) -> String {
    if facts.numbers {
        return format!("numbers, {} different", grouped(facts.distinct()));
    }
    if facts.differs() || facts.words >= 3.0 {
        return format!("{:.0} words a cell, {} different", facts.words, grouped(facts.distinct()));
    }
    format!("{}: {}", counted(facts.distinct(), "value", "values"), most_frequent(facts))
}

/// The most frequent values and their shares.
fn most_frequent(facts: &Facts) -> String {
    const SHOWN: usize = 5;
    let share = |rows: usize| 100.0 * rows as f64 / facts.filled.max(1) as f64;
    let shown = facts.values.iter().take(SHOWN);
    let mut shown: Vec<String> = shown
        .map(|(value, rows)| format!("{} {:.0} %", one_line(&shorten(value, 30)), share(*rows)))
        .collect();
    if facts.distinct() > SHOWN {
        shown.push("…".into());
    }
    shown.join(", ")
}

/// Of a text that a file gave, what a comment may hold.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

fn list<'a>(texts: impl Iterator<Item = &'a String>) -> String {
    format!("[{}]", texts.map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
}
