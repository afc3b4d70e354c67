//! `pipeline compare`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::exit::Exit;
use super::output::{print, print_json};
use crate::model::ModelFiles;
use crate::report::comparison_text;
use crate::stages::{self, Project};

#[derive(Args)]
pub struct CompareArgs {
    /// The first model: its folder, its name for data/models/NAME, or the number of a run
    #[arg(value_name = "FIRST")]
    first: PathBuf,
    /// The second model
    #[arg(value_name = "SECOND")]
    second: PathBuf,
    /// The project file, of whose runs numbers are
    #[arg(long, short, value_name = "FILE", default_value = "pipeline.toml")]
    config: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Compare and print.
pub fn compare(args: &CompareArgs) -> Result<Exit> {
    let (first, second) = (files(&args.first, &args.config)?, files(&args.second, &args.config)?);
    let found = stages::compare(&first, &second)?;
    let settings = stages::settings(&first, &second);
    if args.json {
        let mut object = json!(found);
        object["settings"] = json!(settings);
        return print_json(&object);
    }
    let mut text = comparison_text(&found);
    let settings = settings.unwrap_or_default();
    if !settings.is_empty() {
        text += "  settings, first → second:\n";
    }
    settings.iter().for_each(|setting| text += &format!("    {setting}\n"));
    print(&text)
}

/// A folder, else a model's name, else a run's number.
fn files(argument: &Path, config: &Path) -> Result<ModelFiles> {
    let named = config.with_file_name("data").join("models").join(argument);
    let number = argument.to_str().and_then(|number| number.parse().ok());
    Ok(match number {
        _ if argument.exists() => ModelFiles { folder: argument.to_owned() },
        _ if named.is_dir() => ModelFiles { folder: named },
        Some(number) => stages::run_files(&Project::open(config)?, number)?,
        None => ModelFiles { folder: argument.to_owned() },
    })
}
