//! What reading leaves: rows whose cells are what a model sees.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::errors::TableError;
use crate::config::CollectedKind;
use crate::counting::counted;

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
    /// Whether the row comes from a file of `data.test_files`, which state the test part.
    pub in_test_files: bool,
    /// The two numbers that the label is computed from, where it comes from a range.
    pub range: Option<[f32; 2]>,
    /// What it counts in training; 1 where no column says it.
    pub weight: f32,
    /// How it was collected; `None` for a row of the raw files.
    pub collected: Option<Collected>,
    /// The value of each of [`Dataset::tasks`]; `None` for an empty cell or a list.
    pub tasks: Vec<Option<String>>,
    /// The cell of `split.group`, where that is a column; `None` for an empty one.
    pub group: Option<String>,
    /// Hash of the row as the file has it, white space at its ends aside.
    pub record: ContentHash,
}

/// What a collected row says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collected {
    /// How it was collected.
    pub kind: CollectedKind,
    /// [`Cells::content`] of the row that it says in other words.
    pub parent: Option<ContentHash>,
    /// The same of the rows that the language model was shown when it wrote this one.
    pub shown: Vec<ContentHash>,
}

/// Tells contents apart: the first eight bytes of their BLAKE3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ContentHash([u8; 8]);

impl ContentHash {
    /// Of some texts, in their order.
    pub fn of<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        let mut hasher = blake3::Hasher::new();
        for text in texts {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        let mut first = [0; 8];
        first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        Self(first)
    }
}

/// Of sixteen hexadecimal digits.
impl std::str::FromStr for ContentHash {
    type Err = std::num::ParseIntError;

    fn from_str(digits: &str) -> Result<Self, Self::Err> {
        Ok(Self(u64::from_str_radix(digits, 16)?.to_be_bytes()))
    }
}

/// Sixteen hexadecimal digits.
impl std::fmt::Display for ContentHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
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

impl Cells {
    /// Of its texts, joined or not: what a paraphrase keeps of the row that it comes from.
    pub fn content(&self) -> ContentHash {
        let texts: Vec<&str> =
            self.texts.iter().filter(|text| !text.is_empty()).map(String::as_str).collect();
        ContentHash::of([texts.join("\n").as_str()])
    }
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

/// Stop when there is nothing to learn: no rows, or fewer than two classes among them, or values of a task.
///
/// # Errors
/// [`TableError::NothingToLearn`].
pub fn check_classes(dataset: &Dataset) -> Result<(), TableError> {
    let present: BTreeSet<usize> = dataset.rows.iter().map(|r| r.class).collect();
    match present.len() {
        0 => Err(TableError::NothingToLearn("the files hold no usable row".into())),
        1 => Err(TableError::NothingToLearn(format!(
            "{} of the one class `{}`; a classifier needs at least two",
            counted(dataset.rows.len(), "row is", "rows are"),
            dataset.classes[dataset.rows[0].class]
        ))),
        _ => dataset.tasks.iter().enumerate().try_for_each(|(i, (column, values))| match &values[..] {
            [] => Err(TableError::NothingToLearn(format!(
                "the task column `{column}` (train.tasks) has no usable cell in {}: all are empty or lists",
                counted(dataset.rows.len(), "row", "rows")
            ))),
            [only] => Err(TableError::NothingToLearn(format!(
                "the task column `{column}` (train.tasks) has no value but `{only}`, in {}; a task needs two",
                counted(dataset.rows.iter().filter(|row| row.tasks[i].is_some()).count(), "row", "rows")
            ))),
            _ => Ok(()),
        }),
    }
}
