//! Requests: which addresses may be asked, what a robots.txt says, one page within its limits, and archives of pages.

mod address;
mod charset;
mod fetch;
mod fetch_settings;
mod http_message;
mod reserved;
mod robots;
mod sitemap;
mod warc;

pub use address::Guard;
pub use charset::decode;
pub use fetch::{Answer, Ask, Fetched, Fetcher, Validators, Wanted};
pub use fetch_settings::FetchSettings;
pub use robots::{Policy, Robots};
pub use sitemap::read_sitemap;
pub use warc::{Archived, WarcFile};

#[cfg(test)]
pub mod tests_of {
    //! What other tests make requests and archives with.
    pub use super::address::tests::Book;
    pub use super::sitemap::tests::zip;
    pub use super::warc::tests::response;
}
