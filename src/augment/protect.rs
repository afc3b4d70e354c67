//! Words that carry the label, which synonym swap must not touch.

use std::collections::{BTreeMap, BTreeSet};

use crate::table::normalise;

/// χ² with one degree of freedom at p = 0.001.
const CHI_SQUARE: f64 = 10.83;

/// Words met in fewer rows cannot be judged (and are too rare to matter).
const MIN_ROWS: usize = 5;

const NUMBERS: [&str; 24] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
    "thirty",
    "hundred",
    "year",
];

/// Lower-case words that must stay: those of the class names, numbers, `extra`, and those that predict a class.
///
/// A word predicts a class when its presence and the class depend on each other by Pearson's χ² test at p < 0.001.
/// `texts` are the training rows' texts (all fields of a row as one), `classes` their classes.
pub fn protected_words(
    texts: &[String],
    classes: &[usize],
    class_names: &[String],
    extra: &[String],
) -> BTreeSet<String> {
    let mut words: BTreeSet<String> = NUMBERS.iter().map(|&n| n.to_owned()).collect();
    for name in class_names.iter().chain(extra) {
        words.extend(normalise(name).split(' ').map(str::to_owned));
    }
    let count = class_names.len();
    let mut class_rows = vec![0usize; count];
    let mut rows_with: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (text, &class) in texts.iter().zip(classes) {
        class_rows[class] += 1;
        let lower = normalise(text);
        for word in lower.split(' ').collect::<BTreeSet<_>>() {
            rows_with.entry(word.to_owned()).or_insert_with(|| vec![0; count])[class] += 1;
        }
    }
    for (word, with) in rows_with {
        let total: usize = with.iter().sum();
        let depends =
            |class: usize| chi_square(with[class], total, class_rows[class], texts.len()) > CHI_SQUARE;
        if total >= MIN_ROWS && (0..count).any(depends) {
            words.insert(word);
        }
    }
    words
}

/// Pearson's χ² of the 2 × 2 table: `both` rows have the word and the class, of `with_word` and `in_class` in `rows`.
fn chi_square(both: usize, with_word: usize, in_class: usize, rows: usize) -> f64 {
    let [n, a, w, c] = [rows, both, with_word, in_class].map(|v| v as f64);
    let denominator = w * (n - w) * c * (n - c);
    if denominator == 0.0 {
        return 0.0;
    }
    let difference = a * (n - w - c + a) - (w - a) * (c - a);
    n * difference * difference / denominator
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chi_square_agrees_with_scipy() {
        // scipy.stats.chi2_contingency([[12, 5], [8, 25]], correction=False)[0] == 10.04159239453357
        assert!((chi_square(12, 17, 20, 50) - 10.04159239453357).abs() < 1e-9);
    }

    #[test]
    fn class_names_numbers_extras_and_predictive_words_are_protected() {
        let texts: Vec<String> = (0..40)
            .map(|i| if i < 20 { "a soft rattle for the day" } else { "a compass for the day" }.into())
            .collect();
        let classes: Vec<usize> = (0..40).map(|i| i / 20).collect();
        let names = ["Small (0-3)".to_owned(), "Big".to_owned()];
        let words = protected_words(&texts, &classes, &names, &["Lego".into()]);
        for word in ["small", "big", "0", "seven", "lego", "rattle", "compass", "soft"] {
            assert!(words.contains(word), "{word}");
        }
        for word in ["day", "for", "the"] {
            assert!(!words.contains(word), "{word}");
        }
    }
}
