//! What a second labeller said of the dataset's rows.

use std::collections::HashMap;
use std::path::Path;

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
    for path in matching(&config.validate.second_labels, "validate.second_labels", project)?.files {
        for line in read_named(&project.join(&path), Stated::of(&config.data))? {
            let fail = |reason: String| TableError::Header {
                path: path.clone(),
                reason: format!("line {}: {reason}", line.line),
                remedy: None,
            };
            let values = line.values.as_ref().map_err(|reason| fail(reason.clone()))?;
            let cell = |name: &str| values.get(name).map_or("", |v| v.trim());
            let title = cell(config.title().unwrap_or_default());
            let row = *rows
                .get(normalise(&text(title)).as_str())
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
