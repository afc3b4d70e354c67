//! `pipeline status`.

use anyhow::Result;
use serde_json::json;

use super::exit::Exit;
use super::{ProjectArgs, print, print_json};
use crate::build::plan;

/// Say which stages are stale, and why.
pub fn status(args: &ProjectArgs) -> Result<Exit> {
    let project = args.open()?;
    let statuses = plan(&project)?;
    if args.json {
        return print_json(&json!({ "name": project.config.name, "stages": statuses }));
    }
    let mut text = String::new();
    for status in statuses {
        let reasons: Vec<String> = status.reasons.iter().map(ToString::to_string).collect();
        let state =
            if reasons.is_empty() { "up to date".into() } else { format!("stale: {}", reasons.join("; ")) };
        text += &format!("{:<8} {state}\n", status.stage.name());
    }
    print(&text)
}
