//! The body of a request: here in time, no larger than it may be, and JSON of the right shape.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::app::App;
use crate::refusal::Refusal;

/// What a client sent, and its part of the memory for bodies, which is given back with it.
pub struct Received<T> {
    pub value: T,
    /// For as long as it lives, the memory is taken.
    pub held: Option<OwnedSemaphorePermit>,
}

/// The body of a request as a value; `example` is shown where it is another.
///
/// # Errors
/// It is of another type, too large, too slow, broken off, or no such JSON.
pub async fn json<T: DeserializeOwned>(
    app: &App,
    request: Request,
    example: &'static str,
) -> Result<Received<T>, Refusal> {
    check_type(request.headers())?;
    let seconds = app.settings.body_timeout_s;
    let read = tokio::time::timeout(Duration::from_secs_f64(seconds), read(app, request.into_body()));
    let Received { value: bytes, held } = read.await.map_err(|_| Refusal::SlowBody { seconds })??;
    Ok(Received { value: parse(&bytes, example)?, held })
}

fn check_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let shown = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let Some(found) = shown(CONTENT_TYPE) else {
        return Err(Refusal::ContentType { found: "missing".to_owned() });
    };
    let kind = found.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind != "application/json" {
        return Err(Refusal::ContentType { found: format!("{:?}", shorten(&kind)) });
    }
    match shown(CONTENT_ENCODING) {
        Some(encoding) if !encoding.eq_ignore_ascii_case("identity") => Err(Refusal::ContentType {
            found: format!("application/json packed by {:?}, which is not unpacked", shorten(&encoding)),
        }),
        _ => Ok(()),
    }
}

async fn read(app: &App, mut body: Body) -> Result<Received<Vec<u8>>, Refusal> {
    let most = app.settings.body_bytes;
    // A client that is refused before it has sent all takes the closed connection for a fault of the network; so some more is read.
    let patience = most.saturating_mul(4).saturating_add(1 << 20);
    let mut received = Received { value: Vec::new(), held: None };
    let (mut total, mut crowded) = (0, false);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Refusal::BrokenBody)?.into_data() else { continue };
        total += data.len();
        if total > patience {
            break;
        }
        crowded = crowded || (total <= most && !received.hold(&app.bodies, total));
        if total > most || crowded {
            received = Received { value: Vec::new(), held: None };
        } else {
            received.value.extend_from_slice(&data);
        }
    }
    if total > most {
        let found = if total > patience { format!("more than {patience}") } else { total.to_string() };
        return Err(Refusal::TooLarge { found, most, unit: "bytes", setting: "body_bytes" });
    }
    if crowded { Err(Refusal::Crowded { most: app.settings.bodies_bytes }) } else { Ok(received) }
}

impl<T> Received<T> {
    /// Hold memory for so many bytes in all; whether there is as much.
    fn hold(&mut self, bodies: &Arc<Semaphore>, bytes: usize) -> bool {
        let before = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = u32::try_from(bytes.div_ceil(1024).saturating_sub(before)).unwrap_or(u32::MAX);
        match (bodies.clone().try_acquire_many_owned(more), &mut self.held) {
            (Err(_), _) => return false,
            (Ok(permit), Some(held)) => held.merge(permit),
            (Ok(permit), None) => self.held = Some(permit),
        }
        true
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8], example: &'static str) -> Result<T, Refusal> {
    let invalid = |what: String| Refusal::Invalid { what, hint: format!("send an object such as {example}") };
    if bytes.is_empty() {
        return Err(invalid("the body is empty".to_owned()));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let reason = shorten(&error.inner().to_string());
        // `.` is how the whole body is called.
        invalid(if path == "." { format!("the body: {reason}") } else { format!("{path}: {reason}") })
    })?;
    reader.end().map_err(|error| invalid(format!("the body: {}", shorten(&error.to_string()))))?;
    Ok(value)
}

/// The beginning of what a client sent, for a message to it.
fn shorten(text: &str) -> String {
    const LONGEST: usize = 200;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn says<T: DeserializeOwned>(bytes: &[u8]) -> String {
        match parse::<T>(bytes, "{}") {
            Err(Refusal::Invalid { what, .. }) => what,
            _ => "nothing".to_owned(),
        }
    }

    #[test]
    fn a_fault_is_named_with_its_place() {
        #[derive(serde::Deserialize)]
        struct Shape {
            #[expect(dead_code, reason = "only its type counts")]
            texts: Vec<String>,
        }
        assert_eq!(
            says::<Shape>(br#"{"texts": ["a", 5]}"#),
            "texts[1]: invalid type: integer `5`, expected a string at line 1 column 17"
        );
        assert!(says::<Shape>(b"{}").contains("missing field `texts`"));
        assert!(says::<Shape>(b"").contains("empty"));
        assert!(says::<Value>(b"{} {}").contains("trailing characters"));
        assert!(says::<Value>(b"[NaN]").contains("expected value"));
        assert!(says::<Value>(b"\"\xff\"").contains("invalid unicode"));
        let deep = [b"[".repeat(10_000), b"]".repeat(10_000)].concat();
        assert!(says::<Value>(&deep).contains("recursion limit"));
    }
}
