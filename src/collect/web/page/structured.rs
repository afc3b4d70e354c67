//! JSON-LD of a page: every block, whatever stands around its JSON, and the things in it.

use scraper::{Html, Selector};
use serde_json::{Map, Value};

use super::item::{Item, Nodes, Syntax};
use super::page_text::unescaped;

/// What a page's JSON-LD says.
#[derive(Debug, Default)]
pub(super) struct JsonLd {
    /// The things of known families, in the page's order.
    pub items: Vec<Item>,
    /// The nodes that have an `@id`.
    pub nodes: Nodes,
    /// What the page as a whole or a thing in it says of its licence.
    pub licences: Vec<Value>,
    /// Why blocks could not be read.
    pub broken: Vec<String>,
}

/// Most things of one page; lists of products have a few hundred.
const MAX_ITEMS: usize = 1000;

/// Read every block of `page`. A broken one costs itself only.
pub(super) fn json_ld(page: &Html, scripts: &Selector) -> JsonLd {
    let mut found = JsonLd::default();
    let blocks = page.select(scripts).filter(|script| is_json_ld(script.attr("type").unwrap_or_default()));
    for (position, script) in blocks.enumerate() {
        let text: String = script.text().collect();
        if text.trim().is_empty() {
            continue;
        }
        match parse(&text) {
            Ok(value) => found.take(&value, true),
            Err(error) => found.broken.push(format!("ld+json block {}: {error}", position + 1)),
        }
    }
    found
}

fn is_json_ld(kind: &str) -> bool {
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/ld+json")
}

impl JsonLd {
    /// `top`: whether `value` is a block's own, or in its `@graph`. Only those are kept under their `@id`, and things are not
    /// searched for further things, so that what is kept is never more than the page.
    fn take(&mut self, value: &Value, top: bool) {
        match value {
            Value::Array(values) => values.iter().for_each(|value| self.take(value, top)),
            Value::Object(object) => self.take_object(object, top),
            _ => {}
        }
    }

    fn take_object(&mut self, object: &Map<String, Value>, top: bool) {
        self.licences.extend(object.get("license").cloned());
        let item = Item::of(Syntax::JsonLd, object);
        if let (true, Some(id)) = (top && object.len() > 1, object.get("@id").and_then(Value::as_str))
            && !object.contains_key("@graph")
        {
            self.nodes.0.entry(id.to_owned()).or_insert_with(|| object.clone());
        }
        if let Some(item) = item {
            if self.items.len() < MAX_ITEMS {
                self.items.push(item);
            }
            return;
        }
        for (name, value) in object {
            self.take(value, top && name == "@graph");
        }
    }
}

/// The JSON of a block: as it is; else without comments and CDATA marks around it, without line breaks inside texts and
/// commas before brackets; else with its character references resolved.
fn parse(text: &str) -> Result<Value, serde_json::Error> {
    let first = match serde_json::from_str(text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let bare = without_wrapping(text);
    serde_json::from_str(&repaired(bare))
        .or_else(|_| serde_json::from_str(&repaired(&unescaped(bare))))
        .map_err(|_| first)
}

fn without_wrapping(text: &str) -> &str {
    const BEFORE: [&str; 8] = ["<![CDATA[", "<!--", "//", "/*", "*/", "\u{feff}", "-->", "]]>"];
    const AFTER: [&str; 7] = ["]]>", "-->", "//", "/*", "*/", ";", "<!--"];
    let mut bare = text.trim();
    loop {
        let mut next = bare;
        for mark in BEFORE {
            next = next.strip_prefix(mark).unwrap_or(next).trim_start();
        }
        for mark in AFTER {
            next = next.strip_suffix(mark).unwrap_or(next).trim_end();
        }
        if next.len() == bare.len() {
            return bare;
        }
        bare = next;
    }
}

/// `json` with what hand-made templates get wrong put right: control characters in texts, commas before brackets.
fn repaired(json: &str) -> String {
    let mut result = String::with_capacity(json.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in json.chars() {
        if !quoted && (c == '}' || c == ']') && result.trim_end().ends_with(',') {
            result.truncate(result.trim_end().len() - 1);
        }
        result.push(if c.is_ascii_control() { ' ' } else { c });
        (quoted, escaped) = match (quoted, c) {
            (true, '\\') => (true, !escaped),
            (true, '"') if !escaped => (false, false),
            (false, '"') => (true, false),
            _ => (quoted, false),
        };
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(blocks: &[&str]) -> JsonLd {
        let scripts: String =
            blocks.iter().map(|b| format!("<script type=\"application/ld+json\">{b}</script>")).collect();
        let page = Html::parse_document(&format!("<html><head>{scripts}</head><body></body></html>"));
        json_ld(&page, &Selector::parse("script").unwrap())
    }

    fn names(found: &JsonLd) -> Vec<String> {
        found.items.iter().flat_map(|item| item.texts(&["name".to_owned()], &found.nodes)).collect()
    }

    #[test]
    fn graphs_arrays_and_nesting() {
        let found = read(&[
            r#"{"@graph": [{"@type": "WebSite", "name": "site"}, {"@type": "Article", "@id": "urn:a", "name": "in a graph"}]}"#,
            r#"[{"@type": "HowTo", "name": "in an array"}, 5, null]"#,
            r#"{"@type": "WebPage", "mainEntity": {"@type": ["Recipe"], "name": "nested"}}"#,
            r#"{"@type": "ItemList", "itemListElement": [{"@type": "ListItem", "item": {"@type": "Car", "name": "listed"}}]}"#,
        ]);
        assert_eq!(names(&found), ["in a graph", "in an array", "nested", "listed"]);
        assert_eq!(found.nodes.0.keys().collect::<Vec<_>>(), ["urn:a"]);
        assert!(found.broken.is_empty());
    }

    #[test]
    fn a_broken_block_costs_itself_only() {
        let found =
            read(&[r#"{"@type": "Recipe", "name": "#, r#"{"@type": "Recipe", "name": "good"}"#, "  "]);
        assert_eq!(names(&found), ["good"]);
        assert_eq!(found.broken.len(), 1);
        assert!(found.broken[0].starts_with("ld+json block 1: EOF while parsing"), "{:?}", found.broken);
    }

    #[test]
    fn what_stands_around_the_json_is_taken_off() {
        for block in [
            r#"<![CDATA[ {"@type": "Recipe", "name": "x"} ]]>"#,
            "//<![CDATA[\n{\"@type\": \"Recipe\", \"name\": \"x\"}\n//]]>",
            "/* <![CDATA[ */ {\"@type\": \"Recipe\", \"name\": \"x\"} /* ]]> */",
            r#"<!-- {"@type": "Recipe", "name": "x"} -->"#,
            r#"{"@type": "Recipe", "name": "x"};"#,
            "{&quot;@type&quot;: &quot;Recipe&quot;, &quot;name&quot;: &quot;x&quot;}",
            "{\"@type\": \"Recipe\", \"name\": \"x\", \"text\": \"two\nlines, [a,]\", \"tags\": [\"a\", ], }",
        ] {
            assert_eq!(names(&read(&[block])), ["x"], "{block}");
        }
        let value = parse("{\"a\": \"[1,]\\\",}\", \"b\": [1, ]}").unwrap();
        assert_eq!((value["a"].as_str(), value["b"][0].as_i64()), (Some("[1,]\",}"), Some(1)));
    }

    #[test]
    fn licences_of_any_thing_are_kept() {
        let found = read(&[
            r#"{"@type": "WebPage", "license": "https://l.example/", "about": {"@type": "Article", "license": {"url": "u"}}}"#,
        ]);
        assert_eq!(found.licences.len(), 2);
    }

    #[test]
    fn hostile_json_is_a_broken_block() {
        let deep = "[".repeat(100_000);
        assert_eq!(read(&[&deep]).broken.len(), 1);
        assert_eq!(read(&["\u{0}", "nul", "{\"@type\": {\"@type\": []}}"]).broken.len(), 2);
    }
}
