//! A site on the loopback interface for tests, which remembers what it was asked.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Path and query.
    pub path: String,
    /// Headers by their lower-case names.
    pub headers: HashMap<String, String>,
}

/// What the site answers.
pub enum Reply {
    /// An answer with its headers; `Content-Length` and `Connection` are added.
    Answer { status: &'static str, headers: Vec<(&'static str, String)>, body: Vec<u8> },
    /// A page that claims to be longer than what comes.
    Cut,
    /// A page that comes a byte at a time until nobody listens.
    Drip,
}

impl Reply {
    pub fn html(body: impl Into<Vec<u8>>) -> Self {
        Self::with("200 OK", &[("Content-Type", "text/html; charset=utf-8")], body)
    }

    pub fn with(status: &'static str, headers: &[(&'static str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self::Answer { status, headers, body: body.into() }
    }

    pub fn text(body: &str) -> Self {
        Self::with("200 OK", &[("Content-Type", "text/plain")], body)
    }

    pub fn missing() -> Self {
        Self::with("404 Not Found", &[], "")
    }

    pub fn moved(to: &str) -> Self {
        Self::with("302 Found", &[("Location", to)], "")
    }
}

/// A running site.
pub struct Site {
    address: SocketAddr,
    seen: Arc<Seen>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    asked: Mutex<Vec<Asked>>,
    open: AtomicUsize,
    most_open: AtomicUsize,
}

impl Site {
    /// Serve what `answer` says until the value is dropped.
    pub fn serve(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, over) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(false)));
        let (seen_by_thread, over_by_thread) = (seen.clone(), over.clone());
        let answer = Arc::new(answer);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over_by_thread.load(Ordering::SeqCst) {
                    return;
                }
                let (seen, answer) = (seen_by_thread.clone(), answer.clone());
                std::thread::spawn(move || {
                    let open = seen.open.fetch_add(1, Ordering::SeqCst) + 1;
                    seen.most_open.fetch_max(open, Ordering::SeqCst);
                    // Whoever asks may hang up at any time.
                    let _ = stream.and_then(|stream| converse(stream, &seen, &*answer));
                });
            }
        });
        Self { address, seen, over, thread: Some(thread) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Its host and port, as settings name it.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Every request so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.seen.asked.lock().unwrap().clone()
    }

    /// The paths of every request so far, but for robots.txt.
    pub fn paths(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.path).filter(|path| path != "/robots.txt").collect()
    }

    /// The most requests that were open at once.
    pub fn most_open(&self) -> usize {
        self.seen.most_open.load(Ordering::SeqCst)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn converse(
    mut stream: TcpStream,
    seen: &Seen,
    answer: &(dyn Fn(&Asked) -> Reply + Send + Sync),
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = HashMap::new();
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    let asked = Asked { path, headers };
    seen.asked.lock().unwrap().push(asked.clone());
    let reply = answer(&asked);
    // Whoever asks may ask again as soon as the last byte is there.
    seen.open.fetch_sub(1, Ordering::SeqCst);
    let html = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n<p>begun";
    match reply {
        Reply::Answer { status, headers, body } => {
            let mut head =
                format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
            headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
            stream.write_all(head.as_bytes())?;
            stream.write_all(b"\r\n")?;
            stream.write_all(&body)
        }
        Reply::Cut => stream.write_all(html.as_bytes()),
        Reply::Drip => {
            stream.write_all(html.as_bytes())?;
            // A minute at most, were nobody to hang up.
            for _ in 0..3000 {
                stream.write_all(b"x")?;
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(())
        }
    }
}
