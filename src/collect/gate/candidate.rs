//! What comes before the gate: candidate rows, and the rows that they are held against.

use std::collections::BTreeMap;

use super::vectors::Vectors;

/// The columns of a row by name, each with its items: one for plain text, several for a list.
pub type Columns = BTreeMap<String, Vec<String>>;

/// A row that might be added to the dataset.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candidate {
    /// Its fields, which the encoder reads.
    pub texts: Columns,
    /// Its other columns, as they stand.
    pub values: Columns,
    /// The class that its source claims, an index of the classes.
    pub class: usize,
}

impl Candidate {
    /// A field's text, empty where there is none.
    pub fn text(&self, field: &str) -> String {
        self.texts.get(field).map_or_else(String::new, |items| prose(items))
    }

    /// All its texts, a field a line, in the order of their names.
    pub fn joined(&self) -> String {
        joined(&self.texts)
    }
}

/// The items of a column as one text: sentences after one another, words with commas between.
pub fn prose(items: &[String]) -> String {
    let mut text = String::new();
    for item in items.iter().map(|item| item.trim()).filter(|item| !item.is_empty()) {
        if !text.is_empty() {
            text.push_str(if text.ends_with(['.', '!', '?', ':', ';', '…']) { " " } else { ", " });
        }
        text.push_str(item);
    }
    text
}

/// The texts of a row, a field a line, in the order of their names.
pub fn joined(texts: &Columns) -> String {
    let lines: Vec<String> =
        texts.values().map(|items| prose(items)).filter(|text| !text.is_empty()).collect();
    lines.join("\n")
}

/// Candidates with what the model makes of them.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The candidates, in the order in which they were found or written: of two that are alike the first is taken.
    pub candidates: &'a [Candidate],
    /// The embedding of each, by the encoder of the dataset; without them nothing is compared but texts.
    pub vectors: Option<Vectors<'a>>,
    /// What the current model says of each; without it no opinion is asked.
    pub probabilities: Option<Probabilities<'a>>,
}

/// Class probabilities by a model that has not learned from the candidates: candidates × classes, row-major.
#[derive(Clone, Copy, Debug)]
pub struct Probabilities<'a> {
    /// Each in `[0, 1]`, those of a candidate adding up to 1.
    pub values: &'a [f64],
    /// How many classes there are, at least 1.
    pub classes: usize,
}

/// Rows of the dataset that candidates are held against.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reference<'a> {
    /// The fields of each row.
    pub texts: &'a [Columns],
    /// The embedding of each row, of the same encoder and as many dimensions as those of the candidates.
    pub vectors: Option<Vectors<'a>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_read_as_prose_and_fields_as_lines() {
        let items = |of: &[&str]| of.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(prose(&items(&["Pour it out.", " ", "Rest", "again"])), "Pour it out. Rest, again");
        let texts = Columns::from([
            ("title".to_owned(), items(&["A walk"])),
            ("steps".to_owned(), items(&["Go.", "Stop."])),
            ("tags".to_owned(), Vec::new()),
        ]);
        let candidate = Candidate { texts, ..Candidate::default() };
        assert_eq!(candidate.joined(), "Go. Stop.\nA walk");
        assert_eq!(candidate.text("title"), "A walk");
        assert_eq!(candidate.text("none"), "");
    }
}
