//! The frontier's file: JSON lines that are appended and never changed.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::entry::{Done, Found};
use crate::collect::web::error::WebError;

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "lowercase")]
pub(super) enum Line {
    /// A run begins, or has ended.
    Run { number: u32, rules: String, ended: bool },
    /// An address was found.
    Found(Found),
    /// An address was asked for.
    Done {
        url: String,
        #[serde(flatten)]
        done: Done,
    },
    /// A page is as it was.
    Unchanged { url: String, run: u32 },
}

/// The newest run of a file.
pub(super) struct LastRun {
    pub rules: String,
    pub ended: bool,
}

/// The file, held by this process alone.
pub(super) struct Journal {
    file: File,
    path: PathBuf,
    /// The newest run that the file has.
    pub last: Option<LastRun>,
}

impl Journal {
    /// The file at `path`, made where there is none, and its lines. A last line that is not whole is taken off: the process
    /// died in it.
    ///
    /// # Errors
    /// Another process has it, it cannot be read or written, or a line is none of [`Line`].
    pub fn open(path: &Path) -> Result<(Self, Vec<Line>), WebError> {
        let fail = WebError::of("write", path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(&fail)?;
        }
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(path).map_err(&fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(WebError::Busy { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(fail(error)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(WebError::of("read", path))?;
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let mut lines = Vec::new();
        let mut end = 0;
        let pieces = bytes[..whole].split_inclusive(|b| *b == b'\n');
        for (number, piece) in pieces.enumerate() {
            match serde_json::from_slice(piece) {
                Ok(line) => lines.push(line),
                // After a failure of power the last line may have its length and not its content.
                Err(_) if end + piece.len() == whole => break,
                Err(error) => {
                    let (line, reason) = (number + 1, error.to_string());
                    return Err(WebError::Journal { path: path.to_owned(), line, reason });
                }
            }
            end += piece.len();
        }
        file.set_len(end as u64).and_then(|()| file.seek(SeekFrom::End(0))).map_err(&fail)?;
        Ok((Self { file, path: path.to_owned(), last: None }, lines))
    }

    /// Add a line; it is the system's when this returns, so that only a failure of power can lose it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn append(&mut self, line: &Line) -> Result<(), WebError> {
        let fail = WebError::of("write", &self.path);
        let mut text = serde_json::to_vec(line).map_err(|error| fail(error.into()))?;
        text.push(b'\n');
        self.file.write_all(&text).map_err(&fail)
    }

    /// Have the lines on the disk itself.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn sync(&self) -> Result<(), WebError> {
        self.file.sync_data().map_err(WebError::of("write", &self.path))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}
