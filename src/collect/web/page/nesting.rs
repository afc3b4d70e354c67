//! Markup that no page has and that would cost a parser hours or its stack: found in one pass before parsing.
//!
//! An HTML parser looks through the open elements at each tag and through the attributes at each attribute, so its time
//! grows with the square of how deep and how wide tags are. And it opens elements like `<b>` that were never closed anew
//! in each paragraph (HTML standard §13.2.4.3), so a page of a few megabytes can become a tree of gigabytes.

use std::collections::HashMap;

use scraper::Html;

use crate::collect::web::refusal::Refusal;

/// Open elements at once. Real pages have below a hundred; what comes after the parser needs some stack for each.
pub(super) const MAX_DEPTH: usize = 512;

/// Open elements that a scan may count. It cannot know which elements a parser closes by itself, so it is laxer.
const MAX_COUNTED: usize = 4 * MAX_DEPTH;

/// Attributes of one tag.
const MAX_ATTRIBUTES: usize = 1000;

/// Elements of a page as a tree. The largest real pages have about half of it; the search for the main text takes some
/// seconds for so many.
const MAX_ELEMENTS: usize = 200_000;

/// Elements that a parser opens anew. Of `a` and `nobr`, which belong to them, it has one at most.
const FORMATTING: [&str; 12] =
    ["b", "big", "code", "em", "font", "i", "s", "small", "strike", "strong", "tt", "u"];

/// Of formatting elements that are alike, a parser opens this many anew.
const ALIKE: usize = 3;

/// Elements that a parser closes by itself, or that are never open.
const SELF_CLOSING: [&str; 29] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track",
    "wbr", "p", "li", "dd", "dt", "tr", "td", "th", "thead", "tbody", "tfoot", "option", "optgroup", "rp",
    "rt", "colgroup",
];

/// Refuse markup that is nested too deep, has too many attributes in a tag, or makes too many elements.
///
/// # Errors
/// It is and it has.
pub(super) fn check_markup(text: &str) -> Result<(), Refusal> {
    let bytes = text.as_bytes();
    let mut open: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut formatting = Formatting::default();
    let (mut depth, mut elements, mut at) = (0, 0, 0);
    while let Some(found) = bytes[at..].iter().position(|b| *b == b'<') {
        at += found + 1;
        if bytes[at..].starts_with(b"!--") {
            at = skip_past(bytes, at + 3, b"-->");
            continue;
        }
        let closes = bytes.get(at) == Some(&b'/');
        at += usize::from(closes);
        let length = bytes[at..].iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'-').count();
        if length == 0 || !bytes[at].is_ascii_alphabetic() {
            continue;
        }
        let name = bytes[at..at + length].to_ascii_lowercase();
        at += length;
        elements += 1 + formatting.reopened;
        if elements > MAX_ELEMENTS {
            let reason = format!("it makes more than {MAX_ELEMENTS} elements");
            return Err(Refusal::Markup { reason });
        }
        let is_formatting = std::str::from_utf8(&name).is_ok_and(|n| FORMATTING.contains(&n));
        if closes {
            if is_formatting {
                formatting.close(&name);
            }
            if let Some(count) = open.get_mut(&name).filter(|count| **count > 0) {
                *count -= 1;
                depth -= 1;
            }
            continue;
        }
        let tag = scan_tag(bytes, at);
        if is_formatting {
            formatting.open(&name, &bytes[at..tag.end]);
        }
        at = tag.end;
        if tag.attributes > MAX_ATTRIBUTES {
            let reason = format!("a tag has more than {MAX_ATTRIBUTES} attributes");
            return Err(Refusal::Markup { reason });
        }
        // A script's text is no markup, but inside a drawing or a formula the same name means an ordinary element.
        let foreign = ["svg", "math"].iter().any(|n| open.get(n.as_bytes()).is_some_and(|c| *c > 0));
        if name == b"script" && !foreign {
            at = skip_past(bytes, at, b"</script");
            continue;
        }
        let closed = std::str::from_utf8(&name).is_ok_and(|n| SELF_CLOSING.contains(&n));
        if !(closed || foreign && tag.slashed) {
            *open.entry(name).or_default() += 1;
            depth += 1;
            if depth > MAX_COUNTED {
                return Err(too_deep(MAX_COUNTED));
            }
        }
    }
    Ok(())
}

/// The formatting elements that are open, by name and by what stands in their tags.
#[derive(Default)]
struct Formatting<'a> {
    open: HashMap<Vec<u8>, Vec<&'a [u8]>>,
    alike: HashMap<(Vec<u8>, &'a [u8]), usize>,
    /// How many a parser opens anew.
    reopened: usize,
}

impl<'a> Formatting<'a> {
    fn open(&mut self, name: &[u8], tag: &'a [u8]) {
        self.open.entry(name.to_vec()).or_default().push(tag);
        let alike = self.alike.entry((name.to_vec(), tag)).or_default();
        *alike += 1;
        self.reopened += usize::from(*alike <= ALIKE);
    }

    fn close(&mut self, name: &[u8]) {
        let Some(tag) = self.open.get_mut(name).and_then(Vec::pop) else { return };
        if let Some(alike) = self.alike.get_mut(&(name.to_vec(), tag)) {
            self.reopened -= usize::from(*alike <= ALIKE);
            *alike -= 1;
        }
    }
}

/// Refuse a page whose elements lie too deep in each other.
///
/// # Errors
/// They do.
pub(super) fn check_depth(page: &Html) -> Result<(), Refusal> {
    let mut depth: usize = 0;
    for edge in page.tree.root().traverse() {
        match edge {
            ego_tree::iter::Edge::Open(_) => depth += 1,
            ego_tree::iter::Edge::Close(_) => depth -= 1,
        }
        if depth > MAX_DEPTH {
            return Err(too_deep(MAX_DEPTH));
        }
    }
    Ok(())
}

fn too_deep(limit: usize) -> Refusal {
    Refusal::Markup { reason: format!("more than {limit} elements lie in each other") }
}

struct Tag {
    end: usize,
    attributes: usize,
    /// Whether it ends in `/>`, which closes an element of a drawing or a formula, and no other.
    slashed: bool,
}

/// From behind a tag's name to behind its end.
fn scan_tag(bytes: &[u8], start: usize) -> Tag {
    enum State {
        Between,
        Name,
        BeforeValue,
        Value,
        Quoted(u8),
    }
    let mut state = State::Between;
    let mut attributes = 0;
    for (offset, byte) in bytes[start..].iter().enumerate() {
        let space = byte.is_ascii_whitespace();
        state = match (state, byte) {
            (State::Quoted(quote), b) if *b == quote => State::Between,
            (State::Quoted(quote), _) => State::Quoted(quote),
            (_, b'>') => {
                let slashed = bytes[..start + offset].ends_with(b"/");
                return Tag { end: start + offset + 1, attributes, slashed };
            }
            (State::Between, b'/') => State::Between,
            (State::Between, _) if space => State::Between,
            (State::Between, _) => {
                attributes += 1;
                State::Name
            }
            (State::Name, b'=') => State::BeforeValue,
            (State::Name, b'/') => State::Between,
            (State::BeforeValue, b'"' | b'\'') => State::Quoted(*byte),
            (State::BeforeValue, _) if space => State::BeforeValue,
            (State::Name | State::Value, _) if space => State::Between,
            (State::Name, _) => State::Name,
            (State::BeforeValue | State::Value, _) => State::Value,
        };
    }
    Tag { end: bytes.len(), attributes, slashed: false }
}

fn skip_past(bytes: &[u8], from: usize, mark: &[u8]) -> usize {
    let found = bytes[from..].windows(mark.len()).position(|w| w.eq_ignore_ascii_case(mark));
    found.map_or(bytes.len(), |offset| from + offset + mark.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_markup_passes_however_sloppy() {
        let rows = "<tr><td>x<p>y<li>z<br>".repeat(3000);
        let script = format!("<script>{}</script>", "for(i=0;i<n;i++)".repeat(3000));
        let comment = format!("<!--{}-->", "<div>".repeat(3000));
        let text = "a < b && c <3 ".repeat(3000);
        // A slash does not close an element of HTML, so these count; few pages have many.
        let sloppy = "<div/>".repeat(100);
        check_markup(&format!("<html><table>{rows}</table>{script}{comment}{text}{sloppy}")).unwrap();
        check_markup(&"<svg><g><path d='M0 0'/></g></svg>".repeat(3000)).unwrap();
    }

    #[test]
    fn what_is_deep_or_wide_is_refused() {
        for hostile in [
            "<div>".repeat(3000),
            "<b><i></x>".repeat(2000),
            "<svg><title>".repeat(2000),
            format!("<svg><script>{}", "<g>".repeat(3000)),
            format!("<a {}>", "b ".repeat(1001)),
            format!("<a {}>", "b='1'".repeat(1001)),
            format!("<a{}>", "/b".repeat(1001)),
        ] {
            let refused = check_markup(&hostile);
            assert!(matches!(refused, Err(Refusal::Markup { .. })), "{:.40}", hostile);
        }
        let unclosed: String = (0..200).map(|number| format!("<b class=c{number}>")).collect();
        let refused = check_markup(&format!("{unclosed}{}", "<p>x".repeat(2000))).unwrap_err();
        assert_eq!(refused.to_string(), "markup is not parsed: it makes more than 200000 elements");
        let alike = "<b class=c>".repeat(200);
        check_markup(&format!("{alike}{}", "<p>x".repeat(2000))).unwrap();
        let closed: String = (0..200).map(|number| format!("<b class=c{number}>x</b>")).collect();
        check_markup(&format!("<b>{closed}{}", "<p>x".repeat(2000))).unwrap();
        check_markup(&format!("<img src='{}' alt=x>", "a b=c ".repeat(10_000))).unwrap();
    }

    #[test]
    fn the_tree_itself_is_measured() {
        let nested = |depth: usize| Html::parse_document(&format!("{}x", "<div>".repeat(depth)));
        assert_eq!(check_depth(&nested(MAX_DEPTH - 4)), Ok(()), "document, html, body and the text are four");
        assert!(check_depth(&nested(MAX_DEPTH - 3)).is_err());
    }

    #[test]
    fn broken_markup_ends() {
        for broken in
            ["<", "</", "<!--", "<a", "<a b", "<a b='", "<script>", "<script", "<\u{e9}>", "<a b=\u{e9}"]
        {
            check_markup(broken).unwrap();
        }
    }
}
