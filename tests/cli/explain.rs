//! Explain: which words, fields and columns speak for the label, and which rows of the training are nearest.

use std::fmt::Write;
use std::fs;

use serde_json::Value;

use crate::project::Project;

const CONFIG: &str = "name = \"small\"\n[data]\nfiles = [\"data.csv\"]\ntext_fields = [\"text\", \"note\"]\n[label]\ncolumn = \"class\"\n\
                      [features]\ncategorical = [\"channel\"]\nnumeric = [\"days\"]\n[evaluate]\nfolds = 2\nrepeats = 1\n";

const VERBS: [&str; 7] = ["Mend", "Paint", "Carry", "Sell", "Wash", "Find", "Draw"];
const THINGS: [&str; 6] = ["fence", "parcel", "lamp", "boat", "violin", "shoe"];

fn sentence(row: usize, place: &str) -> String {
    let drawn = |what: &str, below: usize| {
        usize::from(blake3::hash(format!("{what} {row}").as_bytes()).as_bytes()[0]) % below
    };
    format!("{} the {} {place} before the evening", VERBS[drawn("verb", 7)], THINGS[drawn("thing", 6)])
}

/// Sentences whose class is told by a place in them, with a column that half tells it.
fn trained() -> Project {
    let project = Project::empty();
    let mut csv = String::from("text,note,channel,days,class\n");
    for row in 0..160 {
        let (place, class) = [("in the kitchen", "indoors"), ("on the mountain", "outdoors")][row % 2];
        let channel = if row % 3 == 0 { "phone" } else { class };
        writeln!(csv, "{} {row},no hurry,{channel},{},{class}", sentence(row, place), row % 9).unwrap();
    }
    project.write("data.csv", csv);
    project.write("pipeline.toml", CONFIG);
    project.good(&["build", "--quiet"]);
    project
}

fn sum(parts: &Value) -> f64 {
    parts.as_array().unwrap().iter().map(|part| part["value"].as_f64().unwrap()).sum()
}

fn log_odds(answer: &Value, class: &str) -> f64 {
    let p = answer["probabilities"][class].as_f64().unwrap();
    let all = answer["probabilities"].as_object().unwrap();
    let others: f64 = all.iter().filter(|(name, _)| *name != class).map(|(_, p)| p.as_f64().unwrap()).sum();
    (p / others).ln()
}

#[test]
fn words_fields_and_columns_add_up_and_the_telling_ones_come_first() {
    let project = trained();
    let text = "Mend the lamp on the mountain before the evening";
    let asked = ["predict", "--field", &format!("text={text}"), "--field", "note=no hurry", "--field"];
    let asked = [&asked[..], &["channel=outdoors", "--field", "days=3", "--explain"]].concat();
    let found = project.json(&asked);
    let why = &found["explanation"];
    assert_eq!((&found["label"], &why["class"]), (&"outdoors".into(), &"outdoors".into()));
    let value = |name: &str| why[name].as_f64().unwrap();
    assert!((value("log_odds") - log_odds(&found, "outdoors")).abs() < 1e-6);
    let whole = value("log_odds") - value("log_odds_of_nothing");
    assert!((sum(&why["words"]) + sum(&why["columns"]) - whole).abs() < 1e-9, "{why}");
    assert!((sum(&why["fields"]) + sum(&why["columns"]) - whole).abs() < 1e-9, "{why}");
    let names = |parts: &Value| -> Vec<String> {
        parts.as_array().unwrap().iter().map(|part| part["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&why["columns"]), ["days", "channel"]);
    assert_eq!(names(&why["fields"]), ["text", "note"]);
    let words = why["words"].as_array().unwrap();
    let by_value =
        |a: &&Value, b: &&Value| a["value"].as_f64().unwrap().total_cmp(&b["value"].as_f64().unwrap());
    let most = words.iter().max_by(by_value).unwrap();
    assert_eq!(most["text"], "mountain", "{why}");
    let characters: Vec<char> = text.chars().collect();
    for word in words.iter().filter(|word| word["field"] == "text") {
        let [start, end] = ["start", "end"].map(|end| word[end].as_u64().unwrap() as usize);
        assert_eq!(characters[start..end].iter().collect::<String>(), word["text"].as_str().unwrap());
        assert!(word["standard_error"].as_f64().unwrap() >= 0.0);
    }
    assert!(words.iter().any(|word| word["standard_error"].as_f64().unwrap() > 0.0));
    assert_eq!(project.json(&asked), found, "the same is said twice");

    // More orders say the same, within the errors, which are smaller.
    let longer = project.json(&[&asked[..], &["--explain-samples", "256"]].concat());
    let errors = |of: &Value| -> Vec<[f64; 2]> {
        let pair = |word: &Value| ["value", "standard_error"].map(|name| word[name].as_f64().unwrap());
        of["explanation"]["words"].as_array().unwrap().iter().map(pair).collect()
    };
    let (few, many) = (errors(&found), errors(&longer));
    let total = |of: &[[f64; 2]]| of.iter().map(|[_, error]| error).sum::<f64>();
    assert!(total(&many) < 0.6 * total(&few), "{few:?} {many:?}");
    for ([value, error], [truth, rest]) in few.iter().zip(&many) {
        assert!((value - truth).abs() <= 4.5 * error.hypot(*rest) + 1e-9, "{few:?} {many:?}");
    }

    // The nearest rows of the training, by their places; their texts where asked for.
    let split = project.csv("data/splits/small.csv");
    let nearest = why["nearest"].as_array().unwrap();
    assert_eq!(nearest.len(), 3);
    for row in nearest {
        let line = row["place"].as_str().unwrap().strip_prefix("data.csv:").unwrap();
        let of = split.iter().find(|of| of["line"] == line).unwrap();
        assert!(of["part"] != "test" && row["label"] == "outdoors" && row["text"].is_null(), "{row}");
        assert!(row["cosine"].as_f64().unwrap() > 0.7, "{row}");
    }
    let shown = project.json(&[&asked[..], &["--show-training"]].concat());
    let first = shown["explanation"]["nearest"][0]["text"].as_str().unwrap().to_owned();
    assert!(first.contains("on the mountain") && first.contains("no hurry"), "{first}");
    // The row itself, where it was one of the training.
    let learned = split.iter().find(|of| of["part"] == "train").unwrap()["line"].clone();
    let line: usize = learned.parse().unwrap();
    let row = fs::read_to_string(project.path("data.csv")).unwrap().lines().nth(line - 1).unwrap().to_owned();
    project.write("one.csv", format!("text,note,channel,days,class\n{row}\n"));
    let own = project.good(&["predict", "one.csv", "--explain", "--json", "--explain-samples", "4"]).out();
    let own: Value = serde_json::from_str(&own).unwrap();
    assert_eq!(own["explanation"]["nearest"][0]["place"], format!("data.csv:{learned}"));
    assert!(own["explanation"]["nearest"][0]["cosine"].as_f64().unwrap() > 0.999);

    // People and spreadsheets are told the weightiest.
    let told = project.good(&asked).out();
    assert!(told.contains("why outdoors (log-odds +") && told.contains("for      mountain +"), "{told}");
    assert!(told.contains("columns ") && told.contains("nearest  data.csv:"), "{told}");
    project.good(&["predict", "one.csv", "--explain", "-o", "why.csv", "--explain-samples", "4"]);
    let because = project.csv("why.csv")[0]["because"].clone();
    assert_eq!(because.matches("; ").count(), 4, "{because}");
    for (wrong, said) in [
        (&["--priors", "even", "--explain"][..], "cannot be used with"),
        (&["--show-training"], "--explain"),
        (&["--explain", "--explain-samples", "3"], "--explain-samples"),
    ] {
        let refused = project.run(&[&["predict", "one.csv"], wrong].concat());
        assert_eq!(refused.code(), 2, "{wrong:?}");
        assert!(refused.err().contains(said), "{wrong:?}: {}", refused.err());
    }

    // Where the project has gone, the model still says why, and that it cannot name rows.
    fs::remove_dir_all(project.path("data/embeddings")).unwrap();
    let alone = project.good(&[&asked[..], &["--json"]].concat());
    assert!(alone.err().contains("the nearest training rows are not named"), "{}", alone.err());
    let alone: Value = serde_json::from_str(&alone.out()).unwrap();
    assert!(alone["explanation"]["nearest"].is_null());
    assert_eq!(alone["explanation"]["words"], why["words"]);
}

/// Taking away the three words that are named first takes more from the class than taking away any three.
#[test]
fn without_the_words_named_first_the_answer_changes_more() {
    let project = trained();
    let mut csv = String::from("text,note\n");
    for row in 0..24 {
        let place = ["in the kitchen", "on the mountain"][row % 2];
        writeln!(csv, "{},no hurry", sentence(1000 + row, place)).unwrap();
    }
    project.write("new.csv", csv);
    let answers = |file: &str, more: &[&str]| -> Vec<Value> {
        let out = project.good(&[&["predict", file, "--json"], more].concat()).out();
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let explained = answers("new.csv", &["--explain"]);
    let without = |named: bool| -> f64 {
        let mut csv = String::from("text,note\n");
        for (row, answer) in explained.iter().enumerate() {
            let words = answer["explanation"]["words"].as_array().unwrap();
            let words: Vec<&Value> = words.iter().filter(|word| word["field"] == "text").collect();
            let mut order: Vec<usize> = (0..words.len()).collect();
            let value = |place: usize| words[place]["value"].as_f64().unwrap();
            match named {
                true => order.sort_by(|&a, &b| value(b).total_cmp(&value(a))),
                false => {
                    order.sort_by_key(|place| *blake3::hash(format!("{row} {place}").as_bytes()).as_bytes())
                }
            }
            let left = (0..words.len()).filter(|place| !order[..3].contains(place));
            let left: Vec<&str> = left.map(|place| words[place]["text"].as_str().unwrap()).collect();
            writeln!(csv, "{},no hurry", left.join(" ")).unwrap();
        }
        project.write("less.csv", csv);
        let after = answers("less.csv", &[]);
        let lost = explained.iter().zip(&after).map(|(before, after)| {
            let class = before["label"].as_str().unwrap();
            log_odds(before, class) - log_odds(after, class)
        });
        lost.sum::<f64>() / explained.len() as f64
    };
    let (named, any) = (without(true), without(false));
    assert!(named > any + 0.5, "{named} {any}");
}
