//! Time as a crawl sees it, so that tests need not wait.

use std::time::{Duration, Instant};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Tells the time and lets it pass.
pub trait Clock: Sync {
    /// Time since some fixed moment; never goes back.
    fn elapsed(&self) -> Duration;
    /// The date and time of day in UTC.
    fn date(&self) -> OffsetDateTime;
    /// Let `time` pass.
    fn sleep(&self, time: Duration);
}

/// The clock on the wall.
pub struct WallClock(Instant);

impl WallClock {
    /// A clock that starts now.
    #[expect(clippy::new_without_default, reason = "it starts to run, which a default value should not")]
    pub fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for WallClock {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
    fn date(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }
    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// `date` as RFC 3339 in UTC to the second: `2026-05-01T12:00:00Z`.
pub(super) fn rfc_3339(date: OffsetDateTime) -> String {
    let date = date.to_offset(time::UtcOffset::UTC).replace_nanosecond(0).unwrap_or(date);
    date.format(&Rfc3339).unwrap_or_else(|_| date.unix_timestamp().to_string())
}

/// The date that RFC 3339 text means.
pub(super) fn parse_rfc_3339(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text.trim(), &Rfc3339).ok()
}

/// A duration of `seconds`, or none where that is no time: negative, not a number, or beyond a year.
pub(super) fn seconds(seconds: f64) -> Option<Duration> {
    const YEAR: f64 = 366.0 * 86_400.0;
    (0.0..=YEAR).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// A clock that stands still but for what is slept.
    pub struct StillClock(AtomicU64);

    impl StillClock {
        pub fn new() -> Self {
            Self(AtomicU64::new(0))
        }
    }

    impl Clock for StillClock {
        fn elapsed(&self) -> Duration {
            Duration::from_millis(self.0.load(Ordering::SeqCst))
        }
        fn date(&self) -> OffsetDateTime {
            OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000) + self.elapsed()
        }
        fn sleep(&self, time: Duration) {
            self.0.fetch_add(time.as_millis().max(1) as u64, Ordering::SeqCst);
        }
    }

    #[test]
    fn dates_go_round() {
        let date = StillClock::new().date();
        assert_eq!(rfc_3339(date), "2023-11-14T22:13:20Z");
        assert_eq!(parse_rfc_3339(&rfc_3339(date)), Some(date));
        assert_eq!(parse_rfc_3339("yesterday"), None);
    }

    #[test]
    fn only_time_is_time() {
        assert_eq!(seconds(1.5), Some(Duration::from_millis(1500)));
        for no in [-1.0, f64::NAN, f64::INFINITY, 1e30] {
            assert_eq!(seconds(no), None, "{no}");
        }
    }
}
