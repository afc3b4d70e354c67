//! From probabilities to answers: what they are to serve, what they cost, and other shares of the classes than in training.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use crate::project::Project;

const CONFIG: &str = "name = \"small\"\n[data]\nfiles = [\"data.csv\"]\ntext_fields = [\"text\"]\n[label]\ncolumn = \"class\"\n\
                      [evaluate]\nfolds = 4\nrepeats = 1\n";

/// Sentences; of every nine one is rare, and what tells it stands in two of three of these and in one of six of the others.
fn uneven(project: &Project, rows: usize) {
    let mut csv = String::from("text,class\n");
    for row in 0..rows {
        let drawn =
            |what: &str, below: u8| blake3::hash(format!("{what} {row}").as_bytes()).as_bytes()[0] % below;
        let class = if row % 9 == 0 { "rare" } else { "common" };
        let told = drawn("told", 6) < if class == "rare" { 4 } else { 1 };
        let verb = ["Mend", "Paint", "Carry", "Sell", "Wash", "Find", "Draw"][usize::from(drawn("verb", 7))];
        let thing = ["fence", "parcel", "lamp", "boat", "violin", "shoe"][usize::from(drawn("thing", 6))];
        let at = if told { "beside the kettle" } else { "in the valley" };
        writeln!(csv, "{verb} the {thing} number {row} {at},{class}").unwrap();
    }
    project.write("data.csv", csv);
}

fn evaluated(project: &Project, evaluate: &str) -> Value {
    project.write("pipeline.toml", format!("{CONFIG}{evaluate}"));
    project.good(&["train", "--quiet"]);
    serde_json::from_str(&project.read("data/models/small/metrics.json")).unwrap()
}

fn out_of_fold(metrics: &Value, figure: &str) -> f64 {
    metrics["out_of_fold"][figure]["value"].as_f64().unwrap()
}

#[test]
fn answers_serve_what_they_are_asked_to_and_probabilities_stay() {
    let project = Project::empty();
    uneven(&project, 450);
    let aims = ["accuracy", "macro_f1", "balanced_accuracy"];
    let found: Vec<Value> =
        aims.iter().map(|aim| evaluated(&project, &format!("decision = \"{aim}\"\n"))).collect();
    // Each is best at its own, and the table of the report says of each what is found where it decides.
    for (aim, own) in aims.iter().zip(&found) {
        for other in &found {
            assert!(out_of_fold(own, aim) > out_of_fold(other, aim) - 0.02, "{aim}");
            let stated = other["by_aim"].as_array().unwrap().iter().find(|of| of["aim"] == *aim).unwrap();
            assert_eq!(stated["figures"][aim]["value"], own["out_of_fold"][aim]["value"]);
        }
        assert_eq!(out_of_fold(own, "log_loss"), out_of_fold(&found[0], "log_loss"));
    }
    assert!(out_of_fold(&found[2], "balanced_accuracy") > out_of_fold(&found[0], "balanced_accuracy") + 0.1);
    // Nothing is trained anew for another aim.
    let status = project.json(&["build"]);
    assert!(crate::project::ran(&status).is_empty(), "{status}");

    // Unasked, less than a point of accuracy is given for macro-F1.
    let unasked = evaluated(&project, "");
    let [own, likeliest] = [&unasked, &found[0]].map(|of| out_of_fold(of, "accuracy"));
    assert!(own > likeliest - 0.02, "{own} {likeliest}");
    assert!(out_of_fold(&unasked, "macro_f1") >= out_of_fold(&found[0], "macro_f1") - 0.005);

    // To miss a rare row costs fifty times as much as to see one where there is none.
    let costly = evaluated(&project, "[evaluate.costs.rare]\ncommon = 50.0\n");
    let recall = |metrics: &Value| {
        let classes = metrics["out_of_fold"]["per_class"].as_array().unwrap().clone();
        classes.iter().find(|of| of["class"] == "rare").unwrap()["recall"]["value"].as_f64().unwrap()
    };
    assert!(recall(&costly) > 0.9 && recall(&found[0]) < 0.6, "{} {}", recall(&costly), recall(&found[0]));
    let asked = ["predict", "--text", "Paint the boat number 7 in the valley"];
    assert_eq!(project.json(&asked)["label"], "rare", "of two costs the smaller");

    project.write("pipeline.toml", format!("{CONFIG}[evaluate.costs.rare]\ncomon = 5.0\n"));
    let refused = project.run(&["train"]);
    assert_eq!(refused.code(), 3);
    assert!(refused.err().contains("evaluate.costs names `comon`, which is no class"), "{}", refused.err());
    for (wrong, said) in [
        ("decision = \"f1\"\n", "decision"),
        (
            "decision = \"accuracy\"\ncosts = { rare = { common = 5.0 } }\n",
            "has no effect with evaluate.costs",
        ),
        ("costs = { rare = { rare = 5.0 } }\n", "cost of a right answer"),
        ("costs = { rare = { common = -1.0 } }\n", "evaluate.costs.rare.common is -1"),
    ] {
        project.write("pipeline.toml", format!("{CONFIG}{wrong}"));
        let refused = project.run(&["train"]);
        assert_eq!(refused.code(), 3);
        assert!(refused.err().contains(said), "{wrong}: {}", refused.err());
    }
}

#[test]
fn rows_of_another_mix_are_answered_for_it() {
    let project = Project::empty();
    uneven(&project, 450);
    evaluated(&project, "");
    // As many rare rows as others, of which the model has learned none.
    let mut csv = String::from("text\n");
    for row in 0..60 {
        let at = if row % 2 == 0 { "beside the kettle" } else { "in the valley" };
        writeln!(csv, "Carry the lamp number {row} {at}").unwrap();
    }
    project.write("new.csv", csv);
    let answers = |more: &[&str]| -> BTreeMap<String, Vec<f64>> {
        let finished = project.good(&[&["predict", "new.csv", "--format", "jsonl"], more].concat());
        let mut found = BTreeMap::<String, Vec<f64>>::new();
        for line in finished.out().lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            let rare = row["probabilities"]["rare"].as_f64().unwrap();
            assert_eq!(row["probability"], row["probabilities"][row["label"].as_str().unwrap()]);
            found.entry(row["label"].as_str().unwrap().to_owned()).or_default().push(rare);
        }
        found
    };
    let rare = |found: &BTreeMap<String, Vec<f64>>| found.get("rare").map_or(0, Vec::len);
    let (plain, even) = (answers(&[]), answers(&["--priors", "even"]));
    assert!(rare(&even) > rare(&plain), "{plain:?} {even:?}");
    assert_eq!(answers(&["--priors", "common=0.5, rare=0.5"]), even);
    let never = answers(&["--priors", "common=1,rare=0"]);
    assert_eq!((rare(&never), never["common"].iter().sum::<f64>()), (0, 0.0));
    // More of the rows are told to be rare than in training, and so is their estimated share.
    let estimated = project.good(&["predict", "new.csv", "--priors", "estimate"]).err();
    let share: f64 = estimated.split("rare ").nth(1).unwrap().trim().parse().unwrap();
    assert!(share > 0.25, "{estimated}");
    for (wrong, said) in [
        ("common=0.5", "rare has no share"),
        ("common=0.5,rare=0.2", "add up to 0.7"),
        ("common=0.5,rare=x", "is no share between 0 and 1"),
        ("common=0.5,common=0.5", "common is given twice"),
        ("usual=1", "classes are common, rare"),
    ] {
        let refused = project.run(&["predict", "new.csv", "--priors", wrong]);
        assert_eq!(refused.code(), 2);
        assert!(refused.err().contains(said), "{wrong}: {}", refused.err());
    }
}
