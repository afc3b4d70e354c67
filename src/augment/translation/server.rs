//! A translator that is a server, in the form of LibreTranslate: `POST` of texts and languages, texts back.

use std::time::Duration;

use serde_json::{Value, json};

use super::direction::Direction;
use super::error::TranslationError;
use crate::progress::{Progress, pause};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// Greatest answer.
const MOST_BYTES: u64 = 64 << 20;

/// How often a server that is busy or fails is asked, and how long it is left alone the first time.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(500);

/// Environment variable of the key that a server may want.
const KEY: &str = "LIBRETRANSLATE_API_KEY";

/// Translate `texts` by the server at `url`.
///
/// # Errors
/// It cannot be reached, refuses, or answers something else; or the user interrupted.
pub fn translate(
    url: &str,
    direction: Direction<'_>,
    texts: &[&str],
    progress: &dyn Progress,
) -> Result<Vec<String>, TranslationError> {
    let failed = |reason: String| TranslationError::Server { url: url.to_owned(), reason };
    let mut asked = json!({ "q": texts, "source": direction.from, "target": direction.to, "format": "text" });
    if let Ok(key) = std::env::var(KEY) {
        asked["api_key"] = Value::String(key);
    }
    let mut last = String::new();
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            pause(PAUSE * 2u32.pow(attempt - 1), &|| progress.interrupted());
            if progress.interrupted() {
                return Err(TranslationError::Interrupted);
            }
        }
        match ask(url, &asked.to_string()) {
            Ok(answer) => {
                let found =
                    answer["translatedText"].as_array().map(|all| all.iter().filter_map(Value::as_str));
                let found: Vec<String> = found.into_iter().flatten().map(str::to_owned).collect();
                if found.len() != texts.len() {
                    let (line, asked, answered) = (url.to_owned(), texts.len(), found.len());
                    return Err(TranslationError::Lines { line, asked, answered });
                }
                return Ok(found);
            }
            Err(Refusal { again: true, reason }) => last = reason,
            Err(Refusal { reason, .. }) => return Err(failed(reason)),
        }
    }
    Err(failed(last))
}

/// Why a request has no answer, and whether it is worth asking again.
struct Refusal {
    again: bool,
    reason: String,
}

fn ask(url: &str, body: &str) -> Result<Value, Refusal> {
    let broken = |error: ureq::Error| Refusal { again: true, reason: error.to_string() };
    let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false);
    let mut answer = ureq::Agent::new_with_config(config.build())
        .post(url)
        .header("Content-Type", "application/json")
        .send(body)
        .map_err(broken)?;
    let status = answer.status();
    let said = answer.body_mut().with_config().limit(MOST_BYTES).read_to_string().map_err(broken)?;
    let value: Option<Value> = serde_json::from_str(&said).ok();
    if !status.is_success() {
        let reason = value.and_then(|v| Some(v["error"].as_str()?.to_owned())).unwrap_or(said);
        let reason: String = reason.chars().take(300).collect();
        let again = status.as_u16() == 429 || status.is_server_error();
        return Err(Refusal { again, reason: format!("{status}: {reason}") });
    }
    value.ok_or_else(|| Refusal { again: false, reason: "the answer is no JSON".into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// A server that gives these answers, one a connection, and what it was asked.
    fn server(answers: Vec<String>) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/translate", listener.local_addr().unwrap());
        let served = std::thread::spawn(move || {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let (mut request, mut part) = (Vec::new(), [0; 4096]);
                let length = loop {
                    let count = stream.read(&mut part).unwrap();
                    request.extend_from_slice(&part[..count]);
                    let text = String::from_utf8_lossy(&request).to_lowercase();
                    if let Some((head, body)) = text.split_once("\r\n\r\n") {
                        let length = head.split("content-length: ").nth(1).unwrap();
                        let length: usize = length.lines().next().unwrap().parse().unwrap();
                        if body.len() >= length {
                            break length;
                        }
                    }
                };
                asked.push(String::from_utf8_lossy(&request[request.len() - length..]).into_owned());
                stream.write_all(answer.as_bytes()).unwrap();
            }
            asked
        });
        (url, served)
    }

    fn http(status: &str, body: &str) -> String {
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
    }

    const DIRECTION: Direction<'static> = Direction { from: "en", to: "es" };

    #[test]
    fn a_server_is_asked_for_all_texts_and_again_when_it_is_busy() {
        let (url, served) = server(vec![
            http("429 Too Many Requests", "{\"error\": \"slow down\"}"),
            "not HTTP at all".into(),
            http("200 OK", "{\"translatedText\": [\"uno\", \"dos\"]}"),
        ]);
        assert_eq!(translate(&url, DIRECTION, &["one", "two"], &Silent).unwrap(), ["uno", "dos"]);
        let asked: Value = serde_json::from_str(&served.join().unwrap()[2]).unwrap();
        assert_eq!(asked["q"], json!(["one", "two"]));
        assert_eq!([&asked["source"], &asked["target"]], ["en", "es"]);
    }

    #[test]
    fn what_is_no_translation_is_an_error_at_once() {
        for (answer, said) in [
            (http("400 Bad Request", "{\"error\": \"es is not supported\"}"), "es is not supported"),
            (http("200 OK", "{\"translatedText\": [\"uno\"]}"), "answers 1 lines to 2"),
            (http("200 OK", "<html>"), "no JSON"),
        ] {
            let (url, served) = server(vec![answer]);
            let error = translate(&url, DIRECTION, &["one", "two"], &Silent).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
            served.join().unwrap();
        }
    }
}
