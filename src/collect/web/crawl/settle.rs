//! The end of a turn: what came of it is written down, and its host rests.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::entry::{Found, Kind, Outcome};
use super::frontier::Recorded;
use super::schedule::{Given, Task};
use super::shared::{PageDone, Shared, lock};
use super::visit::{Job, Visit, Visitor};
use crate::collect::web::clock::Clock;
use crate::collect::web::error::WebError;
use crate::collect::web::page_url::host_of;
use crate::collect::web::request::Policy;

impl Visitor<'_> {
    /// Write down what came of a turn, and end it.
    pub(super) fn settle(&self, job: &Job, visit: Visit) -> Result<(), WebError> {
        let url = &job.entry.found.url;
        let ready_at = visit.asked.then(|| self.ready_at(url, visit.wait));
        let is_page = job.entry.found.kind == Kind::Page;
        let recorded = visit.recorded.map(|recorded| self.or_as_it_was(job, recorded));
        let mut shared = lock(self.shared);
        shared.counts.dropped_links += visit.dropped;
        let is_done = recorded.is_some();
        if let Some(recorded) = recorded {
            shared.counts.asked += usize::from(visit.asked);
            shared.counts.unchanged += usize::from(matches!(recorded, Recorded::Unchanged));
            let outcome = match &recorded {
                Recorded::Done { outcome, .. } => Some(outcome),
                Recorded::Unchanged => None,
            };
            (self.around.on_page)(&PageDone { url, outcome, problems: &visit.problems });
            // What a page leads to is written before the page is done: a process that dies in between asks it again.
            for found in visit.found {
                self.add(&mut shared, found)?;
            }
            shared.frontier.record(job.place, recorded)?;
        } else {
            for found in visit.found {
                self.add(&mut shared, found)?;
            }
        }
        self.judge_host(&mut shared, job, visit.failed, visit.leave_alone);
        shared.hosts.give_back(Given {
            host: &job.host,
            ready_at,
            again: (!is_done).then_some(Task { place: job.place, is_page }),
            counts: !is_page || (visit.asked && is_done),
        });
        drop(shared);
        if is_done {
            self.around.progress.advance(1);
        }
        Ok(())
    }

    fn add(&self, shared: &mut Shared, found: Found) -> Result<(), WebError> {
        let (host, is_page) = (host_of(&found.url), found.kind == Kind::Page);
        if let Some(place) = shared.frontier.add(found)? {
            shared.hosts.add(&host, Task { place, is_page });
        }
        Ok(())
    }

    /// A row of an earlier run stays where its page cannot be had for the moment.
    fn or_as_it_was(&self, job: &Job, recorded: Recorded) -> Recorded {
        let has_row = matches!(&job.entry.done, Some(done) if matches!(done.outcome, Outcome::Row { .. })
            && done.rules == self.tools.rules_hash());
        let for_now = match &recorded {
            Recorded::Done { outcome: Outcome::Refused { name, .. }, asked, .. } => {
                *asked && ["timeout", "network", "asked to come later"].contains(&name.as_str())
            }
            _ => false,
        };
        if has_row && for_now {
            let url = &job.entry.found.url;
            self.around.progress.note(&format!("{url}: cannot be had now; its row of an earlier run stays"));
            return Recorded::Unchanged;
        }
        recorded
    }

    fn judge_host(&self, shared: &mut Shared, job: &Job, failed: Option<bool>, leave_alone: Option<String>) {
        let failures = failed.map_or(0, |failed| shared.hosts.failed(&job.host, failed));
        let limit = self.tools.settings.max_failures;
        let reason = leave_alone
            .or_else(|| (failures >= limit).then(|| format!("{failures} requests in a row failed")));
        if let Some(reason) = reason
            && shared.hosts.leave_alone(&job.host, &reason)
        {
            self.around.progress.note(&format!("{} is left alone in this run: {reason}", job.host));
        }
    }

    /// When the host of `url` may be asked again, after a request that ended now.
    fn ready_at(&self, url: &Url, wait: Option<Duration>) -> Duration {
        let clock: &dyn Clock = self.around.clock;
        let policy: Option<Arc<Policy>> = self.robots.known(url, clock.date());
        let delay = match policy.as_deref() {
            Some(Policy::Rules(rules)) => rules.delay.unwrap_or_default(),
            _ => Duration::ZERO,
        };
        let usual = Duration::from_secs_f64(1.0 / self.tools.settings.requests_per_second);
        clock.elapsed() + usual.max(delay).max(wait.unwrap_or_default())
    }
}
