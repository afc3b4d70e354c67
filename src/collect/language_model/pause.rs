//! How long to wait before the next try, and waiting.

use std::time::{Duration, SystemTime};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// The longest wait, whatever the endpoint asks for: longer ones are for another run.
pub(super) const LONGEST: Duration = Duration::from_secs(120);

/// The wait before the first repetition, before jitter.
const FIRST: Duration = Duration::from_secs(1);

/// How the time between two tries passes.
pub trait Pause: Sync {
    /// Return after `time`, or as soon as `interrupted` says so.
    fn pause(&self, time: Duration, interrupted: &dyn Fn() -> bool);
}

/// Waits by the clock.
pub struct RealTime;

impl Pause for RealTime {
    fn pause(&self, time: Duration, interrupted: &dyn Fn() -> bool) {
        crate::progress::pause(time, interrupted);
    }
}

/// The waits of one request: doubling from a second to [`LONGEST`], each shortened by up to a half at random so that requests
/// which failed together do not come back together.
pub(super) struct BackOff {
    next: Duration,
    random: ChaCha8Rng,
}

impl BackOff {
    /// `seed` must differ between requests that run at once.
    pub fn new(seed: u64) -> Self {
        Self { next: FIRST, random: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// The next wait; `told` is what the endpoint asks for, of which at most [`LONGEST`] is granted.
    pub fn next(&mut self, told: Option<Duration>) -> Duration {
        let own = self.next.mul_f64(self.random.random_range(0.5..1.0));
        self.next = (self.next * 2).min(LONGEST);
        told.map_or(own, |told| told.min(LONGEST).max(own))
    }
}

/// The wait that a `Retry-After` header asks for at the time `now`: whole or broken seconds, or an HTTP date (RFC 9110; of its
/// three forms the one that is not obsolete). `None` where it is neither.
pub(super) fn retry_after(header: &str, now: SystemTime) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = OffsetDateTime::parse(header, &Rfc2822).ok()?;
    // A date that has passed asks for no wait.
    Some((date - OffsetDateTime::from(now)).try_into().unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_within_their_jitter_up_to_the_longest() {
        let mut waits = BackOff::new(1);
        for exponent in 0..12 {
            let full = Duration::from_secs(1 << exponent).min(LONGEST);
            let wait = waits.next(None);
            assert!(wait >= full / 2 && wait < full, "{exponent}: {wait:?}");
        }
        let first: Vec<Duration> = (0..20).map(|seed| BackOff::new(seed).next(None)).collect();
        assert!(first.iter().any(|wait| *wait != first[0]));
        assert_eq!(BackOff::new(3).next(None), BackOff::new(3).next(None));
    }

    #[test]
    fn what_the_endpoint_asks_for_is_granted_up_to_the_longest() {
        assert_eq!(BackOff::new(1).next(Some(Duration::from_secs(7))), Duration::from_secs(7));
        assert_eq!(BackOff::new(1).next(Some(Duration::from_secs(7000))), LONGEST);
        assert!(BackOff::new(1).next(Some(Duration::ZERO)) >= FIRST / 2);
    }

    #[test]
    fn headers_are_seconds_or_dates() {
        // 784111777 is the example of RFC 9110, section 5.6.7: Sun, 06 Nov 1994 08:49:37 GMT.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let seconds = |header: &str| retry_after(header, now).map(|wait| wait.as_secs_f64());
        assert_eq!(seconds(" 12 "), Some(12.0));
        assert_eq!(seconds("0.5"), Some(0.5));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60.0));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0.0));
        for bad in ["", "-1", "NaN", "inf", "1e300", "soon", "Sun, 99 Nov 1994 08:50:37 GMT"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_interrupt_ends_the_wait() {
        // The wait itself would outlast any test run.
        RealTime.pause(Duration::from_secs(1_000_000), &|| true);
    }
}
