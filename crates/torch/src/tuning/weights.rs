//! Tensors by their names, and their file: safetensors, read without trust.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;

use pipeline::fine_tuning::TuningError;
use pipeline::store::{map, write_atomic};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use tch::{Kind, TchError, Tensor};

use crate::libtorch::without_frames;

/// Tensors by their names.
pub type Weights = BTreeMap<String, Tensor>;

/// What libtorch said, as the error of a tuning.
pub fn failed(error: TchError) -> TuningError {
    TuningError::Torch(without_frames(&error.to_string()).to_owned())
}

/// Read the floating-point tensors of a file as float32, each by the name that `named` gives it, those without one left out;
/// also what the file says of itself.
///
/// # Errors
/// The file is missing or no safetensors, a tensor has another kind of number or one that is none, or two have one name.
pub fn read(
    path: &Path,
    named: impl Fn(&str) -> Option<String>,
) -> Result<(Weights, HashMap<String, String>), TuningError> {
    let invalid = |reason: String| TuningError::Folder { path: path.to_owned(), reason };
    let bytes = map(path).map_err(|e| invalid(e.to_string()))?;
    let not = |e| invalid(format!("it is no safetensors file: {e}"));
    let tensors = SafeTensors::deserialize(&bytes).map_err(not)?;
    let about = SafeTensors::read_metadata(&bytes).map_err(not)?.1.metadata().clone().unwrap_or_default();
    let mut weights = Weights::new();
    for (name, view) in tensors.iter() {
        let Some(canonical) = named(name) else { continue };
        let kind = match view.dtype() {
            Dtype::F32 => Kind::Float,
            Dtype::F64 => Kind::Double,
            Dtype::F16 => Kind::Half,
            Dtype::BF16 => Kind::BFloat16,
            other => return Err(invalid(format!("the weight `{name}` has numbers of the format {other:?}"))),
        };
        let sizes: Result<Vec<i64>, _> = view.shape().iter().map(|&size| i64::try_from(size)).collect();
        let sizes = sizes.map_err(|e| invalid(format!("the weight `{name}`: {e}")))?;
        let tensor =
            Tensor::f_from_data_size(view.data(), &sizes, kind).map_err(failed)?.to_kind(Kind::Float);
        if !finite(&tensor) {
            return Err(invalid(format!("the weight `{name}` holds what is no number")));
        }
        if weights.insert(canonical.clone(), tensor).is_some() {
            return Err(invalid(format!("it has the weight `{canonical}` twice")));
        }
    }
    Ok((weights, about))
}

/// Whether all numbers of a tensor are numbers.
pub fn finite(tensor: &Tensor) -> bool {
    tensor.isfinite().all().int64_value(&[]) == 1
}

/// The bytes of a tensor of float32, little-endian.
///
/// # Errors
/// libtorch failed.
pub fn bytes(tensor: &Tensor) -> Result<Vec<u8>, TuningError> {
    let values = Vec::<f32>::try_from(tensor.detach().contiguous().view([-1])).map_err(failed)?;
    Ok(values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

/// Write tensors of float32 whole or not at all, with `about`, what the file is to say of itself.
///
/// # Errors
/// The file cannot be written.
pub fn write<'a>(
    path: &Path,
    weights: impl IntoIterator<Item = (String, &'a Tensor)>,
    about: HashMap<String, String>,
) -> Result<(), TuningError> {
    let mut kept = Vec::new();
    for (name, tensor) in weights {
        let sizes: Vec<usize> = tensor.size().into_iter().map(|size| size as usize).collect();
        kept.push((name, sizes, bytes(tensor)?));
    }
    let torch = |e: safetensors::SafeTensorError| TuningError::Torch(e.to_string());
    let views: Result<Vec<_>, _> = kept
        .iter()
        .map(|(name, sizes, bytes)| Ok((name, TensorView::new(Dtype::F32, sizes.clone(), bytes)?)))
        .collect();
    let whole = safetensors::serialize(views.map_err(torch)?, Some(about)).map_err(torch)?;
    Ok(write_atomic(path, |file| file.write_all(&whole))?)
}
