//! Synonym swap (EDA, Wei & Zou 2019), with part of speech, inflection and capitalisation kept.

use std::collections::BTreeSet;

use english_pos_tagger::Tagger;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::lexicon::{Form, Lexicon, PartOfSpeech};
use super::untouchable::{touches, untouchable};

/// Verbs with so many senses that WordNet's first two are seldom meant.
const LIGHT_VERBS: [&str; 24] = [
    "be", "have", "do", "let", "get", "go", "make", "take", "put", "use", "give", "keep", "set", "turn",
    "see", "say", "want", "need", "try", "come", "play", "run", "work", "hold",
];

/// A word of the text that has synonyms.
struct Swappable {
    start: usize,
    end: usize,
    /// Synonyms in the form of the word, lower case.
    replacements: Vec<String>,
}

/// Swap a share of the words of `text` for synonyms; `None` where no word can be swapped.
///
/// Of the words that have a synonym and are not in `protected` (by the word or its lemma), `share` are swapped, at
/// least one. The rest of the text stays as it is to the byte, but for `a`/`an` before a swapped word; so does what
/// is no prose or a negation.
pub fn swap(
    text: &str,
    share: f64,
    lexicon: &Lexicon,
    tagger: &Tagger,
    protected: &BTreeSet<String>,
    seed: u64,
) -> Option<String> {
    let mut words = swappable(text, lexicon, tagger, protected);
    if words.is_empty() {
        return None;
    }
    let count = ((share * words.len() as f64).round() as usize).clamp(1, words.len());
    // Each word draws for itself: where folds protect different words, the choice among the others stays the same, and
    // with it most variants and their cached embeddings.
    let draws = |word: &Swappable| {
        ChaCha8Rng::seed_from_u64(seed.wrapping_add((word.start as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    };
    words.sort_by_cached_key(|word| draws(word).random::<u64>());
    words.truncate(count);
    words.sort_by_key(|w| w.start);
    let mut swapped = String::with_capacity(text.len() + 16);
    let mut copied = 0;
    for word in &words {
        swapped.push_str(&text[copied..word.start]);
        let original = &text[word.start..word.end];
        let new = with_case_of(original, word.replacements.choose(&mut draws(word))?);
        mend_article(&mut swapped, &new);
        swapped.push_str(&new);
        copied = word.end;
    }
    swapped.push_str(&text[copied..]);
    Some(swapped)
}

fn swappable(text: &str, lexicon: &Lexicon, tagger: &Tagger, protected: &BTreeSet<String>) -> Vec<Swappable> {
    let mut words = Vec::new();
    let mut cursor = 0;
    let whole = untouchable(text);
    for sentence in sentences(text) {
        for token in tagger.tag_sentence(sentence) {
            // The tagger rewrites contractions; a token that is not in the text is none that could be swapped.
            let Some(start) = find_word(text, cursor, &token.value) else { continue };
            let end = start + token.value.len();
            cursor = end;
            let lower = token.value.to_lowercase();
            let Some((part, form)) = token.pos.as_deref().and_then(part_and_form) else { continue };
            let lemma = token.lemma.clone().unwrap_or_else(|| lower.clone());
            let plain = lower.len() > 2 && token.value.bytes().all(|b| b.is_ascii_alphabetic());
            let light = part == PartOfSpeech::Verb && LIGHT_VERBS.contains(&lemma.as_str());
            let keeps = protected.contains(&lower) || protected.contains(&lemma);
            // The tagger's guess of form and lemma counts only where the table inflects back to the very word.
            let certain = lexicon.inflect(part, &lemma, form).is_some_and(|f| f == lower);
            if !plain || light || keeps || !certain || touches(&whole, start..end) {
                continue;
            }
            let replacements: Vec<String> = lexicon
                .synonyms(part, &lemma)
                .iter()
                .filter(|s| !protected.contains(*s))
                .filter_map(|s| lexicon.inflect(part, s, form))
                .collect();
            if !replacements.is_empty() {
                words.push(Swappable { start, end, replacements });
            }
        }
    }
    words
}

/// Where `word` next stands by itself in `text`, from byte `from` on.
fn find_word(text: &str, from: usize, word: &str) -> Option<usize> {
    text[from..].match_indices(word).map(|(at, _)| from + at).find(|&start| {
        !text[..start].ends_with(char::is_alphanumeric)
            && !text[start + word.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '\'' || c == '’')
    })
}

/// Sentences and lines of a text, in order.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(['.', '!', '?', '\n', ';']).filter(|s| !s.trim().is_empty())
}

/// Penn Treebank tag to part of speech and form; proper nouns and closed classes are not swapped.
fn part_and_form(tag: &str) -> Option<(PartOfSpeech, Form)> {
    use PartOfSpeech::{Adjective, Adverb, Noun, Verb};
    Some(match tag {
        "NN" => (Noun, Form::Base),
        "NNS" => (Noun, Form::Plural),
        "VB" | "VBP" => (Verb, Form::Base),
        "VBD" => (Verb, Form::Past),
        "VBN" => (Verb, Form::Participle),
        "VBG" => (Verb, Form::Ing),
        "VBZ" => (Verb, Form::Third),
        "JJ" => (Adjective, Form::Base),
        "JJR" => (Adjective, Form::Comparative),
        "JJS" => (Adjective, Form::Superlative),
        "RB" => (Adverb, Form::Base),
        _ => return None,
    })
}

/// `new` in the capitalisation of `original`.
fn with_case_of(original: &str, new: &str) -> String {
    let upper = |c: char| c.is_uppercase();
    if original.chars().all(upper) {
        new.to_uppercase()
    } else if original.starts_with(upper) {
        new[..1].to_uppercase() + &new[1..]
    } else {
        new.to_owned()
    }
}

/// Whether `a` becomes `an` before a word: by its first letter, but for those whose first sound is another.
fn takes_an(word: &str) -> bool {
    const SILENT_H: [&str; 5] = ["honest", "honor", "honour", "hour", "heir"];
    const LIKE_YOU_OR_WON: [&str; 19] = [
        "eu", "ewe", "one", "once", "use", "usa", "usu", "uti", "unic", "unif", "unil", "union", "uniq",
        "unis", "unit", "univ", "ubiq", "uran", "utop",
    ];
    let lower = word.to_lowercase();
    let starts = |with: &[&str]| with.iter().any(|w| lower.starts_with(w));
    starts(&SILENT_H) || (lower.starts_with(['a', 'e', 'i', 'o', 'u']) && !starts(&LIKE_YOU_OR_WON))
}

/// Make a final `a ` or `an ` of `before` fit `next`.
fn mend_article(before: &mut String, next: &str) {
    let vowel = takes_an(next);
    let word = before.trim_end().rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or("");
    let fitting = match (word, vowel) {
        ("a", true) => "an",
        ("A", true) => "An",
        ("an", false) => "a",
        ("An", false) => "A",
        _ => return,
    };
    if let Some(stem) = before.strip_suffix(&format!("{word} ")) {
        *before = format!("{stem}{fitting} ");
    }
}

/// A seed for one field of one variant of a row, from the text itself, so that other rows do not move it.
pub fn seed_of(seed: u64, text: &str, variant: usize) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).update(&(variant as u64).to_le_bytes()).update(text.as_bytes());
    let mut rng = ChaCha8Rng::from_seed(*hasher.finalize().as_bytes());
    rng.random()
}

#[cfg(test)]
mod tests {
    use super::super::lexicon::tests::wordnet;
    use super::*;

    fn variants(text: &str, protected: &[&str]) -> BTreeSet<String> {
        let (lexicon, tagger) = (wordnet(), Tagger::new());
        let protected = protected.iter().map(|&p| p.to_owned()).collect();
        (0..40).filter_map(|seed| swap(text, 1.0, &lexicon, &tagger, &protected, seed)).collect()
    }

    #[test]
    fn inflection_capitals_and_the_rest_are_kept() {
        let seen = variants("They purchased two bicycles, gladly!", &["two"]);
        assert!(!seen.is_empty());
        for text in &seen {
            assert!(text.starts_with("They bought two ") && text.ends_with('!'), "{text}");
        }
        assert!(seen.iter().any(|t| t.contains(" bikes,")), "{seen:?}");
        assert_eq!(with_case_of("WORD", "other"), "OTHER");
        assert_eq!(with_case_of("Word", "other"), "Other");
    }

    #[test]
    fn the_word_that_was_tagged_is_the_one_swapped() {
        let seen = variants("You will write a will quickly", &["write", "quickly"]);
        assert!(seen.iter().all(|t| t.starts_with("You will write ")), "{seen:?}");
    }

    #[test]
    fn articles_go_by_the_sound() {
        for word in ["honorable", "hour", "heir", "apple", "Umbrella", "unimportant", "owl"] {
            assert!(takes_an(word), "{word}");
        }
        for word in ["house", "one", "unique", "university", "European", "used", "year"] {
            assert!(!takes_an(word), "{word}");
        }
        let mut before = "It was a ".to_owned();
        mend_article(&mut before, "honorable");
        assert_eq!(before, "It was an ");
    }

    #[test]
    fn protected_words_and_texts_without_synonyms_stay() {
        assert!(variants("The autumn", &["autumn"]).is_empty());
        assert!(variants("", &[]).is_empty());
        assert!(variants("12 + 7, ok?", &[]).is_empty());
        let seen = variants("autumn bicycles", &["autumn"]);
        assert!(!seen.is_empty() && seen.iter().all(|t| t.starts_with("autumn ")), "{seen:?}");
    }

    #[test]
    fn a_protected_word_is_never_put_in_either() {
        assert!(variants("In autumn we rest.", &[]).iter().any(|t| t.contains("fall")));
        let seen = variants("In autumn we rest.", &["fall"]);
        assert!(seen.iter().all(|t| !t.contains("fall")), "{seen:?}");
    }

    #[test]
    fn articles_follow_the_new_word() {
        let mut before = String::from("This is an ");
        mend_article(&mut before, "car");
        assert_eq!(before, "This is a ");
        mend_article(&mut before, "auto");
        assert_eq!(before, "This is an ");
        let mut before = String::from("banana ");
        mend_article(&mut before, "apple");
        assert_eq!(before, "banana ");
    }

    #[test]
    fn unicode_around_swapped_words_survives() {
        let seen = variants("Große Überraschung – quickly 🎈 naïve café.", &[]);
        assert!(
            seen.iter().all(|t| t.starts_with("Große Überraschung – ") && t.ends_with(" 🎈 naïve café.")),
            "{seen:?}"
        );
    }
}
