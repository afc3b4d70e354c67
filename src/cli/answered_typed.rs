//! Rows with their answers as columns with types.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use arrow_select::interleave::interleave_record_batch;

use super::vectors::Vectors;
use crate::model::{Answered, Cell, Column, Layout};
use crate::table::without_dictionary;

/// The types of the columns: those of the input as it has them, its dictionaries as what they hold (a file of Arrow has one for all
/// rows, and these come a batch after another), or else text; probabilities and what is between the ends are
/// double, embeddings lists of as many floats as the encoder gives.
pub fn schema_of(layout: &Layout<'_>, given: Option<&SchemaRef>, vectors: Vectors) -> SchemaRef {
    let field = |(name, column): &(String, Column)| {
        let kind = match (column, given) {
            (Column::Given(place), Some(given)) => {
                let field = given.field(*place).clone().with_name(name);
                return match field.data_type().clone() {
                    DataType::Dictionary(_, of) => field.with_data_type(*of),
                    _ => field,
                };
            }
            (Column::Given(_) | Column::Label | Column::Task(_), _) => DataType::Utf8,
            (Column::Set | Column::Because | Column::Reason, _) => DataType::Utf8,
            (Column::Line, _) => DataType::UInt64,
            (Column::UnlikeTraining, _) => DataType::Boolean,
            (Column::Embedding(_), _) => vectors.data_type(layout.form.dims),
            (Column::Probability | Column::Class(_) | Column::End(_) | Column::TaskProbability(_), _) => {
                DataType::Float64
            }
        };
        Field::new(name, kind, true)
    };
    Arc::new(Schema::new(layout.columns.iter().map(field).collect::<Vec<_>>()))
}

/// Rows as columns of `schema`.
///
/// # Errors
/// The given values have a type that cannot be copied.
pub fn batch_of(
    layout: &Layout<'_>,
    schema: &SchemaRef,
    rows: &[Answered<'_>],
    vectors: Vectors,
) -> Result<RecordBatch, ArrowError> {
    let given = given(rows)?;
    let columns = layout.columns.iter().map(|(_, column)| match (column, &given) {
        (Column::Given(place), Some(given)) => without_dictionary(given.column(*place)),
        _ => array(layout, *column, rows, vectors),
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<_, _>>()?)
}

/// The rows as they were read, where they have types.
fn given(rows: &[Answered<'_>]) -> Result<Option<RecordBatch>, ArrowError> {
    let (mut batches, mut places): (Vec<&RecordBatch>, Vec<(usize, usize)>) = Default::default();
    for row in rows {
        let Some(typed) = &row.row.typed else { return Ok(None) };
        if !batches.last().is_some_and(|last| std::ptr::eq(*last, &*typed.batch)) {
            batches.push(&typed.batch);
        }
        places.push((batches.len() - 1, typed.row));
    }
    match batches.is_empty() {
        true => Ok(None),
        false => interleave_record_batch(&batches, &places).map(Some),
    }
}

fn array(
    layout: &Layout<'_>,
    column: Column,
    rows: &[Answered<'_>],
    vectors: Vectors,
) -> Result<ArrayRef, ArrowError> {
    let cells = || rows.iter().map(|row| layout.cell(column, row));
    let number = |cell| match cell {
        Cell::Number(number) => Some(f64::from(number)),
        _ => None,
    };
    let text = |cell| match cell {
        Cell::Text(text) => Some(text),
        _ => None,
    };
    let line = |cell| match cell {
        Cell::Line(line) => Some(line),
        _ => None,
    };
    let truth = |cell| match cell {
        Cell::Truth(truth) => Some(truth),
        _ => None,
    };
    Ok(match column {
        Column::Line => Arc::new(cells().map(line).collect::<UInt64Array>()),
        Column::UnlikeTraining => Arc::new(cells().map(truth).collect::<BooleanArray>()),
        Column::Given(_)
        | Column::Label
        | Column::Task(_)
        | Column::Set
        | Column::Because
        | Column::Reason => Arc::new(cells().map(text).collect::<StringArray>()),
        Column::Probability | Column::Class(_) | Column::End(_) | Column::TaskProbability(_) => {
            Arc::new(cells().map(number).collect::<Float64Array>())
        }
        Column::Embedding(_) => {
            let vector = |cell| match cell {
                Cell::Vector(vector) => Some(vector),
                _ => None,
            };
            vectors.column(layout.form.dims, cells().map(vector))?
        }
    })
}
