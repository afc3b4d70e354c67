//! The licence that a page states, as it states it.

use scraper::{Html, Selector};
use serde_json::Value;
use url::Url;

use super::page_text::collapsed;

/// What is said where a page states no licence.
pub const UNKNOWN: &str = "unknown";

/// Names of `<meta>` that state a licence; those of Dublin Core in the spellings that are in use.
const NAMES: [&str; 7] = [
    "dcterms.license",
    "dcterms.licence",
    "dc.license",
    "dc.rights.license",
    "dcterms:license",
    "license",
    "licence",
];

/// Most characters of one statement.
const MAX_LENGTH: usize = 300;

/// Every licence that `page` states, without repeats, joined by `, `: by links with `rel=license`, by `license` in its JSON-LD,
/// by `<meta>`; else [`UNKNOWN`]. More than one may mean that parts of a page (pictures) have their own.
pub(super) fn licence(page: &Html, base: &Url, json_ld: &[Value], elements: &Selector) -> String {
    let mut found: Vec<String> = Vec::new();
    let mut add = |text: &str| {
        let text: String = collapsed(text).chars().take(MAX_LENGTH).collect();
        if !text.is_empty() && !found.contains(&text) {
            found.push(text);
        }
    };
    for element in page.select(elements) {
        let has = |name: &str, wanted: &dyn Fn(&str) -> bool| element.attr(name).is_some_and(wanted);
        if element.value().name() == "meta" {
            let names = |text: &str| NAMES.contains(&text.trim().to_ascii_lowercase().as_str());
            if has("name", &names) || has("property", &names) {
                add(element.attr("content").unwrap_or_default());
            }
        } else if has("rel", &|rel| rel.split_whitespace().any(|r| r.eq_ignore_ascii_case("license")))
            && let Some(target) = element.attr("href")
        {
            add(base.join(target.trim()).as_ref().map_or(target, Url::as_str));
        }
    }
    json_ld.iter().for_each(|value| add_value(value, &mut add));
    if found.is_empty() { UNKNOWN.to_owned() } else { found.join(", ") }
}

fn add_value(value: &Value, add: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => add(text),
        Value::Array(values) => values.iter().for_each(|value| add_value(value, add)),
        Value::Object(object) => {
            if let Some(text) = ["url", "@id", "name"].iter().find_map(|name| object.get(*name)?.as_str()) {
                add(text);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(markup: &str, json_ld: &[Value]) -> String {
        let base = Url::parse("https://example.org/a/b").unwrap();
        licence(&Html::parse_document(markup), &base, json_ld, &Selector::parse("a, link, meta").unwrap())
    }

    #[test]
    fn every_place_that_states_one() {
        let by = "https://creativecommons.org/licenses/by/4.0/";
        assert_eq!(of(&format!("<link rel=license href={by}>"), &[]), by);
        assert_eq!(
            of("<a rel='nofollow LICENSE' href='../terms'>terms</a>", &[]),
            "https://example.org/terms"
        );
        assert_eq!(of("<meta name='DCTERMS.license' content=' CC0  1.0 '>", &[]), "CC0 1.0");
        assert_eq!(of("", &[json!([by, {"@type": "CreativeWork", "name": "MIT"}])]), format!("{by}, MIT"));
        assert_eq!(of(&format!("<a rel=license href={by}>x</a>"), &[json!({"url": by})]), by);
        assert_eq!(of("<a href=/license>license</a><meta name=license content=''>", &[json!(7)]), "unknown");
    }
}
