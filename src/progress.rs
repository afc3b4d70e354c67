//! How a stage says what it does without knowing the terminal, and waits without being deaf.

use std::time::Duration;

/// What a stage reports to. The command line draws it; tests and other callers may ignore it with [`Silent`].
pub trait Progress: Sync {
    /// A piece of work of `total` units begins.
    fn start(&self, what: &str, total: u64, unit: &'static str);
    /// `n` more units are done.
    fn advance(&self, n: u64);
    /// The piece of work is over.
    fn finish(&self);
    /// Something a person should know now.
    fn note(&self, message: &str);
    /// Whether the user has asked to stop; long work looks at it often and stops at the next safe point.
    fn interrupted(&self) -> bool;
}

/// One of several pieces of work at once: it hears when to stop, and says nothing of its own.
pub struct Background<'a>(pub &'a dyn Progress);

impl Progress for Background<'_> {
    fn start(&self, _: &str, _: u64, _: &'static str) {}
    fn advance(&self, _: u64) {}
    fn finish(&self) {}
    fn note(&self, _: &str) {}
    fn interrupted(&self) -> bool {
        self.0.interrupted()
    }
}

/// Return after `time`, or as soon as `interrupted` says so, which is asked 20 times a second.
pub fn pause(time: Duration, interrupted: &dyn Fn() -> bool) {
    const STEP: Duration = Duration::from_millis(50);
    let mut left = time;
    while !left.is_zero() && !interrupted() {
        let step = left.min(STEP);
        std::thread::sleep(step);
        left -= step;
    }
}

/// Reports nothing, and stops once it is told.
pub struct Until<'a>(pub &'a (dyn Fn() -> bool + Sync));

impl Progress for Until<'_> {
    fn start(&self, _: &str, _: u64, _: &'static str) {}
    fn advance(&self, _: u64) {}
    fn finish(&self) {}
    fn note(&self, _: &str) {}
    fn interrupted(&self) -> bool {
        (self.0)()
    }
}

/// Reports nothing and never stops.
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _: &str, _: u64, _: &'static str) {}
    fn advance(&self, _: u64) {}
    fn finish(&self) {}
    fn note(&self, _: &str) {}
    fn interrupted(&self) -> bool {
        false
    }
}
