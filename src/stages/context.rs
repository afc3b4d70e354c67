//! What every stage works with: project, engine and progress, the encoder and its cache, the matrices on disk.

use std::path::Path;

use pipeline_encoder::Encoders;

use super::error::BuildError;
use super::project::Project;
use crate::counting::{counted, grouped};
use crate::embed::{Cache, EmbedReport, Embeddings, embed, read_npy};
use crate::engine::{Engine, load_encoders, on_disk};
use crate::progress::Progress;
use crate::table::{self, Dataset};

/// What the stages, comparisons and validation share.
pub struct Context<'a> {
    pub project: &'a Project,
    pub engine: Option<&'a dyn Engine>,
    pub progress: &'a dyn Progress,
}

impl Context<'_> {
    /// The encoder or encoders of the config, downloaded first if they are the hub's.
    pub fn encoders(&self) -> Result<Encoders, BuildError> {
        let places = self.project.places()?.into_iter();
        let folders = places.map(|place| on_disk(place, self.progress)).collect::<Result<_, _>>()?;
        Ok(self.project.open_encoders(folders)?)
    }

    /// The cache for the embeddings of `encoders`.
    pub fn cache(&self, encoders: &Encoders) -> Result<Cache, BuildError> {
        Ok(Cache::open(&self.project.cache(), &encoders.fingerprint(), encoders.dims())?)
    }

    pub fn embed_texts(
        &self,
        texts: &[&str],
        cache: &Cache,
        encoders: &Encoders,
    ) -> Result<EmbedReport, BuildError> {
        let mut load = || load_encoders(self.engine, self.project.config.encoder.workers, encoders);
        let report = embed(texts, cache, encoders.max_tokens(), &mut load, self.progress)?;
        if report.truncated > 0 {
            self.progress.note(&format!(
                "{} of {} longer than {} tokens; only the beginning is embedded",
                grouped(report.truncated),
                counted(report.texts, "text is", "texts are"),
                encoders.max_tokens()
            ));
        }
        Ok(report)
    }

    /// The dataset as the embed stage saw it.
    pub fn dataset(&self) -> Result<Dataset, BuildError> {
        Ok(table::read(&self.project.config, &self.project.root, self.progress)?.0)
    }

    /// The embeddings of each text field of `dataset`; texts not yet embedded are embedded.
    pub fn embedded(&self, dataset: &Dataset) -> Result<Vec<Embeddings>, BuildError> {
        let encoders = self.encoders()?;
        let cache = self.cache(&encoders)?;
        let of_field = |field: usize| dataset.rows.iter().map(move |r| r.cells.texts[field].as_str());
        let all: Vec<Vec<&str>> = (0..dataset.text_fields.len()).map(|f| of_field(f).collect()).collect();
        self.embed_texts(&all.concat(), &cache, &encoders)?;
        Ok(all.iter().map(|texts| cache.get(texts)).collect::<Result<_, _>>()?)
    }

    /// One matrix a text field from `folder`, each with `rows` rows.
    pub fn matrices(
        &self,
        folder: &Path,
        fields: &[String],
        rows: usize,
    ) -> Result<Vec<Embeddings>, BuildError> {
        fields
            .iter()
            .map(|field| {
                let path = Project::matrix(folder, field);
                let matrix = read_npy(&path)?;
                if matrix.rows() != rows {
                    let reason = format!(
                        "it has {}, the data has {}",
                        counted(matrix.rows(), "row", "rows"),
                        grouped(rows)
                    );
                    return Err(BuildError::Artefact { path, reason });
                }
                Ok(matrix)
            })
            .collect()
    }
}
