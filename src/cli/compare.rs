//! `pipeline compare`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::exit::Exit;
use super::output::{because, print, print_json};
use super::progress::Terminal;
use crate::engine::Engine;
use crate::model::ModelFiles;
use crate::progress::Progress;
use crate::report::{against_text, comparison_text};
use crate::stages::{self, Against, AgainstSettings, Project};

/// Shown under `--help`.
pub const EXAMPLES: &str = "Examples:
  pipeline compare 3 7
  pipeline compare activities wider
  pipeline compare data/models/activities ../elsewhere/model
  pipeline compare --llm --estimate
  pipeline compare --llm --rows 200 --examples 8

Differences are first minus second, each with its 95 % interval. --llm needs
[collect.model] (docs/collect.md); what it was asked is kept and not asked again.";

#[derive(Args)]
pub struct CompareArgs {
    /// The first model: its folder, its name for data/models/NAME, or the number of a run
    #[arg(value_name = "FIRST", required_unless_present = "llm")]
    first: Option<PathBuf>,
    /// The second model
    #[arg(value_name = "SECOND", required_unless_present = "llm")]
    second: Option<PathBuf>,
    /// Instead of two models: the project's model and the language model of [collect.model], on the same test rows. It is shown what
    /// the model sees, and the training rows that are most like each
    #[arg(long, conflicts_with_all = ["first", "second"])]
    llm: bool,
    /// Test rows to ask it about
    #[arg(long, value_name = "ROWS", default_value_t = 200, requires = "llm",
          value_parser = clap::value_parser!(u32).range(1..))]
    rows: u32,
    /// Training rows to show beside each; 0 for none
    #[arg(long, value_name = "ROWS", default_value_t = 8, requires = "llm",
          value_parser = clap::value_parser!(u16).range(0..=100))]
    examples: u16,
    /// Say what it would take at most, and ask nothing
    #[arg(long, requires = "llm")]
    estimate: bool,
    /// Answer from what earlier comparisons kept, and ask nothing
    #[arg(long, requires = "llm", conflicts_with = "estimate")]
    offline: bool,
    /// The project file, of whose runs numbers are
    #[arg(long, short, value_name = "FILE", default_value = "pipeline.toml")]
    config: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
    /// Print results and errors only
    #[arg(long, short, requires = "llm")]
    quiet: bool,
}

/// Compare and print.
pub fn compare(args: &CompareArgs, engine: Option<&dyn Engine>) -> Result<Exit> {
    let (Some(first), Some(second)) = (&args.first, &args.second) else { return with_model(args, engine) };
    let (first, second) = (files(first, &args.config)?, files(second, &args.config)?);
    let found = stages::compare(&first, &second)?;
    let settings = stages::settings(&first, &second);
    if args.json {
        let mut object = json!(found);
        object["settings"] = json!(settings);
        return print_json(&object);
    }
    let mut text = comparison_text(&found);
    let settings = settings.unwrap_or_default();
    if !settings.is_empty() {
        text += "  settings, first → second:\n";
    }
    settings.iter().for_each(|setting| text += &format!("    {setting}\n"));
    print(&text)
}

/// Compare the project's model with the language model, and print.
fn with_model(args: &CompareArgs, engine: Option<&dyn Engine>) -> Result<Exit> {
    let (project, terminal) = (Project::open(&args.config)?, Terminal::new(args.quiet));
    let settings = AgainstSettings {
        rows: args.rows as usize,
        examples: usize::from(args.examples),
        estimate: args.estimate,
        offline: args.offline,
    };
    let mut announce = |stage: stages::Stage, reasons: &[stages::Reason]| {
        terminal.note(&format!("{}: {}", stage.name(), because(reasons)));
    };
    let found = stages::against_model(&project, settings, engine, &terminal, &mut announce)?;
    if args.json {
        return print_json(&json!(found));
    }
    match &found {
        Against::Estimated { at_most } => print(&format!("{at_most}\n")),
        Against::Compared(found) => print(&against_text(found)),
    }
}

/// A folder, else a model's name, else a run's number.
fn files(argument: &Path, config: &Path) -> Result<ModelFiles> {
    let named = config.with_file_name("data").join("models").join(argument);
    let number = argument.to_str().and_then(|number| number.parse().ok());
    Ok(match number {
        _ if argument.exists() => ModelFiles { folder: argument.to_owned() },
        _ if named.is_dir() => ModelFiles { folder: named },
        Some(number) => stages::run_files(&Project::open(config)?, number)?,
        None => ModelFiles { folder: argument.to_owned() },
    })
}
