//! What a row counts: a column of weights, and labelling passes that teach.

use serde_json::Value;

use crate::project::Project;

/// Passes of all rows of one file, of which the third says a class more of every second row.
fn with_passes() -> Project {
    let project = Project::small();
    project.use_head("kernel", "");
    let mut passes = String::from("title,pass,age_min,age_max\n");
    for (row, cells) in project.csv("data/raw/home.csv").iter().enumerate() {
        let title = cells["title"].replace('"', "\"\"");
        for pass in ["a", "b", "c"] {
            let (low, high) = if pass == "c" && row % 2 == 0 { ("12", "14") } else { ("1", "2") };
            passes += &format!("\"{title}\",{pass},{low},{high}\n");
        }
    }
    project.write("passes.csv", passes);
    project.configure("[evaluate]", "[validate]\npasses = [\"passes.csv\"]\n[evaluate]");
    project
}

#[test]
fn passes_teach_when_asked_to_and_a_changed_pass_is_seen() {
    let project = with_passes();
    let folds = || -> Value {
        project.good(&["build", "--quiet"]);
        let metrics: Value = serde_json::from_str(&project.read("data/models/small/metrics.json")).unwrap();
        metrics["cross_validation"]["models"][0]["mean"].clone()
    };
    let settled = folds();
    let mut last = settled.clone();
    for passes in ["weighted", "soft"] {
        let from =
            if passes == "weighted" { "[label.range]" } else { "passes = \"weighted\"\n[label.range]" };
        let label = if passes == "weighted" { "[label]\n" } else { "" };
        project.configure(from, &format!("{label}passes = \"{passes}\"\n[label.range]"));
        let found = folds();
        assert_ne!(found, last, "{passes}");
        last = found;
    }
    project.write("passes.csv", project.read("passes.csv").replace(",c,12,14", ",c,1,2"));
    let status = project.good(&["status"]).out();
    assert!(status.contains("passes.csv changed"), "{status}");
    let unanimous = folds();
    assert_ne!(unanimous, last);
    project.configure("passes = \"soft\"\n", "passes = \"weighted\"\n");
    project.configure("passes = \"weighted\"\n", "passes = \"settled\"\n");
    let status = project.good(&["status"]).out();
    assert!(status.contains("label.passes changed"), "{status}");
    assert_eq!(folds(), settled, "settled labels do not look at the passes");
}

#[test]
fn presets_that_teach_passes_are_judged_on_rows_whose_passes_agree_too() {
    let project = with_passes();
    let found = project.json(&["ablate", "best", "kernel-soft", "kernel-weighted", "--quiet"]);
    let dealt = project.csv("data/splits/small.csv");
    let home = project.csv("data/raw/home.csv");
    let outside = |row: usize| {
        let line = (row + 2).to_string();
        dealt.iter().any(|of| of["file"] == "data/raw/home.csv" && of["line"] == line && of["part"] != "test")
    };
    let agreed = (0..home.len()).filter(|row| row % 2 == 1 && outside(*row)).count();
    assert_eq!(found["unanimous_rows"], agreed);
    for of in found["presets"].as_array().unwrap() {
        let accuracy = of["unanimous"]["figures"]["accuracy"]["value"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&accuracy), "{of}");
        assert_eq!(of["unanimous"]["difference"].is_null(), of["preset"] == "best", "{of}");
    }
    let text = project.good(&["ablate", "best", "kernel-soft", "--quiet"]).out();
    assert!(text.contains(&format!("on {agreed} rows whose passes agree")), "{text}");
    // Without passes such a preset says what it lacks.
    let plain = Project::small();
    let refused = plain.run(&["ablate", "best", "kernel-soft"]);
    assert_eq!(refused.code(), 3);
    assert!(
        refused.err().contains("there is no file of labelling passes (validate.passes)"),
        "{}",
        refused.err()
    );
}

#[test]
fn a_weight_that_is_none_rejects_its_row_and_columns_are_used_once() {
    let project = Project::empty();
    project.use_head("kernel", "");
    project.configure("[label.range]", "[label]\nweight = \"trust\"\n[label.range]");
    project.configure("title = \"title\"", "title = \"title\"\nmax_rejected_share = 0.5");
    let mut table = String::from("title,how_to_play,age_min,age_max,duration_mins,cost,players,trust\n");
    for row in 0..80 {
        let (low, word) = if row % 2 == 0 { (1, "rattle") } else { (13, "debate") };
        let trust = match row {
            3 => "0",
            4 => "",
            5 => "much",
            6 => "-1",
            7 => "0,5",
            _ => "1",
        };
        table += &format!("{word} {row},{word} number {row},{low},{low},10,free,2,\"{trust}\"\n");
    }
    project.write("data/raw/a.csv", &table);
    project.good(&["build", "--quiet"]);
    let rejects = project.csv("data/rejects/small/rejects.csv");
    let said: Vec<[&str; 3]> = rejects.iter().map(|r| [&*r["line"], &*r["column"], &*r["value"]]).collect();
    assert_eq!(said, [["5", "trust", "0"], ["6", "trust", ""], ["7", "trust", "much"], ["8", "trust", "-1"]]);
    assert!(rejects[0]["reason"].contains("from 1/1000 to 1000"), "{:?}", rejects[0]);
    for (weight, said) in
        [("age_min", "names `age_min`, which is the label"), ("players", "which the model sees or predicts")]
    {
        project.configure("weight = \"trust\"", &format!("weight = \"{weight}\""));
        let refused = project.run(&["build"]);
        assert_eq!(refused.code(), 3);
        assert!(refused.err().contains(said), "{}", refused.err());
        project.configure(&format!("weight = \"{weight}\""), "weight = \"trust\"");
    }
}
