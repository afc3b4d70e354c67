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
    let line = |row: usize| format!("{},{}\n", sentence(row, row.is_multiple_of(2)), ["a", "b"][row % 2]);
    let rows = |rows: std::ops::Range<usize>| rows.map(line).collect::<String>();
    project.write("data.csv", format!("text,class\n{}", rows(0..90)));
    project.write("test.csv", format!("text,class\n{}", rows(80..110)));
    // Whether all rows are compared, or those of near cells and the held-out ones.
    for exact_rows in [100_000, 0] {
        let duplicates = |kept: &str| {
            format!("{with_test}[split]\nexact_rows = {exact_rows}\ngiven_test_duplicates = \"{kept}\"\n")
        };
        project.write("pipeline.toml", duplicates("keep"));
        let before = metrics(&project);
        let found =
            finding(&before, "duplicates_across_parts").unwrap_or_else(|| panic!("{}", before["findings"]));
        assert!(
            found["advice"].as_str().unwrap().contains("split.given_test_duplicates = \"drop\""),
            "{found}"
        );
        project.write("pipeline.toml", duplicates("drop"));
        assert!(finding(&metrics(&project), "duplicates_across_parts").is_none());
    }
}

#[test]
fn what_was_sought_among_near_cells_says_how_much_it_found() {
    let project = Project::empty();
    let row = |row: usize| {
        format!("{}{},{}\n", sentence(row / 2, false), ["", "!"][row % 2], ["a", "b"][row / 2 % 2])
    };
    project.write("data.csv", format!("text,class\n{}", (0..240).map(row).collect::<String>()));
    let build = |split: &str| {
        project.write("pipeline.toml", format!("{HEAD}[split]\n{split}"));
        let said = project.good(&["build", "--to", "split"]).err();
        let summary: Value = serde_json::from_str(&project.read("data/.pipeline/small/split.json")).unwrap();
        (said, summary["summary"].clone(), project.csv("data/splits/small.csv"))
    };
    let (said, exact, parts) = build("");
    assert!(!said.contains("near cells") && exact["near_cells"].is_null(), "{said}");
    let (said, cells, again) = build("exact_rows = 239\n");
    assert!(said.contains("more than 239 rows (split.exact_rows)"), "{said}");
    assert!(said.contains("test and validation rows compared with all others: "), "{said}");
    assert!(said.contains("the vectors of 240 rows take"), "{said}");
    assert!(exact["near_duplicate_pairs"].as_u64().unwrap() >= 60, "{exact}");
    let found = &cells["near_cells"];
    assert_eq!(found["sampled_rows"], 240);
    assert!(
        found["recall"]["value"].as_f64().unwrap() > 0.9 && found["recall"]["low"].as_f64().unwrap() > 0.8,
        "{found}"
    );
    // What all pairs put together is in one part.
    let mut part_of = std::collections::HashMap::new();
    for (exact, row) in parts.iter().zip(&again) {
        assert_eq!(part_of.entry(&exact["group"]).or_insert(&row["part"]), &&row["part"], "{row:?}");
    }
    assert!(part_of.len() < again.len());
    let checked = project.run(&["validate"]).out();
    assert!(checked.contains("of near cells: ") && checked.contains(" % ["), "{checked}");
}

/// Each of twelve people writes of one class and has a word of their own: who knows the writers knows the classes.
#[test]
fn figures_of_new_writers_are_told_from_those_of_known_ones() {
    let project = Project::empty();
    let mut csv = String::from("text,class,writer\n");
    for row in 0..240 {
        let writer = drawn(12, &format!("writer of {row}"));
        let mark = [
            "zebra", "violin", "tractor", "pepper", "glacier", "lantern", "saddle", "comet", "anchor",
            "quilt", "cactus", "drum",
        ];
        writeln!(csv, "{} {},{},w{writer}", sentence(row, false), mark[writer], ["a", "b"][writer % 2])
            .unwrap();
    }
    project.write("data.csv", csv);
    project.write("pipeline.toml", HEAD);
    let known = accuracy(&metrics(&project));
    project.write("pipeline.toml", format!("{HEAD}[split]\ngroup = \"writer\"\n"));
    let new = accuracy(&metrics(&project));
    assert!(known > 0.9 && new < 0.7, "{known} {new}");
    let mut part_of = std::collections::HashMap::new();
    let lines: Vec<String> = project.read("data.csv").lines().map(str::to_owned).collect();
    let splits = std::fs::read_dir(project.path("data/splits")).unwrap().next().unwrap().unwrap();
    let name = format!("data/splits/{}", splits.file_name().to_str().unwrap());
    for row in project.csv(&name) {
        let line: usize = row["line"].parse().unwrap();
        let writer = lines[line - 1].rsplit(',').next().unwrap().to_owned();
        assert_eq!(part_of.entry(writer).or_insert_with(|| row["part"].clone()), &row["part"]);
    }
    assert_eq!(part_of.len(), 12);
    project.write("pipeline.toml", format!("{HEAD}[split]\ngroup = \"writr\"\n"));
    let refused = project.run(&["build", "--to", "split"]);
    assert!(
        refused.code() == 4 && refused.err().contains("lacks `writr` (did you mean"),
        "{}",
        refused.err()
    );
    project.write("pipeline.toml", format!("{HEAD}[split]\ngroup = \"class\"\n"));
    assert!(project.run(&["build"]).err().contains("split.group"));
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

fn accuracy(metrics: &Value) -> f64 {
    metrics["out_of_fold"]["accuracy"]["value"].as_f64().unwrap()
}

/// The finding is there, and gives this advice.
fn advised(metrics: &Value, ill: &str, advice: &str) {
    let found = finding(metrics, ill).unwrap_or_else(|| panic!("{}", metrics["findings"]));
    assert!(found["advice"].as_str().unwrap().contains(advice), "{found}");
}

/// Two classes of which the words tell three rows in four.
fn half_told(row: usize) -> (String, &'static str) {
    let class = drawn(2, &format!("class {row}"));
    let told = drawn(4, &format!("told {row}")) > 0;
    let kettle = if told { class == 1 } else { drawn(2, &format!("other {row}")) == 1 };
    (sentence(row, kettle), ["a", "b"][class])
}

#[test]
fn without_the_column_that_names_the_class_the_figures_are_those_of_the_text() {
    let project = Project::empty();
    let with = |columns: &str| {
        project.write("pipeline.toml", format!("{HEAD}[features]\ncategorical = [{columns}]\n"));
    };
    let mut csv = String::from("text,class,desk,day\n");
    for row in 0..240 {
        let (text, class) = half_told(row);
        let desk = if class == "a" { "north" } else { "south" };
        writeln!(csv, "{text},{class},{desk},{}", ["mon", "tue", "wed"][row % 3]).unwrap();
    }
    project.write("data.csv", csv);
    with("\"desk\", \"day\"");
    let before = metrics(&project);
    advised(&before, "label_leakage", "take these columns or words out of the input");
    with("\"day\"");
    let after = metrics(&project);
    assert!(finding(&after, "label_leakage").is_none(), "{}", after["findings"]);
    let [before, after] = [&before, &after].map(accuracy);
    assert!(before > 0.98 && (0.75..0.95).contains(&after), "{before} {after}");
}

#[test]
fn mending_the_rows_that_validate_lists_first_mends_the_labels() {
    let project = Project::empty();
    project.write("pipeline.toml", HEAD);
    let wrong = |row: usize| drawn(5, &format!("wrong {row}")) == 0;
    let write = |mended: &dyn Fn(usize) -> bool| {
        let mut csv = String::from("text,class\n");
        for row in 0..600 {
            let class = row % 2;
            let label = if wrong(row) && !mended(row) { 1 - class } else { class };
            writeln!(csv, "{},{}", sentence(row, class == 1), ["a", "b"][label]).unwrap();
        }
        project.write("data.csv", csv);
    };
    write(&|_| false);
    let before = metrics(&project);
    advised(&before, "label_errors", "`pipeline validate` lists the most suspect rows first");
    project.run(&["validate"]);
    let report: Value = serde_json::from_str(&project.read("data/validation/small.json")).unwrap();
    let suspects = report["suspects"].as_array().unwrap();
    // A line of the file is a row, after the header.
    let line =
        |suspect: &Value| suspect["place"].as_str().unwrap().rsplit(':').next().unwrap().parse::<usize>();
    let rows: Vec<usize> = suspects.iter().map(|suspect| line(suspect).unwrap() - 2).collect();
    let right = rows.iter().filter(|&&row| wrong(row)).count();
    assert!(rows.len() >= 20 && right * 10 >= rows.len() * 9, "{right} of {}", rows.len());
    write(&|row| rows.contains(&row));
    let mended = accuracy(&metrics(&project));
    assert!(mended > accuracy(&before), "{} {mended}", accuracy(&before));
    write(&|_| true);
    assert!(finding(&metrics(&project), "label_errors").is_none());
}

#[test]
fn older_rows_labelled_by_todays_rule_drift_no_more() {
    let project = Project::empty();
    project.write("pipeline.toml", HEAD.replace("[label]", "[features]\nnumeric = [\"year\"]\n[label]"));
    let write = |relabelled: bool| {
        let mut csv = String::from("text,class,year\n");
        for row in 0..400 {
            let (year, kettle) = (2012 + row % 12, drawn(2, &format!("kettle {row}")));
            let class = if year < 2018 && !relabelled { 1 - kettle } else { kettle };
            writeln!(csv, "{},{},{year}", sentence(row, kettle == 1), ["a", "b"][class]).unwrap();
        }
        project.write("data.csv", csv);
    };
    write(false);
    advised(&metrics(&project), "drift", "label the older rows by today's rule");
    write(true);
    let after = metrics(&project);
    assert!(finding(&after, "drift").is_none(), "{}", after["findings"]);
}

#[test]
fn without_class_weights_the_probabilities_are_those_of_the_rows() {
    let project = Project::empty();
    let weighted =
        |on: bool| project.write("pipeline.toml", format!("{HEAD}[train]\nclass_weights = {on}\n"));
    let mut csv = String::from("text,class\n");
    for row in 0..600 {
        let rare = drawn(8, &format!("rare {row}")) == 0;
        let kettle = drawn(16, &format!("kettle {row}")) < if rare { 9 } else { 4 };
        writeln!(csv, "{},{}", sentence(row, kettle), if rare { "rare" } else { "common" }).unwrap();
    }
    project.write("data.csv", csv);
    weighted(true);
    let before = metrics(&project);
    advised(&before, "miscalibrated", "train.class_weights = false");
    weighted(false);
    let after = metrics(&project);
    assert!(finding(&after, "miscalibrated").is_none(), "{}", after["findings"]);
    let error = |metrics: &Value| metrics["out_of_fold"]["ece"]["value"].as_f64().unwrap();
    assert!(error(&after) < error(&before) / 2.0, "{} {}", error(&before), error(&after));
}
