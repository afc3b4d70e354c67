//! Web pages to candidate rows: asked for politely, read without trust, each with where it comes from.
//!
//! [`Collector`] takes addresses from [`Sources`] into a [`Frontier`], asks for them host by host, reads what they say and makes
//! rows of it by a [`Mapping`]. Nothing here learns, and nothing here is training data.
//!
//! What is asked: http and https only, no address that is not on the public internet unless its host is named, nothing that a
//! robots.txt forbids, one request at a time at each host with a pause after it.

mod clock;
mod crawl;
mod error;
mod opt_out;
mod page;
mod page_url;
mod refusal;
mod request;

pub use clock::{Clock, WallClock};
pub use crawl::{
    Around, Collector, CrawlSettings, Frontier, LeftAlone, Outcome, Sources, Stop, Summary, read_list,
};
pub use error::WebError;
pub use page::Mapping;
pub use request::FetchSettings;
