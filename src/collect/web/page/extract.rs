//! Everything that rules may ask of a page, from its text.

use std::collections::{BTreeMap, BTreeSet};

use scraper::{Html, Selector};
use url::Url;

use super::css::{CssField, read_all};
use super::item::{Item, Nodes};
use super::licence::licence;
use super::main_text::{MainText, main_text};
use super::microdata::microdata;
use super::nesting::{check_depth, check_markup};
use super::page_text::{collapsed, visible_text};
use super::structured::json_ld;
use crate::collect::web::error::WebError;
use crate::collect::web::opt_out::reservation;
use crate::collect::web::page_url::normalised;
use crate::collect::web::refusal::Refusal;
use crate::config::CssRule;
use crate::foreign::guarded;

/// A page's text and where it comes from.
pub struct Page<'a> {
    /// Its address.
    pub url: &'a Url,
    /// Its text, decoded.
    pub text: &'a str,
}

/// What a page says.
#[derive(Debug, Default)]
pub struct Extracted {
    /// The things it describes, those of JSON-LD first.
    pub items: Vec<Item>,
    /// What references of its JSON-LD refer to.
    pub nodes: Nodes,
    /// Its main text; only looked for where a rule asks for it.
    pub main: MainText,
    /// What the CSS rules found, by field.
    pub css: BTreeMap<String, Vec<String>>,
    /// Its licence as found, else `unknown`.
    pub licence: String,
    /// The pages it links to and lets be followed, in their one spelling.
    pub links: Vec<Url>,
    /// What was wrong with parts of it: broken blocks of JSON-LD, no main text.
    pub problems: Vec<String>,
}

/// Reads pages.
#[derive(Debug)]
pub struct Extractor {
    scripts: Selector,
    licences: Selector,
    anchors: Selector,
    heads: Selector,
    /// The name that `<meta name="…">` may speak to beside `robots`.
    agent: String,
    css: Vec<CssField>,
    wants_main: bool,
}

/// Links of one page that are kept.
const MAX_LINKS: usize = 5000;

impl Extractor {
    /// `agent` is the program's bare name; `css` are the user's fields; `wants_main`: whether a rule asks for the main text.
    ///
    /// # Errors
    /// A selector cannot be read.
    pub fn new(agent: &str, css: &BTreeMap<String, CssRule>, wants_main: bool) -> Result<Self, WebError> {
        let selector = |text: &str| match Selector::parse(text) {
            Ok(selector) => Ok(selector),
            Err(error) => WebError::setting("selector", text, error.to_string()),
        };
        Ok(Self {
            scripts: selector("script[type]")?,
            licences: selector("a[rel], link[rel], meta[content]")?,
            anchors: selector("a[href]")?,
            heads: selector("html[lang], base[href], meta[name][content], title")?,
            agent: agent.to_owned(),
            css: css.iter().map(|(name, rule)| CssField::new(name, rule)).collect::<Result<_, _>>()?,
            wants_main,
        })
    }

    /// What `page` says.
    ///
    /// # Errors
    /// Its markup is such that it is not parsed, or the parser failed on it.
    pub fn extract(&self, page: &Page<'_>) -> Result<Extracted, Refusal> {
        check_markup(page.text)?;
        // Pages are anybody's bytes, and the parsers are large: what makes one of them panic costs that page.
        guarded(|| self.read(page))
            .unwrap_or_else(|_| Err(Refusal::Markup { reason: "the parser failed on it".to_owned() }))
    }

    fn read(&self, page: &Page<'_>) -> Result<Extracted, Refusal> {
        let html = Html::parse_document(page.text);
        check_depth(&html)?;
        let head = self.head(&html, page.url);
        if let Some(statement) = head.reserved {
            return Err(Refusal::MiningReserved { statement });
        }
        let structured = json_ld(&html, &self.scripts);
        let mut problems = structured.broken;
        let mut items = structured.items;
        items.extend(microdata(&html, &head.base));
        let mut main = MainText::default();
        if self.wants_main {
            match main_text(page.text, page.url) {
                Ok(found) => main = found,
                Err(reason) => problems.push(format!("no main text: {reason}")),
            }
            if main.title.is_empty() {
                main.title = head.title;
            }
            // What is detected of a short text is often a neighbour's language.
            if !head.language.is_empty() {
                main.language = head.language;
            }
        }
        Ok(Extracted {
            items,
            nodes: structured.nodes,
            main,
            css: read_all(&self.css, &html),
            licence: licence(&html, &head.base, &structured.licences, &self.licences),
            links: if head.no_follow { Vec::new() } else { self.links(&html, &head.base) },
            problems,
        })
    }

    fn head(&self, html: &Html, url: &Url) -> Head {
        let mut head = Head {
            base: url.clone(),
            title: String::new(),
            language: String::new(),
            no_follow: false,
            reserved: None,
        };
        let mut has_base = false;
        for element in html.select(&self.heads) {
            match element.value().name() {
                "base" if !has_base => {
                    has_base = true;
                    let stated = url.join(element.attr("href").unwrap_or_default().trim()).ok();
                    head.base = stated.unwrap_or_else(|| url.clone());
                }
                "html" => head.language = primary_language(element.attr("lang").unwrap_or_default()),
                "title" if head.title.is_empty() => head.title = visible_text(element),
                "meta" => {
                    let name = collapsed(element.attr("name").unwrap_or_default()).to_ascii_lowercase();
                    let content = element.attr("content").unwrap_or_default().to_ascii_lowercase();
                    head.reserved = head.reserved.or_else(|| reservation(&name, &content, &self.agent));
                    let addressed = name == "robots" || name == self.agent.to_ascii_lowercase();
                    let forbids = content.split(',').any(|word| matches!(word.trim(), "nofollow" | "none"));
                    head.no_follow |= addressed && forbids;
                }
                _ => {}
            }
        }
        head
    }

    fn links(&self, html: &Html, base: &Url) -> Vec<Url> {
        let mut seen = BTreeSet::new();
        let followed = html.select(&self.anchors).filter(|anchor| {
            let words = anchor.attr("rel").unwrap_or_default();
            !words.split_whitespace().any(|word| word.eq_ignore_ascii_case("nofollow"))
        });
        let urls = followed.filter_map(|anchor| normalised(anchor.attr("href")?, Some(base)).ok());
        let pages = urls.filter(|url| matches!(url.scheme(), "http" | "https"));
        pages.filter(|url| seen.insert(url.clone())).take(MAX_LINKS).collect()
    }
}

/// What the head of a page says of the page as a whole.
struct Head {
    base: Url,
    title: String,
    language: String,
    no_follow: bool,
    /// The statement that keeps it from being mined.
    reserved: Option<String>,
}

/// `en` of `en-GB`; empty for what is no language tag.
fn primary_language(tag: &str) -> String {
    let primary = tag.trim().split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    let is_tag = (2..=3).contains(&primary.len()) && primary.bytes().all(|b| b.is_ascii_lowercase());
    if is_tag { primary } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::web::page::item::Syntax;

    fn extract(text: &str) -> Result<Extracted, Refusal> {
        let url = Url::parse("https://example.org/a/b").unwrap();
        Extractor::new("pipeline", &BTreeMap::new(), true).unwrap().extract(&Page { url: &url, text })
    }

    fn links(text: &str) -> Vec<String> {
        extract(text).unwrap().links.iter().map(Url::to_string).collect()
    }

    #[test]
    fn json_ld_goes_before_microdata() {
        let found = extract(
            r#"<div itemscope itemtype="https://schema.org/Recipe"><b itemprop="name">m</b></div>
            <script type="application/ld+json">{"@type": "Recipe", "name": "j"}</script>"#,
        );
        let syntaxes: Vec<Syntax> = found.unwrap().items.iter().map(|item| item.syntax).collect();
        assert_eq!(syntaxes, [Syntax::JsonLd, Syntax::Microdata]);
    }

    #[test]
    fn links_are_followed_as_far_as_the_page_lets() {
        let anchors =
            "<a href=c>1</a><a href='c#x'>2</a><a href='mailto:x@y'>3</a><a rel='x NoFollow' href=d>4</a>
            <a href='HTTP://other.example'>5</a><a href='http://['>6</a>";
        assert_eq!(links(anchors), ["https://example.org/a/c", "http://other.example/"]);
        assert_eq!(links(&format!("<base href='/z/'>{anchors}"))[0], "https://example.org/z/c");
        for meta in ["robots", "Pipeline"] {
            assert!(links(&format!("<meta name='{meta}' content='index, NoFollow'>{anchors}")).is_empty());
        }
        assert_eq!(links(&format!("<meta name='googlebot' content='nofollow'>{anchors}")).len(), 2);
    }

    #[test]
    fn main_text_without_the_frame() {
        let body =
            "<p>The quick brown fox jumps over the lazy dog and then it sleeps under the old oak tree.</p>"
                .repeat(5);
        let page = format!(
            "<html lang=en-GB><head><title>Fox | Site</title><meta property='og:title' content='Fox'>
            <meta property='article:published_time' content='2024-03-05T10:00:00Z'></head>
            <body><nav><a href=/>Home</a> <a href=/x>Menu entry</a></nav><article><h1>Fox</h1>{body}</article>
            <footer>Imprint and cookies</footer></body></html>"
        );
        let main = extract(&page).unwrap().main;
        assert!(main.text.contains("lazy dog") && !main.text.contains("Menu entry"), "{}", main.text);
        assert_eq!(
            (main.title.as_str(), main.date.as_str(), main.language.as_str()),
            ("Fox", "2024-03-05", "en")
        );
    }

    #[test]
    fn a_page_at_the_limit_of_nesting_is_read() {
        let depth = crate::collect::web::page::nesting::MAX_DEPTH - 6;
        let page = format!("<title>deep</title>{}<p>text in it", "<div>".repeat(depth));
        assert_eq!(extract(&page).unwrap().main.title, "deep");
        let page = format!("{}x", "<b><i><span>".repeat(depth / 3));
        extract(&page).unwrap();
        assert!(matches!(extract(&"<div>".repeat(100_000)), Err(Refusal::Markup { .. })));
    }

    #[test]
    fn empty_and_odd_pages_give_nothing_and_do_not_fail() {
        for page in
            ["", "plain text", "\u{0}\u{FFFD}", "<html", "<!doctype html><body></body>", "<title></title>"]
        {
            let found = extract(page).unwrap();
            assert!(found.items.is_empty() && found.licence == "unknown", "{page:?}");
        }
    }
}
