//! `pipeline curve`.

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::args::{DeviceArgs, ProjectArgs};
use super::exit::Exit;
use super::output::{because, print, print_json};
use super::progress::Terminal;
use crate::engine::Engine;
use crate::progress::Progress;
use crate::report::curve_text;
use crate::stages::{self, CurveSettings};

#[derive(Args)]
pub struct CurveArgs {
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Say what so many more rows would be worth, at most as many as there are [default: a round number near half of them]
    #[arg(long, value_name = "ROWS")]
    more: Option<usize>,
    /// Print results and errors only
    #[arg(long, short)]
    quiet: bool,
}

/// Measure and print.
pub fn curve(args: &CurveArgs, engine: Option<&dyn Engine>) -> Result<Exit> {
    let project = args.project.open()?;
    let terminal = Terminal::new(args.quiet);
    let settings = CurveSettings { more_rows: args.more };
    let found = stages::curve(&project, settings, engine, &terminal, &mut |stage, reasons| {
        terminal.note(&format!("{}: {}", stage.name(), because(reasons)));
    })?;
    if args.project.json { print_json(&json!(found)) } else { print(&curve_text(&found)) }
}
