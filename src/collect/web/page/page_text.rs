//! The text of a piece of markup as a reader sees it.

use scraper::{ElementRef, Html, Node};

use super::nesting::check_markup;

/// Elements that are shown in a line; any other one stands apart from the text around it.
const INLINE: [&str; 31] = [
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font",
    "i", "ins", "kbd", "mark", "q", "ruby", "s", "samp", "small", "span", "strong", "sub", "sup", "time",
    "u", "var", "wbr",
];

/// Elements whose text nobody reads.
const HIDDEN: [&str; 4] = ["script", "style", "template", "noscript"];

/// The text of `element`, its parts separated where a browser would begin a new line or cell, white space as single spaces.
pub(super) fn visible_text(element: ElementRef<'_>) -> String {
    let mut text = String::new();
    let mut hidden: usize = 0;
    for edge in element.traverse() {
        let (node, opens) = match edge {
            ego_tree::iter::Edge::Open(node) => (node, true),
            ego_tree::iter::Edge::Close(node) => (node, false),
        };
        match node.value() {
            Node::Text(part) if opens && hidden == 0 => text.push_str(part),
            Node::Element(element) if HIDDEN.contains(&element.name()) => {
                hidden = if opens { hidden + 1 } else { hidden.saturating_sub(1) };
            }
            Node::Element(element) if !INLINE.contains(&element.name()) => text.push(' '),
            _ => {}
        }
    }
    collapsed(&text)
}

/// `text` with white space as single spaces and none at its ends.
pub(super) fn collapsed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text that `text` from structured data means: sites put markup and entities into it.
pub(super) fn plain(text: &str) -> String {
    let marked = text.contains('<') || text.contains('&');
    if !marked || check_markup(text).is_err() {
        return collapsed(text);
    }
    visible_text(Html::parse_fragment(text).root_element())
}

/// `text` with its character references (`&quot;`) resolved, markup left as it is.
pub(super) fn unescaped(text: &str) -> String {
    let fragment = Html::parse_fragment(&format!("<textarea>{text}</textarea>"));
    fragment.root_element().text().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_stand_apart_and_words_do_not() {
        for (markup, expected) in [
            ("<ul><li>one</li><li>two</li></ul>", "one two"),
            ("<p>super<b>script</b><br>line", "superscript line"),
            ("a<script>x</script><style>y</style>b", "ab"),
            ("<table><tr><td>1<td>2</table>", "1 2"),
            ("1 &frac12; cup &amp; more\u{a0} of  it", "1 ½ cup & more of it"),
            ("2 < 3", "2 < 3"),
            ("no markup", "no markup"),
        ] {
            assert_eq!(plain(markup), expected, "{markup}");
        }
        assert!(plain(&"<div>".repeat(100_000)).starts_with("<div>"), "hostile markup is left as it is");
    }

    #[test]
    fn references_are_resolved_once() {
        assert_eq!(unescaped("{&quot;a&quot;: &quot;&amp;lt;b>&quot;}"), r#"{"a": "&lt;b>"}"#);
    }
}
