//! Regular expressions of words, and the innocent uses around what they find.

use regex::{Match, Regex, RegexBuilder};

use super::gate_error::GateError;

/// A pattern that ignores case.
///
/// # Errors
/// It is no regular expression; `key` is the setting that it comes from.
pub(super) fn compile(key: &'static str, pattern: &str) -> Result<Regex, GateError> {
    RegexBuilder::new(pattern).case_insensitive(true).build().map_err(|error| GateError::Pattern {
        key,
        pattern: pattern.to_owned(),
        reason: error.to_string(),
    })
}

/// The first match of `pattern` that overlaps no match of `innocent`.
pub(super) fn first_guilty<'t, 'p>(
    pattern: &Regex,
    innocent: impl Iterator<Item = &'p Regex> + Clone,
    text: &'t str,
) -> Option<Match<'t>> {
    let overlaps = |fine: Match<'_>, hit: &Match<'_>| fine.start() < hit.end() && hit.start() < fine.end();
    pattern.find_iter(text).find(|hit| {
        !innocent.clone().any(|innocent| innocent.find_iter(text).any(|fine| overlaps(fine, hit)))
    })
}
