//! Tests of whole crawls against sites on the loopback interface; time stands still but for what the crawl sleeps.

mod going_on;
mod hostile;
mod pages;
mod polite;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::test_site::{Asked, Reply, Site};
use super::{Around, Collector, CrawlSettings, Frontier, LeftAlone, Outcome, Sources, Stop, Summary};
use crate::collect::web::clock::Clock;
use crate::collect::web::clock::tests::StillClock;
use crate::collect::web::page::Mapping;
use crate::collect::web::request::tests_of::{Book, response, zip};
use crate::collect::web::request::{FetchSettings, Guard};
use crate::progress::Progress;

/// Hears what is said, and stops after so many pages.
#[derive(Default)]
struct Listener {
    notes: Mutex<Vec<String>>,
    pages: AtomicUsize,
    stop_after: Option<usize>,
}

impl Progress for Listener {
    fn start(&self, _: &str, _: u64, _: &'static str) {}
    fn advance(&self, n: u64) {
        self.pages.fetch_add(n as usize, Ordering::SeqCst);
    }
    fn finish(&self) {}
    fn note(&self, message: &str) {
        self.notes.lock().unwrap().push(message.to_owned());
    }
    fn interrupted(&self) -> bool {
        self.stop_after.is_some_and(|most| self.pages.load(Ordering::SeqCst) >= most)
    }
}

/// A crawl to be.
struct Crawl {
    fetch: FetchSettings,
    settings: CrawlSettings,
    mapping: Mapping,
    clock: Arc<StillClock>,
    listener: Listener,
    folder: tempfile::TempDir,
    problems: Mutex<Vec<String>>,
}

impl Crawl {
    fn of(sites: &[&Site]) -> Self {
        let mapping = json!({"columns": {
            "title": {"from": ["recipe.name", "howto.name", "article.headline", "title"], "required": true},
            "body": {"from": ["recipe.recipeIngredient", "css.body", "text"], "join": "; "},
        }, "css": {"body": {"selector": ".body"}}});
        Self {
            fetch: FetchSettings {
                allow_hosts: sites.iter().map(|site| site.host()).collect(),
                timeout_s: 20.0,
                max_bytes: 200_000,
                ..FetchSettings::default()
            },
            settings: CrawlSettings { hosts_at_once: 1, ..CrawlSettings::default() },
            mapping: serde_json::from_value(mapping).unwrap(),
            clock: Arc::new(StillClock::new()),
            listener: Listener::default(),
            folder: tempfile::tempdir().unwrap(),
            problems: Mutex::default(),
        }
    }

    fn run(&self, sources: &Sources) -> (Frontier, Summary) {
        let names = Book(vec![("inside.test", vec!["127.0.0.1".parse().unwrap()])]);
        let guard = Guard::with_names(&self.fetch.allow_hosts, Arc::new(names)).unwrap();
        let collector = Collector::with_guard(&self.fetch, &self.settings, &self.mapping, guard).unwrap();
        let around = Around {
            clock: &*self.clock,
            progress: &self.listener,
            on_page: &|page| self.problems.lock().unwrap().extend(page.problems.iter().cloned()),
        };
        collector.collect(self.folder.path(), sources, &around).unwrap()
    }

    fn pages(&self, site: &Site, paths: &[&str]) -> (Frontier, Summary) {
        self.run(&listed(site, paths))
    }

    fn notes(&self) -> String {
        self.listener.notes.lock().unwrap().join("\n")
    }
}

fn listed(site: &Site, paths: &[&str]) -> Sources {
    Sources { pages: paths.iter().map(|path| site.url(path)).collect(), ..Sources::default() }
}

/// The titles of all rows by the paths of their pages.
fn titles(frontier: &Frontier) -> BTreeMap<String, String> {
    let path = |url: &str| url::Url::parse(url).unwrap().path().to_owned();
    frontier.candidates().map(|c| (path(&c.provenance.url), c.row["title"].clone())).collect()
}

/// Why the page at `path` gave no row.
fn reason(frontier: &Frontier, path: &str) -> String {
    let entry = frontier.entries().iter().find(|entry| entry.found.url.path() == path);
    match entry.and_then(|entry| entry.done.as_ref()).map(|done| &done.outcome) {
        Some(Outcome::Refused { reason, .. }) => reason.clone(),
        other => panic!("{path}: {other:?}"),
    }
}

fn page(title: &str) -> Reply {
    Reply::html(format!("<title>{title}</title><div class=body>Words of {title}</div>"))
}

/// A site with a robots.txt of this text.
fn with_robots(text: &'static str, answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Site {
    Site::serve(move |asked| if asked.path == "/robots.txt" { Reply::text(text) } else { answer(asked) })
}

/// A site without a robots.txt.
fn open_site(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Site {
    Site::serve(move |asked| if asked.path == "/robots.txt" { Reply::missing() } else { answer(&asked.path) })
}
