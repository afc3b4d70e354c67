//! `pipeline collect scrape`: web pages asked politely, and a file of candidates made of what they say.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use super::candidate_file::{candidate_files, next_file, unreadable};
use crate::collect::{
    Around, CandidateRow, Collector, CrawlSettings, FetchSettings, Frontier, Mapping, NoRow, ORIGIN, Outcome,
    Provenance, Scraped, Sources, WallClock, read_list, write_candidates,
};
use crate::config::{CollectedKind, ScrapeConfig};
use crate::progress::Progress;
use crate::stages::error::BuildError;
use crate::stages::project::Project;
use crate::table;

/// What is asked of a run.
#[derive(Clone, Copy, Debug)]
pub struct ScrapeSettings {
    /// Ask pages of earlier runs again; one that is as it was costs its host almost nothing.
    pub again: bool,
}

/// Pages without a row that are told of, of each reason.
const EXAMPLES: usize = 3;

/// Ask for the pages of `[collect.scrape]`, or go on where the last run stopped, and write the rows that are new.
///
/// What became of a page is on disk before the next one is asked for: whenever this is interrupted, no page is asked for twice.
///
/// # Errors
/// The config names no pages or no columns, a rule cannot be used, another run is at work, or a file cannot be read or written.
/// What is wrong with single pages is in the result.
pub fn scrape(
    project: &Project,
    settings: ScrapeSettings,
    progress: &dyn Progress,
) -> Result<Scraped, BuildError> {
    let config = &project.config.collect.scrape;
    let sources = sources(project)?;
    check_columns(project)?;
    let collector = Collector::new(&fetch(config), &crawl(config, settings), &mapping(config))?;
    let folder = project.candidates().join("pages");
    let around = Around { clock: &WallClock::new(), progress, on_page: &|_| {} };
    let (frontier, summary) = collector.collect(&folder, &sources, &around)?;
    let columns = project.config.columns();
    let mut known = Known::of(project, &columns)?;
    let rows: Vec<CandidateRow> = frontier
        .candidates()
        .map(|candidate| {
            let page = &candidate.provenance;
            let provenance = Provenance {
                kind: CollectedKind::Scraped,
                origin: page.url.clone(),
                recipe: page.rules.clone(),
                date: page.fetched.clone(),
                licence: page.licence.clone(),
                parent: None,
                shown: Vec::new(),
            };
            CandidateRow { cells: candidate.row.clone(), provenance }
        })
        .filter(|row| known.is_new(row))
        .collect();
    let labels = project.config.label_columns();
    let lacks = |row: &&CandidateRow| {
        labels.iter().any(|label| row.cells.get(*label).is_none_or(|cell| cell.trim().is_empty()))
    };
    let file = match rows.is_empty() {
        true => None,
        false => {
            let path = next_file(project, CollectedKind::Scraped);
            write_candidates(&path, &columns, &rows)?;
            Some(project.relative(&path).into())
        }
    };
    Ok(Scraped {
        new: rows.len(),
        unlabelled: rows.iter().filter(lacks).count(),
        examples: examples(&frontier),
        summary,
        file,
        record: project.relative(frontier.path()).into(),
    })
}

/// Where to begin, as the config says.
fn sources(project: &Project) -> Result<Sources, BuildError> {
    let config = &project.config.collect.scrape;
    let mut sources =
        Sources { pages: config.pages.clone(), sitemaps: config.sitemaps.clone(), archives: Vec::new() };
    for list in &config.lists {
        sources.pages.extend(read_list(&project.root.join(list))?);
    }
    if !config.archives.is_empty() {
        let files = table::matching(&config.archives, "collect.scrape.archives", &project.root)?.files;
        sources.archives = files.iter().map(|file| project.root.join(file)).collect();
    }
    if sources == Sources::default() {
        return Err(BuildError::NotDeclared {
            key: "collect.scrape.pages".into(),
            what: "addresses of pages; or lists, sitemaps or archives".into(),
        });
    }
    Ok(sources)
}

/// # Errors
/// No column has a rule, or one that has is none of the dataset.
fn check_columns(project: &Project) -> Result<(), BuildError> {
    let config = &project.config.collect.scrape;
    if config.columns.is_empty() {
        return Err(BuildError::NotDeclared {
            key: "collect.scrape.columns".into(),
            what: "for each column where its text stands in a page, such as title = { from = [\"title\"] }"
                .into(),
        });
    }
    let columns = project.config.columns();
    let named = config.columns.keys().map(|name| ("columns", name));
    let constant = config.constants.keys().map(|name| ("constants", name));
    match named.chain(constant).find(|(_, name)| !columns.contains(&name.as_str())) {
        Some((key, name)) => Err(BuildError::NoColumn {
            key: format!("collect.scrape.{key}"),
            column: name.clone(),
            columns: columns.iter().map(ToString::to_string).collect(),
        }),
        None => Ok(()),
    }
}

fn fetch(config: &ScrapeConfig) -> FetchSettings {
    FetchSettings {
        agent: config.agent.clone(),
        contact: config.contact.clone(),
        timeout_s: config.timeout_s,
        max_bytes: config.most_bytes as u64,
        allow_hosts: config.allow_hosts.clone(),
    }
}

fn crawl(config: &ScrapeConfig, settings: ScrapeSettings) -> CrawlSettings {
    CrawlSettings {
        max_pages: config.most_pages,
        max_pages_a_host: config.most_pages_a_host,
        requests_per_second: config.requests_per_second,
        hosts_at_once: config.hosts_at_once,
        max_depth: config.depth as u32,
        follow: config.follow.clone(),
        skip: config.skip.clone(),
        robots_sitemaps: config.robots_sitemaps,
        revisit: settings.again,
        ..CrawlSettings::default()
    }
}

fn mapping(config: &ScrapeConfig) -> Mapping {
    Mapping { columns: config.columns.clone(), constants: config.constants.clone(), css: config.css.clone() }
}

fn examples(frontier: &Frontier) -> Vec<NoRow> {
    let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
    let mut examples = Vec::new();
    for entry in frontier.entries() {
        if let Some(Outcome::Refused { name, reason, .. }) = entry.done.as_ref().map(|done| &done.outcome) {
            let count = shown.entry(name).or_default();
            *count += 1;
            if *count <= EXAMPLES {
                examples.push(NoRow { url: entry.found.url.to_string(), reason: reason.clone() });
            }
        }
    }
    examples
}

/// Rows that a file of candidates has already, waiting or judged.
struct Known<'a> {
    columns: &'a [&'a str],
    rows: HashSet<Vec<String>>,
}

impl<'a> Known<'a> {
    fn of(project: &Project, columns: &'a [&'a str]) -> Result<Self, BuildError> {
        let mut known = Self { columns, rows: HashSet::new() };
        for path in candidate_files(project, CollectedKind::Scraped) {
            known.read(&path)?;
        }
        Ok(known)
    }

    fn read(&mut self, path: &Path) -> Result<(), BuildError> {
        let failed = |e: csv::Error| unreadable(path, &e);
        let mut reader = csv::Reader::from_path(path).map_err(failed)?;
        let header = reader.headers().map_err(failed)?.clone();
        let names = self.columns.iter().copied().chain([ORIGIN]);
        let places: Vec<Option<usize>> = names.map(|name| header.iter().position(|h| h == name)).collect();
        for record in reader.records() {
            let record = record.map_err(failed)?;
            let cell = |place: &Option<usize>| place.and_then(|p| record.get(p)).unwrap_or("").to_owned();
            self.rows.insert(places.iter().map(cell).collect());
        }
        Ok(())
    }

    fn is_new(&mut self, row: &CandidateRow) -> bool {
        let cell = |column: &&str| row.cells.get(*column).cloned().unwrap_or_default();
        let origin = row.provenance.origin.clone();
        self.rows.insert(self.columns.iter().map(cell).chain([origin]).collect())
    }
}
