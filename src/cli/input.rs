//! A table that is named on the command line, or comes from standard input.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::NamedTempFile;

use super::exit::NoInput;

/// A table is read more than once, to find its encoding, delimiter and size, and then row by row: standard input is stored.
pub enum TableInput {
    /// A file.
    File(PathBuf),
    /// Standard input, in a file that goes away.
    Stored(NamedTempFile),
}

impl TableInput {
    /// The file `path`; `-` is standard input, which is read to its end.
    ///
    /// # Errors
    /// Standard input cannot be read or stored.
    pub fn open(path: &Path) -> Result<Self> {
        if path != Path::new("-") {
            return Ok(Self::File(path.to_owned()));
        }
        let mut file = NamedTempFile::new().context("cannot store standard input")?;
        io::copy(&mut io::stdin(), &mut file).context("cannot read standard input")?;
        Ok(Self::Stored(file))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Stored(file) => file.path(),
        }
    }

    /// What messages call it.
    pub fn shown(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Stored(_) => Path::new("standard input"),
        }
    }
}

/// Refuse a file that is not there, before anything is loaded.
///
/// # Errors
/// It is not there, and is not `-`.
pub fn check_there(path: &Path) -> Result<(), NoInput> {
    let there = path == Path::new("-") || path.exists();
    if there { Ok(()) } else { Err(NoInput { path: path.to_owned() }) }
}
