//! Microdata of a page (HTML standard §5.2), as the same things that JSON-LD gives. `itemref` is not followed.

use scraper::{ElementRef, Html};
use serde_json::{Map, Value};
use url::Url;

use super::item::{Item, Syntax};
use super::page_text::visible_text;

/// Most things of one page.
const MAX_ITEMS: usize = 1000;

/// Most names of one property; each costs a copy of its value.
const MAX_NAMES: usize = 8;

/// How deep things may lie in things.
const MAX_DEPTH: usize = 16;

/// The things of known families in `page`, in its order; addresses are relative to `base`.
pub(super) fn microdata(page: &Html, base: &Url) -> Vec<Item> {
    let mut items = Vec::new();
    let mut waiting = vec![page.root_element()];
    while let Some(element) = waiting.pop() {
        if items.len() >= MAX_ITEMS {
            break;
        }
        let types = element.attr("itemtype").filter(|_| element.attr("itemscope").is_some());
        if types.is_some_and(|types| types.split_whitespace().any(Item::is_known))
            && let Some(item) = Item::of(Syntax::Microdata, &properties(element, base, 0))
        {
            // What lies in a thing is one of its properties.
            items.push(item);
            continue;
        }
        let children: Vec<ElementRef<'_>> = element.child_elements().collect();
        waiting.extend(children.into_iter().rev());
    }
    items
}

fn properties(scope: ElementRef<'_>, base: &Url, depth: usize) -> Map<String, Value> {
    let mut found = Map::new();
    if let Some(kind) = scope.attr("itemtype") {
        let kinds = kind.split_whitespace().map(|k| Value::String(k.to_owned())).collect();
        found.insert("@type".to_owned(), Value::Array(kinds));
    }
    if depth > MAX_DEPTH {
        return found;
    }
    let mut waiting: Vec<ElementRef<'_>> = scope.child_elements().collect();
    waiting.reverse();
    while let Some(element) = waiting.pop() {
        let is_scope = element.attr("itemscope").is_some();
        if let Some(names) = element.attr("itemprop") {
            let value = match is_scope {
                true => Value::Object(properties(element, base, depth + 1)),
                false => Value::String(value_of(element, base)),
            };
            names.split_whitespace().take(MAX_NAMES).for_each(|name| add(&mut found, name, value.clone()));
        }
        if !is_scope {
            let children: Vec<ElementRef<'_>> = element.child_elements().collect();
            waiting.extend(children.into_iter().rev());
        }
    }
    found
}

/// A name that stands more than once has all its values, in the page's order.
fn add(found: &mut Map<String, Value>, name: &str, value: Value) {
    match found.get_mut(name) {
        None => drop(found.insert(name.to_owned(), value)),
        Some(Value::Array(values)) => values.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}

fn value_of(element: ElementRef<'_>, base: &Url) -> String {
    let address = |name: &str| {
        let text = element.attr(name).unwrap_or_default();
        base.join(text).map_or_else(|_| text.to_owned(), String::from)
    };
    // Sites put `content` on elements that the standard reads the text of, to say what the text means.
    if let Some(content) = element.attr("content") {
        return content.to_owned();
    }
    match element.value().name() {
        "meta" => String::new(),
        "audio" | "embed" | "iframe" | "img" | "source" | "track" | "video" => address("src"),
        "a" | "area" | "link" => address("href"),
        "object" => address("data"),
        "data" | "meter" => element.attr("value").unwrap_or_default().to_owned(),
        "time" => element.attr("datetime").map_or_else(|| visible_text(element), str::to_owned),
        _ => visible_text(element),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::web::page::item::{Family, Nodes};

    fn read(markup: &str) -> Vec<Item> {
        microdata(&Html::parse_document(markup), &Url::parse("https://example.org/a/").unwrap())
    }

    fn texts(item: &Item, path: &str) -> Vec<String> {
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        item.texts(&path, &Nodes::default())
    }

    #[test]
    fn a_recipe_with_its_parts() {
        let items = read(
            r#"<div itemscope itemtype="https://schema.org/Recipe">
            <h1 itemprop="name">Pea <i>soup</i></h1>
            <meta itemprop="recipeYield" content="4">
            <time itemprop="totalTime" datetime="PT1H30M">90 minutes</time>
            <ul><li itemprop="recipeIngredient ingredients">1 kg peas</li><li itemprop="recipeIngredient">salt</li></ul>
            <p itemprop="author" itemscope itemtype="https://schema.org/Person"><a itemprop="url" href="../me"></a>
            <span itemprop="name">Ann</span></p>
            <span itemprop="price" content="3.50">three fifty</span></div>"#,
        );
        assert_eq!((items.len(), items[0].family, items[0].kind.as_str()), (1, Family::Recipe, "Recipe"));
        for (path, expected) in [
            ("name", vec!["Pea soup"]),
            ("recipeYield", vec!["4"]),
            ("totalTime", vec!["PT1H30M"]),
            ("recipeIngredient", vec!["1 kg peas", "salt"]),
            ("ingredients", vec!["1 kg peas"]),
            ("author.name", vec!["Ann"]),
            ("author.url", vec!["https://example.org/me"]),
            ("price", vec!["3.50"]),
        ] {
            assert_eq!(texts(&items[0], path), expected, "{path}");
        }
    }

    #[test]
    fn things_in_other_things_are_found_in_order() {
        let items = read(
            r#"<body itemscope itemtype="http://schema.org/WebPage">
            <p itemscope itemtype="http://schema.org/Product"><b itemprop="name">one</b></p>
            <p itemscope itemtype="http://schema.org/Article"><b itemprop="name">two</b></p>"#,
        );
        let names: Vec<String> = items.iter().flat_map(|i| texts(i, "name")).collect();
        assert_eq!(names, ["one", "two"]);
        assert!(read("<div itemscope><b itemprop=name>x</b></div>").is_empty());
    }
}
