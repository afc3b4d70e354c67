//! CSV files: bytes to numbered lines of decoded cells.

use std::borrow::Cow;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::errors::TableError;
use super::source::{Line, Lines, Source, Unreadable};

/// A CSV file with its header found.
pub struct CsvFile {
    path: PathBuf,
    bytes: Vec<u8>,
    delimiter: u8,
    header: Vec<String>,
    header_line: u64,
    /// Where the rows begin.
    start: usize,
    start_line: u64,
}

impl CsvFile {
    /// Read `path`, shown as `shown`.
    ///
    /// UTF-8 with or without a byte-order mark, UTF-16 with one, and cells in Windows-1252 are understood; any line
    /// ends; blank lines before the header are passed over.
    ///
    /// # Errors
    /// The file is unreadable, empty or binary.
    pub fn open(path: &Path, shown: &Path, delimiter: char) -> Result<Self, TableError> {
        let bytes =
            std::fs::read(path).map_err(|source| TableError::Read { path: shown.to_owned(), source })?;
        let bytes = match encoding_rs::Encoding::for_bom(&bytes) {
            Some((encoding, length)) if encoding == encoding_rs::UTF_8 => bytes[length..].to_vec(),
            Some((encoding, _)) => encoding.decode(&bytes).0.into_owned().into_bytes(),
            None => bytes,
        };
        let delimiter = u8::try_from(delimiter).unwrap_or(b',');
        let mut file = Self {
            path: shown.to_owned(),
            bytes,
            delimiter,
            header: Vec::new(),
            header_line: 0,
            start: 0,
            start_line: 1,
        };
        if file.bytes.contains(&0) {
            return Err(file.fault("is a binary file (it holds NUL bytes), not a CSV".into()));
        }
        let mut reader = file.reader(0);
        let mut record = csv::ByteRecord::new();
        loop {
            match reader.read_byte_record(&mut record) {
                Ok(true) if record.iter().all(|c| c.trim_ascii().is_empty()) => {}
                Ok(true) => break,
                _ => return Err(file.fault("is empty; the first line must name the columns".into())),
            }
        }
        let header_line = record.position().map_or(1, csv::Position::line);
        let (start, start_line) = (reader.position().byte() as usize, reader.position().line());
        drop(reader);
        file.header = record.iter().map(|c| decode(c).0.trim().to_owned()).collect();
        (file.start, file.start_line, file.header_line) = (start, start_line, header_line);
        Ok(file)
    }

    fn reader(&self, from: usize) -> csv::Reader<&[u8]> {
        csv::ReaderBuilder::new()
            .delimiter(self.delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(&self.bytes[from.min(self.bytes.len())..])
    }
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

    fn lines(&self) -> Box<dyn Lines<'_> + '_> {
        Box::new(CsvLines {
            file: self,
            reader: self.reader(self.start),
            base: (self.start, self.start_line),
            legacy_cells: 0,
            first_legacy_line: 0,
        })
    }

    fn fault(&self, reason: String) -> TableError {
        TableError::Header { path: self.path.clone(), reason, remedy: None }
    }
}

struct CsvLines<'a> {
    file: &'a CsvFile,
    reader: csv::Reader<&'a [u8]>,
    /// Byte and line of the file where `reader` began.
    base: (usize, u64),
    /// Cells that were Windows-1252.
    legacy_cells: usize,
    /// Line of the first such cell.
    first_legacy_line: u64,
}

impl<'a> Lines<'a> for CsvLines<'a> {
    fn mended(&self) -> Option<String> {
        (self.legacy_cells > 0).then(|| {
            format!(
                "{} cells were not UTF-8 and were read as Windows-1252, the first in line {}",
                self.legacy_cells, self.first_legacy_line
            )
        })
    }
}

impl<'a> Iterator for CsvLines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let mut record = csv::ByteRecord::new();
        loop {
            // Reading from memory with `flexible` cannot fail.
            if !self.reader.read_byte_record(&mut record).unwrap_or(false) {
                return None;
            }
            // Separators without anything between them are a row, which whoever asks about every row wants answered.
            if record.len() > 1 || !record.iter().all(|c| c.trim_ascii().is_empty()) {
                break;
            }
        }
        // The csv crate gives the position before any blank lines it passed over.
        let start = record.position().map_or(0, |p| p.byte() as usize) + self.base.0;
        let mut end = self.reader.position().byte() as usize + self.base.0;
        let blank = self.file.bytes[start..end].iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
        let (start, skipped) = (start + blank, count_lines(&self.file.bytes[start..start + blank]));
        let number = record.position().map_or(0, csv::Position::line) + self.base.1 - 1 + skipped;

        let first_line_end =
            self.file.bytes[start..end].iter().position(|&b| b == b'\n').map_or(end, |p| start + p + 1);
        // A stray quote swallows the lines after it. Give up its own line only and read on from the next.
        let unclosed_quote =
            first_line_end < end && !well_quoted(&self.file.bytes[start..end], self.file.delimiter);
        if unclosed_quote {
            end = first_line_end;
            self.base = (end, number + 1);
            self.reader = self.file.reader(end);
            let fault = Unreadable {
                reason: "a quote is opened here and never closed".into(),
                remedy: Some("double it or close it"),
            };
            return Some(Line { number, cells: Err(fault), raw: self.raw(start..end) });
        }
        let mut decoded = Vec::with_capacity(record.len());
        for cell in &record {
            let (text, legacy) = decode(cell);
            if legacy {
                self.legacy_cells += 1;
                if self.first_legacy_line == 0 {
                    self.first_legacy_line = number;
                }
            }
            decoded.push(text.into_owned());
        }
        Some(Line { number, cells: Ok(decoded), raw: self.raw(start..end) })
    }
}

impl<'a> CsvLines<'a> {
    fn raw(&self, bytes: Range<usize>) -> Cow<'a, str> {
        decode(self.file.bytes[bytes].trim_ascii_end()).0
    }
}

/// Whether every quote that opens a field is closed before a delimiter, a line end or the end (RFC 4180).
fn well_quoted(record: &[u8], delimiter: u8) -> bool {
    let (mut quoted, mut field_start, mut i) = (false, true, 0);
    while i < record.len() {
        let (byte, next) = (record[i], record.get(i + 1).copied());
        if quoted && byte == b'"' {
            match next {
                Some(b'"') => i += 1,
                None | Some(b'\n' | b'\r') => quoted = false,
                Some(n) if n == delimiter => quoted = false,
                Some(_) => return false,
            }
        } else if !quoted {
            quoted = field_start && byte == b'"';
            field_start = byte == delimiter || byte == b'\n';
        }
        i += 1;
    }
    !quoted
}

fn count_lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&b| b == b'\n').count() as u64
}

/// UTF-8, else Windows-1252 (which has a character for every byte); whether it was the latter.
fn decode(bytes: &[u8]) -> (Cow<'_, str>, bool) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Cow::Borrowed(text), false),
        Err(_) => (encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(bytes: &[u8]) -> Result<CsvFile, TableError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        CsvFile::open(file.path(), Path::new("x.csv"), ',')
    }

    fn rows(bytes: &[u8]) -> Vec<(u64, Vec<String>)> {
        open(bytes).unwrap().lines().map(|l| (l.number, l.cells.unwrap())).collect()
    }

    #[test]
    fn blank_lines_marks_and_line_ends() {
        let plain = rows(b"a,b\n1,2\n\n3,4\n");
        assert_eq!(plain, [(2, vec!["1".into(), "2".into()]), (4, vec!["3".into(), "4".into()])]);
        assert_eq!(rows(b"\xef\xbb\xbfa,b\r\n1,2\r\n\r\n3,4\r\n"), plain);
        let later = rows(b"\n  \n,\na,b\n1,2\n");
        assert_eq!(later, [(5, vec!["1".into(), "2".into()])]);
    }

    #[test]
    fn a_quoted_line_break_stays_in_its_row() {
        let read = rows(b"a,b\n\"1\nx\",2\n3,4\n");
        assert_eq!(read[0], (2, vec!["1\nx".into(), "2".into()]));
        assert_eq!(read[1].0, 4);
    }

    #[test]
    fn a_stray_quote_costs_its_own_line_only() {
        for (stray, rest) in
            [("\"oops,2", "3,4\n5,6\n"), ("1,\"oops", "3,4\n5,6\n"), ("1,\"oops", "3,\"4\"\n5,6\n")]
        {
            let file = open(format!("a,b\n{stray}\n{rest}").as_bytes()).unwrap();
            let lines: Vec<Line> = file.lines().collect();
            assert_eq!(lines.iter().map(|l| l.number).collect::<Vec<_>>(), [2, 3, 4], "{stray}");
            assert!(lines[0].cells.is_err());
            assert_eq!(lines[0].raw, stray);
            assert_eq!(lines[1].cells.as_ref().unwrap(), &["3", "4"]);
        }
    }

    #[test]
    fn a_ragged_row_of_several_lines_stays_one_row() {
        let read = rows(b"a,b,c\n\"first\nsecond, inner\nthird\",2\n3,4,5\n");
        assert_eq!(read.iter().map(|r| (r.0, r.1.len())).collect::<Vec<_>>(), [(2, 2), (5, 3)]);
    }

    #[test]
    fn encodings() {
        let file = open(b"a,b\ncaf\xe9,caf\xc3\xa9\n").unwrap();
        let mut lines = file.lines();
        assert_eq!(lines.next().unwrap().cells.unwrap(), ["café", "café"]);
        let mended = lines.mended().unwrap();
        assert!(mended.starts_with("1 cells") && mended.ends_with("line 2"), "{mended}");
        let utf16: Vec<u8> = "\u{feff}a,b\n1,é\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(rows(&utf16)[0].1, ["1", "é"]);
    }

    #[test]
    fn empty_and_binary_files_are_named() {
        for (bytes, word) in [(&b""[..], "empty"), (b"\n\n", "empty"), (b"a,b\n\0\x01", "binary")] {
            let message = open(bytes).err().unwrap().to_string();
            assert!(message.contains("x.csv") && message.contains(word), "{message}");
        }
    }
}
