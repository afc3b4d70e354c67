//! A raw file without some of its lines, the others byte for byte as they were: quotes, encoding, line ends.

use std::fs;
use std::io::{Read, Write};
use std::ops::Range;
use std::path::Path;

use encoding_rs::{UTF_16BE, UTF_16LE};

use super::bytes::{Packer, opened, packing_of};
use super::encoding;
use super::errors::TableError;
use super::formats::{LineEnds, line_ends};
use super::source::Stated;
use crate::store::{StoreError, is_temporary, keep, temporary_called};

/// Why lines cannot be taken out of a file.
#[derive(Debug, thiserror::Error)]
pub enum WithoutError {
    /// The file cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// It cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How the name of a file begins that is being written.
const UNFINISHED: &str = ".without";

/// Remove what a killed [`write_without`] has left beside the file `path`. Nobody else may be at it.
///
/// # Errors
/// It is there and cannot be removed.
pub fn remove_unfinished(path: &Path) -> Result<(), StoreError> {
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let entries = fs::read_dir(target.parent().unwrap_or(Path::new("."))).into_iter().flatten();
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(UNFINISHED) && is_temporary(&path) {
            fs::remove_file(&path).map_err(StoreError::of("remove", &path))?;
        }
    }
    Ok(())
}

/// Whether a file has lines of text, which can be taken out; sheets and columns of types have none.
pub fn has_lines(path: &Path) -> bool {
    line_ends(path).is_some()
}

/// Take lines out of the file `path`, which is replaced whole or not at all and keeps its permissions; a link's target is replaced, not
/// the link. A compressed file is compressed anew, and a byte-order mark stays. `gone` are numbers of lines, counted from 1, in order.
///
/// # Errors
/// The file cannot be read or written.
pub fn write_without(path: &Path, stated: Stated, gone: &[Range<u64>]) -> Result<(), WithoutError> {
    let unreadable = |source| TableError::Read { path: path.to_owned(), source };
    let target = path.canonicalize().map_err(unreadable)?;
    let packing = packing_of(&target).map_err(unreadable)?;
    let mut bytes = Vec::new();
    opened(&target).and_then(|mut input| input.read_to_end(&mut bytes)).map_err(unreadable)?;
    let ends = line_ends(&target).unwrap_or(LineEnds::Any);
    let wide = match encoding::find(&bytes[..], stated.encoding).map_err(unreadable)? {
        Ok(found) if found.encoding == UTF_16LE => Unit::Little,
        Ok(found) if found.encoding == UTF_16BE => Unit::Big,
        _ => Unit::Byte,
    };
    let left = without(&bytes, ends, wide, gone);
    let fail = StoreError::of("write", &target);
    let folder = target.parent().unwrap_or(Path::new("."));
    let file = temporary_called(folder, UNFINISHED).map_err(&fail)?;
    let mut packer = Packer::new(file.as_file(), packing).map_err(&fail)?;
    packer.write_all(&left).and_then(|()| packer.finish()).map_err(&fail)?;
    let permissions = fs::metadata(&target).map_err(&fail)?.permissions();
    file.as_file().set_permissions(permissions).map_err(&fail)?;
    Ok(keep(file, &target)?)
}

/// What a character of a line end takes.
#[derive(Clone, Copy, PartialEq)]
enum Unit {
    Byte,
    Little,
    Big,
}

fn without(bytes: &[u8], ends: LineEnds, unit: Unit, gone: &[Range<u64>]) -> Vec<u8> {
    let mut left = Vec::with_capacity(bytes.len());
    let mut gone = gone.iter().peekable();
    for (number, line) in (1..).zip(Lines { bytes, at: 0, ends, unit }) {
        while gone.next_if(|range| range.end <= number).is_some() {}
        match gone.peek().is_some_and(|range| range.contains(&number)) {
            false => left.extend_from_slice(line),
            true if number == 1 => left.extend_from_slice(mark(line)),
            true => {}
        }
    }
    left
}

/// The byte-order mark at the beginning of a file.
fn mark(line: &[u8]) -> &[u8] {
    let marks: [&[u8]; 3] = ["\u{feff}".as_bytes(), b"\xff\xfe", b"\xfe\xff"];
    marks.into_iter().find(|mark| line.starts_with(mark)).unwrap_or_default()
}

/// The lines of a file with their ends.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    ends: LineEnds,
    unit: Unit,
}

impl Lines<'_> {
    /// The character at a place and its length, as far as a line end may be one.
    fn character(&self, at: usize) -> Option<(u8, usize)> {
        let pair = || Some([*self.bytes.get(at)?, *self.bytes.get(at + 1)?]);
        let ascii = |[low, high]: [u8; 2]| (if high == 0 { low } else { 0 }, 2);
        match self.unit {
            Unit::Byte => self.bytes.get(at).map(|&byte| (byte, 1)),
            Unit::Little => pair().map(ascii),
            Unit::Big => pair().map(|[high, low]| ascii([low, high])),
        }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<Self::Item> {
        let begin = self.at;
        while let Some((character, length)) = self.character(self.at) {
            self.at += length;
            match (character, self.ends) {
                (b'\n', _) => return Some(&self.bytes[begin..self.at]),
                (b'\r', LineEnds::Any) => {
                    if let Some((b'\n', length)) = self.character(self.at) {
                        self.at += length;
                    }
                    return Some(&self.bytes[begin..self.at]);
                }
                _ => {}
            }
        }
        // What is left of a character that was cut is of the last line, too.
        self.at = self.bytes.len();
        (begin < self.at).then(|| &self.bytes[begin..])
    }
}

/// The lines that a record of a file takes which begins in line `number` and stands there as `record`.
pub fn lines_of(path: &Path, number: u64, record: &[u8]) -> Range<u64> {
    let within = match line_ends(path) {
        Some(LineEnds::Any) => Lines { bytes: record, at: 0, ends: LineEnds::Any, unit: Unit::Byte }
            .filter(|line| line.ends_with(b"\n") || line.ends_with(b"\r"))
            .count(),
        _ => 0,
    };
    number..number + 1 + within as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn other_lines_stay_as_they_are() {
        for (text, gone, expected) in [
            ("a,b\n1,2\n3,4\n", &[[2, 3]][..], "a,b\n3,4\n"),
            ("a,b\r\n1,2\r\n\"3\r\n\",4\r\n5,6", &[[3, 5]], "a,b\r\n1,2\r\n5,6"),
            ("a\r1\r2\r", &[[2, 3], [3, 4]], "a\r"),
            ("a\n1\n2", &[[3, 4]], "a\n1\n"),
        ] {
            let gone: Vec<Range<u64>> = gone.iter().map(|&[start, end]| start..end).collect();
            assert_eq!(without(text.as_bytes(), LineEnds::Any, Unit::Byte, &gone), expected.as_bytes());
            let little = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
            assert_eq!(without(&little(text), LineEnds::Any, Unit::Little, &gone), little(expected));
            let big = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
            assert_eq!(without(&big(text), LineEnds::Any, Unit::Big, &gone), big(expected));
        }
        // A carriage return in a line of JSON ends nothing; the mark before the first object stays.
        let json = "\u{feff}{\"a\":\r1}\n{\"a\":2}\n";
        let left = without(json.as_bytes(), LineEnds::LineFeed, Unit::Byte, &[Range { start: 1, end: 2 }]);
        assert_eq!(left, "\u{feff}{\"a\":2}\n".as_bytes());
    }

    #[test]
    fn a_file_keeps_its_packing_and_its_permissions() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a.csv.gz"), folder.path().join("b.csv.gz"));
        let mut packer = Packer::new(Vec::new(), Some(crate::table::Packing::Gzip)).unwrap();
        packer.write_all(b"a\n1\n2\n").unwrap();
        fs::write(&path, packer.finish().unwrap()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("a.csv.gz", &link).unwrap();
        write_without(&link, Stated::default(), &[Range { start: 2, end: 3 }]).unwrap();
        let mut text = String::new();
        opened(&path).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "a\n2\n");
        assert_eq!(&fs::read(&path).unwrap()[..2], b"\x1f\x8b");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(link.symlink_metadata().unwrap().is_symlink());
        fs::write(folder.path().join(".withoutAb12.tmp"), "a\n").unwrap();
        remove_unfinished(&link).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    proptest! {
        /// Whatever the bytes: lines are the file, and the lines of a record are those up to the next one.
        #[test]
        fn records_are_whole_lines(text in "[a\",\\n\\r]{0,60}") {
            use crate::table::records::Records;
            let lines = |bytes| Lines { bytes, at: 0, ends: LineEnds::Any, unit: Unit::Byte };
            prop_assert_eq!(lines(text.as_bytes()).collect::<Vec<_>>().concat(), text.as_bytes());
            let mut next = 1;
            for record in Records::new(text.as_bytes(), b',').map(|record| record.unwrap()) {
                prop_assert_eq!(record.line, next);
                next = lines_of(Path::new("a.csv"), record.line, &record.raw).end;
            }
            prop_assert!(next > lines(text.as_bytes()).count() as u64);
        }
    }
}
