//! `"explain": true`: answers with their reasons, within the limits of all requests, and in nobody's way.

mod fake;

use std::sync::Arc;
use std::time::{Duration, Instant};

use fake::model::{FakeSource, source};
use fake::running::{Running, settings, start, until};
use pipeline_serve::ServeSettings;
use serde_json::{Value, json};

fn server() -> Running {
    start(settings(), vec![Box::new(source("hash"))])
}

#[test]
fn answers_have_their_reasons_in_order_and_only_where_they_are_asked_for() {
    let server = server();
    let answer = |body: Value| server.post("/predict", &body.to_string()).json()["answers"].clone();
    let texts = json!(["one two three", "", "four"]);
    let plain = answer(json!({ "texts": texts }));
    let found = answer(json!({ "texts": texts, "explain": true }));
    assert_eq!(plain, answer(json!({ "texts": texts, "explain": false })));
    for (place, words) in [(0, vec!["one", "two", "three"]), (2, vec!["four"])] {
        let (found, plain) = (&found[place], &plain[place]);
        assert!(plain["explanation"].is_null() && found["probabilities"] == plain["probabilities"]);
        let why = &found["explanation"];
        assert_eq!(why["class"], found["label"]);
        assert_eq!(why["samples"], 32);
        let told: Vec<&str> =
            why["words"].as_array().unwrap().iter().map(|w| w["text"].as_str().unwrap()).collect();
        assert_eq!(told, words);
    }
    assert_eq!(found[1], plain[1]);
    let few = answer(json!({ "texts": ["one"], "explain": true, "explain_samples": 4 }));
    assert_eq!(few[0]["explanation"]["samples"], 4);
    assert_eq!(server.metric("pipeline_without_answer_total{model=\"hash\"} "), Some(3.0));
    for (wrong, said) in [
        (json!({ "texts": ["a"], "explain": true, "explain_samples": 3 }), "explain_samples = 3"),
        (json!({ "texts": ["a"], "explain": true, "explain_samples": 1025 }), "explain_samples = 1025"),
        (json!({ "texts": ["a"], "explain_samples": 32 }), "explain_samples without"),
        (json!({ "texts": ["a"], "explain": "yes" }), "explain: invalid type"),
    ] {
        let refused = server.post("/predict", &wrong.to_string());
        assert_eq!(refused.status, 400, "{wrong}");
        assert!(refused.message().contains(said), "{wrong}: {}", refused.message());
    }
}

#[test]
fn explaining_counts_as_many_tokens_as_it_takes() {
    let limits = ServeSettings { request_tokens: 100, ..settings() };
    let server = start(limits, vec![Box::new(source("hash"))]);
    // Five tokens, over 32 orders, and over 8.
    let body = |samples: usize| {
        json!({ "texts": ["sixteen letters!"], "explain": true, "explain_samples": samples }).to_string()
    };
    let refused = server.post("/predict", &body(32));
    assert_eq!(refused.status, 413, "{refused:?}");
    assert!(refused.message().contains("160 tokens, and one may have 100"), "{}", refused.message());
    assert_eq!(server.post("/predict", &body(8)).status, 200);
    assert_eq!(server.post("/predict", r#"{"texts": ["sixteen letters!"]}"#).status, 200);
}

#[test]
fn who_asks_for_labels_does_not_wait_behind_reasons_and_nobody_waits_for_ever() {
    let asked = Arc::default();
    let model = FakeSource { asked: Arc::clone(&asked), ..source("hash") };
    let limits = ServeSettings { request_timeout_s: 1.5, ..settings() };
    let server = start(limits, vec![Box::new(model)]);
    let given_up =
        || asked.lock().unwrap().iter().filter(|batch: &&Vec<String>| batch[..] == ["given up"]).count();
    std::thread::scope(|scope| {
        let endless = scope.spawn(|| server.post("/predict", r#"{"texts": ["ENDLESS"], "explain": true}"#));
        until("it explains", || server.metric("pipeline_texts_total{model=\"hash\"} ") == Some(1.0));
        let begin = Instant::now();
        assert_eq!(server.post("/predict", r#"{"texts": ["quick"]}"#).status, 200);
        assert!(begin.elapsed() < Duration::from_millis(1000) && given_up() == 0);
        let late = endless.join().unwrap();
        assert_eq!((late.status, &late.json()["error"]["code"]), (504, &json!("timeout")));
    });
    // The model hears of it, and the next one is explained.
    until("it is given up", || given_up() == 1);
    assert_eq!(server.post("/predict", r#"{"texts": ["next"], "explain": true}"#).status, 200);
    let failed = server.metric("pipeline_batches_failed_total{model=\"hash\"} ");
    assert!(failed.is_none_or(|count| count == 0.0), "{failed:?}");
    assert_eq!(server.post("/predict", r#"{"texts": ["PANIC"], "explain": true}"#).status, 500);
    assert_eq!(server.post("/predict", r#"{"texts": ["next"], "explain": true}"#).status, 200);
    server.stop().unwrap();
}
