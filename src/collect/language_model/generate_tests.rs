//! Tests of the loop against a server with faults.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::super::budget::Budget;
use super::super::client::{Asking, Client};
use super::super::error::Failure;
use super::super::fault_server::{Act, FaultServer, Seen, completion, finished, refusal};
use super::super::kept::Kept;
use super::super::limits::Limits;
use super::super::pause::Pause;
use super::super::prompt::Prompts;
use super::super::rules::Reason;
use super::super::settings::tests::settings;
use super::super::state::{FAILURES, UNUSABLE};
use super::super::task::tests::task;
use super::*;
use crate::progress::{Progress, Silent};

struct NoTime;

impl Pause for NoTime {
    fn pause(&self, _: Duration, _: &dyn Fn() -> bool) {}
}

/// The number of a request in its plan: its seed is 5 plus that.
fn number(seen: &Seen) -> u64 {
    seen.body["seed"].as_u64().unwrap() - 5
}

/// An answer of four rows that are in no other answer.
fn four(seen: &Seen) -> Act {
    let row = |i: u64| format!(r#"{{"title": "activity {}"}}"#, 4 * number(seen) + i);
    completion(&format!(r#"{{"rows": [{}]}}"#, (0..4).map(row).collect::<Vec<_>>().join(", ")))
}

/// How a test's run differs from the plain one.
#[derive(Clone, Copy)]
struct With<'a> {
    url: &'a str,
    folder: &'a Path,
    wanted: usize,
    limits: Limits,
    offline: bool,
    progress: &'a dyn Progress,
    concurrency: usize,
}

fn with<'a>(url: &'a str, folder: &'a Path) -> With<'a> {
    let limits = Limits::default();
    With { url, folder, wanted: 10, limits, offline: false, progress: &Silent, concurrency: 3 }
}

struct Ran {
    outcome: Outcome,
    finished: Vec<Finished>,
}

impl Ran {
    fn numbers(&self) -> Vec<u64> {
        self.finished.iter().map(|finished| finished.number).collect()
    }

    fn rows(&self) -> Vec<String> {
        let rows = self.finished.iter().flat_map(|finished| finished.rows.iter().flatten());
        rows.map(|row| row.texts[0].clone()).collect()
    }
}

fn run_until(with: With<'_>, mut stop: impl FnMut(&Finished) -> ControlFlow<()>) -> Ran {
    let client = Client::new(settings(with.url)).unwrap();
    let kept = Kept::open(with.folder).unwrap();
    let budget = Budget::new(with.limits, None).unwrap();
    let generation = Generation {
        client: &client,
        kept: &kept,
        asking: Asking { budget: &budget, progress: with.progress, pause: &NoTime },
        wanted: Some(with.wanted),
        concurrency: with.concurrency,
        offline: with.offline,
    };
    let mut all = Vec::new();
    let outcome = generation.run(Prompts::new(task(), &[], 1).unwrap(), &mut |finished| {
        let Finished { number, origin, hash, from_kept, usage, rows, failure } = finished;
        all.push(Finished {
            number: *number,
            origin: origin.clone(),
            hash: hash.clone(),
            from_kept: *from_kept,
            usage: *usage,
            rows: rows.clone(),
            failure: failure.clone(),
        });
        stop(finished)
    });
    Ran { outcome, finished: all }
}

fn run(with: With<'_>) -> Ran {
    run_until(with, |_| ControlFlow::Continue(()))
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn it_stops_at_the_wanted_rows_and_asks_no_more_than_they_need() {
    let (server, folder) = (FaultServer::new(|_, seen| four(seen)), folder());
    let ran = run(with(&server.url, folder.path()));
    assert!(matches!(ran.outcome.ended, Ended::Wanted));
    assert_eq!(ran.numbers(), [0, 1, 2]);
    let counts = &ran.outcome.counts;
    assert_eq!((counts.asked, counts.valid, counts.spare, counts.from_kept), (3, 12, 0, 0));
    assert_eq!(counts.tokens, Tokens { prompt: 30, completion: 15 });
    assert_eq!(server.seen().len(), 3);
}

#[test]
fn results_come_in_the_plans_order_however_late_the_first_is() {
    // The first request is answered only when another has been, so it cannot be the first to come back.
    let others = std::sync::Arc::new((Mutex::new(0), std::sync::Condvar::new()));
    let server = FaultServer::new(move |_, seen| {
        let (count, changed) = &*others;
        let mut count = count.lock().unwrap();
        if number(seen) == 0 {
            while *count == 0 {
                count = changed.wait(count).unwrap();
            }
        } else {
            *count += 1;
            changed.notify_all();
        }
        four(seen)
    });
    let folder = folder();
    let ran = run(With { wanted: 40, ..with(&server.url, folder.path()) });
    assert_eq!(ran.numbers(), (0..10).collect::<Vec<u64>>());
    assert_eq!(ran.rows(), (0..40).map(|i| format!("activity {i}")).collect::<Vec<_>>());
}

#[test]
fn no_more_are_under_way_than_allowed() {
    let (now, most) = (AtomicUsize::new(0), std::sync::Arc::new(AtomicUsize::new(0)));
    let seen_most = most.clone();
    let server = FaultServer::new(move |_, seen| {
        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(2));
        now.fetch_sub(1, Ordering::SeqCst);
        four(seen)
    });
    let folder = folder();
    run(With { wanted: 100, concurrency: 2, ..with(&server.url, folder.path()) });
    assert!(seen_most.load(Ordering::SeqCst) <= 2);
}

#[test]
fn a_recorded_run_is_replayed_offline_row_by_row() {
    let (server, folder) = (FaultServer::new(|_, seen| four(seen)), folder());
    let first = run(with(&server.url, folder.path()));
    let asked = server.seen().len();
    // Another address: what was asked is the same.
    let again = run(With { offline: true, ..with("http://127.0.0.1:9/v1", folder.path()) });
    assert_eq!(again.rows(), first.rows());
    assert!(again.finished.iter().all(|finished| finished.from_kept));
    assert_eq!((again.outcome.counts.asked, again.outcome.counts.from_kept), (0, 3));
    assert_eq!(again.outcome.counts.tokens, Tokens::default());
    assert_eq!(server.seen().len(), asked);
    // More rows than were recorded: the first request that is missing is named.
    let more = run(With { wanted: 16, offline: true, ..with(&server.url, folder.path()) });
    let Ended::Failed(error) = &more.outcome.ended else { panic!("{:?}", more.outcome) };
    assert!(error.to_string().starts_with("request 3 ("), "{error}");
    assert_eq!(more.rows(), first.rows());
    // With the endpoint, only what is missing is asked.
    let more = run(With { wanted: 16, ..with(&server.url, folder.path()) });
    assert_eq!((more.outcome.counts.asked, more.outcome.counts.from_kept), (1, 3));
}

#[test]
fn a_damaged_answer_is_asked_anew_and_said() {
    #[derive(Default)]
    struct Notes(Mutex<Vec<String>>);
    impl Progress for Notes {
        fn start(&self, _: &str, _: u64, _: &'static str) {}
        fn advance(&self, _: u64) {}
        fn finish(&self) {}
        fn note(&self, message: &str) {
            self.0.lock().unwrap().push(message.to_owned());
        }
        fn interrupted(&self) -> bool {
            false
        }
    }
    let (server, folder, notes) = (FaultServer::new(|_, seen| four(seen)), folder(), Notes::default());
    let first = run(with(&server.url, folder.path()));
    let damaged = folder.path().join(format!("{}.json", first.finished[1].hash));
    std::fs::write(&damaged, "{").unwrap();
    let offline = run(With { offline: true, ..with(&server.url, folder.path()) });
    assert!(matches!(offline.outcome.ended, Ended::Failed(CollectError::NotKept { number: 1, .. })));
    let again = run(With { progress: &notes, ..with(&server.url, folder.path()) });
    assert_eq!(again.rows(), first.rows());
    assert_eq!((again.outcome.counts.asked, again.outcome.counts.damaged), (1, 1));
    let notes = notes.0.into_inner().unwrap();
    assert!(notes[0].contains(&first.finished[1].hash), "{notes:?}");
    assert_eq!(run(With { offline: true, ..with(&server.url, folder.path()) }).outcome.counts.from_kept, 3);
}

#[test]
fn every_kind_of_answer_is_counted_as_what_it_is() {
    let server = FaultServer::new(|_, seen| match number(seen) {
        0 => completion("I would rather not."),
        1 => completion("  "),
        2 => finished("{\"rows\": [{\"title\": \"activ", "length"),
        3 => finished("{\"rows\": [{\"title\": \"activity 900\"}, {\"title\": \"acti", "length"),
        4 => finished("", "content_filter"),
        5 => completion("{\"rows\": [{\"title\": \"Activity 900!\"}, {\"title\": \"ages 5\"}, 7]}"),
        6 => refusal(400, "", "this prompt is not allowed"),
        7 => completion("{\"rows\": []}"),
        _ => four(seen),
    });
    let folder = folder();
    let ran = run(With { concurrency: 1, ..with(&server.url, folder.path()) });
    let counts = &ran.outcome.counts;
    let failed: Vec<(Failure, u64)> = counts.failed.iter().map(|(kind, count)| (*kind, *count)).collect();
    let expected = [
        (Failure::Rejected, 1),
        (Failure::Refused, 1),
        (Failure::Empty, 1),
        (Failure::CutOff, 1),
        (Failure::NoJson, 2),
    ];
    assert_eq!(failed, expected);
    let refused: Vec<(Reason, u64)> =
        counts.refused.iter().map(|(reason, count)| (*reason, *count)).collect();
    assert_eq!(refused, [(Reason::NotAnObject, 1), (Reason::Forbidden, 1), (Reason::Repeated, 1)]);
    assert_eq!((counts.cut_off, counts.valid), (2, 1 + 12));
    assert_eq!(counts.asked, ran.finished.len() as u64 - 1);
    assert!(matches!(ran.outcome.ended, Ended::Wanted));
}

#[test]
fn a_key_that_is_refused_ends_the_run_at_once() {
    let (server, folder) = (FaultServer::in_turn(vec![refusal(401, "", "bad key")]), folder());
    let ran = run(With { concurrency: 1, ..with(&server.url, folder.path()) });
    assert!(matches!(ran.outcome.ended, Ended::Failed(CollectError::Rejected { status: 401, .. })));
    assert_eq!(server.seen().len(), 1);
    assert!(ran.outcome.ended.hint().is_some_and(|hint| hint.contains("key")));
}

#[test]
fn an_endpoint_that_only_fails_is_given_up() {
    let (server, folder) = (FaultServer::in_turn(vec![refusal(400, "", "no")]), folder());
    let ran = run(With { concurrency: 1, ..with(&server.url, folder.path()) });
    assert!(matches!(ran.outcome.ended, Ended::Failed(CollectError::Rejected { status: 400, .. })));
    assert_eq!(server.seen().len(), FAILURES as usize);
}

#[test]
fn a_model_that_never_writes_a_valid_row_is_given_up() {
    let (server, folder) =
        (FaultServer::in_turn(vec![completion("{\"rows\": [{\"title\": \"x\"}]}")]), folder());
    let ran = run(With { concurrency: 1, ..with(&server.url, folder.path()) });
    assert!(matches!(ran.outcome.ended, Ended::NothingUsable { answers: UNUSABLE }));
    assert_eq!(ran.outcome.counts.refused[&Reason::TooShort], u64::from(UNUSABLE));
}

#[test]
fn a_budget_stops_the_run_and_keeps_what_it_has() {
    let (server, folder) = (FaultServer::new(|_, seen| four(seen)), folder());
    let limits = Limits { requests: Some(2), ..Limits::default() };
    let ran = run(With { limits, ..with(&server.url, folder.path()) });
    assert!(matches!(ran.outcome.ended, Ended::Budget(_)), "{:?}", ran.outcome);
    assert_eq!((server.seen().len(), ran.outcome.counts.valid), (2, 8));
    // What is kept is free, so the same budget goes further.
    let ran = run(With { limits, ..with(&server.url, folder.path()) });
    assert!(matches!(ran.outcome.ended, Ended::Wanted));
    assert_eq!((server.seen().len(), ran.outcome.counts.valid), (3, 12));
}

#[test]
fn an_interrupt_waits_for_what_is_under_way_and_loses_nothing() {
    #[derive(Default)]
    struct Stops(AtomicBool);
    impl Progress for Stops {
        fn start(&self, _: &str, _: u64, _: &'static str) {}
        fn advance(&self, _: u64) {
            self.0.store(true, Ordering::Relaxed);
        }
        fn finish(&self) {}
        fn note(&self, _: &str) {}
        fn interrupted(&self) -> bool {
            self.0.load(Ordering::Relaxed)
        }
    }
    let (server, folder, stops) = (FaultServer::new(|_, seen| four(seen)), folder(), Stops::default());
    let ran = run(With { wanted: 100, progress: &stops, ..with(&server.url, folder.path()) });
    assert!(matches!(ran.outcome.ended, Ended::Interrupted));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), server.seen().len());
    assert_eq!(ran.finished.len(), server.seen().len());
    let again = run(With { wanted: 100, ..with(&server.url, folder.path()) });
    assert_eq!(again.outcome.counts.from_kept, ran.outcome.counts.asked);
    assert_eq!(again.rows()[..ran.rows().len()], ran.rows());
}

#[test]
fn the_caller_may_stop() {
    let (server, folder) = (FaultServer::new(|_, seen| four(seen)), folder());
    let ran = run_until(With { wanted: 100, ..with(&server.url, folder.path()) }, |_| ControlFlow::Break(()));
    assert!(matches!(ran.outcome.ended, Ended::ByCaller));
    assert_eq!(ran.finished.len(), 1);
    assert_eq!(ran.outcome.counts.asked, 1 + ran.outcome.counts.spare);
}

#[test]
fn a_plan_that_ends_ends_the_run() {
    let (server, folder) = (FaultServer::new(|_, seen| four(seen)), folder());
    let client = Client::new(settings(&server.url)).unwrap();
    let (kept, budget) = (Kept::open(folder.path()).unwrap(), Budget::new(Limits::default(), None).unwrap());
    let asking = Asking { budget: &budget, progress: &Silent, pause: &NoTime };
    let generation =
        Generation { client: &client, kept: &kept, asking, wanted: None, concurrency: 2, offline: false };
    let plan = || Prompts::new(task(), &[], 1).unwrap().take(5);
    let estimate = generation.estimate(plan()).unwrap();
    assert_eq!((estimate.requests, estimate.tokens.completion), (5, 500));
    let outcome = generation.run(plan(), &mut |_| ControlFlow::Continue(()));
    assert!(matches!(outcome.ended, Ended::PlanDone));
    assert_eq!((outcome.counts.asked, outcome.counts.valid), (5, 20));
    assert_eq!(generation.estimate(plan()).unwrap().requests, 0);
}
