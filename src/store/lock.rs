//! One run at a time in a project folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::files::StoreError;

/// Why the lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run holds it.
    #[error("another run{owner} is working on {}", folder.display())]
    Busy {
        /// ` (process 123)` where known.
        owner: String,
        /// The guarded folder.
        folder: PathBuf,
    },
    /// The lock file cannot be made.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl LockError {
    /// What can be done about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Busy { .. } => Some("wait until it has finished; nothing was changed".to_owned()),
            Self::Store(_) => None,
        }
    }
}

/// Held while a run writes under a folder; the operating system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Take the lock of `folder`, at once or not at all.
    ///
    /// # Errors
    /// Another process holds it, or the folder cannot be written.
    pub fn take(folder: &Path) -> Result<Self, LockError> {
        let path = folder.join(".lock");
        let fail = StoreError::of("write", &path);
        std::fs::create_dir_all(folder).map_err(&fail)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(&fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = file.read_to_string(&mut pid);
                let owner =
                    if pid.trim().is_empty() { String::new() } else { format!(" (process {})", pid.trim()) };
                return Err(LockError::Busy { owner, folder: folder.to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(fail(source).into()),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{}", std::process::id()))
            .map_err(&fail)?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_taker_is_told_who_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take(folder.path()).unwrap();
        let error = Lock::take(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(first);
        Lock::take(folder.path()).unwrap();
    }
}
