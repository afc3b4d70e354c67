//! What a crawl did, for a person.

use std::collections::BTreeMap;

use serde::Serialize;

use super::entry::Outcome;
use super::frontier::Frontier;
use super::schedule::LeftAlone;

/// Why a crawl stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stop {
    /// Nothing is left to do, but for hosts that are left alone.
    Finished,
    /// The limits of pages are reached; the next run goes on with the rest.
    Pages,
    /// The limit of time is reached; the next start goes on.
    Seconds,
    /// The user asked to stop; the next start goes on.
    Interrupted,
}

/// What a crawl did. Counts are of this start, except `rows` and `refused`, which are of the whole collection.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Why it stopped.
    pub stop: Stop,
    /// Pages and sitemaps that were asked for.
    pub asked: usize,
    /// Pages that were as they were.
    pub unchanged: usize,
    /// Pages that were read from archives.
    pub archived: usize,
    /// Rows there are.
    pub rows: usize,
    /// Addresses that gave no row, by the name of the reason.
    pub refused: BTreeMap<String, usize>,
    /// Links that were not kept: traps, and those beyond the most that are kept.
    pub dropped_links: usize,
    /// Addresses that are left to do.
    pub left: usize,
    /// Hosts that were left alone.
    pub left_alone: Vec<LeftAlone>,
    /// What was wrong with sources: listed addresses that are none, damaged archives.
    pub faults: Vec<String>,
}

/// What this start counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub asked: usize,
    pub unchanged: usize,
    pub archived: usize,
    pub dropped_links: usize,
    pub faults: Vec<String>,
}

/// What the scheduler knows at the end.
pub(super) struct Ending {
    pub stop: Stop,
    pub left: usize,
    pub left_alone: Vec<LeftAlone>,
}

impl Summary {
    pub(super) fn new(frontier: &Frontier, counts: Counts, ending: Ending) -> Self {
        let mut refused = BTreeMap::new();
        for entry in frontier.entries() {
            if let Some(Outcome::Refused { name, .. }) = entry.done.as_ref().map(|done| &done.outcome) {
                *refused.entry(name.clone()).or_insert(0) += 1;
            }
        }
        Self {
            stop: ending.stop,
            asked: counts.asked,
            unchanged: counts.unchanged,
            archived: counts.archived,
            rows: frontier.candidates().count(),
            refused,
            dropped_links: counts.dropped_links + frontier.dropped(),
            left: ending.left,
            left_alone: ending.left_alone,
            faults: counts.faults,
        }
    }
}
