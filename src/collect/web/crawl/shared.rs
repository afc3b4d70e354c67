//! What a collection has around it, and what its workers share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use url::Url;

use super::entry::Outcome;
use super::frontier::Frontier;
use super::schedule::Hosts;
use super::summary::{Counts, Stop};
use crate::collect::web::clock::Clock;
use crate::collect::web::error::WebError;
use crate::progress::Progress;

/// What a collection needs of the world around it.
pub struct Around<'a> {
    /// Tells the time and lets it pass.
    pub clock: &'a dyn Clock,
    /// Hears what is done, and says when to stop.
    pub progress: &'a dyn Progress,
    /// Hears of each page, from any thread; the others wait meanwhile.
    pub on_page: &'a (dyn Fn(&PageDone<'_>) + Sync),
}

/// What became of a page just now.
pub struct PageDone<'a> {
    /// The page.
    pub url: &'a Url,
    /// What became of it; `None`: it is as it was.
    pub outcome: Option<&'a Outcome>,
    /// What was wrong with parts of it.
    pub problems: &'a [String],
}

/// What the workers share.
pub(super) struct Shared {
    pub frontier: Frontier,
    pub hosts: Hosts,
    pub counts: Counts,
    pub stop: Option<Stop>,
    pub error: Option<WebError>,
}

/// What the workers share. A worker that panicked has said so; what the others share with it is whole between two lines.
pub(super) fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
