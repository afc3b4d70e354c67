//! Which endpoint is asked, and how.

use std::fmt;

use super::error::CollectError;

/// A key for an endpoint. It is in no message, file or hash.
#[derive(Clone)]
pub struct Key(String);

impl Key {
    /// The key without surrounding white space; `None` of an empty one.
    ///
    /// # Errors
    /// It holds a character that no HTTP header may.
    pub fn new(key: &str) -> Result<Option<Self>, CollectError> {
        let key = key.trim();
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            let problem = "it must be one line of ASCII characters without spaces";
            return Err(CollectError::setting("the key", "(not shown)", problem));
        }
        Ok((!key.is_empty()).then(|| Self(key.to_owned())))
    }

    /// The key itself, for the request's header alone.
    pub(super) fn secret(&self) -> &str {
        &self.0
    }

    /// `text` without the key: endpoints repeat it in their messages.
    pub(super) fn hidden_in(&self, text: &str) -> String {
        text.replace(&self.0, "[key]")
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key]")
    }
}

/// Which endpoint is asked, and how; [`super::Client::new`] checks it.
#[derive(Clone, Debug)]
pub struct EndpointSettings {
    /// Address to which `/chat/completions` is added, e.g. `https://api.example.org/v1`.
    pub base_url: String,
    /// The model's name, as the endpoint knows it.
    pub model: String,
    /// Sent as `Authorization: Bearer`; local servers need none.
    pub key: Option<Key>,
    /// Limit of one try in seconds, from connecting to the last byte; above 0.
    pub timeout_s: f64,
    /// How often a failed try is repeated, 0 to 20.
    pub retries: u32,
    /// Limit of an answer in tokens, at least 1.
    pub max_tokens: u32,
    /// Sampling temperature, 0 to 2; not sent where `None`, since some models take none.
    pub temperature: Option<f64>,
    /// Sent as `seed`, plus the request's number; not sent where `None`, since some endpoints refuse it.
    pub seed: Option<u64>,
}

impl EndpointSettings {
    /// # Errors
    /// A value is outside of its range, or `base_url` is no HTTP address.
    pub(super) fn check(&self) -> Result<(), CollectError> {
        let fail = |key: &str, value: &dyn ToString, problem: &str| {
            Err(CollectError::setting(key, value.to_string(), problem))
        };
        let rest = ["https://", "http://"].iter().find_map(|scheme| self.base_url.strip_prefix(scheme));
        let Some(rest) = rest else {
            return fail("base_url", &self.base_url, "it must begin with https:// or http://");
        };
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if host.contains('@') {
            let problem =
                "it must hold no user name or password; the key is read from an environment variable";
            return fail("base_url", &"(not shown)", problem);
        }
        if host.is_empty() || rest.contains(['?', '#']) || !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
            return fail("base_url", &self.base_url, "it must be a host and a path, without spaces, ? and #");
        }
        if self.model.trim().is_empty() {
            return fail("model", &self.model, "it must name a model");
        }
        if !(self.timeout_s > 0.0 && self.timeout_s <= 86_400.0) {
            return fail("timeout_s", &self.timeout_s, "it must be above 0 and at most 86400 seconds");
        }
        if self.retries > 20 {
            return fail("retries", &self.retries, "it must be at most 20");
        }
        if self.max_tokens == 0 {
            return fail("max_tokens", &self.max_tokens, "it must be at least 1");
        }
        match self.temperature {
            Some(t) if !(0.0..=2.0).contains(&t) => fail("temperature", &t, "it must be between 0 and 2"),
            _ => Ok(()),
        }
    }

    /// Where chats are asked.
    pub(super) fn url(&self) -> String {
        format!("{}/chat/completions", self.base_url.trim_end_matches('/'))
    }

    /// Whether the endpoint is on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        let rest = self.base_url.split_once("://").map_or("", |(_, rest)| rest);
        let authority = rest.split('/').next().unwrap_or_default();
        let host = match authority.strip_prefix('[') {
            Some(v6) => v6.split(']').next().unwrap_or_default(),
            None => authority.split(':').next().unwrap_or_default(),
        };
        host.eq_ignore_ascii_case("localhost")
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Settings for a test's server.
    pub fn settings(base_url: &str) -> EndpointSettings {
        EndpointSettings {
            base_url: base_url.to_owned(),
            model: "m".to_owned(),
            key: None,
            timeout_s: 20.0,
            retries: 3,
            max_tokens: 100,
            temperature: Some(1.0),
            seed: Some(5),
        }
    }

    #[test]
    fn bad_settings_are_named() {
        type Change = fn(&mut EndpointSettings);
        let table: [(Change, &str); 11] = [
            (|s| s.base_url = "localhost:8080/v1".into(), "base_url"),
            (|s| s.base_url = "https://".into(), "base_url"),
            (|s| s.base_url = "https://a b/v1".into(), "base_url"),
            (|s| s.base_url = "https://a/v1?x=1".into(), "base_url"),
            (|s| s.base_url = "https://me:secret@a/v1".into(), "base_url"),
            (|s| s.model = " ".into(), "model"),
            (|s| s.timeout_s = f64::NAN, "timeout_s"),
            (|s| s.timeout_s = 0.0, "timeout_s"),
            (|s| s.retries = 21, "retries"),
            (|s| s.max_tokens = 0, "max_tokens"),
            (|s| s.temperature = Some(f64::NAN), "temperature"),
        ];
        assert!(settings("https://a.example/v1").check().is_ok());
        for (change, key) in table {
            let mut changed = settings("https://a.example/v1");
            change(&mut changed);
            let message = changed.check().unwrap_err().to_string();
            assert!(message.starts_with(key) && !message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn a_key_is_shown_nowhere() {
        let key = Key::new(" sk-12345\n").unwrap().unwrap();
        assert_eq!(key.secret(), "sk-12345");
        assert_eq!(key.hidden_in("Incorrect API key sk-12345."), "Incorrect API key [key].");
        assert!(
            !format!("{:?}", EndpointSettings { key: Some(key), ..settings("http://a") }).contains("12345")
        );
        assert!(Key::new("").unwrap().is_none());
        assert!(Key::new("a\nb").is_err() && Key::new("schlüssel").is_err());
    }

    #[test]
    fn loopback_addresses_are_known() {
        for url in ["http://localhost:1/v1", "http://127.0.0.1:80", "http://[::1]:9/v1", "http://127.9.9.9/"]
        {
            assert!(settings(url).is_loopback(), "{url}");
        }
        for url in ["http://localhost.example/v1", "http://10.0.0.1:80", "https://127.example"] {
            assert!(!settings(url).is_loopback(), "{url}");
        }
    }

    #[test]
    fn the_path_is_added_once() {
        assert_eq!(settings("http://a/v1/").url(), "http://a/v1/chat/completions");
    }
}
