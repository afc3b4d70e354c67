//! Tables whose columns have types, row after row: what Parquet and Arrow files have in common.

use std::io;
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType,
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Time32MillisecondType,
    Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, SchemaRef, TimeUnit};
use serde_json::{Map, Value};

use super::errors::TableError;
use super::json_lines::text_of;
use super::source::{Batches, Line, Lines, Source, TypedRow};
use crate::foreign;

/// Begins to read a file: its columns, and its rows.
pub type Begin = fn(&Path) -> io::Result<(SchemaRef, Batches)>;

/// A file with typed columns.
pub struct Columnar {
    path: PathBuf,
    shown: PathBuf,
    begin: Begin,
    schema: SchemaRef,
    columns: Vec<String>,
    notes: Vec<String>,
}

impl Columnar {
    /// Look at the columns of `path`, shown as `shown`, which `begin` reads.
    ///
    /// # Errors
    /// The file cannot be read, is not of its format, or has no columns.
    pub fn open(path: &Path, shown: &Path, begin: Begin) -> Result<Self, TableError> {
        let found =
            guarded(|| begin(path)).map_err(|source| TableError::Read { path: shown.to_owned(), source });
        let (schema, _) = found?;
        let columns = schema.fields().iter().map(|field| field.name().trim().to_owned()).collect();
        let mut file = Self {
            path: path.to_owned(),
            shown: shown.to_owned(),
            begin,
            schema,
            columns,
            notes: Vec::new(),
        };
        if file.columns.is_empty() {
            return Err(file.fault("has no columns".into()));
        }
        let unusable = (0..file.columns.len()).filter_map(|column| file.unusable(column)).collect::<Vec<_>>();
        file.notes.extend(unusable.iter().map(|reason| format!("{reason}; it counts as empty")));
        Ok(file)
    }
}

impl Source for Columnar {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn header(&self) -> String {
        "the file's schema".into()
    }

    fn header_hint(&self) -> &'static str {
        "the fields of the schema are the columns; fields within a struct are none"
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }

    fn lines(&self) -> Result<Box<dyn Lines + '_>, TableError> {
        let (_, batches) = guarded(|| (self.begin)(&self.path)).map_err(|e| self.unreadable(e))?;
        Ok(Box::new(Rows { file: self, batches, batch: None, next: 0, number: 0 }))
    }

    fn shown(&self) -> &Path {
        &self.shown
    }

    fn unusable(&self, column: usize) -> Option<String> {
        let field = self.schema.field(column);
        let held = unreadable_in(field.data_type())?;
        Some(format!("the column `{}` holds {held}, which is no text", field.name()))
    }

    fn schema(&self) -> Option<&SchemaRef> {
        Some(&self.schema)
    }

    fn batches(&self) -> Result<Option<Batches>, TableError> {
        let (_, mut batches) = guarded(|| (self.begin)(&self.path)).map_err(|e| self.unreadable(e))?;
        Ok(Some(Box::new(iter::from_fn(move || guarded(|| batches.next().transpose()).transpose()))))
    }
}

struct Rows<'a> {
    file: &'a Columnar,
    batches: Batches,
    batch: Option<Arc<RecordBatch>>,
    /// Of the batch, the row that comes.
    next: usize,
    /// Of the row that was given last, counted from 1.
    number: u64,
}

impl Lines for Rows<'_> {}

impl Rows<'_> {
    fn row(&mut self) -> io::Result<Option<Line>> {
        let batch = loop {
            match self.batch.as_ref().filter(|batch| self.next < batch.num_rows()) {
                Some(batch) => break Arc::clone(batch),
                None => {
                    let Some(batch) = self.batches.next() else { return Ok(None) };
                    (self.batch, self.next) = (Some(Arc::new(batch?)), 0);
                }
            }
        };
        let row = self.next;
        self.next += 1;
        self.number += 1;
        let cells = cells_of(&batch, row);
        let bytes = cells.join("\t").into_bytes();
        Ok(Some(Line { number: self.number, cells: Ok(cells), bytes, typed: Some(TypedRow { batch, row }) }))
    }
}

/// What stands in the columns of a row, as text; nothing in those that hold no text.
pub fn cells_of(batch: &RecordBatch, row: usize) -> Vec<String> {
    let cell = |array: &dyn Array| match unreadable_in(array.data_type()) {
        None => text_of(value(array, row)),
        Some(_) => String::new(),
    };
    batch.columns().iter().map(|array| cell(array)).collect()
}

impl Iterator for Rows<'_> {
    type Item = Result<Line, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        let before = self.number;
        let told = |error: io::Error| {
            self.file.unreadable(io::Error::new(error.kind(), format!("{error} (behind row {before})")))
        };
        guarded(|| self.row()).map_err(told).transpose()
    }
}

/// What `decode` gives, or that the file is damaged where it panics: the crate `parquet` does so at some flipped bits, such as those that
/// leave a page without its dictionary.
pub fn guarded<T>(decode: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let damaged = |_| Err(io::Error::new(io::ErrorKind::InvalidData, "the file is damaged"));
    foreign::guarded(decode).unwrap_or_else(damaged)
}

/// The texts of a column, none where it has none.
///
/// # Errors
/// It holds what is no text.
pub fn text_column(array: &dyn Array) -> Result<Vec<Option<String>>, String> {
    if let Some(held) = unreadable_in(array.data_type()) {
        return Err(format!("holds {held}, which is no text"));
    }
    Ok((0..array.len()).map(|row| (!array.is_null(row)).then(|| text_of(value(array, row)))).collect())
}

/// What a type holds that cannot be written as text, where it does.
pub fn unreadable_in(of: &DataType) -> Option<&'static str> {
    use DataType as T;
    match of {
        T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => Some("bytes"),
        T::Union(..) => Some("a union"),
        T::Interval(_) => Some("intervals of the calendar"),
        T::RunEndEncoded(..) => Some("runs (RunEndEncoded)"),
        T::ListView(_) | T::LargeListView(_) => Some("views of lists"),
        T::Dictionary(_, values) => unreadable_in(values),
        T::List(item) | T::LargeList(item) | T::FixedSizeList(item, _) | T::Map(item, _) => {
            unreadable_in(item.data_type())
        }
        T::Struct(fields) => fields.iter().find_map(|field| unreadable_in(field.data_type())),
        _ => None,
    }
}

/// What stands in a row of a column, as JSON has it: a number that JSON has not is no value where it is NaN, and else its name;
/// dates and times are as ISO 8601 writes them, the time where there is one; durations are in seconds.
fn value(array: &dyn Array, row: usize) -> Value {
    use DataType as T;
    macro_rules! number {
        ($type:ty) => {
            array.as_primitive::<$type>().value(row).into()
        };
    }
    macro_rules! decimal {
        ($type:ty) => {
            array.as_primitive::<$type>().value_as_string(row).into()
        };
    }
    macro_rules! time {
        ($type:ty, $of:ident) => {
            iso(array.as_primitive::<$type>().$of(row), array.as_primitive::<$type>().value(row))
        };
    }
    macro_rules! seconds {
        ($type:ty, $in_one:literal) => {
            (array.as_primitive::<$type>().value(row) as f64 / $in_one).into()
        };
    }
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        T::Utf8 => array.as_string::<i32>().value(row).into(),
        T::LargeUtf8 => array.as_string::<i64>().value(row).into(),
        T::Utf8View => array.as_string_view().value(row).into(),
        T::Boolean => array.as_boolean().value(row).into(),
        T::Int8 => number!(Int8Type),
        T::Int16 => number!(Int16Type),
        T::Int32 => number!(Int32Type),
        T::Int64 => number!(Int64Type),
        T::UInt8 => number!(UInt8Type),
        T::UInt16 => number!(UInt16Type),
        T::UInt32 => number!(UInt32Type),
        T::UInt64 => number!(UInt64Type),
        T::Float16 => float(array.as_primitive::<Float16Type>().value(row).to_f64()),
        T::Float32 => {
            // As few digits as tell it from other single ones: 0.1, not 0.10000000149.
            let shortest = array.as_primitive::<Float32Type>().value(row).to_string();
            float(shortest.parse().unwrap_or(f64::NAN))
        }
        T::Float64 => float(array.as_primitive::<Float64Type>().value(row)),
        T::Decimal32(..) => decimal!(Decimal32Type),
        T::Decimal64(..) => decimal!(Decimal64Type),
        T::Decimal128(..) => decimal!(Decimal128Type),
        T::Decimal256(..) => decimal!(Decimal256Type),
        T::Date32 => time!(Date32Type, value_as_date),
        T::Date64 => time!(Date64Type, value_as_date),
        T::Time32(TimeUnit::Second) => time!(Time32SecondType, value_as_time),
        T::Time32(_) => time!(Time32MillisecondType, value_as_time),
        T::Time64(TimeUnit::Microsecond) => time!(Time64MicrosecondType, value_as_time),
        T::Time64(_) => time!(Time64NanosecondType, value_as_time),
        T::Timestamp(unit, zone) => {
            let moment = match unit {
                TimeUnit::Second => time!(TimestampSecondType, value_as_datetime),
                TimeUnit::Millisecond => time!(TimestampMillisecondType, value_as_datetime),
                TimeUnit::Microsecond => time!(TimestampMicrosecondType, value_as_datetime),
                TimeUnit::Nanosecond => time!(TimestampNanosecondType, value_as_datetime),
            };
            match (moment, zone) {
                // Whatever zone it is shown in, what is kept is the moment in UTC.
                (Value::String(text), Some(_)) => format!("{text}Z").into(),
                (Value::String(text), None) => text.trim_end_matches("T00:00:00").into(),
                (number, _) => number,
            }
        }
        T::Duration(TimeUnit::Second) => seconds!(DurationSecondType, 1.0),
        T::Duration(TimeUnit::Millisecond) => seconds!(DurationMillisecondType, 1e3),
        T::Duration(TimeUnit::Microsecond) => seconds!(DurationMicrosecondType, 1e6),
        T::Duration(TimeUnit::Nanosecond) => seconds!(DurationNanosecondType, 1e9),
        T::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let key = value(dictionary.keys(), row).as_u64().unwrap_or_default();
            value(dictionary.values(), key as usize)
        }
        T::List(_) => list(&array.as_list::<i32>().value(row)),
        T::LargeList(_) => list(&array.as_list::<i64>().value(row)),
        T::FixedSizeList(..) => list(&array.as_fixed_size_list().value(row)),
        T::Struct(fields) => {
            let columns = array.as_struct().columns();
            let named = fields.iter().zip(columns).map(|(f, column)| (f.name().clone(), value(column, row)));
            Value::Object(named.collect::<Map<_, _>>())
        }
        T::Map(..) => {
            let entries = array.as_map().value(row);
            let [keys, values] = [0, 1].map(|column| entries.column(column));
            let entry = |at: usize| (text_of(value(keys, at)), value(values, at));
            Value::Object((0..entries.len()).map(entry).collect::<Map<_, _>>())
        }
        // Those that `unreadable_in` names are not asked for; `Null` has nothing else.
        _ => Value::Null,
    }
}

fn list(items: &dyn Array) -> Value {
    (0..items.len()).map(|item| value(items, item)).collect()
}

fn float(number: f64) -> Value {
    match number.is_infinite() {
        true => number.to_string().into(),
        false => number.into(),
    }
}

/// A date, a time or both, whose `Debug` is ISO 8601 (`Display` has no `T`); else the number, where the calendar ends before it.
fn iso(moment: Option<impl std::fmt::Debug>, number: impl Into<i64>) -> Value {
    moment.map_or_else(|| number.into().into(), |moment| format!("{moment:?}").into())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::table::{arrow, parquet};

    /// A file that pyarrow has written (tests/data/formats/make.py).
    fn original(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/formats").join(name)
    }

    fn read(path: &Path, begin: Begin) -> Result<Vec<Vec<String>>, TableError> {
        let file = Columnar::open(path, Path::new("a"), begin)?;
        file.lines()?.map(|line| Ok(line?.cells.unwrap())).collect()
    }

    #[test]
    fn every_type_has_its_text() {
        for (name, begin) in [("types.parquet", parquet::begin as Begin), ("types.arrow", arrow::begin)] {
            let (path, shown) = (original(name), Path::new("a"));
            let file = Columnar::open(&path, shown, begin).unwrap();
            let rows = read(&path, begin).unwrap();
            for (column, expected) in [
                ("text", ["a", "", "é"]),
                ("large", ["a", "", ""]),
                ("view", ["short", "longer than twelve bytes", ""]),
                ("category", ["x", "y", "x"]),
                ("int8", ["-1", "", "3"]),
                ("uint64", ["18446744073709551615", "0", "1"]),
                ("half", ["0.5", "", "2.0"]),
                ("single", ["0.1", "inf", ""]),
                ("double", ["1.5", "", "1e+300"]),
                ("flag", ["true", "", "false"]),
                ("price", ["1.50", "", "-0.05"]),
                ("date", ["2024-03-01", "", "1900-01-01"]),
                ("moment", ["2024-03-01", "2024-03-01T12:00:00.005", ""]),
                ("zoned", ["2024-03-01T00:00:00Z", "", "2024-03-01T12:00:00Z"]),
                ("time", ["12:30:00", "", "00:00:01"]),
                ("duration", ["90.0", "", "0.005"]),
                ("list", ["[\"a\",\"b\"]", "", "[]"]),
                ("vector", ["[0.5,1.0]", "", "[2.0,0.25]"]),
                ("struct", ["{\"a\":1,\"b\":\"x\"}", "", "{\"a\":null,\"b\":\"y\"}"]),
                ("map", ["{\"k\":1}", "", "{}"]),
                ("bytes", ["", "", ""]),
                ("none", ["", "", ""]),
            ] {
                let place = file.columns().iter().position(|name| name == column).unwrap();
                assert_eq!(
                    rows.iter().map(|row| &row[place]).collect::<Vec<_>>(),
                    expected,
                    "{name}: {column}"
                );
            }
            assert_eq!(file.columns().len(), 22);
            assert_eq!(
                file.notes(),
                ["the column `bytes` holds bytes, which is no text; it counts as empty"]
            );
            let asked = file.place("bytes").unwrap_err();
            assert_eq!(asked.to_string(), "a: the column `bytes` holds bytes, which is no text");
        }
    }

    #[test]
    fn every_container_has_the_same_rows() {
        let rows = |name, begin| read(&original(name), begin).unwrap();
        let expected = rows("tickets.parquet", parquet::begin);
        assert_eq!(expected.len(), 45);
        assert_eq!(
            expected[1][..3],
            ["7003", "2024-03-02", "Customer 1 cannot log in with the new password"]
        );
        assert_eq!(rows("tickets.arrow", arrow::begin), expected);
        assert_eq!(rows("tickets.arrows", arrow::begin), expected);
    }

    /// Whatever a damaged file holds, it is read or refused, in as much memory as it has bytes.
    #[test]
    fn damaged_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        // Every bit takes minutes; a prime reaches each of a byte's.
        const STRIDE: usize = 101;
        for (name, begin) in [
            ("types.parquet", parquet::begin as Begin),
            ("tickets.parquet", parquet::begin),
            ("types.arrow", arrow::begin),
            ("tickets.arrow", arrow::begin),
            ("tickets.arrows", arrow::begin),
        ] {
            let whole = fs::read(original(name)).unwrap();
            for length in (0..whole.len()).step_by(STRIDE) {
                fs::write(&path, &whole[..length]).unwrap();
                let found = read(&path, begin);
                // A stream may end between two messages.
                assert!(found.is_err() || name == "tickets.arrows", "{name}: {length}");
            }
            for bit in (0..whole.len() * 8).step_by(STRIDE) {
                let mut flipped = whole.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                fs::write(&path, &flipped).unwrap();
                // It may be read: few formats have checksums. It neither panics nor takes all memory.
                let _ = read(&path, begin);
            }
        }
    }
}
