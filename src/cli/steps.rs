//! How far a piece of work is, as lines now and then, where no bar can be drawn.

use std::time::{Duration, Instant};

use crate::counting::grouped;

/// How often a long piece of work says how far it is.
pub const SAID_EVERY: Duration = Duration::from_secs(30);

/// A piece of work under way.
pub struct Steps {
    what: String,
    unit: &'static str,
    /// 0 where nobody knows.
    total: u64,
    done: u64,
    started: Instant,
    said: Instant,
}

impl Steps {
    /// Work of `total` units begins `now`.
    pub fn new(what: &str, total: u64, unit: &'static str, now: Instant) -> Self {
        Self { what: what.to_owned(), unit, total, done: 0, started: now, said: now }
    }

    /// `n` more units are done `now`; what to say, where it is time to.
    pub fn advance(&mut self, n: u64, now: Instant) -> Option<String> {
        self.done += n;
        if now.duration_since(self.said) < SAID_EVERY {
            return None;
        }
        self.said = now;
        let seconds = now.duration_since(self.started).as_secs_f64();
        let rate = self.done as f64 / seconds;
        let done = grouped(self.done as usize);
        Some(match self.total {
            0 => format!("{}: {done} {}, {rate:.1} a second", self.what, self.unit),
            total => {
                let left = total.saturating_sub(self.done) as f64 / rate.max(1e-9);
                let total = grouped(total as usize);
                format!("{}: {done} of {total} {}, about {} left", self.what, self.unit, time(left))
            }
        })
    }
}

/// `40 s`, `12 min`, `3.5 h`.
fn time(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_every_half_minute() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut steps = Steps::new("embedding", 4000, "texts", start);
        assert_eq!(steps.advance(900, after(29)), None);
        assert_eq!(
            steps.advance(100, after(30)).unwrap(),
            "embedding: 1,000 of 4,000 texts, about 2 min left"
        );
        assert_eq!(steps.advance(1, after(59)), None);
        assert_eq!(
            steps.advance(999, after(60)).unwrap(),
            "embedding: 2,000 of 4,000 texts, about 60 s left"
        );
        let mut steps = Steps::new("predicting", 0, "rows", start);
        assert_eq!(steps.advance(45, after(30)).unwrap(), "predicting: 45 rows, 1.5 a second");
        assert_eq!(time(20_000.0), "5.6 h");
    }
}
