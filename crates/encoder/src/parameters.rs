//! The weights of an encoder for those who hand them on in another form.

use std::path::PathBuf;

use crate::encode::EncoderError;
use crate::folder::Folder;
use crate::weights::Weights;

/// The weights of a transformer by their names in its state.
pub struct Parameters {
    path: PathBuf,
    weights: Weights,
}

impl Parameters {
    /// Those of the encoder in `folder`.
    ///
    /// # Errors
    /// The file cannot be read, or is not safetensors.
    pub fn open(folder: &Folder) -> Result<Self, EncoderError> {
        let path = folder.weights();
        match Weights::open(&path) {
            Ok(weights) => Ok(Self { path, weights }),
            Err(reason) => Err(EncoderError::Invalid { path, reason }),
        }
    }

    /// The numbers of the weight `name`, row-major, in single precision; a first size of 0 stands for any but 0.
    ///
    /// # Errors
    /// There is none, it has another size, or its numbers are of a format that is not supported.
    pub fn take(&self, name: &str, size: &[usize]) -> Result<Vec<f32>, EncoderError> {
        let numbers = self.weights.take(name, size);
        let numbers = numbers.map_err(|reason| EncoderError::Invalid { path: self.path.clone(), reason })?;
        let taken = numbers.to_vec();
        numbers.release();
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::tests::folder;

    #[test]
    fn what_is_no_weights_file_is_named() {
        let folder = folder();
        let error = Parameters::open(&Folder::open(folder.path()).unwrap()).err().unwrap().to_string();
        assert!(error.contains("model.safetensors"), "{error}");
    }
}
