//! From a page's bytes to what becomes of it.

use time::OffsetDateTime;
use url::Url;

use super::entry::Outcome;
use crate::collect::web::clock::rfc_3339;
use crate::collect::web::page::{Extractor, Page, Rules, Seen};
use crate::collect::web::page_url::host_of;
use crate::collect::web::refusal::Refusal;
use crate::collect::web::request::{Fetched, decode};

/// Makes rows of pages.
pub(super) struct Reading {
    pub extractor: Extractor,
    pub rules: Rules,
}

/// What was read.
pub(super) struct Read {
    pub outcome: Outcome,
    /// Pages it links to.
    pub links: Vec<Url>,
    /// What was wrong with parts of it.
    pub problems: Vec<String>,
}

impl Reading {
    /// Read the page that came from `url` at `date`.
    pub fn read(&self, url: &Url, page: &Fetched, date: OffsetDateTime) -> Read {
        let decoded = decode(&page.bytes, page.charset.as_deref(), &host_of(url));
        let extracted = match self.extractor.extract(&Page { url, text: &decoded.text }) {
            Ok(extracted) => extracted,
            Err(refusal) => {
                return Read { outcome: refused(&refusal), links: Vec::new(), problems: Vec::new() };
            }
        };
        let (fetched, claimed) = (rfc_3339(date), decoded.claimed);
        let outcome = match self.rules.row(&extracted, &Seen { url: url.as_str(), fetched: &fetched }) {
            Ok(candidate) => Outcome::Row { candidate },
            Err(refusal) => refused(&refusal),
        };
        let mut problems = extracted.problems;
        problems
            .extend(claimed.map(|claimed| format!("says it is {claimed}, was read as {}", decoded.encoding)));
        Read { outcome, links: extracted.links, problems }
    }
}

/// What the frontier keeps of a refusal.
pub(super) fn refused(refusal: &Refusal) -> Outcome {
    Outcome::Refused {
        name: refusal.name().to_owned(),
        reason: refusal.to_string(),
        again: refusal.may_pass(),
    }
}
