//! Embedding matrices as `.npy`, which NumPy reads in one line.

use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};

use npyz::WriterBuilder;

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
pub struct NpyWriter<'a, 'f>(npyz::NpyWriter<f32, &'a mut BufWriter<&'f File>>);

impl<'a, 'f> NpyWriter<'a, 'f> {
    /// Begin a `rows × dims` matrix.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn new(file: &'a mut BufWriter<&'f File>, rows: usize, dims: usize) -> io::Result<Self> {
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
/// The file is missing or is no such matrix.
pub fn read_npy(path: &Path) -> Result<Embeddings, ExportError> {
    let failed = |reason: String| ExportError { path: path.to_owned(), reason };
    let file = File::open(path).map_err(|e| failed(e.to_string()))?;
    let npy = npyz::NpyFile::new(BufReader::new(file)).map_err(|e| failed(e.to_string()))?;
    let &[_, dims] = npy.shape() else { return Err(failed("it is not two-dimensional".into())) };
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
}
