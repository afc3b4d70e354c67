//! CSV files: bytes to numbered lines of decoded cells.

use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use encoding_rs::{Encoding, UTF_8};
use encoding_rs_io::DecodeReaderBytesBuilder;

use super::bytes::opened;
use super::dialect;
use super::encoding::{self, Mended};
use super::errors::TableError;
use super::records::{Record, Records};
use super::source::{Line, Lines, Source, Stated, Unreadable};
use crate::counting::counted;

/// A CSV file with its encoding, its delimiter and its header found.
pub struct CsvFile {
    path: PathBuf,
    shown: PathBuf,
    encoding: &'static Encoding,
    delimiter: u8,
    header: Vec<String>,
    header_line: u64,
    /// Whether the first cell of each row has no name in the header: it numbers the rows.
    numbered: bool,
    notes: Vec<String>,
}

type Bytes = Box<dyn Read>;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

impl CsvFile {
    /// Look at `path`, shown as `shown`. What is not stated is found: see [`encoding::find`] and [`dialect::found_in`].
    ///
    /// Any line ends; blank lines, and one that says `sep=;`, are passed over before the header.
    ///
    /// # Errors
    /// The file is unreadable, empty or binary.
    pub fn open(path: &Path, shown: &Path, stated: Stated) -> Result<Self, TableError> {
        let mut file = Self {
            path: path.to_owned(),
            shown: shown.to_owned(),
            encoding: UTF_8,
            delimiter: dialect::NONE,
            header: Vec::new(),
            header_line: 0,
            numbered: false,
            notes: Vec::new(),
        };
        file.look(stated).map_err(|source| file.unreadable(source))??;
        Ok(file)
    }

    fn look(&mut self, stated: Stated) -> io::Result<Result<(), TableError>> {
        let found = match encoding::find(opened(&self.path)?, stated.encoding)? {
            Ok(found) => found,
            Err(reason) => return Ok(Err(self.fault(reason.into()))),
        };
        self.encoding = found.encoding;
        if let Some(evidence) = found.evidence {
            self.notes.push(format!(
                "read as {}: {evidence}; where that is wrong, set data.encoding",
                self.encoding.name()
            ));
        }
        let mut beginning = Vec::new();
        self.bytes()?.take(dialect::SAMPLE).read_to_end(&mut beginning)?;
        let whole = (beginning.len() as u64) < dialect::SAMPLE;
        let first_line =
            beginning.split(|b| matches!(b, b'\n' | b'\r')).find(|line| !line.trim_ascii().is_empty());
        let delimiter = stated.delimiter.or_else(|| dialect::stated_in(first_line?));
        self.delimiter = delimiter.unwrap_or_else(|| dialect::found_in(&beginning, whole));
        let mut records = Records::new(&beginning[..], self.delimiter);
        let Some(header) = header_of(&mut records)? else {
            return Ok(Err(self.fault("is empty; the first line must name the columns".into())));
        };
        let names = header.cells().into_iter().flatten();
        self.header = names.map(|cell| encoding::cell(cell.into_owned()).0.trim().to_owned()).collect();
        self.header_line = header.line;
        self.numbered = numbers_its_rows(records.map_while(Result::ok), self.header.len());
        Ok(Ok(()))
    }

    /// In UTF-8, save where the file is not what it says; without a byte-order mark.
    fn bytes(&self) -> io::Result<Bytes> {
        let mut file = opened(&self.path)?;
        if self.encoding != UTF_8 {
            return Ok(Box::new(DecodeReaderBytesBuilder::new().encoding(Some(self.encoding)).build(file)));
        }
        // Cell by cell, or what is not valid would be lost.
        let mut first = Vec::new();
        (&mut file).take(BYTE_ORDER_MARK.len() as u64).read_to_end(&mut first)?;
        if first == BYTE_ORDER_MARK {
            first.clear();
        }
        Ok(Box::new(Cursor::new(first).chain(file)))
    }
}

/// The first record that is neither blank nor states the delimiter.
fn header_of<R: Read>(records: &mut Records<R>) -> io::Result<Option<Record>> {
    for record in records {
        let record = record?;
        let blank = record.cells().is_some_and(|mut cells| cells.all(|c| c.trim_ascii().is_empty()));
        if !blank && dialect::stated_in(&record.raw).is_none() {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

/// Whether the rows have one cell more than the header, and it counts them: so R writes the names of rows.
fn numbers_its_rows(rows: impl Iterator<Item = Record>, columns: usize) -> bool {
    let (mut before, mut found) = (None, 0);
    for row in rows.filter(|row| !row.is_empty_line()).take(100) {
        let Some(mut cells) = row.cells() else { return false };
        let number = (cells.len() == columns + 1).then(|| cells.next()).flatten();
        let number = number.and_then(|cell| std::str::from_utf8(&cell).ok()?.trim().parse::<u64>().ok());
        match number {
            Some(number) if before.is_none_or(|before| number > before) => before = Some(number),
            _ => return false,
        }
        found += 1;
    }
    found > 1
}

impl Source for CsvFile {
    fn columns(&self) -> &[String] {
        &self.header
    }

    fn header(&self) -> String {
        format!("the header (line {})", self.header_line)
    }

    fn header_hint(&self) -> &'static str {
        "the first line must name the columns; if they are separated by another character, set data.delimiter"
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }

    fn lines(&self) -> Result<Box<dyn Lines + '_>, TableError> {
        let mut records = Records::new(self.bytes().map_err(|e| self.unreadable(e))?, self.delimiter);
        header_of(&mut records).map_err(|e| self.unreadable(e))?;
        Ok(Box::new(CsvLines { file: self, records, mended: Counts::default() }))
    }

    fn shown(&self) -> &Path {
        &self.shown
    }
}

struct CsvLines<'a> {
    file: &'a CsvFile,
    records: Records<Bytes>,
    mended: Counts,
}

/// How many of something, and the line of the first.
#[derive(Default)]
struct Count {
    count: usize,
    first: u64,
}

impl Count {
    fn add(&mut self, count: usize, line: u64) {
        if self.count == 0 {
            self.first = line;
        }
        self.count += count;
    }

    fn note(&self, one: &str, more: &str) -> Option<String> {
        match self.count {
            0 => None,
            1 => Some(format!("1 {one}, in line {}", self.first)),
            count => Some(format!("{}, the first in line {}", counted(count, one, more), self.first)),
        }
    }
}

#[derive(Default)]
struct Counts {
    legacy: Count,
    replaced: Count,
    nul: Count,
}

impl Lines for CsvLines<'_> {
    fn mended(&self) -> Vec<String> {
        let Counts { legacy, replaced, nul } = &self.mended;
        let legacy = legacy.note(
            "cell is not UTF-8 and was read as Windows-1252",
            "cells are not UTF-8 and were read as Windows-1252",
        );
        let replaced = replaced.note(
            "sequence of bytes is not UTF-8 and was read as U+FFFD",
            "sequences of bytes are not UTF-8 and were read as U+FFFD",
        );
        let nul = nul.note("NUL byte was left out", "NUL bytes were left out");
        [legacy, replaced, nul].into_iter().flatten().collect()
    }
}

impl Iterator for CsvLines<'_> {
    type Item = Result<Line, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = loop {
            match self.records.next()? {
                Err(source) => return Some(Err(self.file.unreadable(source))),
                // Separators without anything between them are a row, which whoever asks about every row wants answered.
                Ok(record) if record.is_empty_line() => {}
                Ok(record) => break record,
            }
        };
        let number = record.line;
        let cells = match record.cells() {
            None => Err(Unreadable {
                reason: "a quote is opened here and not closed before a delimiter or a line's end".into(),
                remedy: Some("double it or close it"),
            }),
            Some(cells) => {
                let cells = cells.skip(usize::from(self.file.numbered));
                let cells = cells.map(|cell| {
                    let (text, Mended { legacy, replaced, nul }) = encoding::cell(cell.into_owned());
                    self.mended.legacy.add(usize::from(legacy), number);
                    self.mended.replaced.add(replaced, number);
                    self.mended.nul.add(nul, number);
                    text
                });
                Ok(cells.collect())
            }
        };
        Some(Ok(Line { number, cells, bytes: record.raw, typed: None }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(bytes: &[u8]) -> Result<(tempfile::NamedTempFile, CsvFile), TableError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let found = CsvFile::open(file.path(), Path::new("x.csv"), Stated::default())?;
        Ok((file, found))
    }

    fn rows(bytes: &[u8]) -> Vec<(u64, Vec<String>)> {
        let (_kept, file) = open(bytes).unwrap();
        file.lines().unwrap().map(|l| l.unwrap()).map(|l| (l.number, l.cells.unwrap())).collect()
    }

    #[test]
    fn blank_lines_marks_and_line_ends() {
        let plain = rows(b"a,b\n1,2\n\n3,4\n");
        assert_eq!(plain, [(2, vec!["1".into(), "2".into()]), (4, vec!["3".into(), "4".into()])]);
        for text in ["\u{feff}a,b\r\n1,2\r\n\r\n3,4\r\n", "a,b\r1,2\r\r3,4", "a;b\n1;2\n\n3;4\n"] {
            assert_eq!(rows(text.as_bytes()), plain, "{text:?}");
        }
        let later = rows(b"\n  \n,\na,b\n1,2\n");
        assert_eq!(later, [(5, vec!["1".into(), "2".into()])]);
        assert_eq!(rows(b"sep=;\na;b\n1;2,5\n"), [(3, vec!["1".into(), "2,5".into()])]);
    }

    #[test]
    fn a_quoted_line_break_stays_in_its_row() {
        let read = rows(b"a,b\n\"1\r\nx\",2\n3,4\n");
        assert_eq!(read, [(2, vec!["1\nx".into(), "2".into()]), (4, vec!["3".into(), "4".into()])]);
    }

    #[test]
    fn a_stray_quote_costs_its_own_line_only() {
        for end in ["\n", "\r", "\r\n"] {
            let (_kept, file) = open(["a,b", "1,\"oops", "3,4", ""].join(end).as_bytes()).unwrap();
            let lines: Vec<Line> = file.lines().unwrap().map(|l| l.unwrap()).collect();
            assert_eq!(lines.iter().map(|l| l.number).collect::<Vec<_>>(), [2, 3]);
            assert!(lines[0].cells.is_err());
            assert_eq!(lines[0].raw(), "1,\"oops");
            assert_eq!(lines[1].cells.as_ref().unwrap(), &["3", "4"]);
        }
    }

    #[test]
    fn encodings() {
        let (_kept, file) = open(b"a,b\ncaf\xe9,caf\xc3\xa9\n\0\xc3,\xc3\xa9\xc3\n").unwrap();
        let mut lines = file.lines().unwrap();
        assert_eq!(lines.next().unwrap().unwrap().cells.unwrap(), ["café", "café"]);
        assert_eq!(lines.next().unwrap().unwrap().cells.unwrap(), ["Ã", "é\u{fffd}"]);
        assert_eq!(
            lines.mended(),
            [
                "2 cells are not UTF-8 and were read as Windows-1252, the first in line 2",
                "1 sequence of bytes is not UTF-8 and was read as U+FFFD, in line 3",
                "1 NUL byte was left out, in line 3"
            ]
        );
        let utf16: Vec<u8> = "\u{feff}a,b\n1,é\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(rows(&utf16)[0].1, ["1", "é"]);
        let russian =
            "текст,метка\nСшей носок и покажи спектакль,кухня\nПой песню вместе с нами,музыка\n".repeat(4);
        let (_kept, file) = open(&encoding_rs::WINDOWS_1251.encode(&russian).0).unwrap();
        assert_eq!(file.columns(), ["текст", "метка"]);
        assert!(file.notes()[0].starts_with("read as windows-1251: "), "{:?}", file.notes());
    }

    #[test]
    fn rows_that_r_numbers() {
        assert_eq!(rows(b"a,b\n1,x,y\n2,z,w\n")[1], (3, vec!["z".into(), "w".into()]));
        assert_eq!(rows(b"a,b\nx,y,1\nz,w,2\n")[1].1.len(), 3);
    }

    #[test]
    fn empty_and_binary_files_are_named() {
        for (bytes, word) in [(&b""[..], "empty"), (b"\n\n", "empty"), (b"a,b\n\0\x01", "binary")] {
            let message = open(bytes).err().unwrap().to_string();
            assert!(message.contains("x.csv") && message.contains(word), "{message}");
        }
    }
}
