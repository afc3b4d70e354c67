//! `pipeline collect`: new rows from elsewhere, the gate that they pass, and what they are worth.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::json;

use super::args::{DeviceArgs, ProjectArgs};
use super::exit::Exit;
use super::output::{because, print, print_json};
use super::progress::Terminal;
use crate::collect::Stop;
use crate::counting::{counted, grouped};
use crate::device::DeviceChoice;
use crate::engine::Engine;
use crate::progress::Progress;
use crate::report::{accepted_text, answered_text, review_text, scraped_text, worth_text};
use crate::stages::{
    self, AcceptSettings, AnswersOptions, AskOptions, GenerateSettings, Generated, Reason, ScrapeSettings,
    Stage,
};

/// Shown under `--help`.
pub const EXAMPLES: &str = "Examples:\n  pipeline collect generate --estimate\n  pipeline collect generate --rows 300\n  pipeline collect scrape\n  pipeline collect ask unlabelled.csv -n 200\n  pipeline collect answers ada.csv ben.csv\n  pipeline collect review\n  pipeline collect worth\n  pipeline collect accept\n\nCandidates wait in data/candidates/NAME and never go straight to the data: `review` says what the gate makes of them, `worth` trains with and without them on the same folds of real rows, and `accept` moves those that pass to data/collected/NAME, from where they are read. Rows that a model wrote teach and are never held out ([collect] teach_only).";

#[derive(Args)]
pub struct CollectArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Ask a language model for rows of the classes of [collect.generate]
    Generate(GenerateArgs),
    /// Ask a language model for rows of the training part in other words
    Paraphrase(GenerateArgs),
    /// Ask web pages, and make rows of what they say, by the rules of [collect.scrape]
    Scrape(ScrapeArgs),
    /// Write a task for people who label rows: a CSV, and Label Studio's tasks
    Ask(AskArgs),
    /// Merge what several people said, and leave what is as good as certain as candidates
    Answers(AnswersArgs),
    /// Say which candidates pass the gate, and why others do not
    Review(TaskArgs),
    /// Train with and without the candidates that pass, on the same folds of real rows
    Worth(WorthArgs),
    /// Move the candidates that pass to the data
    Accept(AcceptArgs),
}

#[derive(Args)]
struct TaskArgs {
    #[command(flatten)]
    project: ProjectArgs,
    /// Print results and errors only
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Args)]
struct WorthArgs {
    #[command(flatten)]
    task: TaskArgs,
    #[command(flatten)]
    device: DeviceArgs,
}

#[derive(Args)]
struct GenerateArgs {
    #[command(flatten)]
    task: TaskArgs,
    /// Stop after so many valid rows [default: what the config says]
    #[arg(long, value_name = "ROWS")]
    rows: Option<usize>,
    /// Say what the run would take at most, and ask nothing
    #[arg(long)]
    estimate: bool,
    /// Answer from what earlier runs kept, and ask nothing
    #[arg(long, conflicts_with = "estimate")]
    offline: bool,
}

#[derive(Args)]
struct ScrapeArgs {
    #[command(flatten)]
    task: TaskArgs,
    /// Ask pages of earlier runs again; one that is as it was gives nothing new
    #[arg(long)]
    again: bool,
}

#[derive(Args)]
struct AskArgs {
    #[command(flatten)]
    task: TaskArgs,
    /// Tables of rows without a label
    #[arg(required = true, value_name = "TABLE")]
    tables: Vec<PathBuf>,
    /// Ask about at most so many rows
    #[arg(long, short = 'n', value_name = "ROWS", default_value_t = 1000)]
    rows: usize,
}

#[derive(Args)]
struct AnswersArgs {
    #[command(flatten)]
    task: TaskArgs,
    /// The task's CSV filled in, one a person or with a column `annotator`, and exports of Label Studio (JSON)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The number of the task [default: the last one]
    #[arg(long = "of-task", value_name = "TASK")]
    number: Option<usize>,
    /// Say for so many rows whom to ask about them next
    #[arg(long, value_name = "ROWS", default_value_t = 5)]
    again: usize,
}

#[derive(Args)]
struct AcceptArgs {
    #[command(flatten)]
    task: TaskArgs,
    /// Those that the model doubts, too
    #[arg(long)]
    doubtful: bool,
}

impl CollectArgs {
    /// Where to train, where something is trained.
    pub fn device(&self) -> Option<DeviceChoice> {
        match &self.what {
            What::Worth(WorthArgs { device, .. }) => Some(device.device),
            _ => None,
        }
    }
}

/// Do what was asked.
pub fn collect(args: &CollectArgs, engine: Option<&dyn Engine>) -> Result<Exit> {
    match &args.what {
        What::Generate(args) => {
            let (project, terminal) = (args.task.project.open()?, Terminal::new(args.task.quiet));
            let asked = args.settings();
            shown(args, &stages::generate(&project, asked, engine, &terminal, &mut announced(&terminal))?)
        }
        What::Paraphrase(args) => {
            let (project, terminal) = (args.task.project.open()?, Terminal::new(args.task.quiet));
            let asked = args.settings();
            shown(args, &stages::paraphrase(&project, asked, engine, &terminal, &mut announced(&terminal))?)
        }
        What::Scrape(ScrapeArgs { task, again }) => {
            let (project, terminal) = (task.project.open()?, Terminal::new(task.quiet));
            let found = stages::scrape(&project, ScrapeSettings { again: *again }, &terminal)?;
            let printed =
                if task.project.json { print_json(&json!(found))? } else { print(&scraped_text(&found))? };
            Ok(match (found.summary.stop, found.summary.faults.is_empty()) {
                (Stop::Interrupted, _) => Exit::Interrupted,
                (_, false) => Exit::Data,
                (_, true) => printed,
            })
        }
        What::Ask(AskArgs { task, tables, rows }) => {
            let (project, terminal) = (task.project.open()?, Terminal::new(task.quiet));
            let options = AskOptions { tables: tables.clone(), rows: *rows };
            let found = stages::ask(&project, &options, &terminal)?;
            if task.project.json {
                return print_json(&json!(found));
            }
            let files: Vec<String> =
                found.files.iter().map(|file| format!("  {}\n", file.display())).collect();
            print(&format!(
                "task {}: {} ({} left out: without text, repeated, or too many)\n{}",
                found.task,
                counted(found.rows, "row", "rows"),
                grouped(found.left_out),
                files.concat()
            ))
        }
        What::Answers(AnswersArgs { task, files, number, again }) => {
            let (project, terminal) = (task.project.open()?, Terminal::new(task.quiet));
            let options = AnswersOptions { files: files.clone(), task: *number, again: *again };
            let found = stages::answers(&project, &options, &terminal)?;
            if task.project.json { print_json(&json!(found)) } else { print(&answered_text(&found)) }
        }
        What::Review(task) => {
            let (project, terminal) = (task.project.open()?, Terminal::new(task.quiet));
            let found = stages::review(&project, engine, &terminal, &mut announced(&terminal))?;
            if task.project.json { print_json(&json!(found)) } else { print(&review_text(&found)) }
        }
        What::Worth(WorthArgs { task, .. }) => {
            let (project, terminal) = (task.project.open()?, Terminal::new(task.quiet));
            let found = stages::worth(&project, engine, &terminal, &mut announced(&terminal))?;
            if task.project.json { print_json(&json!(found)) } else { print(&worth_text(&found)) }
        }
        What::Accept(AcceptArgs { task, doubtful }) => {
            let (project, terminal) = (task.project.open()?, Terminal::new(task.quiet));
            let settings = AcceptSettings { doubtful: *doubtful };
            let found = stages::accept(&project, settings, engine, &terminal, &mut announced(&terminal))?;
            if task.project.json { print_json(&json!(found)) } else { print(&accepted_text(&found)) }
        }
    }
}

impl GenerateArgs {
    fn settings(&self) -> GenerateSettings {
        GenerateSettings { rows: self.rows, offline: self.offline, estimate: self.estimate }
    }
}

/// Print what a run brought; one that was stopped before it was done ends with 1.
fn shown(args: &GenerateArgs, found: &Generated) -> Result<Exit> {
    let printed = match (args.task.project.json, &found.counts) {
        (true, _) => print_json(&json!(found))?,
        (false, None) => print(&format!("{}\n", found.ended))?,
        (false, Some(counts)) => {
            let file = match &found.file {
                Some(file) => {
                    format!("{}: `pipeline collect review` says which pass the gate", file.display())
                }
                None => "no row is valid, and no file was written".into(),
            };
            print(&format!("{counts}\n{}\n{file}\n", found.ended))?
        }
    };
    Ok(if found.stopped { Exit::Failed } else { printed })
}

fn announced<'t>(terminal: &'t Terminal) -> impl FnMut(Stage, &[Reason]) + use<'t> {
    |stage, reasons| terminal.note(&format!("{}: {}", stage.name(), because(reasons)))
}
