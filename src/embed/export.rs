//! Embedding matrices as `.npy`, which NumPy reads in one line.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};

use npyz::WriterBuilder;

use crate::foreign::guarded;

/// Embeddings of several texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings {
    /// Values a row.
    pub dims: usize,
    /// `rows × dims` values, row-major.
    pub values: Vec<f32>,
}

impl Embeddings {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.values.len().checked_div(self.dims).unwrap_or(0)
    }

    /// One row.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.dims..(row + 1) * self.dims]
    }
}

/// A matrix file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the matrix {}: {reason}", path.display())]
pub struct ExportError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

impl ExportError {
    /// What can be done about it.
    pub fn hint(&self) -> Option<String> {
        Some("run `pipeline embed --force`".to_owned())
    }
}

/// Writes a matrix row by row, so that it never has to be in memory.
pub struct NpyWriter<W: Write>(npyz::NpyWriter<f32, W>);

impl<W: Write> NpyWriter<W> {
    /// Begin a `rows × dims` matrix.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn new(file: W, rows: usize, dims: usize) -> io::Result<Self> {
        let options = npyz::WriteOptions::new().default_dtype().shape(&[rows as u64, dims as u64]);
        Ok(Self(options.writer(file).begin_nd()?))
    }

    /// Append rows.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn extend(&mut self, embeddings: &Embeddings) -> io::Result<()> {
        self.0.extend(embeddings.values.iter().copied())
    }

    /// End the matrix.
    ///
    /// # Errors
    /// The file cannot be written, or has fewer rows than were promised.
    pub fn finish(self) -> io::Result<()> {
        self.0.finish()
    }
}

/// Read a two-dimensional `f32` matrix.
///
/// # Errors
/// The file is missing or is no such matrix, row-major and whole.
pub fn read_npy(path: &Path) -> Result<Embeddings, ExportError> {
    let failed = |reason: String| ExportError { path: path.to_owned(), reason };
    let file = File::open(path).map_err(|e| failed(e.to_string()))?;
    let length = file.metadata().map_err(|e| failed(e.to_string()))?.len();
    // It multiplies whatever sizes the file states.
    let npy = guarded(|| npyz::NpyFile::new(BufReader::new(file))).map_err(&failed)?;
    let npy = npy.map_err(|e| failed(e.to_string()))?;
    let &[rows, dims] = npy.shape() else { return Err(failed("it is not two-dimensional".into())) };
    if npy.order() == npyz::Order::Fortran {
        return Err(failed("its columns lie one behind the other, not its rows".into()));
    }
    let bytes = rows.checked_mul(dims).and_then(|values| values.checked_mul(size_of::<f32>() as u64));
    if bytes.is_none_or(|bytes| bytes > length) {
        return Err(failed(format!("it states {rows} rows of {dims} values, and ends before")));
    }
    let values = npy.into_vec::<f32>().map_err(|e| failed(e.to_string()))?;
    Ok(Embeddings { dims: dims as usize, values })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::write_atomic;

    #[test]
    fn a_matrix_comes_back_as_it_went() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.npy");
        let first = Embeddings { dims: 3, values: vec![1.0, -2.5, 3e-8, 0.0, 1e30, f32::MIN_POSITIVE] };
        write_atomic(&path, |file| {
            let mut writer = NpyWriter::new(file, 4, 3)?;
            writer.extend(&first)?;
            writer.extend(&first)?;
            writer.finish()
        })
        .unwrap();
        let read = read_npy(&path).unwrap();
        assert_eq!((read.rows(), read.row(2)), (4, first.row(0)));
        std::fs::write(&path, "x").unwrap();
        assert!(read_npy(&path).unwrap_err().to_string().contains("m.npy"));
    }

    #[test]
    fn a_matrix_that_cannot_be_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.npy");
        for (order, shape, part) in [
            ("False", "(8589934592, 8589934592)", "m.npy"),
            ("False", "(4611686018427387904, 1)", "ends before"),
            ("False", "(2, 3)", "fill whole buffer"),
            ("True", "(1, 2)", "columns lie one behind"),
            ("False", "(2,)", "not two-dimensional"),
        ] {
            let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
            let header = format!("{{'descr': '<f4', 'fortran_order': {order}, 'shape': {shape}, }}");
            bytes.extend(format!("{header:<117}\n").bytes().chain([0; 8]));
            std::fs::write(&path, bytes).unwrap();
            let said = read_npy(&path).unwrap_err().to_string();
            assert!(said.contains(part), "{shape}: {said}");
        }
    }
}
