//! One line of a file to a [`Row`].

use super::cell::{normalise, text, values};
use super::columns::{Column, Columns};
use super::dataset::{ContentHash, Row};
use super::fault::{Fault, fault, number};
use super::labels::Labels;
use super::source::Line;
use crate::config::Config;

/// Which file a line is of.
#[derive(Clone, Copy)]
pub struct Origin {
    /// Index into [`super::dataset::Dataset::files`].
    pub file: usize,
    /// Whether the file states the test part.
    pub in_test_files: bool,
}

/// The row that a line of `origin` holds; its class is noted in `labels`.
///
/// # Errors
/// The first cell that cannot be used, or the whole line.
pub fn parse(
    line: &Line<'_>,
    origin: Origin,
    columns: &Columns<'_>,
    config: &Config,
    labels: &mut Labels<'_>,
) -> Result<Row, Fault> {
    let line_cells = match line.whole(columns.count) {
        Ok(cells) => cells,
        Err(unreadable) => return fault("", "", unreadable.to_string()),
    };
    let at = |position: usize| line_cells[position].trim();
    let cells = columns.inputs.cells(&at)?;
    if cells.texts.iter().all(|t| t.is_empty()) {
        return fault(&config.data.text_fields.join(", "), "", "every text field is empty");
    }
    let class = labels.class(&columns.label, &at)?;
    let range = match (labels, &columns.label[..]) {
        (Labels::Range(_), &[low, high]) => {
            let value = |c: Column<'_>| number(c.name, at(c.position)).map(|v| v as f32);
            Some([value(low)?, value(high)?])
        }
        _ => None,
    };
    let task = |&position: &usize| {
        let mut values = values(at(position));
        (values.len() == 1).then(|| values.remove(0))
    };
    Ok(Row {
        file: origin.file,
        line: line.number,
        class,
        cells,
        title: normalise(&text(at(columns.title))),
        in_test_files: origin.in_test_files,
        range,
        tasks: columns.tasks.iter().map(task).collect(),
        record: ContentHash::of([line.raw.trim()]),
    })
}
