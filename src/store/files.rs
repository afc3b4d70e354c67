//! Files written whole or not at all, mapped, and told apart by their content.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

/// A file or folder that cannot be written or read, with its path.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}", path.display())]
pub struct StoreError {
    /// `write`, `read`, …
    pub action: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl StoreError {
    /// For `map_err`: the error of doing `action` to `path`.
    pub fn of<'a>(action: &'static str, path: &'a Path) -> impl Fn(io::Error) -> Self + use<'a> {
        move |source| Self { action, path: path.to_owned(), source }
    }
}

/// Write a file so that it is either the old one or the whole new one, whenever the process dies.
///
/// The bytes go to a temporary file in the same folder, which is synced and renamed.
///
/// # Errors
/// The folder cannot be made or written, or `fill` fails.
pub fn write_atomic(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> Result<(), StoreError> {
    let fail = StoreError::of("write", path);
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(&fail)?;
    let file = temporary(folder).map_err(&fail)?;
    let mut writer = BufWriter::new(file.as_file());
    fill(&mut writer).and_then(|()| writer.flush()).map_err(&fail)?;
    drop(writer);
    keep(file, path)
}

/// Let a temporary file of the same folder be the file `path`.
///
/// # Errors
/// It cannot be synced or renamed.
pub fn keep(file: tempfile::NamedTempFile, path: &Path) -> Result<(), StoreError> {
    let fail = StoreError::of("write", path);
    file.as_file().sync_all().map_err(&fail)?;
    file.persist(path).map_err(|e| fail(e.error))?;
    Ok(())
}

/// A temporary file in `folder`, for those to read and write whom the user's umask lets: artefacts are ordinary files.
///
/// # Errors
/// It cannot be made.
pub fn temporary(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    temporary_called(folder, ".tmp")
}

/// As [`temporary`], with a name that begins so.
///
/// # Errors
/// It cannot be made.
pub fn temporary_called(folder: &Path, prefix: &str) -> io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::Permissions::from_mode(0o666);
    tempfile::Builder::new().prefix(prefix).suffix(".tmp").permissions(mode).tempfile_in(folder)
}

/// Whether a file is named as those of [`temporary`]: a process that was killed may have left it, half written.
pub fn is_temporary(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') && name.ends_with(".tmp")
}

/// The bytes of a file, mapped into memory instead of copied: of a large one only what is looked at costs time.
///
/// # Errors
/// The file cannot be read.
pub fn map(path: &Path) -> io::Result<memmap2::Mmap> {
    let file = File::open(path)?;
    // SAFETY: the bytes are only read, as bytes or numbers, of which none is invalid; artefacts are replaced by a rename, which
    // leaves the mapped file as it was.
    #[expect(unsafe_code, reason = "memory maps")]
    unsafe {
        memmap2::MmapOptions::new().populate().map(&file)
    }
}

/// Write `value` as indented JSON with a final line break.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), StoreError> {
    write_atomic(path, |w| {
        serde_json::to_writer_pretty(&mut *w, value)?;
        w.write_all(b"\n")
    })
}

/// BLAKE3 of a file as hex; large files are mapped and hashed on all cores.
///
/// # Errors
/// The file cannot be read.
pub fn checksum(path: &Path) -> Result<String, StoreError> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_mmap_rayon(path).map_err(StoreError::of("read", path))?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// XXH3 (128 bits) as hex: as good as BLAKE3 against damage and mixed-up files, not against intent, in a fifth of its time.
pub fn quick_checksum(bytes: &[u8]) -> String {
    format!("{:032x}", twox_hash::XxHash3_128::oneshot(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_keeps_the_old_file_and_leaves_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_atomic(&path, |w| w.write_all(b"old")).unwrap();
        let error = write_atomic(&path, |w| {
            w.write_all(b"half")?;
            Err(io::Error::other("disk full"))
        })
        .unwrap_err();
        assert!(error.to_string().contains("a.txt: disk full"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn checksums_follow_content() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&a, "x").unwrap();
        fs::write(&b, "x").unwrap();
        assert_eq!(checksum(&a).unwrap(), checksum(&b).unwrap());
        fs::write(&b, "y").unwrap();
        assert_ne!(checksum(&a).unwrap(), checksum(&b).unwrap());
    }
}
