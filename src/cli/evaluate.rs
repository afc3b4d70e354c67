//! `pipeline evaluate`: what a finished model is worth on labelled rows.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::args::ModelArgs;
use super::exit::{BadInput, Exit};
use super::output::{print, print_json};
use super::progress::Terminal;
use crate::counting::{counted, grouped};
use crate::engine::Engine;
use crate::evaluate::Scored;
use crate::progress::{Background, Progress};
use crate::report::scored_text;
use crate::stages::score;

pub const EXAMPLES: &str = "Examples:
  pipeline evaluate march.csv
  pipeline evaluate march.csv --model data/models/tickets --json

The file has the model's columns and the label's. Rows that it has learned from, known by their texts, and labels that it has not learned are left out and counted. Beside each figure stands what the model's own evaluation found.";

#[derive(Args)]
pub struct EvaluateArgs {
    /// Tables of labelled rows
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    of: ModelArgs,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Measure and print.
pub fn evaluate(args: &EvaluateArgs, engine: Option<&dyn Engine>) -> Result<Exit> {
    if let Some(missing) = args.files.iter().find(|file| !file.exists()) {
        return Err(BadInput(format!("there is no file {}", missing.display())).into());
    }
    let terminal = Terminal::new(false);
    let (predictor, files) = args.of.load(engine, &terminal)?;
    let found = score(&predictor, &files, args.of.root(), &args.files, &Background(&terminal))?;
    notes(&found).iter().for_each(|note| terminal.note(&format!("note: {note}")));
    if args.json { print_json(&json!(found)) } else { print(&scored_text(&found)) }
}

fn notes(found: &Scored) -> Vec<String> {
    let mut notes = found.notes.clone();
    if let Some(first) = &found.first_rejected {
        let rows = counted(found.rejected, "row", "rows");
        notes.push(format!("{rows} cannot be used; the first: {first}"));
    }
    if found.learned > 0 {
        let rows = counted(
            found.learned,
            "row with a text that the model has learned from is",
            "rows with texts that the model has learned from are",
        );
        notes.push(format!("{rows} left out"));
    }
    if !found.unknown.is_empty() {
        let all: usize = found.unknown.iter().map(|(_, rows)| rows).sum();
        let named: Vec<String> = found
            .unknown
            .iter()
            .take(5)
            .map(|(label, rows)| format!("{label} ({})", grouped(*rows)))
            .collect();
        let more = if found.unknown.len() > named.len() { ", …" } else { "" };
        let rows = counted(
            all,
            "row with a label that the model has not learned is",
            "rows with labels that the model has not learned are",
        );
        notes.push(format!("{rows} left out: {}{more}", named.join(", ")));
    }
    notes
}
