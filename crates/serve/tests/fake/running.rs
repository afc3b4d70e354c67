//! A server on a thread of the test, and a client that sees every byte.

#![allow(dead_code, reason = "each test uses its part")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pipeline_serve::outside::Source;
use pipeline_serve::{Handle, Log, ServeError, ServeSettings, Server};
use serde_json::Value;

/// A running server; dropped, it stops.
pub struct Running {
    pub address: SocketAddr,
    pub handle: Handle,
    pub log: Kept,
    thread: Option<JoinHandle<Result<(), ServeError>>>,
}

/// What was written to the log.
#[derive(Clone, Default)]
pub struct Kept(pub Arc<Mutex<Vec<u8>>>);

impl Kept {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Settings for a test: a free port, and no time wasted.
pub fn settings() -> ServeSettings {
    ServeSettings {
        address: "127.0.0.1:0".parse().unwrap(),
        reload_poll_s: 0.05,
        drain_s: 5.0,
        ..ServeSettings::default()
    }
}

/// Start a server and wait until it is ready.
pub fn start(settings: ServeSettings, sources: Vec<Box<dyn Source>>) -> Running {
    let log = Kept::default();
    let server = Server::bind(settings, sources, Log::new(Box::new(log.clone()))).unwrap();
    let (address, handle) = (server.address(), server.handle());
    let thread = std::thread::spawn(move || server.run(false));
    let running = Running { address, handle, log, thread: Some(thread) };
    until("the server is ready", || running.get("/readyz").status == 200);
    running
}

/// Wait until something is so, for at most 20 seconds.
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !so() {
        assert!(begin.elapsed() < Duration::from_secs(20), "not so after 20 s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answered {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
    /// The message of an error of OpenAI's form.
    pub fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap_or_else(|| panic!("no message: {self:?}")).to_owned()
    }
}

impl Running {
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    pub fn get(&self, path: &str) -> Answered {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"), b"")
    }

    pub fn post(&self, path: &str, body: &str) -> Answered {
        self.post_with(path, body.as_bytes(), "content-type: application/json\r\n")
    }

    pub fn post_with(&self, path: &str, body: &[u8], headers: &str) -> Answered {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
            body.len()
        );
        self.send(&head, body)
    }

    pub fn send(&self, head: &str, body: &[u8]) -> Answered {
        let mut stream = self.connect();
        stream.write_all(head.as_bytes()).unwrap();
        // The server may have answered and closed before it has read all.
        let _ = stream.write_all(body);
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        answered(&bytes)
            .unwrap_or_else(|| panic!("no answer to {head:?}: {:?}", String::from_utf8_lossy(&bytes)))
    }

    pub fn metric(&self, line: &str) -> Option<f64> {
        let text = String::from_utf8(self.get("/metrics").body).unwrap();
        text.lines().find_map(|l| l.strip_prefix(line)?.trim().parse().ok())
    }

    /// Stop it as a signal does, and what its run came to.
    pub fn stop(mut self) -> Result<(), ServeError> {
        self.handle.stop();
        self.thread.take().map_or(Ok(()), |thread| thread.join().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.stop();
        self.handle.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An answer from its bytes; `None` where its head is not whole.
pub fn answered(bytes: &[u8]) -> Option<Answered> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answered { status, head, body: bytes[end + 4..].to_vec() })
}
