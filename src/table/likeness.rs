//! Labels that are one to a reader and several to a program.

use std::collections::BTreeMap;

use unicode_normalization::UnicodeNormalization;

/// Characters without a width, which no reader sees: zero-width spaces and joiners, the word joiner, the byte-order mark, the
/// soft hyphen.
const INVISIBLE: [char; 6] = ['\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}', '\u{ad}'];

/// What labels share that differ in upper and lower case, white space, invisible characters, how accents are composed (NFC), or
/// how a number is written (`0`, `0.0`).
pub fn folded(label: &str) -> String {
    let visible: String = label.nfc().filter(|c| !INVISIBLE.contains(c)).collect();
    let lower = visible.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let plain = lower.bytes().all(|b| b.is_ascii_digit() || b"+-.".contains(&b));
    match lower.parse::<f64>() {
        Ok(number) if plain && number.abs() < 1e15 => (number + 0.0).to_string(),
        // Lower case may come apart again, such as that of İ.
        _ => lower.nfc().collect(),
    }
}

/// Labels that are alike, of those that occur so many times; the most frequent first, of equals the first.
pub fn alike(labels: &[(String, usize)]) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (place, (label, _)) in labels.iter().enumerate() {
        groups.entry(folded(label)).or_default().push(place);
    }
    let mut groups: Vec<Vec<usize>> = groups.into_values().filter(|group| group.len() > 1).collect();
    groups.iter_mut().for_each(|group| group.sort_by_key(|&place| std::cmp::Reverse(labels[place].1)));
    groups
}

/// Whether any of the labels, of those that occur so many times, are alike.
pub fn are_alike(labels: &[(String, usize)]) -> bool {
    !alike(labels).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_alike_folds_to_one() {
        for alike in [
            &["kitchen", "Kitchen", " KITCHEN\u{200b}", "kit\u{ad}chen"][..],
            &["small  parts", "Small\u{a0}parts"],
            &["café", "cafe\u{301}", "CAFÉ"],
            &["0", "0.0", "-0", "+0.00"],
            &["10", "10.0"],
        ] {
            let first = folded(alike[0]);
            assert!(alike.iter().all(|label| folded(label) == first), "{alike:?}");
        }
        for different in [["0", "O"], ["1", "10"], ["cafe", "café"], ["1.2.3", "1.2.30"], ["infinity", "inf"]]
        {
            assert_ne!(folded(different[0]), folded(different[1]));
        }
    }
}
