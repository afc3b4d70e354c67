//! From which language to which.

/// From which language to which.
#[derive(Clone, Copy)]
pub struct Direction<'a> {
    pub from: &'a str,
    pub to: &'a str,
}

impl Direction<'_> {
    /// `word` with its languages in the place of `{from}` and `{to}`.
    pub fn put_into(&self, word: &str) -> String {
        word.replace("{from}", self.from).replace("{to}", self.to)
    }
}
