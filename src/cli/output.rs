//! Results to standard output.

use std::borrow::Cow;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::NamedTempFile;

use super::exit::Exit;
use crate::stages::BuildError;
use crate::store::{keep, temporary};

/// Write to standard output; a reader that has gone away is no error.
pub fn print(text: &str) -> Result<Exit> {
    match Sink::Printed.write_all(text.as_bytes()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(e).context("cannot write to standard output"),
        _ => Ok(Exit::Done),
    }
}

/// Standard output, or a file.
pub enum Sink {
    /// Standard output.
    Printed,
    /// A pipe or a device, which cannot be written whole or not at all.
    Stream(File),
    /// A file beside the one that it becomes when all is written.
    File(BufWriter<NamedTempFile>, PathBuf),
}

impl Sink {
    /// For `path`, or else for standard output.
    ///
    /// # Errors
    /// Nothing can be written there.
    pub fn new(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Ok(Self::Printed) };
        let cannot = || format!("cannot write {}", path.display());
        match path.metadata() {
            Ok(there) if there.is_dir() => {
                return Err(io::Error::from(io::ErrorKind::IsADirectory)).with_context(cannot);
            }
            Ok(there) if !there.is_file() => {
                return Ok(Self::Stream(File::options().write(true).open(path).with_context(cannot)?));
            }
            _ => {}
        }
        // What a link points to is written, not the link.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = temporary(folder).with_context(cannot)?;
        Ok(Self::File(BufWriter::new(file), path))
    }

    /// Let what was written be the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(self) -> Result<()> {
        if let Self::File(file, path) = self {
            let file = file.into_inner().map_err(io::IntoInnerError::into_error);
            let file = file.with_context(|| format!("cannot write {}", path.display()))?;
            keep(file, &path).map_err(BuildError::from)?;
        }
        Ok(())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Printed => {
                let mut out = io::stdout().lock();
                match out.is_terminal().then(|| String::from_utf8_lossy(bytes)) {
                    Some(text) => out.write_all(visible(&text).as_bytes())?,
                    None => out.write_all(bytes)?,
                }
                out.flush()?;
                Ok(bytes.len())
            }
            Self::Stream(stream) => stream.write(bytes),
            Self::File(file, _) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Printed => Ok(()),
            Self::Stream(stream) => stream.flush(),
            Self::File(file, _) => file.flush(),
        }
    }
}

pub fn print_json(value: &serde_json::Value) -> Result<Exit> {
    print(&format!("{value:#}\n"))
}

/// What a terminal may be given: control characters that a file has put into a message must not move its cursor, rename its window
/// or hide what stands there. Colours that the program sets (`ESC [ … m`) stay.
pub fn visible(text: &str) -> Cow<'_, str> {
    let hidden = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(hidden) {
        shown.push_str(&rest[..at]);
        rest = &rest[at..];
        let colour = rest.strip_prefix("\u{1b}[").map_or(0, |after| {
            let digits = after.bytes().take_while(|b| b.is_ascii_digit() || *b == b';').count();
            if after[digits..].starts_with('m') { 2 + digits + 1 } else { 0 }
        });
        if colour > 0 {
            shown.push_str(&rest[..colour]);
            rest = &rest[colour..];
        } else {
            let mut characters = rest.chars();
            shown.extend(characters.next().into_iter().flat_map(char::escape_default));
            rest = characters.as_str();
        }
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// Reasons on one line: the first few, and how many more; `--json` has them all.
pub fn because(reasons: &[impl Display]) -> String {
    const SHOWN: usize = 3;
    let mut shown: Vec<String> = reasons.iter().take(SHOWN).map(ToString::to_string).collect();
    if reasons.len() > SHOWN {
        shown.push(format!("and {} more", reasons.len() - SHOWN));
    }
    shown.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_no_control_characters_but_colours() {
        for (text, expected) in [
            ("plain\ttext\nwith é", "plain\ttext\nwith é"),
            ("\u{1b}[1;31mred\u{1b}[0m", "\u{1b}[1;31mred\u{1b}[0m"),
            ("\u{1b}]0;owned\u{7}x\u{1b}[2J", "\\u{1b}]0;owned\\u{7}x\\u{1b}[2J"),
            ("a\rb\u{9b}c\u{202e}d", "a\\rb\\u{9b}c\\u{202e}d"),
        ] {
            assert_eq!(visible(text), expected);
        }
    }
}
