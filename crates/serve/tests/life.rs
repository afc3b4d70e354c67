//! A server from its first row to its last: warm, full, fair, stuck, reloaded, stopped.

mod fake;

use std::io::Read;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fake::model::{BROKEN, FakeSource, probability, source};
use fake::running::{Kept, Running, settings, start, until};
use pipeline_serve::outside::{AnswerError, Answerer, Source};
use pipeline_serve::{Log, ServeError, ServeSettings, Server};
use serde_json::{Value, json};

fn slow(batch_ms: u64) -> Vec<Box<dyn Source>> {
    vec![Box::new(FakeSource { batch: Duration::from_millis(batch_ms), ..source("hash") })]
}

/// A source that takes its time.
struct Late(FakeSource);

impl Source for Late {
    fn name(&self) -> &str {
        self.0.name()
    }
    fn fingerprint(&self) -> Result<String, AnswerError> {
        self.0.fingerprint()
    }
    fn load(&self) -> Result<Arc<dyn Answerer>, AnswerError> {
        std::thread::sleep(Duration::from_millis(500));
        self.0.load()
    }
}

#[test]
fn until_it_is_warm_it_lives_and_is_not_ready() {
    let log = Kept::default();
    let sources: Vec<Box<dyn Source>> = vec![Box::new(Late(source("hash")))];
    let server = Server::bind(settings(), sources, Log::new(Box::new(log))).unwrap();
    let (address, handle) = (server.address(), server.handle());
    let thread = std::thread::spawn(move || server.run(false));
    let ask = |path: &str| {
        use std::io::Write;
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    assert!(ask("/livez").starts_with("HTTP/1.1 200"));
    let ready = ask("/readyz");
    assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("being loaded"), "{ready}");
    until("it is ready", || ask("/readyz").starts_with("HTTP/1.1 200"));
    handle.stop();
    thread.join().unwrap().unwrap();
}

#[test]
fn a_model_that_cannot_be_loaded_is_no_server() {
    let broken = source("hash");
    broken.version.store(BROKEN, Ordering::SeqCst);
    for (sources, part) in [
        (vec![Box::new(broken) as Box<dyn Source>], "card.json: unexpected end at line 3"),
        (Vec::new(), "no model"),
        (
            vec![Box::new(source("a")) as Box<dyn Source>, Box::new(source("a"))],
            "two models have the name `a`",
        ),
    ] {
        let server = Server::bind(settings(), sources, Log::new(Box::new(Kept::default()))).unwrap();
        let error = server.run(false).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    let first = start(settings(), slow(0));
    let taken = ServeSettings { address: first.address, ..settings() };
    let error = Server::bind(taken, slow(0), Log::new(Box::new(Kept::default()))).err().unwrap();
    assert!(matches!(&error, ServeError::Listen { .. }) && error.hint().is_some(), "{error}");
}

#[test]
fn a_full_queue_says_when_to_come_again() {
    let limits = ServeSettings { request_tokens: 50, queue_tokens: 50, batch_rows: 1, ..settings() };
    let server = start(limits, slow(200));
    // Each text has 11 tokens: one is asked, four wait, and the next has no place.
    let text = "a".repeat(40);
    std::thread::scope(|scope| {
        let busy: Vec<_> = (0..5)
            .map(|_| {
                std::thread::sleep(Duration::from_millis(5));
                scope.spawn(|| server.post("/predict", &json!({ "texts": [text] }).to_string()).status)
            })
            .collect();
        until("four wait", || server.metric("pipeline_queue_rows{model=\"hash\"} ") == Some(4.0));
        let answer = server.post("/predict", &json!({ "texts": [text] }).to_string());
        assert_eq!(answer.status, 429, "{answer:?}");
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert!(answer.message().contains("44 tokens wait already, and 50 may"), "{answer:?}");
        assert!(busy.into_iter().all(|one| one.join().unwrap() == 200));
    });
    assert_eq!(server.post("/predict", &json!({ "texts": [text] }).to_string()).status, 200);
}

#[test]
fn an_answer_that_takes_too_long_is_given_up() {
    let server = start(ServeSettings { request_timeout_s: 0.2, ..settings() }, slow(0));
    let answer = server.post("/predict", r#"{"texts": ["SLOW"]}"#);
    assert_eq!(answer.status, 504);
    assert!(answer.message().contains("serve.request_timeout_s"));
}

#[test]
fn a_stuck_model_is_not_ready_until_it_moves() {
    let server = start(ServeSettings { stuck_after_s: 0.2, ..settings() }, slow(0));
    std::thread::scope(|scope| {
        scope.spawn(|| server.post("/predict", r#"{"texts": ["SLOW"]}"#));
        until("it is stuck", || server.get("/readyz").status == 503);
        assert_eq!(server.get("/livez").status, 200);
        assert!(server.get("/readyz").message().contains("nothing finished for"));
    });
    until("it moves", || server.get("/readyz").status == 200);
}

#[test]
fn a_long_list_holds_up_nobody_else() {
    let keys = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(keys.path(), "the-key-of-the-long-list\nthe-key-of-the-short-one\n").unwrap();
    let limits = ServeSettings { batch_rows: 4, keys: Some(keys.path().to_owned()), ..settings() };
    let asked = Arc::default();
    let model = FakeSource { batch: Duration::from_millis(20), asked: Arc::clone(&asked), ..source("hash") };
    let server = start(limits, vec![Box::new(model)]);
    let ask = |key: &str, texts: Vec<String>| {
        let headers = format!("content-type: application/json\r\nauthorization: Bearer {key}\r\n");
        server.post_with("/predict", json!({ "texts": texts }).to_string().as_bytes(), &headers).status
    };
    std::thread::scope(|scope| {
        let long = (0..400).map(|i| format!("long {i}")).collect();
        let long = scope.spawn(|| ask("the-key-of-the-long-list", long));
        until("the long list is begun", || asked.lock().unwrap().len() > 3);
        let before = asked.lock().unwrap().len();
        assert_eq!(ask("the-key-of-the-short-one", vec!["brief".into()]), 200);
        let between = asked.lock().unwrap().len() - before;
        // The batch that was asked, the one with the short text, and what happens before this thread is woken.
        assert!(between < 20, "{between} of 100 batches went first");
        assert!(!long.is_finished());
        assert_eq!(long.join().unwrap(), 200);
    });
    let sizes: Vec<usize> = asked.lock().unwrap().iter().map(Vec::len).collect();
    assert!(sizes.iter().all(|size| *size <= 4), "{sizes:?}");
}

#[test]
fn what_waits_is_asked_together_whoever_sent_it() {
    let asked = Arc::default();
    let model = FakeSource { batch: Duration::from_millis(100), asked: Arc::clone(&asked), ..source("hash") };
    let server = start(settings(), vec![Box::new(model)]);
    std::thread::scope(|scope| {
        for i in 0..16 {
            let server = &server;
            scope.spawn(move || {
                server.post("/predict", &json!({ "texts": [format!("text {i}")] }).to_string())
            });
        }
    });
    let most = asked.lock().unwrap().iter().map(Vec::len).max().unwrap();
    assert!(most > 4, "at most {most} in a batch");
}

/// The version that an answer comes from, every row of it checked.
fn version_of(answer: &Value, texts: &[String]) -> u64 {
    let answers = answer["answers"].as_array().unwrap_or_else(|| panic!("no answers: {answer}"));
    let version = answers[0]["range"]["version"].as_f64().unwrap() as u64;
    for (answer, text) in answers.iter().zip(texts) {
        assert_eq!(answer["range"]["version"], version as f64, "two models in one answer");
        assert_eq!(answer["probabilities"]["ham"], probability(text, version));
    }
    version
}

#[test]
fn a_model_is_replaced_under_load_without_a_lost_or_mixed_answer() {
    let model = FakeSource { row: Duration::from_micros(200), ..source("hash") };
    let version = model.version.clone();
    let server = start(ServeSettings { batch_rows: 8, ..settings() }, vec![Box::new(model)]);
    let (end, newest) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for client in 0..4 {
            let (server, end, newest) = (&server, &end, &newest);
            scope.spawn(move || {
                let mut turn = 0;
                while !end.load(Ordering::SeqCst) {
                    turn += 1;
                    let texts: Vec<String> = (0..30).map(|i| format!("{client} {turn} {i}")).collect();
                    let answer = server.post("/predict", &json!({ "texts": texts }).to_string());
                    assert_eq!(answer.status, 200, "{answer:?}");
                    newest.fetch_max(version_of(&answer.json(), &texts), Ordering::SeqCst);
                }
            });
        }
        for next in 2..8 {
            version.store(next, Ordering::SeqCst);
            until("the new model answers", || newest.load(Ordering::SeqCst) == next);
        }
        version.store(BROKEN, Ordering::SeqCst);
        until("it is said to be broken", || server.get("/info").json()["models"][0]["broken"].is_string());
        let info = server.get("/info").json();
        assert_eq!(info["models"][0]["broken"], "card.json: unexpected end at line 3");
        assert_eq!(info["models"][0]["model"]["version"], 7);
        assert_eq!(server.metric("pipeline_model_broken{model=\"hash\"} "), Some(1.0));
        assert_eq!(server.get("/readyz").status, 200);
        version.store(9, Ordering::SeqCst);
        until("the mended model answers", || newest.load(Ordering::SeqCst) == 9);
        end.store(true, Ordering::SeqCst);
    });
    assert_eq!(server.get("/info").json()["models"][0]["broken"], Value::Null);
    assert_eq!(server.metric("pipeline_model_reloads_total{model=\"hash\",result=\"failed\"} "), Some(1.0));
    assert!(server.log.text().contains("the old model stays"));
}

/// Tell a server to stop while a text is asked that takes a second.
fn told_to_stop(drain_s: f64) -> Stopped {
    let server = start(ServeSettings { drain_s, ..settings() }, slow(0));
    let begin = Instant::now();
    let status = std::thread::scope(|scope| {
        let waits = scope.spawn(|| server.post("/predict", r#"{"texts": ["SLOW"]}"#).status);
        until("it is taken", || server.metric("pipeline_texts_total{model=\"hash\"} ") == Some(1.0));
        server.handle.stop();
        waits.join().unwrap()
    });
    Stopped { status, time: begin.elapsed(), server }
}

/// A server that was told to stop while it was asked.
struct Stopped {
    /// What the client was answered.
    status: u16,
    time: Duration,
    server: Running,
}

#[test]
fn what_is_here_is_answered_before_it_stops() {
    let Stopped { status, server, .. } = told_to_stop(20.0);
    assert_eq!(status, 200);
    let address = server.address;
    server.stop().unwrap();
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn what_takes_longer_than_there_is_to_drain_is_cut() {
    let Stopped { status, time, server } = told_to_stop(0.2);
    assert_eq!(status, 503);
    assert!(time < Duration::from_secs(1), "{time:?}");
    server.stop().unwrap();
}
