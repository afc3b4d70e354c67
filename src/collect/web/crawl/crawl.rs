//! Collecting: sources into the frontier, then hosts in turn until nothing is left or a limit is reached.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::crawl_settings::CrawlSettings;
use super::entry::{Found, Kind};
use super::frontier::{Frontier, Recorded, Start};
use super::reading::refused;
use super::schedule::{Hosts, Limits, Task, Turn};
use super::shared::{Around, PageDone, Shared, lock};
use super::sources::Sources;
use super::summary::{Counts, Ending, Stop, Summary};
use super::tools::Tools;
use super::visit::Visitor;
use crate::collect::web::clock::{parse_rfc_3339, seconds};
use crate::collect::web::error::WebError;
use crate::collect::web::page::Mapping;
use crate::collect::web::page_url::{check_shape, host_of, normalised};
use crate::collect::web::request::{Archived, FetchSettings, Guard, Robots, Validators, WarcFile};

/// Collects pages into a folder.
pub struct Collector(Tools);

/// Longest sleep in one piece, so that a wish to stop is heard.
const SLICE: Duration = Duration::from_millis(100);

impl Collector {
    /// # Errors
    /// A setting or a rule cannot be used.
    pub fn new(fetch: &FetchSettings, crawl: &CrawlSettings, mapping: &Mapping) -> Result<Self, WebError> {
        Self::with_guard(fetch, crawl, mapping, Guard::new(&fetch.allow_hosts)?)
    }

    /// As [`Collector::new`], with a guard that resolves names in another way.
    ///
    /// # Errors
    /// As [`Collector::new`].
    pub fn with_guard(
        fetch: &FetchSettings,
        crawl: &CrawlSettings,
        mapping: &Mapping,
        guard: Guard,
    ) -> Result<Self, WebError> {
        Ok(Self(Tools::new(fetch, crawl, mapping, guard)?))
    }

    /// BLAKE3 of the rules, as rows have it in their provenance.
    pub fn rules_hash(&self) -> &str {
        self.0.reading.rules.hash()
    }

    /// Collect from `sources` into `folder`, or go on with what is begun there. The rows are [`Frontier::candidates`] of what
    /// comes back.
    ///
    /// # Errors
    /// The folder cannot be read or written, or another process has it. What is wrong with a page or a source is in the
    /// [`Summary`] and the frontier.
    pub fn collect(
        &self,
        folder: &Path,
        sources: &Sources,
        around: &Around<'_>,
    ) -> Result<(Frontier, Summary), WebError> {
        let mut frontier = Frontier::open(folder)?;
        let cap = seconds(self.0.settings.max_crawl_delay_s).unwrap_or_default();
        let robots = Robots::open(folder, &self.0.fetcher.settings().agent, cap)?;
        frontier.begin(&Start {
            rules: self.0.reading.rules.hash(),
            revisit: self.0.settings.revisit,
            max_known: self.0.settings.max_known,
        })?;
        let mut counts = Counts::default();
        self.list(sources, &mut frontier, &mut counts)?;
        let interrupted = self.read_archives(sources, &mut frontier, &mut counts, around)?;
        let shared = Mutex::new(Shared {
            hosts: self.hosts(&frontier),
            frontier,
            counts,
            stop: interrupted.then_some(Stop::Interrupted),
            error: None,
        });
        let left = lock(&shared).hosts.left();
        around.progress.start("collecting pages", left as u64, "pages");
        let visitor =
            Visitor { tools: &self.0, robots: &robots, around, shared: &shared, tries: Mutex::default() };
        let end = around.clock.elapsed() + seconds(self.0.settings.max_seconds).unwrap_or_default();
        std::thread::scope(|scope| {
            for _ in 0..self.0.settings.hosts_at_once {
                scope.spawn(|| work(&visitor, end));
            }
        });
        around.progress.finish();
        finish(shared.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Listed addresses into the frontier; what is none is a fault.
    fn list(&self, sources: &Sources, frontier: &mut Frontier, counts: &mut Counts) -> Result<(), WebError> {
        let pages = sources.pages.iter().map(|text| (text, Kind::Page));
        let sitemaps = sources.sitemaps.iter().map(|text| (text, Kind::Sitemap));
        for (text, kind) in pages.chain(sitemaps) {
            let checked = normalised(text, None)
                .and_then(|url| self.0.fetcher.check(&url).map(|()| url))
                .and_then(|url| check_shape(&url, &self.0.settings.urls).map(|()| url));
            match checked {
                Ok(url) => drop(frontier.add(Found::listed(url, kind))?),
                Err(refusal) => counts.faults.push(format!("{:.200}: {refusal}", text)),
            }
        }
        Ok(())
    }

    /// Pages of archives into the frontier, at once; whether the user asked to stop.
    fn read_archives(
        &self,
        sources: &Sources,
        frontier: &mut Frontier,
        counts: &mut Counts,
        around: &Around<'_>,
    ) -> Result<bool, WebError> {
        for path in &sources.archives {
            around.progress.note(&format!("reading {}", path.display()));
            let file = match WarcFile::open(path, self.0.fetcher.settings().max_bytes) {
                Ok(file) => file,
                Err(error) => {
                    counts.faults.push(error.to_string());
                    continue;
                }
            };
            for archived in file {
                if around.progress.interrupted() {
                    return Ok(true);
                }
                match archived {
                    Ok(archived) => self.take_archived(archived, frontier, counts, around)?,
                    Err(error) => counts.faults.push(error.to_string()),
                }
            }
        }
        Ok(false)
    }

    fn take_archived(
        &self,
        archived: Archived,
        frontier: &mut Frontier,
        counts: &mut Counts,
        around: &Around<'_>,
    ) -> Result<(), WebError> {
        let url = match normalised(&archived.url, None) {
            Ok(url) => url,
            Err(refusal) => {
                counts.faults.push(refusal.to_string());
                return Ok(());
            }
        };
        frontier.add(Found::listed(url.clone(), Kind::Archived))?;
        // A page that is archived more than once is taken as it was first.
        let Some(place) = frontier.place(&url).filter(|place| !frontier.is_done_now(*place)) else {
            return Ok(());
        };
        let date = parse_rfc_3339(&archived.date).unwrap_or_else(|| around.clock.date());
        let (outcome, problems) = match &archived.page {
            Ok(page) => {
                let read = self.0.reading.read(&url, page, date);
                (read.outcome, read.problems)
            }
            Err(refusal) => (refused(refusal), Vec::new()),
        };
        counts.archived += 1;
        (around.on_page)(&PageDone { url: &url, outcome: Some(&outcome), problems: &problems });
        let validators = Validators::default();
        frontier.record(place, Recorded::Done { outcome, validators, asked: false })
    }

    fn hosts(&self, frontier: &Frontier) -> Hosts {
        let limits =
            Limits { pages: self.0.settings.max_pages, pages_a_host: self.0.settings.max_pages_a_host };
        let mut hosts = Hosts::new(limits);
        for (place, entry) in frontier.entries().iter().enumerate() {
            let asked = entry.done.as_ref().is_some_and(|done| done.asked);
            if entry.found.kind == Kind::Page && asked && frontier.is_done_now(place) {
                hosts.count(&host_of(&entry.found.url));
            }
        }
        for place in frontier.to_do() {
            if let Some(entry) = frontier.entry(place) {
                let is_page = entry.found.kind == Kind::Page;
                hosts.add(&host_of(&entry.found.url), Task { place, is_page });
            }
        }
        hosts
    }
}

/// A worker: turns until there is none.
fn work(visitor: &Visitor<'_>, end: Duration) {
    let Visitor { around, shared, .. } = visitor;
    loop {
        let now = around.clock.elapsed();
        let turn = {
            let mut shared = lock(shared);
            if around.progress.interrupted() {
                shared.stop.get_or_insert(Stop::Interrupted);
            } else if now >= end {
                shared.stop.get_or_insert(Stop::Seconds);
            }
            if shared.stop.is_some() || shared.error.is_some() {
                return;
            }
            shared.hosts.next(now)
        };
        match turn {
            Turn::Nothing => return,
            Turn::Wait(time) => around.clock.sleep(time.min(SLICE)),
            Turn::Busy => around.clock.sleep(SLICE / 10),
            Turn::Ask(place) => {
                if let Err(error) = visitor.visit(place) {
                    lock(shared).error.get_or_insert(error);
                    return;
                }
            }
        }
    }
}

fn finish(shared: Shared) -> Result<(Frontier, Summary), WebError> {
    let Shared { mut frontier, hosts, counts, stop, error } = shared;
    if let Some(error) = error {
        return Err(error);
    }
    let left_alone = hosts.left_alone();
    let left = hosts.left();
    let by_limit = left > left_alone.iter().map(|host| host.left).sum();
    let stop = stop.unwrap_or(if by_limit { Stop::Pages } else { Stop::Finished });
    if matches!(stop, Stop::Finished | Stop::Pages) {
        frontier.end()?;
    }
    let summary = Summary::new(&frontier, counts, Ending { stop, left, left_alone });
    Ok((frontier, summary))
}
