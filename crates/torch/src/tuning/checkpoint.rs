//! A tuning as it is kept while it runs.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use pipeline::fine_tuning::TuningError;

use super::adamw::AdamW;
use super::place::Place;
use super::weights::{self, Weights, bytes};

/// The file of a checkpoint.
const FILE: &str = "tuning.safetensors";

/// What is kept.
pub struct Kept {
    pub place: Place,
    /// Those that learn.
    pub weights: Weights,
    pub optimizer: AdamW,
    /// Those of the best epoch.
    pub best: Weights,
}

impl Kept {
    /// Move what is learned with to `device`.
    pub fn move_to(&mut self, device: tch::Device) {
        let AdamW { first, second } = &mut self.optimizer;
        for weight in
            [&mut self.weights, first, second, &mut self.best].into_iter().flat_map(Weights::values_mut)
        {
            *weight = weight.to_device(device);
        }
    }
}

/// Names of the four groups of tensors.
const GROUPS: [&str; 4] = ["now", "first", "second", "best"];

/// Keep a tuning in `folder`, whole or not at all.
///
/// # Errors
/// The file cannot be written.
pub fn write(folder: &Path, fingerprint: &str, kept: &Kept) -> Result<(), TuningError> {
    let groups = [&kept.weights, &kept.optimizer.first, &kept.optimizer.second, &kept.best];
    let place = serde_json::to_string(&kept.place).map_err(|e| TuningError::Torch(e.to_string()))?;
    let mut tensors = BTreeMap::new();
    for (group, weights) in GROUPS.iter().zip(groups) {
        tensors.extend(weights.iter().map(|(name, tensor)| (format!("{group}.{name}"), tensor)));
    }
    let digest = digest(fingerprint, &place, tensors.iter().map(|(name, tensor)| (name.as_str(), *tensor)))?;
    let about = [("fingerprint", fingerprint), ("place", &place), ("digest", &digest)];
    let about: HashMap<String, String> = about.map(|(key, value)| (key.into(), value.into())).into();
    weights::write(&file(folder), tensors, about)
}

fn digest<'a>(
    fingerprint: &str,
    place: &str,
    tensors: impl Iterator<Item = (&'a str, &'a tch::Tensor)>,
) -> Result<String, TuningError> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(fingerprint.as_bytes());
    hasher.update(place.as_bytes());
    for (name, tensor) in tensors {
        hasher.update(format!("\n{name} {:?}\n", tensor.size()).as_bytes());
        hasher.update(&bytes(tensor)?);
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// What was kept in `folder` by the tuning `fingerprint`; `None` where nothing was.
///
/// # Errors
/// Why what is there cannot be gone on with.
pub fn read(folder: &Path, fingerprint: &str) -> Result<Option<Kept>, String> {
    let path = file(folder);
    if !path.exists() {
        return Ok(None);
    }
    let not = |reason: &str| format!("the checkpoint {} is not used: {reason}", path.display());
    let (tensors, about) =
        weights::read(&path, |name| Some(name.to_owned())).map_err(|e| not(&e.to_string()))?;
    let said = |key: &str| about.get(key).map(String::as_str).unwrap_or_default();
    if said("fingerprint") != fingerprint {
        return Err(not("it is of other settings, rows or another encoder"));
    }
    let all = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor));
    let digest = digest(fingerprint, said("place"), all).map_err(|e| not(&e.to_string()))?;
    if said("digest") != digest {
        return Err(not("it is damaged"));
    }
    let place = serde_json::from_str(said("place")).map_err(|e| not(&e.to_string()))?;
    let mut groups = GROUPS.map(|_| Weights::new());
    for (name, tensor) in tensors {
        let of = GROUPS.iter().zip(&mut groups);
        for (group, weights) in of {
            if let Some(own) = name.strip_prefix(group).and_then(|rest| rest.strip_prefix('.')) {
                weights.insert(own.to_owned(), tensor.shallow_clone());
            }
        }
    }
    let [weights, first, second, best] = groups;
    Ok(Some(Kept { place, weights, optimizer: AdamW { first, second }, best }))
}

fn file(folder: &Path) -> PathBuf {
    folder.join(FILE)
}
