//! A thing that a page describes in structured data, and what its properties say.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::page_text::plain;

/// The kinds of schema.org that rows are made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Instructions.
    HowTo,
    /// A recipe.
    Recipe,
    /// An article, news article, post, report, …
    Article,
    /// A product, model, vehicle, …
    Product,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::HowTo, Self::Recipe, Self::Article, Self::Product];

    /// As rules name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::HowTo => "howto",
            Self::Recipe => "recipe",
            Self::Article => "article",
            Self::Product => "product",
        }
    }

    /// The family of a type of schema.org, by its bare name; types after schema.org version 29.
    fn of(kind: &str) -> Option<Self> {
        Some(match kind {
            "HowTo" => Self::HowTo,
            "Recipe" => Self::Recipe,
            "Article"
            | "AdvertiserContentArticle"
            | "NewsArticle"
            | "AnalysisNewsArticle"
            | "AskPublicNewsArticle"
            | "BackgroundNewsArticle"
            | "OpinionNewsArticle"
            | "ReportageNewsArticle"
            | "ReviewNewsArticle"
            | "Report"
            | "SatiricalArticle"
            | "ScholarlyArticle"
            | "MedicalScholarlyArticle"
            | "SocialMediaPosting"
            | "BlogPosting"
            | "LiveBlogPosting"
            | "DiscussionForumPosting"
            | "TechArticle"
            | "APIReference" => Self::Article,
            "Product" | "DietarySupplement" | "Drug" | "IndividualProduct" | "ProductCollection"
            | "ProductGroup" | "ProductModel" | "SomeProducts" | "Vehicle" | "BusOrCoach" | "Car"
            | "Motorcycle" | "MotorizedBicycle" => Self::Product,
            _ => return None,
        })
    }
}

/// How a page said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Syntax {
    /// A script of type `application/ld+json`.
    JsonLd,
    /// Attributes `itemscope` and `itemprop`.
    Microdata,
}

impl Syntax {
    /// As provenance has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::JsonLd => "json-ld",
            Self::Microdata => "microdata",
        }
    }
}

/// A thing that a page describes.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// How.
    pub syntax: Syntax,
    /// Its bare type, such as `NewsArticle`.
    pub kind: String,
    /// The family of its type.
    pub family: Family,
    /// Its properties.
    pub properties: Map<String, Value>,
}

impl Item {
    /// `properties` as an item, where their `@type` is one of a [`Family`].
    pub(super) fn of(syntax: Syntax, properties: &Map<String, Value>) -> Option<Self> {
        let types = properties.get("@type")?;
        let types = types.as_array().map_or(std::slice::from_ref(types), Vec::as_slice);
        types.iter().filter_map(Value::as_str).find_map(|full| {
            let (kind, family) = (bare_type(full), Family::of(bare_type(full))?);
            Some(Self { syntax, kind: kind.to_owned(), family, properties: properties.clone() })
        })
    }

    /// Whether things of the type `full` (`https://schema.org/Recipe`) are of a [`Family`].
    pub(super) fn is_known(full: &str) -> bool {
        Family::of(bare_type(full)).is_some()
    }

    /// What stands under `path` (`["author", "name"]`), as texts; references are looked up in `nodes`.
    pub fn texts(&self, path: &[String], nodes: &Nodes) -> Vec<String> {
        let Some((first, rest)) = path.split_first() else { return Vec::new() };
        let mut values: Vec<&Value> = self.properties.get(first).into_iter().collect();
        for name in rest {
            values = values.iter().flat_map(|value| properties(value, name, nodes)).collect();
        }
        let mut texts = Vec::new();
        values.iter().for_each(|value| collect_texts(value, nodes, 0, &mut texts));
        texts
    }
}

fn bare_type(full: &str) -> &str {
    full.trim().rsplit(['/', '#', ':']).next().unwrap_or(full)
}

/// The nodes of a page's JSON-LD by their `@id`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Nodes(pub(super) HashMap<String, Map<String, Value>>);

/// How deep values may lie in values, references counted.
const MAX_DEPTH: usize = 16;

/// Most texts of one property.
const MAX_TEXTS: usize = 10_000;

/// What says most of a thing that is asked for as a whole: the text of a step, the steps of a section, the name of an author.
const TELLING: [&str; 7] = ["@value", "text", "itemListElement", "item", "name", "value", "url"];

fn properties<'a>(value: &'a Value, name: &str, nodes: &'a Nodes) -> Vec<&'a Value> {
    match value {
        Value::Array(values) => {
            values.iter().filter(|v| v.is_object()).flat_map(|v| properties(v, name, nodes)).collect()
        }
        Value::Object(object) => {
            object.get(name).or_else(|| referred(object, nodes)?.get(name)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn referred<'a>(object: &Map<String, Value>, nodes: &'a Nodes) -> Option<&'a Map<String, Value>> {
    nodes.0.get(object.get("@id")?.as_str()?)
}

fn collect_texts(value: &Value, nodes: &Nodes, depth: usize, texts: &mut Vec<String>) {
    if depth > MAX_DEPTH || texts.len() >= MAX_TEXTS {
        return;
    }
    match value {
        Value::Null => {}
        Value::Bool(value) => texts.push(value.to_string()),
        Value::Number(number) => texts.push(number.to_string()),
        Value::String(text) => texts.extend(Some(plain(text)).filter(|text| !text.is_empty())),
        Value::Array(values) => values.iter().for_each(|value| collect_texts(value, nodes, depth + 1, texts)),
        Value::Object(object) => {
            let telling =
                |of: &'_ Map<String, Value>| TELLING.iter().find(|name| of.contains_key(**name)).copied();
            let object = match telling(object) {
                Some(_) => object,
                None => referred(object, nodes).unwrap_or(object),
            };
            if let Some(value) = telling(object).and_then(|name| object.get(name)) {
                collect_texts(value, nodes, depth + 1, texts);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn item(value: Value) -> Option<Item> {
        Item::of(Syntax::JsonLd, value.as_object().unwrap())
    }

    fn path(text: &str) -> Vec<String> {
        text.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn types_in_every_spelling() {
        for kind in [json!("Recipe"), json!("http://schema.org/Recipe"), json!(["Thing", "schema:Recipe"])] {
            assert_eq!(item(json!({"@type": kind})).unwrap().family, Family::Recipe);
        }
        assert_eq!(item(json!({"@type": "BlogPosting"})).unwrap().family, Family::Article);
        for none in
            [json!({"@type": "WebPage"}), json!({"name": "x"}), json!({"@type": 7}), json!({"@type": null})]
        {
            assert_eq!(item(none), None);
        }
    }

    #[test]
    fn steps_in_sections_come_out_in_order() {
        let howto = item(json!({
            "@type": "HowTo",
            "step": [
                {"@type": "HowToSection", "name": "Dough", "itemListElement": [
                    {"@type": "HowToStep", "text": "Mix <b>flour</b> &amp; water"},
                    {"@type": "HowToStep", "itemListElement": {"@type": "HowToDirection", "text": "Wait"}}
                ]},
                "Bake",
                {"@type": "HowToStep", "name": "Eat"}
            ]
        }));
        let expected = ["Mix flour & water", "Wait", "Bake", "Eat"];
        assert_eq!(howto.unwrap().texts(&path("step"), &Nodes::default()), expected);
    }

    #[test]
    fn references_are_followed_and_end() {
        let node = |value: Value| value.as_object().unwrap().clone();
        let nodes = Nodes(HashMap::from([
            ("#me".to_owned(), node(json!({"@id": "#me", "name": "Ann", "knows": {"@id": "#me"}}))),
            ("#loop".to_owned(), node(json!({"@id": "#loop", "name": {"@id": "#loop"}}))),
        ]));
        let of = |author: Value| item(json!({"@type": "Article", "author": author})).unwrap();
        assert_eq!(of(json!({"@id": "#me"})).texts(&path("author.name"), &nodes), ["Ann"]);
        assert_eq!(of(json!({"@id": "#me"})).texts(&path("author"), &nodes), ["Ann"]);
        assert_eq!(
            of(json!([{"name": "Bob"}, {"@id": "#me"}])).texts(&path("author.name"), &nodes),
            ["Bob", "Ann"]
        );
        assert_eq!(of(json!({"@id": "#loop"})).texts(&path("author"), &nodes), [""; 0]);
        assert_eq!(of(json!({"@id": "#none"})).texts(&path("author.knows.name"), &nodes), [""; 0]);
    }
}
