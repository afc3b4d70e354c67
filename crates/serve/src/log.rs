//! The log: an object a line, written by a thread of its own, so that a full pipe never holds a request.
//!
//! No text of a request comes here; what is logged of one is in the caller's hands.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Lines that wait for a slow reader; later ones are counted and dropped.
const MOST_WAITING: usize = 8192;

/// How grave a line is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Level {
    /// What happens anyway.
    Info,
    /// What should be looked at.
    Warning,
    /// What failed.
    Error,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A message to the thread that writes.
enum Message {
    Line(String),
    /// Say when all before is written.
    Flush(SyncSender<()>),
}

/// Where lines go; copies of it go to one place.
#[derive(Clone)]
pub struct Log {
    lines: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

impl Log {
    /// A log that writes to `out`. Its thread ends with the last copy.
    pub fn new(out: Box<dyn Write + Send>) -> Self {
        let (lines, waiting) = sync_channel(MOST_WAITING);
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = dropped.clone();
        // Without a thread lines are dropped, which is better than no server.
        let _ = std::thread::Builder::new().name("log".into()).spawn(move || write(out, &waiting, &counter));
        Self { lines, dropped }
    }

    /// A line of an `event` with the members of the object `fields`.
    pub fn line(&self, level: Level, event: &str, fields: Value) {
        let now = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
        let mut line = Map::new();
        line.insert("time".into(), json!(now));
        line.insert("level".into(), json!(level.name()));
        line.insert("event".into(), json!(event));
        if let Value::Object(fields) = fields {
            line.extend(fields);
        }
        let line = Value::Object(line).to_string() + "\n";
        if let Err(TrySendError::Full(_)) = self.lines.try_send(Message::Line(line)) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Wait until all is written, or for `most`.
    pub fn flush(&self, most: Duration) {
        let (done, wait) = sync_channel(1);
        if self.lines.try_send(Message::Flush(done)).is_ok() {
            let _ = wait.recv_timeout(most);
        }
    }
}

/// Have panics of this process logged by place only: their messages may hold a text, such as one that was cut inside a letter.
pub fn quiet_panics(log: Log) {
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        log.line(Level::Error, "panic", json!({ "at": place, "thread": thread }));
    }));
}

fn write(mut out: Box<dyn Write + Send>, waiting: &Receiver<Message>, dropped: &AtomicU64) {
    const LOOK: Duration = Duration::from_millis(200);
    loop {
        let message = waiting.recv_timeout(LOOK);
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let _ = writeln!(
                out,
                "{}",
                json!({ "level": "warning", "event": "log lines dropped", "lines": lost })
            );
        }
        // A log that nobody reads any more is no reason to stop.
        match message {
            Ok(Message::Line(line)) => drop(out.write_all(line.as_bytes())),
            Ok(Message::Flush(done)) => {
                let _ = out.flush();
                let _ = done.try_send(());
            }
            Err(RecvTimeoutError::Timeout) => drop(out.flush()),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_one_object_whatever_is_in_it() {
        let kept = Kept::default();
        let log = Log::new(Box::new(kept.clone()));
        log.line(Level::Warning, "reload", json!({ "reason": "a\n\"b\"" }));
        log.flush(Duration::from_secs(10));
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1);
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["level"], "warning");
        assert_eq!(line["reason"], "a\n\"b\"");
    }

    #[test]
    fn a_reader_that_hangs_holds_nobody() {
        struct Hangs(std::sync::mpsc::Receiver<()>);
        impl Write for Hangs {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                let _ = self.0.recv();
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let (release, hold) = std::sync::mpsc::channel();
        let log = Log::new(Box::new(Hangs(hold)));
        for _ in 0..MOST_WAITING + 100 {
            log.line(Level::Info, "request", Value::Null);
        }
        assert!(log.dropped.load(Ordering::Relaxed) >= 99);
        drop(release);
    }
}
