//! Models and projects of an older program: see tests/data/built_before/README.md.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::project::Project;

const HEADS: [&str; 6] = ["kernel", "knn", "prototypes", "trees", "network", "ensemble"];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/built_before")
}

fn answers(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Every probability and range of an answer.
fn numbers(answer: &Value) -> Vec<f64> {
    match answer {
        Value::Number(n) => vec![n.as_f64().unwrap()],
        Value::Array(all) => all.iter().flat_map(numbers).collect(),
        Value::Object(all) => all.values().flat_map(numbers).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn a_model_of_before_answers_the_same() {
    let project = Project::empty();
    project.write("new.csv", fs::read(fixtures().join("new.csv")).unwrap());
    for head in HEADS {
        let folder = fixtures().join(head);
        let model = folder.to_str().unwrap();
        let mut given = answers(&project.good(&["predict", "new.csv", "--json", "--model", model]).out());
        let expected = answers(&fs::read_to_string(folder.join("answers.jsonl")).unwrap());
        // The older program passed over a row of separators.
        given.retain(|row| expected.iter().any(|of| of["line"] == row["line"]));
        assert_eq!(given.len(), expected.len());
        for (given, expected) in given.iter().zip(&expected) {
            assert_eq!(given["label"], expected["label"], "{head}");
            let (given, expected) = (numbers(given), numbers(expected));
            assert_eq!(given.len(), expected.len());
            for (given, expected) in given.iter().zip(&expected) {
                assert!((given - expected).abs() < 1e-3, "{head}: {given} {expected}");
            }
        }
    }
}

/// Stages of another version are made anew; what they left is neither mistaken for theirs nor in the way.
#[test]
fn a_project_of_before_is_read_and_rebuilt() {
    let project = Project::small();
    project.write("pipeline.toml", fs::read(fixtures().join("pipeline.toml")).unwrap());
    for stage in ["embed", "split", "augment", "train", "evaluate"] {
        let manifest = fs::read(fixtures().join(format!("manifests/{stage}.json"))).unwrap();
        project.write(&format!("data/.pipeline/kernel/{stage}.json"), manifest);
    }
    for file in ["model.json", "inputs.json", "head.safetensors", "calibration.json"] {
        let bytes = fs::read(fixtures().join("kernel").join(file)).unwrap();
        project.write(&format!("data/models/kernel/{file}"), bytes);
    }
    // Settings of a network beside another head were let pass; now they are named, all at once.
    let refused = project.run(&["status"]);
    assert_eq!(refused.code(), 3);
    let config = project.read("pipeline.toml");
    let (own, others): (Vec<&str>, Vec<&str>) = config.lines().partition(|line| {
        let key = line.split(' ').next().unwrap_or_default();
        key.is_empty() || key == "head" || !refused.err().contains(&format!("train.{key}"))
    });
    assert_eq!(others.len(), 6, "{others:?}");
    project.write("pipeline.toml", own.join("\n"));
    let status = project.json(&["status"]);
    let stages = status["stages"].as_array().unwrap();
    assert!(stages.iter().all(|s| s["fresh"] == false), "{status}");
    assert!(!status.to_string().contains("it has not been run"), "{status}");
    project.good(&["build", "--quiet"]);
    assert!(project.json(&["status"])["stages"].as_array().unwrap().iter().all(|s| s["fresh"] == true));
}
