//! Bytes to the records of a delimited file (RFC 4180), as a stream, in linear time whatever the bytes are.

use std::borrow::Cow;
use std::io::{self, Read};
use std::ops::Range;

/// Bytes that a quoted cell may reach beyond its line; a quote that is closed no sooner is a stray one.
const LONGEST: usize = 64 << 20;

/// The records of `input` in order.
///
/// A record ends with a line feed, a carriage return, or both. A quote opens a cell only at its beginning, and closes it only before
/// a delimiter or a record's end; where an opened quote is followed by lines and closed otherwise, it costs its own line, and the
/// next one is read anew. That is linear: lines are read twice only where all quotes in them stand in pairs, none of which can open
/// a cell that reaches beyond its line.
pub struct Records<R> {
    input: R,
    /// Bytes that were read and not given out, from `start` on.
    window: Vec<u8>,
    start: usize,
    ended: bool,
    delimiter: u8,
    /// Of the next record, counted from 1.
    line: u64,
}

/// One record.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Line where it begins, counted from 1.
    pub line: u64,
    /// Its bytes without the line end.
    pub raw: Vec<u8>,
    /// Where its cells lie in `raw`, with their quotes; `None` where a quote is opened and not closed as it must be.
    cells: Option<Vec<Range<usize>>>,
}

impl Record {
    /// Its cells, or `None` where a quote is opened and not closed.
    pub fn cells(&self) -> Option<impl ExactSizeIterator<Item = Cow<'_, [u8]>>> {
        Some(self.cells.as_ref()?.iter().map(|range| unquoted(&self.raw[range.clone()])))
    }

    /// Whether it is a line without anything but white space.
    pub fn is_empty_line(&self) -> bool {
        self.cells.as_ref().is_some_and(|cells| cells.len() == 1) && self.raw.trim_ascii().is_empty()
    }
}

impl<R: Read> Records<R> {
    /// Those that `input` gives, cells parted by `delimiter`.
    pub fn new(input: R, delimiter: u8) -> Self {
        Self { input, window: Vec::new(), start: 0, ended: false, delimiter, line: 1 }
    }

    /// The byte `at` bytes after the beginning of the next record.
    #[inline]
    fn byte(&mut self, at: usize) -> io::Result<Option<u8>> {
        match self.window.get(self.start + at) {
            Some(&byte) => Ok(Some(byte)),
            None => self.byte_beyond(at),
        }
    }

    #[cold]
    fn byte_beyond(&mut self, at: usize) -> io::Result<Option<u8>> {
        // What was given out is moved away only when that at least halves the window, so that each byte is moved once or twice.
        if self.start * 2 > self.window.len() {
            self.window.drain(..self.start);
            self.start = 0;
        }
        while !self.ended && self.start + at >= self.window.len() {
            let filled = self.window.len();
            self.window.resize(filled + (1 << 16).max(filled / 2), 0);
            let read = loop {
                match self.input.read(&mut self.window[filled..]) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    other => break other,
                }
            };
            self.window.truncate(filled + *read.as_ref().unwrap_or(&0));
            self.ended = read? == 0;
        }
        Ok(self.window.get(self.start + at).copied())
    }

    /// Length of the line end at `at`, 0 where there is none.
    fn line_end(&mut self, at: usize) -> io::Result<usize> {
        Ok(match self.byte(at)? {
            Some(b'\r') if self.byte(at + 1)? == Some(b'\n') => 2,
            Some(b'\r' | b'\n') => 1,
            _ => 0,
        })
    }

    fn read(&mut self) -> io::Result<Option<Record>> {
        if self.byte(0)?.is_none() {
            return Ok(None);
        }
        let (mut at, mut cells) = (0, Vec::new());
        // Where the record's first line ends, if a quoted cell goes on beyond it, and how many lines it has had.
        let (mut first_line, mut line_ends) = (None, 0);
        loop {
            let begin = at;
            if self.byte(at)? == Some(b'"') {
                at += 1;
                let closed = loop {
                    match self.byte(at)? {
                        None => break false,
                        Some(b'"') if self.byte(at + 1)? == Some(b'"') => at += 2,
                        Some(b'"') => {
                            at += 1;
                            break self
                                .byte(at)?
                                .is_none_or(|b| b == self.delimiter || b == b'\n' || b == b'\r');
                        }
                        Some(b'\n' | b'\r') => {
                            first_line.get_or_insert(at);
                            line_ends += 1;
                            at += self.line_end(at)?;
                            if at > LONGEST {
                                break false;
                            }
                        }
                        Some(_) => at += 1,
                    }
                };
                if let (false, Some(end)) = (closed, first_line) {
                    return self.give(end, None, 0);
                }
            }
            while self.byte(at)?.is_some_and(|b| b != self.delimiter && b != b'\n' && b != b'\r') {
                at += 1;
            }
            cells.push(begin..at);
            if self.byte(at)? != Some(self.delimiter) {
                return self.give(at, Some(cells), line_ends);
            }
            at += 1;
        }
    }

    /// The record that ends before `end`, where a line ends, after so many line ends within.
    fn give(
        &mut self,
        end: usize,
        cells: Option<Vec<Range<usize>>>,
        within: u64,
    ) -> io::Result<Option<Record>> {
        let line_end = self.line_end(end)?;
        let record =
            Record { line: self.line, raw: self.window[self.start..self.start + end].to_vec(), cells };
        self.start += end + line_end;
        self.line += within + u64::from(line_end > 0);
        Ok(Some(record))
    }
}

impl<R: Read> Iterator for Records<R> {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// A cell without the quotes around it, and with one for each two within. What follows a closing quote belongs to the cell.
fn unquoted(cell: &[u8]) -> Cow<'_, [u8]> {
    let Some(inner) = cell.strip_prefix(b"\"") else { return Cow::Borrowed(cell) };
    if let Some(plain) = inner.strip_suffix(b"\"")
        && !plain.contains(&b'"')
    {
        return Cow::Borrowed(plain);
    }
    let (mut text, mut at) = (Vec::with_capacity(inner.len()), 0);
    while at < inner.len() {
        if inner[at] == b'"' {
            at += 1;
            if inner.get(at) != Some(&b'"') {
                text.extend_from_slice(&inner[at..]);
                break;
            }
        }
        text.push(inner[at]);
        at += 1;
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Vec<(u64, Option<Vec<String>>)> {
        let cells = |record: &Record| {
            Some(record.cells()?.map(|cell| String::from_utf8_lossy(&cell).into_owned()).collect())
        };
        Records::new(bytes, b',').map(|r| r.unwrap()).map(|r| (r.line, cells(&r))).collect()
    }

    fn row(line: u64, cells: &[&str]) -> (u64, Option<Vec<String>>) {
        (line, Some(cells.iter().map(ToString::to_string).collect()))
    }

    #[test]
    fn line_ends_of_every_kind_are_counted() {
        for end in ["\n", "\r", "\r\n"] {
            let text = ["a,b", "1,\"x", "y\"", "", "2,z", ""].join(end);
            let inner = format!("x{end}y");
            assert_eq!(
                read(text.as_bytes()),
                [row(1, &["a", "b"]), row(2, &["1", &inner]), row(4, &[""]), row(5, &["2", "z"])],
                "{end:?}"
            );
        }
    }

    #[test]
    fn a_stray_quote_costs_its_own_line_only() {
        for stray in ["\"oops,2", "1,\"oops", "\"a\"\"b,2"] {
            for rest in ["3,4\n5,6\n", "3,\"4\"\n5,6\n", "3,\"4\n4\"\n5,6\n"] {
                let found = read(format!("a,b\n{stray}\n{rest}").as_bytes());
                assert_eq!(found[1], (2, None), "{stray} {rest}");
                let last = found.last().unwrap();
                assert_eq!((last.1.clone(), found.len()), (row(0, &["5", "6"]).1, 4), "{stray} {rest}");
            }
        }
        assert_eq!(read(b"5\" nail,\"5\" nail\",\"\"\n"), [row(1, &["5\" nail", "5 nail\"", ""])]);
        assert_eq!(read(b"1,\"oops"), [row(1, &["1", "oops"])]);
    }

    proptest! {
        /// On files without faults it reads what the csv crate does; the records together are the file.
        #[test]
        fn agrees_with_the_csv_crate(rows in prop::collection::vec(prop::collection::vec("[a\",\\n\\r ]{0,6}", 2..4), 1..8)) {
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            rows.iter().for_each(|row| writer.write_record(row).unwrap());
            let bytes = writer.into_inner().unwrap();
            let found: Vec<Vec<String>> = read(&bytes).into_iter().map(|(_, cells)| cells.unwrap()).collect();
            prop_assert_eq!(found, rows);
        }

        /// Whatever the bytes are: each is in one record, and lines are those of the records before.
        #[test]
        fn nothing_is_lost(bytes in "[a\",\\n\\r]{0,60}") {
            let (mut rest, mut line) = (bytes.as_bytes(), 1);
            for record in Records::new(bytes.as_bytes(), b',').map(|r| r.unwrap()) {
                prop_assert_eq!(record.line, line);
                rest = rest.strip_prefix(&record.raw[..]).unwrap();
                let end = [&b"\r\n"[..], b"\n", b"\r"].into_iter().find(|end| rest.starts_with(end)).unwrap_or(b"");
                rest = &rest[end.len()..];
                let text = [&record.raw, end].concat();
                line += (String::from_utf8_lossy(&text).replace("\r\n", "\n").replace('\r', "\n").matches('\n').count()) as u64;
            }
            prop_assert!(rest.is_empty());
        }
    }
}
