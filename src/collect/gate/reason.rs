//! What the gate finds of a candidate, with the evidence.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::personal_kind::PersonalKind;
use super::unsafe_kind::UnsafeKind;

/// Which rows a candidate is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Among {
    /// Rows that may be learned from.
    Known,
    /// Rows that are only evaluated on.
    HeldOut,
    /// Candidates accepted earlier in the same batch.
    Batch,
}

impl fmt::Display for Among {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Known => "row",
            Self::HeldOut => "held-out row",
            Self::Batch => "earlier candidate",
        })
    }
}

/// One thing found of a candidate. In JSON its [`code`](Self::code) stands under `code`, the evidence beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum Reason {
    /// A column that every row has is not there.
    MissingColumn {
        /// The column.
        column: String,
    },
    /// A field that must say something is empty.
    EmptyText {
        /// The field.
        field: String,
    },
    /// A text is shorter than those of the dataset.
    TooShort {
        /// The field.
        field: String,
        /// Its words.
        words: usize,
        /// The fewest that may be.
        least: usize,
    },
    /// A text is longer than those of the dataset.
    TooLong {
        /// The field.
        field: String,
        /// Its words.
        words: usize,
        /// The most that may be.
        most: usize,
    },
    /// No finite number stands where one should.
    NotANumber {
        /// The column.
        column: String,
        /// What stands there.
        value: String,
    },
    /// A number is outside its range.
    OutOfRange {
        /// The column.
        column: String,
        /// The number.
        value: f64,
        /// The least that may be.
        least: f64,
        /// The most that may be.
        most: f64,
    },
    /// A value is none of those allowed.
    NotAllowed {
        /// The column.
        column: String,
        /// What stands there.
        value: String,
    },
    /// The claimed class is none.
    UnknownClass {
        /// Its index.
        class: usize,
        /// How many classes there are.
        classes: usize,
    },
    /// The text is in a language that the dataset is not in.
    Language {
        /// The language found (ISO 639-3).
        found: String,
        /// Those of the dataset, the most frequent first.
        expected: Vec<String>,
        /// How sure the detection is, in `[0, 1]`.
        confidence: f64,
        /// Share of its words that the dataset has too, in `[0, 1]`.
        familiar: f64,
    },
    /// The text holds personal data.
    Personal {
        /// The field.
        field: String,
        /// Of what kind.
        kind: PersonalKind,
        /// What was found, all but its ends covered: reasons are written to files.
        covered: String,
    },
    /// Personal data was taken out of the text; the candidate goes on without it.
    PersonalRemoved {
        /// The field.
        field: String,
        /// Of what kind.
        kind: PersonalKind,
        /// What was found, all but its ends covered.
        covered: String,
    },
    /// The text is nothing for families.
    Unsafe {
        /// The field.
        field: String,
        /// Of what kind.
        kind: UnsafeKind,
        /// The words found.
        found: String,
    },
    /// The text names a label.
    NamesLabel {
        /// The field.
        field: String,
        /// The words found.
        found: String,
        /// The class, or the pattern of the settings, that they stand for.
        names: String,
    },
    /// The model all but rules out the claimed class.
    Opinion {
        /// What the model says of the claimed class, in `[0, 1]`.
        probability: f64,
        /// The limit.
        limit: f64,
        /// The class that the model holds likeliest, an index.
        likeliest: usize,
    },
    /// The model doubts the claimed class: a person should look.
    Doubtful {
        /// What the model says of the claimed class, in `[0, 1]`.
        probability: f64,
        /// The limit.
        limit: f64,
        /// The class that the model holds likeliest, an index.
        likeliest: usize,
    },
    /// Its texts are those of another row, but for case, signs and spaces.
    SameText {
        /// Which rows.
        among: Among,
        /// The row, counted from 0.
        row: usize,
    },
    /// A field that must be unique is that of another row, but for case, signs and spaces.
    SameField {
        /// The field.
        field: String,
        /// Which rows.
        among: Among,
        /// The row, counted from 0.
        row: usize,
    },
    /// Its embedding is too near to that of another row.
    Alike {
        /// Which rows.
        among: Among,
        /// The nearest of them, counted from 0.
        row: usize,
        /// Their cosine.
        cosine: f64,
        /// The limit.
        limit: f64,
    },
}

impl Reason {
    /// Its name in files, the same in all versions.
    pub fn code(&self) -> &'static str {
        match self {
            Self::MissingColumn { .. } => "missing-column",
            Self::EmptyText { .. } => "empty-text",
            Self::TooShort { .. } => "too-short",
            Self::TooLong { .. } => "too-long",
            Self::NotANumber { .. } => "not-a-number",
            Self::OutOfRange { .. } => "out-of-range",
            Self::NotAllowed { .. } => "not-allowed",
            Self::UnknownClass { .. } => "unknown-class",
            Self::Language { .. } => "language",
            Self::Personal { .. } => "personal",
            Self::PersonalRemoved { .. } => "personal-removed",
            Self::Unsafe { .. } => "unsafe",
            Self::NamesLabel { .. } => "names-label",
            Self::Opinion { .. } => "opinion",
            Self::Doubtful { .. } => "doubtful",
            Self::SameText { .. } => "same-text",
            Self::SameField { .. } => "same-field",
            Self::Alike { .. } => "alike",
        }
    }

    /// Whether a candidate is refused for it; the others are told and pass.
    pub fn refuses(&self) -> bool {
        !matches!(self, Self::PersonalRemoved { .. } | Self::Doubtful { .. })
    }
}

impl Reason {
    /// What is said to people, who know classes by their names in `classes` and rows by the `place` where they stand.
    pub fn told(&self, classes: &[String], place: impl Fn(Among, usize) -> String) -> String {
        let class = |number: usize| match classes.get(number) {
            Some(name) => format!("{name:?}"),
            None => format!("class {number}"),
        };
        match self {
            Self::MissingColumn { column } => format!("it has no column `{column}`"),
            Self::EmptyText { field } => format!("`{field}` is empty"),
            Self::TooShort { field, words, least } => {
                format!("`{field}` has {words} words, fewer than {least}")
            }
            Self::TooLong { field, words, most } => {
                format!("`{field}` has {words} words, more than {most}")
            }
            Self::NotANumber { column, value } => format!("`{column}` is {value:?}, not a number"),
            Self::OutOfRange { column, value, least, most } => {
                format!("`{column}` is {value}, not within {least} to {most}")
            }
            Self::NotAllowed { column, value } => format!("`{column}` is {value:?}, which is not allowed"),
            Self::UnknownClass { class, classes } => {
                format!("its class is number {class}, but there are {classes} only")
            }
            Self::Language { found, expected, confidence, familiar } => {
                let expected = expected.join(" or ");
                format!(
                    "its language is {found} ({confidence:.2} sure), not {expected}; the dataset has {familiar:.2} of its words"
                )
            }
            Self::Personal { field, kind, covered } => format!("`{field}` holds {kind}: {covered}"),
            Self::PersonalRemoved { field, kind, covered } => {
                format!("{kind} was taken out of `{field}`: {covered}")
            }
            Self::Unsafe { field, kind, found } => format!("`{field}` is about {kind}: {found:?}"),
            Self::NamesLabel { field, found, names } => {
                format!("`{field}` names the label: {found:?} ({names})")
            }
            Self::Opinion { probability, limit, likeliest } => format!(
                "the model gives its class {probability:.3}, below {limit}; it holds {} likeliest",
                class(*likeliest)
            ),
            Self::Doubtful { probability, limit, likeliest } => format!(
                "doubtful: the model gives its class {probability:.3}, below {limit}; it holds {} likeliest",
                class(*likeliest)
            ),
            Self::SameText { among, row } => {
                format!("its texts are those of {among} {}", place(*among, *row))
            }
            Self::SameField { field, among, row } => {
                format!("`{field}` is that of {among} {}", place(*among, *row))
            }
            Self::Alike { among, row, cosine, limit } => {
                format!(
                    "it is too like {among} {}: cosine {cosine:.3}, the limit is {limit}",
                    place(*among, *row)
                )
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told(&[], |_, row| row.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_of_each() -> Vec<Reason> {
        let name = || "x".to_owned();
        let (kind, among) = (PersonalKind::Email, Among::HeldOut);
        vec![
            Reason::MissingColumn { column: name() },
            Reason::EmptyText { field: name() },
            Reason::TooShort { field: name(), words: 1, least: 2 },
            Reason::TooLong { field: name(), words: 3, most: 2 },
            Reason::NotANumber { column: name(), value: name() },
            Reason::OutOfRange { column: name(), value: 1.0, least: 2.0, most: 3.0 },
            Reason::NotAllowed { column: name(), value: name() },
            Reason::UnknownClass { class: 4, classes: 4 },
            Reason::Language { found: name(), expected: vec![name()], confidence: 1.0, familiar: 0.0 },
            Reason::Personal { field: name(), kind, covered: name() },
            Reason::PersonalRemoved { field: name(), kind, covered: name() },
            Reason::Unsafe { field: name(), kind: UnsafeKind::SelfHarm, found: name() },
            Reason::NamesLabel { field: name(), found: name(), names: name() },
            Reason::Opinion { probability: 0.01, limit: 0.05, likeliest: 1 },
            Reason::Doubtful { probability: 0.1, limit: 0.2, likeliest: 1 },
            Reason::SameText { among, row: 1 },
            Reason::SameField { field: name(), among, row: 1 },
            Reason::Alike { among, row: 1, cosine: 0.99, limit: 0.95 },
        ]
    }

    #[test]
    fn the_code_is_what_stands_in_json_and_every_reason_comes_back() {
        let mut codes = std::collections::BTreeSet::new();
        for reason in one_of_each() {
            let json = serde_json::to_value(&reason).unwrap();
            assert_eq!(json["code"], reason.code());
            assert!(codes.insert(reason.code()), "{} twice", reason.code());
            assert_eq!(serde_json::from_value::<Reason>(json).unwrap(), reason);
            assert!(reason.to_string().starts_with(|c: char| !c.is_uppercase()));
        }
    }

    #[test]
    fn only_what_is_told_passes() {
        let passing: Vec<&str> =
            one_of_each().iter().filter(|r| !r.refuses()).map(|r| r.code()).collect::<Vec<_>>();
        assert_eq!(passing, ["personal-removed", "doubtful"]);
    }
}
