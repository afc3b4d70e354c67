//! What a rule may take a column's text from.

use std::collections::BTreeSet;

use super::candidate::Seen;
use super::extract::Extracted;
use super::item::{Family, Item};

/// A source that rules name.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    /// A property of the thing of a family that the row is about.
    Item {
        family: Family,
        path: Vec<String>,
    },
    /// A field found by CSS.
    Css(String),
    Fixed(Fixed),
}

/// A source that each page has or has not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fixed {
    pub name: &'static str,
    /// Whether it needs the main text to be looked for.
    of_main: bool,
    read: for<'a> fn(&'a Extracted, &'a Seen<'_>) -> &'a str,
}

impl PartialEq for Fixed {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

pub(super) const FIXED: [Fixed; 9] = [
    Fixed { name: "title", of_main: true, read: |page, _| &page.main.title },
    Fixed { name: "text", of_main: true, read: |page, _| &page.main.text },
    Fixed { name: "date", of_main: true, read: |page, _| &page.main.date },
    Fixed { name: "language", of_main: true, read: |page, _| &page.main.language },
    Fixed { name: "author", of_main: true, read: |page, _| &page.main.author },
    Fixed { name: "description", of_main: true, read: |page, _| &page.main.description },
    Fixed { name: "site", of_main: true, read: |page, _| &page.main.site },
    Fixed { name: "url", of_main: false, read: |_, seen| seen.url },
    Fixed { name: "licence", of_main: false, read: |page, _| &page.licence },
];

/// What a source says.
pub(super) struct Sourced {
    pub texts: Vec<String>,
    /// What it was read from; empty for what is no content of the page.
    pub how: String,
}

/// A page as rules read it.
pub(super) struct View<'a> {
    pub page: &'a Extracted,
    pub seen: &'a Seen<'a>,
    /// At most one thing of each family.
    pub about: Vec<&'a Item>,
}

impl<'a> View<'a> {
    /// A page may describe many things of a family, those it links to among them. A row is about one of each: the one that
    /// answers most of the `sources`, the first of equals. So no row is mixed from two things.
    pub fn new(page: &'a Extracted, seen: &'a Seen<'a>, sources: &[&Source]) -> Self {
        let answers = |item: &Item| {
            let asked = sources.iter().filter(|source| match source {
                Source::Item { family, path } => {
                    *family == item.family && !item.texts(path, &page.nodes).is_empty()
                }
                Source::Css(_) | Source::Fixed(_) => false,
            });
            asked.count()
        };
        let best = |family: Family| {
            let items = page.items.iter().filter(|item| item.family == family);
            items
                .map(|item| (answers(item), item))
                .rev()
                .max_by_key(|(count, _)| *count)
                .map(|(_, item)| item)
        };
        Self { page, seen, about: Family::ALL.into_iter().filter_map(best).collect() }
    }
}

impl Source {
    /// The source that `text` names; `fields` are the fields found by CSS.
    pub fn parse(text: &str, fields: &BTreeSet<&str>) -> Option<Self> {
        if let Some(fixed) = FIXED.into_iter().find(|fixed| fixed.name == text) {
            return Some(Self::Fixed(fixed));
        }
        let (kind, rest) = text.split_once('.')?;
        if kind == "css" {
            return fields.contains(rest).then(|| Self::Css(rest.to_owned()));
        }
        let family = Family::ALL.into_iter().find(|family| family.name() == kind)?;
        let path: Vec<String> = rest.split('.').map(str::to_owned).collect();
        path.iter().all(|name| !name.is_empty()).then_some(Self::Item { family, path })
    }

    pub fn is_of_main(&self) -> bool {
        matches!(self, Self::Fixed(fixed) if fixed.of_main)
    }

    /// What is said there; `None` where nothing is.
    pub fn read(&self, view: &View<'_>) -> Option<Sourced> {
        let View { page, seen, .. } = view;
        match self {
            Self::Item { family, path } => {
                let item = view.about.iter().find(|item| item.family == *family)?;
                let texts = item.texts(path, &page.nodes);
                let how = format!("{} {}", item.syntax.name(), item.kind);
                (!texts.is_empty()).then_some(Sourced { texts, how })
            }
            Self::Css(field) => {
                page.css.get(field).map(|texts| Sourced { texts: texts.clone(), how: "css".to_owned() })
            }
            Self::Fixed(fixed) => {
                let text = (fixed.read)(page, seen);
                let how = if fixed.of_main { "main text".to_owned() } else { String::new() };
                (!text.is_empty()).then(|| Sourced { texts: vec![text.to_owned()], how })
            }
        }
    }
}
