//! Artefacts on disk: atomic write, checksum, manifest, lock. What the bytes mean is not known here.

mod files;
mod lock;
mod manifest;

pub use files::{
    StoreError, checksum, is_temporary, keep, map, quick_checksum, temporary, temporary_called, write_atomic,
    write_json,
};
pub use lock::{Lock, LockError};
pub use manifest::{Manifest, Output};
pub use pipeline_encoder::user_cache;
