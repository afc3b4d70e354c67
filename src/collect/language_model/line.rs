//! One HTTP request to the endpoint: its answer's text, or what went wrong and whether it may have cost something.

use std::fmt;
use std::io;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::pause::retry_after;
use super::settings::{EndpointSettings, Key};

/// The most bytes of an answer that are read.
pub(super) const MOST_BYTES: u64 = 4 << 20;

/// The most characters of an endpoint's own message that are shown.
const SHOWN: usize = 300;

/// Why a try failed.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The endpoint answered with another status than 2xx.
    Status {
        status: u16,
        /// Its message, cleaned and shortened.
        said: String,
        /// The whole body.
        body: String,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// No connection, or one that broke or took too long.
    Connection {
        reason: String,
        /// Whether the endpoint may have had the request, and may charge for it.
        sent: bool,
    },
    /// What answers does not speak HTTP, or not over TLS.
    Foreign { reason: String },
    /// More than [`MOST_BYTES`].
    TooLong,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status { status, said, .. } => write!(f, "status {status}: {said}"),
            Self::Connection { reason, .. } | Self::Foreign { reason } => f.write_str(reason),
            Self::TooLong => write!(f, "more than {MOST_BYTES} bytes"),
        }
    }
}

/// An endpoint, with the connections that are open to it.
pub(super) struct Line {
    agent: ureq::Agent,
    url: String,
    key: Option<Key>,
    timeout_s: f64,
}

impl Line {
    /// To the endpoint of checked `settings`. A proxy named by the environment is used, but not for this machine.
    pub fn new(settings: &EndpointSettings) -> Self {
        let limit = Duration::from_secs_f64(settings.timeout_s);
        let proxy = if settings.is_loopback() { None } else { ureq::Proxy::try_from_env() };
        let config = ureq::Agent::config_builder()
            .proxy(proxy)
            .timeout_global(Some(limit))
            .timeout_connect(Some(limit.min(Duration::from_secs(20))))
            .http_status_as_error(false)
            // A redirected POST would arrive as a GET, and the key would go to a host that nobody named.
            .max_redirects(0)
            .max_redirects_will_error(false)
            // So that the limit of bytes is one of what comes over the line.
            .accept_encoding("identity")
            .user_agent(concat!("pipeline/", env!("CARGO_PKG_VERSION")))
            .build();
        Self {
            agent: config.into(),
            url: settings.url(),
            key: settings.key.clone(),
            timeout_s: settings.timeout_s,
        }
    }

    /// Where requests go.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Send `body`, JSON; the text of a 2xx answer.
    pub fn post(&self, body: &str) -> Result<String, Trouble> {
        let mut request = self.agent.post(&self.url).header("Content-Type", "application/json");
        if let Some(key) = &self.key {
            request = request.header("Authorization", format!("Bearer {}", key.secret()));
        }
        let mut response = request.send(body).map_err(|error| self.trouble(error))?;
        let status = response.status();
        let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let retry_after = header.and_then(|value| retry_after(value, SystemTime::now()));
        let read = response.body_mut().with_config().limit(MOST_BYTES).read_to_vec();
        if status.is_success() {
            let bytes = read.map_err(|error| self.trouble(error))?;
            return Ok(String::from_utf8_lossy(&bytes).into_owned());
        }
        // The status says enough where its message cannot be read.
        let body = String::from_utf8_lossy(&read.unwrap_or_default()).into_owned();
        let said = self.cleaned(&message_in(&body));
        Err(Trouble::Status { status: status.as_u16(), said, body, retry_after })
    }

    /// What an endpoint said, on one line of at most [`SHOWN`] characters, without the key.
    pub fn cleaned(&self, text: &str) -> String {
        let text = self.key.as_ref().map_or_else(|| text.to_owned(), |key| key.hidden_in(text));
        let printable: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let mut words = printable.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some((end, _)) = words.char_indices().nth(SHOWN) {
            words.truncate(end);
            words.push('…');
        }
        if words.is_empty() { "(no message)".to_owned() } else { words }
    }

    fn trouble(&self, error: ureq::Error) -> Trouble {
        let reason = match &error {
            ureq::Error::Io(error) => error.to_string(),
            ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => {
                "no connection in time".into()
            }
            ureq::Error::Timeout(_) => {
                format!("no whole answer within timeout_s = {} seconds", self.timeout_s)
            }
            other => other.to_string(),
        };
        let reason = self.cleaned(&reason);
        match error {
            ureq::Error::BodyExceedsLimit(_) => Trouble::TooLong,
            ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => {
                Trouble::Connection { reason, sent: false }
            }
            ureq::Error::Timeout(_) => Trouble::Connection { reason, sent: true },
            ureq::Error::HostNotFound
            | ureq::Error::ConnectionFailed
            | ureq::Error::ConnectProxyFailed(_) => Trouble::Connection { reason, sent: false },
            ureq::Error::Io(error) => match error.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Trouble::Foreign { reason },
                io::ErrorKind::ConnectionRefused
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::AddrNotAvailable => Trouble::Connection { reason, sent: false },
                _ => Trouble::Connection { reason, sent: true },
            },
            _ => Trouble::Foreign { reason },
        }
    }
}

/// The message in the body of an error: `error.message` of OpenAI, `error`, `message` or `detail` of others, else all of it.
pub(super) fn message_in(body: &str) -> String {
    let Ok(value) = serde_json::from_str::<Value>(body) else { return body.to_owned() };
    let places = ["/error/message", "/error", "/message", "/detail"];
    let found = places.iter().find_map(|place| value.pointer(place).and_then(Value::as_str));
    found.map_or_else(|| body.to_owned(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::settings::tests::settings;
    use super::*;

    #[test]
    fn messages_are_found_where_endpoints_put_them() {
        assert_eq!(message_in(r#"{"error": {"message": "no", "code": 1}}"#), "no");
        assert_eq!(message_in(r#"{"error": "no"}"#), "no");
        assert_eq!(message_in(r#"{"object": "error", "message": "no"}"#), "no");
        assert_eq!(message_in(r#"{"detail": [1]}"#), r#"{"detail": [1]}"#);
        assert_eq!(message_in("<html>"), "<html>");
    }

    #[test]
    fn messages_are_one_short_line_without_control_characters_or_key() {
        let key = Key::new("sk-1").unwrap();
        let line = Line::new(&EndpointSettings { key, ..settings("http://127.0.0.1:9") });
        assert_eq!(line.cleaned("bad\r\n\u{1b}[31mkey  sk-1"), "bad [31mkey [key]");
        assert_eq!(line.cleaned("\n"), "(no message)");
        assert_eq!(line.cleaned(&"é".repeat(1000)), "é".repeat(300) + "…");
    }
}
