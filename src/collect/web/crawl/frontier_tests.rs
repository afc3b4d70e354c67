//! Tests of the frontier and its file.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;

use super::*;
use crate::collect::web::page::Provenance;

fn url(path: &str) -> Url {
    Url::parse(&format!("https://example.org/{path}")).unwrap()
}

fn open(folder: &Path, rules: &str, revisit: bool) -> Frontier {
    let mut frontier = Frontier::open(folder).unwrap();
    frontier.begin(&Start { rules, revisit, max_known: 5 }).unwrap();
    frontier
}

fn row(path: &str, rules: &str) -> Recorded {
    let provenance = Provenance {
        url: url(path).to_string(),
        fetched: "2026-05-01T12:00:00Z".into(),
        rules: rules.into(),
        licence: "unknown".into(),
        how: "css".into(),
    };
    let candidate = Candidate { row: BTreeMap::from([("title".into(), path.into())]), provenance };
    let validators = Validators { etag: Some("\"1\"".into()), last_modified: None };
    Recorded::Done { outcome: Outcome::Row { candidate }, validators, asked: true }
}

fn refused(name: &str, again: bool) -> Recorded {
    let outcome = Outcome::Refused { name: name.into(), reason: "because".into(), again };
    Recorded::Done { outcome, validators: Validators::default(), asked: true }
}

fn to_do(frontier: &Frontier) -> Vec<&str> {
    frontier.to_do().map(|place| frontier.entries()[place].found.url.path()).collect()
}

#[test]
fn a_run_that_was_killed_goes_on_with_what_is_left() {
    let folder = tempfile::tempdir().unwrap();
    {
        let mut frontier = open(folder.path(), "r", false);
        for path in ["a", "b", "a", "c"] {
            frontier.add(Found::listed(url(path), Kind::Page)).unwrap();
        }
        frontier.record(0, row("a", "r")).unwrap();
        frontier.record(1, refused("status", true)).unwrap();
    }
    let path = folder.path().join("frontier.jsonl");
    let whole = fs::read(&path).unwrap();
    fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap()
        .write_all(b"{\"line\":\"found\",\"url\":\"https")
        .unwrap();
    let frontier = open(folder.path(), "r", false);
    assert_eq!(to_do(&frontier), ["/c"], "what may pass waits for the next run");
    assert_eq!(frontier.candidates().count(), 1);
    drop(frontier);
    assert_eq!(fs::read(&path).unwrap(), whole, "the half line is gone and nothing else");
}

#[test]
fn every_cut_of_the_file_opens() {
    let folder = tempfile::tempdir().unwrap();
    {
        let mut frontier = open(folder.path(), "r", false);
        frontier.add(Found::listed(url("a"), Kind::Page)).unwrap();
        frontier.record(0, row("a", "r")).unwrap();
        frontier.end().unwrap();
    }
    let path = folder.path().join("frontier.jsonl");
    let whole = fs::read(&path).unwrap();
    let lines = whole.iter().filter(|b| **b == b'\n').count();
    for end in 0..whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
        let frontier = Frontier::open(folder.path()).unwrap();
        assert!(frontier.candidates().count() <= 1);
        drop(frontier);
        let kept = fs::read(&path).unwrap();
        assert!(kept.is_empty() || kept.ends_with(b"\n"));
    }
    assert_eq!(lines, 4);
}

#[test]
fn a_later_run_asks_what_may_have_changed() {
    let folder = tempfile::tempdir().unwrap();
    let mut frontier = open(folder.path(), "r", false);
    for path in ["row", "passing", "final", "lacking", "new"] {
        frontier.add(Found::listed(url(path), Kind::Page)).unwrap();
    }
    frontier.record(0, row("row", "r")).unwrap();
    frontier.record(1, refused("timeout", true)).unwrap();
    frontier.record(2, refused("status", false)).unwrap();
    frontier.record(3, refused(crate::collect::web::refusal::LACKS, false)).unwrap();
    frontier.end().unwrap();
    drop(frontier);
    assert_eq!(to_do(&open(folder.path(), "r", false)), ["/passing", "/new"]);
    // That run has not ended, but other rules make another one.
    let other = open(folder.path(), "other", false);
    assert_eq!(to_do(&other), ["/row", "/passing", "/lacking", "/new"]);
    assert_eq!(other.known_version(0), None, "other rules need the page itself");
    drop(other);
    let mut again = open(folder.path(), "r", true);
    assert_eq!(to_do(&again).len(), 5);
    assert!(again.known_version(0).is_some() && again.known_version(1).is_none());
    again.record(0, Recorded::Unchanged).unwrap();
    assert!(!to_do(&again).contains(&"/row"));
    drop(again);
    let reopened = open(folder.path(), "r", true);
    assert_eq!((to_do(&reopened).len(), reopened.candidates().count()), (4, 1));
}

#[test]
fn there_is_an_end_to_what_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut frontier = open(folder.path(), "r", false);
    for number in 0..8 {
        frontier.add(Found::listed(url(&number.to_string()), Kind::Page)).unwrap();
    }
    assert_eq!((frontier.entries().len(), frontier.dropped()), (5, 3));
}

#[test]
fn one_process_at_a_time_and_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Frontier::open(folder.path()).unwrap();
    assert!(matches!(Frontier::open(folder.path()), Err(WebError::Busy { .. })));
    let other = tempfile::tempdir().unwrap();
    fs::write(
        other.path().join("frontier.jsonl"),
        "{\"line\":\"run\",\"number\":1,\"rules\":\"\",\"ended\":true}\nx\n{}\n",
    )
    .unwrap();
    let error = Frontier::open(other.path()).err().unwrap();
    assert!(error.to_string().contains("frontier.jsonl: line 2 is no entry of a frontier"), "{error}");
    assert!(error.hint().is_some());
}
