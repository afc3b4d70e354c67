//! What was translated before, in a file of JSON lines: a stopped run goes on, and a fold asks no text again.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::TranslationError;

/// Translations by the hash of who made them, the languages and the text.
pub struct Kept {
    path: PathBuf,
    known: HashMap<String, String>,
    /// What follows a line that was not written to its end must begin a new one.
    broken: bool,
}

#[derive(Serialize, Deserialize)]
struct Line {
    key: String,
    text: String,
}

impl Kept {
    /// Those of a file; a line that was cut off or damaged counts for nothing.
    ///
    /// # Errors
    /// There is a file that cannot be read.
    pub fn open(path: &Path) -> Result<Self, TranslationError> {
        let mut bytes = Vec::new();
        match File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => {
                return Err(TranslationError::Kept { verb: "read", path: path.to_owned(), source });
            }
        }
        let lines = bytes.split(|&byte| byte == b'\n');
        let known = lines.filter_map(|line| serde_json::from_slice::<Line>(line).ok());
        Ok(Self {
            path: path.to_owned(),
            known: known.map(|line| (line.key, line.text)).collect(),
            broken: bytes.last().is_some_and(|&byte| byte != b'\n'),
        })
    }

    /// The translation of this key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.known.get(key).map(String::as_str)
    }

    /// Keep translations by their keys, on disk before this returns.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add(&mut self, new: impl Iterator<Item = (String, String)>) -> Result<(), TranslationError> {
        let failed = |source| TranslationError::Kept { verb: "write", path: self.path.clone(), source };
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(&self.path).map_err(failed)?;
        let mut file = BufWriter::new(file);
        if std::mem::take(&mut self.broken) {
            file.write_all(b"\n").map_err(failed)?;
        }
        for (key, text) in new {
            let line = Line { key, text };
            serde_json::to_writer(&mut file, &line).map_err(|error| failed(error.into()))?;
            file.write_all(b"\n").map_err(failed)?;
            self.known.insert(line.key, line.text);
        }
        let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_there_and_a_line_that_was_cut_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/translations.jsonl");
        let pair = |n: usize| (n.to_string(), format!("text \"{n}\"\nof two lines"));
        Kept::open(&path).unwrap().add((0..3).map(pair)).unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 5]).unwrap();
        let mut kept = Kept::open(&path).unwrap();
        assert_eq!([kept.get("0"), kept.get("2")], [Some(pair(0).1.as_str()), None]);
        kept.add(std::iter::once(pair(3))).unwrap();
        let again = Kept::open(&path).unwrap();
        assert_eq!([again.get("1"), again.get("3")], [Some(pair(1).1.as_str()), Some(pair(3).1.as_str())]);
    }
}
