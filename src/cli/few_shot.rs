//! `pipeline bench-few-shot`.

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::args::ProjectArgs;
use super::exit::Exit;
use super::output::{because, print, print_json};
use super::progress::Terminal;
use crate::counting::counted;
use crate::engine::Engine;
use crate::progress::Progress;
use crate::stages::{self, FewShotSettings};

#[derive(Args)]
pub struct FewShotArgs {
    #[command(flatten)]
    project: ProjectArgs,
    /// Training rows drawn of each class
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    per_class: u16,
    /// Times that rows are drawn anew
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    draws: u16,
    /// Print results and errors only
    #[arg(long, short)]
    quiet: bool,
}

/// Measure and print mean and spread.
pub fn few_shot(args: &FewShotArgs, engine: Option<&dyn Engine>) -> Result<Exit> {
    let project = args.project.open()?;
    let terminal = Terminal::new(args.quiet);
    let settings = FewShotSettings { per_class: args.per_class.into(), draws: args.draws.into() };
    let found = stages::few_shot(&project, settings, engine, &terminal, &mut |stage, reasons| {
        terminal.note(&format!("{}: {}", stage.name(), because(reasons)));
    })?;
    if args.project.json {
        return print_json(&json!(found));
    }
    let each: Vec<String> = found.accuracies.iter().map(|a| format!("{:.2}", 100.0 * a)).collect();
    let rows = match found.rows_of_a_class {
        [fewest, _] if fewest == found.per_class => format!("{} a class", counted(fewest, "row", "rows")),
        [fewest, most] if fewest == most => {
            format!("{} a class ({} were asked for)", counted(most, "row", "rows"), found.per_class)
        }
        [fewest, most] => format!("{fewest} to {most} rows a class ({} were asked for)", found.per_class),
    };
    let test = counted(found.test_rows, "test row", "test rows");
    print(&match found.deviation {
        Some(deviation) => format!(
            "accuracy {:.2} ± {:.2} % (mean and standard deviation of {} draws of {rows}, {test})\n  {}\n",
            100.0 * found.mean,
            100.0 * deviation,
            found.accuracies.len(),
            each.join("  ")
        ),
        None => format!("accuracy {:.2} % (one draw of {rows}, {test})\n", 100.0 * found.mean),
    })
}
