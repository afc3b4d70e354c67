//! Many clients ask a running `pipeline serve`, some of them badly, while its model is loaded again and again:
//! `against ADDRESS PID EXPECTED REQUESTS`.
//!
//! EXPECTED is what `pipeline predict --json --input jsonl FILE` wrote, of rows with one column; each answer must be that, and each embedding the one
//! that the text had at first, to the last bit. Prints how often each kind of request was answered as it should be, and how the server's
//! memory grew; ends with 1 where an answer was wrong or the server's memory went on growing.

mod wire;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use wire::{Line, read_answer, read_some, request};

const CLIENTS: u64 = 16;
/// Time between two loadings of the model.
const RELOAD_EVERY: Duration = Duration::from_secs(2);
/// What the server's memory may grow by after the first fifth of the requests, where these are so many that its caches are full by then.
const GROWTH: f64 = 1.25;
const FULL_AFTER: usize = 20_000;

/// Kinds of requests.
#[derive(Clone, Copy)]
enum Kind {
    Labels,
    Embeddings,
    Cut,
    Garbage,
    Deep,
    Large,
    Slow,
    UnknownModel,
}

/// Each with the share of requests, in thousands.
const KINDS: [(Kind, &str, u32); 8] = [
    (Kind::Labels, "labels", 750),
    (Kind::Embeddings, "embeddings", 150),
    (Kind::Cut, "cut connection", 35),
    (Kind::Garbage, "garbage", 30),
    (Kind::Deep, "deep JSON", 20),
    (Kind::Large, "body of 10 MB", 1),
    (Kind::Slow, "slow reader", 4),
    (Kind::UnknownModel, "unknown model", 10),
];

/// A row with what is to be said of it.
struct Row {
    text: String,
    answer: Value,
    embedding: Mutex<Option<Value>>,
}

#[derive(Default)]
struct Counts {
    asked: AtomicUsize,
    right: AtomicUsize,
    full: AtomicUsize,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let parsed = || -> Option<(SocketAddr, u32, Vec<Row>, usize)> {
        let [address, pid, expected, requests] = &args[..] else { return None };
        let rows = std::fs::read_to_string(expected).ok()?.lines().map(row).collect::<Option<Vec<_>>>()?;
        Some((address.parse().ok()?, pid.parse().ok()?, rows, requests.parse().ok()?))
    };
    let Some((address, pid, rows, requests)) = parsed() else {
        eprintln!("against ADDRESS PID EXPECTED REQUESTS");
        return ExitCode::from(2);
    };
    let (counts, next): ([Counts; KINDS.len()], _) = (Default::default(), AtomicUsize::new(0));
    let (begin, mut memory, mut reloads) = (Instant::now(), Vec::new(), 0);
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (rows, counts, next) = (&rows, &counts, &next);
            scope.spawn(move || {
                let mut random = StdRng::seed_from_u64(client);
                let mut line = Line::new(address);
                while next.fetch_add(1, Ordering::Relaxed) < requests {
                    one(&mut line, address, rows, &mut random, counts);
                }
            });
        }
        let mut told = Instant::now();
        loop {
            let done = next.load(Ordering::Relaxed).min(requests);
            if done * 5 / requests > memory.len() {
                memory.push(resident_mb(pid));
                println!(
                    "{done} requests in {:.0} s, the server holds {:.0} MB",
                    begin.elapsed().as_secs_f64(),
                    memory[memory.len() - 1]
                );
            }
            if done == requests {
                break;
            }
            if told.elapsed() > RELOAD_EVERY {
                told = Instant::now();
                reloads += usize::from(
                    Command::new("kill").args(["-HUP", &pid.to_string()]).status().is_ok_and(|s| s.success()),
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    println!("the model was loaded again {reloads} times");
    println!("{:<16} {:>9} {:>9} {:>9} {:>9}", "", "asked", "right", "told 429", "wrong");
    let mut wrong = 0;
    for ((_, name, _), count) in KINDS.iter().zip(counts) {
        let [asked, right, full] = [count.asked, count.right, count.full].map(AtomicUsize::into_inner);
        println!("{name:<16} {asked:>9} {right:>9} {full:>9} {:>9}", asked - right - full);
        wrong += asked - right - full;
    }
    let full = requests / 5 >= FULL_AFTER;
    let grown = full && memory.last().zip(memory.first()).is_some_and(|(last, first)| *last > GROWTH * first);
    if grown {
        println!("the server's memory grew by more than a quarter after the first fifth");
    }
    if wrong == 0 && !grown { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A line of what `predict` wrote, with the text of its only column.
fn row(line: &str) -> Option<Row> {
    let mut answer: Value = serde_json::from_str(line).ok()?;
    let input = answer.as_object_mut()?.shift_remove("input")?;
    let text = input.as_object()?.values().next()?.as_str()?.to_owned();
    answer.as_object_mut()?.shift_remove("line");
    Some(Row { text, answer, embedding: Mutex::new(None) })
}

/// One request of some kind, on the client's connection or one of its own.
fn one(line: &mut Line, address: SocketAddr, rows: &[Row], random: &mut StdRng, counts: &[Counts]) {
    let mut at = random.random_range(0..KINDS.iter().map(|(_, _, share)| share).sum());
    let place = KINDS.iter().position(|(_, _, share)| at.checked_sub(*share).map(|left| at = left).is_none());
    let (kind, name, _) = KINDS[place.unwrap_or(0)];
    let count = &counts[place.unwrap_or(0)];
    count.asked.fetch_add(1, Ordering::Relaxed);
    let chosen: Vec<&Row> =
        (0..random.random_range(1..8)).map(|_| &rows[random.random_range(0..rows.len())]).collect();
    let texts: Vec<&str> = chosen.iter().map(|row| row.text.as_str()).collect();
    let body = json!({ "texts": texts }).to_string();
    let found = match kind {
        Kind::Labels => expect(line.post("/predict", &body), 200, |body| labels_are(body, &chosen)),
        Kind::Embeddings => {
            let body = json!({ "inputs": texts }).to_string();
            expect(line.post("/embed", &body), 200, |body| embeddings_are(body, &chosen))
        }
        Kind::UnknownModel => {
            let body = json!({ "texts": texts, "model": "no such model" }).to_string();
            expect(line.post("/predict", &body), 404, |_| true)
        }
        Kind::Deep => {
            let body = format!("{{\"texts\": {}", "[".repeat(random.random_range(200..20_000)));
            expect(line.post("/predict", &body), 400, |_| true)
        }
        Kind::Cut => cut(address, &request("/predict", &body), random),
        Kind::Garbage => garbage(address, random),
        Kind::Large => large(address),
        Kind::Slow => slow(address, &request("/embed", &json!({ "inputs": texts }).to_string()), &chosen),
    };
    match found {
        Found::Right => count.right.fetch_add(1, Ordering::Relaxed),
        Found::Full => count.full.fetch_add(1, Ordering::Relaxed),
        Found::Wrong(what) => {
            eprintln!("wrong: {name}: {what:.300}");
            0
        }
    };
}

/// What came of a request.
enum Found {
    Right,
    Full,
    Wrong(String),
}

fn expect(answer: Option<wire::Answer>, status: u16, right: impl Fn(&Value) -> bool) -> Found {
    match answer {
        Some((429, _)) => Found::Full,
        Some((found, body))
            if found == status && right(&serde_json::from_slice(&body).unwrap_or_default()) =>
        {
            Found::Right
        }
        Some((found, body)) => Found::Wrong(format!("{found} {}", String::from_utf8_lossy(&body))),
        None => Found::Wrong("no answer".into()),
    }
}

fn labels_are(body: &Value, rows: &[&Row]) -> bool {
    let Some(answers) = body["answers"].as_array().filter(|all| all.len() == rows.len()) else {
        return false;
    };
    answers.iter().zip(rows).all(|(answer, row)| {
        let expected = row.answer.as_object();
        expected.is_some_and(|all| all.iter().all(|(key, value)| is(&answer[key], value)))
    })
}

/// Whether two values are one; numbers up to what the order of an addition changes, which a batch of another size has.
fn is(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Number(a), Value::Number(b)) => {
            a.as_f64().zip(b.as_f64()).is_some_and(|(a, b)| (a - b).abs() < 1e-5)
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && b.iter().all(|(key, b)| a.get(key).is_some_and(|a| is(a, b)))
        }
        _ => found == expected,
    }
}

fn embeddings_are(body: &Value, rows: &[&Row]) -> bool {
    let Some(all) = body.as_array().filter(|all| all.len() == rows.len()) else { return false };
    all.iter().zip(rows).all(|(found, row)| {
        let mut known = row.embedding.lock().unwrap_or_else(|e| e.into_inner());
        known.get_or_insert_with(|| found.clone()) == found
    })
}

/// Leaves in the middle of the request, or before the answer.
fn cut(address: SocketAddr, whole: &str, random: &mut StdRng) -> Found {
    let Ok(mut stream) = Line::connect(address) else { return Found::Wrong("no connection".into()) };
    let length = if random.random() { whole.len() } else { random.random_range(1..whole.len()) };
    let _ = stream.write_all(&whole.as_bytes()[..length]);
    Found::Right
}

/// Bytes that are no request: an error, or nothing.
fn garbage(address: SocketAddr, random: &mut StdRng) -> Found {
    let Ok(mut stream) = Line::connect(address) else { return Found::Wrong("no connection".into()) };
    let bytes: Vec<u8> = (0..random.random_range(1..2000)).map(|_| random.random()).collect();
    let _ = stream.write_all(&bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    match answer.is_empty() || answer.starts_with(b"HTTP/1.1 4") {
        true => Found::Right,
        false => Found::Wrong(String::from_utf8_lossy(&answer).into_owned()),
    }
}

/// More bytes than a body may have: refused before they are all read.
fn large(address: SocketAddr) -> Found {
    let Ok(mut stream) = Line::connect(address) else { return Found::Wrong("no connection".into()) };
    let body = format!("{{\"texts\": [\"{}\"]}}", "a".repeat(10 << 20));
    let _ = stream.write_all(request("/predict", &body).as_bytes());
    match read_answer(&mut stream) {
        // What was not read makes the system reset the connection, which may take the answer with it.
        Some((413, _)) | None => Found::Right,
        Some((status, _)) => Found::Wrong(format!("{status} to a body of 10 MB")),
    }
}

/// Takes its answer a few bytes at a time.
fn slow(address: SocketAddr, whole: &str, rows: &[&Row]) -> Found {
    let Ok(mut stream) = Line::connect(address) else { return Found::Wrong("no connection".into()) };
    let _ = stream.write_all(whole.as_bytes());
    let (mut first, mut piece) = ([0; 64], Vec::new());
    for _ in 0..20 {
        match read_some(&mut stream, &mut first) {
            Ok(read) => piece.extend_from_slice(&first[..read]),
            Err(error) => return Found::Wrong(error.to_string()),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.read_to_end(&mut piece);
    let Some(end) = piece.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Found::Wrong("no whole answer".into());
    };
    match serde_json::from_slice(&piece[end + 4..]) {
        Ok(body) if embeddings_are(&body, rows) => Found::Right,
        _ if piece.starts_with(b"HTTP/1.1 429") => Found::Full,
        _ => Found::Wrong(String::from_utf8_lossy(&piece).into_owned()),
    }
}

/// Megabytes of memory that a process has; 0 where the system does not say.
fn resident_mb(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<f64>().map_or(0.0, |kb| kb / 1024.0)
}
