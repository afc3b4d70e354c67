//! Fields that a user points at with CSS selectors.

use std::collections::BTreeMap;

use super::page_text::{collapsed, visible_text};
use crate::collect::web::error::WebError;
use crate::config::{CssRule, Take};
use scraper::{Html, Selector};

/// A checked rule.
#[derive(Debug)]
pub(super) struct CssField {
    pub name: String,
    selector: Selector,
    attribute: Option<String>,
    take: Take,
}

impl CssField {
    /// # Errors
    /// The selector of the field `name` cannot be read.
    pub fn new(name: &str, rule: &CssRule) -> Result<Self, WebError> {
        let selector = match Selector::parse(&rule.selector) {
            Ok(selector) => selector,
            Err(error) => {
                return WebError::setting(
                    format!("css.{name}.selector"),
                    &rule.selector,
                    format!("must be a CSS selector: {error}"),
                );
            }
        };
        Ok(Self { name: name.to_owned(), selector, attribute: rule.attribute.clone(), take: rule.take })
    }

    fn read(&self, page: &Html) -> Vec<String> {
        let texts = page.select(&self.selector).filter_map(|element| {
            let text = match &self.attribute {
                Some(name) => collapsed(element.attr(name)?),
                None => visible_text(element),
            };
            Some(text).filter(|text| !text.is_empty())
        });
        match self.take {
            Take::First => texts.take(1).collect(),
            Take::All => texts.collect(),
        }
    }
}

/// What the `fields` find in `page`; a field that finds nothing is left out.
pub(super) fn read_all(fields: &[CssField], page: &Html) -> BTreeMap<String, Vec<String>> {
    let found = fields.iter().map(|field| (field.name.clone(), field.read(page)));
    found.filter(|(_, texts)| !texts.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(selector: &str, attribute: Option<&str>, take: Take) -> CssRule {
        CssRule { selector: selector.into(), attribute: attribute.map(str::to_owned), take }
    }

    #[test]
    fn first_all_and_attributes() {
        let page = Html::parse_document(
            "<ul class=steps><li> <li>Cut<br>it<li>Cook</ul><img alt=' a  b '><img alt=c><img>",
        );
        let read = |rule: CssRule| CssField::new("x", &rule).unwrap().read(&page);
        assert_eq!(read(rule(".steps li", None, Take::First)), ["Cut it"]);
        assert_eq!(read(rule(".steps > li", None, Take::All)), ["Cut it", "Cook"]);
        assert_eq!(read(rule("img", Some("alt"), Take::All)), ["a b", "c"]);
        assert!(read(rule("table", None, Take::All)).is_empty());
    }

    #[test]
    fn a_bad_selector_is_named() {
        let error = CssField::new("price", &rule("..x", None, Take::First)).unwrap_err().to_string();
        assert!(
            error.starts_with("collect.scrape.css.price.selector is \"..x\", but must be a CSS selector"),
            "{error}"
        );
    }
}
