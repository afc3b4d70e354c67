//! What each address answers to what it is asked.

mod fake;

use base64::Engine;
use fake::model::{DIMS, EncoderSource, LONGEST, probability, source, vector};
use fake::running::{Running, settings, start};
use serde_json::{Value, json};

fn server() -> Running {
    start(settings(), vec![Box::new(source("hash")), Box::new(EncoderSource)])
}

#[test]
fn texts_are_labelled_in_order_as_predict_says_it() {
    let server = server();
    let body = json!({ "texts": ["one", "", "STRANGE two", null] });
    let answer = server.post("/predict", &body.to_string());
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    assert_eq!(answer["model"], "hash");
    let answers = answer["answers"].as_array().unwrap();
    let lines: Vec<_> = answers.iter().map(|a| a["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [1, 2, 3, 4]);
    for (place, text) in [(0, "one"), (2, "STRANGE two")] {
        let first = probability(text, 1);
        assert_eq!(answers[place]["probabilities"]["ham"], first);
        let expected = if first >= 0.75 * (1.0 - first) { "ham" } else { "spam" };
        assert_eq!(answers[place]["label"], expected);
        assert_eq!(answers[place]["unlike_training"], text.contains("STRANGE"));
    }
    for place in [1, 3] {
        assert_eq!(
            answers[place],
            json!({ "line": place + 1, "label": null, "reason": "no text in title, body" })
        );
    }
    assert_eq!(server.metric("pipeline_without_answer_total{model=\"hash\"} "), Some(2.0));
    assert_eq!(server.metric("pipeline_unlike_training_share{model=\"hash\"} "), Some(0.5));
}

#[test]
fn rows_are_labelled_and_what_they_lack_is_named() {
    let server = server();
    let body = json!({ "rows": [{ "Title": "x", "title": "a", "body": "b", "price": 5, "other": [1] }, { "title": "a" }] });
    let answer = server.post("/predict", &body.to_string()).json();
    assert_eq!(answer["answers"][0]["probabilities"]["ham"], probability("a b", 1));
    assert_eq!(answer["answers"][1]["probabilities"]["ham"], probability("a", 1));
    assert_eq!(answer["notes"], json!(["rows lack body, price; empty is taken"]));
    let answer = server.post("/predict", r#"{"rows": [{"title": "a"}, {"titel": "a"}]}"#);
    assert_eq!(answer.status, 400);
    let message = answer.message();
    for part in ["rows[1]", "[titel]", "title, body", "`titel` may be `title`"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn answers_less_sure_than_asked_are_none() {
    let server = server();
    let answer = server.post("/predict", r#"{"texts": ["one"], "abstain_below": 1.0}"#).json();
    assert_eq!(answer["answers"][0]["label"], Value::Null);
    assert_eq!(answer["answers"][0]["reason"], "less sure than abstain_below 1");
    assert_eq!(server.metric("pipeline_abstained_total{model=\"hash\"} "), Some(1.0));
    for bad in ["1.5", "-0.1", "1e999"] {
        let answer = server.post("/predict", &format!(r#"{{"texts": ["one"], "abstain_below": {bad}}}"#));
        assert_eq!(answer.status, 400, "{bad}");
    }
}

#[test]
fn openai_embeddings_are_floats_or_base64_in_order() {
    let server = server();
    for model in ["hash", "hash-encoder", "encoder-only"] {
        let body = json!({ "model": model, "input": ["one", "two", "", "one"], "user": "x" });
        let answer = server.post("/v1/embeddings", &body.to_string()).json();
        assert_eq!(answer["object"], "list");
        assert_eq!(answer["model"], model);
        for (index, text) in ["one", "two", "", "one"].into_iter().enumerate() {
            assert_eq!(answer["data"][index]["index"], index);
            let found: Vec<f32> = serde_json::from_value(answer["data"][index]["embedding"].clone()).unwrap();
            assert_eq!(found, vector(text, true));
        }
        assert_eq!(answer["usage"], json!({ "prompt_tokens": 4, "total_tokens": 4 }));
    }
    let body = json!({ "model": "hash", "input": "one", "encoding_format": "base64", "dimensions": DIMS });
    let answer = server.post("/v1/embeddings", &body.to_string()).json();
    let text = answer["data"][0]["embedding"].as_str().unwrap();
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    let found: Vec<f32> =
        bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    assert_eq!(found, vector("one", true));
}

#[test]
fn tei_embeddings_are_lists_and_normalised_on_demand() {
    let server = server();
    for path in ["/embed", "/"] {
        let answer = server.post(path, r#"{"inputs": ["one", "two"], "normalize": false}"#).json();
        let found: Vec<Vec<f32>> = serde_json::from_value(answer).unwrap();
        assert_eq!(found, [vector("one", false), vector("two", false)]);
        let answer = server.post(path, r#"{"inputs": "one", "prompt_name": null}"#).json();
        assert_eq!(serde_json::from_value::<Vec<Vec<f32>>>(answer).unwrap(), [vector("one", true)]);
    }
    let long = json!({ "inputs": ["a", "b".repeat(LONGEST + 1)], "truncate": false });
    let answer = server.post("/embed", &long.to_string());
    assert_eq!(answer.status, 422);
    assert!(answer.json()["error"].as_str().unwrap().starts_with("text 1 is longer than the 100 tokens"));
    assert_eq!(answer.json()["error_type"], "validation");
    let long = json!({ "inputs": "b".repeat(LONGEST + 1) });
    assert_eq!(server.post("/embed", &long.to_string()).status, 200);
}

#[test]
fn nothing_asked_is_nothing_answered() {
    let server = server();
    assert_eq!(server.post("/predict", r#"{"texts": []}"#).json()["answers"], json!([]));
    assert_eq!(server.post("/predict", r#"{"rows": []}"#).json()["answers"], json!([]));
    assert_eq!(server.post("/embed", r#"{"inputs": []}"#).json(), json!([]));
    assert_eq!(server.post("/v1/embeddings", r#"{"input": []}"#).json()["data"], json!([]));
}

#[test]
fn what_cannot_be_answered_says_why_in_the_clients_form() {
    let server = server();
    for (path, body, status, part) in [
        ("/predict", r#"{"texts": ["a"], "model": "nix"}"#, 404, "there are hash, encoder-only"),
        ("/predict", r#"{"texts": ["a"], "model": "encoder-only"}"#, 400, "has no labels"),
        ("/predict", r#"{"texts": ["a", 5]}"#, 400, "texts[1]: invalid type: integer `5`"),
        ("/predict", r#"{"texts": "a"}"#, 400, "texts: invalid type"),
        ("/predict", r#"{"text": ["a"]}"#, 400, "unknown field `text`"),
        ("/predict", r#"{"texts": ["a"], "rows": []}"#, 400, "texts and rows"),
        ("/predict", r#"{"texts": ["a"], "texts": ["b"]}"#, 400, "duplicate field"),
        ("/predict", r#"{"rows": ["a"]}"#, 400, "rows[0]"),
        ("/predict", r#"{"rows": [{"title": NaN}]}"#, 400, "rows"),
        ("/predict", "{}", 400, "neither texts nor rows"),
        ("/predict", "[]", 400, "the body"),
        ("/v1/embeddings", r#"{"input": "a", "model": "nix"}"#, 404, "hash, encoder-only, hash-encoder"),
        ("/v1/embeddings", r#"{"input": [[1, 2]]}"#, 400, "input[0]: invalid type: sequence"),
        ("/v1/embeddings", r#"{"input": [1, 2]}"#, 400, "input[0]: invalid type: integer `1`"),
        ("/v1/embeddings", r#"{"input": "a", "encoding_format": "hex"}"#, 400, "unknown variant `hex`"),
        ("/v1/embeddings", r#"{"input": "a", "dimensions": 5}"#, 400, "16 values"),
        ("/v1/embeddings", "{\"model\": \"hash\"}", 400, "missing field `input`"),
        ("/nix", "{}", 404, "there is nothing at POST /nix"),
        ("/info", "{}", 405, "POST /info"),
    ] {
        let answer = server.post(path, body);
        assert_eq!(answer.status, status, "{path} {body}: {answer:?}");
        let message = answer.message();
        assert!(message.contains(part), "{path} {body}: {message}");
        assert!(answer.json()["error"]["type"].is_string() && answer.json()["error"]["code"].is_string());
    }
    for (body, status, part) in [
        (r#"{"inputs": [["a", "b"]]}"#, 422, "inputs[0]: invalid type: sequence"),
        (r#"{"inputs": "a", "prompt_name": "query"}"#, 422, "prompt_name"),
        (r#"{"inputs": "a", "truncation_direction": "Left"}"#, 422, "Left"),
        (r#"{"inputs": "a", "model": "nix"}"#, 404, "nix"),
        ("no json", 422, "expected"),
    ] {
        let answer = server.post("/embed", body);
        assert_eq!(answer.status, status, "{body}: {answer:?}");
        let json = answer.json();
        assert!(json["error"].as_str().unwrap().contains(part) && json["error_type"].is_string(), "{json}");
    }
}

#[test]
fn requests_have_names_and_texts_are_in_no_log() {
    let server = server();
    let (texts, ours) = (r#"{"texts": ["quetzalcoatl", "PANIC quetzalcoatl"]}"#, "x-request-id: my-id.7\r\n");
    let json = "content-type: application/json\r\n";
    let answer = server.post_with("/predict", texts.as_bytes(), &format!("{json}{ours}"));
    assert_eq!(answer.header("x-request-id"), Some("my-id.7"));
    let answer = server.post_with("/predict", texts.as_bytes(), &format!("{json}x-request-id: a b\r\n"));
    let id = answer.header("x-request-id").unwrap().to_owned();
    assert_eq!(id.len(), 16);
    server.post("/predict", r#"{"texts": ["quetzalcoatl"#);
    server.get("/quetzalcoatl?text=quetzalcoatl");
    server.post("/embed", r#"{"inputs": "quetzalcoatl", "model": "quetzalcoatl"}"#);
    let log = server.log.clone();
    server.stop().unwrap();
    let text = log.text();
    assert!(!text.contains("quetzal"), "{text}");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |id: &str| lines.iter().find(|line| line["id"] == id).unwrap();
    assert_eq!(of("my-id.7")["route"], "/predict");
    assert_eq!(of(&id)["status"], 500);
    assert!(lines.iter().any(|line| line["event"] == "request" && line["route"] == "other"));
    assert_eq!(lines.last().unwrap()["event"], "stopped");
}

#[test]
fn keys_are_asked_for_where_there_are_some() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "# ours\nkey-of-sixteen-letters\n").unwrap();
    let settings = pipeline_serve::ServeSettings { keys: Some(file.path().to_owned()), ..settings() };
    let server = start(settings, vec![Box::new(source("hash"))]);
    let body = br#"{"inputs": "a"}"#;
    let json = "content-type: application/json\r\n";
    for key in [
        "",
        "authorization: Bearer key-of-sixteen-letterz\r\n",
        "authorization: Basic key-of-sixteen-letters\r\n",
    ] {
        for path in ["/embed", "/"] {
            let answer = server.post_with(path, body, &format!("{json}{key}"));
            assert_eq!(answer.status, 401);
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            assert!(answer.json()["error"].as_str().unwrap().contains("Authorization: Bearer KEY"));
        }
        let answer = server.post_with("/v1/embeddings", br#"{"input": "a"}"#, &format!("{json}{key}"));
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (401, &json!("invalid_api_key")));
    }
    for locked in ["/info", "/metrics", "/v1/models", "/nix"] {
        assert_eq!(server.get(locked).status, 401, "{locked}");
    }
    for open in ["/livez", "/readyz", "/", "/page.js", "/why.js", "/openapi.json"] {
        assert_eq!(server.get(open).status, 200, "{open}");
    }
    let right = format!("{json}authorization: bearer key-of-sixteen-letters\r\n");
    assert_eq!(server.post_with("/embed", body, &right).status, 200);
    std::fs::write(file.path(), "another-key-of-letters\n").unwrap();
    server.handle.reload();
    fake::running::until("the old key is unknown", || server.post_with("/embed", body, &right).status == 401);
}

#[test]
fn pages_of_others_are_let_in_only_where_they_are_named() {
    let ask = |server: &Running, origin: &str| {
        let head = format!(
            "OPTIONS /predict HTTP/1.1\r\nhost: localhost\r\norigin: {origin}\r\n\
             access-control-request-method: POST\r\naccess-control-request-headers: content-type\r\nconnection: close\r\n\r\n"
        );
        server.send(&head, b"").header("access-control-allow-origin").map(str::to_owned)
    };
    assert_eq!(ask(&server(), "https://a.example"), None);
    let named = pipeline_serve::ServeSettings { origins: vec!["https://a.example".into()], ..settings() };
    let server = start(named, vec![Box::new(source("hash"))]);
    assert_eq!(ask(&server, "https://a.example").as_deref(), Some("https://a.example"));
    assert_eq!(ask(&server, "https://b.example"), None);
    let head = "GET /info HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    assert_eq!(server.send(head, b"").status, 421);
}

#[test]
fn the_page_and_the_description_load_nothing_from_elsewhere() {
    let server = server();
    for (path, kind) in [
        ("/", "text/html"),
        ("/docs", "text/html"),
        ("/page.js", "text/javascript"),
        ("/why.js", "text/javascript"),
        ("/table.js", "text/javascript"),
        ("/page.css", "text/css"),
        ("/docs.js", "text/javascript"),
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, 200);
        assert!(answer.header("content-type").unwrap().starts_with(kind));
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"));
        let text = String::from_utf8(answer.body).unwrap();
        for forbidden in
            ["https://", "http://", "innerHTML", "insertAdjacentHTML", "document.write", "eval(", "style="]
        {
            assert!(!text.contains(forbidden), "{path} has {forbidden}");
        }
    }
    let description = server.get("/openapi.json").json();
    for path in ["/predict", "/embed", "/v1/embeddings", "/info", "/livez", "/readyz", "/metrics"] {
        assert!(description["paths"][path].is_object(), "{path}");
    }
    assert!(description["components"]["schemas"]["PredictRequest"]["properties"]["texts"].is_object());
}

#[test]
fn info_and_metrics_say_what_is_served_and_was_done() {
    let server = server();
    server.post("/predict", r#"{"texts": ["one", "two"]}"#);
    server.post("/predict", "nix");
    let info = server.get("/info").json();
    assert_eq!(info["models"][0]["name"], "hash");
    assert_eq!(info["models"][0]["classes"], json!(["ham", "spam", "unsure <b>"]));
    assert_eq!(info["models"][0]["model"], json!({ "version": 1, "calibrated": true }));
    assert_eq!(info["models"][1]["classes"], json!([]));
    assert_eq!(info["limits"]["request_texts"], 2048);
    assert_eq!(server.metric("pipeline_requests_total{route=\"/predict\",status=\"200\"} "), Some(1.0));
    assert_eq!(server.metric("pipeline_requests_total{route=\"/predict\",status=\"400\"} "), Some(1.0));
    assert_eq!(server.metric("pipeline_texts_total{model=\"hash\"} "), Some(2.0));
    assert_eq!(server.metric("pipeline_batch_rows_sum{model=\"hash\"} "), Some(2.0));
    assert_eq!(server.metric("pipeline_queue_tokens{model=\"hash\"} "), Some(0.0));
    assert_eq!(server.metric("pipeline_request_seconds_count{route=\"/predict\"} "), Some(2.0));
}
