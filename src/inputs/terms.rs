//! What is counted in a text: words, or groups of letters.

use serde::{Deserialize, Serialize};

/// What is counted in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Terms {
    /// Words (runs of two or more letters, digits or underscores) and pairs of neighbouring words.
    Words,
    /// Groups of two to five characters inside a word, the spaces around it being part of it.
    Letters,
}

/// Call `each` with every term of a text, in lower case, as often as it occurs.
pub fn for_each_term(text: &str, kind: Terms, each: &mut dyn FnMut(&str)) {
    let lower = text.to_lowercase();
    match kind {
        Terms::Words => {
            let words = lower.split(|c: char| !c.is_alphanumeric() && c != '_');
            let mut pair = String::new();
            for word in words.filter(|word| word.chars().nth(1).is_some()) {
                each(word);
                if !pair.is_empty() {
                    let before = pair.len();
                    pair.push(' ');
                    pair.push_str(word);
                    each(&pair);
                    pair.drain(..=before);
                } else {
                    pair.push_str(word);
                }
            }
        }
        Terms::Letters => {
            let (mut padded, mut starts) = (String::new(), Vec::new());
            for word in lower.split_whitespace() {
                padded.clear();
                padded.extend([" ", word, " "]);
                starts.clear();
                starts.extend(padded.char_indices().map(|(at, _)| at).chain([padded.len()]));
                let length = starts.len() - 1;
                for size in 2..=5 {
                    // A word that is no longer is counted once.
                    if size >= length {
                        each(&padded);
                        break;
                    }
                    (0..=length - size).for_each(|at| each(&padded[starts[at]..starts[at + size]]));
                }
            }
        }
    }
}
