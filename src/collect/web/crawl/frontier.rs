//! Which pages are to do, done, or refused with the reason: in memory here, on disk by [`Journal`].
//!
//! What happened to a page, its row with it, is one line that is appended when it is known. So whenever the process
//! dies, a page is either done with its row, or still to do.

use std::collections::HashMap;
use std::path::Path;

use url::Url;

use super::entry::{Done, Entry, Found, Kind, Outcome};
use super::journal::{Journal, LastRun, Line};
use crate::collect::web::error::WebError;
use crate::collect::web::page::Candidate;
use crate::collect::web::request::Validators;

/// How a run starts.
#[derive(Clone, Debug)]
pub struct Start<'a> {
    /// BLAKE3 of the rules.
    pub rules: &'a str,
    /// Whether pages of earlier runs are asked again.
    pub revisit: bool,
    /// Most addresses that are kept.
    pub max_known: usize,
}

/// All addresses of a collection.
pub struct Frontier {
    journal: Journal,
    entries: Vec<Entry>,
    places: HashMap<String, usize>,
    run: u32,
    start: Option<Started>,
    dropped: usize,
}

struct Started {
    rules: String,
    revisit: bool,
    max_known: usize,
}

impl Frontier {
    /// The frontier in `folder`, made where there is none, for this process alone.
    ///
    /// # Errors
    /// Another process has it, its file cannot be read or written, or it is no frontier's.
    pub fn open(folder: &Path) -> Result<Self, WebError> {
        let (journal, lines) = Journal::open(&folder.join("frontier.jsonl"))?;
        let (mut entries, mut places): (Vec<Entry>, HashMap<String, usize>) = Default::default();
        let mut frontier_run = 0;
        let mut last = None;
        for line in lines {
            match line {
                Line::Run { number, rules, ended } => {
                    frontier_run = number;
                    last = Some(LastRun { rules, ended });
                }
                Line::Found(found) => {
                    places.entry(found.url.to_string()).or_insert_with(|| {
                        entries.push(Entry { found, done: None });
                        entries.len() - 1
                    });
                }
                Line::Done { url, done } => {
                    if let Some(entry) = places.get(&url).and_then(|place| entries.get_mut(*place)) {
                        entry.done = Some(done);
                    }
                }
                Line::Unchanged { url, run } => {
                    let entry = places.get(&url).and_then(|place| entries.get_mut(*place));
                    if let Some(done) = entry.and_then(|entry| entry.done.as_mut()) {
                        done.run = run;
                        done.asked = true;
                    }
                }
            }
        }
        let mut frontier = Self { journal, entries, places, run: frontier_run, start: None, dropped: 0 };
        frontier.journal.last = last;
        Ok(frontier)
    }

    /// Begin a run, or go on with one that did not end. It is a new one too where the rules are others than before: rows
    /// of two sets of rules do not mix.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn begin(&mut self, start: &Start<'_>) -> Result<(), WebError> {
        let goes_on = self.journal.last.as_ref().is_some_and(|last| !last.ended && last.rules == start.rules);
        self.start = Some(Started {
            rules: start.rules.to_owned(),
            revisit: start.revisit,
            max_known: start.max_known,
        });
        if goes_on {
            return Ok(());
        }
        self.run += 1;
        self.write_run(false)
    }

    /// End the run: the next one is a new one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn end(&mut self) -> Result<(), WebError> {
        self.write_run(true)?;
        self.journal.sync()
    }

    fn write_run(&mut self, ended: bool) -> Result<(), WebError> {
        let rules = self.rules().to_owned();
        self.journal.append(&Line::Run { number: self.run, rules: rules.clone(), ended })?;
        self.journal.last = Some(LastRun { rules, ended });
        Ok(())
    }

    fn rules(&self) -> &str {
        self.start.as_ref().map_or("", |start| &start.rules)
    }

    /// Keep an address; its place where it is new. One that is there already stays as it was found first.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add(&mut self, found: Found) -> Result<Option<usize>, WebError> {
        if self.places.contains_key(found.url.as_str()) {
            return Ok(None);
        }
        if self.start.as_ref().is_some_and(|start| self.entries.len() >= start.max_known) {
            self.dropped += 1;
            return Ok(None);
        }
        self.journal.append(&Line::Found(found.clone()))?;
        let place = self.entries.len();
        self.places.insert(found.url.to_string(), place);
        self.entries.push(Entry { found, done: None });
        Ok(Some(place))
    }

    /// Say what became of the address at `place` in this run.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn record(&mut self, place: usize, result: Recorded) -> Result<(), WebError> {
        let (run, rules) = (self.run, self.rules().to_owned());
        let Some(entry) = self.entries.get_mut(place) else { return Ok(()) };
        let url = entry.found.url.to_string();
        match (result, &mut entry.done) {
            (Recorded::Unchanged, Some(done)) => {
                (done.run, done.asked) = (run, true);
                self.journal.append(&Line::Unchanged { url, run })
            }
            (Recorded::Unchanged, None) => Ok(()),
            (Recorded::Done { outcome, validators, asked }, done) => {
                let new = Done { run, asked, rules, validators, outcome };
                self.journal.append(&Line::Done { url, done: new.clone() })?;
                *done = Some(new);
                Ok(())
            }
        }
    }

    /// Places of what is to do in this run, in the order in which it was found.
    pub fn to_do(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.entries.len()).filter(|place| self.is_to_do(&self.entries[*place]))
    }

    fn is_to_do(&self, entry: &Entry) -> bool {
        if entry.found.kind == Kind::Archived {
            return false;
        }
        let Some(done) = &entry.done else { return true };
        let (Some(start), true) = (&self.start, done.run < self.run) else { return false };
        let by_other_rules = done.rules != start.rules
            && match &done.outcome {
                Outcome::Row { .. } => true,
                Outcome::Refused { name, .. } => name == crate::collect::web::refusal::LACKS,
                Outcome::Moved { .. } | Outcome::Read { .. } => false,
            };
        start.revisit || by_other_rules || matches!(done.outcome, Outcome::Refused { again: true, .. })
    }

    /// The version of the page at `place` that is there already. None where it was read by other rules: then the page
    /// itself is needed, changed or not.
    pub fn known_version(&self, place: usize) -> Option<&Validators> {
        let done = self.entries.get(place)?.done.as_ref()?;
        let usable = match &done.outcome {
            Outcome::Row { .. } | Outcome::Read { .. } => true,
            Outcome::Refused { again, .. } => !again,
            Outcome::Moved { .. } => false,
        };
        (usable && done.rules == self.rules() && !done.validators.is_empty()).then_some(&done.validators)
    }

    /// The address at `place`.
    pub fn entry(&self, place: usize) -> Option<&Entry> {
        self.entries.get(place)
    }

    /// The place of an address.
    pub fn place(&self, url: &Url) -> Option<usize> {
        self.places.get(url.as_str()).copied()
    }

    /// All addresses, in the order in which they were found.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// All rows, in the order in which their pages were found.
    pub fn candidates(&self) -> impl Iterator<Item = &Candidate> {
        self.entries.iter().filter_map(|entry| match &entry.done.as_ref()?.outcome {
            Outcome::Row { candidate } => Some(candidate),
            _ => None,
        })
    }

    /// Whether the address at `place` is done in this run.
    pub fn is_done_now(&self, place: usize) -> bool {
        self.entries.get(place).and_then(|e| e.done.as_ref()).is_some_and(|done| done.run == self.run)
    }

    /// Addresses that were not kept because there are too many.
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// The folder's file, for messages.
    pub fn path(&self) -> &Path {
        self.journal.path()
    }
}

/// What became of an address in this run.
#[derive(Debug)]
pub enum Recorded {
    /// It was asked for.
    Done {
        /// What became of it.
        outcome: Outcome,
        /// Its version.
        validators: Validators,
        /// Whether it cost its host a request.
        asked: bool,
    },
    /// It is as it was.
    Unchanged,
}

#[cfg(test)]
#[path = "frontier_tests.rs"]
mod tests;
