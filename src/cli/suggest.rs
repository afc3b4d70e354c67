//! `pipeline suggest`: which rows to label next.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::args::ModelArgs;
use super::exit::{Exit, NoInput};
use super::output::{Sink, print, print_json};
use super::progress::Terminal;
use crate::counting::{counted, grouped};
use crate::engine::Engine;
use crate::progress::Progress;
use crate::report::Table;
use crate::stages::{Suggested, suggest as choose};
use crate::table::{harmless, renamed, shorten};

pub const EXAMPLES: &str = "Examples:
  pipeline suggest new.csv -n 50 -o to-label.csv
  pipeline suggest new.csv --json

The rows that the model is unsure of and that differ from one another, the most worth first. The file has the table's columns, an empty one for the label, and behind them guess, probability and rank: fill the labels in and add it to data.files.";

#[derive(Args)]
pub struct SuggestArgs {
    /// A table of rows without labels
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Rows that are suggested, at most
    #[arg(short = 'n', long, value_name = "ROWS", default_value_t = 50)]
    rows: usize,
    #[command(flatten)]
    of: ModelArgs,
    /// Write the rows to this CSV instead of standard output
    #[arg(long, short, value_name = "FILE", conflicts_with = "json")]
    output: Option<PathBuf>,
    /// Leave cells that begin with =, +, - or @ as they are; else a ' is put before them, or a spreadsheet would compute them
    #[arg(long)]
    raw_cells: bool,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Choose and print.
pub fn suggest(args: &SuggestArgs, engine: Option<&dyn Engine>) -> Result<Exit> {
    if !args.file.exists() {
        return Err(NoInput { path: args.file.clone() }.into());
    }
    let terminal = Terminal::new(false);
    let (predictor, files) = args.of.load(engine, &terminal)?;
    let found = choose(&predictor, &files, &args.file, args.rows, &terminal)?;
    found.notes.iter().for_each(|note| terminal.note(&format!("note: {note}")));
    terminal.note(&said(&found));
    if args.json {
        return print_json(&json!(found));
    }
    if args.output.is_none() && io::stdout().is_terminal() {
        return print(&table(&found));
    }
    let labels = predictor.card().config.label_columns();
    let mut sink = Sink::new(args.output.as_deref())?;
    sink.write_all(&csv(&found, &labels, args.raw_cells)?)?;
    sink.finish()?;
    Ok(Exit::Done)
}

/// How many were chosen, from how many, and why others were not.
fn said(found: &Suggested) -> String {
    let others = [
        (found.learned, "learned from already"),
        (found.repeated, "repeating another"),
        (found.unusable, "without a text or unreadable"),
    ];
    let others = others.iter().filter(|(rows, _)| *rows > 0);
    let others: Vec<String> = others.map(|(rows, why)| format!("{} {why}", grouped(*rows))).collect();
    let left = if others.is_empty() { String::new() } else { format!(" (left out: {})", others.join(", ")) };
    let (chosen, read) = (counted(found.rows.len(), "row", "rows"), grouped(found.read));
    format!("{chosen} of {read} to label next{left}")
}

fn table(found: &Suggested) -> String {
    let mut table = Table::new(["rank", "line", "guess", "probability", "text"]);
    for (rank, row) in (1..).zip(&found.rows) {
        let probability = format!("{:.1} %", 100.0 * row.probability);
        table.push([
            format!("{rank}"),
            row.line.to_string(),
            row.guess.clone(),
            probability,
            shorten(&row.text, 60),
        ]);
    }
    table.to_string()
}

/// The rows with their own columns, one for each of the `labels` that they lack, and what the model says of them.
fn csv(found: &Suggested, labels: &[&str], raw_cells: bool) -> Result<Vec<u8>> {
    let mut names = found.columns.clone();
    let is_there = |names: &[String], name: &str| names.iter().any(|own| own.eq_ignore_ascii_case(name));
    let missing: Vec<&&str> = labels.iter().filter(|label| !is_there(&names, label)).collect();
    names.extend(missing.iter().map(|label| (**label).to_owned()));
    for own in ["guess", "probability", "rank"] {
        let others = (1..).map(|times| renamed(own, times));
        let free = [own.to_owned()].into_iter().chain(others).find(|name| !is_there(&names, name));
        names.extend(free);
    }
    let safe = |cell: &str| if raw_cells { cell.to_owned() } else { harmless(cell).into_owned() };
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(names.iter().map(|name| safe(name)))?;
    for (rank, row) in (1..).zip(&found.rows) {
        // Lines of JSON have their keys in any order.
        let cell = |name: &String| row.input.iter().find(|(own, _)| own == name).map_or("", |(_, cell)| cell);
        let own = found.columns.iter().map(|name| safe(cell(name)));
        let said = [safe(&row.guess), row.probability.to_string(), format!("{rank}")];
        csv.write_record(own.chain(missing.iter().map(|_| String::new())).chain(said))?;
    }
    Ok(csv.into_inner()?)
}
