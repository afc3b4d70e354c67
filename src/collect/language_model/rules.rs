//! What a row must be, and why one is refused.

use std::fmt;

use regex::{Regex, RegexBuilder};
use serde::Deserialize;

use super::error::CollectError;

/// A text that each row has.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// The column's name.
    pub name: String,
    /// What stands in it, for the prompt.
    #[serde(default)]
    pub description: String,
    /// The fewest characters, without white space around; at least 1.
    #[serde(default = "one")]
    pub min_chars: usize,
    /// The most characters.
    #[serde(default = "thousand")]
    pub max_chars: usize,
    /// The only values; any text where empty.
    #[serde(default)]
    pub allowed: Vec<String>,
}

fn one() -> usize {
    1
}

fn thousand() -> usize {
    1000
}

/// Something that no text of a class may hold, since it would give the class away.
#[derive(Clone, Debug)]
pub struct Forbidden {
    /// As the settings write it.
    written: String,
    pattern: Regex,
}

impl Forbidden {
    /// From `/regular expression/` or a word or phrase, which is found whole. Both whatever the case.
    ///
    /// # Errors
    /// It is empty, or no regular expression.
    pub fn new(written: &str) -> Result<Self, CollectError> {
        let inside = written.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        let pattern = match inside {
            Some(pattern) => pattern.to_owned(),
            None => whole_word(written.trim()),
        };
        if pattern.is_empty() {
            return Err(CollectError::setting(
                "must_not_appear",
                written,
                "it must be a word or /an expression/",
            ));
        }
        // Far more than any list of words needs, far less than would be felt.
        let compiled = RegexBuilder::new(&pattern).case_insensitive(true).size_limit(1 << 20).build();
        let pattern = compiled.map_err(|error| {
            CollectError::setting("must_not_appear", written, format!("that is no pattern: {error}"))
        })?;
        Ok(Self { written: written.to_owned(), pattern })
    }

    fn is_expression(&self) -> bool {
        self.written.len() > 1 && self.written.starts_with('/') && self.written.ends_with('/')
    }
}

/// Those of `forbidden` that a prompt can name: words; an expression would only confuse a model.
pub(super) fn words(forbidden: &[Forbidden]) -> Vec<String> {
    forbidden.iter().filter(|f| !f.is_expression()).map(|f| f.written.trim().to_owned()).collect()
}

fn whole_word(word: &str) -> String {
    let edge = |c: Option<char>| if c.is_some_and(|c| c.is_alphanumeric() || c == '_') { r"\b" } else { "" };
    let escaped = regex::escape(word);
    format!("{}{escaped}{}", edge(word.chars().next()), edge(word.chars().last()))
}

/// What the rows of one request must be.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The texts of a row.
    pub fields: Vec<Field>,
    /// What none of them may hold.
    pub forbidden: Vec<Forbidden>,
    /// Rows that are not to be written again, as [`likeness`] of their texts.
    pub taken: Vec<String>,
}

/// Why a row is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// It cannot be read as JSON.
    Unreadable,
    /// It is no JSON object.
    NotAnObject,
    /// It lacks a text.
    Missing,
    /// A text is a number, a list or something else.
    NotText,
    /// A text has no letter and no digit; models copy the `…` of the prompt's form.
    Empty,
    /// A text has fewer characters than `min_chars`.
    TooShort,
    /// A text has more characters than `max_chars`.
    TooLong,
    /// A text holds control characters.
    ControlCharacters,
    /// A text is not among those allowed.
    NotAllowed,
    /// A text holds what the class must not say.
    Forbidden,
    /// It is a row that was there before, but for case, spaces and marks.
    Repeated,
}

impl Reason {
    /// Name in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::NotAnObject => "not an object",
            Self::Missing => "text missing",
            Self::NotText => "not a text",
            Self::Empty => "empty",
            Self::TooShort => "too short",
            Self::TooLong => "too long",
            Self::ControlCharacters => "control characters",
            Self::NotAllowed => "value not allowed",
            Self::Forbidden => "gives the class away",
            Self::Repeated => "repeated",
        }
    }
}

/// A row that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// The field at fault; empty where it is the whole row.
    pub field: String,
    /// What stands there, shortened; or what was found in it.
    pub value: String,
}

impl Refusal {
    /// The most characters of a value that are kept.
    const SHOWN: usize = 200;

    pub(super) fn new(reason: Reason, field: &str, value: &str) -> Self {
        Self { reason, field: field.to_owned(), value: value.chars().take(Self::SHOWN).collect() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reason, field, value } = self;
        let colon = if field.is_empty() { "" } else { ": " };
        write!(f, "{field}{colon}{}: {value:?}", reason.name())
    }
}

impl Field {
    /// Whether `text`, without white space around, may stand in the field.
    pub(super) fn check(&self, text: &str) -> Result<(), Refusal> {
        let refuse = |reason| Err(Refusal::new(reason, &self.name, text));
        let length = text.chars().count();
        let is_empty = !text.chars().any(char::is_alphanumeric);
        if text.is_empty() || (is_empty && self.allowed.is_empty()) {
            refuse(Reason::Empty)
        } else if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            refuse(Reason::ControlCharacters)
        } else if length < self.min_chars {
            refuse(Reason::TooShort)
        } else if length > self.max_chars {
            refuse(Reason::TooLong)
        } else if !self.allowed.is_empty() && !self.allowed.iter().any(|value| value == text) {
            refuse(Reason::NotAllowed)
        } else {
            Ok(())
        }
    }
}

impl Rules {
    /// Whether these `texts`, one a field, give away what they must not.
    pub(super) fn check_forbidden(&self, texts: &[String]) -> Result<(), Refusal> {
        for (field, text) in self.fields.iter().zip(texts) {
            for forbidden in &self.forbidden {
                if let Some(found) = forbidden.pattern.find(text) {
                    return Err(Refusal::new(Reason::Forbidden, &field.name, found.as_str()));
                }
            }
        }
        Ok(())
    }
}

/// What makes two rows the same: letters and digits in lower case, a space wherever something else stands.
pub fn likeness(texts: &[String]) -> String {
    let fold = |text: &String| {
        let lower = text.to_lowercase();
        lower
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    };
    texts.iter().map(fold).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(min_chars: usize, max_chars: usize, allowed: &[&str]) -> Field {
        let allowed = allowed.iter().map(ToString::to_string).collect();
        Field { name: "title".into(), description: String::new(), min_chars, max_chars, allowed }
    }

    #[test]
    fn lengths_are_counted_in_characters() {
        let reason = |text: &str| field(3, 4, &[]).check(text).err().map(|refusal| refusal.reason);
        assert_eq!(reason(""), Some(Reason::Empty));
        assert_eq!(reason("…!?"), Some(Reason::Empty));
        assert_eq!(reason("éé"), Some(Reason::TooShort));
        assert_eq!(reason("ééé"), None);
        assert_eq!(reason("éééé"), None);
        assert_eq!(reason("ééééé"), Some(Reason::TooLong));
        assert_eq!(reason("a\nb"), None);
        assert_eq!(reason("a\0b"), Some(Reason::ControlCharacters));
        let allowed = field(1, 9, &["yes", "no", "?"]);
        assert!(allowed.check("no").is_ok() && allowed.check("?").is_ok());
        assert_eq!(allowed.check("No").unwrap_err().reason, Reason::NotAllowed);
    }

    #[test]
    fn words_are_found_whole_and_whatever_their_case() {
        let found = |written: &str, text: &str| {
            let forbidden = vec![Forbidden::new(written).unwrap()];
            let rules = Rules { fields: vec![field(1, 99, &[])], forbidden, taken: vec![] };
            rules.check_forbidden(&[text.to_owned()]).err().map(|refusal| refusal.value)
        };
        assert_eq!(found("snow", "Build in the SNOW!"), Some("SNOW".into()));
        assert_eq!(found("snow", "a snowman"), None);
        assert_eq!(found("c++", "learn C++ now"), Some("C++".into()));
        assert_eq!(found("age 5", "for Age 5."), Some("Age 5".into()));
        assert_eq!(found(r"/ages? \d/", "for AGES 5"), Some("AGES 5".into()));
        assert_eq!(found("été", "cet Été-là"), Some("Été".into()));
    }

    #[test]
    fn bad_patterns_are_named() {
        for bad in ["", "  ", "//", "/(/", "/a{1000}{1000}{1000}/"] {
            let error = Forbidden::new(bad).unwrap_err().to_string();
            assert!(error.starts_with("must_not_appear"), "{error}");
        }
    }

    #[test]
    fn the_same_row_in_other_dress_is_the_same() {
        let of = |text: &str| likeness(&[text.to_owned()]);
        assert_eq!(of(" Build a  Snow-man!"), of("build a snow man"));
        assert_ne!(of("build a snowman"), of("build two snowmen"));
        assert_ne!(likeness(&["a".into(), "b".into()]), likeness(&["a b".into(), String::new()]));
    }
}
