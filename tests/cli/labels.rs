//! Predict: text, CSV and JSON lines in; table, CSV and JSON lines out; on another machine.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use pipeline::store::user_cache;
use serde_json::Value;

use crate::project::{Finished, Project};

fn trained() -> Project {
    let project = Project::small();
    project.good(&["build", "--quiet"]);
    project
}

fn lines(finished: &Finished) -> Vec<Value> {
    finished.out().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

#[test]
fn every_input_and_output_format_says_the_same() {
    let project = trained();
    let (title, how) =
        ("Peekaboo with a scarf", "Hide behind the scarf, come out again, and wait for the laugh.");
    project.write(
        "new.csv",
        format!("title,how_to_play,duration_mins,cost,players\n{title},\"{how}\",5,free,2\n"),
    );
    let row = serde_json::json!({"title": title, "how_to_play": [how], "duration_mins": 5, "cost": "free", "players": "2"});
    project.write("new.jsonl", format!("\n{row}\n"));

    let csv = lines(&project.good(&["predict", "new.csv", "--json"]));
    assert_eq!(csv.len(), 1);
    let sum: f64 = csv[0]["probabilities"].as_object().unwrap().values().map(|p| p.as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-5);
    assert_eq!(csv[0]["line"], 2);

    let json = lines(&project.good(&["predict", "new.jsonl", "--format", "jsonl"]));
    assert_eq!(json[0]["probabilities"], csv[0]["probabilities"]);

    let fields = [
        format!("title={title}"),
        format!("how_to_play={how}"),
        "duration_mins=5".into(),
        "cost=free".into(),
        "players=2".into(),
    ];
    let mut args = vec!["predict", "--json"];
    fields.iter().for_each(|f| args.extend(["--field", f]));
    assert_eq!(lines(&project.good(&args))[0]["probabilities"], csv[0]["probabilities"]);

    project.write("case.csv", project.read("new.csv").replacen("title,how_to_play", "Title,How_To_Play", 1));
    assert_eq!(
        lines(&project.good(&["predict", "case.csv", "--json"]))[0]["probabilities"],
        csv[0]["probabilities"]
    );

    let table = project.good(&["predict", "new.csv", "--format", "table"]).out();
    let label = csv[0]["label"].as_str().unwrap();
    assert!(table.contains(label), "{table}");
    let as_csv = project.good(&["predict", "new.csv", "--only"]).out();
    assert!(as_csv.starts_with("line,label,probability,Toddler (0-3),"), "{as_csv}");
    assert!(as_csv.lines().nth(1).unwrap().starts_with(&format!("2,{label},")), "{as_csv}");

    let mut child = project
        .command(&["predict", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(project.read("new.csv").as_bytes()).unwrap();
    let piped = Finished(child.wait_with_output().unwrap());
    assert_eq!(lines(&piped)[0]["probabilities"], csv[0]["probabilities"]);
}

#[test]
fn a_plain_text_is_labelled_with_a_note() {
    let project = trained();
    let finished =
        project.good(&["predict", "--text", "Shake the rattle", "--text", "Plan a night hike", "--json"]);
    assert_eq!(lines(&finished).len(), 2);
    assert!(finished.err().contains("--text stands in each"), "{}", finished.err());
}

#[test]
fn the_model_folder_alone_is_enough_elsewhere() {
    let project = trained();
    let expected = project.good(&["predict", "--text", "Shake the rattle", "--json"]).out();
    let elsewhere = tempfile::tempdir().unwrap();
    let model = elsewhere.path().join("model");
    fs::create_dir(&model).unwrap();
    for file in ["model.json", "inputs.json", "head.safetensors", "calibration.json"] {
        fs::copy(project.path(&format!("data/models/small/{file}")), model.join(file)).unwrap();
    }
    drop(project);
    let output = std::process::Command::new(crate::project::program())
        .args(["predict", "--model", "model", "--text", "Shake the rattle", "--json"])
        .current_dir(elsewhere.path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("not calibrated"));

    // Without its temperature it still labels, and says what is missing.
    fs::remove_file(model.join("calibration.json")).unwrap();
    let output = std::process::Command::new(crate::project::program())
        .args(["predict", "--model", "model", "--text", "Shake the rattle", "--json"])
        .current_dir(elsewhere.path())
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("not calibrated"));
    assert_ne!(String::from_utf8_lossy(&output.stdout), expected);
}

#[test]
fn unsure_rows_get_no_label_when_asked() {
    let project = trained();
    project.write("new.csv", "title,how_to_play\nShake the rattle,Shake it.\n");
    let all = lines(&project.good(&["predict", "new.csv", "--json"]));
    assert!(all[0]["label"].is_string());
    let none = lines(&project.good(&["predict", "new.csv", "--json", "--min-confidence", "1"]));
    assert!(none[0]["label"].is_null() && none[0]["probability"] == all[0]["probability"]);
    let table = project.good(&["predict", "new.csv", "--min-confidence", "1", "--format", "table"]).out();
    assert!(table.contains("(unsure)"), "{table}");
    let finished = project.run(&["predict", "new.csv", "--min-confidence", "2"]);
    assert_eq!(finished.code(), 2);
    assert!(finished.err().contains("between 0 and 1"), "{}", finished.err());
}

#[test]
fn bad_rows_are_told_and_the_others_labelled() {
    let project = trained();
    project.write("new.csv", "title,how_to_play,duration_mins\nOne,Do it.,soon\nTwo,Do it.,5\nThree\n\"Four,Do it.,5\nFive,Do it, or not.,5\n");
    let finished = project.run(&["predict", "new.csv", "--json"]);
    assert_eq!(finished.code(), 4);
    let labelled = |row: &Value| (row["line"].as_u64().unwrap(), row["label"].is_string());
    let found: Vec<(u64, bool)> = lines(&finished).iter().map(labelled).collect();
    assert_eq!(found, [(2, false), (3, true), (4, true), (5, false), (6, false)]);
    for expected in [
        "line 2: duration_mins = \"soon\": is not a number",
        "line 5: a quote is opened here and not closed",
        "line 6: has 4 fields, the header has 3",
        "3 rows could not be used",
        "the input has no cost, players",
    ] {
        assert!(finished.err().contains(expected), "{expected}: {}", finished.err());
    }
}

#[test]
fn every_row_is_in_its_place_with_an_answer_or_the_reason() {
    let project = trained();
    project.write(
        "new.csv",
        "title,how_to_play,label\n,,=a\nShake the rattle,,-5\nNA,null,+b\n-,\"a\n\u{1b}[2Jb\",@c\n",
    );
    let json = lines(&project.good(&["predict", "new.csv", "--json"]));
    let reasons: Vec<&Value> = json.iter().map(|row| &row["reason"]).collect();
    let none = "no text in title, how_to_play";
    assert_eq!(reasons, [&none.into(), &Value::Null, &none.into(), &Value::Null]);
    assert_eq!(json[3]["input"]["how_to_play"], "a\n\u{1b}[2Jb");

    let finished = project.good(&["predict", "new.csv"]);
    assert!(finished.err().contains("2 rows have no text and no label"), "{}", finished.err());
    assert!(finished.err().contains("3 cells begin with =, +, - or @"), "{}", finished.err());
    let out = finished.out();
    let mut reader = csv::Reader::from_reader(out.as_bytes());
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(
        header[..6],
        ["title", "how_to_play", "label", "label (answer)", "probability", "Toddler (0-3)"]
    );
    assert_eq!(header.last().unwrap(), "reason");
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.iter().map(|row| row[2].to_owned()).collect::<Vec<_>>(), ["'=a", "-5", "'+b", "'@c"]);
    assert_eq!((&rows[0][3], &rows[0][header.len() - 1]), ("", none));
    assert_eq!(rows[1][3].to_owned(), json[1]["label"].as_str().unwrap());
    let raw = project.good(&["predict", "new.csv", "--raw-cells"]).out();
    assert!(raw.lines().nth(1).unwrap().starts_with(",,=a,,"), "{raw}");
    let table = project.good(&["predict", "new.csv", "--format", "table"]).out();
    assert!(table.contains("(no text in title, how_to_play)"), "{table}");

    project.write(
        "new.jsonl",
        b"\xef\xbb\xbf{\"title\": \"Shake the rattle\"}\n{\"title\": \"\xff\"}\n{\"title\": null}\n",
    );
    let finished = project.run(&["predict", "new.jsonl", "--json"]);
    assert_eq!(finished.code(), 4);
    let json = lines(&finished);
    assert!(json[0]["label"].is_string() && json[1]["reason"] == "is not UTF-8 (byte 12)", "{json:?}");
    assert_eq!(json[2]["reason"], none);

    project.write("texts.csv", "Shake the rattle\n");
    let finished = project.run(&["predict", "texts.csv"]);
    assert_eq!(finished.code(), 4);
    assert!(
        finished.err().contains("the input has none of them, only Shake the rattle"),
        "{}",
        finished.err()
    );
}

#[test]
fn an_answer_is_the_same_alone_and_among_thousands_and_comes_at_once() {
    let project = trained();
    let text = |i: usize| format!("Find {} {} and sing", ["a drum", "the ball", "two spoons"][i % 3], i / 3);
    let rows = 5000;
    let csv: String = (0..rows).map(|i| format!("{},{}\n", text(i % 40), text(i % 7))).collect();
    project.write("new.csv", format!("title,how_to_play\n{csv}"));
    let all = lines(&project.good(&["predict", "new.csv", "--json"]));
    assert_eq!(all.len(), rows);
    for row in [0, 63, 64, 2111, 2112, 4999] {
        let (title, how) = (format!("title={}", text(row % 40)), format!("how_to_play={}", text(row % 7)));
        let alone = lines(&project.good(&["predict", "--json", "--field", &title, "--field", &how]));
        assert_eq!(alone[0]["probabilities"], all[row]["probabilities"], "{row}");
    }
    // Whoever has seen enough goes away; whoever writes slowly is answered before the end.
    let mut child = project
        .command(&["predict", "-", "--input", "jsonl", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    for i in 0..64 {
        writeln!(input, "{}", serde_json::json!({"title": text(i % 40), "how_to_play": "", "other": 1}))
            .unwrap();
    }
    input.flush().unwrap();
    let mut first = String::new();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut first).unwrap();
    assert!(first.starts_with("{\"line\":1,"), "{first}");
    drop((input, out));
    assert!(child.wait().unwrap().success());
}

#[test]
fn rows_of_separators_are_answered_in_their_place_and_a_header_alone_has_all_columns() {
    let project = trained();
    project.write(
        "new.csv",
        "title,how_to_play\nShake the rattle,Shake it.\n,\n\nNight hike,Read the map.\n,\n",
    );
    let rows = lines(&project.good(&["predict", "new.csv", "--json"]));
    assert_eq!(rows.iter().map(|row| row["line"].as_u64().unwrap()).collect::<Vec<_>>(), [2, 3, 5, 6]);
    let header = |text: &str| text.lines().next().unwrap().to_owned();
    let full = header(&project.good(&["predict", "new.csv", "--format", "csv"]).out());
    project.write("none.csv", "title,how_to_play\n");
    let none = project.good(&["predict", "none.csv", "--format", "csv"]).out();
    assert!(full.contains("age_max"), "{full}");
    assert_eq!(none, full + "\n");
    assert_eq!(project.good(&["predict", "none.csv", "--json"]).out(), "");

    // Where rows are learned from, they are counted and said.
    let csv = project.read("data/raw/home.csv");
    let columns = csv.lines().next().unwrap().split(',').count();
    project.write(
        "data/raw/home.csv",
        format!("{csv}{}\n{}\n", ",".repeat(columns - 1), ",".repeat(columns - 1)),
    );
    let told = project.good(&["embed"]).err();
    assert!(told.contains("data/raw/home.csv: 2 rows are blank and passed over"), "{told}");
}

#[test]
fn a_task_without_two_values_is_named() {
    let project = Project::small();
    project.configure("[train]\n", "[[train.tasks]]\ncolumn = \"none\"\n[train]\n");
    for theme in ["home", "sport", "sensory", "friends"] {
        let name = format!("data/raw/{theme}.csv");
        let (csv, cell) = (project.read(&name), ["none", ""]);
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let mut writer = csv::Writer::from_writer(Vec::new());
        let with = |record: &csv::StringRecord, cell: &str| {
            record.iter().map(str::to_owned).chain([cell.to_owned()]).collect::<Vec<_>>()
        };
        writer.write_record(with(reader.headers().unwrap(), cell[0])).unwrap();
        reader.records().for_each(|row| writer.write_record(with(&row.unwrap(), cell[1])).unwrap());
        project.write(&name, writer.into_inner().unwrap());
    }
    let refused = project.run(&["build"]);
    assert_eq!(refused.code(), 4);
    assert!(
        refused.err().contains("the task column `none` (train.tasks) has no usable cell in 75 rows"),
        "{}",
        refused.err()
    );
}

#[test]
fn wrong_columns_models_and_encoders_are_explained() {
    let project = trained();
    project.write("new.csv", "name,text\nOne,Do it.\n");
    let finished = project.run(&["predict", "new.csv"]);
    assert_eq!(finished.code(), 4);
    assert!(
        finished.err().contains("the model reads the text columns title, how_to_play"),
        "{}",
        finished.err()
    );
    let finished = project.run(&["predict", "--field", "titel=x"]);
    assert_eq!(finished.code(), 2);
    assert!(finished.err().contains("did you mean `title`?"), "{}", finished.err());
    let finished = project.run(&["predict", "--field", "title=x", "--field", "title=y"]);
    assert_eq!(finished.code(), 2);
    assert!(finished.err().contains("--field title is given twice"), "{}", finished.err());
    let finished = project.run(&["predict", "--text", "x", "--model", "nowhere"]);
    assert_eq!(finished.code(), 5);
    assert!(finished.err().contains("nowhere/model.json"), "{}", finished.err());

    let finished = project.run(&["predict", "--text", "x", "--encoder", "nowhere"]);
    assert_eq!(finished.code(), 5, "{}", finished.err());

    let head = fs::read(project.path("data/models/small/head.safetensors")).unwrap();
    project.write("data/models/small/head.safetensors", "damaged");
    let finished = project.run(&["predict", "--text", "x"]);
    assert_eq!(finished.code(), 5);
    assert!(finished.err().contains("it is damaged, or of another training"), "{}", finished.err());
    project.write("data/models/small/head.safetensors", head);

    // What no model says is refused, whoever wrote it.
    let hostile = |file: &str, change: &dyn Fn(&mut serde_json::Value), said: &str| {
        let path = format!("data/models/small/{file}");
        let whole = project.read(&path);
        let mut value = serde_json::from_str(&whole).unwrap();
        change(&mut value);
        project.write(&path, value.to_string());
        let finished = project.run(&["predict", "--text", "x"]);
        assert_eq!(finished.code(), 5, "{file}: {}", finished.out());
        assert!(finished.err().contains(&path) && finished.err().contains(said), "{}", finished.err());
        project.write(&path, whole);
    };
    let card = "model.json";
    hostile(card, &|card| drop(card["classes"].as_array_mut().unwrap().drain(1..)), "it has 1 classes");
    hostile(card, &|card| card["classes"][1] = card["classes"][0].clone(), "twice");
    hostile(card, &|card| card["head"]["blocks"][0]["width"] = 3.into(), "does not answer with 4 classes");
    hostile(card, &|card| card["encoders"] = serde_json::json!([]), "no encoder");
    hostile("calibration.json", &|all| all["temperature"] = (-1).into(), "its temperature is -1");
    hostile(
        "calibration.json",
        &|all| all["decision"]["shares"][0] = 7.into(),
        "its decision is not one among 4",
    );
    hostile(
        "inputs.json",
        &|all| all["scale"] = serde_json::json!([]),
        "it is damaged, or of another training",
    );

    // The same encoder with one letter more in a file that decides the vectors.
    let other = project.path("other-encoder");
    fs::create_dir_all(other.join("1_Pooling")).unwrap();
    let files =
        ["modules.json", "config.json", "tokenizer.json", "model.safetensors", "1_Pooling/config.json"];
    for file in files {
        fs::copy(user_cache().join("all-MiniLM-L6-v2").join(file), other.join(file)).unwrap();
    }
    let config = fs::read_to_string(other.join("config.json")).unwrap();
    fs::write(other.join("config.json"), config + " ").unwrap();
    let finished = project.run(&["predict", "--text", "x", "--encoder", "other-encoder"]);
    assert_eq!(finished.code(), 5);
    assert!(finished.err().contains("is not the one that the model was trained with"), "{}", finished.err());
}

/// With every kind of head: the tasks and the range are answered, measured, and written in every format.
#[test]
fn tasks_and_the_range_behind_the_label_are_predicted_too() {
    let project = Project::small();
    project.configure("[train]\n", "[[train.tasks]]\ncolumn = \"season\"\n[train]\n");
    let check = |head: &str| {
        project.good(&["train", "--quiet"]);
        project.write("new.csv", "title,how_to_play\nShake the rattle,Shake it.\nNight hike,Read the map.\n");
        let rows = lines(&project.good(&["predict", "new.csv", "--json"]));
        for row in &rows {
            let season = &row["tasks"]["season"];
            assert!(
                season["label"].is_string() && season["probability"].as_f64() <= Some(1.0),
                "{head}: {row}"
            );
            let end = |name: &str| row["range"][name].as_f64().unwrap();
            assert!(end("age_min") <= end("age_max") && end("age_max") < 30.0, "{head}: {row}");
        }
        project.write("labels.csv", project.good(&["predict", "new.csv", "--format", "csv"]).out());
        let labels = project.csv("labels.csv");
        assert_eq!(labels[0]["season"], rows[0]["tasks"]["season"]["label"].as_str().unwrap(), "{head}");
        let end = rows[0]["range"]["age_min"].as_f64().unwrap() as f32;
        assert_eq!(labels[0]["age_min"].parse::<f32>().ok(), Some(end), "{head}");
        let table = project.good(&["predict", "new.csv"]).out();
        assert!(table.contains("age_max") && table.contains("season"), "{table}");
        let metrics: Value = serde_json::from_str(&project.read("data/models/small/metrics.json")).unwrap();
        let season = &metrics["tasks"][0];
        assert_eq!(season["column"], "season");
        assert!(season["metrics"]["accuracy"]["low"].is_f64(), "{season}");
        let error = &metrics["range"][1]["mean_absolute_error"];
        assert!(error["low"].as_f64() > Some(0.0) && error["high"].as_f64() < Some(15.0), "{error}");
    };
    check("network");
    for head in ["kernel", "knn", "prototypes", "trees", "logistic", "ensemble"] {
        project.use_head(head, "[[train.tasks]]\ncolumn = \"season\"\n");
        check(head);
    }
}

#[test]
fn the_callers_columns_stay_and_answers_are_never_learned_from() {
    let project = trained();
    let config = project.read("pipeline.toml").replace("data/raw/*.csv", "*.csv");
    for theme in ["home", "sport", "sensory", "friends"] {
        fs::rename(project.path(&format!("data/raw/{theme}.csv")), project.path(&format!("{theme}.csv")))
            .unwrap();
    }
    project.write("pipeline.toml", config);
    project.good(&["build", "--quiet"]);
    fs::create_dir(project.path("new")).unwrap();
    project.write(
        "new/rows.csv",
        "key,title,how_to_play\nk7,Shake the rattle,Shake it.\nk8,Night hike,Read the map.\n",
    );

    let told = project.good(&["predict", "new/rows.csv", "-o", "labelled.csv"]);
    assert!(told.out().is_empty() && told.err().contains("2 rows are in labelled.csv"), "{}", told.err());
    let rows = project.csv("labelled.csv");
    assert_eq!((rows[1]["key"].as_str(), rows[1]["title"].as_str()), ("k8", "Night hike"));
    let alone = project.good(&["predict", "new/rows.csv", "--only"]).out();
    assert_eq!(alone.lines().nth(2).unwrap().split(',').nth(1), Some(rows[1]["label"].as_str()));
    project.good(&["predict", "new/rows.csv", "-o", "labelled.jsonl"]);
    assert!(project.read("labelled.jsonl").starts_with("{\"line\":2,\"input\":{\"key\":\"k7\""));

    // The next build reads what it read before, and says so where it reads.
    assert!(!project.good(&["status"]).out().contains("stale"));
    let read = project.good(&["embed", "--force"]).err();
    assert!(read.contains("labelled.csv is what `pipeline predict` wrote and not read"), "{read}");

    // What is no file is written to and stays what it is; of a link, what it points to is written.
    let pipe = project.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut child = project.command(&["predict", "new/rows.csv", "--only", "-o", "pipe"]).spawn().unwrap();
    assert_eq!(fs::read_to_string(&pipe).unwrap(), alone);
    assert!(child.wait().unwrap().success() && !fs::metadata(&pipe).unwrap().is_file());
    std::os::unix::fs::symlink("labelled.csv", project.path("link.csv")).unwrap();
    project.good(&["predict", "new/rows.csv", "--only", "-o", "link.csv"]);
    assert!(project.path("link.csv").is_symlink());
    assert_eq!(project.read("labelled.csv"), alone);

    // A file that cannot be written is not begun, and one that is there stays.
    for nowhere in ["nowhere/answers.csv", "new"] {
        let refused = project.run(&["predict", "new/rows.csv", "-o", nowhere]);
        assert_eq!(refused.code(), 1);
        assert!(refused.err().contains(&format!("cannot write {nowhere}")), "{}", refused.err());
    }
    let refused = project.run(&["predict", "My invoice is wrong"]);
    assert_eq!(refused.code(), 4);
    assert!(refused.err().contains("pipeline predict --text \"My invoice is wrong\""), "{}", refused.err());
}
