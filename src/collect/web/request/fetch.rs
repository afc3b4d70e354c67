//! One request for one page: asked as itself, within limits of time and size, redirects left to the caller.

use std::io::Read;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use ureq::Agent;
use ureq::http::{HeaderMap, Response, header};
use ureq::unversioned::transport::DefaultConnector;
use url::Url;

use super::address::Guard;
use super::fetch_settings::FetchSettings;
use crate::collect::web::opt_out::reservation;
use crate::collect::web::page_url::normalised;
use crate::collect::web::refusal::Refusal;

/// Asks for pages.
pub struct Fetcher {
    agent: Agent,
    guard: Guard,
    settings: FetchSettings,
}

/// What an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// HTML or XHTML.
    Page,
    /// XML, or gzip of it.
    Sitemap,
    /// Any text; what is beyond the limit of 500 KiB (RFC 9309 §2.5) is cut off.
    Robots,
}

/// What tells one version of a page from another (RFC 9110 §8.8).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// The ETag as sent, with quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// The date of Last-Modified as sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
}

impl Validators {
    /// Whether there is anything to ask with.
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }
}

/// A request.
pub struct Ask<'a> {
    /// The page.
    pub url: &'a Url,
    /// What it may be.
    pub wanted: Wanted,
    /// The version that is there already.
    pub known: Option<&'a Validators>,
    /// Now, for a Retry-After that is a date.
    pub now: OffsetDateTime,
}

/// What a server said.
#[derive(Debug)]
pub enum Answer {
    /// A page.
    Page(Fetched),
    /// The version that is there already is the newest.
    Unchanged,
    /// It is elsewhere.
    Moved {
        /// Where, in its one spelling; not checked yet.
        to: Url,
    },
    /// 429 or 503: come later.
    Later {
        /// The status.
        status: u16,
        /// When, where the server said so.
        wait: Option<Duration>,
    },
}

/// A page as it came, decompressed.
#[derive(Debug)]
pub struct Fetched {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The `charset` of its Content-Type.
    pub charset: Option<String>,
    /// Its version.
    pub validators: Validators,
}

const ROBOTS_BYTES: u64 = 500 << 10;

/// Longest ETag or date that is kept.
const VALIDATOR_BYTES: usize = 512;

impl Fetcher {
    /// A fetcher that connects to nothing but what `guard` lets through. Proxies of the environment are not used: the
    /// addresses could not be held to behind one.
    pub fn new(settings: &FetchSettings, guard: Guard) -> Self {
        let config = Agent::config_builder()
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(settings.user_agent())
            .timeout_global(Some(Duration::from_secs_f64(settings.timeout_s)))
            .max_idle_connections_per_host(1)
            .build();
        let agent = Agent::with_parts(config, DefaultConnector::default(), guard.clone());
        Self { agent, guard, settings: settings.clone() }
    }

    /// The settings.
    pub fn settings(&self) -> &FetchSettings {
        &self.settings
    }

    /// Whether `url` may be asked, as far as can be said without resolving its name.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, url: &Url) -> Result<(), Refusal> {
        self.guard.check(url)
    }

    /// Ask once.
    ///
    /// # Errors
    /// Why there is no page.
    pub fn ask(&self, ask: &Ask<'_>) -> Result<Answer, Refusal> {
        self.guard.check(ask.url)?;
        let mut request = self.agent.get(ask.url.as_str()).header(header::ACCEPT, accept(ask.wanted));
        if let Some(etag) = ask.known.and_then(|k| k.etag.as_deref()) {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        if let Some(date) = ask.known.and_then(|k| k.last_modified.as_deref()) {
            request = request.header(header::IF_MODIFIED_SINCE, date);
        }
        let response = request.call().map_err(|error| self.refusal(error))?;
        match response.status().as_u16() {
            200 | 203 => self.page(ask.wanted, response).map(Answer::Page),
            304 if ask.known.is_some_and(|known| !known.is_empty()) => Ok(Answer::Unchanged),
            301 | 302 | 303 | 307 | 308 => moved(ask.url, response.headers()),
            status @ (429 | 503) => {
                Ok(Answer::Later { status, wait: retry_after(response.headers(), ask.now) })
            }
            status => Err(Refusal::Status { status }),
        }
    }

    fn page(&self, wanted: Wanted, response: Response<ureq::Body>) -> Result<Fetched, Refusal> {
        let headers = response.headers();
        let stated = headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        self.refuse_reserved(wanted, stated)?;
        if let Some(found) = text_of(headers, &header::CONTENT_ENCODING).filter(|e| e != "identity") {
            return Err(Refusal::ContentEncoding { found });
        }
        let content_type = text_of(headers, &header::CONTENT_TYPE).unwrap_or_default();
        let essence = essence_of(&content_type);
        if !is_wanted(wanted, &essence) {
            return Err(Refusal::ContentType { found: essence });
        }
        let short = |name| text_of(headers, &name).filter(|value| value.len() <= VALIDATOR_BYTES);
        let validators =
            Validators { etag: short(header::ETAG), last_modified: short(header::LAST_MODIFIED) };
        let limit = if wanted == Wanted::Robots { ROBOTS_BYTES } else { self.settings.max_bytes };
        let mut bytes = Vec::new();
        // One byte more than allowed tells a page at the limit from one beyond it.
        let reader = response.into_body().into_reader().take(limit + 1).read_to_end(&mut bytes);
        match reader {
            Err(error) => return Err(self.refusal(ureq::Error::from(error))),
            Ok(_) if bytes.len() as u64 > limit && wanted == Wanted::Robots => bytes.truncate(limit as usize),
            Ok(_) if bytes.len() as u64 > limit => return Err(Refusal::TooLarge { limit }),
            Ok(_) => {}
        }
        Ok(Fetched { bytes, charset: charset_of(&content_type), validators })
    }

    /// # Errors
    /// One of the headers keeps a page from being mined. Sitemaps and robots.txt are only read for the way.
    fn refuse_reserved<'h>(
        &self,
        wanted: Wanted,
        mut headers: impl Iterator<Item = (&'h str, &'h str)>,
    ) -> Result<(), Refusal> {
        let agent = &self.settings.agent;
        let found = headers.find_map(|(name, value)| reservation(name, value, agent));
        match found.filter(|_| wanted == Wanted::Page) {
            Some(statement) => Err(Refusal::MiningReserved { statement }),
            None => Ok(()),
        }
    }

    fn refusal(&self, error: ureq::Error) -> Refusal {
        match error {
            ureq::Error::Timeout(_) => Refusal::Timeout { seconds: self.settings.timeout_s.ceil() as u64 },
            ureq::Error::Other(inner) => match inner.downcast::<Refusal>() {
                Ok(refusal) => *refusal,
                Err(other) => Refusal::Network { reason: other.to_string() },
            },
            other => Refusal::Network { reason: other.to_string() },
        }
    }
}

fn accept(wanted: Wanted) -> &'static str {
    match wanted {
        Wanted::Page => "text/html, application/xhtml+xml;q=0.9",
        Wanted::Sitemap => "application/xml, text/xml, application/gzip;q=0.9, */*;q=0.1",
        Wanted::Robots => "text/plain, */*;q=0.5",
    }
}

pub(super) fn is_wanted(wanted: Wanted, essence: &str) -> bool {
    match wanted {
        Wanted::Page => matches!(essence, "text/html" | "application/xhtml+xml"),
        // Servers send compressed sitemaps under any of the last ones; what is inside is checked at reading.
        Wanted::Sitemap => matches!(
            essence,
            "application/xml"
                | "text/xml"
                | "application/gzip"
                | "application/x-gzip"
                | "application/octet-stream"
                | "binary/octet-stream"
        ),
        Wanted::Robots => true,
    }
}

fn text_of(headers: &HeaderMap, name: &header::HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(|text| text.trim().to_owned())
}

/// A Content-Type without its parameters, in lower case.
pub(super) fn essence_of(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The `charset` parameter of a Content-Type.
pub(super) fn charset_of(content_type: &str) -> Option<String> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'']);
        name.trim().eq_ignore_ascii_case("charset").then(|| value.to_owned())
    })
}

fn moved(from: &Url, headers: &HeaderMap) -> Result<Answer, Refusal> {
    let Some(location) = headers.get(header::LOCATION) else {
        return Err(Refusal::BadRedirect { reason: "it has no Location".to_owned() });
    };
    // Servers write addresses with raw UTF-8 in them; the header's own text is ASCII only.
    let location = String::from_utf8_lossy(location.as_bytes());
    match normalised(&location, Some(from)) {
        Ok(to) => Ok(Answer::Moved { to }),
        Err(refusal) => Err(Refusal::BadRedirect { reason: refusal.to_string() }),
    }
}

/// Seconds or a date (RFC 9110 §10.2.3); a date that is past is no wait.
fn retry_after(headers: &HeaderMap, now: OffsetDateTime) -> Option<Duration> {
    let text = text_of(headers, &header::RETRY_AFTER)?;
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(&text).ok()?;
    Some(date.duration_since(now.into()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ureq::http::HeaderValue;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_bytes(value.as_bytes()).unwrap())])
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = OffsetDateTime::from_unix_timestamp(784_111_777).unwrap();
        let wait = |text: &str| retry_after(&headers(header::RETRY_AFTER, text), now);
        assert_eq!(wait("120"), Some(Duration::from_secs(120)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:50:37 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("soon"), None);
        assert_eq!(wait("-5"), None);
    }

    #[test]
    fn a_location_may_be_relative_and_raw() {
        let from = Url::parse("https://example.org/a/b").unwrap();
        let to = |text: &str| match moved(&from, &headers(header::LOCATION, text)) {
            Ok(Answer::Moved { to }) => to.to_string(),
            other => format!("{other:?}"),
        };
        assert_eq!(to("../ä#x"), "https://example.org/%C3%A4");
        assert_eq!(to("//other.example"), "https://other.example/");
        assert!(to("http://[").contains("BadRedirect"));
        assert!(moved(&from, &HeaderMap::new()).is_err());
    }

    #[test]
    fn the_charset_is_found_among_parameters() {
        assert_eq!(charset_of("text/html; boundary=x; Charset=\"UTF-8\"").unwrap(), "UTF-8");
        assert_eq!(charset_of("text/html"), None);
    }
}
