//! What a run of requests is made with.

use super::answer::Answer;
use super::client::{Asking, Client};
use super::error::CollectError;
use super::kept::Kept;

/// A run of requests.
pub struct Generation<'a> {
    /// Who is asked.
    pub client: &'a Client,
    /// What was answered before, and where answers go.
    pub kept: &'a Kept,
    /// Budget, progress and waits.
    pub asking: Asking<'a>,
    /// Valid rows after which to stop; `None` to go through the whole plan.
    pub wanted: Option<usize>,
    /// Requests under way at once, at least 1.
    pub concurrency: usize,
    /// Whether to answer from what is kept alone: a request that is not there ends the run.
    pub offline: bool,
}

/// What became of a request.
pub(super) struct Answered {
    /// Whether the answer was kept from before.
    pub from_kept: bool,
    /// What is wrong with what was kept.
    pub damaged: Option<String>,
    pub answer: Result<Answer, CollectError>,
}
