//! The rows as the embed and split stages left them.

use std::collections::HashSet;

use super::context::Context;
use super::error::BuildError;
use super::kin::shown;
use crate::config::{Config, PassUse, TaskConfig};
use crate::counting::{counted, grouped};
use crate::embed::Embeddings;
use crate::inputs::{RawInputs, raw_inputs};
use crate::split::{Fold, Part};
use crate::table::{self, Dataset, Pass, Row};
use crate::train::Task;

/// The rows as the embed and split stages left them.
pub struct Rows {
    pub dataset: Dataset,
    /// Class of each row.
    pub classes: Vec<usize>,
    /// What each row teaches, `rows × classes`: shares of the classes that add up to what the row counts.
    pub taught: Vec<f32>,
    /// Part and group of each row.
    pub dealt: Dealt,
    /// Which rows teach and are never held out.
    pub teach_only: Vec<bool>,
    /// For each row, the rows that a language model was shown when it wrote it.
    pub shown: Vec<Vec<usize>>,
    /// Inputs of each row.
    pub raw: RawInputs,
    /// The two numbers behind each row's class, where it comes from a range; else empty.
    pub ranges: Vec<[f32; 2]>,
    /// What else is predicted of each row.
    pub tasks: Vec<Task>,
}

impl Rows {
    /// `dataset` read by `config`, with what `passes` said of it, `dealt` to parts; `raw` are its inputs.
    pub fn new(config: &Config, dataset: Dataset, passes: &[Pass], dealt: Dealt, raw: RawInputs) -> Self {
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
        let taught = taught(config.label.passes, &dataset, passes);
        let teach_only = dataset.rows.iter().map(|row| teaches_only(config, row)).collect();
        let shown = shown(&dataset);
        Self { dataset, classes, taught, dealt, teach_only, shown, raw, ranges, tasks }
    }

    /// The rows of one of `parts`, without those that only teach.
    pub fn of(&self, parts: &[Part]) -> Vec<usize> {
        (0..self.classes.len())
            .filter(|&row| parts.contains(&self.dealt.parts[row]) && !self.teach_only[row])
            .collect()
    }

    /// The three parts.
    pub fn whole(&self) -> Fold {
        let [train, validation, held_out] = Part::USED.map(|part| self.of(&[part]));
        Fold { repeat: 0, fold: 0, train, validation, held_out }
    }

    /// `fold` with the rows that only teach, of the kinds in use, but for those of a group that is held back or out, and those
    /// that were written after a row of such a group.
    pub fn lent_to(&self, fold: &Fold, config: &Config) -> Fold {
        if !self.teach_only.contains(&true) {
            return fold.clone();
        }
        let held = fold.validation.iter().chain(&fold.held_out).map(|&row| self.dealt.groups[row]);
        let held: HashSet<usize> = held.collect();
        let lent = (0..self.classes.len()).filter(|&row| {
            let collected = self.dataset.rows[row].collected.as_ref();
            let used = collected.is_none_or(|of| config.collect.used.contains(&of.kind));
            let from_held = self.shown[row].iter().any(|&row| held.contains(&self.dealt.groups[row]));
            let here = matches!(self.dealt.parts[row], Part::Train | Part::Validation);
            self.teach_only[row] && used && here && !from_held && !held.contains(&self.dealt.groups[row])
        });
        Fold { train: fold.train.iter().copied().chain(lent).collect(), ..fold.clone() }
    }

    /// The share of each class among the rows `of`.
    pub fn shares(&self, of: &[usize]) -> Vec<f64> {
        let mut shares = vec![0.0; self.dataset.classes.len()];
        of.iter().for_each(|&row| shares[self.classes[row]] += 1.0 / of.len() as f64);
        shares
    }

    /// The embeddings of each text field of the rows `of`, as `raw` has them.
    pub fn fields(&self, raw: &RawInputs, of: &[usize]) -> Vec<Embeddings> {
        let count = self.dataset.text_fields.len();
        let dims = raw.embedding_dims / count.max(1);
        let field = |field: usize| {
            let value = |&row: &usize| {
                let start = row * raw.embedding_dims + field * dims;
                &raw.embedding[start..start + dims]
            };
            Embeddings { dims, values: of.iter().flat_map(value).copied().collect() }
        };
        (0..count).map(field).collect()
    }

    /// Whether a row has no text in a field.
    pub fn is_blank(&self, field: usize, row: usize) -> bool {
        self.dataset.rows[row].cells.texts[field].trim().is_empty()
    }

    /// Class and group of each of the rows `of`.
    pub fn truth(&self, of: &[usize]) -> Truth {
        let pick = |values: &[usize]| of.iter().map(|&row| values[row]).collect();
        Truth { classes: pick(&self.classes), groups: pick(&self.dealt.groups) }
    }
}

/// Whether a row teaches and is never held out.
pub fn teaches_only(config: &Config, row: &Row) -> bool {
    row.collected.as_ref().is_some_and(|collected| config.collect.teach_only.contains(&collected.kind))
}

/// What each row teaches, `rows × classes`: shares of the classes that add up to what the row counts.
///
/// A row that no pass has labelled teaches its label. One of whose passes none says its label counts half a pass, so that no row
/// counts nothing.
fn taught(passes_use: PassUse, dataset: &Dataset, passes: &[Pass]) -> Vec<f32> {
    let count = dataset.classes.len();
    let mut taught = vec![0.0; dataset.rows.len() * count];
    for (i, (row, shares)) in dataset.rows.iter().zip(taught.chunks_exact_mut(count.max(1))).enumerate() {
        let said: Vec<usize> = passes.iter().filter_map(|pass| pass.classes[i]).collect();
        match passes_use {
            PassUse::Soft if !said.is_empty() => {
                said.iter().for_each(|&class| shares[class] += row.weight / said.len() as f32);
            }
            PassUse::Weighted if !said.is_empty() => {
                let agree = said.iter().filter(|&&class| class == row.class).count() as f32;
                shares[row.class] = row.weight * agree.max(0.5) / said.len() as f32;
            }
            _ => shares[row.class] = row.weight,
        }
    }
    taught
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
        let passes = self.passes(&dataset)?;
        Ok(Rows::new(&self.project.config, dataset, &passes, dealt, raw))
    }

    /// What the labelling passes say of the rows, where they teach.
    pub fn passes(&self, dataset: &Dataset) -> Result<Vec<Pass>, BuildError> {
        match self.project.config.label.passes {
            PassUse::Settled => Ok(Vec::new()),
            _ => Ok(table::passes(&self.project.config, &self.project.root, dataset)?),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CollectedKind;
    use crate::table::{Cells, Collected, ContentHash};

    /// Six rows of two classes, and three that a model wrote: after rows 0 and 1, after row 4, and after none.
    fn rows(config: &Config) -> Rows {
        let cells = |text: String| Cells { texts: vec![text], ..Cells::default() };
        let content = |row: usize| cells(format!("row {row}")).content();
        let row = |number: usize, shown: Option<&[usize]>| Row {
            file: 0,
            line: number as u64 + 2,
            cells: cells(format!("row {number}")),
            class: number % 2,
            title: String::new(),
            in_test_files: false,
            range: None,
            weight: 1.0,
            collected: shown.map(|shown| Collected {
                kind: CollectedKind::Generated,
                parent: None,
                shown: shown.iter().map(|&row| content(row)).collect(),
            }),
            tasks: vec![],
            group: None,
            record: ContentHash::default(),
        };
        let written: [&[usize]; 3] = [&[0, 1], &[4], &[]];
        let all = (0..6).map(|n| row(n, None)).chain((6..9).map(|n| row(n, Some(written[n - 6]))));
        let dataset = Dataset {
            files: vec!["a.csv".into()],
            text_fields: vec!["title".into()],
            classes: vec!["low".into(), "high".into()],
            numeric: vec![],
            categorical: vec![],
            tasks: vec![],
            rows: all.collect(),
        };
        // Row 5 is of the group of row 4.
        let groups = vec![0, 1, 2, 3, 4, 4, 6, 7, 8];
        let dealt = Dealt { parts: vec![Part::Train; 9], groups };
        Rows::new(config, dataset, &[], dealt, RawInputs::default())
    }

    #[test]
    fn what_was_written_after_a_row_does_not_teach_where_that_row_is_held_out() {
        let text = "name = \"t\"\n[data]\nfiles = [\"a.csv\"]\ntext_fields = [\"title\"]\n[label]\ncolumn = \"class\"";
        let config = Config::parse(text, std::path::Path::new("pipeline.toml")).unwrap();
        let rows = rows(&config);
        let lent = |held_out: &[usize]| {
            let train = (0..6).filter(|row| !held_out.contains(row)).collect();
            let fold = Fold { repeat: 0, fold: 0, train, validation: vec![], held_out: held_out.to_vec() };
            let lent = rows.lent_to(&fold, &config).train;
            lent.into_iter().filter(|&row| row >= 6).collect::<Vec<usize>>()
        };
        assert_eq!(lent(&[2, 3]), [6, 7, 8]);
        assert_eq!(lent(&[1]), [7, 8], "one of those that were shown is enough");
        assert_eq!(lent(&[5]), [6, 8], "a row of the group of one that was shown");
        assert_eq!(lent(&[0, 4]), [8]);
    }
}
