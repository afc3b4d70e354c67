//! What parts the cells of a file's lines, where nobody says it.

use super::records::{Record, Records};

/// Characters that tables are parted by.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// For files of one column: a character that does not occur in text, the "unit separator" of ASCII.
pub const NONE: u8 = 0x1f;

/// Records that are looked at.
const LOOKED_AT: usize = 1000;

/// Bytes that are looked at, about.
pub const SAMPLE: u64 = 1 << 20;

/// The delimiter that a first line `sep=;` states, as Excel writes and reads it.
pub fn stated_in(line: &[u8]) -> Option<u8> {
    let line = line.trim_ascii_end();
    let line = line.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(line);
    let (key, value) = line.split_at_checked(4)?;
    match value {
        [delimiter] if key.eq_ignore_ascii_case(b"sep=") => Some(*delimiter),
        // A tab at the line's end is white space too.
        [] if key.eq_ignore_ascii_case(b"sep=") => Some(b'\t'),
        _ => None,
    }
}

/// The delimiter by which most lines of a file's beginning have as many cells as the first one that is not blank; of equals the
/// one that makes most cells. [`NONE`] where each makes one cell of the first line.
pub fn found_in(beginning: &[u8], whole: bool) -> u8 {
    let mut best = (NONE, 0.0, 1);
    for delimiter in DELIMITERS {
        let mut counts = Vec::new();
        let mut records = Records::new(beginning, delimiter).map_while(Result::ok).peekable();
        while let Some(record) = records.next().filter(|_| counts.len() <= LOOKED_AT) {
            let count = cells(&record);
            // Before the header lines may be blank, and the last record of a beginning is cut.
            let blank = if counts.is_empty() { count == 0 } else { record.is_empty_line() };
            if !blank && (whole || records.peek().is_some()) && stated_in(&record.raw).is_none() {
                counts.push(count);
            }
        }
        let Some((&header, rows)) = counts.split_first() else { continue };
        if header < 2 {
            continue;
        }
        let alike = rows.iter().filter(|count| **count == header).count();
        let share = (alike + 1) as f64 / counts.len() as f64;
        if (share, header) > (best.1, best.2) {
            best = (delimiter, share, header);
        }
    }
    best.0
}

/// Cells up to the last one that is not blank.
fn cells(record: &Record) -> usize {
    let blank = |cell: &[u8]| cell.trim_ascii().is_empty();
    record.cells().map_or(0, |cells| {
        cells.enumerate().filter(|(_, cell)| !blank(cell)).last().map_or(0, |(place, _)| place + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_are_found() {
        for (text, expected) in [
            ("text,label\n\"a; b; c\",x\n\"d; e; f\",y\n", b','),
            ("text;label\na, b, c;x\nd, e, f;y\n", b';'),
            ("text\tlabel\na, b; c\tx\n", b'\t'),
            ("id|text|label\n1|a, b|x\n2|c, d|y\n", b'|'),
            ("sep=;\ntext;price;label\na;0,5;x\n", b';'),
            // As many commas as semicolons, but these in every line.
            ("a;b,c\n1;2\n3;4\n", b';'),
            ("text\nHello, world\nAnother one; with more\n", NONE),
            ("text,label,\na,x\nb,y\n", b','),
            ("", NONE),
        ] {
            assert_eq!(found_in(text.as_bytes(), true), expected, "{text}");
        }
    }

    #[test]
    fn a_line_states_a_delimiter() {
        for (line, expected) in [
            ("sep=;", Some(b';')),
            ("\"SEP=,\"", Some(b',')),
            ("sep=\t", Some(b'\t')),
            ("sep=;;", None),
            ("text", None),
        ] {
            assert_eq!(stated_in(line.as_bytes()), expected, "{line}");
        }
    }
}
