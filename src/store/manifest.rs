//! What a stage was made from and what it left, so that staleness is a question of content, never of time.

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::files::{StoreError, checksum, write_json};

/// The record of one finished stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the stage's code; a change makes its outputs stale.
    pub version: u32,
    /// The config values the stage depends on.
    pub config: Value,
    /// Name of each input and the hash of its content.
    pub inputs: BTreeMap<String, String>,
    /// Path of each output, relative to the project, and its content.
    pub outputs: BTreeMap<String, Output>,
    /// What the stage counted, for people.
    pub summary: Value,
}

/// A file that a stage left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// Size.
    pub bytes: u64,
    /// BLAKE3 of the content, hex.
    pub blake3: String,
}

impl Manifest {
    /// The manifest at `path`; `None` where there is none or it is of another format.
    pub fn load(path: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    /// What the stage counted, as its own type; `None` where an older program counted something else.
    pub fn summary<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_value(self.summary.clone()).ok()
    }

    /// Remove the manifest at `path`, if there is one: what it was of counts as never made.
    ///
    /// # Errors
    /// It is there and cannot be removed.
    pub fn remove(path: &Path) -> Result<(), StoreError> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(StoreError::of("remove", path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Write the manifest.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), StoreError> {
        write_json(path, self)
    }
}

impl Output {
    /// Measure the file at `path`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn of(path: &Path) -> Result<Self, StoreError> {
        let bytes = std::fs::metadata(path).map_err(StoreError::of("read", path))?.len();
        Ok(Self { bytes, blake3: checksum(path)? })
    }
}
