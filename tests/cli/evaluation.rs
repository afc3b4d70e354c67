//! Evaluate: figures, folds, leakage, gates, comparison, few-shot, and the report in a real browser.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::project::{Project, stage};

fn metrics(project: &Project) -> Value {
    serde_json::from_str(&project.read("data/models/small/metrics.json")).unwrap()
}

/// Two classes whose texts differ, `rows` of each; every title is another.
fn two_classes(project: &Project, rows: usize, line: impl Fn(usize, &str, &str) -> String) {
    project.write(
        "pipeline.toml",
        "name = \"small\"\n[data]\nfiles = [\"data.csv\"]\ntext_fields = [\"text\"]\n[label]\ncolumn = \"class\"\n\
         [features]\ncategorical = [\"kind\"]\n[train]\nhead = \"network\"\nhidden = [8]\n[evaluate]\nfolds = 3\nrepeats = 1\n",
    );
    let (verbs, things) = (
        ["Mend", "Paint", "Carry", "Lose", "Sell", "Wash", "Find"],
        [
            "bicycle", "kettle", "fence", "parcel", "lamp", "boat", "violin", "window", "shoe", "radio",
            "ladder",
        ],
    );
    let mut csv = String::from("text,kind,class\n");
    for i in 0..rows {
        let thing = format!("the {} {}", ["old", "new", "red", "small", "heavy"][i % 5], things[i % 11]);
        csv += &line(i, &format!("{} {thing} before noon", verbs[i % 7]), "work");
        csv +=
            &line(i, &format!("Who will {} {thing} tonight?", verbs[(i + 3) % 7].to_lowercase()), "question");
    }
    project.write("data.csv", csv);
}

#[test]
fn baselines_are_those_of_the_config_and_their_seconds_are_shown() {
    let project = Project::small();
    let config = project.read("pipeline.toml");
    let with = |baselines: &str| {
        let more = format!("[evaluate]\nbaselines = [{baselines}]");
        project.write("pipeline.toml", config.replace("[evaluate]", &more));
    };
    with("\"inputs_logistic\", \"tfidf\"");
    let said = project.good(&["train"]).out();
    let names = |of: &Value| -> Vec<String> {
        of.as_array().unwrap().iter().map(|m| m["model"].as_str().unwrap().to_owned()).collect()
    };
    let found = metrics(&project);
    let baselines = ["TF-IDF + logistic regression", "inputs + logistic regression"];
    assert_eq!(names(&found["cross_validation"]["models"]), [&["head"][..], &baselines].concat());
    assert_eq!(names(&found["test_baselines"]), baselines);
    assert!(
        said.contains("seconds a fold: head ") && said.contains("; inputs + logistic regression "),
        "{said}"
    );
    let report = project.json(&["build", "--from", "evaluate"]);
    let seconds = &stage(&report, "evaluate")["summary"]["seconds"];
    assert_eq!(names(seconds), [&["head"][..], &baselines].concat());
    assert!(seconds.as_array().unwrap().iter().all(|of| of["seconds"].as_f64().unwrap() > 0.0), "{seconds}");

    with("");
    project.good(&["train", "--quiet"]);
    let found = metrics(&project);
    assert_eq!(names(&found["cross_validation"]["models"]), ["head"]);
    assert_eq!(found["test_baselines"], Value::Array(Vec::new()));

    for (wrong, told) in [("\"tfidf\", \"tfidf\"", "twice"), ("\"svm\"", "inputs_rbf_svm")] {
        with(wrong);
        let out = project.run(&["train"]);
        let error = out.err();
        assert!(out.code() == 3 && error.contains(told) && error.contains("baselines"), "{error}");
    }
}

#[test]
fn folds_calibration_and_baselines_are_in_the_figures() {
    let project = Project::small();
    project.good(&["train", "--quiet"]);
    let metrics = metrics(&project);
    let cv = &metrics["cross_validation"];
    let names: Vec<&str> =
        cv["models"].as_array().unwrap().iter().map(|m| m["model"].as_str().unwrap()).collect();
    let baselines = [
        "majority class",
        "TF-IDF + logistic regression",
        "embeddings + logistic regression",
        "inputs + logistic regression",
        "inputs + linear SVM",
        "inputs + RBF SVM",
    ];
    assert_eq!(names, [&["head"][..], &baselines].concat());
    for figure in [
        "accuracy",
        "balanced_accuracy",
        "macro_f1",
        "weighted_f1",
        "mcc",
        "quadratic_kappa",
        "class_error",
        "log_loss",
        "ece",
        "brier",
    ] {
        for of in [&metrics["test"][figure], &cv["models"][0]["mean"][figure]] {
            assert!(of["low"].as_f64().unwrap() < of["high"].as_f64().unwrap(), "{figure}");
        }
    }
    // The calibrated log loss over the folds is no worse than chance, and the temperature is not the default.
    assert_ne!(metrics["temperature"], 1.0);

    // The same figures whether folds run side by side or one after another.
    let mut alone = project.command(&["build", "--from", "evaluate", "--quiet"]);
    assert!(alone.env("RAYON_NUM_THREADS", "1").output().unwrap().status.success());
    assert_eq!(self::metrics(&project), metrics);
    let rows = project.csv("data/models/small/predictions.csv");
    let of = |part: &str| {
        rows.iter()
            .filter(|r| r["part"] == part)
            .map(|r| r["line"].clone() + &r["file"])
            .collect::<BTreeSet<_>>()
    };
    let split = project.csv("data/splits/small.csv");
    let test: BTreeSet<String> =
        split.iter().filter(|r| r["part"] == "test").map(|r| r["line"].clone() + &r["file"]).collect();
    assert_eq!(of("test"), test);
    assert_eq!(
        of("out-of-fold").len(),
        split.len() - test.len(),
        "every other row once, none of the test part"
    );
    for row in &rows {
        let sum: f64 = ["Toddler (0-3)", "Preschool (4-6)", "Elementary (7-10)", "Teen+ (11+)"]
            .map(|c| row[c].parse::<f64>().unwrap())
            .iter()
            .sum();
        assert!((sum - 1.0).abs() < 1e-4);
    }
}

#[test]
fn shuffled_labels_give_chance_level() {
    let project = Project::empty();
    // The class is a digit of a hash of the row: nothing to learn.
    two_classes(&project, 60, |i, text, _| {
        let class = ["a", "b"][blake3::hash(text.as_bytes()).as_bytes()[0] as usize % 2];
        format!("{text} ({i}),x,{class}\n")
    });
    project.good(&["train", "--quiet"]);
    let metrics = metrics(&project);
    for model in metrics["cross_validation"]["models"].as_array().unwrap() {
        let balanced = &model["mean"]["balanced_accuracy"];
        let (low, high) = (balanced["low"].as_f64().unwrap(), balanced["high"].as_f64().unwrap());
        assert!(low <= 0.52 && high >= 0.48, "{}: {low} – {high}", model["model"]);
        // No end of an interval lies where the figure cannot.
        for (figure, least, most) in [("accuracy", 0.0, 1.0), ("mcc", -1.0, 1.0), ("log_loss", 0.0, f64::MAX)]
        {
            let end = |end: &str| model["mean"][figure][end].as_f64().unwrap();
            assert!(least <= end("low") && end("high") <= most, "{}: {figure}", model["model"]);
        }
    }
    assert!(metrics["findings"].as_array().unwrap().iter().all(|f| f["ill"] != "label_leakage"));
}

#[test]
fn a_feature_that_is_the_label_is_found_and_an_innocent_one_is_not() {
    let ills = |leak: bool| {
        let project = Project::empty();
        two_classes(&project, 120, |i, text, class| {
            let kind = if leak { class.to_owned() } else { (i % 3).to_string() };
            format!("{text},{kind},{class}\n")
        });
        project.good(&["train", "--quiet"]);
        let metrics = metrics(&project);
        let found = metrics["findings"].as_array().unwrap().clone();
        found
            .into_iter()
            .map(|f| (f["ill"].as_str().unwrap().to_owned(), f["evidence"].to_string()))
            .collect::<BTreeMap<_, _>>()
    };
    let leaking = ills(true);
    assert!(leaking["label_leakage"].contains("column `kind`"), "{leaking:?}");
    let innocent = ills(false);
    assert!(!innocent.get("label_leakage").is_some_and(|e| e.contains("kind")), "{innocent:?}");
}

#[test]
fn gates_decide_the_exit_code_when_asked() {
    let project = Project::small();
    let finished = project.run(&["train", "--require-gates", "--quiet"]);
    assert_eq!(finished.code(), 7);
    assert!(finished.out().contains("✗ rows"), "{}", finished.out());
    assert!(
        finished.err().contains("the model fails") && finished.err().contains("test rows"),
        "{}",
        finished.err()
    );
    // Nothing to do the second time, and the gates still fail.
    assert_eq!(project.run(&["build", "--require-gates"]).code(), 7);
    assert_eq!(project.run(&["build"]).code(), 0);
    let config = project.read("pipeline.toml");
    let lax = "\n[gates]\ntest_accuracy = 0.0\ntest_accuracy_half_width = 1.0\nclass_f1 = -1.0\nloss_gap = 100.0\n\
               validation_accuracy_deviation = 1.0\nrows = 10\ntest_rows = 1\n";
    project.write("pipeline.toml", config + lax);
    let finished = project.good(&["train", "--require-gates", "--quiet"]);
    assert!(finished.out().contains("all 7 gates passed"), "{}", finished.out());
}

#[test]
fn two_models_are_compared_by_row_and_by_fold() {
    let project = Project::small();
    project.good(&["build", "--quiet"]);
    let config = project.read("pipeline.toml");
    let other =
        config.replace("name = \"small\"", "name = \"linear\"").replace("hidden = [16]", "hidden = []");
    project.write("linear.toml", other);
    project.good(&["build", "--quiet", "--config", "linear.toml"]);
    let (small, linear) = ("data/models/small", "data/models/linear");
    let same = project.json(&["compare", small, small]);
    assert_eq!(same["test"]["mcnemar"]["p"], 1.0);
    assert_eq!(same["folds"]["difference"]["macro_f1"]["value"], 0.0);
    let found = project.json(&["compare", small, linear]);
    let there = |d: &Value| d["accuracy"]["low"].as_f64() <= d["accuracy"]["value"].as_f64();
    assert!(there(&found["test"]["difference"]) && there(&found["folds"]["difference"]));
    assert_eq!(found["test"]["unmatched"], serde_json::json!([0, 0]));
    let text = project.good(&["compare", "small", "linear"]).out();
    assert!(text.starts_with("small minus linear") && text.contains("McNemar"), "{text}");

    project.write("other.toml", project.read("linear.toml").replace("\"linear\"", "\"other\"\nseed = 7"));
    project.good(&["build", "--quiet", "--config", "other.toml"]);
    let text = project.good(&["compare", small, "data/models/other"]).out();
    assert!(text.contains("not compared fold by fold"), "{text}");
    // A row at the top moves every line; the rows are the same.
    let csv = project.read("data/raw/home.csv");
    let (header, rest) = csv.split_once('\n').unwrap();
    let new = rest.lines().next().unwrap().replacen(|c: char| c.is_alphabetic(), "Zebra stripes and ", 1);
    project.write("moved/home.csv", format!("{header}\n{new}\n{rest}"));
    for theme in ["sport", "sensory", "friends"] {
        project.write(&format!("moved/{theme}.csv"), project.read(&format!("data/raw/{theme}.csv")));
    }
    project.write("moved.toml", config.replace("data/raw/", "moved/").replace("\"small\"", "\"moved\""));
    project.good(&["build", "--quiet", "--config", "moved.toml"]);
    let found = project.json(&["compare", small, "data/models/moved"]);
    let of = |side: &str| ["test", "out_of_fold"].map(|part| found[part][side].clone());
    let rows: u64 = of("rows").iter().map(|rows| rows.as_u64().unwrap()).sum();
    assert!(rows > 40, "{found}");
    project.write("again/models/small/x", "");
    for name in ["metrics.json", "predictions.csv"] {
        project.write(&format!("again/models/small/{name}"), project.read(&format!("{small}/{name}")));
    }
    // Two models of one name are told apart by as much of their paths as it takes, however they were typed.
    let again = project.path("again/models/small");
    let text = project.good(&["compare", "small", again.to_str().unwrap()]).out();
    assert!(text.starts_with("data/models/small minus again/models/small\n"), "{text}");
    // Of other rows there is nothing to compare.
    let predictions = project.read("data/models/small/predictions.csv");
    let others: String = predictions
        .lines()
        .enumerate()
        .map(|(i, line)| {
            let mut cells: Vec<&str> = line.split(',').collect();
            let other = format!("{i:016x}");
            if i > 0 {
                (cells[4], cells[5]) = (&other, &other);
            }
            cells.join(",") + "\n"
        })
        .collect();
    project.write("again/models/small/predictions.csv", others);
    let refused = project.run(&["compare", small, "again/models/small"]);
    assert_eq!(refused.code(), 4, "{}", refused.err());
    assert!(refused.err().contains("0 of"), "{}", refused.err());
    let missing = project.run(&["compare", small, "data/models/none"]);
    assert_eq!(missing.code(), 5);
    assert!(missing.err().contains("data/models/none/metrics.json"), "{}", missing.err());
}

#[test]
fn classes_called_like_columns_of_the_predictions_are_compared() {
    let project = Project::empty();
    two_classes(&project, 30, |_, text, class| {
        format!("{text},x,{}\n", if class == "work" { "record" } else { "part" })
    });
    project.good(&["build", "--quiet"]);
    let same = project.json(&["compare", "small", "small"]);
    assert!(same["test"]["rows"].as_u64() > Some(0), "{same}");
    assert_eq!(same["test"]["mcnemar"]["p"], 1.0);
}

#[test]
fn a_few_rows_a_class_are_measured_on_the_given_test_part() {
    let project = Project::empty();
    two_classes(&project, 40, |_, text, class| format!("{text},x,{class}\n"));
    let refused = project.run(&["bench-few-shot"]);
    assert_eq!(refused.code(), 3);
    assert!(refused.err().contains("data.test_files"), "{}", refused.err());
    project.configure("text_fields", "test_files = [\"test.csv\"]\ntext_fields");
    let test = [
        "Who will eat the bread?,x,question",
        "Will you open the small door tonight?,x,question",
        "Carry the new sofa,x,work",
        "Clean the old stove before noon,x,work",
    ];
    project.write("test.csv", format!("text,kind,class\n{}\n", test.join("\n")));
    let found = project.json(&["bench-few-shot", "--per-class", "4", "--draws", "3"]);
    assert_eq!((found["accuracies"].as_array().unwrap().len(), found["test_rows"].as_u64()), (3, Some(4)));
    assert!(found["mean"].as_f64().unwrap() > 0.6, "{found}");
    assert_eq!(project.json(&["bench-few-shot", "--per-class", "4", "--draws", "3"]), found);
    // As many as there are, and no spread of one draw.
    let text = project.good(&["bench-few-shot", "--per-class", "400", "--draws", "1"]).out();
    assert!(text.contains("rows a class (400 were asked for)") && !text.contains('±'), "{text}");
}

#[test]
fn too_few_rows_for_the_folds_are_explained() {
    let project = Project::empty();
    two_classes(&project, 3, |_, text, class| format!("{text},x,{class}\n"));
    project.configure("folds = 3", "folds = 5");
    let finished = project.run(&["train"]);
    assert_eq!(finished.code(), 4);
    assert!(finished.err().contains("too few for 5 folds"), "{}", finished.err());
}

/// Debian's and others' names of a browser that can dump a page.
fn browser() -> Option<&'static str> {
    ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
        .into_iter()
        .find(|b| Path::new(b).exists())
}

#[test]
fn the_report_shows_the_figures_in_a_real_browser() {
    let project = Project::small();
    project.write("data/raw/odd.csv", format!(
        "{}\nA <b>bold</b> & \"odd\" title,4,5,5,x,free,indoor,any,[],Say </script><script>throw 1</script>.,2,none\n",
        crate::project::HEADER
    ));
    project.configure("explain = 0", "explain = 2");
    let report = project.json(&["train"]);
    assert!(stage(&report, "evaluate")["summary"]["gates"].is_array());
    let html = project.read("data/models/small/report.html");
    let wrong = project.csv("data/models/small/predictions.csv");
    let wrong = wrong.iter().filter(|row| row["part"] == "test" && row["class"] != row["predicted"]).count();
    assert_eq!(html.matches("<caption>Log-odds from").count(), wrong.min(2), "mistakes of the test part");
    // The threshold's data and its script, and no others whatever stands in the rows.
    assert_eq!((html.matches("<script").count(), html.matches("</script").count()), (2, 2));
    for outside in ["http://", "src=", "<link"] {
        let allowed = html.matches("http://www.w3.org/2000/svg").count();
        let found = html.matches(outside).count() - if outside == "http://" { allowed } else { 0 };
        assert_eq!(found, 0, "the report needs {outside}");
    }
    let Some(browser) = browser() else {
        eprintln!("no browser here; the page is only searched as text");
        return;
    };
    let profile = tempfile::tempdir().unwrap();
    let page = format!("file://{}", project.path("data/models/small/report.html").display());
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-sync",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--enable-logging=stderr",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(&page)
        .output()
        .unwrap();
    let (dom, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!log.contains("CONSOLE"), "the page logs: {log}");
    let metrics = metrics(&project);
    let number = |v: &Value| format!("{:.3}", v.as_f64().unwrap());
    for figure in ["accuracy", "macro_f1", "log_loss", "ece"] {
        let (test, folds) =
            (&metrics["test"][figure], &metrics["cross_validation"]["models"][0]["mean"][figure]);
        let row =
            dom.split(&format!("id=\"figure-{figure}\"")).nth(1).unwrap().split("</tr>").next().unwrap();
        for shown in [
            number(&test["value"]),
            format!("{} – {}", number(&test["low"]), number(&test["high"])),
            number(&folds["value"]),
        ] {
            assert!(row.contains(&format!("<td>{shown}</td>")), "{figure}: {shown} in {row}");
        }
    }
    for gate in metrics["gates"].as_array().unwrap() {
        assert!(dom.contains(gate["name"].as_str().unwrap()));
    }
    assert!(dom.matches("<svg").count() >= 5 && dom.contains("<title>"));
}
