//! What is a letter, a space and lower case, as tables: those of other languages are of other versions of Unicode, or mean
//! something else (a vowel sign of Hindi is alphabetic here, and in Python's `isalnum` it is not).

use serde_json::{Map, Value, json};

/// Ranges of what is alphanumeric and of white space, both ends included, and the lower case of what has one; Σ has none, as it
/// depends on what stands around.
pub fn characters() -> Value {
    let lower: Map<String, Value> = ('\0'..=char::MAX)
        .filter(|&c| c != 'Σ')
        .map(|c| (c.to_string(), c.to_lowercase().collect::<String>()))
        .filter(|(own, lower)| own != lower)
        .map(|(own, lower)| (own, lower.into()))
        .collect();
    json!({
        "alphanumeric": ranges(char::is_alphanumeric),
        "white_space": ranges(char::is_whitespace),
        "lower": lower,
    })
}

/// The ranges of characters that `is` is true of.
fn ranges(is: impl Fn(char) -> bool) -> Vec<[u32; 2]> {
    let mut ranges: Vec<[u32; 2]> = Vec::new();
    for place in ('\0'..=char::MAX).filter(|&c| is(c)).map(u32::from) {
        match ranges.last_mut() {
            Some([_, last]) if *last + 1 == place => *last = place,
            _ => ranges.push([place, place]),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_both_ends() {
        let digits = ranges(|c| c.is_ascii_digit() || c == 'x');
        assert_eq!(digits, [[0x30, 0x39], [0x78, 0x78]]);
    }

    #[test]
    fn lower_case_is_that_of_whole_texts() {
        let characters = characters();
        let lower = characters["lower"].as_object().unwrap();
        assert_eq!((&lower["İ"], &lower["ẞ"]), (&Value::from("i\u{307}"), &Value::from("ß")));
        assert!(!lower.contains_key("Σ") && !lower.contains_key("a"));
        // One by one, all but Σ are as in a text.
        for (own, lower) in lower {
            assert_eq!(
                Value::from(format!("a{own}b").to_lowercase()),
                format!("a{}b", lower.as_str().unwrap())
            );
        }
    }
}
