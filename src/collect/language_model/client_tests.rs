//! Tests of the client against a server with faults.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::super::answer::{Finish, Usage};
use super::super::fault_server::{Act, FaultServer, completion, finished, refusal};
use super::super::limits::{Limits, Tokens};
use super::super::pause::LONGEST;
use super::super::request::tests::request;
use super::super::settings::Key;
use super::super::settings::tests::settings;
use super::*;

/// Waits no time, and remembers what it should have waited.
#[derive(Default)]
struct NoTime(Mutex<Vec<Duration>>);

impl Pause for NoTime {
    fn pause(&self, time: Duration, _: &dyn Fn() -> bool) {
        self.0.lock().unwrap().push(time);
    }
}

#[derive(Default)]
struct Listener {
    notes: Mutex<Vec<String>>,
    stop: AtomicBool,
}

impl Progress for Listener {
    fn start(&self, _: &str, _: u64, _: &'static str) {}
    fn advance(&self, _: u64) {}
    fn finish(&self) {}
    fn note(&self, message: &str) {
        self.notes.lock().unwrap().push(message.to_owned());
    }
    fn interrupted(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

struct Tried {
    result: Result<Answer, CollectError>,
    waits: Vec<Duration>,
    notes: Vec<String>,
    spent: Tokens,
}

fn ask_as(change: impl FnOnce(&mut EndpointSettings), server: &FaultServer) -> Tried {
    let mut settings = settings(&server.url);
    change(&mut settings);
    let client = Client::new(settings).unwrap();
    let (pause, progress) = (NoTime::default(), Listener::default());
    let budget = Budget::new(Limits::default(), None).unwrap();
    let result = client.ask(&request(1), Asking { budget: &budget, progress: &progress, pause: &pause });
    let (waits, notes) = (pause.0.into_inner().unwrap(), progress.notes.into_inner().unwrap());
    Tried { result, waits, notes, spent: budget.spent() }
}

fn ask(acts: Vec<Act>) -> Tried {
    ask_as(|_| {}, &FaultServer::in_turn(acts))
}

/// What one request takes in the worst case: 8 tokens of prompt, 100 of answer.
const WORST: Tokens = Tokens { prompt: 8, completion: 100 };

#[test]
fn a_good_answer_is_read_at_the_first_try() {
    let tried = ask(vec![completion("hello")]);
    let usage = Usage { prompt_tokens: 10, completion_tokens: 5, estimated: false };
    assert_eq!(tried.result.unwrap(), Answer { text: "hello".into(), finish: Finish::Stop, usage });
    assert_eq!(tried.spent, Tokens { prompt: 10, completion: 5 });
    assert!(tried.waits.is_empty() && tried.notes.is_empty());
}

#[test]
fn a_key_is_sent_as_bearer_and_nothing_without_one() {
    let server = FaultServer::in_turn(vec![completion("x")]);
    ask_as(|s| s.key = Key::new("sk-77").unwrap(), &server).result.unwrap();
    ask_as(|_| {}, &server).result.unwrap();
    let seen = server.seen();
    assert!(seen[0].head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{}", seen[0].head);
    assert!(seen[0].head.to_lowercase().contains("\r\nauthorization: bearer sk-77\r\n"), "{}", seen[0].head);
    assert!(!seen[1].head.to_lowercase().contains("authorization"));
}

#[test]
fn too_many_requests_wait_as_long_as_they_are_told() {
    let slow = |headers| refusal(429, headers, "slow down");
    let tried = ask(vec![
        slow("Retry-After: 7\r\n"),
        slow("Retry-After: Fri, 31 Dec 2100 23:59:59 GMT\r\n"),
        completion("x"),
    ]);
    assert!(tried.result.is_ok());
    assert_eq!(tried.waits, [Duration::from_secs(7), LONGEST]);
    assert_eq!(tried.notes.len(), 1);
    assert!(tried.notes[0].ends_with(": status 429: slow down; asking again in 7 s"), "{:?}", tried.notes);
    assert_eq!(tried.spent.all(), 15);
}

#[test]
fn server_errors_pass_within_the_retries() {
    for status in [500, 502, 503, 504] {
        let down = || refusal(status, "", "down");
        let tried = ask(vec![down(), down(), completion("x")]);
        assert!(tried.result.is_ok());
        assert_eq!(tried.waits.len(), 2);
        assert!(tried.waits[0] < Duration::from_secs(1) && tried.waits[1] >= Duration::from_secs(1));
    }
    let tried = ask(vec![refusal(503, "", "down")]);
    let error = tried.result.unwrap_err();
    assert!(matches!(error, CollectError::Busy { status: 503, tries: 4, .. }), "{error}");
    assert!(error.hint().is_some() && tried.waits.len() == 3);
    assert_eq!(tried.spent.all(), 0);
}

#[test]
fn other_refusals_are_errors_at_once_in_the_endpoints_words() {
    for status in [302, 400, 401, 402, 403, 404, 405, 422, 501] {
        let key = "sk-secret";
        let server =
            FaultServer::in_turn(vec![refusal(status, "Location: http://x/\r\n", "no key sk-secret here")]);
        let tried = ask_as(|s| s.key = Key::new(key).unwrap(), &server);
        let error = tried.result.unwrap_err();
        assert!(error.to_string().ends_with(&format!("status {status}: no key [key] here")), "{error}");
        assert!(matches!(error, CollectError::Rejected { .. }) && error.hint().is_some());
        assert_eq!(server.seen().len(), 1);
    }
}

#[test]
fn an_empty_account_is_not_asked_again() {
    let body = r#"{"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}"#;
    let tried = ask(vec![Act::Say(429, "", body.into())]);
    assert!(
        matches!(tried.result, Err(CollectError::Rejected { status: 429, .. })) && tried.waits.is_empty()
    );
}

#[test]
fn silence_is_a_time_out_that_counts_in_full() {
    let server = FaultServer::in_turn(vec![Act::Silence]);
    let tried = ask_as(
        |s| {
            s.timeout_s = 0.3;
            s.retries = 1;
        },
        &server,
    );
    let error = tried.result.unwrap_err();
    assert!(matches!(error, CollectError::Unreachable { tries: 2, .. }), "{error}");
    assert!(error.to_string().contains("within timeout_s = 0.3 seconds"), "{error}");
    assert_eq!(tried.spent, Tokens { prompt: 2 * WORST.prompt, completion: 2 * WORST.completion });
}

#[test]
fn a_connection_cut_in_the_middle_is_tried_again() {
    let tried = ask(vec![Act::Cut, completion("x")]);
    assert_eq!(tried.result.unwrap().text, "x");
    assert_eq!((tried.waits.len(), tried.spent.all()), (1, WORST.all() + 15));
}

#[test]
fn nobody_there_is_tried_again_and_free() {
    // A port on which no machine of ours serves anything.
    let server = FaultServer::in_turn(vec![completion("x")]);
    let tried = ask_as(|s| s.base_url = "http://127.0.0.1:1/v1".into(), &server);
    assert!(matches!(tried.result, Err(CollectError::Unreachable { tries: 4, .. })));
    assert_eq!(tried.spent.all(), 0);
}

#[test]
fn what_is_no_chat_completion_is_an_error_at_once() {
    let html = "<html>\u{1b}[31mwelcome</html>";
    for (act, part) in [
        (Act::Say(200, "", "{\"choices\": [".into()), "its body is not JSON"),
        (Act::Say(200, "", html.into()), "it begins: <html> [31mwelcome"),
        (Act::Say(200, "", "{}".into()), "it has no choices"),
        (Act::Say(200, "", String::new()), "its body is not JSON"),
        (Act::Noise, "does not answer as an OpenAI-compatible endpoint"),
    ] {
        let tried = ask(vec![act]);
        let error = tried.result.unwrap_err();
        assert!(matches!(error, CollectError::NotAnAnswer { .. }), "{error:?}");
        assert!(error.to_string().contains(part), "{error}");
        assert!(tried.waits.is_empty());
    }
}

#[test]
fn an_endless_answer_ends() {
    let tried = ask(vec![Act::Endless]);
    assert!(matches!(tried.result, Err(CollectError::TooLong { limit: MOST_BYTES, .. })));
    assert_eq!(tried.spent, WORST);
}

#[test]
fn a_cut_off_answer_is_told_apart() {
    assert_eq!(ask(vec![finished("[{", "length")]).result.unwrap().finish, Finish::Length);
}

#[test]
fn the_form_of_the_answer_falls_back_and_stays_there() {
    let server = FaultServer::new(|_, seen| match seen.body["response_format"]["type"].as_str() {
        Some("json_schema") => refusal(400, "", "'response_format' of type 'json_schema' is not supported"),
        Some(_) => refusal(400, "", "unknown field response_format"),
        None => completion("x"),
    });
    let client = Client::new(settings(&server.url)).unwrap();
    let (pause, progress) = (NoTime::default(), Listener::default());
    let budget = Budget::new(Limits::default(), None).unwrap();
    let with = Asking { budget: &budget, progress: &progress, pause: &pause };
    client.ask(&request(1), with).unwrap();
    client.ask(&request(2), with).unwrap();
    let formats: Vec<Value> =
        server.seen().iter().map(|seen| seen.body["response_format"]["type"].clone()).collect();
    let expected = ["json_schema", "json_schema", "json_object"].map(Value::from);
    assert_eq!(formats[..3], expected);
    assert_eq!(formats[3..], [Value::Null, Value::Null]);
    assert!(pause.0.into_inner().unwrap().is_empty());
}

#[test]
fn a_model_that_takes_the_other_length_gets_it() {
    let server = FaultServer::new(|_, seen| match seen.body.get("max_tokens") {
        Some(_) => refusal(400, "", "'max_tokens' is not supported, use 'max_completion_tokens' instead"),
        None => completion("x"),
    });
    assert!(ask_as(|_| {}, &server).result.is_ok());
    assert_eq!(server.seen()[1].body["max_completion_tokens"], 100);
    assert_eq!(server.seen()[1].body["response_format"]["type"], "json_schema");
}

#[test]
fn an_interrupt_ends_the_waiting_for_another_try() {
    struct StopsWhileWaiting<'a>(&'a Listener);
    impl Pause for StopsWhileWaiting<'_> {
        fn pause(&self, _: Duration, interrupted: &dyn Fn() -> bool) {
            self.0.stop.store(true, Ordering::Relaxed);
            assert!(interrupted());
        }
    }
    let server = FaultServer::in_turn(vec![refusal(503, "", "down")]);
    let client = Client::new(settings(&server.url)).unwrap();
    let (progress, budget) = (Listener::default(), Budget::new(Limits::default(), None).unwrap());
    let pause = StopsWhileWaiting(&progress);
    let result = client.ask(&request(1), Asking { budget: &budget, progress: &progress, pause: &pause });
    assert!(matches!(result, Err(CollectError::Interrupted)));
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn no_try_is_made_that_might_pass_a_limit() {
    let server = FaultServer::in_turn(vec![Act::Cut]);
    let client = Client::new(settings(&server.url)).unwrap();
    let limits = Limits { tokens: Some(WORST.all() + 1), ..Limits::default() };
    let (pause, progress) = (NoTime::default(), Listener::default());
    let budget = Budget::new(limits, None).unwrap();
    let with = Asking { budget: &budget, progress: &progress, pause: &pause };
    assert!(matches!(client.ask(&request(1), with), Err(CollectError::Budget(_))));
    assert_eq!((server.seen().len(), budget.spent()), (1, WORST));
}
