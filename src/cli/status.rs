//! `pipeline status`.

use anyhow::Result;
use serde_json::json;

use super::args::ProjectArgs;
use super::exit::Exit;
use super::output::{because, print, print_json};
use crate::stages::plan;

/// Say which stages are stale, and why.
pub fn status(args: &ProjectArgs) -> Result<Exit> {
    let project = args.open()?;
    let statuses = plan(&project)?;
    if args.json {
        return print_json(&json!({ "name": project.config.name, "stages": statuses }));
    }
    let mut text = String::new();
    for status in statuses {
        let state = match status.reasons.as_slice() {
            [] => "up to date".into(),
            reasons => format!("stale: {}", because(reasons)),
        };
        text += &format!("{:<8} {state}\n", status.stage.name());
    }
    print(&text)
}
