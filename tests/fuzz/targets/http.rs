//! What clients send, to a running server whose model answers by hashes.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::path::Path;
use std::sync::LazyLock;

use crate::fake::model::source;
use crate::fake::running::{Answered, Running, answered, settings, start};
use crate::target::{Outcome, Target};

const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "null",
    "true",
    "1e400",
    "-1",
    "\\ud800",
    "\\u0000",
    "\"texts\":",
    "\"rows\":",
    "\"inputs\":",
    "\"input\":",
    "\"model\":",
    "\"abstain_below\":",
    "\"encoding_format\":\"base64\"",
    "\"dimensions\":",
    "\"truncate\":",
    "[[[[[[[[",
    "\r\n",
    "\r\n\r\n",
    "transfer-encoding: chunked\r\n",
    "content-length: ",
    "ffffffffffffffff\r\n",
    "expect: 100-continue\r\n",
    "HTTP/1.1",
    "GET ",
    "/predict",
    "/v1/embeddings",
    "%00",
    "connection: close\r\n",
    "origin: null\r\n",
    "authorization: Bearer ",
];

/// The body of a request; its first byte says to which path it is sent.
pub const BODY: Target =
    Target { name: "http_body", file: "body", longest: 20_000, seeds: &[], words: WORDS, read: body };
/// All of a request.
pub const REQUEST: Target = Target { name: "http_request", file: "request", read: request, ..BODY };

static SERVER: LazyLock<Running> = LazyLock::new(|| {
    let short = pipeline_serve::ServeSettings { header_timeout_s: 0.2, body_timeout_s: 0.2, ..settings() };
    start(short, vec![Box::new(source("hash"))])
});

fn body(_: &Path, bytes: &[u8]) -> Outcome {
    const PATHS: [&str; 4] = ["/predict", "/embed", "/v1/embeddings", "/"];
    let (first, rest) = bytes.split_first().unwrap_or((&0, &[]));
    let path = PATHS[usize::from(*first) % PATHS.len()];
    judged(SERVER.post_with(path, rest, "content-type: application/json\r\n"))
}

fn request(_: &Path, bytes: &[u8]) -> Outcome {
    let mut stream = SERVER.connect();
    // Who is refused early may not be able to send the rest.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    // Who hangs up may or may not be answered, so that twice need not be the same.
    let answer = answered(&answer).ok_or("no answer")?;
    Err(judged(answer).unwrap_or_else(|refused| refused))
}

/// An answer is one to the client's fault or to a good question; the model's own faults are asked for by name.
fn judged(answer: Answered) -> Outcome {
    let text = String::from_utf8_lossy(&answer.body);
    let asked_for = text.contains("it panicked") || text.contains("told to fail");
    assert!(answer.status < 500 || [501, 505].contains(&answer.status) || asked_for, "{answer:?}");
    if answer.status < 300 { Ok(answer.status.to_string()) } else { Err(format!("{} {text}", answer.status)) }
}
