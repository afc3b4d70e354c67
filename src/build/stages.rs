//! The run of one stage with its manifest, and what the stages share: rows, matrices, the encoder, the cache.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pipeline_encoder::Encoders;
use serde_json::Value;

use super::plan::{Sources, ingredients, open_encoders, places};
use super::{BuildError, Project, Stage};
use crate::config::{Config, TaskConfig};
use crate::embed::{Cache, EmbedReport, Embeddings, NpyWriter, embed, read_npy};
use crate::engine::{Engine, load_encoders, on_disk};
use crate::inputs::{RawInputs, raw_inputs};
use crate::progress::Progress;
use crate::split::Part;
use crate::store::{Manifest, Output, StoreError, write_atomic};
use crate::table::{self, Dataset};
use crate::train::Task;

/// Texts copied from the cache to a matrix at once.
const EXPORT_ROWS: usize = 4096;

/// Run one stage and leave its manifest; what it counted.
pub fn run(
    project: &Project,
    stage: Stage,
    sources: &mut Sources,
    engine: Option<&dyn Engine>,
    progress: &dyn Progress,
) -> Result<Value, BuildError> {
    let context = Context { project, engine, progress };
    // The manifest goes first: a stage that dies half-way must not look finished.
    let manifest = project.manifest(stage);
    if manifest.exists() {
        std::fs::remove_file(&manifest).map_err(StoreError::of("remove", &manifest))?;
    }
    let (outputs, summary) = match stage {
        Stage::Embed => context.embed()?,
        Stage::Split => context.split()?,
        Stage::Augment => context.augment()?,
        Stage::Train => context.train()?,
        Stage::Evaluate => context.evaluate()?,
    };
    if stage == Stage::Embed {
        sources.measure_encoder(project)?;
    }
    let made_from = ingredients(project, stage, sources);
    let mut measured = BTreeMap::new();
    for path in outputs {
        measured.insert(project.relative(&path), Output::of(&path)?);
    }
    Manifest {
        version: stage.version(),
        config: made_from.config,
        inputs: made_from.inputs,
        outputs: measured,
        summary: summary.clone(),
    }
    .save(&manifest)?;
    Ok(summary)
}

/// What the stages and validation share.
pub(super) struct Context<'a> {
    pub project: &'a Project,
    pub engine: Option<&'a dyn Engine>,
    pub progress: &'a dyn Progress,
}

/// The files that a stage left, and what it counted.
pub(super) type StageResult = Result<(Vec<PathBuf>, Value), BuildError>;

/// The rows as the embed and split stages left them.
pub(super) struct Rows {
    pub dataset: Dataset,
    /// Class of each row.
    pub classes: Vec<usize>,
    /// Part of each row.
    pub parts: Vec<Part>,
    /// Group of near-duplicates of each row, by its first row.
    pub groups: Vec<usize>,
    /// Inputs of each row.
    pub raw: RawInputs,
    /// The two numbers behind each row's class, where it comes from a range; else empty.
    pub ranges: Vec<[f32; 2]>,
    /// What else is predicted of each row.
    pub tasks: Vec<Task>,
}

impl Rows {
    /// `(parts, groups)` has part and group of each row.
    pub fn new(
        config: &Config,
        dataset: Dataset,
        (parts, groups): (Vec<Part>, Vec<usize>),
        raw: RawInputs,
    ) -> Self {
        let classes = dataset.rows.iter().map(|r| r.class).collect();
        let ranges = dataset.rows.iter().filter_map(|r| r.range).collect();
        let task = |(i, (task, (column, classes))): (usize, (&TaskConfig, &(String, Vec<String>)))| {
            let class = |value: &String| classes.binary_search(value).ok();
            Task {
                column: column.clone(),
                classes: classes.clone(),
                weight: task.weight,
                rows: dataset.rows.iter().map(|r| r.tasks[i].as_ref().and_then(class)).collect(),
            }
        };
        let tasks = config.train.tasks.iter().zip(&dataset.tasks).enumerate().map(task).collect();
        Self { dataset, classes, parts, groups, raw, ranges, tasks }
    }

    /// The rows of one of `parts`.
    pub fn of(&self, parts: &[Part]) -> Vec<usize> {
        (0..self.parts.len()).filter(|&r| parts.contains(&self.parts[r])).collect()
    }
}

impl Context<'_> {
    /// The encoder or encoders of the config, downloaded first if they are the hub's.
    pub fn encoders(&self) -> Result<Encoders, BuildError> {
        let places = places(self.project)?.into_iter();
        let folders = places.map(|place| on_disk(place, self.progress)).collect::<Result<_, _>>()?;
        open_encoders(self.project, folders)
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
                "{} of {} texts are longer than {} tokens; only their beginning is embedded",
                report.truncated,
                report.texts,
                encoders.max_tokens()
            ));
        }
        Ok(report)
    }

    /// The dataset as the embed stage saw it.
    pub fn dataset(&self) -> Result<Dataset, BuildError> {
        Ok(table::read(&self.project.config, &self.project.root)?.0)
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
                    let reason = format!("it has {} rows, the data has {rows}", matrix.rows());
                    return Err(BuildError::Artefact { path, reason });
                }
                Ok(matrix)
            })
            .collect()
    }

    /// The rows with their parts, groups and inputs.
    pub fn rows(&self) -> Result<Rows, BuildError> {
        let dataset = self.dataset()?;
        let (parts, groups) = self.parts(dataset.rows.len())?;
        let folder = self.project.embeddings_folder();
        let fields = self.matrices(&folder, &dataset.text_fields, dataset.rows.len())?;
        let raw = raw_inputs(&fields, dataset.rows.iter().map(|r| &r.cells), Some(&self.project.config));
        Ok(Rows::new(&self.project.config, dataset, (parts, groups), raw))
    }

    /// Part and group of each row, as the split stage left them.
    fn parts(&self, rows: usize) -> Result<(Vec<Part>, Vec<usize>), BuildError> {
        let path = self.project.split_file();
        let failed = |reason: String| BuildError::Artefact { path: path.clone(), reason };
        let mut reader = csv::Reader::from_path(&path).map_err(|e| failed(e.to_string()))?;
        let (mut parts, mut groups) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        for record in reader.records() {
            let record = record.map_err(|e| failed(e.to_string()))?;
            let name = record.get(5).unwrap_or("");
            let known = Part::USED.into_iter().chain([Part::Dropped]).find(|p| p.name() == name);
            parts.push(known.ok_or_else(|| failed(format!("`{name}` is no part")))?);
            let group = record.get(4).and_then(|g| g.parse().ok());
            groups.push(group.ok_or_else(|| failed("a group is no number".into()))?);
        }
        if parts.len() != rows {
            return Err(failed(format!("it has {} rows, the data has {rows}", parts.len())));
        }
        Ok((parts, groups))
    }
}

/// File and line of a row, for the files that stages leave.
pub(super) struct RowPlace {
    pub file: String,
    pub line: String,
}

pub(super) fn place(dataset: &Dataset, row: usize) -> RowPlace {
    let row = &dataset.rows[row];
    RowPlace { file: dataset.files[row.file].to_string_lossy().into_owned(), line: row.line.to_string() }
}

pub(super) fn write_csv(
    path: &Path,
    header: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
) -> Result<(), StoreError> {
    write_atomic(path, |w| {
        let mut csv = csv::Writer::from_writer(w);
        csv.write_record(header)?;
        for row in rows {
            csv.write_record(row)?;
        }
        csv.flush()
    })
}

/// Copy the embeddings of `texts` from the cache to an `.npy` file, a block at a time.
pub(super) fn write_matrix(
    path: &Path,
    texts: &[&str],
    cache: &Cache,
    dims: usize,
) -> Result<(), BuildError> {
    let mut failure = None;
    write_atomic(path, |file| {
        let mut writer = NpyWriter::new(file, texts.len(), dims)?;
        for block in texts.chunks(EXPORT_ROWS) {
            match cache.get(block) {
                Ok(embeddings) => writer.extend(&embeddings)?,
                Err(error) => {
                    failure = Some(error);
                    return Err(std::io::Error::other("the cache failed"));
                }
            }
        }
        writer.finish()
    })
    .map_err(|error| failure.map_or(BuildError::Store(error), BuildError::Cache))
}

pub(super) fn pick_rows(raw: &RawInputs, rows: &[usize]) -> RawInputs {
    let dims = raw.embedding_dims;
    RawInputs {
        embedding_dims: dims,
        embedding: rows.iter().flat_map(|&r| &raw.embedding[r * dims..(r + 1) * dims]).copied().collect(),
        numeric: rows.iter().map(|&r| raw.numeric[r].clone()).collect(),
        categories: rows.iter().map(|&r| raw.categories[r].clone()).collect(),
        texts: rows.iter().map(|&r| raw.texts[r].clone()).collect(),
    }
}
