//! What every visit uses: checked settings, the fetcher, and the reader of pages.

use regex::RegexSet;

use super::crawl_settings::CrawlSettings;
use super::reading::Reading;
use crate::collect::web::error::WebError;
use crate::collect::web::page::{Extractor, Mapping, Rules};
use crate::collect::web::request::{FetchSettings, Fetcher, Guard};

/// What every visit uses.
pub(super) struct Tools {
    pub settings: CrawlSettings,
    pub fetcher: Fetcher,
    pub reading: Reading,
    pub follow: RegexSet,
    pub skip: RegexSet,
}

impl Tools {
    /// # Errors
    /// A setting or a rule cannot be used.
    pub fn new(
        fetch: &FetchSettings,
        crawl: &CrawlSettings,
        mapping: &Mapping,
        guard: Guard,
    ) -> Result<Self, WebError> {
        let rules = Rules::new(mapping)?;
        let extractor = Extractor::new(&fetch.agent, &mapping.css, rules.wants_main())?;
        let set = |key: &str, patterns: &[String]| match RegexSet::new(patterns) {
            Ok(set) => Ok(set),
            Err(error) => {
                WebError::setting(key, patterns.join(", "), format!("must be regular expressions: {error}"))
            }
        };
        Ok(Self {
            fetcher: Fetcher::new(fetch, guard),
            reading: Reading { extractor, rules },
            follow: set("follow", &crawl.follow)?,
            skip: set("skip", &crawl.skip)?,
            settings: crawl.clone(),
        })
    }

    /// BLAKE3 of the rules, as rows have it in their provenance.
    pub fn rules_hash(&self) -> &str {
        self.reading.rules.hash()
    }
}
