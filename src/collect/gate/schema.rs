//! Whether a candidate has the columns, lengths, numbers and values that rows of the dataset have.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::candidate::{Candidate, Columns, prose};
use super::gate_error::GateError;
use super::reason::Reason;

/// What rows must look like.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SchemaSettings {
    /// Columns that must be there, fields or others; they may be empty.
    pub columns: Vec<String>,
    /// Fields that must say something.
    pub texts: Vec<String>,
    /// How many words a field may have; see [`WordLimits::of`] for those of a dataset.
    pub words: BTreeMap<String, WordLimits>,
    /// The least and the most that a column's number may be.
    pub ranges: BTreeMap<String, [f64; 2]>,
    /// What a column's items may be, but for case and outer spaces.
    pub allowed: BTreeMap<String, Vec<String>>,
}

/// How many words a text may have, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WordLimits {
    /// The fewest.
    pub least: usize,
    /// The most.
    pub most: usize,
}

impl WordLimits {
    /// The 1st and 99th percentile of the texts of a field (nearest rank: both are lengths that occur); `None` of no text. Empty
    /// texts count: where more than one in a hundred is empty, so may a candidate's be.
    pub fn of(rows: &[Columns], field: &str) -> Option<Self> {
        let mut counts: Vec<usize> =
            rows.iter().filter_map(|row| row.get(field)).map(|items| words(&prose(items))).collect();
        counts.sort_unstable();
        let at = |share: f64| {
            let rank = (share * counts.len() as f64).ceil() as usize;
            counts.get(rank.saturating_sub(1)).copied()
        };
        Some(Self { least: at(0.01)?, most: at(0.99)? })
    }
}

/// Runs between spaces that have a letter or a digit.
pub fn words(text: &str) -> usize {
    text.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count()
}

impl SchemaSettings {
    /// That limits have their lesser end first.
    ///
    /// # Errors
    /// Ends that are the wrong way round or no numbers.
    pub fn check(&self) -> Result<(), GateError> {
        for (column, [least, most]) in &self.ranges {
            // Not `least > most`: NaN is in no order.
            if !matches!(least.partial_cmp(most), Some(order) if order.is_le()) {
                let key = format!("schema.ranges.{column}");
                let value = format!("[{least}, {most}]");
                return Err(GateError::Setting { key, value, wanted: "two numbers, the lesser first" });
            }
        }
        for (field, WordLimits { least, most }) in &self.words {
            if least > most {
                let key = format!("schema.words.{field}");
                let value = format!("{least} to {most}");
                return Err(GateError::Setting { key, value, wanted: "two counts, the lesser first" });
            }
        }
        Ok(())
    }

    /// Everything that is wrong with a candidate; there are `classes` classes.
    pub fn reasons(&self, candidate: &Candidate, classes: usize) -> Vec<Reason> {
        let items = |column: &str| candidate.texts.get(column).or_else(|| candidate.values.get(column));
        let missing = |columns: &mut dyn Iterator<Item = &String>| -> Vec<Reason> {
            let absent = columns.filter(|column| items(column).is_none());
            absent.map(|column| Reason::MissingColumn { column: column.clone() }).collect()
        };
        let mut found = missing(&mut self.columns.iter().chain(&self.texts));
        found.dedup();
        for field in
            self.texts.iter().filter(|field| items(field).is_some_and(|items| words(&prose(items)) == 0))
        {
            found.push(Reason::EmptyText { field: field.clone() });
        }
        for (field, &WordLimits { least, most }) in &self.words {
            let empty = found.contains(&Reason::EmptyText { field: field.clone() });
            let Some(items) = items(field).filter(|_| !empty) else { continue };
            let (field, words) = (field.clone(), words(&prose(items)));
            if words < least {
                found.push(Reason::TooShort { field, words, least });
            } else if words > most {
                found.push(Reason::TooLong { field, words, most });
            }
        }
        for (column, &[least, most]) in &self.ranges {
            let cell = items(column).map(|items| prose(items)).unwrap_or_default();
            let column = column.clone();
            match cell.trim().parse::<f64>() {
                _ if items(&column).is_none() => found.push(Reason::MissingColumn { column }),
                Ok(value) if value.is_finite() => {
                    if !(least..=most).contains(&value) {
                        found.push(Reason::OutOfRange { column, value, least, most });
                    }
                }
                _ => found.push(Reason::NotANumber { column, value: cell }),
            }
        }
        for (column, allowed) in &self.allowed {
            let Some(items) = items(column) else {
                found.push(Reason::MissingColumn { column: column.clone() });
                continue;
            };
            let known =
                |item: &str| allowed.iter().any(|a| a.trim().to_lowercase() == item.trim().to_lowercase());
            let empty = items.iter().all(|item| item.trim().is_empty()) && !known("");
            let strange = items.iter().filter(|item| !item.trim().is_empty() && !known(item)).cloned();
            let strange: Vec<String> = if empty { vec![String::new()] } else { strange.collect() };
            found.extend(
                strange.into_iter().map(|value| Reason::NotAllowed { column: column.clone(), value }),
            );
        }
        if candidate.class >= classes {
            found.push(Reason::UnknownClass { class: candidate.class, classes });
        }
        let mut unique: Vec<Reason> = Vec::with_capacity(found.len());
        for reason in found {
            if !unique.contains(&reason) {
                unique.push(reason);
            }
        }
        unique
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(of: &[(&str, &[&str])]) -> Columns {
        of.iter()
            .map(|(name, items)| ((*name).to_owned(), items.iter().map(ToString::to_string).collect()))
            .collect()
    }

    fn settings() -> SchemaSettings {
        SchemaSettings {
            columns: vec!["title".into(), "season".into()],
            texts: vec!["title".into(), "steps".into()],
            words: BTreeMap::from([("steps".into(), WordLimits { least: 3, most: 6 })]),
            ranges: BTreeMap::from([("minutes".into(), [2.0, 600.0])]),
            allowed: BTreeMap::from([("season".into(), vec!["any".into(), "winter".into()])]),
        }
    }

    fn candidate(steps: &[&str], minutes: &str, season: &[&str]) -> Candidate {
        Candidate {
            texts: columns(&[("title", &["A walk"]), ("steps", steps)]),
            values: columns(&[("minutes", &[minutes]), ("season", season)]),
            class: 0,
        }
    }

    fn codes(candidate: &Candidate) -> Vec<&'static str> {
        settings().reasons(candidate, 2).iter().map(Reason::code).collect()
    }

    #[test]
    fn rows_like_those_of_the_dataset_pass() {
        for fine in [
            candidate(&["Go out.", " Walk on."], "2", &["Any"]),
            candidate(&["one two three four five six — !"], " 600.0 ", &["winter", "any "]),
            candidate(&["one two three"], "1e2", &["any", ""]),
        ] {
            assert_eq!(codes(&fine), [""; 0]);
        }
    }

    #[test]
    fn each_fault_is_found_and_all_at_once() {
        let good = ["Go out, walk."];
        for (bad, expected) in [
            (candidate(&["Go out"], "5", &["any"]), vec!["too-short"]),
            (candidate(&["a b c d e f g"], "5", &["any"]), vec!["too-long"]),
            (candidate(&["", " … "], "5", &["any"]), vec!["empty-text"]),
            (candidate(&good, "1.99", &["any"]), vec!["out-of-range"]),
            (candidate(&good, "ten", &["any"]), vec!["not-a-number"]),
            (candidate(&good, "NaN", &["any"]), vec!["not-a-number"]),
            (candidate(&good, "inf", &["any"]), vec!["not-a-number"]),
            (candidate(&good, "", &["any"]), vec!["not-a-number"]),
            (candidate(&good, "5", &["any", "monsoon"]), vec!["not-allowed"]),
            (candidate(&good, "5", &[]), vec!["not-allowed"]),
            (Candidate { class: 2, ..candidate(&good, "5", &["any"]) }, vec!["unknown-class"]),
            (candidate(&["Go"], "-1", &["x"]), vec!["too-short", "out-of-range", "not-allowed"]),
        ] {
            assert_eq!(codes(&bad), expected, "{bad:?}");
        }
        let bare = Candidate { texts: columns(&[("steps", &["Go out, walk."])]), ..Candidate::default() };
        let missing: Vec<String> = settings().reasons(&bare, 2).iter().map(ToString::to_string).collect();
        assert_eq!(
            missing,
            ["it has no column `title`", "it has no column `season`", "it has no column `minutes`"]
        );
    }

    #[test]
    fn limits_of_a_dataset_are_percentiles_by_nearest_rank() {
        let rows: Vec<Columns> =
            (1..=200).map(|count| columns(&[("steps", &[vec!["word"; count].join(" ").as_str()])])).collect();
        assert_eq!(WordLimits::of(&rows, "steps"), Some(WordLimits { least: 2, most: 198 }));
        assert_eq!(WordLimits::of(&rows[..1], "steps"), Some(WordLimits { least: 1, most: 1 }));
        assert_eq!(WordLimits::of(&rows, "none"), None);
    }

    #[test]
    fn limits_the_wrong_way_round_are_an_error() {
        let mut bad = settings();
        bad.ranges.insert("minutes".into(), [5.0, f64::NAN]);
        assert!(matches!(bad.check(), Err(GateError::Setting { .. })));
        let mut bad = settings();
        bad.words.insert("steps".into(), WordLimits { least: 3, most: 2 });
        assert_eq!(
            bad.check().unwrap_err().to_string(),
            "schema.words.steps = 3 to 2 is not two counts, the lesser first"
        );
        assert_eq!(settings().check(), Ok(()));
    }
}
