//! The weights of a head by their names, and their file: safetensors, which runs no code when it is read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytemuck::AnyBitPattern;
use half::f16;

use crate::store::{map, write_atomic};
use safetensors::{Dtype, SafeTensorError, SafeTensors, View};

/// Tensors by their names.
///
/// What was read keeps the kind of number it has in the file until it is taken as what it must be.
#[derive(Clone, Debug, Default)]
pub struct Tensors {
    /// Where they were read, for messages; empty for those never saved.
    path: PathBuf,
    /// What all names had in front before [`Tensors::below`], for messages.
    prefix: String,
    tensors: BTreeMap<String, Tensor>,
}

#[derive(Clone, Debug)]
struct Tensor {
    kind: Dtype,
    shape: Vec<usize>,
    bytes: Bytes,
}

/// The bytes of a tensor, row-major and little-endian: a part of what was read, which is held once for all of them.
#[derive(Clone, Debug)]
struct Bytes {
    all: Arc<Whole>,
    own: Range<usize>,
}

/// Bytes of a file, or of tensors that were never in one.
#[derive(Debug)]
pub enum Whole {
    /// In memory.
    Own(Vec<u8>),
    /// In a file.
    Mapped(memmap2::Mmap),
}

impl Deref for Whole {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Mapped(bytes) => bytes,
        }
    }
}

impl Bytes {
    fn new(bytes: Vec<u8>) -> Self {
        Self { own: 0..bytes.len(), all: Arc::new(Whole::Own(bytes)) }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.all[self.own.clone()]
    }
}

/// Numbers as they were read wherever that can be: a head may have tens of millions, and a program that answers one text has
/// no time to copy them.
#[derive(Clone, Debug)]
pub enum Numbers<T> {
    /// Their own.
    Own(Vec<T>),
    /// Bytes of a file that are numbers of this machine.
    Read(ReadNumbers),
}

/// Single-precision numbers.
pub type Floats = Numbers<f32>;

/// Bytes that have been seen to be numbers of this machine.
#[derive(Clone, Debug)]
pub struct ReadNumbers(Bytes);

impl<T: Element + AnyBitPattern> Deref for Numbers<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::Own(values) => values,
            Self::Read(ReadNumbers(bytes)) => bytemuck::try_cast_slice(bytes).unwrap_or_default(),
        }
    }
}

impl<T: Element + AnyBitPattern> From<Bytes> for Numbers<T> {
    fn from(bytes: Bytes) -> Self {
        if cfg!(target_endian = "little") && bytemuck::try_cast_slice::<u8, T>(&bytes).is_ok() {
            Self::Read(ReadNumbers(bytes))
        } else {
            Self::Own(T::from_bytes(&bytes))
        }
    }
}

/// A kind of number that weights are saved as.
pub trait Element: Copy {
    /// Its name in safetensors.
    const KIND: Dtype;
    /// Little-endian bytes of all `values`.
    fn to_bytes(values: &[Self]) -> Vec<u8>;
    /// The values of these bytes; what is left of an incomplete last one is none.
    fn from_bytes(bytes: &[u8]) -> Vec<Self>;
}

macro_rules! element {
    ($number:ty, $kind:ident) => {
        impl Element for $number {
            const KIND: Dtype = Dtype::$kind;

            fn to_bytes(values: &[Self]) -> Vec<u8> {
                values.iter().flat_map(|value| value.to_le_bytes()).collect()
            }

            fn from_bytes(bytes: &[u8]) -> Vec<Self> {
                bytes.as_chunks().0.iter().map(|&value| Self::from_le_bytes(value)).collect()
            }
        }
    };
}

element!(f16, F16);
element!(f32, F32);
element!(f64, F64);
element!(i64, I64);

/// Why weights cannot be read, taken or written.
#[derive(Debug, thiserror::Error)]
pub enum TensorError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{path} is not a safetensors file")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: SafeTensorError,
    },
    /// The file cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A tensor is not there.
    #[error("{path}: the tensor {name} is missing")]
    Missing {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
    },
    /// A tensor has another size.
    #[error("{path}: the tensor {name} has the size {found:?}, expected {expected:?}")]
    Shape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its size.
        found: Vec<usize>,
        /// The size it should have.
        expected: Vec<usize>,
    },
    /// A tensor holds other numbers.
    #[error("{path}: the tensor {name} holds {found}, expected {expected}")]
    Kind {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// What it holds, by safetensors' name.
        found: Dtype,
        /// What it should hold.
        expected: Dtype,
    },
    /// Numbers of a tensor that cannot be: places outside the lists they point into.
    #[error("{path}: the tensor {name} has the value {found}, expected {expected}")]
    Value {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// The value.
        found: i64,
        /// What values it may have.
        expected: String,
    },
}

impl Tensors {
    /// Read a safetensors file.
    ///
    /// # Errors
    /// The file is missing, or not safetensors.
    pub fn read(path: &Path) -> Result<Self, TensorError> {
        let bytes = map(path).map_err(|source| TensorError::Read { path: path.to_owned(), source })?;
        Self::parse(path, Whole::Mapped(bytes))
    }

    /// The tensors in the `bytes` of the safetensors file at `path`.
    ///
    /// # Errors
    /// It is not safetensors.
    pub fn parse(path: &Path, bytes: Whole) -> Result<Self, TensorError> {
        let (header, metadata) = SafeTensors::read_metadata(&bytes)
            .map_err(|source| TensorError::Format { path: path.to_owned(), source })?;
        let (start, all) = (header + size_of::<u64>(), Arc::new(bytes));
        let own = |(name, info): (String, &safetensors::tensor::TensorInfo)| {
            let (from, to) = info.data_offsets;
            let bytes = Bytes { all: Arc::clone(&all), own: start + from..start + to };
            (name, Tensor { kind: info.dtype, shape: info.shape.clone(), bytes })
        };
        let tensors = metadata.tensors().into_iter().map(own).collect();
        Ok(Self { path: path.to_owned(), prefix: String::new(), tensors })
    }

    /// The bytes of a safetensors file of them.
    ///
    /// # Errors
    /// They are more than such a file can say.
    pub fn to_bytes(&self) -> io::Result<Vec<u8>> {
        safetensors::serialize(&self.tensors, None).map_err(io::Error::other)
    }

    /// Write a safetensors file, whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), TensorError> {
        write_atomic(path, |w| w.write_all(&self.to_bytes()?))
            .map_err(|error| TensorError::Write { path: path.to_owned(), source: error.source })
    }

    /// The values of the tensor of this name, row-major.
    ///
    /// # Errors
    /// There is none of this size and kind.
    pub fn take<T: Element>(&mut self, name: &str, shape: &[usize]) -> Result<Vec<T>, TensorError> {
        Ok(T::from_bytes(&self.bytes_of(name, shape, T::KIND)?))
    }

    /// As [`Tensors::take`], without a copy where the file has the numbers as this machine does.
    ///
    /// # Errors
    /// As [`Tensors::take`]'s.
    pub fn take_numbers<T: Element + AnyBitPattern>(
        &mut self,
        name: &str,
        shape: &[usize],
    ) -> Result<Numbers<T>, TensorError> {
        Ok(self.bytes_of(name, shape, T::KIND)?.into())
    }

    /// Whether there is a tensor of this name with numbers of this kind.
    pub fn holds<T: Element>(&self, name: &str) -> bool {
        self.tensors.get(name).is_some_and(|tensor| tensor.kind == T::KIND)
    }

    fn bytes_of(&mut self, name: &str, shape: &[usize], kind: Dtype) -> Result<Bytes, TensorError> {
        let (path, full) = (self.path.clone(), format!("{}{name}", self.prefix));
        let Some(tensor) = self.tensors.remove(name) else {
            return Err(TensorError::Missing { path, name: full });
        };
        if tensor.kind != kind {
            return Err(TensorError::Kind { path, name: full, found: tensor.kind, expected: kind });
        }
        if tensor.shape != shape {
            let (found, expected) = (tensor.shape, shape.to_vec());
            return Err(TensorError::Shape { path, name: full, found, expected });
        }
        Ok(tensor.bytes)
    }

    /// Rows of the tensor of this name, the first number of its size; 0 where there is none.
    pub fn rows_of(&self, name: &str) -> usize {
        self.tensors.get(name).and_then(|tensor| tensor.shape.first().copied()).unwrap_or(0)
    }

    /// Add a tensor of this size.
    ///
    /// # Panics
    /// `values` are not as many as `shape` says: that is a bug of the caller.
    pub fn put<T: Element>(&mut self, name: &str, shape: &[usize], values: &[T]) {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "the values of {name} fill its size");
        let tensor = Tensor { kind: T::KIND, shape: shape.to_vec(), bytes: Bytes::new(T::to_bytes(values)) };
        self.tensors.insert(name.to_owned(), tensor);
    }

    /// Numbers of all tensors together.
    pub fn numbers(&self) -> usize {
        self.tensors.values().map(|tensor| tensor.bytes.len() * 8 / tensor.kind.bitsize()).sum()
    }

    /// Take those whose names begin with `prefix`, without it.
    pub fn below(&mut self, prefix: &str) -> Self {
        let (own, other) =
            std::mem::take(&mut self.tensors).into_iter().partition(|(name, _)| name.starts_with(prefix));
        self.tensors = other;
        let own: BTreeMap<String, Tensor> = own;
        Self {
            path: self.path.clone(),
            prefix: format!("{}{prefix}", self.prefix),
            tensors: own.into_iter().map(|(name, t)| (name[prefix.len()..].to_owned(), t)).collect(),
        }
    }

    /// Add all of `other` with `prefix` in front of their names.
    pub fn put_below(&mut self, prefix: &str, other: Self) {
        self.tensors.extend(other.tensors.into_iter().map(|(name, t)| (format!("{prefix}{name}"), t)));
    }

    /// The error that the tensor of this name has an impossible value.
    pub(super) fn bad_value(&self, name: &str, found: i64, expected: String) -> TensorError {
        TensorError::Value {
            path: self.path.clone(),
            name: format!("{}{name}", self.prefix),
            found,
            expected,
        }
    }
}

impl View for &Tensor {
    fn dtype(&self) -> Dtype {
        self.kind
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn saved(tensors: &Tensors) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("head.safetensors");
        tensors.write(&path).unwrap();
        (folder, path)
    }

    #[test]
    fn what_is_written_is_read() {
        let mut tensors = Tensors::default();
        tensors.put("a", &[2, 2], &[1.0f32, -2.5, f32::INFINITY, 0.1]);
        tensors.put("b", &[1], &[i64::MIN]);
        tensors.put("none", &[0, 3], &[] as &[f64]);
        let mut all = Tensors::default();
        all.put_below("0.", tensors);
        all.put("c", &[1], &[0.1f64]);
        let (_folder, path) = saved(&all);
        let mut read = Tensors::read(&path).unwrap();
        assert_eq!(read.take::<f64>("c", &[1]).unwrap(), [0.1]);
        let mut own = read.below("0.");
        assert_eq!(own.take::<f32>("a", &[2, 2]).unwrap(), [1.0, -2.5, f32::INFINITY, 0.1]);
        assert_eq!(own.take::<i64>("b", &[1]).unwrap(), [i64::MIN]);
        assert!(own.take::<f64>("none", &[0, 3]).unwrap().is_empty());
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_file() {
        let mut tensors = Tensors::default();
        tensors.put("0.a", &[2, 1], &[1.0f32, 2.0]);
        let (_folder, path) = saved(&tensors);
        let read = || Tensors::read(&path).unwrap().below("0.");
        let messages = [
            (read().take::<f32>("b", &[1]).unwrap_err(), "the tensor 0.b is missing"),
            (read().take::<f32>("a", &[1, 2]).unwrap_err(), "0.a has the size [2, 1], expected [1, 2]"),
            (read().take::<i64>("a", &[2, 1]).unwrap_err(), "0.a holds F32, expected I64"),
        ];
        for (error, expected) in messages {
            let message = error.to_string();
            assert!(message.contains(expected) && message.contains("head.safetensors"), "{message}");
        }
    }

    /// Cut anywhere, or with any byte of the header changed, a file is an error or another sound file.
    #[test]
    fn damaged_files_are_errors() {
        let mut tensors = Tensors::default();
        tensors.put("a", &[3], &[1i64, 2, 3]);
        let (_folder, path) = saved(&tensors);
        let whole = fs::read(&path).unwrap();
        for end in 0..whole.len() {
            fs::write(&path, &whole[..end]).unwrap();
            assert!(Tensors::read(&path).is_err(), "{end}");
        }
        for at in 0..whole.len() - 24 {
            for flip in [1, 0x20, 0x80] {
                let mut bytes = whole.clone();
                bytes[at] ^= flip;
                fs::write(&path, &bytes).unwrap();
                if let Ok(mut read) = Tensors::read(&path) {
                    let _ = read.take::<i64>("a", &[3]).map(|values| assert_eq!(values.len(), 3));
                }
            }
        }
        assert!(matches!(Tensors::read(Path::new("/nowhere")), Err(TensorError::Read { .. })));
    }
}
