//! `pipeline tune`.

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::args::{DeviceArgs, ProjectArgs};
use super::exit::{BadUsage, Exit};
use super::output::{because, print, print_json};
use super::progress::Terminal;
use crate::engine::Engine;
use crate::progress::Progress;
use crate::report::tuning_text;
use crate::stages::{self, TuneSettings};

#[derive(Args)]
pub struct TuneArgs {
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Configs to try in each search [default: tune.trials]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    trials: Option<u32>,
    /// Try no further config after so many minutes
    #[arg(long, value_name = "MINUTES")]
    minutes: Option<f64>,
    /// Print results and errors only
    #[arg(long, short)]
    quiet: bool,
}

/// Search and print.
pub fn tune(args: &TuneArgs, engine: Option<&dyn Engine>) -> Result<Exit> {
    if args.minutes.is_some_and(|m| !m.is_finite() || m <= 0.0) {
        return Err(BadUsage("--minutes must be above 0".into()).into());
    }
    let project = args.project.open()?;
    let terminal = Terminal::new(args.quiet);
    let settings = TuneSettings { trials: args.trials.map(|t| t as usize), minutes: args.minutes };
    let found = stages::tune(&project, settings, engine, &terminal, &mut |stage, reasons| {
        terminal.note(&format!("{}: {}", stage.name(), because(reasons)));
    })?;
    if args.project.json { print_json(&json!(found)) } else { print(&tuning_text(&found)) }
}
