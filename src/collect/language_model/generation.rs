//! What a run of requests is made with.

use super::client::{Asking, Client};
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
