//! Answers in a task's CSV, as spreadsheets give it back, or in the CSV that Label Studio exports.

use csv::{ReaderBuilder, StringRecord};

use super::said::{Place, Said, Unread};
use super::tasks::{ANNOTATOR, ID, LABEL, ROW_ID};

/// What each line says. The columns `id`, `label` and `annotator` are found by name, whatever their order and case; the last may
/// be missing. A column `row_id` goes before `id`: where Label Studio writes it, `id` is its own.
pub(crate) fn read_csv(text: &str) -> Vec<Result<Said, Unread>> {
    let whole = |value: &str, why: &str| {
        vec![Err(Unread { place: Place::File, value: value.to_owned(), why: why.to_owned() })]
    };
    if text.trim().is_empty() {
        return whole("", "it is empty");
    }
    let mut reader =
        ReaderBuilder::new().delimiter(delimiter(text)).flexible(true).from_reader(text.as_bytes());
    let header: Vec<String> = match reader.headers() {
        Ok(header) => header.iter().map(|name| name.trim().to_lowercase()).collect(),
        Err(error) => return whole("", &format!("is no CSV: {error}")),
    };
    let column = |wanted: &str| header.iter().position(|name| name == wanted);
    let id = column(ROW_ID).or_else(|| column(ID));
    let (Some(id), Some(label)) = (id, column(LABEL)) else {
        let missing = if id.is_none() { ID } else { LABEL };
        return whole(&header.join(", "), &format!("has no column `{missing}`"));
    };
    let annotator = column(ANNOTATOR);
    let line = |record: Result<StringRecord, csv::Error>| {
        let unread = |line: u64, value: String, why| Err(Unread { place: Place::Line(line), value, why });
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                return unread(line, String::new(), format!("is no line of a CSV: {error}"));
            }
        };
        let number = record.position().map_or(0, csv::Position::line);
        if record.len() != header.len() {
            let why = format!("has {} cells, the header {}", record.len(), header.len());
            return unread(number, record.iter().collect::<Vec<_>>().join(","), why);
        }
        let cell = |column: Option<usize>| column.and_then(|c| record.get(c)).unwrap_or_default().to_owned();
        let place = Place::Line(number);
        Ok(Said { place, id: cell(Some(id)), annotator: cell(annotator), label: cell(Some(label)) })
    };
    reader.records().map(line).collect()
}

/// The one of comma, semicolon and tab that the header has most of: spreadsheets take the one of their country.
fn delimiter(text: &str) -> u8 {
    let header = text.lines().next().unwrap_or_default();
    let count = |delimiter: u8| header.bytes().filter(|&b| b == delimiter).count();
    [b';', b'\t'].into_iter().fold(b',', |best, other| if count(other) > count(best) { other } else { best })
}
