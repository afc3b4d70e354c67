//! The candidates that wait, and the data that they are held against.

use std::path::PathBuf;

use crate::embed::Embeddings;
use crate::inputs::{RawInputs, raw_inputs};
use crate::split::mean_cosine_vectors;
use crate::stages::context::Context;
use crate::stages::error::BuildError;
use crate::stages::kin::kin;
use crate::stages::rows::Rows;
use crate::store::checksum;
use crate::table::{self, Dataset, Reject};

/// Candidates as rows of the dataset.
pub struct Waiting {
    /// Their files, relative to the project.
    pub files: Vec<PathBuf>,
    /// Hash of the files' contents.
    pub hash: String,
    /// The rows; classes and tasks are numbered as in the dataset of the project.
    pub dataset: Dataset,
    /// Lines that are no row of this dataset.
    pub rejects: Vec<Reject>,
    /// Their inputs.
    pub raw: RawInputs,
    /// As [`vectors`].
    pub vectors: Vec<f32>,
}

impl Context<'_> {
    /// The candidates that wait, embedded.
    ///
    /// # Errors
    /// There are none, or they cannot be read or embedded.
    pub fn waiting(&self, rows: &Rows) -> Result<Waiting, BuildError> {
        let (project, config) = (self.project, &self.project.config);
        let folder = project.candidates();
        let entries = std::fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok);
        let mut files: Vec<PathBuf> = entries
            .map(|entry| entry.path())
            .filter(|path| path.is_file() && path.extension().is_some_and(|end| end == "csv"))
            .collect();
        files.sort();
        if files.is_empty() {
            return Err(BuildError::NoCandidates { folder });
        }
        let mut hashes = String::new();
        for file in &files {
            hashes += &checksum(file)?;
        }
        let hash = blake3::hash(hashes.as_bytes()).to_hex().to_string();
        let files: Vec<PathBuf> = files.iter().map(|file| project.relative(file).into()).collect();
        let (mut dataset, report) = table::read_collected(config, &project.root, &files, self.progress)?;
        let mut rejects = report.rejects;
        rejects.extend(report.duplicates.iter().map(|duplicate| Reject {
            file: duplicate.file.clone(),
            line: duplicate.line,
            column: String::new(),
            value: String::new(),
            reason: format!("repeats {}", duplicate.repeats),
            raw: String::new(),
            unlabelled: false,
        }));
        renumber(&mut dataset, &rows.dataset, &mut rejects);
        let fields = self.embedded(&dataset)?;
        let raw = raw_inputs(&fields, dataset.rows.iter().map(|r| &r.cells), Some(config));
        let vectors = vectors(&dataset, &fields);
        Ok(Waiting { files, hash, dataset, rejects, raw, vectors })
    }

    /// [`vectors`] of the rows of the project.
    pub fn vectors(&self, dataset: &Dataset) -> Result<Vec<f32>, BuildError> {
        let folder = self.project.embeddings_folder();
        Ok(vectors(dataset, &self.matrices(&folder, &dataset.text_fields, dataset.rows.len())?))
    }
}

/// Rows of vectors whose products are the mean cosines of the fields.
fn vectors(dataset: &Dataset, fields: &[Embeddings]) -> Vec<f32> {
    let raw = raw_inputs(fields, dataset.rows.iter().map(|r| &r.cells), None);
    mean_cosine_vectors(&raw.embedding, fields.len(), raw.embedding_dims / fields.len().max(1))
}

/// Such `vectors` of length 1: where a field is empty, the cosine of the others counts.
pub fn unit(mut vectors: Vec<f32>, dims: usize) -> Vec<f32> {
    for row in vectors.chunks_exact_mut(dims.max(1)) {
        let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt();
        row.iter_mut().filter(|_| norm > 0.0).for_each(|v| *v /= norm);
    }
    vectors
}

/// The row of `rows` that each candidate says in other words.
pub fn parents(rows: &Rows, candidates: &Dataset) -> Vec<Option<usize>> {
    let mut both = rows.dataset.clone();
    let first = both.rows.len();
    both.rows.extend(candidates.rows.iter().cloned());
    let mut parents = vec![None; candidates.rows.len()];
    for [parent, child] in kin(&both).pairs {
        if let Some(candidate) = child.checked_sub(first) {
            parents[candidate] = Some(parent);
        }
    }
    parents
}

/// Give the candidates the numbers of the dataset's classes; rows of a class that it has not are rejected.
fn renumber(candidates: &mut Dataset, dataset: &Dataset, rejects: &mut Vec<Reject>) {
    let known: Vec<Option<usize>> = candidates
        .classes
        .iter()
        .map(|name| dataset.classes.iter().position(|class| class == name))
        .collect();
    let (mut rows, names) = (std::mem::take(&mut candidates.rows), std::mem::take(&mut candidates.classes));
    rows.retain_mut(|row| match known[row.class] {
        Some(class) => {
            row.class = class;
            true
        }
        None => {
            rejects.push(Reject {
                file: candidates.files[row.file].clone(),
                line: row.line,
                column: String::new(),
                value: names[row.class].clone(),
                reason: "is no class of the data".into(),
                raw: String::new(),
                unlabelled: false,
            });
            false
        }
    });
    candidates.rows = rows;
    candidates.classes = dataset.classes.clone();
    candidates.tasks = dataset.tasks.clone();
}
