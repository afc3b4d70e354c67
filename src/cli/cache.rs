//! `pipeline cache`: what is kept to be quick.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use indicatif::HumanBytes;
use serde_json::json;

use super::exit::Exit;
use super::output::{print, print_json};
use super::progress::Terminal;
use crate::counting::{counted, grouped};
use crate::stages::{self, Project, Stored};

/// Shown under `--help`.
pub const EXAMPLES: &str = "Examples:\n  pipeline cache           what there is, and how much room it takes\n  pipeline cache verify    take away embeddings that a disk has damaged\n  pipeline cache prune     keep those of the rows of this config alone\n\nAll of it can be made again; what is taken away is computed when it is next asked for.";

#[derive(Args)]
pub struct CacheArgs {
    #[command(subcommand)]
    what: Option<What>,
    /// The project file; paths in it are relative to its folder
    #[arg(long, short, value_name = "FILE", default_value = "pipeline.toml", global = true)]
    config: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum What {
    /// See whether every embedding is whole, and take away those that are not
    Verify,
    /// Take away every embedding and tuned encoder that this config has no use for
    Prune,
}

/// Do what was asked.
pub fn cache(args: &CacheArgs) -> Result<Exit> {
    let project = Project::open(&args.config)?;
    let terminal = Terminal::new(false);
    let (kept, why, tuned) = match args.what {
        None => {
            let found = stages::stored(&project)?;
            return if args.json { print_json(&json!(found)) } else { print(&text(&found)) };
        }
        Some(What::Verify) => (stages::verify_embeddings(&project, &terminal)?, "whole", None),
        Some(What::Prune) => {
            let (kept, tuned) = stages::prune_embeddings(&project, &terminal)?;
            (kept, "of this config", Some(tuned))
        }
    };
    if args.json {
        let mut told = json!(kept);
        if let Some(tuned) = tuned {
            told["tuned_encoders_removed"] = tuned.into();
        }
        return print_json(&told);
    }
    let entries = counted(kept.entries as usize, "embedding is", "embeddings are");
    let removed = counted(kept.removed as usize, "other was", "others were");
    let encoders = match tuned {
        None | Some(0) => String::new(),
        Some(count) => format!(", and {}", counted(count, "tuned encoder", "tuned encoders")),
    };
    print(&format!("{entries} {why}; {removed} taken away{encoders}\n"))
}

fn text(found: &Stored) -> String {
    let mut text = format!("{}\n", counted(found.embeddings as usize, "embedding", "embeddings"));
    for place in &found.places {
        let day = place.changed.as_deref().and_then(|at| at.get(..10)).unwrap_or("");
        text += &format!(
            "{:>11}  {:>7}  {day:>10}  {}  ({})\n",
            HumanBytes(place.bytes).to_string(),
            grouped(place.files),
            place.path.display(),
            place.what
        );
    }
    text
}
