//! Where everything of one config lies.

use std::path::{Path, PathBuf};

use pipeline_encoder::{Encoders, FolderError, Model, Place, locate};

use super::stage::Stage;
use crate::config::{Config, ConfigError, file_name};
use crate::model::ModelFiles;
use crate::store::user_cache;

/// A config and the folder that its paths are relative to.
pub struct Project {
    /// The folder that holds the config file.
    pub root: PathBuf,
    /// The config.
    pub config: Config,
}

impl Project {
    /// The project of the file `config`.
    ///
    /// # Errors
    /// The file is missing, or no good config.
    pub fn open(config: &Path) -> Result<Self, ConfigError> {
        let root = config.parent().map(PathBuf::from).unwrap_or_default();
        Ok(Self { root, config: Config::load(config)? })
    }

    /// Lock and manifests.
    pub fn state_folder(&self) -> PathBuf {
        self.root.join("data/.pipeline")
    }

    /// The manifest of a stage.
    pub fn manifest(&self, stage: Stage) -> PathBuf {
        self.state_folder().join(&self.config.name).join(format!("{}.json", stage.name()))
    }

    /// The table of the last ablation.
    pub fn ablation(&self) -> PathBuf {
        self.root.join("data/ablation").join(format!("{}.json", self.config.name))
    }

    /// The folder of candidates that are not accepted yet.
    pub fn candidates(&self) -> PathBuf {
        self.root.join("data/candidates").join(&self.config.name)
    }

    /// The folder of accepted rows, a file for each kind.
    pub fn collected(&self) -> PathBuf {
        self.root.join("data/collected").join(&self.config.name)
    }

    /// What was translated before.
    pub fn translations(&self) -> PathBuf {
        self.state_folder().join("translations.jsonl")
    }

    /// The last learning curve.
    pub fn curve(&self) -> PathBuf {
        self.root.join("data/curves").join(format!("{}.json", self.config.name))
    }

    /// The last search.
    pub fn tuning(&self) -> PathBuf {
        self.root.join("data/tuning").join(format!("{}.json", self.config.name))
    }

    /// The cache of all encoders and datasets of this folder.
    pub fn cache(&self) -> PathBuf {
        self.root.join("data/embeddings/cache.redb")
    }

    /// Encoders that were tuned, each in a folder named by what it was made from.
    pub fn tuned_folder(&self) -> PathBuf {
        self.root.join("data/embeddings/tuned")
    }

    /// Embedding matrices and their row index.
    pub fn embeddings_folder(&self) -> PathBuf {
        self.root.join("data/embeddings").join(&self.config.name)
    }

    /// The matrix of one text field in `folder`.
    pub fn matrix(folder: &Path, field: &str) -> PathBuf {
        folder.join(format!("{}.npy", file_name(field)))
    }

    /// Rejected rows and duplicates.
    pub fn rejects_folder(&self) -> PathBuf {
        self.root.join("data/rejects").join(&self.config.name)
    }

    /// Part and group of each row.
    pub fn split_file(&self) -> PathBuf {
        self.root.join("data/splits").join(format!("{}.csv", self.config.name))
    }

    /// What `pipeline validate` found.
    pub fn validation_file(&self) -> PathBuf {
        self.root.join("data/validation").join(format!("{}.json", self.config.name))
    }

    /// Its doubtful labels, to fill in.
    pub fn suspects_file(&self) -> PathBuf {
        self.validation_file().with_extension("csv")
    }

    /// Augmented rows with their parents.
    pub fn augmented_folder(&self) -> PathBuf {
        self.root.join("data/augmented").join(&self.config.name)
    }

    /// The trained model.
    pub fn model(&self) -> ModelFiles {
        ModelFiles { folder: self.root.join("data/models").join(&self.config.name) }
    }

    /// The models that were trained, each under its number.
    pub fn runs_folder(&self) -> PathBuf {
        self.root.join("data/runs").join(&self.config.name)
    }

    /// The run of a number.
    pub fn run_folder(&self, number: u32) -> PathBuf {
        self.runs_folder().join(number.to_string())
    }

    /// `path` relative to the project, for manifests and messages.
    pub fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().into_owned()
    }

    /// Where the config's encoders are.
    ///
    /// # Errors
    /// There is no such encoder.
    pub fn places(&self) -> Result<Vec<Place>, FolderError> {
        let encoder = &self.config.encoder;
        let names = std::iter::once(&encoder.model).chain(&encoder.second);
        names.map(|name| locate(name, &self.root, &user_cache())).collect()
    }

    /// The encoders in `folders` with the config's limits.
    ///
    /// # Errors
    /// A folder cannot be used.
    pub fn open_encoders(&self, folders: Vec<PathBuf>) -> Result<Encoders, FolderError> {
        let encoder = &self.config.encoder;
        let open =
            |folder: &PathBuf| Model::open(folder, encoder.max_tokens, encoder.precision, encoder.backend);
        Ok(Encoders { models: folders.iter().map(open).collect::<Result<_, _>>()? })
    }
}
