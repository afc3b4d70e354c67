//! Tune: nested cross-validation without the test part, and a killed search that goes on.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::project::Project;

const SPACE: &str = r#"
[tune]
trials = 4
folds = 2

[tune.space]
"train.hidden" = [[], [8]]
"train.dropout" = { low = 0.0, high = 0.6 }
"#;

fn tunable() -> Project {
    let project = Project::small();
    project.write("pipeline.toml", project.read("pipeline.toml") + SPACE);
    project
}

/// Without the times, which differ.
fn timeless(mut found: Value) -> Value {
    for trial in found["trials"].as_array_mut().unwrap() {
        trial["seconds"] = Value::Null;
    }
    found
}

#[test]
fn a_killed_search_goes_on_and_finds_the_same() {
    let (project, undisturbed) = (tunable(), tunable());
    let trials = project.path("data/.pipeline/trials");
    let times = || -> BTreeMap<_, _> {
        let kept = fs::read_dir(&trials).into_iter().flatten().flatten();
        kept.map(|file| (file.path(), file.metadata().unwrap().modified().unwrap())).collect()
    };
    let mut running = project.command(&["tune", "--quiet"]).spawn().unwrap();
    let begin = Instant::now();
    while times().len() < 3 && begin.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
    running.kill().unwrap();
    running.wait().unwrap();
    let before = times();
    assert!(before.len() >= 3);

    let found = project.json(&["tune", "--quiet"]);
    let after = times();
    assert!(
        before.keys().all(|file| file.extension().is_none_or(|e| e != "json") || before[file] == after[file])
    );
    assert_eq!(timeless(found.clone()), timeless(undisturbed.json(&["tune", "--quiet"])));
    assert_eq!(
        timeless(found.clone()),
        timeless(serde_json::from_str(&project.read("data/tuning/small.json")).unwrap())
    );

    let outside = project.csv("data/splits/small.csv").iter().filter(|row| row["part"] != "test").count();
    assert_eq!(found["rows"], outside);
    let tried = found["trials"].as_array().unwrap();
    assert_eq!(tried.len(), 4);
    assert!(tried[0]["values"].as_object().unwrap().is_empty(), "the first is the config as it was");
    let loss = |trial: &Value| trial["value"]["value"].as_f64().unwrap();
    let best = tried.iter().min_by(|a, b| loss(a).total_cmp(&loss(b))).unwrap();
    assert_eq!(found["best"], best["values"]);
    let [tuned, present, by] =
        ["tuned", "present", "difference"].map(|of| found[of]["macro_f1"]["value"].as_f64().unwrap());
    assert!((tuned - present - by).abs() < 1e-9);
}

#[test]
fn the_result_says_what_searching_is_worth() {
    let said = tunable().good(&["tune", "--quiet", "--trials", "2"]).out();
    assert!(said.contains("on rows the search has not seen"), "{said}");
    assert!(said.contains("as it was"), "{said}");
}

#[test]
fn a_space_that_does_not_fit_is_refused_before_anything_is_trained() {
    for (key, values, said) in [
        ("train.dropuot", "[0.1]", "did you mean `dropout`"),
        ("train.dropout", "{ low = 0.5, high = 0.2 }", "low < high"),
        ("train.dropout", "[\"much\"]", "expected f64"),
        ("split.test", "[0.1, 0.2]", "cannot be tuned"),
    ] {
        let project = Project::small();
        let space = format!("\n[tune.space]\n\"{key}\" = {values}\n");
        project.write("pipeline.toml", project.read("pipeline.toml") + &space);
        let finished = project.run(&["tune"]);
        assert_eq!(finished.code(), 3, "{key}: {}", finished.err());
        assert!(finished.err().contains(said), "{key}: {}", finished.err());
        assert!(!project.path("data/splits").exists());
    }
}
