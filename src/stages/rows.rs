//! The rows as the embed and split stages left them.

use super::context::Context;
use super::error::BuildError;
use crate::config::{Config, TaskConfig};
use crate::counting::{counted, grouped};
use crate::inputs::{RawInputs, raw_inputs};
use crate::split::Part;
use crate::table::Dataset;
use crate::train::Task;

/// The rows as the embed and split stages left them.
pub struct Rows {
    pub dataset: Dataset,
    /// Class of each row.
    pub classes: Vec<usize>,
    /// Part and group of each row.
    pub dealt: Dealt,
    /// Inputs of each row.
    pub raw: RawInputs,
    /// The two numbers behind each row's class, where it comes from a range; else empty.
    pub ranges: Vec<[f32; 2]>,
    /// What else is predicted of each row.
    pub tasks: Vec<Task>,
}

impl Rows {
    /// `dataset` read by `config`, `dealt` to parts; `raw` are its inputs.
    pub fn new(config: &Config, dataset: Dataset, dealt: Dealt, raw: RawInputs) -> Self {
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
        Self { dataset, classes, dealt, raw, ranges, tasks }
    }

    /// The rows of one of `parts`.
    pub fn of(&self, parts: &[Part]) -> Vec<usize> {
        (0..self.classes.len()).filter(|&r| parts.contains(&self.dealt.parts[r])).collect()
    }

    /// The share of each class among the rows `of`.
    pub fn shares(&self, of: &[usize]) -> Vec<f64> {
        let mut shares = vec![0.0; self.dataset.classes.len()];
        of.iter().for_each(|&row| shares[self.classes[row]] += 1.0 / of.len() as f64);
        shares
    }

    /// Class and group of each of the rows `of`.
    pub fn truth(&self, of: &[usize]) -> Truth {
        let pick = |values: &[usize]| of.iter().map(|&row| values[row]).collect();
        Truth { classes: pick(&self.classes), groups: pick(&self.dealt.groups) }
    }
}

/// What answers to some rows are judged by.
pub struct Truth {
    /// The class of each row.
    pub classes: Vec<usize>,
    /// The group of each row.
    pub groups: Vec<usize>,
}

/// Part and group of each row.
#[derive(Clone, Debug)]
pub struct Dealt {
    /// Its part.
    pub parts: Vec<Part>,
    /// Its group of near-duplicates, by the first row of it.
    pub groups: Vec<usize>,
}

impl Context<'_> {
    /// The rows with their parts, groups and inputs.
    pub fn rows(&self) -> Result<Rows, BuildError> {
        let dataset = self.dataset()?;
        let dealt = self.dealt(dataset.rows.len())?;
        let folder = self.project.embeddings_folder();
        let fields = self.matrices(&folder, &dataset.text_fields, dataset.rows.len())?;
        let raw = raw_inputs(&fields, dataset.rows.iter().map(|r| &r.cells), Some(&self.project.config));
        Ok(Rows::new(&self.project.config, dataset, dealt, raw))
    }

    /// Part and group of each row, as the split stage left them.
    fn dealt(&self, rows: usize) -> Result<Dealt, BuildError> {
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
            return Err(failed(format!(
                "it has {}, the data has {}",
                counted(parts.len(), "row", "rows"),
                grouped(rows)
            )));
        }
        Ok(Dealt { parts, groups })
    }
}
