//! Tables of any format as batches of typed columns: as their files have them, of files without types all text.

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use arrow_select::take::take;

use super::errors::TableError;
use super::formats::open;
use super::new_rows::different_names;
use super::source::{Line, Source, Stated};

/// A table, its columns known.
pub struct TypedTable {
    source: Box<dyn Source>,
    schema: SchemaRef,
}

/// Rows of a table, one behind the other.
pub struct Part {
    /// The rows.
    pub batch: RecordBatch,
    /// Lines that cannot be read, and why; all their cells are null.
    pub unreadable: Vec<(u64, String)>,
}

impl TypedTable {
    /// Open `path`, which messages call `shown`.
    ///
    /// # Errors
    /// The file is unreadable, empty, or not of its format.
    pub fn open(path: &Path, shown: &Path) -> Result<Self, TableError> {
        let source = open(path, shown, Stated::default())?;
        let names = different_names(source.columns());
        let text = |name: String| Arc::new(Field::new(name, DataType::Utf8, true));
        let fields: Vec<_> = match source.schema() {
            None => names.into_iter().map(text).collect(),
            Some(typed) => {
                let field = |(name, field): (String, &Arc<Field>)| {
                    let field = Field::clone(field).with_name(name);
                    Arc::new(match field.data_type().clone() {
                        DataType::Dictionary(_, of) => field.with_data_type(*of),
                        _ => field,
                    })
                };
                names.into_iter().zip(typed.fields()).map(field).collect()
            }
        };
        Ok(Self { source, schema: Arc::new(Schema::new(fields)) })
    }

    /// Its columns, none of them a dictionary; of columns of one name the second has ` (2)` after it, and so on.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// What was found of the file and may be wrong, for people.
    pub fn notes(&self) -> &[String] {
        self.source.notes()
    }

    /// How many rows it has; all of it is read.
    ///
    /// # Errors
    /// The file cannot be read any more.
    pub fn count(&self) -> Result<usize, TableError> {
        match self.source.batches()? {
            Some(mut batches) => batches.try_fold(0, |rows, batch| {
                Ok(rows + batch.map_err(|error| self.source.unreadable(error))?.num_rows())
            }),
            None => self.source.lines()?.try_fold(0, |rows, line| line.map(|_| rows + 1)),
        }
    }

    /// Its rows, at most `most` at a time.
    ///
    /// # Errors
    /// The file cannot be read any more, now or on the way.
    pub fn parts(&self, most: usize) -> Result<Parts<'_>, TableError> {
        if let Some(batches) = self.source.batches()? {
            return Ok(Box::new(batches.flat_map(move |batch| self.sliced(batch, most))));
        }
        let mut lines = self.source.lines()?;
        Ok(Box::new(std::iter::from_fn(move || {
            let taken = lines.by_ref().take(most).collect::<Result<Vec<_>, _>>();
            let part = taken.map(|lines| (!lines.is_empty()).then(|| self.of_lines(&lines)));
            part.transpose().map(|part| part?)
        })))
    }

    fn sliced(&self, batch: std::io::Result<RecordBatch>, most: usize) -> Parts<'_> {
        match batch {
            Err(error) => Box::new(std::iter::once(Err(self.source.unreadable(error)))),
            Ok(batch) => Box::new((0..batch.num_rows()).step_by(most).map(move |from| {
                let slice = batch.slice(from, most.min(batch.num_rows() - from));
                let columns = slice.columns().iter().map(without_dictionary).collect::<Result<_, _>>();
                self.part(columns, Vec::new())
            })),
        }
    }

    fn of_lines(&self, lines: &[Line]) -> Result<Part, TableError> {
        let width = self.schema.fields().len();
        let cells: Vec<_> = lines.iter().map(|line| line.whole(width)).collect();
        let unreadable = lines.iter().zip(&cells);
        let unreadable = unreadable.filter_map(|(line, cells)| {
            cells.as_ref().err().map(|unreadable| (line.number, unreadable.to_string()))
        });
        let column = |column: usize| -> ArrayRef {
            let cells = cells.iter().map(|cells| cells.as_ref().ok().map(|cells| cells.raw(column)));
            Arc::new(cells.collect::<StringArray>())
        };
        self.part(Ok((0..width).map(column).collect()), unreadable.collect())
    }

    fn part(
        &self,
        columns: Result<Vec<ArrayRef>, ArrowError>,
        unreadable: Vec<(u64, String)>,
    ) -> Result<Part, TableError> {
        let batch = columns.and_then(|columns| RecordBatch::try_new(self.schema.clone(), columns));
        let batch = batch.map_err(|error| self.source.unreadable(std::io::Error::other(error)))?;
        Ok(Part { batch, unreadable })
    }
}

/// The rows of a table, or why there are no more.
pub type Parts<'t> = Box<dyn Iterator<Item = Result<Part, TableError>> + 't>;

/// A column as what its dictionary holds, where it has one: a file has one dictionary for all rows, and batches one each.
///
/// # Errors
/// Its values have a type that cannot be copied.
pub fn without_dictionary(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match column.as_any_dictionary_opt() {
        Some(dictionary) => take(dictionary.values(), dictionary.keys(), None),
        None => Ok(Arc::clone(column)),
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Array;

    use super::*;
    use crate::table::text_column;

    /// A file that pyarrow has written (tests/data/formats/make.py), or the CSV of the same rows.
    fn table(name: &str) -> TypedTable {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/formats").join(name);
        TypedTable::open(&path, Path::new(name)).unwrap()
    }

    #[test]
    fn every_row_comes_once_and_in_order_however_many_at_a_time() {
        for name in ["tickets.csv", "tickets.parquet", "tickets.arrow", "tickets.arrows"] {
            let table = table(name);
            let whole: Vec<Part> = table.parts(1000).unwrap().map(Result::unwrap).collect();
            let rows: usize = whole.iter().map(|part| part.batch.num_rows()).sum();
            assert_eq!((rows, table.count().unwrap()), (45, 45), "{name}");
            let whole = whole.into_iter().map(|part| part.batch).collect::<Vec<_>>();
            let few: Vec<RecordBatch> = table.parts(7).unwrap().map(|part| part.unwrap().batch).collect();
            assert!(few.iter().all(|batch| batch.num_rows() <= 7), "{name}");
            let joined = |batches: &[RecordBatch]| {
                let columns = (0..table.schema().fields().len()).map(|column| {
                    let texts = batches.iter().flat_map(|b| text_column(b.column(column)).unwrap());
                    texts.collect::<Vec<_>>()
                });
                columns.collect::<Vec<_>>()
            };
            assert_eq!(joined(&whole), joined(&few), "{name}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_keeps_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "t,t\na,1\nb,2,3\n,4\n").unwrap();
        let table = TypedTable::open(&path, Path::new("a.csv")).unwrap();
        let names: Vec<&str> = table.schema().fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["t", "t (2)"]);
        let part = table.parts(10).unwrap().next().unwrap().unwrap();
        let texts = part.batch.column(0).as_string::<i32>();
        assert_eq!((texts.value(0), texts.is_null(1), texts.value(2)), ("a", true, ""));
        assert_eq!(part.unreadable.len(), 1);
        assert_eq!(part.unreadable[0].0, 3);
    }
}
