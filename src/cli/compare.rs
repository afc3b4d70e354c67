//! `pipeline compare`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::exit::Exit;
use super::{print, print_json};
use crate::build;
use crate::model::ModelFiles;
use crate::report::comparison_text;

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
    let files = |given: &PathBuf| {
        let named = Path::new("data/models").join(given);
        ModelFiles { folder: if !given.exists() && named.is_dir() { named } else { given.clone() } }
    };
    let found = build::compare(&files(&args.first), &files(&args.second))?;
    if args.json { print_json(&json!(found)) } else { print(&comparison_text(&found)) }
}
