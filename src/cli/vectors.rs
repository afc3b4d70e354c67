//! Embeddings as a column of lists.

use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Float16Type};
use arrow_array::{ArrayRef, FixedSizeListArray, Float16Array, Float32Array, Int8Array, ListArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, Field, FieldRef};
use clap::ValueEnum;

/// What an embedding is as a value of Arrow.
#[derive(Clone, Copy, Debug, Default, PartialEq, ValueEnum)]
pub enum Vectors {
    /// As many floats as the encoder gives, in the type
    #[value(skip)]
    #[default]
    Fixed,
    /// A list of floats
    F32,
    /// A list of half floats
    F16,
    /// A list of bytes, each the value times 127, rounded; for embeddings of length 1
    Int8,
}

impl Vectors {
    fn item(self) -> FieldRef {
        let kind = match self {
            Self::Fixed | Self::F32 => DataType::Float32,
            Self::F16 => DataType::Float16,
            Self::Int8 => DataType::Int8,
        };
        Arc::new(Field::new("item", kind, false))
    }

    /// The type of a column of embeddings of `dims` values.
    pub fn data_type(self, dims: usize) -> DataType {
        match self {
            Self::Fixed => DataType::FixedSizeList(self.item(), dims as i32),
            _ => DataType::List(self.item()),
        }
    }

    /// A column of embeddings of `dims` values, none where a row has none.
    ///
    /// # Errors
    /// They are more than a column holds.
    pub fn column<'v>(
        self,
        dims: usize,
        rows: impl Iterator<Item = Option<&'v [f32]>>,
    ) -> Result<ArrayRef, ArrowError> {
        let (mut values, mut there) = (Vec::with_capacity(rows.size_hint().0 * dims), Vec::new());
        for row in rows {
            match row {
                Some(vector) => values.extend_from_slice(vector),
                None if self == Self::Fixed => values.resize(values.len() + dims, 0.0),
                None => {}
            }
            there.push(row.is_some());
        }
        let lengths: Vec<usize> = there.iter().map(|&there| if there { dims } else { 0 }).collect();
        let nulls = Some(NullBuffer::from(there));
        let items: ArrayRef = match self {
            Self::Fixed | Self::F32 => Arc::new(Float32Array::from(values)),
            Self::F16 => {
                let half = <Float16Type as ArrowPrimitiveType>::Native::from_f32;
                Arc::new(Float16Array::from_iter_values(values.into_iter().map(half)))
            }
            Self::Int8 => {
                let byte = |value: f32| (value * 127.0).round().clamp(-127.0, 127.0) as i8;
                Arc::new(Int8Array::from_iter_values(values.into_iter().map(byte)))
            }
        };
        Ok(match self {
            Self::Fixed => Arc::new(FixedSizeListArray::try_new(self.item(), dims as i32, items, nulls)?),
            _ => {
                if i32::try_from(items.len()).is_err() {
                    return Err(ArrowError::ComputeError("a batch has more than 2 billion values".into()));
                }
                let offsets = OffsetBuffer::from_lengths(lengths);
                Arc::new(ListArray::try_new(self.item(), offsets, items, nulls)?)
            }
        })
    }
}
