//! Rows whose texts are the same but for case, signs and spaces.

use std::collections::HashMap;

use super::candidate::{Columns, joined, prose};
use super::reason::{Among, Reason};
use crate::table::normalise;

/// Digest of a normalised text: the texts themselves need not be kept.
type Key = [u8; 32];

/// What the texts of a row are compared by; a text without a letter or digit is compared with nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TextKeys {
    whole: Option<Key>,
    /// Of each unique field.
    fields: Vec<Option<Key>>,
}

impl TextKeys {
    pub fn of(texts: &Columns, unique_fields: &[String]) -> Self {
        let field = |name: &String| texts.get(name).and_then(|items| key(&prose(items)));
        Self { whole: key(&joined(texts)), fields: unique_fields.iter().map(field).collect() }
    }
}

fn key(text: &str) -> Option<Key> {
    let text = normalise(text);
    (!text.is_empty()).then(|| blake3::hash(text.as_bytes()).into())
}

/// Rows by what their texts are compared by.
#[derive(Clone, Debug, Default)]
pub(crate) struct TextIndex {
    whole: HashMap<Key, usize>,
    fields: Vec<HashMap<Key, usize>>,
}

impl TextIndex {
    pub fn new(unique_fields: &[String]) -> Self {
        Self { whole: HashMap::new(), fields: vec![HashMap::new(); unique_fields.len()] }
    }

    /// All rows, each by the first that has its text.
    pub fn of(rows: &[Columns], unique_fields: &[String]) -> Self {
        let mut index = Self::new(unique_fields);
        rows.iter()
            .enumerate()
            .for_each(|(row, texts)| index.insert(&TextKeys::of(texts, unique_fields), row));
        index
    }

    pub fn insert(&mut self, keys: &TextKeys, row: usize) {
        if let Some(key) = keys.whole {
            self.whole.entry(key).or_insert(row);
        }
        for (rows, key) in self.fields.iter_mut().zip(&keys.fields) {
            if let Some(key) = *key {
                rows.entry(key).or_insert(row);
            }
        }
    }

    /// The reasons against a row with such texts.
    pub fn reasons(&self, keys: &TextKeys, among: Among, unique_fields: &[String]) -> Vec<Reason> {
        let whole = keys.whole.and_then(|key| self.whole.get(&key));
        let whole = whole.map(|&row| Reason::SameText { among, row });
        let fields =
            self.fields.iter().zip(&keys.fields).zip(unique_fields).filter_map(|((rows, key), field)| {
                let &row = rows.get(key.as_ref()?)?;
                Some(Reason::SameField { field: field.clone(), among, row })
            });
        whole.into_iter().chain(fields).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(title: &str, steps: &str) -> Columns {
        [("title", title), ("steps", steps)]
            .map(|(name, text)| (name.to_owned(), vec![text.to_owned()]))
            .into()
    }

    #[test]
    fn case_signs_and_spaces_do_not_part_texts() {
        let unique = ["title".to_owned()];
        let index = TextIndex::of(&[row("A walk", "Go. Stop."), row("…", "!")], &unique);
        let found = |title: &str, steps: &str| -> Vec<&'static str> {
            let keys = TextKeys::of(&row(title, steps), &unique);
            index.reasons(&keys, Among::Known, &unique).iter().map(Reason::code).collect()
        };
        assert_eq!(found("a  WALK!", "go, stop"), ["same-text", "same-field"]);
        assert_eq!(found("a walk", "Run"), ["same-field"]);
        assert_eq!(found("A walk home", "Go. Stop."), [""; 0]);
        assert_eq!(found("?", "…"), [""; 0]);
    }
}
