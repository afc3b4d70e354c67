//! A folder that is filled beside its place and then put there: whole, or not at all.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tempfile::TempDir;

use super::error::ExportError;
use crate::store::{StoreError, write_atomic};

/// A folder in the making.
pub struct Staging {
    folder: TempDir,
    place: PathBuf,
    files: Vec<WrittenFile>,
}

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WrittenFile {
    /// Its path in the folder.
    pub path: String,
    /// Its size.
    pub bytes: u64,
}

impl Staging {
    /// Begin the folder `place`; with `replace` its files may be there already, and others in it stay.
    ///
    /// # Errors
    /// There is something else, or the folder that it lies in cannot be written.
    pub fn new(place: &Path, replace: bool) -> Result<Self, ExportError> {
        let fail = StoreError::of("write", place);
        match fs::read_dir(place).map(|mut entries| entries.next().is_some()) {
            Ok(true) if !replace => return Err(ExportError::NotEmpty { folder: place.to_owned() }),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(fail(error).into()),
        }
        let above = place.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(above).map_err(&fail)?;
        let folder = tempfile::Builder::new().prefix(".export-").tempdir_in(above).map_err(&fail)?;
        Ok(Self { folder, place: place.to_owned(), files: Vec::new() })
    }

    /// Begin the file `name` in the folder `place`, whatever else is in it; with `replace` it may be there already.
    ///
    /// # Errors
    /// As [`Staging::new`].
    pub fn beside(place: &Path, name: &str, replace: bool) -> Result<Self, ExportError> {
        match place.join(name).exists() && !replace {
            true => Err(ExportError::Exists { path: place.join(name) }),
            false => Self::new(place, true),
        }
    }

    /// Write a file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), ExportError> {
        write_atomic(&self.folder.path().join(name), |file| file.write_all(bytes))?;
        self.files.push(WrittenFile { path: name.to_owned(), bytes: bytes.len() as u64 });
        Ok(())
    }

    /// Write a value as indented JSON.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_json(&mut self, name: &str, value: &serde_json::Value) -> Result<(), ExportError> {
        self.write(name, format!("{value:#}\n").as_bytes())
    }

    /// Copy a file.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn copy(&mut self, from: &Path, name: &str) -> Result<(), ExportError> {
        let to = self.folder.path().join(name);
        if let Some(above) = to.parent() {
            fs::create_dir_all(above).map_err(StoreError::of("write", above))?;
        }
        let bytes = fs::copy(from, &to).map_err(StoreError::of("copy", from))?;
        self.files.push(WrittenFile { path: name.to_owned(), bytes });
        Ok(())
    }

    /// Put the folder in its place.
    ///
    /// # Errors
    /// It cannot be put there.
    pub fn finish(self) -> Result<Vec<WrittenFile>, ExportError> {
        let fail = StoreError::of("write", &self.place);
        for file in &self.files {
            let to = self.place.join(&file.path);
            if let Some(above) = to.parent() {
                fs::create_dir_all(above).map_err(&fail)?;
            }
            fs::rename(self.folder.path().join(&file.path), &to).map_err(StoreError::of("write", &to))?;
        }
        Ok(self.files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_something_in_it_is_left_alone_unless_told() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("a/b");
        let write = |replace| -> Result<Vec<WrittenFile>, ExportError> {
            let mut staging = Staging::new(&place, replace)?;
            staging.write("c/d.txt", b"new")?;
            staging.finish()
        };
        assert_eq!(write(false).unwrap(), [WrittenFile { path: "c/d.txt".into(), bytes: 3 }]);
        fs::write(place.join("mine.txt"), "mine").unwrap();
        assert!(matches!(write(false), Err(ExportError::NotEmpty { .. })));
        write(true).unwrap();
        assert_eq!(fs::read_to_string(place.join("mine.txt")).unwrap(), "mine");
        // Nothing is left beside it.
        assert_eq!(fs::read_dir(root.path().join("a")).unwrap().count(), 1);
        // A file is no folder.
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(Staging::new(&file, true), Err(ExportError::Store(_))));
    }
}
