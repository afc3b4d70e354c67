//! What the crawls of these tests have in common: a clock that stands still, a listener, pages and sites.

pub use std::collections::{BTreeMap, HashSet};
pub use std::path::Path;
pub use std::sync::atomic::{AtomicUsize, Ordering};
pub use std::sync::{Arc, Mutex};

pub use serde_json::json;

pub use super::super::test_site::{Asked, Reply, Site};
pub use super::super::{
    Around, Collector, CrawlSettings, Frontier, LeftAlone, Outcome, Sources, Stop, Summary,
};
pub use crate::collect::web::clock::Clock;
pub use crate::collect::web::clock::tests::StillClock;
pub use crate::collect::web::page::Mapping;
pub use crate::collect::web::request::tests_of::{Book, response, zip};
pub use crate::collect::web::request::{FetchSettings, Guard};
pub use crate::progress::Progress;

/// Hears what is said, and stops after so many pages.
#[derive(Default)]
pub struct Listener {
    pub notes: Mutex<Vec<String>>,
    pub pages: AtomicUsize,
    pub stop_after: Option<usize>,
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
pub struct Crawl {
    pub fetch: FetchSettings,
    pub settings: CrawlSettings,
    pub mapping: Mapping,
    pub clock: Arc<StillClock>,
    pub listener: Listener,
    pub folder: tempfile::TempDir,
    pub problems: Mutex<Vec<String>>,
}

impl Crawl {
    pub fn of(sites: &[&Site]) -> Self {
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

    pub fn run(&self, sources: &Sources) -> (Frontier, Summary) {
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

    pub fn pages(&self, site: &Site, paths: &[&str]) -> (Frontier, Summary) {
        self.run(&listed(site, paths))
    }

    pub fn notes(&self) -> String {
        self.listener.notes.lock().unwrap().join("\n")
    }
}

pub fn listed(site: &Site, paths: &[&str]) -> Sources {
    Sources { pages: paths.iter().map(|path| site.url(path)).collect(), ..Sources::default() }
}

/// The titles of all rows by the paths of their pages.
pub fn titles(frontier: &Frontier) -> BTreeMap<String, String> {
    let path = |url: &str| url::Url::parse(url).unwrap().path().to_owned();
    frontier.candidates().map(|c| (path(&c.provenance.url), c.row["title"].clone())).collect()
}

/// Why the page at `path` gave no row.
pub fn reason(frontier: &Frontier, path: &str) -> String {
    let entry = frontier.entries().iter().find(|entry| entry.found.url.path() == path);
    match entry.and_then(|entry| entry.done.as_ref()).map(|done| &done.outcome) {
        Some(Outcome::Refused { reason, .. }) => reason.clone(),
        other => panic!("{path}: {other:?}"),
    }
}

pub fn page(title: &str) -> Reply {
    Reply::html(format!("<title>{title}</title><div class=body>Words of {title}</div>"))
}

/// A site with a robots.txt of this text.
pub fn with_robots(text: &'static str, answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Site {
    Site::serve(move |asked| if asked.path == "/robots.txt" { Reply::text(text) } else { answer(asked) })
}

/// A site without a robots.txt.
pub fn open_site(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Site {
    Site::serve(move |asked| if asked.path == "/robots.txt" { Reply::missing() } else { answer(&asked.path) })
}
