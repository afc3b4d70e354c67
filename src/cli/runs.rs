//! `pipeline runs`.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use indicatif::HumanBytes;
use serde_json::json;

use super::exit::Exit;
use super::output::{because, print, print_json};
use crate::report::runs_text;
use crate::stages::{self, Project, Prune};

/// Shown below the help.
pub const EXAMPLES: &str = "Examples:\n  pipeline runs                   every trained model, with what changed\n  pipeline compare 3 7            two of them, row by row\n  pipeline runs restore 3         let the third be the model again\n  pipeline runs prune --keep 10   remove the files of all but the last ten\n\nEvery training is kept in data/runs/NAME/NUMBER/, with its config, its figures (out of fold) and the hash of its data. A pruned run keeps its line and its number. `+` behind a commit: files had changed since.";

#[derive(Args)]
pub struct RunsArgs {
    #[command(subcommand)]
    task: Option<RunsTask>,
    /// The project file; paths in it are relative to its folder
    #[arg(long, short, value_name = "FILE", default_value = "pipeline.toml", global = true)]
    config: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum RunsTask {
    /// Let a run be the model again; the model that is there is kept as a run
    #[command(after_help = "Example:\n  pipeline runs restore 3")]
    Restore {
        /// Number of the run
        #[arg(value_name = "RUN")]
        run: u32,
    },
    /// Remove the files of runs; their lines stay
    #[command(after_help = "Examples:\n  pipeline runs prune 1 2\n  pipeline runs prune --keep 10")]
    Prune {
        /// Numbers of runs
        #[arg(value_name = "RUN", required_unless_present = "keep", conflicts_with = "keep")]
        runs: Vec<u32>,
        /// All but the last so many
        #[arg(long, value_name = "COUNT")]
        keep: Option<usize>,
    },
}

/// List, restore or prune.
pub fn runs(args: &RunsArgs) -> Result<Exit> {
    let project = Project::open(&args.config)?;
    match &args.task {
        None => list(&project, args.json),
        Some(RunsTask::Restore { run }) => restore(&project, *run, args.json),
        Some(RunsTask::Prune { runs, keep }) => {
            let which = keep.map_or_else(|| Prune::Numbers(runs.clone()), Prune::AllBut);
            prune(&project, &which, args.json)
        }
    }
}

fn list(project: &Project, json: bool) -> Result<Exit> {
    let runs = stages::runs(project)?;
    let current = stages::current(project, &runs);
    if json {
        return print_json(&json!({ "name": project.config.name, "current": current, "runs": runs }));
    }
    if runs.is_empty() {
        return print(&format!(
            "{} has no run yet: `pipeline build` trains a model and keeps it\n",
            project.config.name
        ));
    }
    let bytes = HumanBytes(runs.iter().map(|run| run.bytes).sum());
    let folder = project.relative(&project.runs_folder());
    print(&format!("{}\n  {bytes} in {folder}/\n", runs_text(&runs, current)))
}

fn restore(project: &Project, number: u32, json: bool) -> Result<Exit> {
    let (run, differing) = stages::restore(project, number)?;
    if json {
        return print_json(&json!({ "run": run, "config_now": differing }));
    }
    let mut text = format!("{} is run {number} again\n", project.relative(&project.model().folder));
    if !differing.is_empty() {
        text += &format!(
            "note: the config is other than that of run {number}, and the next `pipeline build` would train by it: {}\n",
            because(&differing)
        );
    }
    print(&text)
}

fn prune(project: &Project, which: &Prune, json: bool) -> Result<Exit> {
    let pruned = stages::prune(project, which)?;
    let numbers: Vec<u32> = pruned.iter().map(|run| run.run).collect();
    let bytes = pruned.iter().map(|run| run.bytes).sum();
    if json {
        return print_json(&json!({ "pruned": numbers, "bytes": bytes }));
    }
    if numbers.is_empty() {
        return print("nothing to prune\n");
    }
    let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
    print(&format!("pruned {} ({})\n", numbers.join(", "), HumanBytes(bytes)))
}
