//! Named weights of a safetensors file, mapped into memory: only what is read is loaded.

use std::fs::File;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use half::{bf16, f16};
use memmap2::{Mmap, MmapMut, UncheckedAdvice};
use safetensors::tensor::Metadata;
use safetensors::{Dtype, SafeTensors};

/// A mapped file and where its tensors lie.
pub struct Weights {
    map: Arc<Mmap>,
    metadata: Metadata,
    /// Where the tensors' bytes begin.
    start: usize,
}

/// float32 numbers of a tensor, in the mapped file where they are stored as such.
pub enum Numbers {
    /// The first byte and the count.
    Mapped(Arc<Mmap>, usize, usize),
    /// Converted from another format.
    Owned(Vec<f32>),
}

impl Deref for Numbers {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match self {
            Self::Mapped(map, from, count) => {
                // Seen to be aligned when it was made.
                bytemuck::try_cast_slice(&map[*from..*from + 4 * count]).unwrap_or_default()
            }
            Self::Owned(numbers) => numbers,
        }
    }
}

impl Numbers {
    /// Give the memory of a mapped tensor back: it was read, and will not be again soon. What is kept elsewhere in packed form
    /// would else take its room twice.
    pub fn release(&self) {
        let Self::Mapped(map, from, count) = self else { return };
        // SAFETY: pages of a file that is only read are read again when they are asked for again.
        #[expect(unsafe_code, reason = "memory maps")]
        // A system that cannot has the memory taken twice, and nothing else is lost.
        let _ = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, *from, 4 * count) };
    }
}

impl Weights {
    /// Map the file at `path`.
    ///
    /// # Errors
    /// The file cannot be mapped, or is not safetensors.
    pub fn open(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|e| e.to_string())?;
        // SAFETY: the numbers are only read, and any bytes are numbers.
        #[expect(unsafe_code, reason = "memory maps")]
        let map = unsafe { Mmap::map(&file) }.map_err(|e| e.to_string())?;
        Self::mapped(map)
    }

    /// A file's bytes.
    ///
    /// # Errors
    /// As [`Weights::open`].
    pub fn of(bytes: &[u8]) -> Result<Self, String> {
        let mut map = MmapMut::map_anon(bytes.len()).map_err(|e| e.to_string())?;
        map.copy_from_slice(bytes);
        Self::mapped(map.make_read_only().map_err(|e| e.to_string())?)
    }

    fn mapped(map: Mmap) -> Result<Self, String> {
        let (header, metadata) =
            SafeTensors::read_metadata(&map).map_err(|e| format!("is not a safetensors file: {e}"))?;
        Ok(Self { map: Arc::new(map), metadata, start: header + size_of::<u64>() })
    }

    /// Whether there is a tensor `name`.
    pub fn has(&self, name: &str) -> bool {
        self.metadata.info(name).is_some()
    }

    /// The tensor `name`, of this size; a first size of 0 stands for any but 0.
    ///
    /// # Errors
    /// There is none, it has another size, or its numbers are of a format that is not supported.
    pub fn take(&self, name: &str, size: &[usize]) -> Result<Numbers, String> {
        let tensor = self.metadata.info(name).ok_or_else(|| format!("has no weight `{name}`"))?;
        let found = &tensor.shape;
        let fits = found.len() == size.len()
            && found.iter().zip(size).all(|(&found, &size)| found == size || (size == 0 && found > 0));
        if !fits {
            return Err(format!("weight `{name}` has the size {found:?}, expected {size:?}"));
        }
        let (from, to) = (self.start + tensor.data_offsets.0, self.start + tensor.data_offsets.1);
        let bytes = self.map.get(from..to).ok_or_else(|| format!("ends inside the weight `{name}`"))?;
        let owned = match tensor.dtype {
            Dtype::F32 if bytemuck::try_cast_slice::<u8, f32>(bytes).is_ok() => {
                return Ok(Numbers::Mapped(Arc::clone(&self.map), from, bytes.len() / 4));
            }
            Dtype::F32 => bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
            Dtype::F64 => bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b) as f32).collect(),
            Dtype::F16 => bytes.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()).collect(),
            Dtype::BF16 => bytes.as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b).to_f32()).collect(),
            other => return Err(format!("weight `{name}` has numbers of the format {other:?}")),
        };
        Ok(Numbers::Owned(owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::TensorView;

    #[test]
    fn every_format_is_read_and_what_does_not_fit_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let numbers = [1.5f32, -2.0];
        let f32s: Vec<u8> = numbers.iter().flat_map(|v| v.to_le_bytes()).collect();
        let f64s: Vec<u8> = numbers.iter().flat_map(|v| f64::from(*v).to_le_bytes()).collect();
        let f16s: Vec<u8> = numbers.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect();
        let bf16s: Vec<u8> = numbers.iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes()).collect();
        let view = |dtype, bytes| TensorView::new(dtype, vec![2], bytes).unwrap();
        let all = [
            ("F32", view(Dtype::F32, &f32s)),
            ("F64", view(Dtype::F64, &f64s)),
            ("F16", view(Dtype::F16, &f16s)),
            ("BF16", view(Dtype::BF16, &bf16s)),
            ("I16", view(Dtype::I16, &f16s)),
        ];
        safetensors::serialize_to_file(all, None, &path).unwrap();
        let weights = Weights::open(&path).unwrap();
        for name in ["F32", "F64", "F16", "BF16"] {
            assert_eq!(weights.take(name, &[2]).unwrap()[..], numbers, "{name}");
            assert_eq!(weights.take(name, &[0]).unwrap().len(), 2, "{name}");
        }
        for (name, size, said) in [
            ("I16", &[2][..], "I16"),
            ("F32", &[3], "[3]"),
            ("F32", &[2, 1], "[2, 1]"),
            ("other", &[2], "other"),
        ] {
            let error = weights.take(name, size).err().unwrap();
            assert!(error.contains(said), "{error}");
        }
        let whole = std::fs::read(&path).unwrap();
        for bytes in [&whole[..whole.len() - 1], &whole[..40], b"", b"no weights at all"] {
            std::fs::write(&path, bytes).unwrap();
            assert!(Weights::open(&path).is_err());
        }
    }
}
