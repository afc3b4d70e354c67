//! The main text of a page and what its head says of it, by the crate `trafilatura` (Barbaresi 2021).

use trafilatura::Options;
use url::Url;

use super::page_text::collapsed;

/// What a page is about; empty where it does not say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MainText {
    /// Its title.
    pub title: String,
    /// Its main text, without navigation, comments and advertisements.
    pub text: String,
    /// When it was published: `2026-05-01`.
    pub date: String,
    /// Its language, ISO 639: as the page states it, else detected in its text.
    pub language: String,
    /// Who wrote it.
    pub author: String,
    /// Its summary.
    pub description: String,
    /// The name of the site.
    pub site: String,
}

/// The main text of the page `text` at `url`.
///
/// # Errors
/// Why there is none.
pub(super) fn main_text(text: &str, url: &Url) -> Result<MainText, String> {
    let options = Options::default().with_fallback(true).with_exclude_comments(true).with_url(url.clone());
    let found = trafilatura::extract(text, &options).map_err(|error| error.to_string())?;
    let about = found.metadata;
    Ok(MainText {
        title: collapsed(&about.title),
        text: found.content_text.trim().to_owned(),
        date: about.date.map(|date| date.to_string()).unwrap_or_default(),
        language: about.language,
        author: collapsed(&about.author),
        description: collapsed(&about.description),
        site: collapsed(&about.sitename),
    })
}
