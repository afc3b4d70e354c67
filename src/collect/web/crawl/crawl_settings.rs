//! How far a crawl goes and how fast.

use crate::collect::web::page_url::UrlLimits;

/// How far a crawl goes and how fast.
#[derive(Clone, Debug, PartialEq)]
pub struct CrawlSettings {
    /// Most pages asked in a run. A run that was killed goes on with what is left of it. Default 10,000.
    pub max_pages: usize,
    /// Most pages asked of a host in a run. Default 1,000.
    pub max_pages_a_host: usize,
    /// Longest time, in seconds, of one start of the program; a later start goes on. Default: a day.
    pub max_seconds: f64,
    /// Requests a second to one host, at most. Default 1; a longer Crawl-delay of its robots.txt goes before it.
    pub requests_per_second: f64,
    /// The longest Crawl-delay that is kept to, in seconds; a longer one is cut to it, and that is said. Default 60.
    pub max_crawl_delay_s: f64,
    /// The longest wait that a host may ask for with Retry-After, in seconds; beyond it the host is left alone for this run.
    /// Default 600.
    pub max_retry_after_s: f64,
    /// How often a page is asked whose host said "later". Default 3.
    pub max_tries: u32,
    /// Requests in a row that may fail before a host is left alone for this run. Default 5.
    pub max_failures: u32,
    /// Most hosts asked at once. Default 4.
    pub hosts_at_once: usize,
    /// How many links away from a listed page a page may be; 0: links are not followed. Default 0.
    pub max_depth: u32,
    /// Only linked pages whose address matches one of these regular expressions; empty: all. Default: all.
    pub follow: Vec<String>,
    /// No linked pages whose address matches one of these. Default: none.
    pub skip: Vec<String>,
    /// Most redirects one after the other. Default 5.
    pub max_redirects: u32,
    /// How deep sitemaps may lie in sitemaps. Default 3.
    pub max_sitemap_depth: u32,
    /// Whether sitemaps that a host's robots.txt names are read too. Default no.
    pub robots_sitemaps: bool,
    /// Most addresses that are kept in mind; further ones are counted and dropped. Default 500,000.
    pub max_known: usize,
    /// Ask pages of earlier runs again; an unchanged page costs its host almost nothing. Default no.
    pub revisit: bool,
    /// Shapes of addresses that are refused.
    pub urls: UrlLimits,
}

impl Default for CrawlSettings {
    fn default() -> Self {
        Self {
            max_pages: 10_000,
            max_pages_a_host: 1000,
            max_seconds: 86_400.0,
            requests_per_second: 1.0,
            max_crawl_delay_s: 60.0,
            max_retry_after_s: 600.0,
            max_tries: 3,
            max_failures: 5,
            hosts_at_once: 4,
            max_depth: 0,
            follow: Vec::new(),
            skip: Vec::new(),
            max_redirects: 5,
            max_sitemap_depth: 3,
            robots_sitemaps: false,
            max_known: 500_000,
            revisit: false,
            urls: UrlLimits::default(),
        }
    }
}
