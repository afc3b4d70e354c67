//! All raw files of a config to a [`Dataset`].

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::cell::shorten;
use super::columns::Columns;
use super::contradictions::list_contradictions;
use super::dataset::Dataset;
use super::duplicates::list_duplicates;
use super::errors::TableError;
use super::files::{Matching, files, matching};
use super::formats::open;
use super::labels::Labels;
use super::missing::Missing;
use super::report::{ReadReport, Reject};
use super::rows::{Layout, Origin, parse};
use super::sentinels::{Sentinel, sentinel};
use super::source::Stated;
use crate::config::Config;
use crate::counting::{counted, grouped};
use crate::progress::Progress;

/// Read all files that `config` names below `project`.
///
/// # Errors
/// A file that is missing, unreadable, binary, or lacks a column; or the user interrupted. Bad rows are no error here: see
/// [`super::rejects::check_rejects`] and [`super::dataset::check_classes`].
pub fn read(
    config: &Config,
    project: &Path,
    progress: &dyn Progress,
) -> Result<(Dataset, ReadReport), TableError> {
    let mut reading = Reading {
        progress,
        config,
        labels: Labels::new(config),
        missing: Missing::new(&config.data.missing),
        dataset: Dataset {
            files: Vec::new(),
            text_fields: config.encoded_fields(),
            classes: Vec::new(),
            numeric: config.features.numeric.clone(),
            categorical: config.features.categorical.clone(),
            tasks: Vec::new(),
            rows: Vec::new(),
        },
        report: ReadReport::default(),
    };
    let stated = matching(&config.data.test_files, "data.test_files", project)?.files;
    let Matching { files, answers } = matching(&config.data.files, "data.files", project)?;
    let passed = |path: &PathBuf| {
        format!(
            "{} is what `pipeline predict` wrote and not read; to learn from it, name it in data.files",
            path.display()
        )
    };
    reading.report.notes.extend(answers.iter().map(passed));
    for path in files {
        // A pattern of data.files may match a test file too; what is stated to be test is not trained on.
        if !stated.contains(&path) {
            reading.file(project, path, false)?;
        }
    }
    for path in stated {
        reading.file(project, path, true)?;
    }
    Ok(reading.finish())
}

/// Look whether every raw file has the columns that `config` names.
///
/// # Errors
/// As [`read`], of the files' headers.
pub fn check_columns(config: &Config, project: &Path) -> Result<(), TableError> {
    for path in files(config, project)? {
        let source = open(&project.join(&path), &path, Stated::of(&config.data))?;
        Columns::find(config, source.as_ref())?;
    }
    Ok(())
}

/// What was read so far.
struct Reading<'a> {
    progress: &'a dyn Progress,
    config: &'a Config,
    labels: Labels<'a>,
    missing: Missing,
    dataset: Dataset,
    report: ReadReport,
}

impl Reading<'_> {
    fn file(&mut self, project: &Path, path: PathBuf, in_test_files: bool) -> Result<(), TableError> {
        let source = open(&project.join(&path), &path, Stated::of(&self.config.data))?;
        let note = |note: &String| format!("{}: {note}", path.display());
        self.report.notes.extend(source.notes().iter().map(note));
        let columns = Columns::find(self.config, source.as_ref())?;
        let origin = Origin { file: self.dataset.files.len(), in_test_files };
        let layout = Layout { config: self.config, columns: &columns, missing: &self.missing };
        let mut lines = source.lines()?;
        let (mut blank, mut short) = (LinesOfAKind::default(), LinesOfAKind::default());
        for line in &mut lines {
            let line = line?;
            if self.progress.interrupted() {
                return Err(TableError::Interrupted);
            }
            // Spreadsheets leave rows of separators at the end of a table.
            if line.is_blank() {
                blank.add(line.number);
                continue;
            }
            if line.cells.as_ref().is_ok_and(|cells| cells.len() <= columns.last) {
                short.add(line.number);
            }
            self.report.read += 1;
            match parse(&line, origin, &layout, &mut self.labels) {
                Ok(row) => self.dataset.rows.push(row),
                Err(fault) => self.report.rejects.push(Reject {
                    file: path.clone(),
                    line: line.number,
                    column: fault.column,
                    value: shorten(&fault.value, 200),
                    reason: fault.reason,
                    raw: line.raw(),
                    unlabelled: fault.unlabelled,
                }),
            }
        }
        self.report.notes.extend(lines.mended().iter().map(note));
        drop(lines);
        let said = [
            blank.said("blank and passed over"),
            short.said("shorter than the header; what they lack is empty"),
        ];
        self.report.notes.extend(said.iter().flatten().map(note));
        self.dataset.files.push(path);
        Ok(())
    }

    fn finish(self) -> (Dataset, ReadReport) {
        let Self { config, labels, mut dataset, mut report, .. } = self;
        dataset.classes = labels.finish(&config.label, &mut dataset.rows, &mut report.notes);
        let tasks = config.train.tasks.iter().enumerate().map(|(i, task)| {
            let values: BTreeSet<&String> = dataset.rows.iter().filter_map(|r| r.tasks[i].as_ref()).collect();
            (task.column.clone(), values.into_iter().cloned().collect())
        });
        dataset.tasks = tasks.collect();
        list_duplicates(&mut dataset, &mut report);
        list_contradictions(&dataset, &mut report);
        report.notes.extend(sentinels(config, &dataset));
        (dataset, report)
    }
}

/// How many lines are of a kind, and the first.
#[derive(Default)]
struct LinesOfAKind {
    count: usize,
    first: u64,
}

impl LinesOfAKind {
    fn add(&mut self, line: u64) {
        self.first = if self.count == 0 { line } else { self.first };
        self.count += 1;
    }

    fn said(&self, what: &str) -> Option<String> {
        let rows = counted(self.count, "row is", "rows are");
        (self.count > 0).then(|| format!("{rows} {what}, the first in line {}", self.first))
    }
}

/// Columns in which a number seems to stand for none.
fn sentinels(config: &Config, dataset: &Dataset) -> Vec<String> {
    let feature = |i: usize| dataset.rows.iter().filter_map(move |row| row.cells.numeric[i]);
    let end = |i: usize| dataset.rows.iter().filter_map(move |row| Some(row.range?[i]));
    let note = |column: &str, found: Option<Sentinel>| {
        let Sentinel { value, rows, others: [low, high] } = found?;
        Some(format!(
            "warning: {column} is {value} in {} of {} and between {low} and {high} in all others; if it stands for a \
             value that is not there, add \"{value}\" to data.missing",
            grouped(rows),
            counted(dataset.rows.len(), "row", "rows")
        ))
    };
    let features = config.features.numeric.iter().enumerate();
    let features = features.map(|(i, column)| note(column, sentinel(feature(i).map(f64::from))));
    let ends = config.label.range.iter().flat_map(|rule| rule.ends().into_iter().enumerate());
    let ends = ends.map(|(i, column)| note(column, sentinel(end(i).map(f64::from))));
    features.chain(ends).flatten().collect()
}
