//! Random deletion and random swap of words (EDA, Wei & Zou 2019).

use std::collections::BTreeSet;

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::untouchable::{touches, untouchable};
use crate::table::normalise;

/// Leave out each word of `text` with probability `share`; `None` where nothing was, or where nothing would be left.
///
/// Words of which a part is in `protected` stay, and what is no prose or a negation. What stands between the others stays as it is.
pub fn delete_words(text: &str, share: f64, protected: &BTreeSet<String>, seed: u64) -> Option<String> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let pieces = pieces(text);
    // Every word draws, so that what is protected does not move the draws of the others.
    let kept: Vec<&str> = pieces
        .iter()
        .filter(|piece| rng.random::<f64>() >= share || piece.whole || is_protected(piece.text, protected))
        .map(|piece| piece.text)
        .collect();
    (kept.len() < pieces.len() && !kept.is_empty()).then(|| kept.concat().trim_end().to_owned())
}

/// Exchange a share of the words of `text` with others, at least one pair; `None` where it has fewer than two words to exchange.
///
/// The white space stays where it was, and so does what is no prose or a negation.
pub fn swap_words(text: &str, share: f64, seed: u64) -> Option<String> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let pieces = pieces(text);
    let words: Vec<&str> = pieces.iter().map(|piece| piece.text.trim_end()).collect();
    let mut order: Vec<usize> = (0..words.len()).collect();
    let mut places: Vec<usize> = order.iter().copied().filter(|&place| !pieces[place].whole).collect();
    places.shuffle(&mut rng);
    let pairs = ((share * places.len() as f64).round() as usize).max(1);
    for pair in places.chunks_exact(2).take(pairs) {
        order.swap(pair[0], pair[1]);
    }
    let swapped: String = pieces
        .iter()
        .zip(order)
        .flat_map(|(piece, from)| [words[from], &piece.text[piece.text.trim_end().len()..]])
        .collect();
    (swapped != text).then_some(swapped)
}

/// A word with the white space behind it, or several that belong together.
struct Piece<'a> {
    text: &'a str,
    /// Whether it has something that must stay.
    whole: bool,
}

/// The words of a text; what must stay is not parted.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let spans = untouchable(text);
    let within = |at: usize| spans.iter().any(|span| span.start < at && at < span.end);
    let mut ends: Vec<usize> = text
        .char_indices()
        .zip(text.chars().skip(1))
        .filter(|((_, c), next)| c.is_whitespace() && !next.is_whitespace())
        .map(|((at, c), _)| at + c.len_utf8())
        .filter(|end| !within(*end))
        .collect();
    ends.push(text.len());
    let mut start = 0;
    ends.into_iter()
        .map(|end| std::mem::replace(&mut start, end)..end)
        .filter(|range| !range.is_empty())
        .map(|range| Piece { text: &text[range.clone()], whole: touches(&spans, range) })
        .collect()
}

fn is_protected(word: &str, protected: &BTreeSet<String>) -> bool {
    normalise(word).split(' ').any(|part| protected.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sorted(text: &str) -> Vec<&str> {
        let mut words: Vec<&str> = text.split_whitespace().collect();
        words.sort_unstable();
        words
    }

    #[test]
    fn words_are_deleted_at_their_rate_and_protected_ones_never() {
        let text = "Roll the red ball, fast!\n".repeat(400);
        let protected = BTreeSet::from(["ball".to_owned()]);
        let left = delete_words(&text, 0.2, &protected, 1).unwrap();
        assert_eq!(left.matches("ball,").count(), 400);
        let deleted = 1600 + 400 - left.split_whitespace().count();
        assert!((280..360).contains(&deleted), "{deleted}");
        assert_eq!(delete_words("ball", 0.9, &protected, 1), None);
        assert_eq!(delete_words("one word", 1.0, &protected, 1), None);
        assert_eq!(delete_words("", 0.5, &protected, 1), None);
    }

    #[test]
    fn swapping_exchanges_words_and_nothing_else() {
        assert!(["b a c", "c b a", "a c b"].contains(&&*swap_words("a b c", 0.1, 3).unwrap()));
        assert_eq!(swap_words("lonely", 0.5, 3), None);
        assert_eq!(swap_words("same same", 0.5, 3), None);
        let moved = (0..50).filter_map(|seed| swap_words("a b c d e f g h i j", 0.2, seed));
        for text in moved {
            let off = text.split(' ').zip("a b c d e f g h i j".split(' ')).filter(|(a, b)| a != b).count();
            assert_eq!(off, 4, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_survives(text in "\\PC{0,40}[ \n\t]{0,3}\\PC{0,20}", share in 0.0f64..=1.0, seed: u64) {
            if let Some(swapped) = swap_words(&text, share, seed) {
                prop_assert_eq!(sorted(&swapped), sorted(&text));
            }
            if let Some(left) = delete_words(&text, share, &BTreeSet::new(), seed) {
                let all: Vec<&str> = text.split_whitespace().collect();
                let mut rest = all.iter();
                prop_assert!(left.split_whitespace().all(|word| rest.any(|w| *w == word)));
            }
        }
    }
}
