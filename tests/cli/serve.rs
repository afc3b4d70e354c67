//! `pipeline serve` over a real model: what it answers is what `predict` says.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::project::Project;

/// A server of its own on a free port.
struct Server {
    child: Child,
    log: BufReader<ChildStderr>,
    address: String,
}

impl Server {
    fn start(project: &Project, more: &[&str]) -> Self {
        let mut command = project.command(&[&["serve", "--port", "0"], more].concat());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut server =
            Self { log: BufReader::new(child.stderr.take().unwrap()), child, address: String::new() };
        server.address = server.event("listening")["address"].as_str().unwrap().to_owned();
        server.event("ready");
        server
    }

    /// The next line of the log about `event`.
    fn event(&mut self, event: &str) -> Value {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.log.read_line(&mut line).unwrap() > 0, "the server ended before {event:?}");
            let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
            if said["event"] == event {
                return said;
            }
        }
    }

    fn ask(&self, path: &str, body: Option<Value>) -> (u16, String) {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        let agent = ureq::Agent::new_with_config(config);
        let url = format!("http://{}{path}", self.address);
        let mut answer = match body {
            Some(body) => {
                agent.post(&url).header("Content-Type", "application/json").send(body.to_string()).unwrap()
            }
            None => agent.get(&url).call().unwrap(),
        };
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    }

    fn json(&self, path: &str, body: Value) -> Value {
        let (status, text) = self.ask(path, Some(body));
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// End it as the system does; its exit code.
    fn stop(mut self) -> i32 {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

#[test]
fn it_answers_as_predict_does_and_ends_when_it_is_told() {
    let project = Project::small();
    project.use_head("kernel", "");
    project.good(&["build", "--quiet"]);
    let server = Server::start(&project, &[]);

    // Rows of the project's own files, a row without a text, one with a column that is no number.
    let mut rows: Vec<Value> =
        project.csv("data/raw/home.csv").into_iter().take(12).map(|row| json!(row)).collect();
    rows.push(json!({ "title": "", "how_to_play": null }));
    rows.push(json!({ "title": "Sort the buttons", "how_to_play": "By colour.", "duration_mins": "long" }));
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    project.write("rows.jsonl", lines);
    let done = project.run(&["predict", "rows.jsonl", "--only", "--json"]);
    assert_eq!(done.code(), 4, "{}", done.err());
    let said: Vec<Value> = done.out().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found = server.json("/predict", json!({ "rows": rows }));
    let answers = found["answers"].as_array().unwrap();
    assert_eq!(answers.len(), said.len());
    for (answer, said) in answers.iter().zip(&said) {
        for (key, value) in said.as_object().unwrap() {
            match value.as_f64() {
                Some(number) => {
                    let served = answer[key].as_f64().unwrap();
                    assert!((served - number).abs() < 1e-5, "{key}: {answer} {said}");
                }
                None if value.is_object() => {}
                None => assert_eq!(answer[key], *value, "{answer} {said}"),
            }
        }
    }
    // A text alone stands in every field, in both.
    let alone = server.json("/predict", json!({ "texts": ["Build a fort of pillows"] }));
    let text = project.good(&["predict", "--text", "Build a fort of pillows", "--json"]).out();
    let text: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(alone["answers"][0]["label"], text["label"]);

    // Embeddings in both forms are those of the encoder: of length 1, and the same.
    let both = json!(["one text", "another text"]);
    let openai = server.json("/v1/embeddings", json!({ "model": "small", "input": both }));
    let plain = server.json("/embed", json!({ "inputs": both }));
    let vector = |value: &Value| -> Vec<f64> {
        value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
    };
    for text in 0..2 {
        let [a, b] = [vector(&openai["data"][text]["embedding"]), vector(&plain[text])];
        assert_eq!((a.len(), b.len()), (384, 384));
        let product: f64 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
        assert!((product - 1.0).abs() < 1e-5, "{product}");
    }
    let (status, text) = server.ask("/v1/embeddings", Some(json!({ "model": "no-such", "input": "x" })));
    assert!(status == 404 && text.contains("no-such") && text.contains("small"), "{status} {text}");
    assert_eq!(server.ask("/readyz", None).0, 200);
    let (_, metrics) = server.ask("/metrics", None);
    assert!(metrics.contains("pipeline_"), "{metrics}");
    assert!(server.ask("/", None).1.contains("<html"));
    assert_eq!(server.stop(), 0);
}

/// What an explanation adds up to, and what it should.
fn adds_up(why: &Value) -> [f64; 2] {
    let parts = why["words"].as_array().unwrap().iter().chain(why["columns"].as_array().unwrap());
    let sum = parts.map(|part| part["value"].as_f64().unwrap()).sum();
    [sum, why["log_odds"].as_f64().unwrap() - why["log_odds_of_nothing"].as_f64().unwrap()]
}

#[test]
fn it_explains_as_predict_does_and_shows_rows_of_the_training_only_where_told() {
    let project = Project::small();
    project.use_head("prototypes", "");
    project.good(&["build", "--quiet"]);
    let row = json!({ "title": "Sort the buttons", "how_to_play": "By colour and size." });
    project.write("row.jsonl", format!("{row}\n"));
    let predict = |more: &[&str]| -> Value {
        let args = [&["predict", "row.jsonl", "--only", "--json", "--explain"], more].concat();
        serde_json::from_str(&project.good(&args).out()).unwrap()
    };
    let body = json!({ "rows": [row, { "title": "", "how_to_play": "" }], "explain": true });
    let server = Server::start(&project, &[]);
    let found = server.json("/predict", body.clone())["answers"].clone();
    let (why, said) = (&found[0]["explanation"], predict(&[]));
    assert_eq!(why["class"], said["label"]);
    assert_eq!(
        why["words"].as_array().unwrap().len(),
        said["explanation"]["words"].as_array().unwrap().len()
    );
    for (word, said) in
        why["words"].as_array().unwrap().iter().zip(said["explanation"]["words"].as_array().unwrap())
    {
        assert_eq!(
            ["field", "text", "start"].map(|key| &word[key]),
            ["field", "text", "start"].map(|key| &said[key])
        );
        assert!(
            (word["value"].as_f64().unwrap() - said["value"].as_f64().unwrap()).abs() < 1e-4,
            "{word} {said}"
        );
    }
    let [sum, whole] = adds_up(why);
    assert!((sum - whole).abs() < 1e-9, "{why}");
    assert!(found[1]["label"].is_null() && found[1]["explanation"].is_null(), "{found}");
    // Not even where a row of the training stands is told.
    assert!(why["nearest"].is_null() && !said["explanation"]["nearest"].is_null(), "{why}");
    assert_eq!(server.stop(), 0);

    let server = Server::start(&project, &["--show-training"]);
    let found = server.json("/predict", body)["answers"].clone();
    let shown = predict(&["--show-training"]);
    let places = |why: &Value| -> Vec<[Value; 3]> {
        let of = |row: &Value| ["place", "label", "text"].map(|key| row[key].clone());
        why["nearest"].as_array().unwrap().iter().map(of).collect()
    };
    let (near, expected) = (places(&found[0]["explanation"]), places(&shown["explanation"]));
    assert!(near == expected && near.len() == 3 && near[0][2].is_string(), "{near:?} {expected:?}");
    assert_eq!(server.stop(), 0);

    // Where they are not here, that is said at once.
    fs::remove_dir_all(project.path("data/embeddings")).unwrap();
    let done = project.run(&["serve", "--port", "0", "--show-training"]);
    assert_eq!(done.code(), 5, "{}", done.err());
    assert!(done.err().contains("the rows of the training cannot be shown"), "{}", done.err());
}

#[test]
fn another_training_takes_over_and_a_broken_one_does_not() {
    let project = Project::small();
    project.use_head("prototypes", "");
    project.good(&["build", "--quiet"]);
    project.write("limits.toml", "reload_poll_s = 0.2\n");
    let server = Server::start(&project, &["--settings", "limits.toml"]);
    let served = |server: &Server| -> Value {
        let (_, text) = server.ask("/info", None);
        serde_json::from_str::<Value>(&text).unwrap()["models"][0].clone()
    };
    let until = |what: &dyn Fn(&Value) -> bool| {
        let begin = Instant::now();
        while !what(&served(&server)) {
            assert!(begin.elapsed() < Duration::from_secs(30), "{}", served(&server));
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    let first = served(&server)["model"]["training"].clone();
    assert_eq!(first.as_str().unwrap().len(), 64);
    let card = project.path("data/models/small/model.json");
    let whole = fs::read_to_string(&card).unwrap();
    fs::write(&card, &whole[..whole.len() / 2]).unwrap();
    until(&|served| served["broken"].to_string().contains("model.json"));
    server.json("/predict", json!({ "texts": ["still here"] }));
    fs::write(&card, whole).unwrap();
    project.use_head("knn", "nearest = 3\n");
    project.good(&["build", "--quiet"]);
    until(&|served| served["model"]["training"] != first && served["broken"].is_null());
    server.json("/predict", json!({ "texts": ["still here"] }));
    assert_eq!(server.stop(), 0);
}

#[test]
fn an_encoder_is_served_without_a_model() {
    let project = Project::empty();
    let server = Server::start(&project, &["--encoder", "plain=all-MiniLM-L6-v2", "--precision", "f32"]);
    let found = server.json("/v1/embeddings", json!({ "model": "plain", "input": ["a text", "a text"] }));
    assert_eq!(found["data"][0]["embedding"], found["data"][1]["embedding"]);
    assert_eq!(found["data"][0]["embedding"].as_array().unwrap().len(), 384);
    let (status, text) = server.ask("/predict", Some(json!({ "texts": ["a text"] })));
    assert!(status == 400 && text.contains("plain"), "{status} {text}");
    let (_, info) = server.ask("/info", None);
    assert!(info.contains("\"arithmetic\":\"f32"), "{info}");
    assert_eq!(server.stop(), 0);
    let done = project.run(&["serve", "--port", "0", "--encoder", "no-such-encoder"]);
    assert_eq!(done.code(), 5, "{}", done.err());
    assert!(done.err().contains("no-such-encoder"), "{}", done.err());
}

#[test]
fn what_cannot_be_served_is_said() {
    let project = Project::small();
    let wrong = |args: &[&str], code: i32, said: &str| {
        let done = project.run(&[&["serve", "--port", "0"], args].concat());
        assert_eq!(done.code(), code, "{}", done.err());
        assert!(done.err().contains(said), "{}", done.err());
    };
    wrong(&[], 5, "model.json");
    wrong(&["--model", "a=x", "--model", "a=y"], 2, "two models have the name `a`");
    project.write("limits.toml", "workers = 0\n");
    wrong(&["--settings", "limits.toml"], 2, "serve.workers = 0 cannot be");
    project.write("limits.toml", "workrs = 2\n");
    wrong(&["--settings", "limits.toml"], 2, "unknown field `workrs`");
    project.write("keys", "short\n");
    wrong(&["--keys", "keys"], 2, "line 1 of keys is no API key");
    wrong(&["--config", "none.toml"], 3, "none.toml");
}
