//! One line of a file to a [`Row`].

use super::cell::{normalise, text, values};
use super::columns::{Column, Columns};
use super::dataset::{Collected, ContentHash, Row};
use super::fault::{Fault, fault};
use super::labels::Labels;
use super::missing::Missing;
use super::numbers::number;
use super::source::Line;
use crate::config::{CollectedKind, Config};
use crate::counting::counted;

/// Which file a line is of.
#[derive(Clone, Copy)]
pub struct Origin {
    /// Index into [`super::dataset::Dataset::files`].
    pub file: usize,
    /// Whether the file states the test part.
    pub in_test_files: bool,
    /// Where a file of collected rows says how each was.
    pub collected: Option<CollectedColumns>,
    /// Position of the column of `split.group`.
    pub group: Option<usize>,
}

/// Positions of what a collected row says of itself.
#[derive(Clone, Copy)]
pub struct CollectedColumns {
    /// Of its kind.
    pub kind: usize,
    /// Of the row that it says in other words.
    pub parent: usize,
    /// Of the rows that the language model was shown; files of before have none.
    pub shown: Option<usize>,
}

/// The column in which a collected row says how it was collected.
///
/// [`PARENT`] and [`SHOWN`] are the other columns of its own.
pub const KIND: &str = "_kind";
/// The column in which it says which row it was made from: [`super::Cells::content`] of it.
pub const PARENT: &str = "_parent";
/// The column in which it says which rows the language model was shown, by the same hashes, with spaces between them.
pub const SHOWN: &str = "_shown";

/// How lines of a file are read.
pub struct Layout<'a> {
    /// The config.
    pub config: &'a Config,
    /// Where its columns stand.
    pub columns: &'a Columns<'a>,
    /// What stands for nothing.
    pub missing: &'a Missing,
}

/// The row that a line of `origin` holds; its class is noted in `labels`.
///
/// # Errors
/// The first cell that cannot be used, or the whole line.
pub fn parse(
    line: &Line,
    origin: Origin,
    layout: &Layout<'_>,
    labels: &mut Labels<'_>,
) -> Result<Row, Fault> {
    let Layout { config, columns, missing } = layout;
    let line_cells = match line.whole(columns.count) {
        Ok(cells) => cells,
        Err(unreadable) => return fault("", "", unreadable.to_string()),
    };
    let at = |position: usize| missing.empty(line_cells.at(position));
    let with_count = |mut fault: Fault| {
        // Whoever looks for an empty cell should know that the line ends before it.
        if line_cells.count() < columns.count && fault.value.is_empty() {
            let counts = format!(
                " (the line has {}, the header {})",
                counted(line_cells.count(), "field", "fields"),
                columns.count
            );
            fault.reason.push_str(&counts);
        }
        fault
    };
    let cells = columns.inputs.cells(&at)?;
    if cells.texts.iter().all(|t| t.is_empty()) {
        return fault(&config.data.text_fields.join(", "), "", "every text field is empty")
            .map_err(with_count);
    }
    let class = labels.class(&columns.label, &at).map_err(|mut fault| {
        // What is said to be missing stands there all the same.
        let place =
            columns.label.iter().find(|c| c.name == fault.column).map_or("", |c| line_cells.at(c.position));
        if fault.value.is_empty() && !place.is_empty() {
            fault.value = place.to_owned();
            fault.reason.push_str(": data.missing has it");
        }
        with_count(fault)
    })?;
    let range = match (labels, &columns.label[..]) {
        (Labels::Range(_), &[low, high]) => {
            let value = |c: Column<'_>| number(c.name, at(c.position), c.decimal).map(|v| v as f32);
            Some([value(low)?, value(high)?])
        }
        _ => None,
    };
    let weight =
        columns.weight.map_or(Ok(1.0), |column| weight(column, at(column.position))).map_err(with_count)?;
    let collected = origin.collected.map(|columns| collected(columns, &at)).transpose()?;
    let task = |&position: &usize| {
        let mut values = values(at(position));
        (values.len() == 1).then(|| values.remove(0))
    };
    Ok(Row {
        file: origin.file,
        line: line.number,
        class,
        cells,
        title: columns.title.map(|title| normalise(&text(at(title)))).unwrap_or_default(),
        in_test_files: origin.in_test_files,
        range,
        weight,
        collected,
        tasks: columns.tasks.iter().map(task).collect(),
        group: origin.group.map(&at).filter(|cell| !cell.is_empty()).map(text),
        record: line.content(),
    })
}

/// How a row was collected.
fn collected<'l>(columns: CollectedColumns, at: &dyn Fn(usize) -> &'l str) -> Result<Collected, Fault> {
    let (kind, parent) = (at(columns.kind), at(columns.parent));
    let Some(kind) = CollectedKind::named(kind) else {
        let known = CollectedKind::ALL.map(CollectedKind::name).join(", ");
        return fault(KIND, kind, format!("is no way of collecting; there are {known}"));
    };
    let hashes = |column: &'static str, cell: &str| {
        let hash = |digits: &str| match digits.parse() {
            Ok(hash) => Ok(hash),
            Err(_) => fault(column, digits, "is no hash of a row"),
        };
        cell.split_whitespace().map(hash).collect::<Result<Vec<ContentHash>, Fault>>()
    };
    let parent = hashes(PARENT, parent)?.first().copied();
    let shown = hashes(SHOWN, columns.shown.map_or("", at))?;
    Ok(Collected { kind, parent, shown })
}

/// What a row counts.
fn weight(column: Column<'_>, value: &str) -> Result<f32, Fault> {
    if value.is_empty() {
        return fault(column.name, "", "what the row counts (label.weight) is empty");
    }
    let weight = number(column.name, value, column.decimal)? as f32;
    if !(1.0 / MOST_WEIGHT..=MOST_WEIGHT).contains(&weight) {
        let reason = format!(
            "what the row counts (label.weight) must be above 0, from 1/{MOST_WEIGHT} to {MOST_WEIGHT}"
        );
        return fault(column.name, value, reason);
    }
    Ok(weight)
}

/// Beyond it, and below one over it, a row would stand for all others or for nothing.
const MOST_WEIGHT: f32 = 1000.0;
