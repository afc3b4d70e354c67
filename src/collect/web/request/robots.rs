//! What a host's robots.txt (RFC 9309) says, kept for a day beside the frontier.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use texting_robots::Robot;
use time::OffsetDateTime;
use url::Url;

use super::fetch::{Answer, Ask, Fetcher, Wanted};
use crate::collect::web::clock::{parse_rfc_3339, rfc_3339, seconds};
use crate::collect::web::error::WebError;
use crate::collect::web::page_url::normal_escapes;
use crate::collect::web::refusal::Refusal;

/// What a host allows.
pub enum Policy {
    /// It has rules.
    Rules(Rules),
    /// It has none (a 4xx answer).
    Free,
    /// What it has cannot be known now, so it is left alone for this run; or it is at an address that may not be asked.
    Closed {
        /// Why.
        refusal: Refusal,
    },
}

/// The rules of a robots.txt for this program.
pub struct Rules {
    robot: Robot,
    /// The Crawl-delay; `None` where there is none.
    pub delay: Option<Duration>,
    /// The Crawl-delay in seconds that was asked for, where it is above the cap.
    pub delay_cut_from: Option<f32>,
}

impl Policy {
    /// Whether `url` may be asked.
    ///
    /// # Errors
    /// It may not.
    pub fn check(&self, url: &Url) -> Result<(), Refusal> {
        match self {
            // Only the part after the host is compared: the library takes anything else for a path.
            Self::Rules(rules) if !rules.robot.allowed(&url[url::Position::BeforePath..]) => {
                Err(Refusal::Robots)
            }
            Self::Rules(_) | Self::Free => Ok(()),
            Self::Closed { refusal } => Err(refusal.clone()),
        }
    }

    /// The sitemaps that it names.
    pub fn sitemaps(&self) -> &[String] {
        match self {
            Self::Rules(rules) => &rules.robot.sitemaps,
            Self::Free | Self::Closed { .. } => &[],
        }
    }

    fn left_alone(reason: String) -> Self {
        Self::Closed { refusal: Refusal::LeftAlone { reason } }
    }

    fn read(token: &str, text: &str, cap: Duration) -> Self {
        // Rules and addresses are compared in one spelling of their escapes.
        match Robot::new(token, normal_escapes(text).as_bytes()) {
            Ok(robot) => {
                let asked = robot.delay.filter(|delay| *delay > 0.0);
                let delay = asked.map(|a| seconds(f64::from(a)).map_or(cap, |delay| delay.min(cap)));
                let delay_cut_from = asked.filter(|a| f64::from(*a) > cap.as_secs_f64());
                Self::Rules(Rules { robot, delay, delay_cut_from })
            }
            Err(error) => Self::left_alone(format!("its robots.txt cannot be read: {error:#}")),
        }
    }
}

/// A line of the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    origin: String,
    fetched: String,
    /// `None`: there is none.
    text: Option<String>,
}

/// The robots.txt of every host that was asked.
pub struct Robots {
    token: String,
    cap: Duration,
    path: PathBuf,
    known: Mutex<Known>,
}

struct Known {
    file: File,
    kept: HashMap<String, Kept>,
    policies: HashMap<String, Arc<Policy>>,
}

const KEPT_FOR: time::Duration = time::Duration::hours(24);

/// Redirects of a robots.txt that are followed (RFC 9309 §2.3.1.2).
const REDIRECTS: u32 = 5;

impl Robots {
    /// Those kept in `folder`. `token` is the bare name of the program, `cap` the longest Crawl-delay that is kept to.
    ///
    /// # Errors
    /// The file in the folder cannot be read or written.
    pub fn open(folder: &Path, token: &str, cap: Duration) -> Result<Self, WebError> {
        let path = folder.join("robots.jsonl");
        let text = match std::fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(WebError::of("read", &path)(error)),
        };
        // It is a cache: a line that cannot be read is a robots.txt that is asked again.
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Kept>(line).ok());
        let kept: HashMap<String, Kept> = lines.map(|kept| (kept.origin.clone(), kept)).collect();
        let mut file =
            OpenOptions::new().append(true).create(true).open(&path).map_err(WebError::of("write", &path))?;
        if !text.is_empty() && !text.ends_with('\n') {
            file.write_all(b"\n").map_err(WebError::of("write", &path))?;
        }
        let known = Known { file, kept, policies: HashMap::new() };
        Ok(Self { token: token.to_owned(), cap, path, known: Mutex::new(known) })
    }

    /// What is known of the host of `url`, at most a day old.
    pub fn known(&self, url: &Url, now: OffsetDateTime) -> Option<Arc<Policy>> {
        let origin = url.origin().ascii_serialization();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // What was read in this run holds for this run, a closed host too.
        if let Some(policy) = known.policies.get(&origin) {
            return Some(policy.clone());
        }
        let kept = known.kept.get(&origin)?;
        let fetched = parse_rfc_3339(&kept.fetched)?;
        if fetched > now || now - fetched > KEPT_FOR {
            return None;
        }
        let policy = match &kept.text {
            Some(text) => Policy::read(&self.token, text, self.cap),
            None => Policy::Free,
        };
        let policy = Arc::new(policy);
        known.policies.insert(origin, policy.clone());
        Some(policy)
    }

    /// Ask the host of `url` for its robots.txt, and keep it.
    ///
    /// # Errors
    /// It cannot be written to the folder; what a host answers is never an error.
    pub fn ask(&self, fetcher: &Fetcher, url: &Url, now: OffsetDateTime) -> Result<Arc<Policy>, WebError> {
        let origin = url.origin().ascii_serialization();
        let (policy, kept) = match fetch(fetcher, url, now) {
            Ok(text) => {
                let policy =
                    text.as_deref().map_or(Policy::Free, |text| Policy::read(&self.token, text, self.cap));
                (policy, Some(Kept { origin: origin.clone(), fetched: rfc_3339(now), text }))
            }
            Err(refusal @ Refusal::Reserved { .. }) => (Policy::Closed { refusal }, None),
            Err(refusal) => (Policy::left_alone(format!("its robots.txt: {refusal}")), None),
        };
        let policy = Arc::new(policy);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept {
            let line =
                serde_json::to_string(&kept).map_err(|e| WebError::of("write", &self.path)(e.into()))?;
            known
                .file
                .write_all(format!("{line}\n").as_bytes())
                .map_err(WebError::of("write", &self.path))?;
            known.kept.insert(origin.clone(), kept);
        }
        known.policies.insert(origin, policy.clone());
        Ok(policy)
    }
}

/// The text of a robots.txt; `None` where there is none.
fn fetch(fetcher: &Fetcher, url: &Url, now: OffsetDateTime) -> Result<Option<String>, Refusal> {
    let mut at = url.clone();
    at.set_path("/robots.txt");
    at.set_query(None);
    at.set_fragment(None);
    for _ in 0..=REDIRECTS {
        let ask = Ask { url: &at, wanted: Wanted::Robots, known: None, now };
        match fetcher.ask(&ask) {
            Ok(Answer::Page(page)) => return Ok(Some(String::from_utf8_lossy(&page.bytes).into_owned())),
            Ok(Answer::Moved { to }) => at = to,
            Ok(Answer::Later { status, .. }) => return Err(Refusal::Status { status }),
            Ok(Answer::Unchanged) => return Err(Refusal::Status { status: 304 }),
            Err(Refusal::Status { status: 400..=499 }) => return Ok(None),
            Err(refusal) => return Err(refusal),
        }
    }
    Err(Refusal::TooManyRedirects { limit: REDIRECTS })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAP: Duration = Duration::from_secs(60);

    fn allows(policy: &Policy, path: &str) -> bool {
        policy.check(&Url::parse(&format!("https://example.org{path}")).unwrap()).is_ok()
    }

    fn rules(text: &str) -> Rules {
        match Policy::read("pipeline", text, CAP) {
            Policy::Rules(rules) => rules,
            _ => panic!("{text:?} is readable"),
        }
    }

    #[test]
    fn the_group_of_the_program_goes_before_that_of_all() {
        let text =
            "User-agent: *\nDisallow: /\n\nUser-Agent: Pipeline\nDisallow: /private/\nAllow: /private/open\n";
        let policy = Policy::read("pipeline", text, CAP);
        assert!(allows(&policy, "/") && allows(&policy, "/private/open/x") && allows(&policy, "/robots.txt"));
        assert!(!allows(&policy, "/private/x"));
        assert!(!allows(&Policy::read("other", text, CAP), "/"));
        let empty = Policy::read("pipeline", "User-agent: *\nDisallow:\n", CAP);
        assert!(allows(&empty, "/x"));
        let html = Policy::read("pipeline", "<!doctype html><title>Not found</title>", CAP);
        assert!(allows(&html, "/x"));
    }

    #[test]
    fn escapes_are_compared_in_one_spelling() {
        let policy =
            Policy::read("pipeline", "User-agent: *\nDisallow: /%7euser\nDisallow: /caf%c3%a9\n", CAP);
        assert!(!allows(&policy, "/~user/x") && !allows(&policy, "/café"));
        assert!(allows(&policy, "/user"));
    }

    #[test]
    fn a_query_that_looks_like_an_address_is_a_query() {
        let policy = Policy::read("pipeline", "User-agent: *\nDisallow: /go?\n", CAP);
        assert!(!allows(&policy, "/go?to=http://other.example/"));
    }

    #[test]
    fn crawl_delay_up_to_the_cap() {
        let of = |delay: &str| rules(&format!("User-agent: *\nCrawl-delay: {delay}\nDisallow: /x\n"));
        assert_eq!((of("2.5").delay, of("2.5").delay_cut_from), (Some(Duration::from_millis(2500)), None));
        assert_eq!((of("600").delay, of("600").delay_cut_from), (Some(CAP), Some(600.0)));
        assert_eq!(of("inf").delay, Some(CAP));
        for none in ["0", "-5", "NaN", "soon", ""] {
            assert_eq!(of(none).delay, None, "{none}");
        }
    }

    #[test]
    fn hostile_rules_do_not_hang_or_panic() {
        for rule in [format!("/{}b$", "*a".repeat(20_000)), "*".repeat(100_000), "\u{0}\u{FEFF}[(".to_owned()]
        {
            let policy = Policy::read("pipeline", &format!("User-agent: *\nDisallow: {rule}\n"), CAP);
            allows(&policy, &format!("/{}", "a".repeat(2000)));
        }
    }

    #[test]
    fn kept_for_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let now = OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap();
        let kept = Kept {
            origin: "https://example.org".into(),
            fetched: rfc_3339(now),
            text: Some("User-agent: *\nDisallow: /no\n".into()),
        };
        let lines = format!("{}\n{{\"origin\": \"https://half", serde_json::to_string(&kept).unwrap());
        std::fs::write(folder.path().join("robots.jsonl"), lines).unwrap();
        let open = || Robots::open(folder.path(), "pipeline", CAP).unwrap();
        let url = Url::parse("https://example.org/no").unwrap();
        let known = open().known(&url, now + time::Duration::hours(23)).unwrap();
        assert_eq!(known.check(&url), Err(Refusal::Robots));
        assert!(open().known(&url, now + time::Duration::hours(25)).is_none());
        assert!(open().known(&Url::parse("http://example.org/no").unwrap(), now).is_none(), "another origin");
    }
}
