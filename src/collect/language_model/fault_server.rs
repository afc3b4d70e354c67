//! A server for tests that answers as it is told to, well or badly.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

/// What the server does with one request.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// A status, headers (each with `\r\n` at its end) and a body.
    Say(u16, &'static str, String),
    /// A body that is promised to be longer than it is.
    Cut,
    /// Bytes without end.
    Endless,
    /// Something else than HTTP.
    Noise,
    /// No answer before the client gives up.
    Silence,
}

/// A chat completion with that text.
pub(super) fn completion(text: &str) -> Act {
    finished(text, "stop")
}

/// A chat completion with that text and end.
pub(super) fn finished(text: &str, finish: &str) -> Act {
    let choice = json!({ "message": { "role": "assistant", "content": text }, "finish_reason": finish });
    let usage = json!({ "prompt_tokens": 10, "completion_tokens": 5 });
    Act::Say(200, "", json!({ "choices": [choice], "usage": usage }).to_string())
}

/// An error as OpenAI writes it.
pub(super) fn refusal(status: u16, headers: &'static str, message: &str) -> Act {
    Act::Say(status, headers, json!({ "error": { "message": message } }).to_string())
}

/// A request as it came in.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Request line and headers.
    pub head: String,
    pub body: Value,
}

pub(super) struct FaultServer {
    /// To be used as `base_url`.
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl FaultServer {
    /// A server that does what `act` says for the request with that number, counted from 0.
    pub fn new(act: impl Fn(usize, &Seen) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (act, log) = (Arc::new(act), seen.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (act, log) = (act.clone(), log.clone());
                thread::spawn(move || {
                    // A client that has gone away is not the server's failure.
                    let _ = serve(stream, &log, &*act);
                });
            }
        });
        Self { url, seen }
    }

    /// A server that does these in turn, the last again and again.
    pub fn in_turn(acts: Vec<Act>) -> Self {
        Self::new(move |number, _| acts[number.min(acts.len() - 1)].clone())
    }

    /// What was asked so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(
    mut stream: TcpStream,
    log: &Mutex<Vec<Seen>>,
    act: &(impl Fn(usize, &Seen) -> Act + ?Sized),
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let request = Seen { head, body: serde_json::from_slice(&body).unwrap_or(Value::Null) };
    let number = {
        let mut log = log.lock().unwrap();
        log.push(request.clone());
        log.len() - 1
    };
    match act(number, &request) {
        Act::Say(status, headers, body) => write!(
            stream,
            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n{headers}Connection: close\r\n\r\n{body}",
            body.len()
        ),
        Act::Cut => write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{{\"choices\": ["),
        Act::Endless => {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n["
            )?;
            loop {
                stream.write_all(&[b' '; 1 << 16])?;
            }
        }
        Act::Noise => write!(stream, "220 mail.example ESMTP\r\n500 what?\r\n"),
        Act::Silence => {
            // Until the client closes the connection.
            let _ = reader.read(&mut [0]);
            Ok(())
        }
    }
}
