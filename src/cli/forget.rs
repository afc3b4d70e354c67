//! `pipeline forget`: rows taken out of everything.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use indicatif::HumanBytes;
use serde_json::json;

use super::args::{DeviceArgs, ProjectArgs};
use super::exit::{BadInput, BadUsage, Exit, StillHeld};
use super::output::{because, print, print_json, visible};
use super::progress::Terminal;
use crate::counting::{counted, grouped};
use crate::engine::Engine;
use crate::progress::Progress;
use crate::report::Table;
use crate::stages::{
    self, BuildSettings, ForgetPlan, ForgetSettings, Forgotten, Stage, Traces, Why, build, forget_plan,
    traces,
};
use crate::table::shorten;

pub const EXAMPLES: &str = "Examples:
  pipeline forget asked.csv --dry-run    says what it comes to
  pipeline forget asked.csv --yes
  pipeline forget --row data/raw/tickets.csv:12
  pipeline forget                        goes on after a kill

FILE has a column with text, or several, named as in the raw files; a row with the same words goes, however they are spelt. The lines go from the tables, and from corrections, candidates and collected rows; the model and all runs, embeddings, variants and reports go and are made anew without the rows. Then every file under data/ is searched for the texts: the exit code is 0 only where none is left. It cannot be undone. Not reached: backups, version control, copies and exports elsewhere.";

#[derive(Args)]
pub struct ForgetArgs {
    /// A table of the rows: its columns with text say which
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// A row by its place (file:line), or by its `record` in data/validation; may be given several times
    #[arg(long, value_name = "ROW")]
    row: Vec<String>,
    /// Let rows pass that are in no table any more: remove what is left of them
    #[arg(long)]
    gone: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Print results and errors only
    #[arg(long, short)]
    quiet: bool,
}

/// Texts of rows that are shown of a plan.
const SHOWN: usize = 10;

/// Characters of each.
const TEXT: usize = 60;

/// Take rows out of everything, train anew, and look for what is left.
pub fn forget(args: &ForgetArgs, engine: Option<&dyn Engine>) -> Result<Exit> {
    let project = args.project.open()?;
    let terminal = Terminal::new(args.quiet || args.project.json);
    if let Some(file) = args.file.as_ref().filter(|file| !file.exists()) {
        return Err(BadInput(format!("there is no file {}", file.display())).into());
    }
    let settings = ForgetSettings { file: args.file.as_deref(), rows: &args.row, gone: args.gone };
    let plan = forget_plan(&project, settings, &terminal)?;
    if args.dry_run {
        return if args.project.json { print_json(&json!({ "plan": plan })) } else { print(&planned(&plan)) };
    }
    // What a run that was killed has begun with was confirmed then.
    if (plan.is_new || !plan.goes_on) && !args.yes && !confirmed(&plan)? {
        return print("nothing is changed\n");
    }
    let done = stages::forget(&project, &plan, &terminal)?;
    let outcomes = match plan.had_model {
        false => Vec::new(),
        true => {
            let settings = BuildSettings { to: Stage::Evaluate, from: None };
            build(&project, settings, engine, &terminal, &mut |stage, reasons| {
                terminal.note(&format!("{}: {}", stage.name(), because(reasons)));
            })?
        }
    };
    let left = traces(&project, args.file.as_deref(), &terminal)?.unwrap_or_default();
    if args.project.json {
        print_json(&json!({ "plan": plan, "done": done, "stages": outcomes, "left": left }))?;
    } else {
        let trained = (!outcomes.is_empty()).then(|| project.relative(&project.model().folder));
        print(&told(&done, trained.as_deref(), &left))?;
        let own = args.file.iter().map(|file| format!("note: {} itself holds the texts", file.display()));
        let others = (!plan.others.is_empty()).then(|| {
            format!(
                "note: {} have models or embeddings here, too; `pipeline forget` with the config of each, and --gone",
                plan.others.join(", ")
            )
        });
        own.chain(others).for_each(|note| terminal.note(&note));
    }
    match left.found.len() {
        0 => Ok(Exit::Done),
        places => Err(StillHeld { places }.into()),
    }
}

/// Ask on a terminal.
///
/// # Errors
/// There is none.
fn confirmed(plan: &ForgetPlan) -> Result<bool> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Err(BadUsage(
            "forgetting cannot be undone: --dry-run says what it comes to, --yes does it".into(),
        )
        .into());
    }
    eprint!("{}", visible(&format!("{}It cannot be undone. Forget them? [y/N]: ", planned(plan))));
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

/// What would be done.
fn planned(plan: &ForgetPlan) -> String {
    let ForgetPlan { rows, variants, tables, corrections, removed, .. } = plan;
    let mut text = String::new();
    if plan.goes_on {
        text += "a forgetting that was broken off goes on\n";
    }
    text += &format!("{} to forget\n", counted(rows.len(), "row", "rows"));
    for row in rows.iter().take(SHOWN) {
        let why = match row.why {
            Why::Asked => "",
            Why::Copy => " (the same text)",
            Why::Paraphrase => " (made from one of them)",
            Why::Gone => " (in no table any more)",
        };
        let first = row.cells.values().find(|cell| !cell.is_empty()).map_or("", String::as_str);
        text +=
            &format!("  {}{why}  {}\n", row.place, shorten(&first.replace(['\n', '\r', '\t'], " "), TEXT));
    }
    if rows.len() > SHOWN {
        text += &format!("  and {} more\n", grouped(rows.len() - SHOWN));
    }
    let mut goes = Table::new(["goes", ""]);
    for table in tables {
        goes.push([table.path.display().to_string(), counted(table.rows, "line", "lines")]);
    }
    if *corrections > 0 {
        goes.push(["corrections".to_owned(), counted(*corrections, "label", "labels")]);
    }
    if *variants > 0 {
        goes.push(["variants of them".to_owned(), counted(*variants, "text", "texts")]);
    }
    for removed in removed {
        goes.push([removed.path.display().to_string(), removed.what.to_owned()]);
    }
    text += &goes.to_string();
    text += "embeddings are kept of the rows that stay alone";
    text += if plan.had_model { ", and the model is trained anew\n" } else { "\n" };
    text
}

/// What was done, and what is left.
fn told(done: &Forgotten, trained: Option<&str>, left: &Traces) -> String {
    let mut text = String::new();
    for table in &done.tables {
        let lines = counted(table.rows, "line is", "lines are");
        text += &format!("{lines} taken out of {}\n", table.path.display());
    }
    if done.corrections > 0 {
        text += &format!(
            "{} taken back for good\n",
            counted(done.corrections, "correction is", "corrections are")
        );
    }
    for path in &done.swept {
        text += &format!("{} held a text and holds it no more\n", path.display());
    }
    if let Some(folder) = trained {
        text += &format!("the model in {folder} is trained anew\n");
    }
    let mut table = Table::new(["looked through", "files", "size", "holding a text"]);
    for at in &left.looked {
        let size = HumanBytes(at.bytes).to_string();
        table.push([at.place.clone(), grouped(at.files), size, grouped(at.holding)]);
    }
    text += &table.to_string();
    for trace in &left.found {
        text += &format!("  {}: {:?}\n", trace.place, shorten(&trace.text, TEXT));
    }
    text += &format!("looked for {} of text", counted(left.pieces, "piece", "pieces"));
    if left.in_other_rows > 0 {
        text +=
            &format!("; {} in rows that stay", counted(left.in_other_rows, "other stands", "others stand"));
    }
    if left.too_short > 0 {
        text += &format!("; {} too short to tell", counted(left.too_short, "text is", "texts are"));
    }
    text + if left.found.is_empty() { ": nothing is left\n" } else { "\n" }
}
