//! Whether a candidate is in a language that the dataset is in, by whatlang's trigrams and alphabets and by the dataset's own words.

use std::collections::{BTreeMap, HashMap, HashSet};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use whatlang::Lang;

use super::gate_error::GateError;
use super::reason::Reason;

/// When a language counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LanguageSettings {
    /// Whether languages are compared.
    pub enabled: bool,
    /// Letters that a text must have to be decided; shorter ones pass.
    pub least_letters: usize,
    /// How sure the detection must be, in `[0, 1]`: for the dataset's own languages, and for others where the dataset's words do
    /// not decide.
    pub least_confidence: f64,
    /// Share of the dataset's decided rows, in `(0, 1]`, that makes a language one of the dataset's.
    pub least_share: f64,
    /// Share of a text's words, in `[0, 1]`, from which on it is in the dataset's language whatever the detection says.
    pub familiar: f64,
}

impl Default for LanguageSettings {
    fn default() -> Self {
        Self { enabled: true, least_letters: 40, least_confidence: 0.9, least_share: 0.05, familiar: 0.5 }
    }
}

impl LanguageSettings {
    /// That shares are shares.
    ///
    /// # Errors
    /// A share outside its range.
    pub fn check(&self) -> Result<(), GateError> {
        for (key, value) in [
            ("language.least_confidence", self.least_confidence),
            ("language.least_share", self.least_share),
            ("language.familiar", self.familiar),
        ] {
            if !(0.0..=1.0).contains(&value) {
                let (key, value) = (key.to_owned(), value.to_string());
                return Err(GateError::Setting { key, value, wanted: "within 0 to 1" });
            }
        }
        Ok(())
    }
}

/// The languages of a dataset.
///
/// Trigrams alone are unsure of short texts and of lists of words. So the words that the dataset has in more than one row have a
/// say: a text made of them is in its language, and where they cover the dataset's own texts well, a text of other words is refused
/// however unsure the detection is which other language it is in.
#[derive(Clone, Debug, PartialEq)]
pub struct Languages {
    settings: LanguageSettings,
    /// The most frequent first.
    languages: Vec<Lang>,
    /// Words of two rows or more, lower case.
    words: HashSet<String>,
    /// Whether a text of the dataset is made of such words, so that one that is not is strange.
    words_decide: bool,
}

/// Share of the dataset's words that its repeated words must make up to decide.
const COVERAGE: f64 = 0.8;

impl Languages {
    /// The languages that the `texts` of a dataset are in, one text a row; none where too few can be decided.
    pub fn of(texts: &[String], settings: &LanguageSettings) -> Self {
        let sure =
            |text: &String| detect(text, settings).filter(|f| f.confidence >= settings.least_confidence);
        let decided: Vec<Lang> =
            texts.par_iter().filter_map(|text| sure(text).map(|found| found.language)).collect();
        let mut counts: BTreeMap<&'static str, (Lang, usize)> = BTreeMap::new();
        for &language in &decided {
            counts.entry(language.code()).or_insert((language, 0)).1 += 1;
        }
        let mut counts: Vec<(Lang, usize)> = counts.into_values().collect();
        counts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        let enough = |count: usize| count as f64 >= settings.least_share * decided.len() as f64;
        let languages = counts.into_iter().filter(|&(_, count)| enough(count)).map(|(language, _)| language);

        let mut uses: HashMap<String, Uses> = HashMap::new();
        for (row, text) in texts.iter().enumerate() {
            for word in words(text) {
                let uses = uses.entry(word).or_insert(Uses { tokens: 0, rows: 0, last: usize::MAX });
                uses.tokens += 1;
                uses.rows += usize::from(uses.last != row);
                uses.last = row;
            }
        }
        let tokens: usize = uses.values().map(|uses| uses.tokens).sum();
        uses.retain(|_, uses| uses.rows > 1);
        let covered: usize = uses.values().map(|uses| uses.tokens).sum();
        Self {
            settings: settings.clone(),
            languages: languages.collect(),
            words: uses.into_keys().collect(),
            words_decide: tokens > 0 && covered as f64 >= COVERAGE * tokens as f64,
        }
    }

    /// ISO 639-3 codes, the most frequent first; none where no text of the dataset could be decided.
    pub fn codes(&self) -> Vec<String> {
        self.languages.iter().map(|language| language.code().to_owned()).collect()
    }

    /// Whether a text is in another language.
    pub fn reason(&self, text: &str) -> Option<Reason> {
        if self.languages.is_empty() {
            return None;
        }
        let Found { language, confidence } = detect(text, &self.settings)?;
        let familiar = self.familiar(text);
        let sure = self.words_decide || confidence >= self.settings.least_confidence;
        let other = !self.languages.contains(&language) && familiar < self.settings.familiar;
        (other && sure).then(|| Reason::Language {
            found: language.code().to_owned(),
            expected: self.codes(),
            confidence,
            familiar,
        })
    }

    /// Share of a text's words that the dataset has in more than one row; 0 of none.
    fn familiar(&self, text: &str) -> f64 {
        let (mut all, mut known) = (0usize, 0usize);
        for word in words(text) {
            all += 1;
            known += usize::from(self.words.contains(&word));
        }
        known as f64 / all.max(1) as f64
    }
}

/// How a word is used in the dataset.
struct Uses {
    tokens: usize,
    rows: usize,
    /// The last row that has it.
    last: usize,
}

/// The words of a text without digits, lower case.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphabetic() && c != '\'' && c != '\u{2019}')
        .filter(|word| word.contains(char::is_alphabetic))
        .map(str::to_lowercase)
}

struct Found {
    language: Lang,
    confidence: f64,
}

/// The language of a text, where it is long enough.
fn detect(text: &str, settings: &LanguageSettings) -> Option<Found> {
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    // An ideogram or a syllable says about what three letters do.
    let dense = text.chars().filter(|&c| c >= '\u{2e80}').filter(|c| c.is_alphabetic()).count();
    if letters + 2 * dense < settings.least_letters {
        return None;
    }
    let info = whatlang::detect(text)?;
    Some(Found { language: info.lang(), confidence: info.confidence() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGLISH: [&str; 4] = [
        "Lay the blanket on the grass and put three toys under it. Ask your child which one is missing.",
        "Fold the paper in half, draw a fish, and cut along the line together. Hang it where the wind can reach it.",
        "Everybody sits in a ring. Whoever holds the ball says a word that begins with the last letter.",
        "Fill the bath with warm water and let the boats race from one end to the other.",
    ];

    fn languages() -> Languages {
        Languages::of(&ENGLISH.map(String::from), &LanguageSettings::default())
    }

    #[test]
    fn other_languages_are_refused() {
        // No code where neighbours are confused: it need not be right about the language to be right that it is another.
        let english = languages();
        assert_eq!(english.codes(), ["eng"]);
        for (text, code) in [
            (
                "Legt die Decke auf die Wiese und versteckt drei Spielsachen darunter. Welche fehlt jetzt?",
                "deu",
            ),
            (
                "Pliez la feuille en deux, dessinez un poisson et découpez-le ensemble le long de la ligne.",
                "fra",
            ),
            ("Llena la bañera con agua tibia y deja que los barcos compitan de un lado a otro.", "spa"),
            ("Разложите одеяло на траве и спрячьте под ним три игрушки. Какой не хватает?", ""),
            ("把毯子铺在草地上,在下面藏三个玩具,让孩子猜一猜少了哪一个,然后交换角色再玩一次。", "cmn"),
            (
                "زمین پر کمبل بچھائیں اور اس کے نیچے تین کھلونے چھپائیں، پھر بچے سے پوچھیں کہ کون سا غائب ہے",
                "urd",
            ),
        ] {
            match english.reason(text) {
                Some(Reason::Language { found, .. }) => {
                    assert!(code.is_empty() || found == code, "{text}: {found}")
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn the_own_language_and_what_cannot_be_decided_pass() {
        let english = languages();
        for text in [
            "",
            "Rundlauf",
            "Pétanque on the gravel",
            "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
            "Boules, bocce, pétanque and all the other ball games that are played by old men in the park on Sundays",
            "Sing 'Frère Jacques' in a round: the first group starts, the second comes in a line later, and so on.",
            "🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂",
        ] {
            assert_eq!(english.reason(text), None, "{text}");
        }
    }

    #[test]
    fn words_of_a_dataset_decide_where_trigrams_are_unsure() {
        // Words in two rows each cover all of the dataset.
        let list = "four sticks split lengthways, board drawn on cloth, four buttons per side";
        let texts = ENGLISH.iter().chain(&ENGLISH).chain([&list, &list]);
        let texts: Vec<String> = texts.map(ToString::to_string).collect();
        let known = Languages::of(&texts, &LanguageSettings::default());
        assert!(known.words_decide && !languages().words_decide);
        // The detection is sure of another language than the one that the words are of.
        assert!(languages().reason(list).is_some());
        assert_eq!(known.reason(list), None);
        // And unsure of one that the words are not of.
        let danish = "Læg tæppet på græsset og gem tre stykker legetøj derinde.";
        assert!(whatlang::detect(danish).unwrap().confidence() < 0.9);
        assert_eq!(languages().reason(danish), None);
        assert!(matches!(known.reason(danish), Some(Reason::Language { familiar: 0.0, .. })));
    }

    #[test]
    fn a_dataset_in_two_languages_takes_both_and_one_of_crumbs_takes_all() {
        let german =
            "Legt die Decke auf die Wiese und versteckt drei Spielsachen darunter. Welche fehlt jetzt?";
        let mut texts = ENGLISH.map(String::from).to_vec();
        texts.push(german.to_owned());
        let both = Languages::of(&texts, &LanguageSettings::default());
        assert_eq!(both.codes(), ["eng", "deu"]);
        assert_eq!(both.reason(german), None);
        let none = Languages::of(&["Tag".to_owned(), "Hide".to_owned()], &LanguageSettings::default());
        assert_eq!((none.codes(), none.reason(german)), (vec![], None));
    }

    #[test]
    fn a_share_above_one_is_an_error() {
        let bad = LanguageSettings { least_share: 1.5, ..LanguageSettings::default() };
        assert!(matches!(bad.check(), Err(GateError::Setting { .. })));
        assert_eq!(LanguageSettings::default().check(), Ok(()));
    }
}
