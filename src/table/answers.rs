//! Tables of answers, as `pipeline predict` writes them: told by their columns, so that none is taken for raw data.

use std::io::{self, Read};
use std::path::Path;

use super::bytes::opened;
use super::formats::open_by_beginning;
use super::json_lines::object_of;

/// The first column where the caller's own are left out, and the first key of an answer in JSON lines: where the row begins.
pub const LINE: &str = "line";

/// The column of the class that answers, and behind it that of its probability.
pub const LABEL: &str = "label";
/// The column of its probability.
pub const PROBABILITY: &str = "probability";
/// The column of whether a row is unlike those of the training.
pub const UNLIKE_TRAINING: &str = "unlike_training";
/// The column of the classes that a row may have.
pub const SET: &str = "set";
/// The column of the words and columns that say most for or against the label.
pub const BECAUSE: &str = "because";
/// The last column: why there is no answer.
pub const REASON: &str = "reason";

/// Bytes in which a header ends.
const LONGEST_HEADER: u64 = 1 << 20;

/// What a column of the answer is called that would be called `name`, the input having a column of that name: the first of many.
pub fn renamed(name: &str, times: usize) -> String {
    let number = if times == 1 { String::new() } else { format!(" {times}") };
    format!("{name} (answer{number})")
}

/// Whether a file is a table of answers: its columns have label and probability side by side, and the reason last; or it begins with
/// an object of an answer.
///
/// # Errors
/// The file cannot be read.
pub fn is_answers(path: &Path) -> io::Result<bool> {
    if let Some(typed) = open_by_beginning(path) {
        return Ok(are_columns_of_answers(typed.columns().iter().map(String::as_bytes)));
    }
    let mut beginning = Vec::new();
    opened(path)?.take(LONGEST_HEADER).read_to_end(&mut beginning)?;
    let line = beginning.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if let Some(Ok(object)) = object_of(line, true) {
        let has = |name: &str| object.iter().any(|(key, _)| key == name);
        let begins = object.first().is_some_and(|(key, _)| key == LINE);
        return Ok(begins && has(LABEL) && (has(PROBABILITY) || has(REASON)));
    }
    let header = |delimiter: u8| {
        let mut reader = csv::ReaderBuilder::new();
        let mut reader = reader.has_headers(false).delimiter(delimiter).from_reader(&beginning[..]);
        // What is no such table may be anything.
        reader.byte_records().next().and_then(Result::ok).unwrap_or_default()
    };
    Ok(b",\t".iter().any(|delimiter| are_columns_of_answers(header(*delimiter).iter())))
}

fn are_columns_of_answers<'a>(names: impl Iterator<Item = &'a [u8]>) -> bool {
    let is = |cell: &[u8], name: &str| {
        let rest = cell.strip_prefix(name.as_bytes());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b" (answer"))
    };
    let names: Vec<&[u8]> = names.collect();
    let answered = names.windows(2).any(|pair| is(pair[0], LABEL) && is(pair[1], PROBABILITY));
    answered && names.last().is_some_and(|last| is(last, REASON))
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
            ("line\tlabel\tprobability\ta\tb\treason\n", true),
            ("{\"line\":2,\"input\":{},\"label\":\"a\",\"probability\":0.9}\n", true),
            ("{\"line\":2,\"label\":null,\"reason\":\"no text\"}\n", true),
            ("{\"text\":\"a\",\"label\":\"a\",\"probability\":0.9}\n", false),
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
