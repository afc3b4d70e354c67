//! `pipeline evaluate`: a finished model on labelled rows.

use serde_json::Value;

use crate::init::tickets;
use crate::project::Project;

#[test]
fn the_figures_are_those_of_the_answers_to_rows_that_were_not_learned_from() {
    let project = Project::small();
    project.use_head("knn", "");
    std::fs::rename(project.path("data/raw/friends.csv"), project.path("friends.csv")).unwrap();
    project.good(&["build", "--quiet"]);
    let found = project.json(&["evaluate", "friends.csv"]);
    let answered: Vec<Value> = project
        .good(&["predict", "friends.csv", "--json"])
        .out()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let class = |row: &Value| {
        let age = |name: &str| row["input"][name].as_str().unwrap().parse::<f64>().unwrap();
        match (age("age_min") + age("age_max")) / 2.0 {
            ..3.5 => "Toddler (0-3)",
            ..7.0 => "Preschool (4-6)",
            ..11.0 => "Elementary (7-10)",
            _ => "Teen+ (11+)",
        }
    };
    let right = answered.iter().filter(|row| row["label"] == class(row)).count();
    let rows = answered.len();
    assert!(rows > 10 && found["metrics"]["rows"] == rows, "{rows} {}", found["metrics"]["rows"]);
    let accuracy = &found["metrics"]["accuracy"];
    assert!((accuracy["value"].as_f64().unwrap() - right as f64 / rows as f64).abs() < 1e-9, "{accuracy}");
    assert!(accuracy["low"].as_f64() < accuracy["high"].as_f64());
    assert_eq!((&found["learned"], &found["unknown"]), (&0.into(), &Value::Array(Vec::new())));
    assert_eq!(found["expected"]["rows"], "out of fold");

    // Of rows that it has seen, those of the test part alone were not learned from.
    let tested = project.csv("data/models/small/predictions.csv");
    let tested =
        tested.iter().filter(|row| row["part"] == "test" && row["file"].ends_with("home.csv")).count();
    let seen = project.json(&["evaluate", "data/raw/home.csv"]);
    assert!(tested > 0 && seen["metrics"]["rows"] == tested, "{tested} {}", seen["metrics"]["rows"]);
    let shown = project.good(&["evaluate", "data/raw/home.csv"]);
    assert!(
        shown.err().contains("with texts that the model has learned from are left out"),
        "{}",
        shown.err()
    );
    assert!(shown.out().contains("model small on data/raw/home.csv"), "{}", shown.out());
}

#[test]
fn other_labels_and_other_shares_are_said() {
    let project = Project::empty();
    project.write("tickets.csv", tickets(90));
    project.good(&["init", "tickets.csv", "--force"]);
    project.good(&["build", "--quiet"]);
    let new = |kind: &str, text: &str| -> String {
        (0..30).map(|i| format!("{i};2024-05-01;Visitor {i} {text};{i};web;{kind}\n")).collect()
    };
    let header = "ticket_id;created_at;subject;minutes;channel;category\n";
    let access = new("Access", "is locked out and has no password");
    project.write("new.csv", format!("{header}{access}1;;A new thing;3;web;Other\n1;;A text;3;web;\n"));
    let shown = project.good(&["evaluate", "new.csv"]);
    for said in
        ["1 row with a label that the model has not learned is left out: Other (1)", "1 row cannot be used"]
    {
        assert!(shown.err().contains(said), "{said}: {}", shown.err());
    }
    assert!(
        shown.out().contains("! the classes have other shares than in training: Access 100 %"),
        "{}",
        shown.out()
    );
    project.write("wrong.csv", format!("{header}{}", new("Billing", "is locked out and has no password")));
    let wrong = project.good(&["evaluate", "wrong.csv"]).out();
    assert!(wrong.contains("! these rows are answered worse"), "{wrong}");
    assert!(wrong.contains("Billing") && wrong.contains("Access"), "{wrong}");

    // Of texts that nobody writes in a ticket.
    let elsewhere = new("Billing", "builds a fort of pillows and rolls down the hill with the children");
    project.write("elsewhere.csv", format!("{header}{elsewhere}"));
    let said = project.good(&["evaluate", "elsewhere.csv"]).out();
    assert!(said.contains("! the texts are of another kind than those of training"), "{said}");
    std::fs::remove_dir_all(project.path("data/embeddings/tickets")).unwrap();
    let without = project.good(&["evaluate", "elsewhere.csv"]);
    assert!(without.err().contains("the embeddings of the training are not here"), "{}", without.err());
    assert!(!without.out().contains("of another kind"), "{}", without.out());

    project.write("other.csv", format!("{header}1;;A new thing;3;web;Other\n"));
    for (file, code, said) in [
        ("other.csv", 4, "the labels of 1 it has not learned"),
        ("tickets.csv", 0, ""),
        ("nowhere.csv", 4, "there is no file nowhere.csv"),
    ] {
        let finished = project.run(&["evaluate", file]);
        assert_eq!(finished.code(), code, "{file}: {}", finished.err());
        assert!(finished.err().contains(said), "{file}: {}", finished.err());
    }
    project.write("unlabelled.csv", "subject;minutes;channel\nA text;1;web\n");
    let refused = project.run(&["evaluate", "unlabelled.csv"]);
    assert!(refused.code() == 4 && refused.err().contains("lacks `category`"), "{}", refused.err());
}
