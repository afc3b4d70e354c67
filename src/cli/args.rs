//! Options that several commands have.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::config::Config;
use crate::stages::{Project, Stage};

/// Options of every command that works on a project.
#[derive(Args, Clone)]
pub struct ProjectArgs {
    /// The project file; paths in it are relative to its folder
    #[arg(long, short, value_name = "FILE", default_value = "pipeline.toml")]
    pub config: PathBuf,
    /// Encoder to use instead of encoder.model: a folder, an installed name, or a hub name
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Clone)]
pub struct StageArgs {
    #[command(flatten)]
    pub project: ProjectArgs,
    /// Run the stage even if nothing changed
    #[arg(long)]
    pub force: bool,
    /// Print results and errors only
    #[arg(long, short)]
    pub quiet: bool,
}

#[derive(Args, Clone)]
pub struct BuildArgs {
    #[command(flatten)]
    pub project: ProjectArgs,
    /// Say what would run, and run nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Run every stage, stale or not
    #[arg(long, conflicts_with = "from")]
    pub force: bool,
    /// Run this stage and all after it, stale or not
    #[arg(long, value_name = "STAGE", value_parser = stage_names())]
    pub from: Option<Stage>,
    /// Stop after this stage
    #[arg(long, value_name = "STAGE", value_parser = stage_names())]
    pub to: Option<Stage>,
    /// End with 7 if the model fails a gate
    #[arg(long, conflicts_with = "to")]
    pub require_gates: bool,
    /// Print results and errors only
    #[arg(long, short)]
    pub quiet: bool,
}

#[derive(Args, Clone)]
pub struct TrainArgs {
    #[command(flatten)]
    pub stage: StageArgs,
    /// End with 7 if the model fails a gate
    #[arg(long)]
    pub require_gates: bool,
}

#[derive(Args, Clone)]
pub struct ValidateArgs {
    #[command(flatten)]
    pub project: ProjectArgs,
    /// Print results and errors only
    #[arg(long, short)]
    pub quiet: bool,
}

/// A stage by its name.
pub fn stage_names() -> impl TypedValueParser<Value = Stage> {
    let names = PossibleValuesParser::new(Stage::ALL.map(Stage::name));
    names.try_map(|name| Stage::ALL.into_iter().find(|stage| stage.name() == name).ok_or("it is no stage"))
}

impl ProjectArgs {
    pub fn open(&self) -> Result<Project> {
        let mut config = Config::load(&self.config)?;
        if let Some(model) = &self.model {
            // A folder typed here is relative to where it is typed, not to the config.
            let folder = std::path::absolute(model).ok().filter(|f| f.is_dir());
            config.encoder.model = folder.map_or_else(|| model.clone(), |f| f.to_string_lossy().into_owned());
        }
        let root = self.config.parent().map(PathBuf::from).unwrap_or_default();
        Ok(Project { root, config })
    }
}
