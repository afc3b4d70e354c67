//! What further labellers said of the dataset's rows.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::cell::{normalise, text};
use super::columns::Column;
use super::dataset::Dataset;
use super::errors::TableError;
use super::files::matching;
use super::labels::Labels;
use super::likeness::folded;
use super::named::read_named;
use super::source::Stated;
use crate::config::Config;

/// What two labellers said of one row.
pub struct Labelled {
    /// The row of the dataset.
    pub row: usize,
    /// Class by the first labeller.
    pub first: usize,
    /// Class by the second labeller.
    pub second: usize,
}

/// What one of several labelling passes said.
#[derive(Clone, Debug, PartialEq)]
pub struct Pass {
    /// Its name.
    pub name: String,
    /// Class of each row of the dataset, `None` where it was not labelled.
    pub classes: Vec<Option<usize>>,
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
    let mut found = Vec::new();
    for_each_label(config, project, dataset, Key::SECOND, |line| {
        let kept: Vec<String> = config.label_columns().iter().map(|name| format!("first_{name}")).collect();
        let has_first = kept.iter().all(|name| line.values.contains_key(name));
        let first = if has_first { line.class(&kept)? } else { dataset.rows[line.row].class };
        found.push(Labelled { row: line.row, first, second: line.class(&names(config))? });
        Ok(())
    })?;
    Ok(found)
}

/// What several labelling passes said, from the files of `validate.passes`: a line for each row and pass, with the title, the
/// label's columns and the column `pass`. In the order of their names.
///
/// # Errors
/// As [`second_labels`]; or a pass labels a row twice.
pub fn passes(config: &Config, project: &Path, dataset: &Dataset) -> Result<Vec<Pass>, TableError> {
    let mut found: BTreeMap<String, Vec<Option<usize>>> = BTreeMap::new();
    for_each_label(config, project, dataset, Key::PASSES, |line| {
        let name = line.cell(PASS);
        if name.is_empty() {
            return Err(format!("it has no `{PASS}`"));
        }
        let classes = found.entry(name.to_owned()).or_insert_with(|| vec![None; dataset.rows.len()]);
        match classes[line.row].replace(line.class(&names(config))?) {
            None => Ok(()),
            Some(_) => Err(format!("pass {name} has labelled {:?} already", dataset.rows[line.row].title)),
        }
    })?;
    Ok(found.into_iter().map(|(name, classes)| Pass { name, classes }).collect())
}

/// The files of `validate.passes`, relative to the project.
///
/// # Errors
/// A pattern matches nothing.
pub fn pass_files(config: &Config, project: &Path) -> Result<Vec<PathBuf>, TableError> {
    Ok(matching(&config.validate.passes, Key::PASSES.name, project)?.files)
}

/// The column of a file of passes that names the pass.
const PASS: &str = "pass";

/// Which files.
struct Key {
    name: &'static str,
    patterns: fn(&Config) -> &[String],
}

impl Key {
    const SECOND: Self =
        Self { name: "validate.second_labels", patterns: |config| &config.validate.second_labels };
    const PASSES: Self = Self { name: "validate.passes", patterns: |config| &config.validate.passes };
}

/// A line that labels a row of the dataset.
struct LabelLine<'a> {
    config: &'a Config,
    dataset: &'a Dataset,
    row: usize,
    values: &'a BTreeMap<String, String>,
}

impl LabelLine<'_> {
    fn cell(&self, name: &str) -> &str {
        self.values.get(name).map_or("", |value| value.trim())
    }

    /// The class that the columns `names` say.
    fn class(&self, names: &[String]) -> Result<usize, String> {
        class_of(self.config, &self.dataset.classes, names, &|name| self.cell(name))
    }
}

fn names(config: &Config) -> Vec<String> {
    config.label_columns().iter().map(ToString::to_string).collect()
}

/// Go over the lines of the files of `key`; what `each` finds wrong of one is an error that names it.
fn for_each_label(
    config: &Config,
    project: &Path,
    dataset: &Dataset,
    key: Key,
    mut each: impl FnMut(&LabelLine<'_>) -> Result<(), String>,
) -> Result<(), TableError> {
    let rows: HashMap<&str, usize> =
        dataset.rows.iter().enumerate().map(|(i, r)| (r.title.as_str(), i)).collect();
    for path in matching((key.patterns)(config), key.name, project)?.files {
        for line in read_named(&project.join(&path), Stated::of(&config.data))? {
            let of_line = |values: &BTreeMap<String, String>| {
                let title = values.get(config.title().unwrap_or_default()).map_or("", |title| title.trim());
                let row = rows.get(normalise(&text(title)).as_str());
                let row = *row.ok_or_else(|| format!("no row has the title {title:?}"))?;
                each(&LabelLine { config, dataset, row, values })
            };
            line.values.as_ref().map_err(String::clone).and_then(of_line).map_err(|reason| {
                TableError::Header {
                    path: path.clone(),
                    reason: format!("line {}: {reason}", line.line),
                    remedy: None,
                }
            })?;
        }
    }
    Ok(())
}

/// The class of `classes` that the cells of the columns `names` say, as `config` reads labels.
///
/// # Errors
/// Why they say none.
pub fn class_of<'v>(
    config: &Config,
    classes: &[String],
    names: &[String],
    cell: &dyn Fn(&str) -> &'v str,
) -> Result<usize, String> {
    let at = |position: usize| cell(&names[position]);
    match Labels::new(config) {
        mut range @ Labels::Range(_) => {
            let columns: Vec<Column<'_>> =
                names.iter().zip(0..).map(|(name, position)| Column::new(name, position)).collect();
            range.class(&columns, &at).map_err(|f| format!("{} {}", f.column, f.reason))
        }
        Labels::Column(_) => classes
            .iter()
            .position(|c| if config.label.normalise { folded(c) == folded(at(0)) } else { c == at(0) })
            .ok_or_else(|| format!("`{}` is no class of the data", at(0))),
    }
}
