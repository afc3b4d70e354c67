//! Runs: every trained model is kept, and can be had again.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::project::Project;

fn numbers(found: &Value) -> Vec<u64> {
    found["runs"].as_array().unwrap().iter().map(|run| run["run"].as_u64().unwrap()).collect()
}

/// Two trainings: run 1 with nearest class means, run 2 with nearest rows.
fn two_runs() -> Project {
    let project = Project::small();
    assert!(project.good(&["runs"]).out().contains("no run yet"));
    project.use_head("prototypes", "");
    project.good(&["build", "--quiet"]);
    project.configure("\"prototypes\"", "\"knn\"");
    let said = project.good(&["build", "--quiet"]).out();
    assert!(said.contains("it is run 2"), "{said}");
    project
}

#[test]
fn every_training_is_kept_with_its_figures_and_what_changed() {
    let project = two_runs();
    let found = project.json(&["runs"]);
    assert_eq!((numbers(&found), &found["current"]), (vec![1, 2], &2.into()), "{found}");
    let metrics: Value = serde_json::from_str(&project.read("data/models/small/metrics.json")).unwrap();
    let [first, second] = [&found["runs"][0], &found["runs"][1]];
    assert_eq!(second["figures"]["figures"]["macro_f1"], metrics["out_of_fold"]["macro_f1"]);
    assert_eq!(second["figures"]["test"]["accuracy"], metrics["test"]["accuracy"]);
    assert_eq!(first["data_blake3"], second["data_blake3"]);
    assert_eq!((&first["commit"], &first["config"]["train"]["head"]), (&Value::Null, &"prototypes".into()));
    let text = project.good(&["runs"]).out();
    assert!(
        text.contains("  run")
            && text.contains("* 2")
            && text.contains("train.head \"prototypes\" → \"knn\""),
        "{text}"
    );

    // The same training again is the same run; other rows are other data.
    project.good(&["build", "--force", "--quiet"]);
    assert_eq!(numbers(&project.json(&["runs"])), [1, 2]);
    let git = |args: &[&str]| {
        let who = ["-c", "user.name=a", "-c", "user.email=a@b.c"];
        assert!(
            Command::new("git")
                .args(who)
                .args(args)
                .current_dir(project.path("."))
                .output()
                .unwrap()
                .status
                .success()
        );
    };
    git(&["init", "-q"]);
    git(&["add", "pipeline.toml"]);
    git(&["commit", "-q", "-m", "a"]);
    let rows = project.read("data/raw/home.csv");
    project.write("data/raw/home.csv", rows.trim_end().rsplit_once('\n').unwrap().0);
    project.good(&["build", "--quiet"]);
    let found = project.json(&["runs"]);
    let [second, third] = [&found["runs"][1], &found["runs"][2]];
    assert_ne!(second["data_blake3"], third["data_blake3"]);
    assert_eq!(third["commit"].as_str().map(str::len), Some(40), "{third}");
    assert!(project.good(&["runs"]).out().contains("other data"));
}

#[test]
fn a_run_is_the_model_again_and_its_config_is_spoken_of() {
    let project = two_runs();
    let files = |folder: &str| {
        let names = ["model.json", "head.safetensors", "inputs.json", "calibration.json", "metrics.json"];
        names.map(|name| fs::read(project.path(&format!("{folder}/{name}"))).unwrap())
    };
    let second = files("data/models/small");
    let compared = project.json(&["compare", "1", "2"]);
    assert!(compared["test"]["rows"].as_u64() > Some(0));
    assert_eq!(compared["settings"][0]["key"], "train.head", "{compared}");
    let text = project.good(&["compare", "1", "2"]).out();
    assert!(text.starts_with("run 1 minus run 2"), "{text}");
    assert!(text.contains("train.head \"prototypes\" → \"knn\""), "{text}");

    let said = project.good(&["runs", "restore", "1"]).out();
    assert!(said.contains("run 1 again") && said.contains("train.head"), "{said}");
    assert_eq!(files("data/models/small"), files("data/runs/small/1"));
    assert_eq!(project.json(&["runs"])["current"], 1);
    let status = project.good(&["status"]).out();
    assert!(status.contains("config train.head changed (\"prototypes\" → \"knn\")"), "{status}");
    project.good(&["predict", "--text", "Build a pillow fort"]);
    // By the config of the run there is nothing to do; by the other one the second run is made once more.
    project.configure("\"knn\"", "\"prototypes\"");
    assert!(!project.good(&["status"]).out().contains("stale"));
    project.configure("\"prototypes\"", "\"knn\"");
    project.good(&["build", "--quiet"]);
    assert_eq!(files("data/models/small"), second);
    assert_eq!(numbers(&project.json(&["runs"])), [1, 2]);

    // What was kept and changed since is not put back, and what is there stays.
    let model = project.read("data/runs/small/1/model.json");
    project.write("data/runs/small/1/model.json", model.replace("prototypes", "prototype"));
    let refused = project.run(&["runs", "restore", "1"]);
    assert_eq!(refused.code(), 5);
    assert!(refused.err().contains("data/runs/small/1/model.json: it was changed"), "{}", refused.err());
    assert_eq!(files("data/models/small"), second);
}

#[test]
fn pruned_runs_keep_their_lines_and_their_numbers() {
    let project = two_runs();
    let found = project.json(&["runs", "prune", "--keep", "1"]);
    assert_eq!(found["pruned"], serde_json::json!([1]));
    assert_eq!(fs::read_dir(project.path("data/runs/small/1")).unwrap().count(), 1);
    assert!(project.good(&["runs"]).out().contains("its files were pruned"));
    let refused = project.run(&["runs", "restore", "1"]);
    assert_eq!(refused.code(), 5);
    assert!(refused.err().contains("small has no run 1: its files were pruned"), "{}", refused.err());
    assert_eq!(project.run(&["compare", "1", "2"]).code(), 5);
    assert_eq!(project.run(&["runs", "prune", "7"]).code(), 5);
    assert_eq!(project.run(&["runs", "prune"]).code(), 2);
    // The model of a pruned run is one of its own when it is made again.
    assert_eq!(project.json(&["runs", "prune", "2"])["pruned"], serde_json::json!([2]));
    project.configure("\"knn\"", "\"prototypes\"");
    project.good(&["build", "--quiet"]);
    assert_eq!(numbers(&project.json(&["runs"])), [1, 2, 3, 4]);
}

#[test]
fn a_second_model_never_overwrites_one_that_is_not_kept() {
    let project = Project::small();
    project.use_head("prototypes", "");
    // A file where the folder would be.
    project.write("data/runs", "");
    let built = project.good(&["build"]);
    assert!(built.err().contains("not kept as a run"), "{}", built.err());
    let head = fs::read(project.path("data/models/small/head.safetensors")).unwrap();
    project.configure("\"prototypes\"", "\"knn\"");
    let refused = project.run(&["build", "--quiet"]);
    assert_eq!(refused.code(), 1);
    assert!(refused.err().contains("data/runs"), "{}", refused.err());
    assert_eq!(fs::read(project.path("data/models/small/head.safetensors")).unwrap(), head);
    // As where an older program trained it; what was changed by hand since is no part of it.
    fs::remove_file(project.path("data/runs")).unwrap();
    project.write("data/models/small/report.html", "mine");
    project.good(&["build", "--quiet"]);
    assert_eq!(numbers(&project.json(&["runs"])), [1, 2]);
    assert_eq!(fs::read(project.path("data/runs/small/1/head.safetensors")).unwrap(), head);
    assert!(!project.path("data/runs/small/1/report.html").exists());
    project.good(&["runs", "restore", "1"]);
    assert_eq!(fs::read(project.path("data/models/small/head.safetensors")).unwrap(), head);
}
