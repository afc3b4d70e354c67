//! Rows that are forgotten: out of the tables, out of all that was made from them, also where the run is killed on the way.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::project::Project;

const CONFIG: &str = "name = \"small\"\n[data]\nfiles = [\"data/raw/*\"]\ntext_fields = [\"text\"]\n[label]\ncolumn = \"class\"\n\
                      [augment.synonyms]\nvariants = 2\ncosine_min = 0.3\n[train]\nhead = \"logistic\"\n[evaluate]\nfolds = 2\n\
                      repeats = 1\n";

/// What two people want forgotten; the first stands there twice, spelt otherwise.
const FIRST: &str =
    "My neighbour Mrs Quillfeather paints \"tiny\" boats & sells them at the old harbour every Sunday";
const COPY: &str =
    "my neighbour mrs quillfeather paints tiny boats -- & sells them, at the OLD harbour, every sunday!";
const SECOND: &str =
    "Dr Ottokar Brandstifter\nrepairs violins in Ünterwald, the third house behind the big mill";

/// Words that stand in nothing but these rows.
const TELLING: [&str; 4] = ["quillfeather", "brandstifter", "ottokar", "nterwald"];

fn csv() -> String {
    let mut csv = String::from("text,class\r\n");
    let things = ["fence", "parcel", "lamp", "boat", "violin", "shoe", "kettle", "basket"];
    let places = [("in the kitchen", "indoors"), ("on the mountain", "outdoors")];
    for row in 0..64 {
        let ((place, class), thing) = (places[row % 2], things[row / 2 % 8]);
        if row == 20 {
            write!(csv, "\"{}\",outdoors\r\n", FIRST.replace('"', "\"\"")).unwrap();
        }
        if row == 41 {
            write!(csv, "\"{SECOND}\",indoors\r\n").unwrap();
        }
        write!(csv, "\"Mend the {thing}, number {row}, {place}\",{class}\r\n").unwrap();
    }
    csv
}

/// JSON lines, the last without a line end.
fn jsonl() -> String {
    let line = |text: &str, class: &str| serde_json::json!({ "text": text, "class": class }).to_string();
    [
        line("Carry the ladder home", "indoors"),
        line(COPY, "outdoors"),
        line("Climb up to the hut", "outdoors"),
    ]
    .join("\n")
}

fn asked() -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in [["text"], [FIRST], [SECOND]] {
        writer.write_record(row).unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

/// A project of two tables with two models, rejects, a correction of a row that is to be forgotten, and a candidate made from it.
fn built() -> Project {
    let project = Project::empty();
    project.write("pipeline.toml", CONFIG);
    project.write("data/raw/a.csv", csv());
    project.write("data/raw/b.jsonl", jsonl());
    project.good(&["build", "--quiet"]);
    let hash = |cells: &[&str]| {
        let mut hasher = blake3::Hasher::new();
        for cell in cells {
            hasher.update(&(cell.len() as u64).to_le_bytes()).update(cell.as_bytes());
        }
        hasher.finalize().to_hex()[..16].to_owned()
    };
    let record = hash(&[FIRST, "outdoors"]);
    project.write("fix.csv", format!("record,corrected class\n{record},indoors\n"));
    assert!(project.good(&["correct", "fix.csv"]).out().contains("1 label is corrected"));
    fs::remove_file(project.path("fix.csv")).unwrap();
    let made = "A lady by the harbour sells the boats that she has painted";
    project.write(
        "data/candidates/small/paraphrased-1.csv",
        format!("text,class,_kind,_origin,_recipe,_date,_licence,_parent,_shown\n{made},outdoors,paraphrased,m,r,d,l,{},\n", hash(&[FIRST])),
    );
    project.write("data/candidates/small/answers/one.json", format!("{{\"text\": \"{made}\"}}"));
    project.good(&["build", "--quiet"]);
    project
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Files below `data` in which one of `words` stands, whatever the case.
fn holding(project: &Project, words: &[&str]) -> Vec<PathBuf> {
    let holds = |path: &PathBuf| {
        let text = String::from_utf8_lossy(&fs::read(path).unwrap()).to_lowercase();
        words.iter().any(|word| text.contains(word))
    };
    files(&project.path("data")).into_iter().filter(holds).collect()
}

/// All that a run that has ended must have left.
fn assert_forgotten(project: &Project) {
    assert_eq!(holding(project, &TELLING), [] as [PathBuf; 0]);
    assert_eq!(holding(project, &["lady by the harbour"]), [] as [PathBuf; 0]);
    // The other lines are what they were, byte for byte.
    let kept = |text: String, end: &str, gone: &[&str]| {
        gone.iter().fold(text, |text, gone| {
            assert!(text.contains(gone));
            text.replacen(&format!("{gone}{end}"), "", 1)
        })
    };
    let first = format!("\"{}\",outdoors", FIRST.replace('"', "\"\""));
    let second = format!("\"{SECOND}\",indoors");
    assert_eq!(project.read("data/raw/a.csv"), kept(csv(), "\r\n", &[&first, &second]));
    let copy = serde_json::json!({ "text": COPY, "class": "outdoors" }).to_string();
    assert_eq!(project.read("data/raw/b.jsonl"), kept(jsonl(), "\n", &[&copy]));
    assert!(project.json(&["status"])["stages"].as_array().unwrap().iter().all(|s| s["fresh"] == true));
    assert!(project.good(&["predict", "--text", "Mend the lamp in the kitchen"]).out().contains("indoors"));
    // Of the models of before their lines are left.
    let runs = project.json(&["runs"]);
    let runs = runs["runs"].as_array().unwrap();
    assert!(runs.len() >= 2 && runs.iter().filter(|run| run["bytes"] != 0).count() == 1, "{runs:?}");
    assert_eq!(project.read("data/corrections/small.csv").lines().count(), 1);
    assert!(!project.path("data/.pipeline/small/forget.json").exists());
}

#[test]
fn nothing_is_left_of_forgotten_rows() {
    let project = built();
    let before = holding(&project, &TELLING);
    // It stands in more than the two tables before, in words that augmentation has swapped, too.
    assert!(before.iter().any(|path| path.ends_with("variants.jsonl")), "{before:?}");
    project.write("asked.csv", asked());

    // A dry run says it and changes nothing; without a terminal nobody is asked.
    let dry = project.good(&["forget", "asked.csv", "--dry-run"]).out();
    for said in [
        "4 rows to forget",
        "b.jsonl:2 (the same text)",
        "(made from one of them)",
        "data/raw/a.csv",
        "2 lines",
        "data/models/small",
        "1 label",
    ] {
        assert!(dry.contains(said), "{said}: {dry}");
    }
    let refused = project.run(&["forget", "asked.csv"]);
    assert_eq!(refused.code(), 2);
    assert!(refused.err().contains("cannot be undone"), "{}", refused.err());
    assert_eq!(holding(&project, &TELLING), before);

    let cache = |project: &Project| project.json(&["cache"])["embeddings"].as_u64().unwrap();
    let embeddings = cache(&project);
    let done = project.good(&["forget", "asked.csv", "--yes", "--quiet"]).out();
    assert!(done.contains("2 lines are taken out of data/raw/a.csv"), "{done}");
    assert!(done.contains("answers/one.json held a text"), "{done}");
    assert!(done.contains("data/models ") && done.ends_with("nothing is left\n"), "{done}");
    assert_forgotten(&project);
    assert!(cache(&project) < embeddings);
    // Now they are in no table; what is left of them may still be asked for.
    let again = project.run(&["forget", "asked.csv", "--yes"]);
    assert_eq!(again.code(), 4);
    assert!(
        again.err().contains("2 rows are in no table") && again.err().contains("--gone"),
        "{}",
        again.err()
    );
    project.good(&["forget", "asked.csv", "--gone", "--yes", "--quiet"]);
}

#[test]
fn a_run_that_was_killed_is_gone_on_with() {
    let original = built();
    original.write("asked.csv", asked());
    // As soon as the journal is there, as the tables are thinned, as the model is gone, and while it is made again.
    let journal = "data/.pipeline/small/forget.json";
    type IsReached<'a> = &'a dyn Fn(&Path) -> bool;
    let reached: [(&str, IsReached<'_>); 4] = [
        ("journal", &|root| root.join(journal).exists()),
        ("tables", &|root| {
            !fs::read_to_string(root.join("data/raw/a.csv")).unwrap().contains("Quillfeather")
        }),
        ("removed", &|root| root.join(journal).exists() && !root.join("data/models/small").exists()),
        ("rebuilding", &|root| {
            root.join(journal).exists()
                && root.join("data/.pipeline/small/split.json").exists()
                && !root.join("data/models/small/model.json").exists()
        }),
    ];
    for (name, is_reached) in reached {
        let project = Project::empty();
        let copied = Command::new("cp").arg("-a").arg(original.path(".")).arg(project.path(".")).status();
        assert!(copied.unwrap().success());
        let mut run = project.command(&["forget", "asked.csv", "--yes", "--quiet"]);
        let mut run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let begin = Instant::now();
        while !is_reached(&project.path("")) && run.try_wait().unwrap().is_none() {
            assert!(begin.elapsed() < Duration::from_secs(120), "{name}");
            std::thread::sleep(Duration::from_micros(200));
        }
        run.kill().unwrap();
        run.wait().unwrap();
        // The rows need not be named again.
        let done = project.json(&["forget"]);
        assert_eq!(done["plan"]["goes_on"], true, "{name}");
        assert_eq!(done["left"]["found"], Value::Array(Vec::new()), "{name}");
        assert_forgotten(&project);
    }
}

#[test]
fn what_is_left_elsewhere_is_named_and_looked_for_again() {
    let project = built();
    // A note of somebody's, a packed one, and a row that stays and holds all of the text.
    project.write("data/notes.txt", format!("call back: {FIRST}"));
    project.write(
        "data/raw/c.csv",
        format!("text,class\n\"{}; seen twice\",outdoors\n", FIRST.replace('"', "\"\"")),
    );
    let zip = project.shell("gzip -n < data/notes.txt > data/old.bin").status().unwrap();
    assert!(zip.success());
    project.write("asked.csv", asked());
    let done = project.run(&["forget", "asked.csv", "--yes", "--quiet"]);
    assert_eq!(done.code(), 1);
    assert!(done.out().contains("data/raw/c.csv:2: "), "{}", done.out());
    assert!(done.err().contains("a forgotten text"), "{}", done.err());
    fs::remove_file(project.path("data/raw/c.csv")).unwrap();
    let done = project.run(&["forget", "--quiet"]);
    assert_eq!(done.code(), 1);
    for place in ["data/notes.txt: ", "data/old.bin: "] {
        assert!(done.out().contains(place), "{place}: {}", done.out());
    }
    assert!(done.err().contains("2 places still hold a forgotten text"), "{}", done.err());
    fs::remove_file(project.path("data/notes.txt")).unwrap();
    fs::remove_file(project.path("data/old.bin")).unwrap();
    project.good(&["forget", "--quiet"]);
    assert_forgotten(&project);
    let nothing = project.run(&["forget", "--yes"]);
    assert_eq!(nothing.code(), 2);
}

#[test]
fn what_cannot_be_forgotten_is_said_before_anything_is_changed() {
    let project = Project::empty();
    project.write("pipeline.toml", CONFIG);
    project.write("data/raw/a.csv", csv());
    project.write("asked.csv", asked());
    project.write("other.csv", "words\nhello\n");
    project.write("blank.csv", "text,class\nhello,a\n,b\n");
    project.write("unknown.csv", "text\nnobody has written this\n");
    let formats = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/formats");
    project.write("tickets.xlsx", fs::read(formats.join("tickets.xlsx")).unwrap());
    project.write("sheet.toml", "name = \"sheet\"\n[data]\nfiles = [\"tickets.xlsx\"]\ntext_fields = [\"subject\"]\n[label]\ncolumn = \"category\"\n");
    let mut permissions = fs::metadata(project.path("data/raw/a.csv")).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(project.path("data/raw/a.csv"), permissions).unwrap();
    for (args, code, said) in [
        (&["other.csv"][..], 4, "other.csv has none of the columns with the text of a row: text"),
        (&["blank.csv"], 4, "blank.csv, line 3: there is no text to know a row by"),
        (
            &["unknown.csv"],
            4,
            "1 row is in no table of the data\n  unknown.csv:2 \"nobody has written this\"",
        ),
        (&["--row", "data/raw/a.csv:999"], 4, "data/raw/a.csv:999"),
        (&["nowhere.csv"], 4, "there is no file nowhere.csv"),
        (&["asked.csv"], 1, "data/raw/a.csv is read-only, and holds 2 rows to forget"),
        (
            &["--config", "sheet.toml", "--row", "tickets.xlsx:3"],
            1,
            "tickets.xlsx is no text, and its rows are not taken out here: 3",
        ),
        (&[], 2, "no row is named"),
    ] {
        let refused = project.run(&[&["forget", "--yes"], args].concat());
        assert_eq!(refused.code(), code, "{args:?}: {}", refused.err());
        assert!(refused.err().contains(said), "{said}: {}", refused.err());
    }
    assert_eq!(project.read("data/raw/a.csv"), csv());
    assert!(!project.path("data/.pipeline/small/forget.json").exists());
}
