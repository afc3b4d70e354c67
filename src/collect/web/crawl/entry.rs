//! An address of the frontier and what became of it, as memory and file have it.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::collect::web::page::Candidate;
use crate::collect::web::request::Validators;

/// What an address is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A page, to be a row.
    Page,
    /// A sitemap, for the addresses in it.
    Sitemap,
    /// A page out of an archive; it is never asked for.
    Archived,
}

/// An address and how it was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The address in its one spelling.
    pub url: Url,
    /// What it is asked for.
    pub kind: Kind,
    /// Links between a listed page and it; for a sitemap, sitemaps above it.
    #[serde(default)]
    pub depth: u32,
    /// Redirects in a row that led to it.
    #[serde(default)]
    pub hops: u32,
    /// The address that redirects to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<Url>,
}

impl Found {
    /// A listed page or sitemap.
    pub fn listed(url: Url, kind: Kind) -> Self {
        Self { url, kind, depth: 0, hops: 0, moved_from: None }
    }
}

/// What became of an address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Outcome {
    /// A row.
    Row {
        /// The row and where it comes from.
        candidate: Candidate,
    },
    /// No row.
    Refused {
        /// One word for counting.
        name: String,
        /// Why.
        reason: String,
        /// Whether the next run asks again.
        again: bool,
    },
    /// It is elsewhere.
    Moved {
        /// Where.
        to: Url,
    },
    /// A sitemap was read.
    Read {
        /// Addresses in it.
        addresses: usize,
    },
}

/// What became of an address in the newest run that asked for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// The run.
    pub run: u32,
    /// Whether it cost its host a request.
    pub asked: bool,
    /// BLAKE3 of the rules that were in force.
    pub rules: String,
    /// The version of the page.
    #[serde(default, skip_serializing_if = "Validators::is_empty")]
    pub validators: Validators,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// An address, and what became of it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The address.
    pub found: Found,
    /// `None`: it was not asked yet.
    pub done: Option<Done>,
}
