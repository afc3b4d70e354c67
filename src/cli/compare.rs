//! `pipeline compare`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::exit::Exit;
use super::{print, print_json};
use crate::build;
use crate::predict::ModelFiles;

#[derive(Args)]
pub struct CompareArgs {
    /// Folder of the first model
    #[arg(value_name = "FIRST")]
    first: PathBuf,
    /// Folder of the second model
    #[arg(value_name = "SECOND")]
    second: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Compare and print.
pub fn compare(args: &CompareArgs) -> Result<Exit> {
    let files = |folder: &PathBuf| ModelFiles { folder: folder.clone() };
    let found = build::compare(&files(&args.first), &files(&args.second))?;
    if args.json { print_json(&json!(found)) } else { print(&found.to_string()) }
}
