//! Checked rules, which make a dataset's row of what a page says.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::candidate::{Candidate, Provenance, Seen};
use super::extract::Extracted;
use super::mapping::Mapping;
use super::number::number_in;
use super::source::{FIXED, Source, Sourced, View};
use crate::collect::web::error::WebError;
use crate::collect::web::refusal::Refusal;
use crate::config::{ColumnRule, Replace};

/// Checked rules.
#[derive(Debug)]
pub struct Rules {
    columns: Vec<Column>,
    constants: BTreeMap<String, String>,
    hash: String,
    wants_main: bool,
}

#[derive(Debug)]
struct Column {
    name: String,
    rule: ColumnRule,
    from: Vec<Source>,
    replace: Vec<Pattern>,
}

#[derive(Debug)]
struct Pattern {
    regex: Regex,
    with: String,
}

/// Largest compiled regular expression, in bytes: what a user writes by hand is far below.
const PATTERN_BYTES: usize = 1 << 20;

impl Rules {
    /// Check `mapping`.
    ///
    /// # Errors
    /// No columns, a column twice, an unknown source, or a pattern that is none; the key is named.
    pub fn new(mapping: &Mapping) -> Result<Self, WebError> {
        if mapping.columns.is_empty() {
            return WebError::setting("columns", "", "there must be at least one");
        }
        if let Some(twice) = mapping.constants.keys().find(|name| mapping.columns.contains_key(*name)) {
            let key = format!("constants.{twice}");
            return WebError::setting(key, &mapping.constants[twice], "the column has a rule already");
        }
        let fields: BTreeSet<&str> = mapping.css.keys().map(String::as_str).collect();
        let columns: Vec<Column> = mapping
            .columns
            .iter()
            .map(|(name, rule)| Column::new(name, rule, &fields))
            .collect::<Result<_, _>>()?;
        // Maps are ordered by name and values are text, numbers and lists, so equal rules have equal JSON.
        let canonical = serde_json::to_vec(mapping).unwrap_or_default();
        Ok(Self {
            wants_main: columns.iter().flat_map(|c| &c.from).any(Source::is_of_main),
            columns,
            constants: mapping.constants.clone(),
            hash: blake3::hash(&canonical).to_hex().to_string(),
        })
    }

    /// BLAKE3 of the rules, as hex.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Whether a rule asks for the main text.
    pub fn wants_main(&self) -> bool {
        self.wants_main
    }

    /// The row that `page` gives.
    ///
    /// # Errors
    /// It lacks a required column, or every column but the constants.
    pub fn row(&self, page: &Extracted, seen: &Seen<'_>) -> Result<Candidate, Refusal> {
        let mut row = self.constants.clone();
        let mut how: Vec<String> = Vec::new();
        let sources: Vec<&Source> = self.columns.iter().flat_map(|column| &column.from).collect();
        let view = View::new(page, seen, &sources);
        for column in &self.columns {
            let found = column.read(&view)?;
            if let Some(found) = &found
                && !how.contains(&found.how)
                && !found.how.is_empty()
            {
                how.push(found.how.clone());
            }
            row.insert(column.name.clone(), found.map(|found| found.text).unwrap_or_default());
        }
        if how.is_empty() {
            return Err(Refusal::Empty);
        }
        let provenance = Provenance {
            url: seen.url.to_owned(),
            fetched: seen.fetched.to_owned(),
            rules: self.hash.clone(),
            licence: page.licence.clone(),
            how: how.join(", "),
        };
        Ok(Candidate { row, provenance })
    }
}

/// A column's text and what it was read from.
struct Found {
    text: String,
    how: String,
}

impl Column {
    fn new(name: &str, rule: &ColumnRule, fields: &BTreeSet<&str>) -> Result<Self, WebError> {
        if rule.from.is_empty() {
            return WebError::setting(
                format!("columns.{name}.from"),
                "",
                "there must be at least one source",
            );
        }
        let source = |text: &String| match Source::parse(text, fields) {
            Some(source) => Ok(source),
            None => WebError::setting(format!("columns.{name}.from"), text, known_sources(fields)),
        };
        let pattern = |replace: &Replace| {
            let regex = regex::RegexBuilder::new(&replace.pattern).size_limit(PATTERN_BYTES).build();
            match regex {
                Ok(regex) => Ok(Pattern { regex, with: replace.with.clone() }),
                Err(error) => WebError::setting(
                    format!("columns.{name}.replace.pattern"),
                    &replace.pattern,
                    format!("must be a regular expression: {error}"),
                ),
            }
        };
        Ok(Self {
            name: name.to_owned(),
            rule: rule.clone(),
            from: rule.from.iter().map(source).collect::<Result<_, _>>()?,
            replace: rule.replace.iter().map(pattern).collect::<Result<_, _>>()?,
        })
    }

    /// `None`: the page does not have it and need not.
    fn read(&self, view: &View<'_>) -> Result<Option<Found>, Refusal> {
        let mut reason = format!("nothing in {}", self.rule.from.join(", "));
        for source in &self.from {
            let Some(Sourced { texts, how }) = source.read(view) else { continue };
            let joined = texts.join(self.rule.join.as_deref().unwrap_or(" "));
            let replaced = self.replace.iter().fold(joined, |text, pattern| {
                pattern.regex.replace_all(&text, pattern.with.as_str()).into_owned()
            });
            let text = replaced.trim();
            let taken = match self.rule.number {
                None => Some(text.to_owned()).filter(|text| !text.is_empty()),
                Some(number) => number_in(text, number),
            };
            match taken {
                Some(text) => return Ok(Some(Found { text, how })),
                None => {
                    let shown: String = text.chars().take(60).collect();
                    let what = if self.rule.number.is_some() { "no number" } else { "nothing is left" };
                    reason = format!("{what} in {shown:?} of {}", self.rule.from.join(", "));
                }
            }
        }
        if self.rule.required { Err(Refusal::Lacks { column: self.name.clone(), reason }) } else { Ok(None) }
    }
}

fn known_sources(fields: &BTreeSet<&str>) -> String {
    let css: String = fields.iter().map(|field| format!(", css.{field}")).collect();
    format!(
        "must be howto., recipe., article. or product. with a property, or one of {}{css}",
        FIXED.map(|fixed| fixed.name).join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::web::page::item::{Item, Syntax};
    use crate::collect::web::page::main_text::MainText;
    use serde_json::json;

    const SEEN: Seen<'_> = Seen { url: "https://example.org/soup", fetched: "2026-05-01T12:00:00Z" };

    fn mapping(columns: serde_json::Value) -> Mapping {
        let css = json!({"price": {"selector": ".price"}});
        serde_json::from_value(json!({"columns": columns, "css": css, "constants": {"source": "web"}}))
            .unwrap()
    }

    fn page() -> Extracted {
        let recipe = json!({"@type": "Recipe", "name": "Soup", "recipeYield": "Serves 4", "totalTime": "PT1H",
            "recipeIngredient": ["peas", "salt"], "author": [{"name": "Ann"}]});
        Extracted {
            items: Item::of(Syntax::JsonLd, recipe.as_object().unwrap()).into_iter().collect(),
            main: MainText { title: "Soup | Site".into(), text: "Boil.".into(), ..MainText::default() },
            css: BTreeMap::from([("price".into(), vec!["1,50 €".into()])]),
            licence: "unknown".into(),
            ..Extracted::default()
        }
    }

    fn row(columns: serde_json::Value) -> Result<Candidate, Refusal> {
        Rules::new(&mapping(columns)).unwrap().row(&page(), &SEEN)
    }

    #[test]
    fn columns_take_the_first_source_that_speaks() {
        let found = row(json!({
            "title": {"from": ["howto.name", "recipe.name", "title"], "required": true},
            "parts": {"from": ["recipe.recipeIngredient"], "join": "; "},
            "serves": {"from": ["recipe.recipeYield"], "number": "first"},
            "minutes": {"from": ["recipe.totalTime"], "number": "minutes"},
            "by": {"from": ["recipe.author.name"]},
            "price": {"from": ["css.price"], "number": "first"},
            "short": {"from": ["title"], "replace": [{"pattern": r"\s*\|.*$", "with": ""}, {"pattern": "(S)", "with": "$1$1"}]},
            "date": {"from": ["date"]},
            "link": {"from": ["url"]},
        }))
        .unwrap();
        let expected = [
            ("by", "Ann"),
            ("date", ""),
            ("link", "https://example.org/soup"),
            ("minutes", "60"),
            ("parts", "peas; salt"),
            ("price", "1.50"),
            ("serves", "4"),
            ("short", "SSoup"),
            ("source", "web"),
            ("title", "Soup"),
        ];
        let found_row: Vec<(&str, &str)> = found.row.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(found_row, expected);
        assert_eq!(found.provenance.how, "json-ld Recipe, css, main text");
        assert_eq!(found.provenance.url, SEEN.url);
    }

    #[test]
    fn a_row_is_about_one_thing() {
        let article =
            |value: serde_json::Value| Item::of(Syntax::JsonLd, value.as_object().unwrap()).unwrap();
        let items = vec![
            article(json!({"@type": "Article", "headline": "linked"})),
            article(json!({"@type": "NewsArticle", "headline": "main", "author": "Ann"})),
            article(json!({"@type": "Article", "headline": "other", "author": "Bob", "text": "x"})),
        ];
        let page = Extracted { items, ..Extracted::default() };
        let rules = json!({"a": {"from": ["article.headline"]}, "b": {"from": ["article.author"]}});
        let found = Rules::new(&mapping(rules)).unwrap().row(&page, &SEEN).unwrap();
        assert_eq!((found.row["a"].as_str(), found.row["b"].as_str()), ("main", "Ann"));
        assert_eq!(found.provenance.how, "json-ld NewsArticle");
    }

    #[test]
    fn a_required_column_refuses_the_page_with_the_reason() {
        let lacking = row(
            json!({"steps": {"from": ["howto.step", "css.price"], "number": "minutes", "required": true}}),
        );
        let message = lacking.unwrap_err().to_string();
        assert_eq!(message, "column steps is missing: no number in \"1,50 €\" of howto.step, css.price");
        let lacking = row(json!({"date": {"from": ["date"], "required": true}})).unwrap_err().to_string();
        assert_eq!(lacking, "column date is missing: nothing in date");
        // The address alone says nothing of the page.
        assert_eq!(
            row(json!({"a": {"from": ["article.name"]}, "u": {"from": ["url"]}})),
            Err(Refusal::Empty)
        );
    }

    #[test]
    fn wrong_rules_are_named() {
        for (columns, expected) in [
            (json!({}), "columns is"),
            (json!({"x": {"from": []}}), "columns.x.from is"),
            (json!({"x": {"from": ["css.prize"]}}), "css.price"),
            (json!({"x": {"from": ["recipe"]}}), "columns.x.from is \"recipe\", but must be"),
            (json!({"x": {"from": ["recipe..name"]}}), "columns.x.from"),
            (
                json!({"x": {"from": ["title"], "replace": [{"pattern": "(", "with": ""}]}}),
                "regular expression",
            ),
            (
                json!({"source": {"from": ["title"]}}),
                "constants.source is \"web\", but the column has a rule",
            ),
        ] {
            let message = Rules::new(&mapping(columns)).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn the_hash_follows_the_rules() {
        let hash = |join: &str| {
            let rules = mapping(json!({"x": {"from": ["title"], "join": join}}));
            Rules::new(&rules).unwrap().hash().to_owned()
        };
        assert_eq!(hash(" "), hash(" "));
        assert_ne!(hash(" "), hash(";"));
        assert_eq!(hash(" ").len(), 64);
    }
}
