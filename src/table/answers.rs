//! Tables of answers, as `pipeline predict` writes them: told by their header, so that none is taken for raw data.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The column of the class that answers, and behind it that of its probability.
pub const LABEL: &str = "label";
/// The column of its probability.
pub const PROBABILITY: &str = "probability";
/// The last column: why there is no answer.
pub const REASON: &str = "reason";

/// Bytes in which a header ends.
const LONGEST_HEADER: u64 = 1 << 20;

/// What a column of the answer is called that would be called `name`, the input having a column of that name: the first of many.
pub fn renamed(name: &str, times: usize) -> String {
    let number = if times == 1 { String::new() } else { format!(" {times}") };
    format!("{name} (answer{number})")
}

/// Whether a file begins as a table of answers does: label and probability side by side, and the reason last.
///
/// # Errors
/// The file cannot be read.
pub fn is_answers(path: &Path) -> io::Result<bool> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(File::open(path)?.take(LONGEST_HEADER));
    // What is no such table may be anything.
    let Some(Ok(header)) = reader.byte_records().next() else { return Ok(false) };
    let is = |cell: &[u8], name: &str| {
        let rest = cell.strip_prefix(name.as_bytes());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b" (answer"))
    };
    let cells: Vec<&[u8]> = header.iter().collect();
    let answered = cells.windows(2).any(|pair| is(pair[0], LABEL) && is(pair[1], PROBABILITY));
    Ok(answered && cells.last().is_some_and(|last| is(last, REASON)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_by_their_header() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (header, expected) in [
            ("line,label,probability,a,b,reason\n2,a,0.9,0.9,0.1,\n", true),
            ("text,label,label (answer),probability,a,b,reason (answer 2)\n", true),
            ("text,label\n", false),
            ("text,label,probability\n", false),
            ("text;label;probability;reason\n", false),
            ("", false),
            ("\u{0}\u{1}\n", false),
        ] {
            std::fs::write(file.path(), header).unwrap();
            assert_eq!(is_answers(file.path()).unwrap(), expected, "{header:?}");
        }
    }
}
