//! Clients and models that misbehave: each is told, and nobody else notices.

mod fake;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use fake::model::{FakeSource, source, vector};
use fake::running::{Answered, Running, answered, settings, start, until};
use pipeline_serve::ServeSettings;
use rand::{RngExt, SeedableRng};
use serde_json::json;

const JSON: &str = "content-type: application/json\r\n";

fn server() -> Running {
    start(settings(), vec![Box::new(source("hash"))])
}

fn slow_server(settings: ServeSettings, batch: Duration) -> Running {
    start(settings, vec![Box::new(FakeSource { batch, ..source("hash") })])
}

fn still_right(server: &Running) {
    let answer = server.post("/embed", r#"{"inputs": "all well?"}"#);
    let found: Vec<Vec<f32>> = serde_json::from_value(answer.json()).unwrap();
    assert_eq!(found, [vector("all well?", true)]);
}

fn read_all(stream: &mut impl Read) -> Option<Answered> {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    answered(&bytes)
}

#[test]
fn garbage_is_no_request() {
    let server = server();
    let mut random = rand::rngs::StdRng::seed_from_u64(1);
    for length in [1, 10, 100, 1000, 100_000] {
        let mut bytes: Vec<u8> = (0..length).map(|_| random.random()).collect();
        bytes.extend(b"\r\n\r\n");
        let mut stream = server.connect();
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let answer = read_all(&mut stream);
        assert!(answer.is_none_or(|answer| (400..500).contains(&answer.status)));
    }
    for bytes in [
        "GET /\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01",
        "POST /embed HTTP/1.1\r\nhost: localhost\r\ncontent-length: -5\r\n\r\n",
        "POST /embed HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef",
        "POST /embed HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\ncontent-type: application/json\r\n\r\nzz\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut stream = server.connect();
        stream.write_all(bytes.as_bytes()).unwrap();
        let _ = stream.shutdown(Shutdown::Write);
        let answer = read_all(&mut stream);
        assert!(answer.is_none_or(|answer| (400..600).contains(&answer.status)), "{bytes:?}");
    }
    still_right(&server);
}

#[test]
fn bodies_that_are_too_large_or_too_deep_are_refused() {
    let server = server();
    let large = json!({ "inputs": "a".repeat(10_000_000) }).to_string();
    let answer = server.post("/embed", &large);
    assert_eq!(answer.status, 413);
    assert!(answer.json()["error"].as_str().unwrap().contains("serve.body_bytes"), "{answer:?}");
    // Where more is sent than is even read to be polite, the connection is cut; most likely the answer still comes.
    let huge = "a".repeat(60_000_000);
    let mut stream = server.connect();
    let head =
        format!("POST /embed HTTP/1.1\r\nhost: localhost\r\n{JSON}content-length: {}\r\n\r\n", huge.len());
    stream.write_all(head.as_bytes()).unwrap();
    let _ = stream.write_all(huge.as_bytes());
    assert!(read_all(&mut stream).is_none_or(|answer| answer.status == 413));
    let deep = format!("{{\"rows\": [{{\"title\": {}{}}}]}}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(server.post("/predict", &deep).message().contains("recursion limit"));
    let many = json!({ "texts": vec![""; 3000] }).to_string();
    let answer = server.post("/predict", &many);
    assert_eq!(answer.status, 413);
    assert!(answer.message().contains("3000 texts, and one may have 2048"), "{answer:?}");
    let long = json!({ "texts": vec!["a".repeat(400); 2040] }).to_string();
    let answer = start(
        ServeSettings { request_tokens: 1000, queue_tokens: 1000, ..settings() },
        vec![Box::new(source("hash"))],
    )
    .post("/predict", &long);
    assert_eq!(answer.status, 413);
    assert!(answer.message().contains("serve.request_tokens"), "{answer:?}");
    still_right(&server);
}

#[test]
fn other_types_of_body_are_refused() {
    let server = server();
    for (headers, part) in [
        ("", "is missing"),
        ("content-type: text/plain\r\n", "\"text/plain\""),
        ("content-type: application/x-www-form-urlencoded\r\n", "urlencoded"),
        ("content-type: application/json\r\ncontent-encoding: gzip\r\n", "\"gzip\""),
    ] {
        let answer = server.post_with("/predict", br#"{"texts": []}"#, headers);
        assert_eq!(answer.status, 415, "{headers}");
        assert!(answer.message().contains(part), "{answer:?}");
    }
    let answer = server.post_with(
        "/predict",
        br#"{"texts": []}"#,
        "content-type: Application/JSON; charset=utf-8\r\n",
    );
    assert_eq!(answer.status, 200);
    assert_eq!(server.post_with("/predict", b"{\"texts\": [\"\xff\"]}", JSON).status, 400);
}

#[test]
fn headers_are_bounded_in_bytes_number_and_time() {
    let server = start(ServeSettings { header_timeout_s: 0.2, ..settings() }, vec![Box::new(source("hash"))]);
    let long = format!("GET /livez HTTP/1.1\r\nhost: localhost\r\nx-long: {}\r\n\r\n", "a".repeat(100_000));
    let many = format!("GET /livez HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "a: b\r\n".repeat(100));
    for head in [long, many] {
        let mut stream = server.connect();
        let _ = stream.write_all(head.as_bytes());
        assert!(read_all(&mut stream).is_none_or(|answer| answer.status == 431), "{}", &head[..60]);
    }
    // Neither half a head nor silence holds a connection, at its begin or after an answer.
    for bytes in ["GET /livez HTTP/1.1\r\nhost:", "", "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n"] {
        let mut stream = server.connect();
        stream.write_all(bytes.as_bytes()).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
    }
    still_right(&server);
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let server = start(ServeSettings { body_timeout_s: 0.2, ..settings() }, vec![Box::new(source("hash"))]);
    let head = format!("POST /embed HTTP/1.1\r\nhost: localhost\r\n{JSON}content-length: 100\r\n\r\n{{\"in");
    let mut stream = server.connect();
    stream.write_all(head.as_bytes()).unwrap();
    let answer = read_all(&mut stream).unwrap();
    assert_eq!(answer.status, 408);
    assert!(answer.json()["error"].as_str().unwrap().contains("0.2 s"));
    // And one that breaks off is no request.
    let mut stream = server.connect();
    stream.write_all(head.as_bytes()).unwrap();
    drop(stream);
    still_right(&server);
}

#[test]
fn chunks_and_requests_behind_each_other_are_answered_in_order() {
    let server = server();
    let mut stream = server.connect();
    let mut bytes =
        format!("POST /embed HTTP/1.1\r\nhost: localhost\r\n{JSON}transfer-encoding: chunked\r\n\r\n");
    for piece in ["{\"inp", "uts\": ", "\"one\"}"] {
        bytes += &format!("{:x}\r\n{piece}\r\n", piece.len());
    }
    bytes += "0\r\n\r\n";
    let second = r#"{"inputs": "two"}"#;
    bytes += &format!(
        "POST /embed HTTP/1.1\r\nhost: localhost\r\n{JSON}connection: close\r\ncontent-length: {}\r\n\r\n{second}",
        second.len()
    );
    stream.write_all(bytes.as_bytes()).unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let text = String::from_utf8(all).unwrap();
    let vectors: Vec<Vec<Vec<f32>>> = text
        .lines()
        .filter(|line| line.starts_with("[["))
        .map(|line| {
            let end = line.rfind("]]").unwrap() + 2;
            serde_json::from_str(&line[..end]).unwrap()
        })
        .collect();
    assert_eq!(vectors, [[vector("one", true)], [vector("two", true)]]);
}

#[test]
fn the_rows_of_a_client_that_left_are_not_asked() {
    let asked = std::sync::Arc::default();
    let batch = Duration::from_millis(300);
    let model = FakeSource { batch, asked: std::sync::Arc::clone(&asked), ..source("hash") };
    let server = start(ServeSettings { batch_rows: 1, ..settings() }, vec![Box::new(model)]);
    let body = json!({ "texts": ["first", "second", "third", "fourth"] }).to_string();
    let mut stream = server.connect();
    let head =
        format!("POST /predict HTTP/1.1\r\nhost: localhost\r\n{JSON}content-length: {}\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes()).unwrap();
    let begun = || asked.lock().unwrap().iter().any(|batch: &Vec<String>| batch == &["first"]);
    until("the first row is asked", begun);
    drop(stream);
    until("it has left", || {
        server.metric("pipeline_requests_cancelled_total{route=\"/predict\"} ") == Some(1.0)
    });
    assert_eq!(server.metric("pipeline_queue_rows{model=\"hash\"} "), Some(0.0));
    still_right(&server);
    let rows: Vec<String> = asked.lock().unwrap().concat();
    assert!(!rows.contains(&"fourth".to_owned()), "{rows:?}");
}

#[test]
fn who_does_not_read_his_answer_is_cut_off() {
    let settings = ServeSettings { write_timeout_s: 0.3, ..settings() };
    let server = slow_server(settings, Duration::ZERO);
    // Some 20 MB of answer: more than the system keeps for a connection.
    let body = json!({ "texts": vec!["a"; 2048].repeat(1), "abstain_below": 0.5 }).to_string();
    let mut stream = server.connect();
    let head =
        format!("POST /predict HTTP/1.1\r\nhost: localhost\r\n{JSON}content-length: {}\r\n\r\n", body.len());
    let requests = (head + &body).repeat(60);
    let _ = stream.set_nonblocking(true);
    let (mut sent, begin) = (0, Instant::now());
    let bytes = requests.as_bytes();
    // Either all is sent and nothing read, or the server has hung up.
    while sent < bytes.len() && begin.elapsed() < Duration::from_secs(10) {
        match stream.write(&bytes[sent..]) {
            Ok(n) => sent += n,
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                std::thread::sleep(Duration::from_millis(10))
            }
            Err(_) => break,
        }
    }
    still_right(&server);
    // What asks for the metric is one connection.
    until("it was cut off", || server.metric("pipeline_connections ") == Some(1.0));
}

#[test]
fn a_panic_or_failure_of_the_model_hits_only_its_batch() {
    let server = server();
    for (text, part) in [("PANIC", "it panicked"), ("FAIL", "it was told to fail")] {
        let answer = server.post("/predict", &json!({ "texts": ["a", text] }).to_string());
        assert_eq!(answer.status, 500);
        assert!(answer.message().contains(part), "{answer:?}");
        let answer = server.post("/embed", &json!({ "inputs": text }).to_string());
        assert_eq!((answer.status, &answer.json()["error_type"]), (500, &json!("backend")));
        still_right(&server);
    }
    assert_eq!(server.metric("pipeline_batches_failed_total{model=\"hash\"} "), Some(4.0));
    assert_eq!(server.get("/readyz").status, 200);
}

#[test]
fn one_connection_too_many_is_told_so() {
    let server = start(
        ServeSettings { connections: 2, header_timeout_s: 20.0, ..settings() },
        vec![Box::new(source("hash"))],
    );
    let held: Vec<_> = (0..2)
        .map(|_| {
            let mut stream = server.connect();
            stream.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
            stream.read_exact(&mut [0; 12]).unwrap();
            stream
        })
        .collect();
    let mut stream = server.connect();
    let answer = read_all(&mut stream).unwrap();
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert!(answer.message().contains("serve.connections"));
    drop(held);
    until("there is a place again", || {
        let mut stream = server.connect();
        let _ = stream.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        read_all(&mut stream).is_some_and(|answer| answer.status == 200)
    });
}

#[test]
fn bodies_share_the_memory_that_there_is() {
    let limits = ServeSettings { body_bytes: 100_000, bodies_bytes: 150_000, ..settings() };
    let server = start(limits, vec![Box::new(source("hash"))]);
    let body = json!({ "texts": ["a".repeat(90_000), "SLOW"] }).to_string();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| server.post("/predict", &body).status);
        until("the first is asked", || server.metric("pipeline_texts_total{model=\"hash\"} ") == Some(2.0));
        let second = server.post("/predict", &body);
        assert_eq!(second.status, 429, "{second:?}");
        assert!(second.message().contains("serve.bodies_bytes") && second.header("retry-after").is_some());
        assert_eq!(server.post("/embed", r#"{"inputs": []}"#).status, 200);
        assert_eq!(first.join().unwrap(), 200);
    });
    assert_eq!(server.post("/predict", &body).status, 200);
}
