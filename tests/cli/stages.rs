//! Build: what runs, why, and that it is repeatable.

use std::fs;

use crate::project::{Project, ran, stage};

#[test]
fn a_build_makes_everything_and_a_second_one_has_nothing_to_do() {
    let project = Project::small();
    let first = project.good(&["build"]);
    assert!(first.out().contains("accuracy") && first.out().contains("95 % interval"), "{}", first.out());
    assert!(!first.err().contains('\u{1b}'), "no drawing when it is not a terminal: {}", first.err());
    let metrics: serde_json::Value =
        serde_json::from_str(&project.read("data/models/small/metrics.json")).unwrap();
    let accuracy = &metrics["test"]["accuracy"];
    assert!(
        accuracy["low"].as_f64() < accuracy["value"].as_f64()
            && accuracy["value"].as_f64() < accuracy["high"].as_f64()
    );
    let classes = metrics["test"]["per_class"].as_array().unwrap();
    assert_eq!(
        classes.iter().map(|c| c["support"].as_u64().unwrap()).sum::<u64>(),
        metrics["test"]["rows"].as_u64().unwrap()
    );

    assert_eq!(ran(&project.json(&["build"])), [""; 0]);
    assert_eq!(project.good(&["build", "--dry-run"]).out(), "nothing to do\n");
    assert!(project.good(&["status"]).out().lines().all(|l| l.ends_with("up to date")));
}

#[test]
fn a_build_with_nothing_to_do_waits_for_nobody() {
    let project = Project::small();
    project.good(&["build", "--quiet"]);
    let _lock = pipeline::store::Lock::take(&project.path("data/.pipeline")).unwrap();
    assert_eq!(ran(&project.json(&["build"])), [""; 0]);
    assert_eq!(project.run(&["build", "--force"]).code(), 6);
}

#[test]
fn only_what_a_change_touches_runs_again_and_the_reason_is_said() {
    let project = Project::small();
    project.good(&["build"]);
    let why = |project: &Project| {
        let out = project.good(&["build", "--dry-run"]).out();
        assert_eq!(out, project.good(&["build", "--dry-run"]).out(), "a dry run changes nothing");
        out
    };
    project.configure("hidden = [16]", "hidden = [8]");
    insta::assert_snapshot!(why(&project));
    assert_eq!(ran(&project.json(&["build"])), ["train", "evaluate"]);

    project.configure("ratio = 0.5", "ratio = 0.25");
    assert_eq!(ran(&project.json(&["build"])), ["augment", "train", "evaluate"]);

    fs::remove_file(project.path("data/splits/small.csv")).unwrap();
    assert!(why(&project).contains("its output data/splits/small.csv is gone"));
    // The split comes out as it was, so nothing after it is stale.
    assert_eq!(ran(&project.json(&["build"])), ["split"]);

    project.write("data/models/small/head.safetensors", "damaged");
    assert!(why(&project).contains("head.safetensors was changed"));
    // The head comes out as it was, so its evaluation is not stale.
    assert_eq!(ran(&project.json(&["build"])), ["train"]);

    fs::remove_file(project.path("data/raw/sport.csv")).unwrap();
    assert!(why(&project).contains("data/raw/sport.csv is gone"));
    assert_eq!(
        ran(&project.json(&["build", "--from", "train"])),
        ["embed", "split", "augment", "train", "evaluate"]
    );
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_does_not() {
    let figures = |seed: &str| {
        let project = Project::small();
        project.configure("name = \"small\"", &format!("name = \"small\"\nseed = {seed}"));
        project.good(&["build", "--quiet"]);
        ["metrics.json", "history.csv", "head.safetensors", "predictions.csv", "report.html"]
            .map(|f| fs::read(project.path(&format!("data/models/small/{f}"))).unwrap())
    };
    let (first, again, other) = (figures("7"), figures("7"), figures("8"));
    assert!(first == again);
    assert!(first[0] != other[0] && first[1] != other[1]);
}

#[test]
fn an_incremental_run_gives_the_bytes_of_a_whole_one() {
    let figures = |project: &Project| {
        project.good(&["build", "--quiet"]);
        fs::read(project.path("data/models/small/metrics.json")).unwrap()
    };
    let whole = Project::small();
    let pieces = Project::small();
    let sport = pieces.read("data/raw/sport.csv");
    fs::remove_file(pieces.path("data/raw/sport.csv")).unwrap();
    pieces.good(&["embed", "--quiet"]);
    pieces.write("data/raw/sport.csv", sport);
    assert!(figures(&whole) == figures(&pieces));
}

#[test]
fn stages_run_alone_with_what_they_need() {
    let project = Project::small();
    assert_eq!(ran(&project.json(&["embed"])), ["embed"]);
    assert_eq!(ran(&project.json(&["augment"])), ["split", "augment"]);
    assert_eq!(ran(&project.json(&["train"])), ["train", "evaluate"]);
    assert_eq!(ran(&project.json(&["augment", "--force"])), ["augment"]);
    assert_eq!(ran(&project.json(&["train"])), [""; 0]);
}

#[test]
fn the_split_log_shows_every_class_in_every_part() {
    let project = Project::small();
    let log = project.good(&["augment"]).err();
    let lines: Vec<&str> = log.lines().filter(|l| l.contains("(0-3)") || l.contains("(11+)")).collect();
    assert_eq!(lines.len(), 2, "{log}");
    for line in lines {
        let counts: Vec<usize> = line.split_whitespace().rev().take(3).map(|n| n.parse().unwrap()).collect();
        assert!(counts.iter().all(|&n| n > 0), "{line}");
    }
}

#[test]
fn too_few_rows_for_three_parts_are_explained() {
    let project = Project::empty();
    let rows = "A,1,2,5,x,free,indoor,any,[],One.,2,none\nB,12,14,5,x,free,indoor,any,[],Two.,2,none\n";
    project.write("data/raw/a.csv", format!("{}\n{rows}", crate::project::HEADER));
    let finished = project.run(&["build"]);
    assert_eq!(finished.code(), 4);
    assert!(finished.err().contains("part would have no rows (2 usable rows"), "{}", finished.err());
}

#[test]
fn the_exported_matrices_have_a_row_a_row() {
    let project = Project::small();
    let report = project.json(&["embed"]);
    let used = stage(&report, "embed")["summary"]["rows_used"].as_u64().unwrap() as usize;
    assert_eq!(project.csv("data/embeddings/small/rows.csv").len(), used);
    let index: serde_json::Value =
        serde_json::from_str(&project.read("data/embeddings/small/index.json")).unwrap();
    for field in ["title", "how_to_play"] {
        let path = project.path(index["fields"][field].as_str().unwrap());
        let matrix = pipeline::embed::read_npy(&path).unwrap();
        assert_eq!((matrix.rows(), matrix.dims), (used, 384));
        assert!(matrix.row(0).iter().map(|v| v * v).sum::<f32>() > 0.999);
    }
}
