//! Text that names the label: a model that learned from it would read the answer off the page.

use regex::Regex;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use super::candidate::{Candidate, prose};
use super::gate_error::GateError;
use super::pattern::{compile, first_guilty};
use super::reason::Reason;

/// What counts as naming the label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TellSettings {
    /// Whether the class names themselves are looked for.
    pub class_names: bool,
    /// Further regular expressions that name a label.
    pub patterns: Vec<String>,
    /// Regular expressions of innocent uses: what overlaps one of their matches names nothing.
    pub innocent: Vec<String>,
}

impl Default for TellSettings {
    fn default() -> Self {
        Self { class_names: true, patterns: Vec::new(), innocent: Vec::new() }
    }
}

/// What names a label, ready to look for.
#[derive(Clone, Debug)]
pub struct Tells {
    named: Vec<Named>,
    innocent: Vec<Regex>,
}

#[derive(Clone, Debug)]
struct Named {
    pattern: Regex,
    names: String,
}

/// Endings that leave a word the same word. Longer ones only after a stem that is too long to be another word's beginning by
/// chance (art, artist).
const SHORT_ENDINGS: &str = r"(?:e?s|['\u{2019}]s?)?";
const LONG_ENDINGS: &str = r"(?:e?s|['\u{2019}]s?|e?d|e?n|ers?|ing|ish|hood|like|s?chen)?";
/// Letters from which on a stem takes the long endings.
const LONG_STEM: usize = 5;
/// Letters and digits below which a name is too short to be looked for: it would be found everywhere.
const LEAST_LETTERS: usize = 3;

impl Tells {
    /// What names one of the `classes`, and what the settings' patterns find.
    ///
    /// A name is taken apart at brackets, slashes, commas and semicolons, and each piece with three letters or more is looked
    /// for as a whole phrase, whatever its case, hyphens and the ending of its last word. Numbers alone are left to the
    /// settings' patterns: `0-3` stands in many a text that names no age.
    ///
    /// # Errors
    /// A pattern of the settings is no regular expression.
    pub fn new(classes: &[String], settings: &TellSettings) -> Result<Self, GateError> {
        let mut named = Vec::new();
        for class in classes.iter().filter(|_| settings.class_names) {
            for piece in class.split(['(', ')', '[', ']', '/', ',', ';', '|', ':', '–', '—']) {
                if let Some(pattern) = phrase(piece) {
                    let pattern = compile("tells (class name)", &pattern)?;
                    named.push(Named { pattern, names: class.clone() });
                }
            }
        }
        for pattern in &settings.patterns {
            named.push(Named { pattern: compile("tells.patterns", pattern)?, names: pattern.clone() });
        }
        let innocent = settings.innocent.iter().map(|pattern| compile("tells.innocent", pattern));
        Ok(Self { named, innocent: innocent.collect::<Result<_, _>>()? })
    }

    /// Every place where a candidate's texts name a label, once for each field and words.
    pub fn reasons(&self, candidate: &Candidate) -> Vec<Reason> {
        let mut found = Vec::new();
        for (field, items) in &candidate.texts {
            let text: String = prose(items).nfc().collect();
            for Named { pattern, names } in &self.named {
                if let Some(tell) = first_guilty(pattern, self.innocent.iter(), &text) {
                    let (field, found_words) = (field.clone(), tell.as_str().to_owned());
                    found.push(Reason::NamesLabel { field, found: found_words, names: names.clone() });
                }
            }
        }
        found
    }
}

/// A pattern for a piece of a class name as a whole phrase; `None` where it is too short or has no letter.
fn phrase(piece: &str) -> Option<String> {
    let piece: String = piece.nfc().collect();
    let words: Vec<&str> =
        piece.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|word| !word.is_empty()).collect();
    let letters = words.iter().flat_map(|word| word.chars()).filter(|c| c.is_alphabetic()).count();
    if letters < LEAST_LETTERS {
        return None;
    }
    let (last, first) = words.split_last()?;
    let first: String = first
        .iter()
        .map(|word| match word.to_lowercase().as_str() {
            // The sign is no word: "arts & crafts" was split there.
            "and" => r"(?:and|&|\+)[\s_-]*".to_owned(),
            _ => format!(r"{}(?:[\s_-]*|\s*(?:and|&|\+)\s*)", regex::escape(word)),
        })
        .collect();
    Some(format!(r"\b{first}{}\b", inflected(last)))
}

/// A word with its endings; a final y may have become ies.
fn inflected(word: &str) -> String {
    let endings = if word.chars().count() >= LONG_STEM { LONG_ENDINGS } else { SHORT_ENDINGS };
    match word.strip_suffix(['y', 'Y']) {
        Some(stem) => format!("{}(?:y{endings}|ies)", regex::escape(stem)),
        None => format!("{}{endings}", regex::escape(word)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tells(classes: &[&str], patterns: &[&str], innocent: &[&str]) -> Tells {
        let own = |of: &[&str]| of.iter().map(ToString::to_string).collect::<Vec<_>>();
        let settings =
            TellSettings { patterns: own(patterns), innocent: own(innocent), ..TellSettings::default() };
        Tells::new(&own(classes), &settings).unwrap()
    }

    fn found(tells: &Tells, text: &str) -> Vec<String> {
        let texts = [("steps".to_owned(), vec![text.to_owned()])].into();
        let reasons = tells.reasons(&Candidate { texts, ..Candidate::default() });
        let words = reasons.into_iter().map(|reason| match reason {
            Reason::NamesLabel { found, .. } => found,
            other => panic!("{other}"),
        });
        words.collect()
    }

    const AGES: [&str; 4] = ["Toddler (0-3)", "Preschool (4-6)", "Elementary (7-10)", "Teen+ (11+)"];

    #[test]
    fn class_names_are_found_in_every_case_and_inflection() {
        let tells = tells(&AGES, &[], &[]);
        for (text, words) in [
            ("A game for TODDLERS.", "TODDLERS"),
            ("The toddler's favourite", "toddler's"),
            ("Your pre\u{ad}school", ""),
            ("At preschool we did this.", "preschool"),
            ("A preschooler can do it", "preschooler"),
            ("With teens: let them choose", "teens"),
            ("teen-friendly", "teen"),
        ] {
            let expected: Vec<&str> = Some(words).filter(|w| !w.is_empty()).into_iter().collect();
            assert_eq!(found(&tells, text), expected, "{text}");
        }
    }

    #[test]
    fn other_words_and_bare_numbers_name_nothing() {
        let tells = tells(&AGES, &[], &[]);
        for text in [
            "Thirteen canteens, fifteen velveteens, nineteenth",
            "Count 0-3, then 4-6, then 7-10, then 11+",
            "Elemental, my dear Watson",
            "We toddle down to the pond",
            "School is out",
        ] {
            assert_eq!(found(&tells, text), [""; 0], "{text}");
        }
    }

    #[test]
    fn phrases_are_found_whole_only() {
        let tells =
            tells(&["Arts & crafts", "Food and drink", "Science_fiction", "Story", "Non-fiction"], &[], &[]);
        for text in [
            "arts and crafts",
            "Arts & Crafts",
            "food & drinks",
            "science fiction",
            "science-fiction",
            "stories",
            "nonfiction",
        ] {
            assert_eq!(found(&tells, &format!("It is {text}.")), [text], "{text}");
        }
        for text in
            ["the art of craft", "food, then drink", "science", "fiction", "history", "storm", "storyteller"]
        {
            assert_eq!(found(&tells, text), [""; 0], "{text}");
        }
    }

    #[test]
    fn short_names_keep_their_word_and_very_short_ones_are_left() {
        let tells = tells(&["Art", "No", "1"], &[], &[]);
        assert_eq!(found(&tells, "modern art's arts"), ["art's"]);
        assert_eq!(found(&tells, "an artist starts artfully, no? 1"), [""; 0]);
    }

    #[test]
    fn patterns_add_and_innocent_uses_pass() {
        let tells = tells(&["Sport"], &[r"\b\d+[- ]years?[- ]olds?\b"], &[r"sports? (?:hall|car)"]);
        assert_eq!(found(&tells, "A 7-year-old likes sports"), ["sports", "7-year-old"]);
        assert_eq!(found(&tells, "Park the sports car by the sport hall: a seven year itch"), [""; 0]);
        assert_eq!(found(&tells, "From the sports hall to the sport itself"), ["sport"]);
    }

    #[test]
    fn signs_of_a_class_name_are_no_pattern_and_a_bad_pattern_is_named() {
        let tells = tells(&["C++ (.*)", "What?!", "***"], &[], &[]);
        assert_eq!(found(&tells, "So what? Anything else, C"), ["what"]);
        let bad = TellSettings { patterns: vec!["(".into()], ..TellSettings::default() };
        let error = Tells::new(&[], &bad).unwrap_err();
        assert!(
            matches!(&error, GateError::Pattern { key: "tells.patterns", pattern, .. } if pattern == "(")
        );
        assert!(error.hint().is_some());
    }
}
