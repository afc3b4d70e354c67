//! Raw CSV files, as people have them, to a [`Dataset`]: encodings, header, list cells, label, rejects, duplicates.
//!
//! Nothing is dropped in silence: a row is used, or it is in [`ReadReport::rejects`] with file, line, column, value and
//! reason, or it is in [`ReadReport::duplicates`] with the row it repeats.

mod cell;
mod file;
mod rejects;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use cell::{items, normalise};
pub use rejects::write_rejects;

use crate::config::{Config, RangeRule, nearest};
use file::{Line, RawFile};

/// One usable row of raw data.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Index into [`Dataset::files`].
    pub file: usize,
    /// Line of the file where the row begins, counted from 1.
    pub line: u64,
    /// What the model sees of it.
    pub cells: Cells,
    /// Index into [`Dataset::classes`].
    pub class: usize,
    /// Normalised title: rows that share it are duplicates of each other.
    pub title: String,
    /// Whether the row comes from a file given as the test part.
    pub given_test: bool,
    /// The two numbers that the label is computed from, where it comes from a range.
    pub range: Option<[f32; 2]>,
    /// The value of each of [`Dataset::tasks`]; `None` for an empty cell or a list.
    pub tasks: Vec<Option<String>>,
}

/// What a model sees of a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cells {
    /// One text for each of [`Dataset::text_fields`]; an empty cell is an empty text.
    pub texts: Vec<String>,
    /// One value for each numeric feature; `None` for an empty cell.
    pub numeric: Vec<Option<f32>>,
    /// The values of each categorical feature; a list cell has several, an empty cell none.
    pub categories: Vec<Vec<String>>,
}

/// All usable rows, in the order of the files and their lines.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// The files that were read.
    pub files: Vec<PathBuf>,
    /// Names of the texts of a row.
    pub text_fields: Vec<String>,
    /// Class names: in the order of the range rule, or sorted for a label column.
    pub classes: Vec<String>,
    /// Names of the numeric features.
    pub numeric: Vec<String>,
    /// Names of the categorical features.
    pub categorical: Vec<String>,
    /// Columns that are predicted beside the label, with their values in order.
    pub tasks: Vec<(String, Vec<String>)>,
    /// The rows.
    pub rows: Vec<Row>,
}

impl Dataset {
    /// `file:line` of a row, for people.
    pub fn place(&self, row: usize) -> String {
        let row = &self.rows[row];
        format!("{}:{}", self.files[row.file].display(), row.line)
    }
}

/// A row that cannot be used.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reject {
    /// The file.
    pub file: PathBuf,
    /// Line where the row begins, counted from 1.
    pub line: u64,
    /// The column at fault; empty when it is the whole line.
    pub column: String,
    /// What stands there.
    pub value: String,
    /// Why it cannot be used.
    pub reason: String,
    /// The line as it stands in the file.
    #[serde(skip)]
    pub raw: String,
}

/// A row that repeats another one in everything that is used.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Duplicate {
    /// The file.
    pub file: PathBuf,
    /// Line where the row begins.
    pub line: u64,
    /// `file:line` of the row it repeats.
    pub repeats: String,
}

/// What reading found besides the usable rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ReadReport {
    /// Rows read, usable or not.
    pub read: usize,
    /// Rows that cannot be used.
    pub rejects: Vec<Reject>,
    /// Rows that repeat another.
    pub duplicates: Vec<Duplicate>,
    /// What was mended, such as cells that were Windows-1252.
    pub notes: Vec<String>,
}

/// Why no dataset could be read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A pattern matches nothing.
    #[error("no file matches `{pattern}` ({key}, looked in {})\n  hint: put CSV files there or change the pattern", folder.display())]
    NoFile {
        /// The glob pattern.
        pattern: String,
        /// The config key.
        key: &'static str,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// A pattern is not a glob.
    #[error("`{pattern}` ({key}) is not a file pattern: {reason}")]
    Pattern {
        /// The glob pattern.
        pattern: String,
        /// The config key.
        key: &'static str,
        /// Why.
        reason: String,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not a CSV with the columns that are needed.
    #[error("{}: {reason}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// Too many rows were rejected.
    #[error(
        "{rejected} of {read} rows cannot be used, more than data.max_rejected_share = {limit} allows; the first:\n{first}\n  \
         hint: mend the rows listed in {}, or raise data.max_rejected_share",
        listing.display()
    )]
    TooManyRejects {
        /// Rejected rows.
        rejected: usize,
        /// Rows read.
        read: usize,
        /// The limit.
        limit: f64,
        /// The first few rejects, a line each.
        first: String,
        /// The file that lists them all.
        listing: PathBuf,
    },
    /// No row, or one class only.
    #[error("{0}")]
    NothingToLearn(String),
}

/// Read all files that `config` names below `project`.
///
/// # Errors
/// A file that is missing, unreadable, binary, or lacks a column. Bad rows are no error here: see
/// [`check_rejects`] and [`check_classes`].
pub fn read(config: &Config, project: &Path) -> Result<(Dataset, ReadReport), TableError> {
    let mut dataset = Dataset {
        files: Vec::new(),
        text_fields: config.encoded_fields(),
        classes: Vec::new(),
        numeric: config.features.numeric.clone(),
        categorical: config.features.categorical.clone(),
        tasks: Vec::new(),
        rows: Vec::new(),
    };
    let mut report = ReadReport::default();
    let mut labels = Labels::new(config);
    // A pattern of data.files may match a test file too; what is given as test is not trained on.
    let given = matching(&config.data.test_files, "data.test_files", project)?;
    for (key, patterns, given_test) in
        [("data.files", &config.data.files, false), ("data.test_files", &config.data.test_files, true)]
    {
        for path in matching(patterns, key, project)? {
            if !given_test && given.contains(&path) {
                continue;
            }
            let raw = RawFile::open(&project.join(&path), &path, config.data.delimiter)?;
            let index = dataset.files.len();
            let columns = Columns::find(config, &raw)?;
            dataset.files.push(path);
            let mut reader = raw.lines();
            for line in &mut reader {
                report.read += 1;
                match parse(&line, &columns, config, &mut labels) {
                    Ok(mut row) => {
                        (row.file, row.given_test) = (index, given_test);
                        dataset.rows.push(row);
                    }
                    Err(fault) => report.rejects.push(Reject {
                        file: dataset.files[index].clone(),
                        line: line.number,
                        column: fault.column,
                        value: cell::shorten(&fault.value, 200),
                        reason: fault.reason,
                        raw: line.raw.to_string(),
                    }),
                }
            }
            if reader.legacy_cells > 0 {
                report.notes.push(format!(
                    "{}: {} cells were not UTF-8 and were read as Windows-1252, the first in line {}",
                    dataset.files[index].display(),
                    reader.legacy_cells,
                    reader.first_legacy_line
                ));
            }
        }
    }
    dataset.classes = labels.finish(&mut dataset.rows);
    dataset.tasks = config
        .train
        .tasks
        .iter()
        .enumerate()
        .map(|(i, task)| {
            let values: BTreeSet<&String> = dataset.rows.iter().filter_map(|r| r.tasks[i].as_ref()).collect();
            (task.column.clone(), values.into_iter().cloned().collect())
        })
        .collect();
    list_duplicates(&mut dataset, &mut report);
    Ok((dataset, report))
}

/// Stop when more than the set share of rows was rejected.
///
/// # Errors
/// [`TableError::TooManyRejects`].
pub fn check_rejects(config: &Config, report: &ReadReport, listing: &Path) -> Result<(), TableError> {
    let rejected = report.rejects.len();
    if rejected as f64 <= config.data.max_rejected_share * report.read as f64 {
        return Ok(());
    }
    let first: Vec<String> = report.rejects.iter().take(5).map(|r| format!("  {r}")).collect();
    Err(TableError::TooManyRejects {
        rejected,
        read: report.read,
        limit: config.data.max_rejected_share,
        first: first.join("\n"),
        listing: listing.to_owned(),
    })
}

/// Stop when there is nothing to learn: no rows, or fewer than two classes among them.
///
/// # Errors
/// [`TableError::NothingToLearn`].
pub fn check_classes(dataset: &Dataset) -> Result<(), TableError> {
    let present: BTreeSet<usize> = dataset.rows.iter().map(|r| r.class).collect();
    match present.len() {
        0 => Err(TableError::NothingToLearn("the files hold no usable row".into())),
        1 => Err(TableError::NothingToLearn(format!(
            "all {} rows are of the class `{}`; a classifier needs at least two",
            dataset.rows.len(),
            dataset.classes[dataset.rows[0].class]
        ))),
        _ => Ok(()),
    }
}

impl std::fmt::Display for Reject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: ", self.file.display(), self.line)?;
        if !self.column.is_empty() {
            write!(f, "{} = {:?}: ", self.column, cell::shorten(&self.value, 40))?;
        }
        f.write_str(&self.reason)
    }
}

/// Files matching the patterns, sorted, each once, as paths relative to `project` where they lie below it.
fn matching(patterns: &[String], key: &'static str, project: &Path) -> Result<Vec<PathBuf>, TableError> {
    let mut paths = BTreeSet::new();
    for pattern in patterns {
        let fail = |reason: String| TableError::Pattern { pattern: pattern.clone(), key, reason };
        // Brackets in the project's own path are no pattern.
        let full = Path::new(&glob::Pattern::escape(&project.to_string_lossy())).join(pattern);
        let found: Vec<PathBuf> = glob::glob(&full.to_string_lossy())
            .map_err(|e| fail(e.to_string()))?
            .filter_map(Result::ok)
            .filter(|p| p.is_file())
            .collect();
        if found.is_empty() {
            let folder = std::path::absolute(project.join(".")).unwrap_or_else(|_| project.to_owned());
            return Err(TableError::NoFile { pattern: pattern.clone(), key, folder });
        }
        paths.extend(found.into_iter().map(|p| p.strip_prefix(project).map(Path::to_owned).unwrap_or(p)));
    }
    Ok(paths.into_iter().collect())
}

/// The raw files of a config, for those who only need their content's hash.
///
/// # Errors
/// As [`read`], for patterns.
pub fn files(config: &Config, project: &Path) -> Result<Vec<PathBuf>, TableError> {
    let mut files = matching(&config.data.files, "data.files", project)?;
    files.extend(matching(&config.data.test_files, "data.test_files", project)?);
    files.sort();
    files.dedup();
    Ok(files)
}

/// Positions of the columns that the config names.
struct Columns<'a> {
    inputs: InputColumns<'a>,
    label: Vec<(&'a str, usize)>,
    tasks: Vec<usize>,
    title: usize,
    count: usize,
}

/// Positions of the columns that a model sees.
struct InputColumns<'a> {
    texts: Vec<(&'a str, usize)>,
    numeric: Vec<(&'a str, usize)>,
    categorical: Vec<(&'a str, usize)>,
    join_text: bool,
}

impl<'a> Columns<'a> {
    fn find(config: &'a Config, raw: &RawFile) -> Result<Self, TableError> {
        raw.check_names()?;
        let positions: HashMap<String, usize> =
            raw.header.iter().enumerate().map(|(i, name)| (name.to_lowercase(), i)).collect();
        let missing: Vec<String> = config
            .columns()
            .iter()
            .filter(|c| !positions.contains_key(&c.to_lowercase()))
            .map(|c| format!("`{c}`{}", nearest(c, raw.header.iter().map(String::as_str))))
            .collect();
        if !missing.is_empty() {
            let shown: Vec<String> = raw.header.iter().map(|h| cell::shorten(h, 40)).collect();
            return Err(raw.fault(format!(
                "the header (line {}) lacks {}; it has: {}\n  hint: the first line must name the columns; \
                 if they are separated by another character, set data.delimiter",
                raw.header_line,
                missing.join(", "),
                cell::shorten(&shown.join(", "), 300)
            )));
        }
        let place = |name: &'a str| (name, positions[&name.to_lowercase()]);
        let places = |names: &'a [String]| names.iter().map(|n| place(n)).collect();
        Ok(Self {
            inputs: InputColumns {
                texts: places(&config.data.text_fields),
                numeric: places(&config.features.numeric),
                categorical: places(&config.features.categorical),
                join_text: config.data.join_text,
            },
            label: config.label_columns().into_iter().map(place).collect(),
            tasks: config.train.tasks.iter().map(|task| place(&task.column).1).collect(),
            title: place(config.title()).1,
            count: raw.header.len(),
        })
    }
}

/// Why one line cannot be used.
struct Fault {
    column: String,
    value: String,
    reason: String,
}

fn fault<T>(column: &str, value: &str, reason: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { column: column.into(), value: value.into(), reason: reason.into() })
}

fn parse(line: &Line, columns: &Columns, config: &Config, labels: &mut Labels) -> Result<Row, Fault> {
    if line.unclosed_quote {
        return fault("", "", "a quote is opened here and never closed; double it or close it");
    }
    let extra_is_blank = line.cells.iter().skip(columns.count).all(|c| c.trim().is_empty());
    if line.cells.len() < columns.count || !extra_is_blank {
        let (has, wants) = (line.cells.len(), columns.count);
        return fault("", "", format!("has {has} fields, the header has {wants}"));
    }
    let at = |position: usize| line.cells[position].trim();
    let cells = columns.inputs.cells(&at)?;
    if cells.texts.iter().all(|t| t.is_empty()) {
        return fault(&config.data.text_fields.join(", "), "", "every text field is empty");
    }
    let class = labels.class(&columns.label, &at)?;
    let range = match (labels, &columns.label[..]) {
        (Labels::Range(_), &[low, high]) => {
            let value = |(name, position): (&str, usize)| number(name, at(position)).map(|v| v as f32);
            Some([value(low)?, value(high)?])
        }
        _ => None,
    };
    let task = |&position: &usize| {
        let mut values = cell::values(at(position));
        (values.len() == 1).then(|| values.remove(0))
    };
    Ok(Row {
        file: 0,
        line: line.number,
        class,
        cells,
        title: normalise(&cell::text(at(columns.title))),
        given_test: false,
        range,
        tasks: columns.tasks.iter().map(task).collect(),
    })
}

impl InputColumns<'_> {
    fn cells<'l>(&self, at: &dyn Fn(usize) -> &'l str) -> Result<Cells, Fault> {
        let texts: Vec<String> = self.texts.iter().map(|&(_, p)| cell::text(at(p))).collect();
        let mut numeric = Vec::with_capacity(self.numeric.len());
        for &(name, position) in &self.numeric {
            numeric.push(match at(position) {
                "" => None,
                value => Some(number(name, value)? as f32),
            });
        }
        let categories = self.categorical.iter().map(|&(_, p)| cell::values(at(p))).collect();
        let texts = if self.join_text { vec![join(&texts)] } else { texts };
        Ok(Cells { texts, numeric, categories })
    }
}

fn join(texts: &[String]) -> String {
    texts.iter().filter(|t| !t.is_empty()).map(String::as_str).collect::<Vec<_>>().join("\n")
}

fn number(column: &str, value: &str) -> Result<f64, Fault> {
    match value.parse::<f64>() {
        Ok(number) if (number as f32).is_finite() => Ok(number),
        Ok(number) if number.is_finite() => fault(column, value, "is too large to compute with"),
        _ => fault(column, value, "is not a number; write it with digits and a point, such as 3.5"),
    }
}

/// The columns a saved model wants, by their names in new data.
pub struct Wanted<'a> {
    /// Text columns.
    pub texts: &'a [String],
    /// Whether their texts are joined into one.
    pub join_text: bool,
    /// Numeric features.
    pub numeric: &'a [String],
    /// Categorical features.
    pub categorical: &'a [String],
}

impl Wanted<'_> {
    /// What the model sees of a row given as values by lower-case name; names it lacks are empty.
    ///
    /// # Errors
    /// A numeric feature that is not a number.
    pub fn cells(&self, values: &BTreeMap<String, String>) -> Result<Cells, String> {
        let names: Vec<&str> =
            [self.texts, self.numeric, self.categorical].into_iter().flatten().map(String::as_str).collect();
        let mut start = 0;
        let mut places = |names: &'_ [String]| -> Vec<usize> {
            start += names.len();
            (start - names.len()..start).collect()
        };
        let (texts, numeric, categorical) =
            (places(self.texts), places(self.numeric), places(self.categorical));
        let named = |places: Vec<usize>| places.into_iter().map(|p| (names[p], p)).collect();
        let columns = InputColumns {
            texts: named(texts),
            numeric: named(numeric),
            categorical: named(categorical),
            join_text: self.join_text,
        };
        columns
            .cells(&|position| values.get(&names[position].to_lowercase()).map_or("", |v| v.trim()))
            .map_err(|f| format!("{} = {:?}: {}", f.column, cell::shorten(&f.value, 40), f.reason))
    }
}

/// Rows of a CSV file as named values, with their lines; a ragged row is an `Err` with the reason.
///
/// # Errors
/// The file is unreadable, empty or binary.
pub fn read_named(path: &Path, delimiter: char) -> Result<Vec<NamedRow>, TableError> {
    let raw = RawFile::open(path, path, delimiter)?;
    raw.check_names()?;
    let rows = raw
        .lines()
        .map(|line| {
            let extra_is_blank = line.cells.iter().skip(raw.header.len()).all(|c| c.trim().is_empty());
            let values = if line.unclosed_quote {
                Err("a quote is opened here and never closed".to_owned())
            } else if line.cells.len() >= raw.header.len() && extra_is_blank {
                Ok(raw.header.iter().cloned().zip(line.cells).collect())
            } else {
                Err(format!("has {} fields, the header has {}", line.cells.len(), raw.header.len()))
            };
            NamedRow { line: line.number, values }
        })
        .collect();
    Ok(rows)
}

/// What two labellers said of one row.
pub struct Labelled {
    /// The row of the dataset.
    pub row: usize,
    /// Class by the first labeller.
    pub first: usize,
    /// Class by the second labeller.
    pub second: usize,
}

/// Second labels of rows, from the files of `validate.second_labels`, matched by normalised title.
///
/// The first label is the dataset's, or, where a disagreement has been settled since, the one that the file keeps in
/// columns of the label's names with `first_` before them.
///
/// # Errors
/// A pattern matches nothing, or a line has no known title or no usable label; such a line is named.
pub fn second_labels(
    config: &Config,
    project: &Path,
    dataset: &Dataset,
) -> Result<Vec<Labelled>, TableError> {
    let rows: HashMap<&str, usize> =
        dataset.rows.iter().enumerate().map(|(i, r)| (r.title.as_str(), i)).collect();
    let mut found = Vec::new();
    for path in matching(&config.validate.second_labels, "validate.second_labels", project)? {
        for line in read_named(&project.join(&path), config.data.delimiter)? {
            let fail = |reason: String| TableError::Header {
                path: path.clone(),
                reason: format!("line {}: {reason}", line.line),
            };
            let values = line.values.as_ref().map_err(|reason| fail(reason.clone()))?;
            let cell = |name: &str| values.get(name).map_or("", |v| v.trim());
            let title = cell(config.title());
            let row = *rows
                .get(normalise(&cell::text(title)).as_str())
                .ok_or_else(|| fail(format!("no row has the title {title:?}")))?;
            let class = |names: &[String]| class_of(config, &dataset.classes, names, &cell).map_err(fail);
            let names = config.label_columns().iter().map(ToString::to_string).collect::<Vec<_>>();
            let kept: Vec<String> = names.iter().map(|name| format!("first_{name}")).collect();
            let has_first = kept.iter().all(|name| values.contains_key(name));
            let first = if has_first { class(&kept)? } else { dataset.rows[row].class };
            found.push(Labelled { row, first, second: class(&names)? });
        }
    }
    Ok(found)
}

/// The class that the label cells `names` say.
fn class_of<'v>(
    config: &Config,
    classes: &[String],
    names: &[String],
    cell: &dyn Fn(&str) -> &'v str,
) -> Result<usize, String> {
    let at = |position: usize| cell(&names[position]);
    match Labels::new(config) {
        mut range @ Labels::Range(_) => {
            let columns: Vec<(&str, usize)> = names.iter().map(String::as_str).zip(0..).collect();
            range.class(&columns, &at).map_err(|f| format!("{} {}", f.column, f.reason))
        }
        Labels::Column(_) => classes
            .iter()
            .position(|c| c == at(0))
            .ok_or_else(|| format!("`{}` is no class of the data", at(0))),
    }
}

/// One row of new data.
pub struct NamedRow {
    /// Line where it begins, counted from 1.
    pub line: u64,
    /// Column name to cell, or why the row cannot be read.
    pub values: Result<BTreeMap<String, String>, String>,
}

/// Classes as they are met.
enum Labels<'a> {
    Range(&'a RangeRule),
    Column(BTreeMap<String, usize>),
}

impl<'a> Labels<'a> {
    fn new(config: &'a Config) -> Self {
        match &config.label.range {
            Some(rule) => Self::Range(rule),
            None => Self::Column(BTreeMap::new()),
        }
    }

    fn class<'l>(
        &mut self,
        columns: &[(&str, usize)],
        at: &dyn Fn(usize) -> &'l str,
    ) -> Result<usize, Fault> {
        match self {
            Self::Column(seen) => {
                let (name, value) = (columns[0].0, at(columns[0].1));
                if value.is_empty() {
                    return fault(name, value, "the label is empty");
                }
                let next = seen.len();
                Ok(*seen.entry(value.to_owned()).or_insert(next))
            }
            Self::Range(rule) => {
                let mut bounds = [0.0; 2];
                for (bound, &(name, position)) in bounds.iter_mut().zip(columns) {
                    match at(position) {
                        "" => return fault(name, "", "the label is computed from it and it is empty"),
                        value => *bound = number(name, value)?,
                    }
                }
                let [min, max] = bounds;
                if min > max {
                    let (low, high) = (columns[0], columns[1]);
                    let reason = format!("is above {} = {}", high.0, at(high.1));
                    return fault(low.0, at(low.1), reason);
                }
                let middle = (min + max) / 2.0;
                let class = rule.classes.iter().position(|c| c.below.is_none_or(|edge| middle < edge));
                Ok(class.unwrap_or(rule.classes.len() - 1))
            }
        }
    }

    /// Class names; for a column, sorted, with the rows renumbered.
    fn finish(self, rows: &mut [Row]) -> Vec<String> {
        match self {
            Self::Range(rule) => rule.classes.iter().map(|c| c.name.clone()).collect(),
            Self::Column(seen) => {
                let mut sorted = vec![0; seen.len()];
                for (rank, &met) in seen.values().enumerate() {
                    sorted[met] = rank;
                }
                rows.iter_mut().for_each(|r| r.class = sorted[r.class]);
                seen.into_keys().collect()
            }
        }
    }
}

/// Take out rows equal to an earlier one in everything that is used. A given test part stays as it was given.
fn list_duplicates(dataset: &mut Dataset, report: &mut ReadReport) {
    // Hashes, not the rows themselves: a million of them must not double the memory.
    let mut first: HashMap<blake3::Hash, (usize, u64)> = HashMap::new();
    let files = &dataset.files;
    dataset.rows.retain(|row| {
        if row.given_test {
            return true;
        }
        let key = blake3::hash(format!("{:?}", (&row.cells, row.class, &row.title)).as_bytes());
        let (file, line) = *first.entry(key).or_insert((row.file, row.line));
        if (file, line) == (row.file, row.line) {
            return true;
        }
        let repeats = format!("{}:{line}", files[file].display());
        report.duplicates.push(Duplicate { file: files[row.file].clone(), line: row.line, repeats });
        false
    });
}
