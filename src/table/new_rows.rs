//! Rows of new data, one after the other, as a saved model sees them.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead};
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use serde_json::{Map, Value};

use super::cell::shorten;
use super::columnar::{cells_of, unreadable_in};
use super::columns::{Column, InputColumns, find_decimals};
use super::dataset::Cells;
use super::errors::TableError;
use super::fault::Fault;
use super::formats::open;
use super::json_lines::{object_of, text_of};
use super::missing::Missing;
use super::source::{Line, Names, Source, Stated, TypedRow, places};

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
    /// Cells that count as empty, as `data.missing`.
    pub missing: &'a [String],
}

/// One row of new data.
pub struct NewRow {
    /// Line where it begins, counted from 1.
    pub line: u64,
    /// The names of its columns and what stands in them, where it can be read.
    pub input: Vec<(String, String)>,
    /// What the model sees of it, or why it cannot be answered.
    pub cells: Result<Cells, NoAnswer>,
    /// Its values with their types, where the file has types.
    pub typed: Option<TypedRow>,
}

/// Why a row has no answer.
#[derive(Clone, Debug, PartialEq)]
pub enum NoAnswer {
    /// It cannot be read.
    Bad(String),
    /// It has no text.
    NoText(String),
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Bad(reason) | Self::NoText(reason)) = self;
        f.write_str(reason)
    }
}

impl<'a> Wanted<'a> {
    /// All its columns.
    pub fn columns(&self) -> Vec<&'a str> {
        [self.texts, self.numeric, self.categorical].into_iter().flatten().map(String::as_str).collect()
    }

    /// What the model sees of a row of values by name, upper and lower case aside; names it lacks are empty.
    ///
    /// # Errors
    /// A numeric feature is not a number, or there is no text.
    pub fn cells(&self, values: &BTreeMap<String, String>) -> Result<Cells, NoAnswer> {
        let lower: BTreeMap<String, &str> =
            values.iter().map(|(name, value)| (name.to_lowercase(), value.as_str())).collect();
        let value = |name: &str| {
            let alike = || lower.get(&name.to_lowercase()).copied();
            values.get(name).map(String::as_str).or_else(alike).unwrap_or_default()
        };
        let (names, missing) = (self.columns(), Missing::new(self.missing));
        let mut position = 0..;
        let columns = self.placed(|_| position.next());
        self.answerable(columns.cells(&|position| missing.empty(value(names[position]))))
    }

    /// What the model sees of the rows of a stream of tables, batch for batch; numbers in text have a point.
    ///
    /// # Errors
    /// A column is there more than once, or holds what is no text.
    pub fn in_stream(&self, schema: &Schema) -> Result<StreamColumns<'_>, String> {
        let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        for name in self.columns() {
            match places(&names, name)[..] {
                [] => {}
                [place] => {
                    if let Some(held) = unreadable_in(schema.field(place).data_type()) {
                        return Err(format!("the column `{name}` holds {held}, which is no text"));
                    }
                }
                _ => return Err(format!("it has the column `{name}` more than once")),
            }
        }
        let columns = self.placed(|name| places(&names, name).first().copied());
        Ok(StreamColumns { wanted: self, columns, missing: Missing::new(self.missing) })
    }

    /// Its columns, those that `place` knows; others are where no line has a cell.
    fn placed(&self, mut place: impl FnMut(&str) -> Option<usize>) -> InputColumns<'_> {
        let mut columns = |names: &'_ [String]| -> Vec<usize> {
            names.iter().map(|name| place(name).unwrap_or(usize::MAX)).collect()
        };
        let (texts, numeric, categorical) =
            (columns(self.texts), columns(self.numeric), columns(self.categorical));
        fn named(names: &[String], places: Vec<usize>) -> Vec<Column<'_>> {
            names.iter().zip(places).map(|(name, place)| Column::new(name, place)).collect()
        }
        InputColumns {
            texts: named(self.texts, texts),
            numeric: named(self.numeric, numeric),
            categorical: named(self.categorical, categorical),
            join_text: self.join_text,
        }
    }

    fn answerable(&self, cells: Result<Cells, Fault>) -> Result<Cells, NoAnswer> {
        let told =
            |f: Fault| NoAnswer::Bad(format!("{} = {:?}: {}", f.column, shorten(&f.value, 40), f.reason));
        let cells = cells.map_err(told)?;
        if cells.texts.iter().all(|text| text.trim().is_empty()) {
            return Err(NoAnswer::NoText(format!("no text in {}", self.texts.join(", "))));
        }
        Ok(cells)
    }
}

/// A row that is a JSON object, as the model of `wanted` sees it.
pub fn json_row(line: u64, object: &Map<String, Value>, wanted: &Wanted<'_>) -> NewRow {
    let input: Vec<(String, String)> =
        object.iter().map(|(name, value)| (name.clone(), text_of(value.clone()))).collect();
    let cells = wanted.cells(&input.iter().cloned().collect());
    NewRow { line, input, cells, typed: None }
}

/// The columns of a model in a stream of tables.
pub struct StreamColumns<'a> {
    wanted: &'a Wanted<'a>,
    columns: InputColumns<'a>,
    missing: Missing,
}

impl StreamColumns<'_> {
    /// The rows of a batch.
    pub fn rows(&self, batch: &Arc<RecordBatch>) -> Vec<NewRow> {
        let row = |row: usize| {
            let all = cells_of(batch, row);
            let at = |position: usize| all.get(position).map_or("", String::as_str);
            let cells = self.columns.cells(&|position| self.missing.empty(at(position)));
            NewRow {
                line: row as u64 + 1,
                input: Vec::new(),
                cells: self.wanted.answerable(cells),
                typed: Some(TypedRow { batch: Arc::clone(batch), row }),
            }
        };
        (0..batch.num_rows()).map(row).collect()
    }
}

/// A table of new data, its header read.
pub struct NewTable<'a> {
    source: Box<dyn Source>,
    wanted: &'a Wanted<'a>,
    columns: InputColumns<'a>,
    missing: Missing,
    names: Vec<String>,
}

impl<'a> NewTable<'a> {
    /// Open `path`, which messages call `shown`, and find the columns of `wanted` in it.
    ///
    /// # Errors
    /// The file is unreadable, empty or binary, or has two columns of a wanted name.
    pub fn open(
        path: &Path,
        shown: &Path,
        stated: Stated,
        wanted: &'a Wanted<'a>,
    ) -> Result<Self, TableError> {
        // A column's writing of numbers is decided before the first row is answered.
        const LOOKED_AT: usize = 1000;
        let source = open(path, shown, stated)?;
        let there = Names::new(source.as_ref());
        for name in wanted.columns() {
            there.place(name)?;
        }
        let missing = Missing::new(wanted.missing);
        let mut columns = wanted.placed(|name| there.place(name).ok().flatten());
        let mut numbers: Vec<_> = columns.numeric.iter_mut().filter(|c| c.position != usize::MAX).collect();
        find_decimals(&mut numbers, source.as_ref(), &missing, LOOKED_AT)?;
        let names = different_names(source.columns());
        Ok(Self { source, wanted, columns, missing, names })
    }

    /// The names of its columns; of several of one name the second has ` (2)` after it, and so on.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What was found of the file and may be wrong, for people.
    pub fn notes(&self) -> &[String] {
        self.source.notes()
    }

    /// The types of its columns, in the order of their names, where the file has types.
    pub fn schema(&self) -> Option<&SchemaRef> {
        self.source.schema()
    }

    /// The wanted columns that it lacks.
    pub fn lacks(&self) -> Vec<&str> {
        let there = Names::new(self.source.as_ref());
        let lacks = |name: &&str| there.place(name).ok().flatten().is_none();
        self.wanted.columns().into_iter().filter(lacks).collect()
    }

    /// Its rows.
    ///
    /// # Errors
    /// The file cannot be read any more, now or on the way.
    pub fn rows(&self) -> Result<impl Iterator<Item = Result<NewRow, TableError>> + '_, TableError> {
        Ok(self.source.lines()?.map(|line| Ok(self.row(&line?))))
    }

    fn row(&self, line: &Line) -> NewRow {
        let whole = line.whole(self.names.len());
        let input = whole.as_ref().map_or(Vec::new(), |cells| {
            self.names.iter().enumerate().map(|(i, name)| (name.clone(), cells.raw(i).to_owned())).collect()
        });
        let cells = match whole {
            Err(unreadable) => Err(NoAnswer::Bad(unreadable.to_string())),
            Ok(cells) => {
                self.wanted.answerable(self.columns.cells(&|position| self.missing.empty(cells.at(position))))
            }
        };
        NewRow { line: line.number, input, cells, typed: line.typed.clone() }
    }
}

pub(super) fn different_names(names: &[String]) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut different = Vec::with_capacity(names.len());
    for name in names {
        let count = counts.entry(name).or_insert(0);
        *count += 1;
        different.push(if *count == 1 { name.clone() } else { format!("{name} ({count})") });
    }
    different
}

/// Rows of JSON lines, an object each; blank lines are passed over, and a line that is none costs itself.
pub fn json_rows<'a>(
    mut lines: impl BufRead + 'a,
    wanted: &'a Wanted<'a>,
) -> impl Iterator<Item = io::Result<NewRow>> + 'a {
    let mut number = 0;
    std::iter::from_fn(move || {
        loop {
            let mut bytes = Vec::new();
            match lines.read_until(b'\n', &mut bytes) {
                Ok(0) => return None,
                Ok(_) => number += 1,
                Err(error) => return Some(Err(error)),
            }
            let Some(object) = object_of(&bytes, number == 1) else { continue };
            let (input, cells) = match object {
                Err(reason) => (Vec::new(), Err(NoAnswer::Bad(reason))),
                Ok(input) => {
                    let cells = wanted.cells(&input.iter().cloned().collect());
                    (input, cells)
                }
            };
            return Some(Ok(NewRow { line: number, input, cells, typed: None }));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &[u8]) -> Vec<(u64, Result<Vec<String>, NoAnswer>)> {
        let (texts, missing) = (["text".to_owned()], ["NA".to_owned()]);
        let wanted =
            Wanted { texts: &texts, join_text: false, numeric: &[], categorical: &[], missing: &missing };
        json_rows(text, &wanted)
            .map(|row| row.unwrap())
            .map(|row| (row.line, row.cells.map(|c| c.texts)))
            .collect()
    }

    #[test]
    fn a_bad_line_of_json_costs_that_line() {
        let text = b"\xef\xbb\xbf{\"text\": \"a\"}\n\n{\"text\": \"b\xff\"}\nnone\n{\"TEXT\": [\"c\", \"d\"]}\r\n{\"text\": null}\n{\"other\": 1}\n{\"text\": \"NA\"}";
        let found = rows(text);
        assert_eq!(found.iter().map(|row| row.0).collect::<Vec<_>>(), [1, 3, 4, 5, 6, 7, 8]);
        assert_eq!(found[0].1, Ok(vec!["a".into()]));
        assert_eq!(found[1].1, Err(NoAnswer::Bad("is not UTF-8 (byte 12)".into())));
        assert!(
            matches!(&found[2].1, Err(NoAnswer::Bad(reason)) if reason.starts_with("is not a JSON object"))
        );
        assert_eq!(found[3].1, Ok(vec!["c, d".into()]));
        for (_, cells) in &found[4..] {
            assert_eq!(*cells, Err(NoAnswer::NoText("no text in text".into())));
        }
    }

    #[test]
    fn columns_of_one_name_are_told_apart() {
        let names = ["a", "b", "a", "a"].map(str::to_owned);
        assert_eq!(different_names(&names), ["a", "b", "a (2)", "a (3)"]);
    }
}
