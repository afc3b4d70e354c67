//! Clients that ask a server for embeddings as fast as it answers, each one request after the other:
//! `clients ADDRESS PATH TEXTS CLIENTS TEXTS_A_REQUEST SECONDS`.
//!
//! TEXTS is a file with a JSON list. The body is OpenAI's form, with `model` where PATH has `?model=NAME` behind it. Prints a JSON object:
//! texts a second, and milliseconds of a request.

mod wire;

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use wire::Line;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let run = || -> Option<String> {
        let [address, path, texts, clients, a_request, seconds] = &args[..] else { return None };
        let texts: Vec<String> = serde_json::from_slice(&std::fs::read(texts).ok()?).ok()?;
        let (path, model) = path.split_once("?model=").unwrap_or((path, ""));
        let (address, clients) = (address.parse().ok()?, clients.parse::<usize>().ok()?);
        let (a_request, seconds) = (a_request.parse::<usize>().ok()?, seconds.parse::<f64>().ok()?);
        let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let begin = Instant::now();
        let until = begin + Duration::from_secs_f64(seconds);
        let client = || {
            let (mut line, mut times) = (Line::new(address), Vec::new());
            while Instant::now() < until {
                let first = next.fetch_add(a_request, Ordering::Relaxed);
                let asked: Vec<&String> =
                    (first..first + a_request).map(|i| &texts[i % texts.len()]).collect();
                let body = json!({ "model": model, "input": asked }).to_string();
                let start = Instant::now();
                match line.post(path, &body) {
                    Some((200, _)) => times.push(start.elapsed().as_secs_f64() * 1e3),
                    _ => _ = failed.fetch_add(1, Ordering::Relaxed),
                }
            }
            times
        };
        let mut times: Vec<f64> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
            all.into_iter().flat_map(|one| one.join().unwrap_or_default()).collect()
        });
        let passed = begin.elapsed().as_secs_f64();
        times.sort_unstable_by(f64::total_cmp);
        let of = |share: f64| times.get(((times.len() as f64 * share) as usize).min(times.len().max(1) - 1));
        Some(
            json!({
                "texts_s": (times.len() * a_request) as f64 / passed,
                "p50_ms": of(0.5), "p99_ms": of(0.99), "requests": times.len(),
                "failed": failed.into_inner(),
            })
            .to_string(),
        )
    };
    match run() {
        Some(found) => {
            println!("{found}");
            ExitCode::SUCCESS
        }
        None => {
            eprintln!("clients ADDRESS PATH TEXTS CLIENTS TEXTS_A_REQUEST SECONDS");
            ExitCode::from(2)
        }
    }
}
