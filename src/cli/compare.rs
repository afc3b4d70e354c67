//! `pipeline compare`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::exit::Exit;
use super::output::{print, print_json};
use crate::model::ModelFiles;
use crate::report::comparison_text;
use crate::stages;

#[derive(Args)]
pub struct CompareArgs {
    /// The first model: its folder, or its name for data/models/NAME
    #[arg(value_name = "FIRST")]
    first: PathBuf,
    /// The second model
    #[arg(value_name = "SECOND")]
    second: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Compare and print.
pub fn compare(args: &CompareArgs) -> Result<Exit> {
    let files = |argument: &PathBuf| {
        let named = Path::new("data/models").join(argument);
        ModelFiles { folder: if !argument.exists() && named.is_dir() { named } else { argument.clone() } }
    };
    let found = stages::compare(&files(&args.first), &files(&args.second))?;
    if args.json { print_json(&json!(found)) } else { print(&comparison_text(&found)) }
}
