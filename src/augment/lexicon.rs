//! WordNet 3.0 (Fellbaum 1998) and an inflection table: which words can stand for which, in which form.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

/// Part of speech of a swappable word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PartOfSpeech {
    /// Noun.
    Noun,
    /// Verb.
    Verb,
    /// Adjective.
    Adjective,
    /// Adverb.
    Adverb,
}

/// The form a word stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// The lemma itself: singular noun, infinitive, positive adjective or adverb.
    Base,
    /// Plural noun.
    Plural,
    /// Past tense of a verb.
    Past,
    /// Past participle.
    Participle,
    /// `-ing` form.
    Ing,
    /// Third person singular.
    Third,
    /// Comparative.
    Comparative,
    /// Superlative.
    Superlative,
}

/// Why the lexicon cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the synonym data {}: {reason}", path.display())]
pub struct LexiconError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

impl LexiconError {
    /// What can be done about it.
    pub fn hint(&self) -> Option<String> {
        Some("`make setup` installs it".to_owned())
    }
}

/// Synonyms and inflections of English words.
pub struct Lexicon {
    /// Byte offsets of a lemma's synsets in the data file of its part of speech, most frequent sense first.
    senses: HashMap<(PartOfSpeech, String), Vec<usize>>,
    data: HashMap<PartOfSpeech, String>,
    /// Inflected forms of a lemma as the table lists them.
    inflections: HashMap<(PartOfSpeech, String), Vec<String>>,
}

const FILES: [(PartOfSpeech, &str); 4] = [
    (PartOfSpeech::Noun, "noun"),
    (PartOfSpeech::Verb, "verb"),
    (PartOfSpeech::Adjective, "adj"),
    (PartOfSpeech::Adverb, "adv"),
];

/// Senses searched for a synonym, most frequent first; later ones are rarely what was meant.
const SENSES: usize = 2;

impl Lexicon {
    /// Load `index.*`, `data.*` (formats: wndb(5WN)) and `infl_lu.csv.gz` from `folder`.
    ///
    /// # Errors
    /// A file is missing or not in its format.
    pub fn load(folder: &Path) -> Result<Self, LexiconError> {
        let mut lexicon = Self { senses: HashMap::new(), data: HashMap::new(), inflections: HashMap::new() };
        for (part, name) in FILES {
            let index = read_text(&folder.join(format!("index.{name}")))?;
            for line in index.lines().filter(|l| !l.starts_with(' ')) {
                if let Some((lemma, offsets)) = index_entry(line) {
                    lexicon.senses.insert((part, lemma.to_owned()), offsets);
                }
            }
            lexicon.data.insert(part, read_text(&folder.join(format!("data.{name}")))?);
        }
        let path = folder.join("infl_lu.csv.gz");
        let fail = |reason: std::io::Error| LexiconError { path: path.clone(), reason: reason.to_string() };
        let mut table = String::new();
        GzDecoder::new(fs::File::open(&path).map_err(fail)?).read_to_string(&mut table).map_err(fail)?;
        for line in table.lines() {
            let mut cells = line.split(',');
            let (Some(lemma), Some(part)) = (cells.next(), cells.next()) else { continue };
            let Some((part, _)) = FILES.iter().find(|(_, name)| *name == part) else { continue };
            // Alternatives stand as `goes/go`; the first is the usual one.
            let forms = cells.map(|c| c.split('/').next().unwrap_or(c).to_owned()).collect();
            lexicon.inflections.insert((*part, lemma.to_owned()), forms);
        }
        Ok(lexicon)
    }

    /// `lemma` in `form`; `None` where the table does not know it.
    pub fn inflect(&self, part: PartOfSpeech, lemma: &str, form: Form) -> Option<String> {
        if form == Form::Base {
            return Some(lemma.to_owned());
        }
        let forms = self.inflections.get(&(part, lemma.to_owned()))?;
        let column = match form {
            Form::Base | Form::Plural | Form::Past | Form::Comparative => 0,
            Form::Participle | Form::Superlative => 1,
            Form::Ing => 2,
            Form::Third => 3,
        };
        forms.get(column).filter(|f| !f.is_empty()).cloned()
    }

    /// Single, lower-case words that share the lemma's most frequent sense, or, where that has no other word, its
    /// second, in WordNet's order.
    ///
    /// Nouns and verbs are limited to those the inflection table knows, which keeps out rare and technical words.
    pub fn synonyms(&self, part: PartOfSpeech, lemma: &str) -> Vec<String> {
        let senses = self.senses.get(&(part, lemma.to_owned()));
        let words_of = |&offset: &usize| -> Vec<String> {
            let usable = |word: &&str| {
                let plain = word.len() > 2 && word.bytes().all(|b| b.is_ascii_lowercase());
                let inflects = matches!(part, PartOfSpeech::Noun | PartOfSpeech::Verb);
                let common = !inflects || self.inflections.contains_key(&(part, (*word).to_owned()));
                plain && common && *word != lemma
            };
            synset_words(&self.data[&part], offset).into_iter().filter(usable).map(str::to_owned).collect()
        };
        let mut found = senses.into_iter().flatten().take(SENSES).map(words_of);
        found.find(|words| !words.is_empty()).unwrap_or_default()
    }
}

fn read_text(path: &Path) -> Result<String, LexiconError> {
    fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .map_err(|e| LexiconError { path: path.to_owned(), reason: e.to_string() })
}

/// `lemma pos synset_cnt p_cnt [ptr_symbol …] sense_cnt tagsense_cnt synset_offset …`
fn index_entry(line: &str) -> Option<(&str, Vec<usize>)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let count: usize = fields.get(2)?.parse().ok()?;
    let offsets = fields.get(fields.len().checked_sub(count)?..)?;
    Some((fields[0], offsets.iter().map(|o| o.parse().ok()).collect::<Option<_>>()?))
}

/// Words of the synset at `offset`: `offset lex_filenum ss_type w_cnt(hex) word lex_id …`; an adjective's syntactic
/// marker such as `(p)` is cut off.
fn synset_words(data: &str, offset: usize) -> Vec<&str> {
    let Some(line) = data.get(offset..).and_then(|d| d.lines().next()) else { return Vec::new() };
    // Index and data of two sources do not fit each other; then no word is better than a wrong one.
    if !line.starts_with(&format!("{offset:08} ")) {
        return Vec::new();
    }
    let mut fields = line.split_whitespace().skip(3);
    let count = fields.next().and_then(|c| usize::from_str_radix(c, 16).ok()).unwrap_or(0);
    fields.step_by(2).take(count).map(|w| w.split('(').next().unwrap_or(w)).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::store::user_cache;

    /// The real WordNet that set-up installs; tests cannot run without it.
    pub fn wordnet() -> Lexicon {
        Lexicon::load(&user_cache().join("wordnet-3.0")).unwrap()
    }

    #[test]
    fn synonyms_share_a_sense_and_a_part_of_speech() {
        let lexicon = wordnet();
        assert!(lexicon.synonyms(PartOfSpeech::Noun, "autumn").contains(&"fall".into()));
        assert!(lexicon.synonyms(PartOfSpeech::Adjective, "big").contains(&"large".into()));
        assert!(lexicon.synonyms(PartOfSpeech::Adverb, "quickly").contains(&"rapidly".into()));
        let verbs = lexicon.synonyms(PartOfSpeech::Verb, "purchase");
        assert_eq!(verbs, ["buy"]);
        assert!(lexicon.synonyms(PartOfSpeech::Noun, "qwertz").is_empty());
    }

    #[test]
    fn inflection_follows_the_table() {
        let lexicon = wordnet();
        for (part, lemma, form, expected) in [
            (PartOfSpeech::Verb, "buy", Form::Past, "bought"),
            (PartOfSpeech::Verb, "go", Form::Participle, "gone"),
            (PartOfSpeech::Verb, "run", Form::Ing, "running"),
            (PartOfSpeech::Verb, "catch", Form::Third, "catches"),
            (PartOfSpeech::Noun, "child", Form::Plural, "children"),
            (PartOfSpeech::Adjective, "big", Form::Superlative, "biggest"),
        ] {
            assert_eq!(lexicon.inflect(part, lemma, form).unwrap(), expected);
        }
        assert_eq!(lexicon.inflect(PartOfSpeech::Verb, "qwertz", Form::Past), None);
    }

    #[test]
    fn a_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = Lexicon::load(folder.path()).err().unwrap();
        let hint = error.hint().unwrap();
        assert!(error.to_string().contains("index.noun") && hint.contains("make setup"), "{error}, {hint}");
    }
}
