//! Many clients ask a server of a fake model, some of them badly, while the model is replaced: `soak [REQUESTS]`.
//!
//! Each answer is checked against the hash of its text. Prints what was answered, how fast, and how the memory grew; ends with 1 where
//! an answer was wrong or something was left behind.

#[path = "../tests/fake/mod.rs"]
mod fake;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fake::model::{EncoderSource, FakeSource, probability, source, vector};
use fake::running::{Running, answered, settings, start};
use pipeline_serve::ServeSettings;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

const CLIENTS: u64 = 16;

#[derive(Default)]
struct Counts {
    right: AtomicUsize,
    refused: AtomicUsize,
    left: AtomicUsize,
    wrong: AtomicUsize,
}

fn main() -> ExitCode {
    let requests: usize = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(10_000);
    let model = FakeSource { row: Duration::from_micros(20), ..source("hash") };
    let (version, asked) = (model.version.clone(), model.asked.clone());
    let limits = ServeSettings { workers: 2, queue_tokens: 20_000, request_tokens: 20_000, ..settings() };
    let server = start(limits, vec![Box::new(model), Box::new(EncoderSource)]);
    std::panic::set_hook(Box::new(|_| {}));
    let (counts, next, begin) = (Counts::default(), AtomicUsize::new(0), Instant::now());
    let memory = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (server, counts, next) = (&server, &counts, &next);
            scope.spawn(move || {
                let mut random = StdRng::seed_from_u64(client);
                let mut line = None;
                while next.fetch_add(1, Ordering::SeqCst) < requests {
                    one(server, &mut line, &mut random, counts);
                }
            });
        }
        while next.load(Ordering::SeqCst) < requests {
            std::thread::sleep(Duration::from_millis(100));
            version.fetch_add(1, Ordering::SeqCst);
            // What the fake and the log keep for tests would look like a leak.
            asked.lock().unwrap_or_else(|e| e.into_inner()).clear();
            server.log.0.lock().unwrap_or_else(|e| e.into_inner()).clear();
            // What is taken at the beginning stays.
            if next.load(Ordering::SeqCst) > requests / 5 && memory.load(Ordering::SeqCst) == 0 {
                memory.store(resident_kb(), Ordering::SeqCst);
            }
        }
    });
    let seconds = begin.elapsed().as_secs_f64();
    std::thread::sleep(Duration::from_millis(300));
    let of = |count: &AtomicUsize| count.load(Ordering::SeqCst);
    println!("{requests} requests in {seconds:.1} s, {:.0} a second", requests as f64 / seconds);
    println!(
        "right {}, refused as they should be {}, left early {}",
        of(&counts.right),
        of(&counts.refused),
        of(&counts.left)
    );
    println!("memory {} kB after a fifth, {} kB at the end", memory.load(Ordering::SeqCst), resident_kb());
    let (rows, open) =
        (server.metric("pipeline_queue_rows{model=\"hash\"} "), server.metric("pipeline_connections "));
    println!(
        "models replaced {:?}",
        server.metric("pipeline_model_reloads_total{model=\"hash\",result=\"done\"} ")
    );
    println!("rows left in the queue {rows:?}, open connections {open:?}, wrong {}", of(&counts.wrong));
    let stopped = server.stop().is_ok();
    let clean = of(&counts.wrong) == 0 && rows == Some(0.0) && open == Some(1.0) && stopped;
    if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One request of some kind, on the client's connection or a new one.
fn one(server: &Running, line: &mut Option<TcpStream>, random: &mut StdRng, counts: &Counts) {
    let texts: Vec<String> = (0..random.random_range(1..20))
        .map(|_| format!("{:x}", random.random::<u128>()).repeat(random.random_range(1..12)))
        .collect();
    let kind = random.random_range(0..100);
    let (path, body, expected) = match kind {
        0..45 => ("/predict", json!({ "texts": texts }).to_string(), 200),
        45..65 => ("/embed", json!({ "inputs": texts }).to_string(), 200),
        65..85 => ("/v1/embeddings", json!({ "input": texts, "model": "hash-encoder" }).to_string(), 200),
        85..88 => ("/predict", "{\"texts\": [".to_owned(), 400),
        88..91 => ("/predict", json!({ "texts": texts, "model": "nix" }).to_string(), 404),
        91..93 => ("/predict", json!({ "texts": ["a", "PANIC"] }).to_string(), 500),
        _ => ("/predict", json!({ "texts": texts }).to_string(), 0),
    };
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let whole = head + &body;
    if expected == 0 {
        // Leaves in the middle of the request, or before the answer.
        let Ok(mut stream) = TcpStream::connect(server.address) else { return };
        let length = if random.random() { whole.len() } else { random.random_range(1..whole.len()) };
        let _ = stream.write_all(&whole.as_bytes()[..length]);
        counts.left.fetch_add(1, Ordering::SeqCst);
        return;
    }
    let stream = line.get_or_insert_with(|| server.connect());
    let answer = stream.write_all(whole.as_bytes()).ok().and_then(|()| answer_of(stream));
    let right = match &answer {
        Some((status, _)) if *status == 429 => {
            counts.refused.fetch_add(1, Ordering::SeqCst);
            return;
        }
        Some((200, body)) if expected == 200 => is_right(path, &texts, body),
        Some((status, _)) => *status == expected,
        None => false,
    };
    let counter = match (right, expected) {
        (true, 200) => &counts.right,
        (true, _) => &counts.refused,
        (false, _) => &counts.wrong,
    };
    counter.fetch_add(1, Ordering::SeqCst);
    if !right {
        eprintln!("wrong: {path} {body:.200} -> {answer:?}");
        *line = None;
    }
}

/// The status and body of the next answer on a connection that stays open.
fn answer_of(stream: &mut TcpStream) -> Option<(u16, Value)> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 16_384]);
    loop {
        let read = stream.read(&mut piece).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&piece[..read]);
        let Some(answer) = answered(&bytes) else { continue };
        let length: usize = answer.header("content-length")?.parse().ok()?;
        if answer.body.len() >= length {
            return Some((answer.status, serde_json::from_slice(&answer.body).ok()?));
        }
    }
}

fn is_right(path: &str, texts: &[String], body: &Value) -> bool {
    let vectors = |all: Vec<&Value>| {
        all.len() == texts.len()
            && all.iter().zip(texts).all(|(found, text)| {
                serde_json::from_value::<Vec<f32>>((*found).clone())
                    .is_ok_and(|found| found == vector(text, true))
            })
    };
    match path {
        "/embed" => body.as_array().is_some_and(|all| vectors(all.iter().collect())),
        "/v1/embeddings" => body["data"]
            .as_array()
            .is_some_and(|all| vectors(all.iter().map(|one| &one["embedding"]).collect())),
        _ => {
            let Some(answers) = body["answers"].as_array().filter(|all| all.len() == texts.len()) else {
                return false;
            };
            let version = &answers[0]["range"]["version"];
            answers.iter().zip(texts).all(|(answer, text)| {
                let version_number = version.as_f64().unwrap_or_default() as u64;
                answer["range"]["version"] == *version
                    && answer["probabilities"]["ham"] == probability(text, version_number)
            })
        }
    }
}

/// Kilobytes of memory that this process has; 0 where the system does not say.
fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}
