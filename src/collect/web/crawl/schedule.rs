//! Whose turn it is: hosts one after the other, each with one request at a time and a pause after it.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use serde::Serialize;

/// What to do next.
#[derive(Debug, PartialEq)]
pub(super) enum Turn {
    /// Ask for the address at this place; its host is taken until [`Hosts::give_back`].
    Ask(usize),
    /// No host is ready for this long.
    Wait(Duration),
    /// Every host that has something to do is taken by another worker, or what they find may be asked next.
    Busy,
    /// There is nothing to do any more.
    Nothing,
}

/// An address to do.
pub(super) struct Task {
    pub place: usize,
    /// Whether it counts against the limits of pages.
    pub is_page: bool,
}

/// Limits of a run.
pub(super) struct Limits {
    pub pages: usize,
    pub pages_a_host: usize,
}

/// The hosts and what is to do at each.
pub(super) struct Hosts {
    hosts: HashMap<String, Host>,
    /// Names in the order of their turns.
    order: VecDeque<String>,
    limits: Limits,
    pages: usize,
    busy: usize,
}

#[derive(Default)]
struct Host {
    to_do: VecDeque<Task>,
    ready_at: Duration,
    taken: bool,
    pages: usize,
    failures: u32,
    left_alone: Option<String>,
}

/// How a turn ended.
pub(super) struct Given<'a> {
    pub host: &'a str,
    /// When the host may be asked again; `None`: it was not asked.
    pub ready_at: Option<Duration>,
    /// The task, where it is to be done later.
    pub again: Option<Task>,
    /// Whether a page counts against the limits.
    pub counts: bool,
}

impl Hosts {
    pub fn new(limits: Limits) -> Self {
        Self { hosts: HashMap::new(), order: VecDeque::new(), limits, pages: 0, busy: 0 }
    }

    fn host(&mut self, name: &str) -> &mut Host {
        if !self.hosts.contains_key(name) {
            self.order.push_back(name.to_owned());
        }
        self.hosts.entry(name.to_owned()).or_default()
    }

    /// Something to do at a host.
    pub fn add(&mut self, host: &str, task: Task) {
        self.host(host).to_do.push_back(task);
    }

    /// A page that was asked of a host in this run before the process was started anew.
    pub fn count(&mut self, host: &str) {
        self.host(host).pages += 1;
        self.pages += 1;
    }

    /// Whose turn it is at `now`. A page that is given out counts at once.
    pub fn next(&mut self, now: Duration) -> Turn {
        let mut soonest: Option<Duration> = None;
        for _ in 0..self.order.len() {
            let Some(name) = self.order.pop_front() else { break };
            let host = self.hosts.entry(name.clone()).or_default();
            self.order.push_back(name);
            if host.taken || host.left_alone.is_some() {
                continue;
            }
            let pages_left = self.pages < self.limits.pages && host.pages < self.limits.pages_a_host;
            let Some(next) = host.to_do.iter().position(|task| pages_left || !task.is_page) else { continue };
            if host.ready_at > now {
                let wait = host.ready_at - now;
                soonest = Some(soonest.map_or(wait, |s| s.min(wait)));
                continue;
            }
            if let Some(task) = host.to_do.remove(next) {
                host.taken = true;
                self.busy += 1;
                if task.is_page {
                    host.pages += 1;
                    self.pages += 1;
                }
                return Turn::Ask(task.place);
            }
        }
        match soonest {
            Some(wait) => Turn::Wait(wait),
            None if self.busy > 0 => Turn::Busy,
            None => Turn::Nothing,
        }
    }

    /// End a turn.
    pub fn give_back(&mut self, given: Given<'_>) {
        self.busy = self.busy.saturating_sub(1);
        let (mut uncounted, host) = (0, self.host(given.host));
        host.taken = false;
        if let Some(at) = given.ready_at {
            host.ready_at = host.ready_at.max(at);
        }
        if !given.counts {
            host.pages = host.pages.saturating_sub(1);
            uncounted = 1;
        }
        if let Some(task) = given.again {
            host.to_do.push_front(task);
        }
        self.pages = self.pages.saturating_sub(uncounted);
    }

    /// Ask nothing more of a host in this run; whether it is news.
    pub fn leave_alone(&mut self, host: &str, reason: &str) -> bool {
        let host = self.host(host);
        let is_news = host.left_alone.is_none();
        host.left_alone.get_or_insert_with(|| reason.to_owned());
        is_news
    }

    /// A request that failed for the host's reasons, or did not; how many have failed in a row.
    pub fn failed(&mut self, host: &str, failed: bool) -> u32 {
        let host = self.host(host);
        host.failures = if failed { host.failures + 1 } else { 0 };
        host.failures
    }

    /// The hosts that are left alone, why, and how much is left to do there; by name.
    pub fn left_alone(&self) -> Vec<LeftAlone> {
        let mut left: Vec<LeftAlone> = self
            .hosts
            .iter()
            .filter_map(|(name, host)| {
                let reason = host.left_alone.clone()?;
                Some(LeftAlone { host: name.clone(), reason, left: host.to_do.len() })
            })
            .collect();
        left.sort_by(|a, b| a.host.cmp(&b.host));
        left
    }

    /// Addresses that are still to do, at all hosts.
    pub fn left(&self) -> usize {
        self.hosts.values().map(|host| host.to_do.len()).sum()
    }
}

/// A host that was not asked any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftAlone {
    /// Its name, with its port where that is not the scheme's own.
    pub host: String,
    /// Why.
    pub reason: String,
    /// Addresses that are left to do there.
    pub left: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn hosts(pages: usize, pages_a_host: usize, tasks: &[(&str, usize)]) -> Hosts {
        let mut hosts = Hosts::new(Limits { pages, pages_a_host });
        for (host, place) in tasks {
            hosts.add(host, Task { place: *place, is_page: true });
        }
        hosts
    }

    fn back(hosts: &mut Hosts, host: &str, at: Duration) {
        hosts.give_back(Given { host, ready_at: Some(at), again: None, counts: true });
    }

    #[test]
    fn hosts_take_turns_and_rest() {
        let mut hosts = hosts(9, 9, &[("a", 0), ("a", 1), ("b", 2), ("b", 3)]);
        assert_eq!(hosts.next(Duration::ZERO), Turn::Ask(0));
        back(&mut hosts, "a", SECOND);
        assert_eq!(hosts.next(Duration::ZERO), Turn::Ask(2));
        assert_eq!(hosts.next(Duration::ZERO), Turn::Wait(SECOND), "one request at a time at b, a rests");
        assert_eq!(hosts.next(SECOND), Turn::Ask(1));
        assert_eq!(hosts.next(SECOND), Turn::Busy);
        back(&mut hosts, "a", SECOND);
        back(&mut hosts, "b", SECOND);
        assert_eq!(hosts.next(SECOND), Turn::Ask(3));
        back(&mut hosts, "b", SECOND);
        assert_eq!(hosts.next(SECOND), Turn::Nothing);
    }

    #[test]
    fn limits_hold_and_uncounted_pages_do_not_count() {
        let mut hosts = hosts(2, 1, &[("a", 0), ("a", 1), ("b", 2), ("c", 3)]);
        hosts.add("a", Task { place: 9, is_page: false });
        assert_eq!(hosts.next(Duration::ZERO), Turn::Ask(0));
        hosts.give_back(Given { host: "a", ready_at: None, again: None, counts: false });
        assert_eq!(hosts.next(Duration::ZERO), Turn::Ask(2));
        assert_eq!(hosts.next(Duration::ZERO), Turn::Ask(3));
        assert_eq!(hosts.next(Duration::ZERO), Turn::Ask(9), "the limit is of pages");
        assert_eq!(hosts.left(), 1);
    }

    #[test]
    fn a_host_left_alone_is_not_asked() {
        let mut hosts = hosts(9, 9, &[("a", 0), ("a", 1)]);
        assert!(hosts.leave_alone("a", "first") && !hosts.leave_alone("a", "second"));
        assert_eq!(hosts.next(Duration::ZERO), Turn::Nothing);
        assert_eq!(hosts.left_alone(), [LeftAlone { host: "a".into(), reason: "first".into(), left: 2 }]);
        assert_eq!((hosts.failed("a", true), hosts.failed("a", true), hosts.failed("a", false)), (1, 2, 0));
    }
}
