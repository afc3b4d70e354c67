//! All raw files of a config to a [`Dataset`].

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::cell::shorten;
use super::columns::Columns;
use super::dataset::Dataset;
use super::duplicates::list_duplicates;
use super::errors::TableError;
use super::files::matching;
use super::formats::open;
use super::labels::Labels;
use super::report::{ReadReport, Reject};
use super::rows::{Origin, parse};
use crate::config::Config;

/// Read all files that `config` names below `project`.
///
/// # Errors
/// A file that is missing, unreadable, binary, or lacks a column. Bad rows are no error here: see
/// [`super::rejects::check_rejects`] and [`super::dataset::check_classes`].
pub fn read(config: &Config, project: &Path) -> Result<(Dataset, ReadReport), TableError> {
    let mut reading = Reading {
        config,
        labels: Labels::new(config),
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
    let stated = matching(&config.data.test_files, "data.test_files", project)?;
    for path in matching(&config.data.files, "data.files", project)? {
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

/// What was read so far.
struct Reading<'a> {
    config: &'a Config,
    labels: Labels<'a>,
    dataset: Dataset,
    report: ReadReport,
}

impl Reading<'_> {
    fn file(&mut self, project: &Path, path: PathBuf, in_test_files: bool) -> Result<(), TableError> {
        let source = open(&project.join(&path), &path, self.config.data.delimiter)?;
        let columns = Columns::find(self.config, source.as_ref())?;
        let origin = Origin { file: self.dataset.files.len(), in_test_files };
        let mut lines = source.lines();
        let (mut blank, mut first_blank) = (0, 0);
        for line in &mut lines {
            // Spreadsheets leave rows of separators at the end of a table.
            if line.is_blank() {
                blank += 1;
                first_blank = if blank == 1 { line.number } else { first_blank };
                continue;
            }
            self.report.read += 1;
            match parse(&line, origin, &columns, self.config, &mut self.labels) {
                Ok(row) => self.dataset.rows.push(row),
                Err(fault) => self.report.rejects.push(Reject {
                    file: path.clone(),
                    line: line.number,
                    column: fault.column,
                    value: shorten(&fault.value, 200),
                    reason: fault.reason,
                    raw: line.raw.to_string(),
                }),
            }
        }
        if let Some(mended) = lines.mended() {
            self.report.notes.push(format!("{}: {mended}", path.display()));
        }
        drop(lines);
        if blank > 0 {
            let rows = if blank == 1 { "row is" } else { "rows are" };
            let note = format!(
                "{}: {blank} {rows} blank and passed over, the first in line {first_blank}",
                path.display()
            );
            self.report.notes.push(note);
        }
        self.dataset.files.push(path);
        Ok(())
    }

    fn finish(self) -> (Dataset, ReadReport) {
        let Self { config, labels, mut dataset, mut report } = self;
        dataset.classes = labels.finish(&mut dataset.rows);
        let tasks = config.train.tasks.iter().enumerate().map(|(i, task)| {
            let values: BTreeSet<&String> = dataset.rows.iter().filter_map(|r| r.tasks[i].as_ref()).collect();
            (task.column.clone(), values.into_iter().cloned().collect())
        });
        dataset.tasks = tasks.collect();
        list_duplicates(&mut dataset, &mut report);
        (dataset, report)
    }
}
