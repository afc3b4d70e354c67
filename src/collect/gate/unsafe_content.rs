//! Texts that are nothing for families, by rules of words: no judgement, and no replacement for a reader.

use regex::Regex;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use super::candidate::{Candidate, prose};
use super::gate_error::GateError;
use super::pattern::{compile, first_guilty};
use super::reason::Reason;
use super::unsafe_kind::UnsafeKind;
use super::unsafe_rules::BUILT_IN;

/// A rule of the settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnsafeRule {
    /// What a match is about.
    pub kind: UnsafeKind,
    /// A regular expression that ignores case.
    pub pattern: String,
    /// A regular expression of innocent uses: a match that overlaps one of its matches passes.
    #[serde(default)]
    pub innocent: Option<String>,
}

/// Which rules hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UnsafeSettings {
    /// The kinds that are looked for, by whichever rules.
    pub kinds: Vec<UnsafeKind>,
    /// Whether the rules that come with the gate hold.
    pub built_in: bool,
    /// Further rules.
    pub rules: Vec<UnsafeRule>,
    /// Further innocent uses, for all rules.
    pub innocent: Vec<String>,
}

impl Default for UnsafeSettings {
    fn default() -> Self {
        let kinds = UnsafeKind::ALL.to_vec();
        Self { kinds, built_in: true, rules: Vec::new(), innocent: Vec::new() }
    }
}

/// The rules, ready to look with.
#[derive(Clone, Debug)]
pub struct UnsafeRules {
    rules: Vec<Compiled>,
    innocent: Vec<Regex>,
}

#[derive(Clone, Debug)]
struct Compiled {
    kind: UnsafeKind,
    pattern: Regex,
    innocent: Option<Regex>,
}

impl UnsafeRules {
    /// The rules of the settings.
    ///
    /// # Errors
    /// A pattern is no regular expression.
    pub fn new(settings: &UnsafeSettings) -> Result<Self, GateError> {
        let mut rules = Vec::new();
        for rule in BUILT_IN.iter().filter(|rule| settings.built_in && settings.kinds.contains(&rule.kind)) {
            let innocent = Some(rule.innocent).filter(|pattern| !pattern.is_empty());
            rules.push(Compiled {
                kind: rule.kind,
                pattern: compile("the built-in rules", rule.pattern)?,
                innocent: innocent.map(|pattern| compile("the built-in rules", pattern)).transpose()?,
            });
        }
        for rule in settings.rules.iter().filter(|rule| settings.kinds.contains(&rule.kind)) {
            let innocent = rule.innocent.as_deref();
            rules.push(Compiled {
                kind: rule.kind,
                pattern: compile("unsafe_content.rules", &rule.pattern)?,
                innocent: innocent.map(|pattern| compile("unsafe_content.rules", pattern)).transpose()?,
            });
        }
        let innocent = settings.innocent.iter().map(|pattern| compile("unsafe_content.innocent", pattern));
        Ok(Self { rules, innocent: innocent.collect::<Result<_, _>>()? })
    }

    /// The first place of each rule in each field of a candidate.
    pub fn reasons(&self, candidate: &Candidate) -> Vec<Reason> {
        let mut found = Vec::new();
        for (field, items) in &candidate.texts {
            let text = as_seen(&prose(items));
            for rule in &self.rules {
                let innocent = rule.innocent.iter().chain(&self.innocent);
                if let Some(hit) = first_guilty(&rule.pattern, innocent, &text) {
                    let (field, found_words) = (field.clone(), hit.as_str().to_owned());
                    found.push(Reason::Unsafe { field, kind: rule.kind, found: found_words });
                }
            }
        }
        found
    }
}

/// The text as a reader sees it: wide and styled letters plain, no characters without a width, one space between words.
fn as_seen(text: &str) -> String {
    const INVISIBLE: [char; 6] = ['\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}', '\u{ad}'];
    let visible: String = text.nfkc().filter(|c| !INVISIBLE.contains(c)).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;

    /// Compiled once: it takes longer than all that is done with them here.
    static DEFAULT: LazyLock<UnsafeRules> =
        LazyLock::new(|| UnsafeRules::new(&UnsafeSettings::default()).unwrap());

    fn reasons(rules: &UnsafeRules, text: &str) -> Vec<Reason> {
        let texts = [("steps".to_owned(), vec![text.to_owned()])].into();
        rules.reasons(&Candidate { texts, ..Candidate::default() })
    }

    fn kinds(rules: &UnsafeRules, text: &str) -> Vec<UnsafeKind> {
        let reasons = reasons(rules, text);
        let of = |reason| match reason {
            Reason::Unsafe { kind, .. } => kind,
            other => panic!("{other}"),
        };
        reasons.into_iter().map(of).collect()
    }

    #[test]
    fn clear_cases_of_each_kind_are_found() {
        use UnsafeKind::{Drugs, SelfHarm, Sexual, Slurs, Violence, Weapons};
        for (text, kind) in [
            ("Watch porn together", Sexual),
            ("They have sex.", Sexual),
            ("Ask her to pose naked.", Sexual),
            ("send nudes", Sexual),
            ("Play strip poker with shots", Sexual),
            ("Talk about suicide methods", SelfHarm),
            ("How to kill yourself", SelfHarm),
            ("Try the blackout challenge", SelfHarm),
            ("She cut her wrists", SelfHarm),
            ("Bring Dad's gun", Weapons),
            ("Build a pipe bomb", Weapons),
            ("Clean the rifle", Weapons),
            ("an AK-47 for all", Weapons),
            ("Smoke weed behind the shed", Drugs),
            ("Everyone gets drugs", Drugs),
            ("Play a drinking game", Drugs),
            ("sniffing glue", Drugs),
            ("You retard!", Slurs),
            ("what the fuck", Slurs),
            ("what the f\u{200b}uck", Slurs),
            ("ｆｕｃｋ this", Slurs),
            ("Kill somebody", Violence),
            ("stab your brother", Violence),
            ("Kick him in the face", Violence),
            ("He raped her", Violence),
            ("Decapitate the hostages", Violence),
        ] {
            assert_eq!(kinds(&DEFAULT, text), [kind], "{text}");
        }
    }

    #[test]
    fn innocent_uses_pass() {
        for text in [
            "Shoot a basket, shoot the ball at the goal, shoot some hoops, shoot a film.",
            "Walk to the drug store. A drugstore find. Say no to drugs.",
            "A card game to kill time, and a killer sudoku. Kill the lights.",
            "Swim breast stroke or breaststroke; robin redbreast; chicken breast.",
            "A train to Scunthorpe, Penistone, Sussex, Essex and Middlesex; Cockermouth.",
            "Cocktail sticks, peacock, shuttlecock, cockerel, hancock; assess the assembly; classic grass.",
            "Blue tits and a great tit came to the feeder. Pussy willow and a pussycat. Moby Dick.",
            "Hot glue gun, water guns and a heat-gun; the big nail gun. Don't jump the gun.",
            "Water pistols, pistol squats, rifle through the drawer, the starter's pistol.",
            "Bath bombs, seed bombs, a cherry bomb of colour, photobomb, water bombs, grenadine.",
            "Shiitake, a Shih Tzu, matsushita; scrape, grape, drapes, trapeze; oilseed rape in bloom.",
            "A Maine coon, a raccoon, a cocoon; light through a chink in the curtain.",
            "The dough is retarded overnight. Fire-retardant cloth.",
            "Wink murder: the murderer winks, whoever dies falls down. A murder mystery evening.",
            "Never shoot at people. Don't kick anyone in the face. Arrows could kill someone.",
            "Hang yourself upside down from the bar. Suicide drills on the court.",
            "Beat your brother at chess, beat the egg whites, whip the cream, punch holes, slap the table.",
            "Kill two birds with one stone; dead easy; I could murder a sandwich; die-cut; roll the dice.",
            "Weed the bed, smoke the fish, get high on the swing, a potluck joint, crack the eggs, coke oven.",
            "Name, age and sex of the hamster. Both sexes play. Sexton, sextant, sextet.",
            "Wine gums, ginger beer, rum cake; a shot of syrup. Smokey bacon. No smoking.",
            "Sword dance, toy arrow, cannonball dive, bullet points, knife and fork.",
            "Hashbrowns, methane, a method, heroine, speed, ecstatic, bong goes the bell.",
        ] {
            let found = reasons(&DEFAULT, text);
            assert_eq!(found, [], "{text}");
        }
    }

    #[test]
    fn an_innocent_use_excuses_no_other() {
        let both = "Not the glue gun: the gun in the drawer.";
        assert_eq!(kinds(&DEFAULT, both), [UnsafeKind::Weapons]);
    }

    #[test]
    fn settings_take_out_add_and_replace() {
        let rule = |kind, pattern: &str, innocent: Option<&str>| UnsafeRule {
            kind,
            pattern: pattern.to_owned(),
            innocent: innocent.map(str::to_owned),
        };
        let no_weapons = UnsafeSettings { kinds: vec![UnsafeKind::Drugs], ..UnsafeSettings::default() };
        assert_eq!(kinds(&UnsafeRules::new(&no_weapons).unwrap(), "a gun and drugs"), [UnsafeKind::Drugs]);
        let wine = rule(UnsafeKind::Drugs, r"\bwine\b", Some("wine gums?"));
        let own = UnsafeSettings { built_in: false, rules: vec![wine], ..UnsafeSettings::default() };
        assert_eq!(kinds(&UnsafeRules::new(&own).unwrap(), "WINE and a gun"), [UnsafeKind::Drugs]);
        assert_eq!(kinds(&UnsafeRules::new(&own).unwrap(), "wine gums and a gun"), []);
        let museum =
            UnsafeSettings { innocent: vec!["guns? of the fort".into()], ..UnsafeSettings::default() };
        assert_eq!(kinds(&UnsafeRules::new(&museum).unwrap(), "Count the guns of the fort"), []);
        let bad =
            UnsafeSettings { rules: vec![rule(UnsafeKind::Drugs, "(", None)], ..UnsafeSettings::default() };
        assert!(matches!(UnsafeRules::new(&bad), Err(GateError::Pattern { .. })));
    }
}
