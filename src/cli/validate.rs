//! `pipeline validate`.

use anyhow::Result;
use serde_json::json;

use super::args::ValidateArgs;
use super::exit::{BadData, Exit};
use super::output::{because, print, print_json};
use super::progress::Terminal;
use crate::engine::Engine;
use crate::progress::Progress;
use crate::report::validation_text;
use crate::stages;

/// Validate the data; errors in it make the exit code 4.
pub fn validate(args: &ValidateArgs, engine: Option<&dyn Engine>) -> Result<Exit> {
    let project = args.project.open()?;
    let terminal = Terminal::new(args.quiet);
    let found = stages::validate(&project, engine, &terminal, &mut |stage, reasons| {
        terminal.note(&format!("{}: {}", stage.name(), because(reasons)));
    })?;
    if args.project.json {
        print_json(&json!(found))?;
    } else {
        let file = project.relative(&project.validation_file());
        let doubtful = match found.suspects.as_deref() {
            Some([_, ..]) => {
                let list = project.relative(&project.suspects_file());
                format!(
                    "\n  to correct labels, fill in the last column of {list} and run `pipeline correct {list}`"
                )
            }
            _ => String::new(),
        };
        print(&format!("{}{doubtful}\n  everything is in {file}\n", validation_text(&found)))?;
    }
    match found.errors.len() {
        0 => Ok(Exit::Done),
        errors => Err(BadData { errors }.into()),
    }
}
