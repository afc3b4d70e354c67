//! `pipeline correct`: labels that people corrected.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::args::ProjectArgs;
use super::exit::{BadInput, Exit};
use super::output::{print, print_json};
use super::progress::Terminal;
use crate::counting::{counted, grouped};
use crate::report::Table;
use crate::stages::{Batch, Corrected, correct as record, corrections, undo_corrections};
use crate::table::Correction;

pub const EXAMPLES: &str = "Examples:
  pipeline validate                          lists doubtful labels in a CSV
  pipeline correct data/validation/NAME.csv  records those filled in
  pipeline correct --undo
  pipeline correct                           says what was corrected

Fill in the last column of the rows whose label is wrong, and leave the others empty. The raw files stay as they are: corrections are recorded in data/corrections/NAME.csv and hold wherever they are read. Several batches may be taken back, each by its number.";

#[derive(Args)]
pub struct CorrectArgs {
    /// The CSV of `pipeline validate`, filled in; without it, say what was corrected
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Take back a batch of corrections, by its number [default: the last]
    #[arg(long, value_name = "NUMBER", num_args = 0..=1, conflicts_with = "file")]
    undo: Option<Option<u32>>,
    #[command(flatten)]
    project: ProjectArgs,
}

/// Record, take back, or list.
pub fn correct(args: &CorrectArgs) -> Result<Exit> {
    let project = args.project.open()?;
    let json = args.project.json;
    match (&args.file, args.undo) {
        (Some(file), _) => {
            if !file.exists() {
                return Err(BadInput(format!("there is no file {}", file.display())).into());
            }
            let found = record(&project, file, &Terminal::new(false))?;
            if json { print_json(&json!(found)) } else { print(&recorded(&found)) }
        }
        (None, Some(number)) => {
            let batch = undo_corrections(&project, number)?;
            let labels = counted(batch.labels, "label is", "labels are");
            let said = format!("{labels} what the raw files say again (batch {})\n", batch.batch);
            if json { print_json(&json!(batch)) } else { print(&said) }
        }
        (None, None) => {
            let batches = corrections(&project)?;
            let file = Correction::file(&project.config).display().to_string();
            if json { print_json(&json!(batches)) } else { print(&listed(&batches, &file)) }
        }
    }
}

fn recorded(found: &Corrected) -> String {
    let others = [(found.same, "have that label already"), (found.blank, "are left as they are")];
    let others = others.iter().filter(|(rows, _)| *rows > 0);
    let others: Vec<String> = others.map(|(rows, what)| format!("{} {what}", grouped(*rows))).collect();
    let others = if others.is_empty() { String::new() } else { format!("; {}", others.join(", ")) };
    let labels = counted(found.corrected, "label is corrected", "labels are corrected");
    match found.batch {
        Some(batch) => format!(
            "{labels} (batch {batch}){others}\nnext: `pipeline build` learns from them; `pipeline correct --undo {batch}` takes \
             them back\n"
        ),
        None => format!("nothing is corrected{others}\n"),
    }
}

fn listed(batches: &[Batch], file: &str) -> String {
    if batches.is_empty() {
        return "no label was corrected\n".to_owned();
    }
    let mut table = Table::new(["batch", "labels", "date", "taken back"]);
    for Batch { batch, labels, date, undone } in batches {
        table.push([batch.to_string(), grouped(*labels), date.clone(), undone.clone().unwrap_or_default()]);
    }
    format!("{table}  each label is in {file}\n")
}
