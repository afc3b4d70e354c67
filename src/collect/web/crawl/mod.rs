//! A crawl: sources into a frontier on disk, hosts in turn, pages to rows, until nothing is left or a limit is reached.

#[allow(clippy::module_inception, reason = "the loop is what the room is named for")]
mod crawl;
mod crawl_settings;
#[cfg(test)]
mod crawl_tests;
mod entry;
mod frontier;
mod journal;
mod reading;
mod schedule;
mod settle;
mod shared;
mod sources;
mod summary;
#[cfg(test)]
mod test_site;
mod tools;
mod visit;

pub use crawl::Collector;
pub use crawl_settings::CrawlSettings;
pub use entry::Outcome;
pub use frontier::Frontier;
pub use schedule::LeftAlone;
pub use shared::Around;
pub use sources::{Sources, read_list};
pub use summary::{Stop, Summary};
