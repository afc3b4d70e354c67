//! Options that several commands have.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::vectors::Vectors;
use crate::config::Config;
use crate::device::DeviceChoice;
use crate::engine::Engine;
use crate::model::{ModelFiles, Places, Predictor};
use crate::progress::Progress;
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

/// An option of every command that trains.
#[derive(Args, Clone)]
pub struct DeviceArgs {
    /// Where networks and encoders that learn are trained: auto, cpu, cuda, or
    /// cuda:N for one of several GPUs; auto is a GPU where libtorch has one
    #[arg(long, value_name = "DEVICE", env = "PIPELINE_DEVICE", default_value_t, hide_env_values = true)]
    pub device: DeviceChoice,
}

#[derive(Args, Clone)]
pub struct EmbedArgs {
    #[command(flatten)]
    pub stage: StageArgs,
    /// Without a project: a table of which a column is embedded, however long it is; - for standard input
    #[arg(value_name = "FILE", group = "table", requires = "output", conflicts_with_all = ["config", "force"])]
    pub file: Option<PathBuf>,
    /// Where to: .parquet, .arrow, .feather and .arrows get the table's columns and the embeddings, .npy the embeddings alone (a row
    /// without a text is NaN); whole, or not at all
    #[arg(long, short, value_name = "FILE", requires = "file")]
    pub output: Option<PathBuf>,
    /// Without a project: read a stream of Arrow from standard input and write it to standard output with the embeddings of a
    /// column, batch for batch, for engines such as Spark (docs/scale.md)
    #[arg(long, group = "table", requires = "column", conflicts_with_all = ["config", "force", "json"])]
    pub arrow_stream: bool,
    /// The column of texts in that table or stream [default: the only one]
    #[arg(long, value_name = "COLUMN", requires = "table")]
    pub column: Option<String>,
    /// The column of embeddings that is added
    #[arg(long = "as", value_name = "COLUMN", default_value = "embedding", requires = "table")]
    pub added: String,
    /// What they are
    #[arg(long, value_name = "KIND", default_value = "f32", requires = "table")]
    pub vectors: Vectors,
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
    /// Try first whether an encoder that learns is better; where it is, the project file is told so
    #[arg(long, conflicts_with_all = ["to", "from", "dry_run", "json"])]
    pub thorough: bool,
    /// With --thorough, let the comparison take so many hours at most; where the whole
    /// encoder would take longer, fewer layers of it learn
    #[arg(long, value_name = "HOURS", default_value_t = 1.0, requires = "thorough")]
    pub hours: f64,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Print results and errors only
    #[arg(long, short)]
    pub quiet: bool,
}

#[derive(Args, Clone)]
pub struct TrainArgs {
    #[command(flatten)]
    pub stage: StageArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// End with 7 if the model fails a gate
    #[arg(long)]
    pub require_gates: bool,
}

#[derive(Args, Clone)]
pub struct ValidateArgs {
    #[command(flatten)]
    pub project: ProjectArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Print results and errors only
    #[arg(long, short)]
    pub quiet: bool,
}

/// Options of the commands that use a finished model.
#[derive(Args, Clone)]
pub struct ModelArgs {
    /// Folder of the trained model [default: data/models/NAME, of the config]
    #[arg(long, value_name = "FOLDER")]
    pub model: Option<PathBuf>,
    /// Folder of the encoder that the model was trained with, where it lies elsewhere on this machine; once for each
    #[arg(long, value_name = "FOLDER")]
    pub encoder: Vec<PathBuf>,
    /// Where this processor cannot compute embeddings as the training did, compute them in another way (cosine at least 0.999)
    #[arg(long)]
    pub any_arithmetic: bool,
    /// The project file that names the model
    #[arg(long, short, value_name = "FILE", default_value = "pipeline.toml")]
    pub config: PathBuf,
}

impl ModelArgs {
    /// The folder of the project file.
    pub fn root(&self) -> &Path {
        self.config.parent().unwrap_or(Path::new(""))
    }

    /// The model, and its files.
    pub fn load(
        &self,
        engine: Option<&dyn Engine>,
        progress: &dyn Progress,
    ) -> Result<(Predictor, ModelFiles)> {
        let root = self.root();
        let folder = match &self.model {
            Some(folder) => folder.clone(),
            None => root.join("data/models").join(Config::load(&self.config)?.name),
        };
        let files = ModelFiles { folder };
        let places = Places { root, encoders: &self.encoder, any_arithmetic: self.any_arithmetic };
        Ok((Predictor::load(&files, places, engine, progress)?, files))
    }
}

/// A stage by its name.
pub fn stage_names() -> impl TypedValueParser<Value = Stage> {
    let names = PossibleValuesParser::new(Stage::ALL.map(Stage::name));
    names.try_map(|name| Stage::ALL.into_iter().find(|stage| stage.name() == name).ok_or("it is no stage"))
}

impl ProjectArgs {
    pub fn open(&self) -> Result<Project> {
        let mut project = Project::open(&self.config)?;
        if let Some(model) = &self.model {
            // A folder typed here is relative to where it is typed, not to the config.
            let folder = std::path::absolute(model).ok().filter(|f| f.is_dir());
            project.config.encoder.model =
                folder.map_or_else(|| model.clone(), |f| f.to_string_lossy().into_owned());
        }
        Ok(project)
    }
}
