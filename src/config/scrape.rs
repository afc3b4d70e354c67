//! `[collect.scrape]`: rows from web pages.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::Fault;
use super::number::{Number, real, whole};
use super::section::Section;

/// Most pages that one run may ask for.
const MOST_PAGES: usize = 1_000_000;

/// `[collect.scrape]`: pages, and the rules that make rows of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScrapeConfig {
    /// Addresses of pages.
    pub pages: Vec<String>,
    /// Files of addresses, one a line; lines that begin with `#` are passed over.
    pub lists: Vec<String>,
    /// Addresses of sitemaps, whose pages are asked for.
    pub sitemaps: Vec<String>,
    /// WARC files, plain or gzip, as patterns; their pages are read and not asked for.
    pub archives: Vec<String>,
    /// The name that robots.txt may speak to: letters, `-` and `_`; `pipeline` by default.
    pub agent: String,
    /// An address of a page or mailbox where the owner of a site can reach you; it is part of the User-Agent.
    pub contact: String,
    /// Hosts, with or without a port, that may be asked though they are not on the public internet.
    pub allow_hosts: Vec<String>,
    /// Longest time for one page in seconds, in `[1, 3600]`; 30 by default.
    pub timeout_s: f64,
    /// Largest page in bytes after decompression, in `[1, 2³⁰]`; 5 MiB by default.
    pub most_bytes: usize,
    /// Requests a second to one host, in `[0.001, 10]`; 1 by default. A longer Crawl-delay of its robots.txt goes before it.
    pub requests_per_second: f64,
    /// Hosts that are asked at once, in `[1, 64]`; 4 by default.
    pub hosts_at_once: usize,
    /// Most pages of a run, in `[1, 10⁶]`; 10,000 by default.
    pub most_pages: usize,
    /// Most pages of one host in a run, in `[1, 10⁶]`; 1,000 by default.
    pub most_pages_a_host: usize,
    /// How many links away from a listed page a page of the same host may be, in `[0, 100]`; 0, the default: no link is
    /// followed.
    pub depth: usize,
    /// Regular expressions; only links to addresses that match one are followed. All by default.
    pub follow: Vec<String>,
    /// Regular expressions; no link to an address that matches one is followed.
    pub skip: Vec<String>,
    /// Whether the sitemaps that a host's robots.txt names are read; they are not by default.
    pub robots_sitemaps: bool,
    /// A rule for each column.
    pub columns: BTreeMap<String, ColumnRule>,
    /// Columns that say the same in each row.
    pub constants: BTreeMap<String, String>,
    /// Fields that rules may name as `css.NAME`.
    pub css: BTreeMap<String, CssRule>,
}

/// Where a column's text comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ColumnRule {
    /// Sources in the order in which they are tried; the first that has something to say is taken. A source is `howto.`,
    /// `recipe.`, `article.` or `product.` with a property of schema.org (`recipe.author.name`), `css.` with a field, or one of
    /// `title`, `text`, `date`, `language`, `author`, `description`, `site`, `url`, `licence`.
    pub from: Vec<String>,
    /// What stands between several texts of one source; a space by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub join: Option<String>,
    /// Replacements, one after the other, in the joined text.
    pub replace: Vec<Replace>,
    /// Take a number out of the text instead of the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<NumberTaken>,
    /// Whether a page without it is refused; by default the column stays empty.
    pub required: bool,
}

/// A replacement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replace {
    /// A regular expression.
    pub pattern: String,
    /// What each match becomes; `$1` is its first group.
    pub with: String,
}

/// Which number of a text a column takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NumberTaken {
    /// The first: `serves 4 to 6` gives `4`.
    First,
    /// The last: `serves 4 to 6` gives `6`.
    Last,
    /// A duration of ISO 8601 in minutes, as schema.org has them: `PT1H30M` gives `90`.
    Minutes,
}

/// Where a field stands in a page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CssRule {
    /// A CSS selector.
    pub selector: String,
    /// The attribute whose value is meant; the element's text by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    /// Which of the elements that match; the first that has something to say by default.
    #[serde(default)]
    pub take: Take,
}

/// Which of several elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Take {
    /// The first that has something to say.
    #[default]
    First,
    /// All of them, in the page's order; the column's `join` puts them together.
    All,
}

impl Section for ScrapeConfig {
    fn numbers(&self) -> Vec<Number> {
        vec![
            real("collect.scrape.timeout_s", self.timeout_s, 1.0..=3600.0),
            whole("collect.scrape.most_bytes", self.most_bytes, 1..=1 << 30),
            // Above ten a second it is no politeness any more.
            real("collect.scrape.requests_per_second", self.requests_per_second, 0.001..=10.0),
            whole("collect.scrape.hosts_at_once", self.hosts_at_once, 1..=64),
            whole("collect.scrape.most_pages", self.most_pages, 1..=MOST_PAGES),
            whole("collect.scrape.most_pages_a_host", self.most_pages_a_host, 1..=MOST_PAGES),
            whole("collect.scrape.depth", self.depth, 0..=100),
        ]
    }

    fn check(&self) -> Result<(), Fault> {
        let token = |c: char| c.is_ascii_alphabetic() || c == '-' || c == '_';
        if self.agent.is_empty() || !self.agent.chars().all(token) {
            return Fault::at(
                "collect.scrape.agent",
                format!("is `{}`; use letters, `-` and `_`, without a version", self.agent),
            );
        }
        if !self.contact.chars().all(|c| (' '..='~').contains(&c) && !"()\\".contains(c)) {
            return Fault::at(
                "collect.scrape.contact",
                format!("is `{}`; use printable ASCII without brackets", self.contact),
            );
        }
        if let Some(twice) = self.constants.keys().find(|name| self.columns.contains_key(*name)) {
            return Fault::at(
                format!("collect.scrape.constants.{twice}"),
                "is a column that has a rule, too; remove one of them",
            );
        }
        Ok(())
    }
}

impl Default for ScrapeConfig {
    fn default() -> Self {
        Self {
            pages: Vec::new(),
            lists: Vec::new(),
            sitemaps: Vec::new(),
            archives: Vec::new(),
            agent: "pipeline".into(),
            contact: String::new(),
            allow_hosts: Vec::new(),
            timeout_s: 30.0,
            most_bytes: 5 << 20,
            requests_per_second: 1.0,
            hosts_at_once: 4,
            most_pages: 10_000,
            most_pages_a_host: 1_000,
            depth: 0,
            follow: Vec::new(),
            skip: Vec::new(),
            robots_sitemaps: false,
            columns: BTreeMap::new(),
            constants: BTreeMap::new(),
            css: BTreeMap::new(),
        }
    }
}
