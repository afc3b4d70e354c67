//! What every request goes through before its route: a name, the host, the key; and after it: the log and the counters.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, HOST, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::json;

use super::app::{App, Client};
use super::log::Level;
use super::refusal::{Form, Refusal, Refused};
use super::request_id::request_id;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Routes that need no key: those that watchers ask, and the page's own files, which hold nothing of a model.
const OPEN: [&str; 11] = [
    "/",
    "/page.js",
    "/table.js",
    "/why.js",
    "/page.css",
    "/docs",
    "/docs.js",
    "/openapi.json",
    "/livez",
    "/readyz",
    "/health",
];

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// Who asks, and how it wants to be answered.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// Whose turn it takes.
    pub client: Client,
    /// How it is told of errors.
    pub form: Form,
}

/// How much a request was, on its answer, for the log.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Texts or rows.
    pub texts: usize,
    /// Their tokens.
    pub tokens: usize,
    /// The model that answered.
    pub model: String,
}

/// Let a request through to its route, or answer it here.
pub async fn guard(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let id = request_id(request.headers().get(REQUEST_ID).map(HeaderValue::as_bytes));
    let matched = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    // The path of an unknown address may hold anything, a text for one, and is not logged.
    let route = matched.unwrap_or_else(|| "other".to_owned());
    let form = if request.method() == axum::http::Method::POST { Form::of(&route) } else { Form::OpenAi };
    let mut left = Left { app: &app, id: &id, route: &route, begin, answered: false };
    let mut response = match admitted(&app, &request, &route) {
        Err(refusal) => refusal.answer(form),
        Ok(client) => {
            request.extensions_mut().insert(Caller { client, form });
            next.run(request).await
        }
    };
    left.answered = true;
    drop(left);
    log(&app, &response, &Entry { id: &id, route: &route, begin });
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn admitted(app: &App, request: &Request, route: &str) -> Result<Client, Refusal> {
    let keys = app.keys();
    if keys.is_none() && app.settings.address.ip().is_loopback() {
        check_host(request.headers(), &app.settings.hosts)?;
    }
    let peer = request.extensions().get::<Peer>().map(|peer| Client(address_number(peer.0)));
    let peer = peer.unwrap_or(Client(0));
    let Some(keys) = keys.filter(|_| !is_open(request, route)) else { return Ok(peer) };
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = header.and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    let key = key.ok_or(Refusal::Unauthorized { what: "the request has no API key" })?;
    let place = keys.find(key).ok_or(Refusal::Unauthorized { what: "the API key is unknown" })?;
    Ok(Client(place as u64))
}

/// `/` is open as a page, not as a question to a model.
fn is_open(request: &Request, route: &str) -> bool {
    request.method() != axum::http::Method::POST && OPEN.contains(&route)
}

/// Refuse a foreign name for this machine: a page whose own name was made to point here could ask as if it came from here.
fn check_host(headers: &HeaderMap, more: &[String]) -> Result<(), Refusal> {
    let Some(host) = headers.get(HOST) else { return Ok(()) };
    let host = String::from_utf8_lossy(host.as_bytes());
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !port.is_empty() => name,
        _ => &host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let here = name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback());
    if here || more.iter().any(|other| other.eq_ignore_ascii_case(name)) {
        return Ok(());
    }
    Err(Refusal::Host { host: name.chars().take(100).collect() })
}

/// One number for each client's address; of IPv6 the network, in which one client has all addresses.
fn address_number(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(address) => u64::from(u32::from(address)),
        IpAddr::V6(address) => (u128::from(address) >> 64) as u64,
    }
}

struct Entry<'a> {
    id: &'a str,
    route: &'a str,
    begin: Instant,
}

fn log(app: &App, response: &Response, entry: &Entry<'_>) {
    let Entry { id, route, begin } = entry;
    let (status, time) = (response.status(), begin.elapsed());
    app.metrics.request(route, status.as_u16(), time);
    let mut fields = json!({
        "id": id, "route": route, "status": status.as_u16(), "ms": (time.as_secs_f64() * 1e4).round() / 10.0,
    });
    if let Some(Counts { texts, tokens, model }) =
        response.extensions().get::<Counts>().filter(|c| c.texts > 0)
    {
        fields["model"] = json!(model);
        fields["texts"] = json!(texts);
        fields["tokens"] = json!(tokens);
    }
    if let Some(Refused { code, reason }) = response.extensions().get::<Refused>() {
        fields["code"] = json!(code);
        if let Some(reason) = reason {
            fields["reason"] = json!(reason);
        }
    }
    let level = if status.is_server_error() { Level::Error } else { Level::Info };
    app.log.line(level, "request", fields);
}

/// Says of a request that it was dropped before it had an answer, which is how a client's leaving looks from here.
struct Left<'a> {
    app: &'a App,
    id: &'a str,
    route: &'a str,
    begin: Instant,
    answered: bool,
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        if self.answered {
            return;
        }
        self.app.metrics.cancelled(self.route);
        let ms = (self.begin.elapsed().as_secs_f64() * 1e4).round() / 10.0;
        let fields = json!({ "id": self.id, "route": self.route, "ms": ms });
        self.app.log.line(Level::Info, "client left", fields);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        let says = |host: &'static str, more: &[String]| {
            let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]);
            check_host(&headers, more).is_ok()
        };
        for here in ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:8080", "[::1]", "127.9.9.9"] {
            assert!(says(here, &[]), "{here}");
        }
        for other in ["evil.example", "localhost.evil.example:8080", "10.0.0.1", "", "127.0.0.1.evil.example"]
        {
            assert!(!says(other, &[]), "{other}");
        }
        assert!(says("labels.example:443", &["Labels.example".to_owned()]));
        assert!(check_host(&HeaderMap::new(), &[]).is_ok());
    }

    #[test]
    fn addresses_of_one_client_are_one() {
        let number = |text: &str| address_number(text.parse().unwrap());
        assert_eq!(number("10.0.0.1"), number("::ffff:10.0.0.1"));
        assert_eq!(number("2001:db8:1:2::3"), number("2001:db8:1:2:ffff::9"));
        assert_ne!(number("2001:db8:1:2::3"), number("2001:db8:1:3::3"));
        assert_ne!(number("10.0.0.1"), number("10.0.0.2"));
    }
}
