//! Tests of labelling against a server with faults.

use std::time::Duration;

use super::super::budget::Budget;
use super::super::client::{Asking, Client};
use super::super::fault_server::{Act, FaultServer, Seen, completion, finished, refusal};
use super::super::kept::Kept;
use super::super::limits::Limits;
use super::super::pause::Pause;
use super::super::settings::tests::settings;
use super::*;
use crate::progress::Silent;

struct NoTime;

impl Pause for NoTime {
    fn pause(&self, _: Duration, _: &dyn Fn() -> bool) {}
}

fn labels() -> Labels {
    Labels {
        names: vec!["young".into(), "Old \"1\"".into()],
        meanings: vec!["below 7".into(), String::new()],
    }
}

fn row(number: usize) -> Unlabelled {
    let examples = vec![(json!({ "title": "{{ clap }}" }), 0), (json!({ "title": "debate" }), 1)];
    Unlabelled { row: json!({ "title": format!("row {number}") }), examples }
}

fn classified(
    server: &FaultServer,
    folder: &std::path::Path,
    limits: Limits,
    rows: usize,
) -> Result<Classified, CollectError> {
    let client = Client::new(settings(&server.url)).unwrap();
    let (kept, budget) = (Kept::open(folder).unwrap(), Budget::new(limits, None).unwrap());
    let asking = Asking { budget: &budget, progress: &Silent, pause: &NoTime };
    let run =
        Generation { client: &client, kept: &kept, asking, wanted: None, concurrency: 3, offline: false };
    run.classify(&labels(), &(0..rows).map(row).collect::<Vec<_>>())
}

/// The number of a request: its seed is 5 plus that.
fn number(seen: &Seen) -> usize {
    seen.body["seed"].as_u64().unwrap() as usize - 5
}

#[test]
fn the_prompt_has_labels_examples_and_the_row() {
    let messages = labels().messages(3, &row(7)).unwrap();
    assert_eq!(
        messages[1].content,
        r#"Each entry has one of these labels:
- "young": below 7
- "Old \"1\""

Entries with their labels:
{"title":"{{ clap }}"}
{"label":"young"}
{"title":"debate"}
{"label":"Old \"1\""}

Which label does this entry have?
{"title":"row 7"}

Answer with JSON of this form: {"label": "…"}"#
    );
    assert_eq!(labels().schema()["properties"]["label"]["enum"], json!(["young", "Old \"1\""]));
}

#[test]
fn an_answer_names_a_label_or_none() {
    let answers = [
        (completion(r#"{"label": "young"}"#), Ok(0)),
        (completion(r#"Sure! ```json {"label": " YOUNG "} ```"#), Ok(0)),
        (completion(r#"{"label": "old \"1\""}"#), Ok(1)),
        (completion(r#"{"label": "middle"}"#), Err(Failure::NoLabel)),
        (completion(r#"{"class": "young"}"#), Err(Failure::NoLabel)),
        (completion("young"), Err(Failure::NoJson)),
        (completion(""), Err(Failure::Empty)),
        (finished("{\"lab", "length"), Err(Failure::CutOff)),
        (finished("", "content_filter"), Err(Failure::Refused)),
    ];
    let (acts, expected): (Vec<Act>, Vec<Result<usize, Failure>>) = answers.into_iter().unzip();
    let server = FaultServer::new(move |_, seen| acts[number(seen)].clone());
    let folder = tempfile::tempdir().unwrap();
    let found = classified(&server, folder.path(), Limits::default(), expected.len()).unwrap();
    assert_eq!(found.labels, expected.iter().map(|label| label.ok()).collect::<Vec<_>>());
    let mut failed = BTreeMap::new();
    expected.iter().filter_map(|label| label.err()).for_each(|why| *failed.entry(why).or_default() += 1);
    assert_eq!(found.failed, failed);
    assert_eq!((found.asked, found.tokens), (9, Tokens { prompt: 90, completion: 45 }));
    // Asked again, nothing is asked, and the same comes out.
    let again = classified(&server, folder.path(), Limits::default(), expected.len()).unwrap();
    assert_eq!((again.asked, again.labels, again.tokens), (0, found.labels, found.tokens));
    assert_eq!(server.seen().len(), 9);
}

#[test]
fn a_limit_ends_it_after_the_rows_before_and_a_broken_endpoint_is_an_error() {
    let good = || completion(r#"{"label": "young"}"#);
    let (server, folder) = (FaultServer::in_turn(vec![good()]), tempfile::tempdir().unwrap());
    let limits = Limits { requests: Some(4), ..Limits::default() };
    let found = classified(&server, folder.path(), limits, 9).unwrap();
    assert_eq!((found.labels.len(), found.asked), (4, 4));
    assert!(matches!(found.ended, Some(CollectError::Budget(_))), "{:?}", found.ended);
    // What was paid for is not paid again: four more rows fit.
    let more = classified(&server, folder.path(), limits, 9).unwrap();
    assert_eq!((more.labels.len(), more.asked), (8, 4));

    let folder = tempfile::tempdir().unwrap();
    let server = FaultServer::in_turn(vec![refusal(401, "", "no key")]);
    let error = classified(&server, folder.path(), Limits::default(), 9).unwrap_err();
    assert!(matches!(error, CollectError::Rejected { status: 401, .. }), "{error}");
    let server = FaultServer::in_turn(vec![refusal(503, "", "down")]);
    let error = classified(&server, folder.path(), Limits::default(), 2).unwrap_err();
    assert!(matches!(error, CollectError::Busy { status: 503, .. }), "of two rows, too: {error}");
    // One bad row is a row without a label.
    let server = FaultServer::new(move |_, seen| match number(seen) {
        2 => refusal(422, "", "too long"),
        _ => good(),
    });
    let found = classified(&server, folder.path(), Limits::default(), 9).unwrap();
    assert_eq!(found.labels.iter().filter(|label| label.is_none()).count(), 1);
    assert_eq!((found.labels[2], found.failed[&Failure::Rejected]), (None, 1));
}
