//! JSON lines: one object a line, its keys the columns.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::bytes::opened;
use super::errors::TableError;
use super::source::{Line, Lines, Source, Unreadable};

/// Bytes that a line has at most.
const LONGEST: u64 = 64 << 20;

/// A file of JSON lines, its columns found: the keys of all of its objects, in the order in which they are met.
pub struct JsonLines {
    path: PathBuf,
    shown: PathBuf,
    columns: Vec<String>,
}

impl JsonLines {
    /// Look at all of `path`, shown as `shown`.
    ///
    /// # Errors
    /// The file cannot be read, or holds no object.
    pub fn open(path: &Path, shown: &Path) -> Result<Self, TableError> {
        let mut file = Self { path: path.to_owned(), shown: shown.to_owned(), columns: Vec::new() };
        let mut known = BTreeSet::new();
        for line in file.objects()? {
            let (_, _, object) = line.map_err(|e| file.unreadable(e))?;
            for name in object.into_iter().flatten().map(|(name, _)| name) {
                if known.insert(name.clone()) {
                    file.columns.push(name);
                }
            }
        }
        match file.columns.is_empty() {
            true => Err(file.fault("holds no JSON object; write one object a line".into())),
            false => Ok(file),
        }
    }

    fn objects(&self) -> Result<Objects, TableError> {
        let input = opened(&self.path).map_err(|e| self.unreadable(e))?;
        Ok(Objects { input: BufReader::new(input), number: 0 })
    }
}

/// The lines that are not blank: number, bytes, and the cells by name or why there are none.
struct Objects {
    input: BufReader<Box<dyn Read>>,
    number: u64,
}

type Cells = Result<Vec<(String, String)>, String>;

impl Iterator for Objects {
    type Item = io::Result<(u64, Vec<u8>, Cells)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut bytes = Vec::new();
            match (&mut self.input).take(LONGEST).read_until(b'\n', &mut bytes) {
                Ok(0) => return None,
                Ok(_) => self.number += 1,
                Err(error) => return Some(Err(error)),
            }
            if bytes.len() as u64 == LONGEST {
                return Some(Err(io::Error::new(io::ErrorKind::InvalidData, "a line is longer than 64 MB")));
            }
            if let Some(cells) = object_of(&bytes, self.number == 1) {
                return Some(Ok((self.number, bytes, cells)));
            }
        }
    }
}

/// The cells of a line by their names, or why it has none; `None` where it is blank. Before the first line there may be a byte-order
/// mark.
pub fn object_of(line: &[u8], first: bool) -> Option<Cells> {
    let mark = if first { line.strip_prefix("\u{feff}".as_bytes()) } else { None };
    let line = mark.unwrap_or(line).trim_ascii();
    (!line.is_empty()).then(|| object(line))
}

fn object(line: &[u8]) -> Cells {
    let text =
        std::str::from_utf8(line).map_err(|e| format!("is not UTF-8 (byte {})", e.valid_up_to() + 1))?;
    let object: Map<String, Value> = serde_json::from_str(text)
        .map_err(|e| format!("is not a JSON object (write one object a line): {e}"))?;
    Ok(object.into_iter().map(|(name, value)| (name, text_of(value))).collect())
}

/// The cell that a value is.
pub fn text_of(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    }
}

impl Source for JsonLines {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn header(&self) -> String {
        "the file's objects".into()
    }

    fn header_hint(&self) -> &'static str {
        "each line must be a JSON object whose keys name the columns"
    }

    fn notes(&self) -> &[String] {
        &[]
    }

    fn lines(&self) -> Result<Box<dyn Lines + '_>, TableError> {
        Ok(Box::new(JsonRows { file: self, objects: self.objects()? }))
    }

    fn shown(&self) -> &Path {
        &self.shown
    }
}

struct JsonRows<'a> {
    file: &'a JsonLines,
    objects: Objects,
}

impl Lines for JsonRows<'_> {}

impl Iterator for JsonRows<'_> {
    type Item = Result<Line, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (number, bytes, cells) = match self.objects.next()? {
            Ok(object) => object,
            Err(error) => return Some(Err(self.file.unreadable(error))),
        };
        let cells = cells.map_err(|reason| Unreadable { reason, remedy: None }).map(|mut named| {
            let mut cell = |name: &String| {
                let place = named.iter().position(|(of, _)| of == name)?;
                Some(std::mem::take(&mut named[place].1))
            };
            self.file.columns.iter().map(|name| cell(name).unwrap_or_default()).collect()
        });
        Some(Ok(Line { number, cells, bytes, typed: None }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_columns_and_a_bad_line_costs_itself() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "\u{feff}{\"text\": \"a\", \"label\": 1}\n\nnone\n{\"more\": [1, 2], \"text\": null}\n";
        std::fs::write(file.path(), text).unwrap();
        let found = JsonLines::open(file.path(), Path::new("x.jsonl")).unwrap();
        assert_eq!(found.columns(), ["text", "label", "more"]);
        let lines: Vec<Line> = found.lines().unwrap().map(Result::unwrap).collect();
        assert_eq!(lines.iter().map(|line| line.number).collect::<Vec<_>>(), [1, 3, 4]);
        assert_eq!(lines[0].cells.as_ref().unwrap(), &["a", "1", ""]);
        assert!(lines[1].cells.as_ref().unwrap_err().reason.starts_with("is not a JSON object"));
        assert_eq!(lines[2].cells.as_ref().unwrap(), &["", "", "[1,2]"]);
        std::fs::write(file.path(), "[1]\n").unwrap();
        let error = JsonLines::open(file.path(), Path::new("x.jsonl")).err().unwrap();
        assert!(error.to_string().contains("x.jsonl: holds no JSON object"), "{error}");
    }
}
