//! An encoder by its hub name, from a hub of the test's own.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Arc, Mutex};

use pipeline::store::user_cache;

use crate::project::{Project, stage};

/// The newest revision; the hub has no other.
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Serves the installed encoder as `owner/mini`, without what is in `missing`; the requests it has had.
fn hub(missing: &'static [&'static str]) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let path = answer(stream, missing);
            seen.lock().unwrap().push(path);
        }
    });
    (address, requests)
}

fn answer(mut stream: TcpStream, missing: &[&str]) -> String {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let path = lines.next().unwrap_or_default().split(' ').nth(1).unwrap_or_default().to_owned();
    let _: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let folder = format!("/owner/mini/resolve/{COMMIT}/");
    let file = path.strip_prefix(&folder).filter(|file| !missing.contains(file));
    let told = (path == "/api/models/owner/mini").then(|| format!("{{\"sha\": \"{COMMIT}\"}}").into_bytes());
    let body = told.or_else(|| file_of(file));
    let (status, body) = body.map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
    path
}

fn file_of(file: Option<&str>) -> Option<Vec<u8>> {
    std::fs::read(user_cache().join("all-MiniLM-L6-v2").join(file?)).ok()
}

/// A project whose encoder is the hub's, with a cache of its own.
fn project() -> (Project, PathBuf) {
    let project = Project::small();
    project.configure("[features]", "[encoder]\nmodel = \"owner/mini\"\n[features]");
    let cache = project.path("cache");
    (project, cache)
}

/// Run the program on the hub at `address` and the cache.
fn run(project: &Project, cache: &Path, address: &str, args: &[&str]) -> Output {
    let mut command = project.command(args);
    command.env("HF_ENDPOINT", address).env("PIPELINE_CACHE", cache).output().unwrap()
}

#[test]
fn an_encoder_of_the_hub_is_fetched_once_and_used() {
    let (address, requests) = hub(&["sentence_bert_config.json"]);
    let (project, cache) = project();
    let run = |args: &[&str]| {
        let output = run(&project, &cache, &address, args);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let report = run(&["embed", "--json"]);
    assert!(stage(&report, "embed")["summary"]["computed"].as_u64() > Some(50), "{report}");
    assert!(cache.join("hub/owner--mini/model.safetensors").exists());
    let asked = requests.lock().unwrap().len();
    assert_eq!(asked, 7, "{:?}", requests.lock().unwrap());
    // Which revision it was, and what its files are.
    let record = std::fs::read_to_string(cache.join("hub/owner--mini/download.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    assert_eq!((&record["model"], &record["revision"]), (&"owner/mini".into(), &COMMIT.into()));
    let weights = std::fs::read(cache.join("hub/owner--mini/model.safetensors")).unwrap();
    assert_eq!(record["blake3"]["model.safetensors"], blake3::hash(&weights).to_hex().as_str());
    assert_eq!(record["blake3"].as_object().unwrap().len(), 5);
    run(&["embed", "--force", "--json"]);
    assert_eq!(requests.lock().unwrap().len(), asked);
}

#[test]
fn a_revision_may_be_named() {
    let (address, requests) = hub(&[]);
    let (project, cache) = project();
    project.configure("owner/mini", &format!("owner/mini@{COMMIT}"));
    let output = run(&project, &cache, &address, &["embed"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!requests.lock().unwrap().iter().any(|path| path.starts_with("/api/")));
    project.configure(COMMIT, "v2");
    let output = run(&project, &cache, &address, &["embed"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(5) && said.contains("modules.json") && said.contains("404"),
        "{said}"
    );
}

#[test]
fn what_the_hub_has_not_is_named_and_nothing_is_left() {
    let (address, _) = hub(&["tokenizer.json"]);
    let (project, cache) = project();
    let output = run(&project, &cache, &address, &["embed"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("owner/mini") && said.contains("tokenizer.json") && said.contains("404"), "{said}");
    assert_eq!(std::fs::read_dir(cache.join("hub")).unwrap().count(), 0);
}

#[test]
fn an_encoder_that_cannot_be_stored_is_a_failed_write() {
    let (address, _) = hub(&[]);
    let (project, cache) = project();
    std::fs::write(&cache, "no folder").unwrap();
    let output = run(&project, &cache, &address, &["embed"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("cannot write") && said.contains("modules.json"), "{said}");
}
