//! One turn of one host: its robots.txt, or one request for one address, and what comes of it.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use url::Url;

use super::entry::{Entry, Found, Kind, Outcome};
use super::frontier::Recorded;
use super::reading::refused;
use super::shared::{Around, Shared, lock};
use super::tools::Tools;
use crate::collect::web::error::WebError;
use crate::collect::web::page_url::{are_related, check_shape, host_of, normalised};
use crate::collect::web::refusal::Refusal;
use crate::collect::web::request::{Answer, Ask, Policy, Robots, Validators, Wanted, read_sitemap};

/// Makes visits.
pub(super) struct Visitor<'a> {
    pub tools: &'a Tools,
    pub robots: &'a Robots,
    pub around: &'a Around<'a>,
    pub shared: &'a Mutex<Shared>,
    /// How often the host of an address has said "later".
    pub tries: Mutex<HashMap<usize, u32>>,
}

/// An address and its turn.
pub(super) struct Job {
    pub place: usize,
    pub host: String,
    pub entry: Entry,
    pub known: Option<Validators>,
}

/// What came of a turn.
pub(super) struct Visit {
    pub recorded: Option<Recorded>,
    /// Whether the host was asked.
    pub asked: bool,
    pub found: Vec<Found>,
    pub problems: Vec<String>,
    pub dropped: usize,
    /// How long the host wants to be left in peace, beyond its usual pause.
    pub wait: Option<Duration>,
    pub leave_alone: Option<String>,
    /// Whether the host failed, where that could be seen.
    pub failed: Option<bool>,
}

/// What a host that says "later" without a time is given.
const DEFAULT_WAIT: Duration = Duration::from_secs(60);

impl Visit {
    fn refused(refusal: &Refusal, asked: bool) -> Self {
        let outcome = refused(refusal);
        Self {
            failed: asked.then(|| refusal.is_of_host()),
            ..Self::done(Recorded::Done { outcome, validators: Validators::default(), asked }, asked)
        }
    }

    fn done(recorded: Recorded, asked: bool) -> Self {
        Self { recorded: Some(recorded), ..Self::not_yet(asked) }
    }

    fn not_yet(asked: bool) -> Self {
        Self {
            recorded: None,
            asked,
            found: Vec::new(),
            problems: Vec::new(),
            dropped: 0,
            wait: None,
            leave_alone: None,
            failed: None,
        }
    }
}

impl Visitor<'_> {
    /// Take the turn of the address at `place`.
    ///
    /// # Errors
    /// The frontier or the kept robots.txt cannot be written.
    pub fn visit(&self, place: usize) -> Result<(), WebError> {
        let job = {
            let shared = lock(self.shared);
            let Some(entry) = shared.frontier.entry(place).cloned() else { return Ok(()) };
            let known = shared.frontier.known_version(place).cloned();
            Job { place, host: host_of(&entry.found.url), entry, known }
        };
        let url = &job.entry.found.url;
        let now = self.around.clock.date();
        let visit = match (self.tools.fetcher.check(url), self.robots.known(url, now)) {
            (Err(refusal), _) => Visit::refused(&refusal, false),
            (Ok(()), None) => self.ask_robots(&job)?,
            (Ok(()), Some(policy)) => match policy.check(url) {
                Err(Refusal::LeftAlone { reason }) => {
                    Visit { leave_alone: Some(reason), ..Visit::not_yet(false) }
                }
                Err(refusal) => Visit::refused(&refusal, false),
                Ok(()) => self.ask(&job),
            },
        };
        self.settle(&job, visit)
    }

    /// A turn for the robots.txt; the address waits for its next one.
    fn ask_robots(&self, job: &Job) -> Result<Visit, WebError> {
        let url = &job.entry.found.url;
        let policy = self.robots.ask(&self.tools.fetcher, url, self.around.clock.date())?;
        let mut visit = Visit::not_yet(true);
        match &*policy {
            Policy::Closed { refusal: Refusal::LeftAlone { reason } } => {
                visit.leave_alone = Some(reason.clone())
            }
            Policy::Rules(rules) => {
                if let (Some(asked), Some(kept)) = (rules.delay_cut_from, rules.delay) {
                    self.around.progress.note(&format!(
                        "{}: its robots.txt asks for {asked} seconds between requests; {} are kept to",
                        job.host,
                        kept.as_secs_f64()
                    ));
                }
            }
            Policy::Free | Policy::Closed { .. } => {}
        }
        if self.tools.settings.robots_sitemaps {
            let urls = policy.sitemaps().iter().filter_map(|text| normalised(text, Some(url)).ok());
            let own = urls.filter(|sitemap| of_site(url, sitemap));
            visit.found = own.map(|url| Found::listed(url, Kind::Sitemap)).collect();
        }
        Ok(visit)
    }

    fn ask(&self, job: &Job) -> Visit {
        let found = &job.entry.found;
        let wanted = if found.kind == Kind::Sitemap { Wanted::Sitemap } else { Wanted::Page };
        let now = self.around.clock.date();
        let ask = Ask { url: &found.url, wanted, known: job.known.as_ref(), now };
        let answer = match self.tools.fetcher.ask(&ask) {
            Ok(answer) => answer,
            Err(refusal) => return Visit::refused(&refusal, true),
        };
        let visit = match answer {
            Answer::Unchanged => Visit::done(Recorded::Unchanged, true),
            Answer::Moved { to } => self.moved(job, to),
            Answer::Later { status, wait } => return self.later(job, status, wait),
            Answer::Page(page) if found.kind == Kind::Sitemap => {
                let read = read_sitemap(&page.bytes, self.tools.fetcher.settings().max_bytes);
                match read {
                    Err(refusal) => Visit::refused(&refusal, true),
                    Ok(sitemap) => {
                        let addresses = sitemap.pages.len() + sitemap.sitemaps.len();
                        let outcome = Outcome::Read { addresses };
                        let recorded = Recorded::Done { outcome, validators: page.validators, asked: true };
                        let mut visit = Visit::done(recorded, true);
                        visit.problems.extend(sitemap.broken);
                        self.take_listed(found, &sitemap.pages, Kind::Page, &mut visit);
                        self.take_listed(found, &sitemap.sitemaps, Kind::Sitemap, &mut visit);
                        visit
                    }
                }
            }
            Answer::Page(page) => {
                let read = self.tools.reading.read(&found.url, &page, now);
                let recorded =
                    Recorded::Done { outcome: read.outcome, validators: page.validators, asked: true };
                let mut visit = Visit { problems: read.problems, ..Visit::done(recorded, true) };
                self.take_links(found, read.links, &mut visit);
                visit
            }
        };
        Visit { failed: Some(false), ..visit }
    }

    /// A redirect is an address of its own: it takes its turn at its host, and its robots.txt and address are checked there.
    fn moved(&self, job: &Job, to: Url) -> Visit {
        let found = &job.entry.found;
        let limit = self.tools.settings.max_redirects;
        let refusal = if self.leads_back(found, &to) {
            Some(Refusal::RedirectLoop { to: to.to_string() })
        } else if found.hops >= limit {
            Some(Refusal::TooManyRedirects { limit })
        } else {
            check_shape(&to, &self.tools.settings.urls).err()
        };
        if let Some(refusal) = refusal {
            return Visit::refused(&refusal, true);
        }
        let next = Found {
            url: to.clone(),
            kind: found.kind,
            depth: found.depth,
            hops: found.hops + 1,
            moved_from: Some(found.url.clone()),
        };
        let recorded =
            Recorded::Done { outcome: Outcome::Moved { to }, validators: Validators::default(), asked: true };
        Visit { found: vec![next], ..Visit::done(recorded, true) }
    }

    /// Whether `to` is one of the addresses that led to `found`.
    fn leads_back(&self, found: &Found, to: &Url) -> bool {
        let shared = lock(self.shared);
        let mut at = Some(found.clone());
        for _ in 0..=found.hops {
            let Some(found) = at else { return false };
            if found.url == *to {
                return true;
            }
            let before = found.moved_from.and_then(|url| shared.frontier.place(&url));
            at = before.and_then(|place| shared.frontier.entry(place)).map(|entry| entry.found.clone());
        }
        at.is_some_and(|found| found.url == *to)
    }

    fn later(&self, job: &Job, status: u16, wait: Option<Duration>) -> Visit {
        let settings = &self.tools.settings;
        let tries = {
            let mut tries = self.tries.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let tries = tries.entry(job.place).or_default();
            *tries += 1;
            *tries
        };
        let wait = wait.unwrap_or(DEFAULT_WAIT);
        let too_long = wait.as_secs_f64() > settings.max_retry_after_s;
        let mut visit = match tries >= settings.max_tries && !too_long {
            true => Visit::refused(&Refusal::Later { status, tries }, true),
            false => Visit::not_yet(true),
        };
        if too_long {
            let limit = settings.max_retry_after_s;
            let asked = wait.as_secs();
            visit.leave_alone = Some(format!(
                "it answered {status} and asked for {asked} seconds, above the limit of {limit}"
            ));
        }
        visit.wait = Some(wait);
        visit
    }

    fn take_links(&self, from: &Found, links: Vec<Url>, visit: &mut Visit) {
        let Tools { settings, follow, skip, .. } = self.tools;
        if from.depth >= settings.max_depth {
            return;
        }
        for url in links.into_iter().filter(|url| host_of(url) == host_of(&from.url)) {
            let wanted = follow.is_empty() || follow.is_match(url.as_str());
            if !wanted || skip.is_match(url.as_str()) {
                continue;
            }
            match check_shape(&url, &settings.urls) {
                Ok(()) => visit.found.push(Found { depth: from.depth + 1, ..Found::listed(url, Kind::Page) }),
                Err(_) => visit.dropped += 1,
            }
        }
    }

    /// Addresses of a sitemap, those of its own site only.
    fn take_listed(&self, from: &Found, listed: &[String], kind: Kind, visit: &mut Visit) {
        let settings = &self.tools.settings;
        let depth = if kind == Kind::Sitemap { from.depth + 1 } else { 0 };
        for text in listed {
            let url = normalised(text, Some(&from.url)).ok();
            let good = url.filter(|url| {
                of_site(&from.url, url)
                    && check_shape(url, &settings.urls).is_ok()
                    && (kind == Kind::Page || depth <= settings.max_sitemap_depth)
            });
            match good {
                Some(url) => visit.found.push(Found { depth, ..Found::listed(url, kind) }),
                None => visit.dropped += 1,
            }
        }
    }
}

fn of_site(sitemap: &Url, url: &Url) -> bool {
    are_related(&host_of(sitemap), &host_of(url))
}
