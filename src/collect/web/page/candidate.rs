//! A row that a page gave, and where it comes from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A row and where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Text of each column; a column that the page does not have is empty.
    pub row: BTreeMap<String, String>,
    /// Where it comes from.
    pub provenance: Provenance,
}

/// Where a row comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The page.
    pub url: String,
    /// When it was fetched, RFC 3339 in UTC.
    pub fetched: String,
    /// BLAKE3 of the rules, as hex.
    pub rules: String,
    /// The licence as the page states it, else `unknown`.
    pub licence: String,
    /// What its columns were read from, such as `json-ld HowTo, css`.
    pub how: String,
}

/// Which page, and when.
pub struct Seen<'a> {
    /// The page.
    pub url: &'a str,
    /// When it was fetched, RFC 3339 in UTC.
    pub fetched: &'a str,
}
