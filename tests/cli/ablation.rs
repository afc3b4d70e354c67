//! Ablate: presets on the same folds, without the test part, and what an interrupted run keeps.

use std::fs;

use crate::project::Project;

#[test]
fn presets_are_compared_on_the_same_folds_and_measured_once() {
    let project = Project::small();
    let found = project.json(&["ablate", "linear", "kernel-no-terms", "--quiet"]);
    let split = project.csv("data/splits/small.csv");
    let outside = split.iter().filter(|row| row["part"] != "test").count();
    assert_eq!(found["rows"], outside);
    assert_eq!(found["reference"], "linear");
    let [linear, kernel] = found["presets"].as_array().unwrap().as_slice() else { panic!("two presets") };
    assert!(linear["difference"].is_null());
    let macro_f1 = |of: &serde_json::Value| of["figures"]["macro_f1"]["value"].as_f64().unwrap();
    let difference = &kernel["difference"]["macro_f1"];
    let value = difference["value"].as_f64().unwrap();
    assert!((value - (macro_f1(kernel) - macro_f1(linear))).abs() < 1e-9, "{difference}");
    assert!(difference["low"].as_f64() < Some(value) && difference["high"].as_f64() > Some(value));
    assert_eq!(linear["class_f1"].as_array().unwrap().len(), 4);

    let kept = || fs::read_dir(project.path("data/.pipeline/trials")).unwrap().count();
    assert_eq!(kept(), 2);
    let said = project.good(&["ablate", "linear", "network", "--quiet"]).out();
    assert!(said.contains("minus linear"), "{said}");
    assert_eq!(kept(), 3, "linear was measured before");
    project.configure("name = \"small\"", "name = \"small\"\nseed = 2");
    project.good(&["ablate", "linear", "--quiet"]);
    assert_eq!(kept(), 4, "another seed deals other folds");
}

#[test]
fn a_misspelt_preset_names_the_nearest() {
    let project = Project::empty();
    let finished = project.run(&["ablate", "network-focl"]);
    assert_eq!(finished.code(), 3);
    assert!(finished.err().contains("did you mean `network-focal`?"), "{}", finished.err());
    let listed = project.good(&["ablate", "--list"]).out();
    assert!(listed.lines().count() > 20 && listed.contains("phase-3"), "{listed}");
}
