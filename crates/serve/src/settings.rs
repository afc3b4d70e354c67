//! What a server is told: address, limits, batches, keys, times.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;

use super::error::ServeError;

/// Settings of the server; every one has a default.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServeSettings {
    /// Where it listens. Port 0 takes a free one.
    pub address: SocketAddr,
    /// Threads that ask each model.
    pub workers: usize,
    /// Threads that serve connections.
    pub connection_threads: usize,
    /// A file of API keys, one a line; without it everybody may ask.
    pub keys: Option<PathBuf>,
    /// Origins whose pages may ask, such as `https://example.org`; none by default.
    pub origins: Vec<String>,
    /// Names in the Host header that are answered beside those of this machine, while it listens on loopback without keys.
    pub hosts: Vec<String>,

    /// Connections at once; one more is told 503.
    pub connections: usize,
    /// Bytes of a request's line and headers, at least 8192.
    pub header_bytes: usize,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Bytes of the bodies of all requests that are in work; one more is told 429.
    pub bodies_bytes: usize,
    /// Texts or rows of one request.
    pub request_texts: usize,
    /// Tokens of one request.
    pub request_tokens: usize,
    /// Tokens that wait for one model; a request that would not fit is told 429.
    pub queue_tokens: usize,
    /// Tokens of one batch, each text counted as its longest.
    pub batch_tokens: usize,
    /// Rows of one batch.
    pub batch_rows: usize,
    /// Waiting tokens among which texts of like length are looked for.
    pub window_tokens: usize,

    /// Seconds in which a request's headers must be here.
    pub header_timeout_s: f64,
    /// Seconds in which a request's body must be here.
    pub body_timeout_s: f64,
    /// Seconds in which a request must be answered, once it is here.
    pub request_timeout_s: f64,
    /// Seconds that a client may take none of its answer.
    pub write_timeout_s: f64,
    /// Seconds without a finished batch, while something waits, after which `/readyz` says 503.
    pub stuck_after_s: f64,
    /// Seconds that requests in work have when the server is told to stop.
    pub drain_s: f64,
    /// Seconds between looks at the models' files; 0 for none.
    pub reload_poll_s: f64,
}

impl Default for ServeSettings {
    fn default() -> Self {
        Self {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
            workers: 1,
            connection_threads: 2,
            keys: None,
            origins: Vec::new(),
            hosts: Vec::new(),
            connections: 256,
            header_bytes: 16 << 10,
            body_bytes: 8 << 20,
            bodies_bytes: 256 << 20,
            request_texts: 2048,
            request_tokens: 262_144,
            queue_tokens: 524_288,
            batch_tokens: 8192,
            batch_rows: 256,
            window_tokens: 65_536,
            header_timeout_s: 15.0,
            body_timeout_s: 30.0,
            request_timeout_s: 120.0,
            write_timeout_s: 30.0,
            stuck_after_s: 60.0,
            drain_s: 30.0,
            reload_poll_s: 5.0,
        }
    }
}

impl ServeSettings {
    /// Whether every value can be served with.
    ///
    /// # Errors
    /// The first that cannot, with its bounds.
    pub fn check(&self) -> Result<(), ServeError> {
        // A day: longer times are a slip of the unit.
        const LONGEST_S: f64 = 86_400.0;
        let counts = [
            ("workers", self.workers, 1, 256),
            ("connection_threads", self.connection_threads, 1, 256),
            ("connections", self.connections, 1, 65_536),
            ("header_bytes", self.header_bytes, 8192, 1 << 20),
            ("body_bytes", self.body_bytes, 1, 1 << 30),
            ("bodies_bytes", self.bodies_bytes, self.body_bytes, 1 << 36),
            ("request_texts", self.request_texts, 1, 1 << 20),
            ("request_tokens", self.request_tokens, 1, 1 << 30),
            ("queue_tokens", self.queue_tokens, self.request_tokens, 1 << 31),
            ("batch_tokens", self.batch_tokens, 1, 1 << 24),
            ("batch_rows", self.batch_rows, 1, 1 << 20),
            ("window_tokens", self.window_tokens, self.batch_tokens, 1 << 30),
        ];
        for (name, value, least, most) in counts {
            if !(least..=most).contains(&value) {
                let (value, bounds) = (value.to_string(), format!("from {least} to {most}"));
                return Err(ServeError::Setting { name, value, bounds });
            }
        }
        let times = [
            ("header_timeout_s", self.header_timeout_s, false),
            ("body_timeout_s", self.body_timeout_s, false),
            ("request_timeout_s", self.request_timeout_s, false),
            ("write_timeout_s", self.write_timeout_s, false),
            ("stuck_after_s", self.stuck_after_s, false),
            ("drain_s", self.drain_s, true),
            ("reload_poll_s", self.reload_poll_s, true),
        ];
        for (name, value, zero) in times {
            let right = value <= LONGEST_S && (value > 0.0 || (zero && value == 0.0));
            if !right {
                let bounds = if zero { "from 0 to 86400" } else { "more than 0, at most 86400" };
                return Err(ServeError::Setting {
                    name,
                    value: value.to_string(),
                    bounds: bounds.to_owned(),
                });
            }
        }
        let bad = self.origins.iter().find(|origin| !is_origin(origin));
        match bad {
            Some(origin) => Err(ServeError::Setting {
                name: "origins",
                value: origin.clone(),
                bounds: "a scheme and a host without a path, such as https://example.org".to_owned(),
            }),
            None => Ok(()),
        }
    }
}

/// Whether a text is what a browser sends as `Origin`.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let may_be = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
    host.is_some_and(|host| !host.is_empty() && host.chars().all(may_be))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_can_be_served_with_and_are_on_loopback() {
        let settings = ServeSettings::default();
        settings.check().unwrap();
        assert_eq!(settings.address.to_string(), "127.0.0.1:8080");
        assert!(settings.keys.is_none() && settings.origins.is_empty());
    }

    #[test]
    fn a_section_of_the_config_is_read_and_a_slip_is_refused() {
        let settings: ServeSettings = toml::from_str("address = \"[::1]:9\"\nqueue_tokens = 300000").unwrap();
        assert_eq!(settings.address.port(), 9);
        assert_eq!(settings.queue_tokens, 300_000);
        let error = toml::from_str::<ServeSettings>("adress = \"[::1]:9\"").unwrap_err().to_string();
        assert!(error.contains("unknown field `adress`"), "{error}");
    }

    #[test]
    fn each_bound_is_named() {
        for (line, name) in [
            ("workers = 0", "workers"),
            ("header_bytes = 100", "header_bytes"),
            ("queue_tokens = 10", "queue_tokens"),
            ("window_tokens = 10", "window_tokens"),
            ("drain_s = -1.0", "drain_s"),
            ("request_timeout_s = 0.0", "request_timeout_s"),
            ("request_timeout_s = nan", "request_timeout_s"),
            ("stuck_after_s = inf", "stuck_after_s"),
            ("origins = [\"*\"]", "origins"),
            ("origins = [\"https://a.example/path\"]", "origins"),
        ] {
            let error = toml::from_str::<ServeSettings>(line).unwrap().check().unwrap_err();
            assert!(matches!(&error, ServeError::Setting { name: n, .. } if *n == name), "{line}: {error}");
        }
        toml::from_str::<ServeSettings>("drain_s = 0.0\norigins = [\"http://[::1]:3000\"]")
            .unwrap()
            .check()
            .unwrap();
    }
}
