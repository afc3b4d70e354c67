//! API keys: read from a file, and compared without telling by time how much of one was right.

use std::path::{Path, PathBuf};

use subtle::{Choice, ConstantTimeEq};

use super::error::ServeError;

/// Letters of the shortest key: what is shorter can be guessed.
const SHORTEST: usize = 16;

/// The keys that may ask. Only their hashes are kept.
#[derive(Debug, Default)]
pub struct Keys {
    hashes: Vec<[u8; 32]>,
}

impl Keys {
    /// Read a file: one key a line, spaces around it aside; blank lines and those that begin with `#` are remarks.
    ///
    /// # Errors
    /// The file cannot be read, a line is too short or has what a header cannot have, or there is no key.
    pub fn read(path: &Path) -> Result<Self, ServeError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ServeError::KeysUnread { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, ServeError> {
        let path: PathBuf = path.to_owned();
        let mut hashes = Vec::new();
        for (line, key) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
            let key = key.trim();
            if key.is_empty() || key.starts_with('#') {
                continue;
            }
            let reason = if key.len() < SHORTEST {
                "it is shorter than 16 letters"
            } else if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
                "it has a space or a letter that is not ASCII"
            } else {
                hashes.push(*blake3::hash(key.as_bytes()).as_bytes());
                continue;
            };
            return Err(ServeError::Key { path, line, reason });
        }
        if hashes.is_empty() { Err(ServeError::NoKeys { path }) } else { Ok(Self { hashes }) }
    }

    /// The place of a key among these; every one is compared to its end, whatever it is.
    pub fn find(&self, key: &str) -> Option<usize> {
        let asked = blake3::hash(key.as_bytes());
        let mut found = None;
        for (place, hash) in self.hashes.iter().enumerate() {
            let same: Choice = hash.ct_eq(asked.as_bytes());
            if bool::from(same) {
                found = Some(place);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_and_remarks_are_not_keys() {
        let text = "\u{feff}# people\r\n0123456789abcdef\r\n\r\n  zyxwvutsrqponmlk  \n";
        let keys = Keys::parse(text, Path::new("keys")).unwrap();
        assert_eq!(keys.find("0123456789abcdef"), Some(0));
        assert_eq!(keys.find("zyxwvutsrqponmlk"), Some(1));
        for other in ["", "# people", "0123456789abcdef ", "0123456789abcde", "0123456789ABCDEF"] {
            assert_eq!(keys.find(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_bad_line_is_named_and_not_shown() {
        for (text, line) in [("# a\nshortsecret\n", 2), ("0123456789abcdef\nhas a space in its key\n", 2)] {
            let error = Keys::parse(text, Path::new("keys")).unwrap_err();
            assert!(matches!(error, ServeError::Key { line: l, .. } if l == line), "{error}");
            assert!(!error.to_string().contains("secret") && error.hint().is_some());
        }
        assert!(matches!(Keys::parse("# none\n", Path::new("keys")), Err(ServeError::NoKeys { .. })));
    }
}
