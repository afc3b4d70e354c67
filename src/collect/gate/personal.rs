//! Personal data in texts: e-mail addresses, phone numbers, bank accounts, payment cards, addresses on the internet.
//!
//! Found by form and check digit, so names and street addresses stay.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::sync::LazyLock;

use iban::Iban;
use regex::Regex;
use serde::{Deserialize, Serialize};

use super::candidate::Columns;
use super::check_digits::{card_issuer, luhn};
use super::personal_kind::PersonalKind;
use super::phone::phones;
use super::reason::Reason;

/// What is done with personal data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PersonalAction {
    /// A neutral word is put in its place, and said.
    Remove,
    /// The candidate is refused.
    #[default]
    Refuse,
    /// It stays.
    Keep,
}

/// What is looked for and what is done with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PersonalSettings {
    /// What is done.
    pub action: PersonalAction,
    /// The kinds that are looked for.
    pub kinds: Vec<PersonalKind>,
}

impl Default for PersonalSettings {
    fn default() -> Self {
        Self { action: PersonalAction::default(), kinds: PersonalKind::ALL.to_vec() }
    }
}

/// Personal data at a place of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Personal {
    /// Of what kind.
    pub kind: PersonalKind,
    /// Where: bytes of the text.
    pub range: Range<usize>,
}

const EMAIL: &str = r"[\p{L}\p{N}._%+'-]*[\p{L}\p{N}_%+-]\s?(?:@|\(at\)|\[at\]|\{at\})\s?[\p{L}\p{N}-]+(?:(?:\.|\s?\((?:dot|punkt|point)\)\s?|\s?\[(?:dot|punkt|point)\]\s?)[\p{L}\p{N}-]+)*(?:\.|\s?\((?:dot|punkt|point)\)\s?|\s?\[(?:dot|punkt|point)\]\s?)\p{L}{2,24}";
const IBAN: &str = r"\b[A-Z]{2}[0-9]{2}(?:[ \u{a0}-]?[A-Z0-9]{4}){2,7}(?:[ \u{a0}-]?[A-Z0-9]{1,4})?\b";
const CARD: &str = r"\b[0-9]{4}(?:[ \u{a0}\-\u{2011}]?[0-9]{2,6}){2,4}\b";
const IPV4: &str = r"\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b";
const IPV6: &str = r"(?i)\b[0-9a-f]{1,4}(?:::?[0-9a-f]{1,4}){3,7}\b";

struct Patterns {
    email: Regex,
    iban: Regex,
    card: Regex,
    ipv4: Regex,
    ipv6: Regex,
    reserved: Regex,
    version: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let compile = |pattern: &str| {
        Regex::new(pattern).unwrap_or_else(|_| unreachable!("a constant that the tests compile"))
    };
    Patterns {
        email: compile(EMAIL),
        iban: compile(IBAN),
        card: compile(CARD),
        ipv4: compile(IPV4),
        ipv6: compile(IPV6),
        reserved: compile(r"(?i)(?:[@.)\]}]\s?)(?:example\.(?:com|org|net)|example|test|invalid|localhost)$"),
        version: compile(
            r"(?i)(?:\bv|version|release|build|section|chapter|step|rule|exercise|§)[ .:]{0,2}$",
        ),
    }
});

/// The personal data of a text of these kinds, in its order, none overlapping another.
pub fn personal(text: &str, kinds: &[PersonalKind]) -> Vec<Personal> {
    let mut found: Vec<Personal> = Vec::new();
    for kind in PersonalKind::ALL.into_iter().filter(|kind| kinds.contains(kind)) {
        let ranges = match kind {
            PersonalKind::Email => {
                matching(&PATTERNS.email, text, |email| !PATTERNS.reserved.is_match(&text[email]))
            }
            PersonalKind::Iban => ibans(text),
            PersonalKind::Card => matching(&PATTERNS.card, text, |range| {
                let digits = digits(&text[range.clone()]);
                !joins(text, &range) && card_issuer(&digits) && luhn(&digits)
            }),
            PersonalKind::InternetAddress => internet_addresses(text),
            PersonalKind::Phone => phones(text),
        };
        for range in ranges {
            if !found.iter().any(|other| other.range.start < range.end && range.start < other.range.end) {
                found.push(Personal { kind, range });
            }
        }
    }
    found.sort_by_key(|personal| personal.range.start);
    found
}

/// What was found in the texts of a candidate, and the texts without it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cleaned {
    /// Each place, in the order of fields.
    pub reasons: Vec<Reason>,
    /// The texts without personal data, where some was taken out.
    pub texts: Option<Columns>,
}

impl PersonalSettings {
    /// Look through the texts of a candidate, and take out what is found where the settings say so.
    pub fn clean(&self, texts: &Columns) -> Cleaned {
        let mut cleaned = Cleaned::default();
        if self.action == PersonalAction::Keep {
            return cleaned;
        }
        for (field, items) in texts {
            for (place, item) in items.iter().enumerate() {
                let found = personal(item, &self.kinds);
                for Personal { kind, range } in &found {
                    let (field, kind, covered) = (field.clone(), *kind, covered(&item[range.clone()]));
                    cleaned.reasons.push(match self.action {
                        PersonalAction::Remove => Reason::PersonalRemoved { field, kind, covered },
                        PersonalAction::Refuse | PersonalAction::Keep => {
                            Reason::Personal { field, kind, covered }
                        }
                    });
                }
                if self.action == PersonalAction::Remove && !found.is_empty() {
                    let texts = cleaned.texts.get_or_insert_with(|| texts.clone());
                    if let Some(item) = texts.get_mut(field).and_then(|items| items.get_mut(place)) {
                        found
                            .iter()
                            .rev()
                            .for_each(|p| item.replace_range(p.range.clone(), p.kind.neutral()));
                    }
                }
            }
        }
        cleaned
    }
}

/// The first and the last character, and how many lie between.
fn covered(text: &str) -> String {
    let mut characters = text.chars();
    match (characters.next(), characters.next_back(), characters.count()) {
        (Some(first), Some(last), between) => format!("{first}…({between})…{last}"),
        _ => "…".to_owned(),
    }
}

fn digits(text: &str) -> Vec<u8> {
    text.bytes().filter(u8::is_ascii_digit).map(|b| b - b'0').collect()
}

fn matching(pattern: &Regex, text: &str, fits: impl Fn(Range<usize>) -> bool) -> Vec<Range<usize>> {
    pattern.find_iter(text).map(|found| found.range()).filter(|range| fits(range.clone())).collect()
}

/// Whether more digits hang on either side, with a sign between or without.
fn joins(text: &str, range: &Range<usize>) -> bool {
    let sign = |c: char| ['.', ',', '-', '/'].contains(&c);
    let mut before = text[..range.start].chars().rev().skip_while(|&c| sign(c));
    let mut after = text[range.end..].chars().skip_while(|&c| sign(c));
    before.next().is_some_and(|c| c.is_ascii_digit()) || after.next().is_some_and(|c| c.is_ascii_digit())
}

/// Account numbers: what is longer than the number of its country is cut back, since a word in capitals may follow.
fn ibans(text: &str) -> Vec<Range<usize>> {
    let whole = |range: Range<usize>| {
        let ends = text[range.clone()].char_indices().filter(|(_, c)| c.is_ascii_alphanumeric());
        let ends: Vec<usize> = ends.map(|(at, c)| range.start + at + c.len_utf8()).collect();
        ends.into_iter().rev().map(|end| range.start..end).find(|range| {
            let bare: String = text[range.clone()].chars().filter(char::is_ascii_alphanumeric).collect();
            let cut = text[range.end..].chars().next().is_some_and(|c| c.is_alphanumeric());
            !cut && bare.parse::<Iban>().is_ok()
        })
    };
    PATTERNS.iban.find_iter(text).filter_map(|found| whole(found.range())).collect()
}

fn internet_addresses(text: &str) -> Vec<Range<usize>> {
    let v4 = matching(&PATTERNS.ipv4, text, |range| {
        let reachable = text[range.clone()].parse::<Ipv4Addr>().is_ok_and(|address| {
            let local = address.is_private() || address.is_loopback() || address.is_link_local();
            let first = address.octets()[0];
            !local && !address.is_documentation() && first != 0 && first < 224
        });
        // The outline 1.1.1.2 is no address, and neither is what has a fifth part.
        let outline = text[range.clone()].len() == "1.2.3.4".len();
        let before = &text[..range.start];
        reachable && !outline && !joins(text, &range) && !PATTERNS.version.is_match(before)
    });
    let v6 = matching(&PATTERNS.ipv6, text, |range| {
        text[range].parse::<Ipv6Addr>().is_ok_and(|address| {
            let [first, second, ..] = address.segments();
            // Only 2000::/3 is given out; 2001:db8::/32 is for documentation.
            first >> 13 == 1 && !(first == 0x2001 && second == 0xdb8)
        })
    });
    v4.into_iter().chain(v6).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(PersonalKind, &str)> {
        personal(text, &PersonalKind::ALL).into_iter().map(|p| (p.kind, &text[p.range])).collect()
    }

    #[test]
    fn each_kind_is_found_whole() {
        use PersonalKind::{Card, Email, Iban, InternetAddress, Phone};
        for (text, kind, what) in [
            ("Write to jo.bloggs+play@mail.club.co.uk, please.", Email, "jo.bloggs+play@mail.club.co.uk"),
            ("jörg@müller.de", Email, "jörg@müller.de"),
            ("jo (at) club (dot) org", Email, "jo (at) club (dot) org"),
            ("mail jo[at]club.org", Email, "jo[at]club.org"),
            ("pay DE89 3704 0044 0532 0130 00 by Friday", Iban, "DE89 3704 0044 0532 0130 00"),
            ("GB82WEST12345698765432", Iban, "GB82WEST12345698765432"),
            ("NO93 8601 1117 947 NOW", Iban, "NO93 8601 1117 947"),
            ("card 4111 1111 1111 1111.", Card, "4111 1111 1111 1111"),
            ("3782 822463 10005", Card, "3782 822463 10005"),
            ("5555-5555-5555-4444", Card, "5555-5555-5555-4444"),
            ("server 8.8.8.80 answers", InternetAddress, "8.8.8.80"),
            ("81.2.69.142:8080", InternetAddress, "81.2.69.142"),
            ("at 2a00:1450:4009:80b::200e", InternetAddress, "2a00:1450:4009:80b::200e"),
            ("Ring 020 7946 0958.", Phone, "020 7946 0958"),
        ] {
            assert_eq!(found(text), [(kind, what)], "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_it_passes() {
        for text in [
            "Meet @ the park at 5. Follow @happy_child! 3 @ £2.50 each",
            "someone@example.org, a@b.test",
            "DE89 3704 0044 0532 0130 01",
            "AB12 CDEF GHIJ KLMN, ROOM2024ABCDEFGH",
            "4111 1111 1111 1112, 1234 5678 1234 5670",
            "1111 2222 3333 4444 5555 6666",
            "192.168.0.1, 10.0.0.7, 127.0.0.1, 203.0.113.9, 255.255.255.0, 0.0.0.0",
            "version 12.22.31.41, section 10.11.12.13, 1.2.3.4.5, 999.1.1.1, 1.2.3.4",
            "std::vec::Vec, a::b::c, 12:30:45, ::1, ratio 1:2:3:4:5, fe80::1, 2001:db8:1::2",
            "10:20:30:40:50:60:70:80",
            "ISBN 978-0-306-40615-7; EAN 4006381333931",
            "Line up at (attention) and (dot) the i",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn removing_says_what_and_leaves_the_rest() {
        let items = vec!["Mail jo@club.org or 07700 900123.".to_owned(), "Then play.".to_owned()];
        let texts = Columns::from([("steps".to_owned(), items)]);
        let settings = PersonalSettings { action: PersonalAction::Remove, ..PersonalSettings::default() };
        let cleaned = settings.clean(&texts);
        let expected = ["Mail email address or phone number.", "Then play."];
        assert_eq!(
            cleaned.texts.as_ref().map(|t| t["steps"].clone()),
            Some(expected.map(String::from).to_vec())
        );
        let said: Vec<String> = cleaned.reasons.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "an e-mail address was taken out of `steps`: j…(9)…g",
                "a phone number was taken out of `steps`: 0…(10)…3",
            ]
        );
        // Nothing is left to find.
        assert_eq!(settings.clean(&cleaned.texts.unwrap()), Cleaned::default());

        let refused = PersonalSettings::default().clean(&texts);
        assert_eq!(refused.texts, None);
        assert!(refused.reasons.len() == 2 && refused.reasons.iter().all(Reason::refuses));
        let kept = PersonalSettings { action: PersonalAction::Keep, ..PersonalSettings::default() };
        assert_eq!(kept.clean(&texts), Cleaned::default());
        let only_mail = PersonalSettings { kinds: vec![PersonalKind::Email], ..settings };
        assert_eq!(only_mail.clean(&texts).reasons.len(), 1);
    }

    #[test]
    fn no_evidence_shows_what_was_found() {
        assert_eq!(covered("jo@club.org"), "j…(9)…g");
        assert_eq!(covered("é"), "…");
        assert_eq!(covered(""), "…");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_cut_at_characters(text in r"[a-z0-9 .@:+()\-é€１\u{a0}DE]{0,60}") {
            let mut last = 0;
            for Personal { range, .. } in personal(&text, &PersonalKind::ALL) {
                proptest::prop_assert!(range.start >= last && text.is_char_boundary(range.start) && text.is_char_boundary(range.end));
                last = range.end;
            }
        }
    }
}
