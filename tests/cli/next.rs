//! What to do next: sets instead of a label, rows worth a label, labels that are corrected.

use std::collections::HashMap;
use std::fmt::Write;
use std::fs;

use serde_json::Value;

use crate::project::{Project, ran};

const CONFIG: &str = "name = \"small\"\n[data]\nfiles = [\"data.csv\"]\ntext_fields = [\"text\"]\n[label]\ncolumn = \"class\"\n\
                      [evaluate]\nfolds = 4\nrepeats = 1\n";

const VERBS: [&str; 7] = ["Mend", "Paint", "Carry", "Sell", "Wash", "Find", "Draw"];
const THINGS: [&str; 6] = ["fence", "parcel", "lamp", "boat", "violin", "shoe"];

fn drawn(row: usize, what: &str, below: usize) -> usize {
    usize::from(blake3::hash(format!("{what} {row}").as_bytes()).as_bytes()[0]) % below
}

fn sentence(row: usize, place: &str) -> String {
    format!("{} the {} number {row} {place}", VERBS[drawn(row, "verb", 7)], THINGS[drawn(row, "thing", 6)])
}

/// Sentences of three classes; one in eight says the place of another class.
fn uncertain(rows: std::ops::Range<usize>) -> String {
    let mut csv = String::from("text,class\n");
    for row in rows {
        let classes =
            [("in the kitchen", "indoors"), ("on the mountain", "outdoors"), ("by the river", "water")];
        let (own, other) = (row % 3, drawn(row, "other", 3));
        let told = if drawn(row, "odd", 8) == 0 { other } else { own };
        writeln!(csv, "{},{}", sentence(row, classes[told].0), classes[own].1).unwrap();
    }
    csv
}

#[test]
fn sets_hold_the_class_as_often_as_asked() {
    let project = Project::empty();
    project.write("data.csv", uncertain(0..300));
    project.write("pipeline.toml", CONFIG);
    let summary = project.good(&["build", "--quiet"]).out();
    assert!(summary.contains("sets for 0.9 of the rows hold the class of 0."), "{summary}");
    assert!(project.read("data/models/small/report.html").contains("Sets of classes"));
    let metrics: Value = serde_json::from_str(&project.read("data/models/small/metrics.json")).unwrap();
    let sets = metrics["sets"].as_array().unwrap();
    let asked: Vec<f64> = sets.iter().map(|of| of["asked"].as_f64().unwrap()).collect();
    assert_eq!(asked, [0.8, 0.9, 0.95]);
    for of in sets {
        let (asked, found) = (of["asked"].as_f64().unwrap(), &of["coverage"]);
        assert!(found["high"].as_f64().unwrap() >= asked, "{of}");
        assert!(found["value"].as_f64().unwrap() > asked - 0.04, "{of}");
    }
    assert!(sets[0]["size"].as_f64().unwrap() <= sets[2]["size"].as_f64().unwrap());

    // New rows are covered as often, and sets grow with what is asked.
    project.write("new.csv", uncertain(1000..1300));
    let mut sizes = Vec::new();
    for asked in [0.8, 0.95] {
        let share = asked.to_string();
        let out = project.good(&["predict", "new.csv", "--coverage", &share, "--json"]).out();
        let (mut held, mut rows, mut size) = (0, 0, 0);
        for line in out.lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            let set: Vec<&str> =
                row["set"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
            let p = |name: &str| row["probabilities"][name].as_f64().unwrap();
            assert!(set.is_sorted_by(|a, b| p(a) >= p(b)), "{row}");
            assert!(set.contains(&row["label"].as_str().unwrap()), "{row}");
            held += usize::from(set.contains(&row["input"]["class"].as_str().unwrap()));
            size += set.len();
            rows += 1;
        }
        assert!(held as f64 / rows as f64 > asked - 0.05, "{asked}: {held} of {rows}");
        sizes.push(size);
    }
    assert!(sizes[1] > sizes[0], "{sizes:?}");
    project.good(&["predict", "new.csv", "--coverage", "0.95", "-o", "sets.csv"]);
    assert!(project.csv("sets.csv").iter().any(|row| row["set"].contains("; ")));
    let text = project.good(&["predict", "--coverage", "0.95", "--text", "Mend it by the river"]).out();
    assert!(text.lines().next().unwrap().trim_end().ends_with("set"), "{text}");

    for (wrong, said) in [
        (&["--coverage", "1"][..], "give a share above 0 and below 1"),
        (&["--coverage", "NaN"], "give a share above 0 and below 1"),
        (&["--coverage", "0.9", "--priors", "even"], "cannot be used with"),
    ] {
        let refused = project.run(&[&["predict", "new.csv"], wrong].concat());
        assert_eq!(refused.code(), 2, "{wrong:?}");
        assert!(refused.err().contains(said), "{wrong:?}: {}", refused.err());
    }
    // A model of before does not say.
    let file = "data/models/small/calibration.json";
    let mut calibration: Value = serde_json::from_str(&project.read(file)).unwrap();
    calibration.as_object_mut().unwrap().remove("sets").unwrap();
    project.write(file, calibration.to_string());
    project.good(&["predict", "new.csv", "-o", "plain.csv"]);
    let refused = project.run(&["predict", "new.csv", "--coverage", "0.9"]);
    assert_eq!(refused.code(), 2);
    assert!(refused.err().contains("does not say which classes a row may have"), "{}", refused.err());
}

#[test]
fn rows_in_doubt_and_of_different_kinds_are_suggested() {
    let project = Project::empty();
    let mut csv = String::from("text,class\n");
    for row in 0..120 {
        let (place, class) = [("in the kitchen", "indoors"), ("on the mountain", "outdoors")][row % 2];
        writeln!(csv, "{},{class}", sentence(row, place)).unwrap();
    }
    project.write("data.csv", &csv);
    project.write("pipeline.toml", CONFIG);
    project.good(&["build", "--quiet"]);
    // Clear ones; of two kinds that say nothing of the place; ones that were learned, repeat, or say nothing.
    let mut new = String::from("id,text\n");
    for row in 0..60 {
        let place = ["in the kitchen", "on the mountain"][row % 2];
        writeln!(new, "clear,{}", sentence(1000 + row, place)).unwrap();
    }
    for row in 0..10 {
        writeln!(new, "=kind,The price of invoice {row} is too high").unwrap();
        writeln!(new, "other,Quantum particle {row} has a spin").unwrap();
    }
    let split = project.csv("data/splits/small.csv");
    let learned = split.iter().find(|row| row["part"] == "train").unwrap()["line"].parse::<usize>().unwrap();
    let learned = csv.lines().nth(learned - 1).unwrap().split(',').next().unwrap().to_owned();
    write!(new, "learned,{learned}\nagain,Quantum particle 3 has a spin\nnothing,\n").unwrap();
    project.write("new.csv", new);

    let finished = project.good(&["suggest", "new.csv", "-n", "12", "-o", "next.csv"]);
    let said = "12 rows of 83 to label next (left out: 1 learned from already, 1 repeating another, 1 without a text";
    assert!(finished.err().contains(said), "{}", finished.err());
    let rows = project.csv("next.csv");
    assert_eq!(rows.len(), 12);
    let count = |id: &str| rows.iter().filter(|row| row["id"] == id).count();
    assert!(count("'=kind") + count("other") >= 10, "{rows:?}");
    for kind in ["'=kind", "other"] {
        assert!(rows[..3].iter().any(|row| row["id"] == kind), "{rows:?}");
    }
    assert_eq!(count("learned") + count("again") + count("nothing"), 0);
    for (place, row) in rows.iter().enumerate() {
        assert_eq!(row["rank"], (place + 1).to_string());
        assert!(row["class"].is_empty() && ["indoors", "outdoors"].contains(&row["guess"].as_str()));
        assert!((0.5..=1.0).contains(&row["probability"].parse::<f64>().unwrap()));
    }
    let header = project.read("next.csv").lines().next().unwrap().to_owned();
    assert_eq!(header, "id,text,class,guess,probability,rank");
    let json = project.json(&["suggest", "new.csv", "-n", "3"]);
    assert_eq!((json["rows"].as_array().unwrap().len(), &json["learned"]), (3, &1.into()));
    assert_eq!(project.json(&["suggest", "new.csv", "-n", "3"]), json);

    // Filled in, it is raw data.
    let filled = project
        .read("next.csv")
        .replace(",,indoors,", ",indoors,indoors,")
        .replace(",,outdoors,", ",outdoors,outdoors,");
    project.write("next.csv", filled);
    project.configure("\"data.csv\"", "\"data.csv\", \"next.csv\"");
    let built = project.json(&["build"]);
    assert_eq!(crate::project::stage(&built, "embed")["summary"]["rows_used"], 132, "{built}");
    let refused = project.run(&["suggest", "nowhere.csv"]);
    assert!(refused.code() != 0 && refused.err().contains("nowhere.csv"), "{}", refused.err());
    project.write("empty.csv", "id,words\n1,a\n");
    let refused = project.run(&["suggest", "empty.csv"]);
    assert!(refused.code() != 0 && refused.err().contains("has a text to ask about"), "{}", refused.err());
}

#[test]
fn corrected_labels_are_learned_and_taken_back() {
    let project = Project::empty();
    let mut csv = String::from("text,class\n");
    for row in 0..120 {
        let (place, class) = [("in the kitchen", "indoors"), ("on the mountain", "outdoors")][row % 2];
        let class = if row == 40 { "outdoors" } else { class };
        writeln!(csv, "{},{class}", sentence(row, place)).unwrap();
    }
    project.write("data.csv", &csv);
    project.write("pipeline.toml", CONFIG);
    assert_eq!(project.good(&["correct"]).out(), "no label was corrected\n");
    project.good(&["build", "--quiet"]);
    let fresh = || ran(&project.json(&["build"])).is_empty();
    assert!(fresh());
    let said = project.run(&["validate", "--quiet"]).out();
    let list = "data/validation/small.csv";
    assert!(said.contains(list), "{said}");
    let suspects = project.csv(list);
    assert_eq!(suspects[0]["place"], "data.csv:42");
    assert_eq!((suspects[0]["label"].as_str(), suspects[0]["likelier"].as_str()), ("outdoors", "indoors"));
    assert!(suspects.iter().all(|row| row["corrected class"].is_empty() && !row["text"].is_empty()));

    // Filled in by people.
    let fill = |value: &str| {
        let mut lines: Vec<String> = project.read(list).lines().map(str::to_owned).collect();
        lines[1] += value;
        project.write("filled.csv", lines.join("\n") + "\n");
    };
    fill("indoor");
    let refused = project.run(&["correct", "filled.csv"]);
    assert_eq!(refused.code(), 4);
    assert!(refused.err().contains("line 2: `indoor` is no class of the data"), "{}", refused.err());
    fill("");
    assert!(project.good(&["correct", "filled.csv"]).out().starts_with("nothing is corrected"));
    assert!(!project.path("data/corrections/small.csv").exists() && fresh());
    fill("indoors");
    let done = project.json(&["correct", "filled.csv"]);
    assert_eq!((&done["corrected"], &done["batch"]), (&1.into(), &1.into()));
    assert_eq!(project.json(&["correct", "filled.csv"])["same"], 1, "it has that label already");

    // The raw file is as it was, and what is made from it is made anew.
    assert_eq!(project.read("data.csv"), csv);
    let status = project.good(&["build", "--dry-run"]).out();
    assert!(status.contains("would run embed: data/corrections/small.csv is new"), "{status}");
    let built = project.good(&["build", "--quiet"]);
    let classes = |of: &str| -> HashMap<String, String> {
        project.csv(of).into_iter().map(|row| (row["line"].clone(), row["class"].clone())).collect()
    };
    assert_eq!(classes("data/models/small/predictions.csv")["42"], "indoors", "{}", built.out());
    let listed = project.json(&["correct"]);
    assert_eq!(
        (&listed[0]["batch"], &listed[0]["labels"], &listed[0]["undone"]),
        (&1.into(), &1.into(), &Value::Null)
    );
    assert!(fresh());

    // Taken back, all is as before; what was done stays on record.
    let undone = project.good(&["correct", "--undo"]).out();
    assert!(undone.contains("1 label is what the raw files say again (batch 1)"), "{undone}");
    let refused = project.run(&["correct", "--undo", "1"]);
    assert!(refused.code() != 0 && refused.err().contains("batch 1"), "{}", refused.err());
    project.good(&["build", "--quiet"]);
    assert_eq!(classes("data/models/small/predictions.csv")["42"], "outdoors");
    let record = &project.csv("data/corrections/small.csv")[0];
    assert!(
        !record["undone"].is_empty() && record["class before"] == "outdoors" && record["class"] == "indoors"
    );

    // A row that is no longer there as it was is no longer corrected, and that is said.
    project.good(&["correct", "filled.csv"]);
    fs::write(project.path("data.csv"), csv.replace("number 40 ", "number forty ")).unwrap();
    let built = project.good(&["embed"]);
    assert!(
        built.err().contains("1 correction is of a row that is no longer there as it was"),
        "{}",
        built.err()
    );
    let refused = project.run(&["correct", "filled.csv"]);
    assert_eq!(refused.code(), 4);
    assert!(refused.err().contains("no row of the data has the record"), "{}", refused.err());
}
