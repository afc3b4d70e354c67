//! What is no prose in a text, and words that turn its meaning round: neither is to be changed, moved or left out.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// Addresses, paths, code, markup, placeholders, names of emoji, compounds and negations, in the order in which they are tried.
const KINDS: &[&str] = &[
    // Code: fenced, in backticks.
    r"(?s:```.*?```)",
    r"`[^`\n]+`",
    // Addresses with a scheme or www, and those of e-mail.
    r"\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s]+",
    r"\bwww\.[^\s]+",
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    // Markup: tags and entities.
    r"</?[a-zA-Z][^<>\n]*>",
    r"&#?\w+;",
    // Placeholders: {{x}}, ${x}, {x}, %(x)s, %s, [[x]], [NAME].
    r"\{\{[^{}\n]*\}\}",
    r"\$?\{[^{}\n]*\}",
    r"\$\w+",
    r"%\(\w+\)[a-z]",
    r"%[sdifg]\b",
    r"\[\[[^\[\]\n]*\]\]",
    r"\[[A-Z][A-Z0-9_ ]*\]",
    // :smile:, #tag, @name.
    r":[a-z0-9_+-]+:",
    r"[#@]\w+",
    // Anything with a slash, a backslash or an underscore within it; a call; a name with dots.
    r#"[^\s,;()<>"'\[\]{}]*[/\\][\w.~][^\s,;()<>"'\[\]{}]*"#,
    r"\w*_\w*(?:\([^()\n]*\))?",
    r"\w+(?:\.\w+)*\([^()\n]*\)",
    r"\b\w+(?:\.\w+)+\b(?:\(\))?",
    // camelCase and McName.
    r"\b\w*[a-z][A-Z]\w*",
    // state-of-the-art
    r"\b\w+(?:[-\u{2010}\u{2011}]\w+)+",
    r"(?i:\b(?:no|not|never|none|nobody|nothing|neither|nor|nowhere|without|cannot|hardly|\w+n['\u{2019}]t)\b)",
];

static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&KINDS.join("|")).unwrap_or_else(|_| unreachable!("a constant that the tests compile"))
});

/// Byte ranges of `text` that must stay as they are, in order.
pub fn untouchable(text: &str) -> Vec<Range<usize>> {
    PATTERN.find_iter(text).map(|found| found.range()).collect()
}

/// Whether a range overlaps one of `spans`.
pub fn touches(spans: &[Range<usize>], range: Range<usize>) -> bool {
    spans.iter().any(|span| span.start < range.end && range.start < span.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(text: &str) -> String {
        let mut rest = text.to_owned();
        untouchable(text).into_iter().rev().for_each(|span| rest.replace_range(span, "·"));
        rest
    }

    #[test]
    fn what_is_no_prose_is_found_whole() {
        for (text, expected) in [
            ("Visit https://example.org/big-house/buy?car=fast for it.", "Visit · for it."),
            ("Write to happy.child@big-house.example about it.", "Write to · about it."),
            (
                "Dear {child}, your {big_house} {{car}}, %(picture)s or ${house}, $car.",
                "Dear ·, your · ·, · or ·, ·.",
            ),
            (
                "<p class=\"big\">The <b>large</b> house</p> &copy; 1 < 2 > 1",
                "·The ·large· house· · 1 < 2 > 1",
            ),
            ("A well-known car-park, state-of-the-art.", "A · ·, ·."),
            ("an iPhone by McDonald", "an · by ·"),
            ("@happy_child #big r/house c:\\car\\picture /usr/local/house", "· · · · ·"),
            ("Run `buy house(car)` and house.picture.big() or big_house = car", "Run · and · or · = car"),
            (
                "[NAME] asked about <HOUSE> and [[picture]] :smile: :car: [big]",
                "· asked about · and · · · [big]",
            ),
            (
                "It is not big, isn't it? Never buy a car without one.",
                "It is · big, · it? · buy a car · one.",
            ),
            (
                "Draw slant, out, post: hitch; fly. Note the knot!",
                "Draw slant, out, post: hitch; fly. Note the knot!",
            ),
            ("price: $5 car, half an hour.", "price: · car, half an hour."),
        ] {
            assert_eq!(left(text), expected, "{text}");
        }
    }
}
