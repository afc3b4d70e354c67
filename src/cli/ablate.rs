//! `pipeline ablate`.

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::args::{DeviceArgs, ProjectArgs};
use super::exit::Exit;
use super::output::{because, print, print_json};
use super::progress::Terminal;
use crate::engine::Engine;
use crate::progress::Progress;
use crate::report::ablation_text;
use crate::stages::{self, AblateSettings};

#[derive(Args)]
pub struct AblateArgs {
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Presets to compare [default: the original network, its three phases, the best]
    #[arg(value_name = "PRESET")]
    presets: Vec<String>,
    /// Compare every preset
    #[arg(long, conflicts_with = "presets")]
    all: bool,
    /// The preset that the others are compared with [default: the first]
    #[arg(long, value_name = "PRESET")]
    reference: Option<String>,
    /// Print the presets and what each is; train nothing
    #[arg(long)]
    list: bool,
    /// Print results and errors only
    #[arg(long, short)]
    quiet: bool,
}

/// Compare and print.
pub fn ablate(args: &AblateArgs, engine: Option<&dyn Engine>) -> Result<Exit> {
    if args.list {
        let known = stages::presets();
        if args.project.json {
            return print_json(&json!(known.iter().map(|(n, p)| (n, &p.what)).collect::<Vec<_>>()));
        }
        let width = known.keys().map(String::len).max().unwrap_or(0);
        let lines: Vec<String> =
            known.iter().map(|(name, preset)| format!("{name:<width$}  {}\n", preset.what)).collect();
        return print(&lines.concat());
    }
    let project = args.project.open()?;
    let terminal = Terminal::new(args.quiet);
    let settings =
        AblateSettings { presets: args.presets.clone(), all: args.all, reference: args.reference.clone() };
    let found = stages::ablate(&project, &settings, engine, &terminal, &mut |stage, reasons| {
        terminal.note(&format!("{}: {}", stage.name(), because(reasons)));
    })?;
    if args.project.json { print_json(&json!(found)) } else { print(&ablation_text(&found)) }
}
