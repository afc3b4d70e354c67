//! All raw files of a config to a [`Dataset`].

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::cell::shorten;
use super::columns::Columns;
use super::contradictions::list_contradictions;
use super::corrections::Corrections;
use super::dataset::{Dataset, Row};
use super::duplicates::list_duplicates;
use super::errors::TableError;
use super::files::{collected_files, matching};
use super::labels::Labels;
use super::missing::Missing;
use super::partitions::open_partitioned;
use super::report::{ReadReport, Reject};
use super::rows::{CollectedColumns, KIND, Layout, Origin, PARENT, SHOWN, parse};
use super::sentinels::{Sentinel, sentinel};
use super::source::{Source, Stated};
use crate::config::{Config, nearest};
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
    let mut reading = Reading::new(config, progress);
    reading.corrections = Corrections::load(config, project)?;
    let answers = each_file(config, project, |path, named, in_test_files| {
        reading.file(project, path, if in_test_files { Place::Test { named } } else { Place::Raw { named } })
    })?;
    for path in collected_files(config, project) {
        reading.file(project, &path, Place::Collected)?;
    }
    let passed = |path: &PathBuf| {
        format!(
            "{} is what `pipeline predict` wrote and not read; to learn from it, name it in data.files",
            path.display()
        )
    };
    reading.report.notes.extend(answers.iter().map(passed));
    Ok(reading.finish())
}

/// Read files of collected rows alone, as [`read`] does those that were accepted.
///
/// # Errors
/// As [`read`].
pub fn read_collected(
    config: &Config,
    project: &Path,
    files: &[PathBuf],
    progress: &dyn Progress,
) -> Result<(Dataset, ReadReport), TableError> {
    let mut reading = Reading::new(config, progress);
    for path in files {
        reading.file(project, path, Place::Collected)?;
    }
    Ok(reading.finish())
}

/// Look whether every raw file has the columns that `config` names.
///
/// # Errors
/// As [`read`], of the files' headers.
pub fn check_columns(config: &Config, project: &Path) -> Result<(), TableError> {
    each_file(config, project, |path, named, _| {
        let source = open_partitioned(&project.join(path), path, Stated::of(&config.data))?;
        Ok(columns_of(config, source.as_ref(), named)?.err())
    })
    .map(|_| ())
}

/// Go over the files of `config`: the path of each, whether it is named as it is called, and whether it is to be judged by.
/// `read` says of a file that is no raw file why it is passed over. Returned are the files of answers, which are not gone over.
///
/// # Errors
/// A pattern matches nothing; what `read` says; or that file lacks columns, where none has them.
fn each_file(
    config: &Config,
    project: &Path,
    mut read: impl FnMut(&Path, bool, bool) -> Result<Option<OtherTable>, TableError>,
) -> Result<Vec<PathBuf>, TableError> {
    let stated = matching(&config.data.test_files, "data.test_files", project)?;
    let mut learned = matching(&config.data.files, "data.files", project)?;
    // A pattern of data.files may match a test file too; what is stated to be test is not trained on.
    learned.files.retain(|path| !stated.files.contains(path));
    for (matching, in_test_files) in [(&learned, false), (&stated, true)] {
        let mut others = Vec::new();
        for path in &matching.files {
            others.extend(read(path, matching.named.contains(path), in_test_files)?);
        }
        if let (true, Some(other)) = (others.len() == matching.files.len(), others.into_iter().next()) {
            return Err(other.lacks);
        }
    }
    Ok(learned.answers)
}

/// A table that a pattern happens to match.
struct OtherTable {
    /// Why it is passed over, for people.
    why: String,
    /// The error that it would be if it were meant.
    lacks: TableError,
}

/// The columns of a file that is meant, or of which nobody says that it is; such a one may be another table: without a label, or
/// without any column that is read.
///
/// # Errors
/// It lacks a column and is no other table.
fn columns_of<'a>(
    config: &'a Config,
    source: &dyn Source,
    named: bool,
) -> Result<Result<Columns<'a>, OtherTable>, TableError> {
    let lacks = match Columns::find(config, source) {
        Err(lacks) if !named => lacks,
        found => return found.map(Ok),
    };
    let is_there = |name: &&str| source.place(name).is_ok_and(|place| place.is_some());
    let (labels, columns) = (config.label_columns(), config.columns());
    let inputs: Vec<&&str> = columns.iter().filter(|name| !labels.contains(name)).collect();
    let path = source.shown().display();
    let why = if !columns.iter().any(is_there) {
        format!("{path} has none of the columns that are read, and is passed over")
    } else if !labels.iter().any(is_there) && inputs.into_iter().all(is_there) {
        let labels = labels.join("`, `");
        format!(
            "{path} has no `{labels}`, and nothing is learned from it; `pipeline predict {path}` labels its rows"
        )
    } else {
        return Err(lacks);
    };
    Ok(Err(OtherTable { why, lacks }))
}

/// Where a file stands in the project.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// Among the raw files; `named` as it is called, without a wildcard.
    Raw { named: bool },
    /// It states the test part; `named` likewise.
    Test { named: bool },
    /// Among those of accepted rows.
    Collected,
}

/// What was read so far.
struct Reading<'a> {
    progress: &'a dyn Progress,
    config: &'a Config,
    labels: Labels<'a>,
    missing: Missing,
    corrections: Corrections,
    dataset: Dataset,
    report: ReadReport,
}

impl<'a> Reading<'a> {
    fn new(config: &'a Config, progress: &'a dyn Progress) -> Self {
        Self {
            progress,
            config,
            labels: Labels::new(config),
            missing: Missing::new(&config.data.missing),
            corrections: Corrections::default(),
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
        }
    }

    /// Read the rows of a file, unless it is another table, of which nobody said that it is meant.
    fn file(&mut self, project: &Path, path: &Path, place: Place) -> Result<Option<OtherTable>, TableError> {
        let named = !matches!(place, Place::Raw { named: false } | Place::Test { named: false });
        let source = open_partitioned(&project.join(path), path, Stated::of(&self.config.data))?;
        let columns = match columns_of(self.config, source.as_ref(), named)? {
            Ok(columns) => columns,
            Err(other) => {
                self.report.notes.push(other.why.clone());
                return Ok(Some(other));
            }
        };
        let note = |note: &String| format!("{}: {note}", path.display());
        self.report.notes.extend(source.notes().iter().map(note));
        let collected = match place {
            Place::Collected => Some(CollectedColumns {
                kind: column_of(source.as_ref(), KIND)?,
                parent: column_of(source.as_ref(), PARENT)?,
                shown: source.place(SHOWN)?,
            }),
            _ => None,
        };
        let group = match self.config.split.group_column() {
            // Collected rows go with those that they were made from.
            Some(name) if collected.is_some() => source.place(name)?,
            Some(name) => Some(column_of(source.as_ref(), name)?),
            None => None,
        };
        let in_test_files = matches!(place, Place::Test { .. });
        let origin = Origin { file: self.dataset.files.len(), in_test_files, collected, group };
        let layout = Layout { config: self.config, columns: &columns, missing: &self.missing };
        let mut lines = source.lines()?;
        let (mut blank, mut short) = (LinesOfAKind::default(), LinesOfAKind::default());
        for line in &mut lines {
            let mut line = line?;
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
            let record = self.corrections.apply(&mut line, &columns.label);
            match parse(&line, origin, &layout, &mut self.labels) {
                // A row is known by what its file has, whatever it is corrected to.
                Ok(row) => self.dataset.rows.push(Row { record: record.unwrap_or(row.record), ..row }),
                Err(fault) => self.report.rejects.push(Reject {
                    file: path.to_owned(),
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
        self.dataset.files.push(path.to_owned());
        Ok(None)
    }

    fn finish(self) -> (Dataset, ReadReport) {
        let Self { config, labels, corrections, mut dataset, mut report, .. } = self;
        report.notes.extend(corrections.notes(config));
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

/// The position of a column.
///
/// # Errors
/// The file lacks it, or names it twice.
fn column_of(source: &dyn Source, name: &str) -> Result<usize, TableError> {
    let lacks = || {
        let near = nearest(name, source.columns().iter().map(String::as_str));
        source.fault(format!("{} lacks `{name}`{near}", source.header()))
    };
    source.place(name)?.ok_or_else(lacks)
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
