//! The advice of the diagnosis, followed: the figure that it promises moves.

use std::fmt::Write;

use serde_json::Value;

use crate::project::Project;

/// A number in 0 .. `below`, drawn by what is asked.
fn drawn(below: usize, of: &str) -> usize {
    let hash = blake3::hash(of.as_bytes());
    usize::from(u16::from_le_bytes([hash.as_bytes()[0], hash.as_bytes()[1]])) % below
}

const HEAD: &str = "name = \"small\"\n[data]\nfiles = [\"data.csv\"]\ntext_fields = [\"text\"]\n[label]\ncolumn = \"class\"\n[evaluate]\n\
                    folds = 3\nrepeats = 1\n";

/// Sentences of which every one is another; one in four has `word`, in `often` rows of 16 of class b and `seldom` of class a.
fn sentence(row: usize, kettle: bool) -> String {
    let pick = |words: &[&str], what: &str| words[drawn(words.len(), &format!("{what} {row}"))].to_owned();
    let verb = pick(&["Mend", "Paint", "Carry", "Sell", "Wash", "Find", "Draw", "Count"], "verb");
    let thing =
        pick(&["bicycle", "fence", "parcel", "lamp", "boat", "violin", "window", "shoe", "ladder"], "thing");
    let place = pick(&["garden", "harbour", "kitchen", "library", "market", "station", "valley"], "place");
    let with = if kettle { " beside the kettle" } else { "" };
    format!("{verb} the {thing} number {row} in the {place}{with}")
}

fn metrics(project: &Project) -> Value {
    project.good(&["train", "--quiet"]);
    serde_json::from_str(&project.read("data/models/small/metrics.json")).unwrap()
}

/// The finding of this name, if there is one.
fn finding<'a>(metrics: &'a Value, ill: &str) -> Option<&'a Value> {
    metrics["findings"].as_array().unwrap().iter().find(|finding| finding["ill"] == ill)
}

fn out_of_fold_recall(metrics: &Value, class: &str) -> f64 {
    let classes = metrics["out_of_fold"]["per_class"].as_array().unwrap();
    let of = classes.iter().find(|found| found["class"] == class).unwrap();
    of["recall"]["value"].as_f64().unwrap()
}

#[test]
fn deciding_for_balanced_accuracy_lets_a_class_be_answered() {
    let project = Project::empty();
    let decided_for = |aim: &str| project.write("pipeline.toml", format!("{HEAD}decision = \"{aim}\"\n"));
    decided_for("accuracy");
    let mut csv = String::from("text,class\n");
    for row in 0..420 {
        let rare = row % 14 == 0;
        let kettle = drawn(16, &format!("kettle {row}")) < if rare { 9 } else { 3 };
        writeln!(csv, "{},{}", sentence(row, kettle), if rare { "rare" } else { "common" }).unwrap();
    }
    project.write("data.csv", csv);
    let before = metrics(&project);
    let found = finding(&before, "class_never_answered").unwrap_or_else(|| panic!("{}", before["findings"]));
    assert!(
        found["advice"].as_str().unwrap().contains("evaluate.decision = \"balanced_accuracy\""),
        "{found}"
    );
    decided_for("balanced_accuracy");
    let after = metrics(&project);
    assert!(finding(&after, "class_never_answered").is_none());
    let [before, after] = [&before, &after].map(|metrics| out_of_fold_recall(metrics, "rare"));
    assert!(after > before + 0.2, "{before} {after}");
}

#[test]
fn copies_of_test_rows_are_dropped_from_training() {
    let project = Project::empty();
    let with_test = HEAD.replace("[label]", "test_files = [\"test.csv\"]\n[label]");
    let duplicates = |kept: &str| format!("{with_test}[split]\ngiven_test_duplicates = \"{kept}\"\n");
    project.write("pipeline.toml", duplicates("keep"));
    let line = |row: usize| format!("{},{}\n", sentence(row, row.is_multiple_of(2)), ["a", "b"][row % 2]);
    let rows = |rows: std::ops::Range<usize>| rows.map(line).collect::<String>();
    project.write("data.csv", format!("text,class\n{}", rows(0..90)));
    project.write("test.csv", format!("text,class\n{}", rows(80..110)));
    let before = metrics(&project);
    let found =
        finding(&before, "duplicates_across_parts").unwrap_or_else(|| panic!("{}", before["findings"]));
    assert!(found["advice"].as_str().unwrap().contains("split.given_test_duplicates = \"drop\""), "{found}");
    project.write("pipeline.toml", duplicates("drop"));
    assert!(finding(&metrics(&project), "duplicates_across_parts").is_none());
}

#[test]
fn one_label_for_each_text_mends_contradictions_and_figures() {
    let project = Project::empty();
    project.write("pipeline.toml", HEAD);
    let table = |mended: bool| {
        let mut csv = String::from("text,class\n");
        for row in 0..120 {
            let class = row % 2;
            writeln!(csv, "{},{}", sentence(row, class == 1), ["a", "b"][class]).unwrap();
            if row % 5 == 0 {
                let again = if mended { class } else { 1 - class };
                let copy = sentence(row, class == 1).to_uppercase();
                writeln!(csv, "{copy},{}", ["a", "b"][again]).unwrap();
            }
        }
        csv
    };
    project.write("data.csv", table(false));
    let before = metrics(&project);
    assert!(finding(&before, "contradictions").is_some(), "{}", before["findings"]);
    project.write("data.csv", table(true));
    let after = metrics(&project);
    assert!(finding(&after, "contradictions").is_none());
    let accuracy = |metrics: &Value| metrics["out_of_fold"]["accuracy"]["value"].as_f64().unwrap();
    assert!(accuracy(&after) > accuracy(&before) + 0.05, "{} {}", accuracy(&before), accuracy(&after));
}

#[test]
fn the_mean_of_several_networks_is_steadier() {
    let project = Project::small();
    project.configure("epochs = 12", "epochs = 30\nschedule = \"constant\"");
    project.configure("patience = 3", "patience = 30");
    project.configure("learning_rate = 1e-3", "learning_rate = 2e-2");
    let deviation = |project: &Project| {
        metrics(project);
        let history = project.csv("data/models/small/history.csv");
        let late: Vec<f64> =
            history.iter().rev().take(10).map(|e| e["validation_accuracy"].parse().unwrap()).collect();
        let mean = late.iter().sum::<f64>() / late.len() as f64;
        (late.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / (late.len() - 1) as f64).sqrt()
    };
    let one = deviation(&project);
    project.configure("hidden = [16]", "hidden = [16]\nmembers = 5");
    let five = deviation(&project);
    assert!(five < one, "{one} {five}");
}
