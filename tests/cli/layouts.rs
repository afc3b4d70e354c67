//! What programs of each released layout left is read by this one: see tests/data/layouts/README.md.

use std::fs;
use std::path::{Path, PathBuf};

use pipeline::model::FORMAT;
use serde_json::Value;

use crate::project::{Project, stage};

fn layouts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/layouts")
}

fn copy(from: &Path, project: &Project, to: &str) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let to = if to.is_empty() { name } else { format!("{to}/{name}") };
        match entry.path().is_dir() {
            true => copy(&entry.path(), project, &to),
            false => project.write(&to, fs::read(entry.path()).unwrap()),
        }
    }
}

/// A project as the program of a layout left it.
fn left_by(layout: &Path) -> Project {
    let project = Project::empty();
    copy(layout, &project, "");
    let packed = "data/embeddings/cache.redb.gz";
    assert!(project.shell(&format!("gzip -d {packed}")).status().unwrap().success());
    project
}

fn answers(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Equal, numbers to within 1e-5; what is new since is no difference.
fn assert_alike(now: &Value, before: &Value, at: &str) {
    match (now, before) {
        (Value::Number(now), Value::Number(before)) => {
            let (now, before) = (now.as_f64().unwrap(), before.as_f64().unwrap());
            assert!((now - before).abs() < 1e-5, "{at}: {now} {before}");
        }
        (Value::Array(now), Value::Array(before)) => {
            assert_eq!(now.len(), before.len(), "{at}");
            now.iter().zip(before).for_each(|(now, before)| assert_alike(now, before, at));
        }
        (Value::Object(now), Value::Object(before)) => {
            before.iter().for_each(|(key, before)| assert_alike(&now[key], before, &format!("{at}.{key}")));
        }
        _ => assert_eq!(now, before, "{at}"),
    }
}

#[test]
fn every_released_layout_is_read() {
    let folders = fs::read_dir(layouts()).unwrap().map(|entry| entry.unwrap().path());
    let folders: Vec<PathBuf> = folders.filter(|path| path.is_dir()).collect();
    assert!(
        folders.contains(&layouts().join(FORMAT.to_string())),
        "there is no fixture of layout {FORMAT}: `cargo test --release --test cli write_this_layout -- --ignored`"
    );
    for layout in folders {
        let name = layout.file_name().unwrap().to_string_lossy().into_owned();
        let project = left_by(&layout);
        // Its model answers the same.
        let now = answers(&project.good(&["predict", "new.csv", "--json"]).out());
        let before = answers(&project.read("answers.jsonl"));
        assert_eq!(now.len(), before.len());
        for (line, (now, before)) in now.iter().zip(&before).enumerate() {
            assert_alike(now, before, &format!("layout {name}, answer {line}"));
        }
        // Its settings, manifests, runs, corrections and figures are read.
        let status = project.json(&["status"]);
        assert!(!status.to_string().contains("it has not been run"), "{status}");
        let runs = project.json(&["runs"]);
        assert_eq!(runs["current"], 1, "{runs}");
        assert_eq!(project.json(&["correct"])[0]["labels"], 1);
        let learned = project.run(&["evaluate", "data/raw/tickets.csv"]);
        assert!(
            learned.err().contains("have learned") || learned.err().contains("has learned"),
            "{}",
            learned.err()
        );
        // The embeddings of its cache are known, unless they are computed otherwise now.
        let embedded = project.json(&["embed", "--force"]);
        assert_eq!(stage(&embedded, "embed")["summary"]["computed"], 0, "{embedded}");
        // And what is stale of it is built anew.
        project.good(&["build", "--quiet"]);
        assert_eq!(project.json(&["status"])["stages"].as_array().unwrap().len(), 5);
    }
}

/// The program of before may have let settings pass in any form that is written in docs/configuration.md.
#[test]
fn settings_of_every_layout_are_read() {
    for layout in fs::read_dir(layouts()).unwrap().map(|entry| entry.unwrap().path()).filter(|p| p.is_dir()) {
        let project = left_by(&layout);
        let settings = fs::read_dir(layout.join("settings")).unwrap().map(|entry| entry.unwrap().file_name());
        let settings: Vec<String> = settings.map(|name| name.into_string().unwrap()).collect();
        assert!(settings.len() > 2);
        for name in settings {
            project.good(&["status", "--config", &format!("settings/{name}")]);
        }
    }
}

#[test]
fn a_newer_layout_is_refused_with_the_version_that_it_needs() {
    let project = left_by(&layouts().join(FORMAT.to_string()));
    let card = "data/models/tickets/model.json";
    let mut newer: Value = serde_json::from_str(&project.read(card)).unwrap();
    newer["format"] = (FORMAT + 1).into();
    newer["pipeline_version"] = "7.8.9".into();
    project.write(card, newer.to_string());
    for args in [
        &["predict", "--text", "Where is my parcel"][..],
        &["export", "--to", "card"],
        &["evaluate", "new.csv"],
    ] {
        let refused = project.run(args);
        assert_eq!(refused.code(), 5, "{args:?}: {}", refused.err());
        for said in [
            "was written by pipeline 7.8.9",
            &format!("its format is {}", FORMAT + 1),
            "install pipeline 7.8.9 or later",
        ] {
            assert!(refused.err().contains(said), "{said}: {}", refused.err());
        }
    }
    // It is no reason not to build.
    assert!(project.good(&["status"]).out().contains("train"));
}

/// Write the fixture of the present layout, before a release: it is committed and never written again.
#[test]
#[ignore = "writes tests/data/layouts"]
fn write_this_layout() {
    let layout = layouts().join(FORMAT.to_string());
    assert!(!layout.join("data").exists(), "{} was written before", layout.display());
    let project = Project::empty();
    copy(&layout, &project, "");
    let table = fs::read(layouts().parent().unwrap().join("formats/tickets.csv")).unwrap();
    project.write("data/raw/tickets.csv", table);
    project.good(&["build", "--quiet"]);
    let row = "7000 2024-03-01 Customer";
    assert!(project.read("data/raw/tickets.csv").replace(',', " ").contains(row));
    let mut hasher = blake3::Hasher::new();
    let first = project.read("data/raw/tickets.csv");
    for cell in first.lines().nth(1).unwrap().split(',') {
        hasher.update(&(cell.len() as u64).to_le_bytes()).update(cell.as_bytes());
    }
    let record = &hasher.finalize().to_hex()[..16];
    project.write("fix.csv", format!("record,corrected category\n{record},Access\n"));
    project.good(&["correct", "fix.csv"]);
    fs::remove_file(project.path("fix.csv")).unwrap();
    project.good(&["correct", "--undo"]);
    let given = project.good(&["predict", "new.csv", "--json"]).out();
    project.write("answers.jsonl", given);
    project.shell("gzip -9 -n data/embeddings/cache.redb").status().unwrap();
    let kept = [
        "answers.jsonl",
        "data/raw/tickets.csv",
        "data/corrections/tickets.csv",
        "data/splits/tickets.csv",
        "data/embeddings/tickets",
        "data/embeddings/cache.redb.gz",
        "data/augmented/tickets",
        "data/models/tickets",
        "data/runs/tickets/1",
        "data/.pipeline/tickets",
    ];
    for name in kept {
        let (from, to) = (project.path(name), layout.join(name));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        let copied = std::process::Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap();
        assert!(copied.success());
    }
    // For people, and large; a run has its model once more.
    fs::remove_file(layout.join("data/models/tickets/report.html")).unwrap();
    for entry in fs::read_dir(layout.join("data/runs/tickets/1")).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.extension().is_none_or(|ending| ending != "json") || path.ends_with("metrics.json") {
            fs::remove_file(path).unwrap();
        }
    }
}
