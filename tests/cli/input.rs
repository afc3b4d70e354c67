//! Raw files as people have them: each bad row is reported and listed, the rest goes on.

use crate::project::{HEADER, Project, stage};

/// A file with every kind of dirt, and twelve good rows.
fn dirty() -> Vec<u8> {
    let mut file = format!("\u{feff}\r\n\r\n{HEADER}\r\n").into_bytes();
    let mut line = |text: &str| file.extend(format!("{text}\r\n").bytes());
    line("Peekaboo,0,2,5,\"['calm', \"\"baby's\"\"]\",free,indoor,any,[],Hide your face and show it.,2,none");
    line(
        "Cloud shapes,3,5,20,\"[\"\"sky\"\"]\",free,outdoor,summer,[],\"Lie down, look up, say \"\"a whale!\"\"\",2-4,none",
    );
    line("");
    line("Backwards ages,9,4,20,x,free,indoor,any,[],Sing.,2,none");
    line("No age,,4,20,x,free,indoor,any,[],Sing.,2,none");
    line("Not a number,four,6,20,x,free,indoor,any,[],Sing.,2,none");
    line("Ragged,4,6,20,x,free");
    line(",4,6,20,x,free,indoor,any,[],,2,none");
    line("Long wait,4,6,an hour,x,free,indoor,any,[],Sing.,2,none");
    line("Chess,8,12,40,plain text tags,low,indoor,any,[],Play by the rules.,2,none");
    line("Chess,8,12,40,plain text tags,low,indoor,any,[],Play by the rules.,2,none");
    line("\"Never closed,4,6,20,x,free,indoor,any,[],Sing.,2,none");
    for (i, ages) in ["0,2", "1,3", "4,5", "5,7", "7,9", "8,10", "12,15", "13,16", "14,18"].iter().enumerate()
    {
        line(&format!("Game {i},{ages},20,x,free,indoor,any,[],Do number {i} of the list.,2,none"));
    }
    file.extend(b"Caf\xe9 owner,12,14,20,x,free,indoor,any,[],Draw a menu for a caf\xe9.,2,none\r\n");
    file
}

#[test]
fn every_bad_row_is_listed_with_its_place_and_the_rest_is_used() {
    let project = Project::empty();
    project.write("data/raw/dirty.csv", dirty());
    project.configure("[data]", "[data]\nmax_rejected_share = 0.5");
    let finished = project.good(&["embed"]);
    let listed: Vec<String> = project
        .csv("data/rejects/small/rejects.csv")
        .iter()
        .map(|r| format!("{}:{} {}={:?} {}", r["file"], r["line"], r["column"], r["value"], r["reason"]))
        .collect();
    insta::assert_snapshot!(listed.join("\n"));
    let duplicates = project.csv("data/rejects/small/duplicates.csv");
    assert_eq!(duplicates.len(), 1);
    assert_eq!(duplicates[0]["repeats"], "data/raw/dirty.csv:13");
    let report = project.json(&["embed"]);
    let summary = &stage(&report, "embed")["summary"];
    assert_eq!((&summary["rows_read"], &summary["rows_used"]), (&21.into(), &14.into()));
    assert_eq!((&summary["rejected"], &summary["duplicates"]), (&5.into(), &1.into()));
    assert_eq!(summary["unlabelled"], 1);
    assert!(finished.err().contains("read as Windows-1252"), "{}", finished.err());
    // The raw line is kept, so that nothing is lost.
    let rejects = project.csv("data/rejects/small/rejects.csv");
    assert!(rejects[0]["raw"].starts_with("Backwards ages,9,4"), "{rejects:?}");
}

#[test]
fn too_many_bad_rows_stop_the_run_and_are_still_listed() {
    let project = Project::empty();
    project.write("data/raw/dirty.csv", dirty());
    let finished = project.run(&["embed"]);
    assert_eq!(finished.code(), 4);
    let error = finished.err();
    assert!(error.contains("5 of 20 rows cannot be used"), "{error}");
    assert!(error.contains("data/raw/dirty.csv:7: age_min = \"9\": is above age_max = 4"), "{error}");
    assert!(error.contains("data/rejects/small/rejects.csv"), "{error}");
    assert_eq!(project.csv("data/rejects/small/rejects.csv").len(), 6);
}

#[test]
fn files_that_are_no_csv_are_refused_by_name() {
    let cases: [(&[u8], &str); 5] = [
        (b"", "data/raw/a.csv: is empty"),
        (b"PK\x03\x04\x00\x00\xff\xfe", "data/raw/a.csv: is a binary file"),
        (b"a,b\n1,2\n", "lacks `age_min`, `age_max`"),
        (
            b"titel,age_min,age_max,duration_mins,cost,players,how_to_play\n",
            "`title` (did you mean `titel`?)",
        ),
        (b"title;age_min;age_max\n", "data.delimiter"),
    ];
    for (content, expected) in cases {
        let project = Project::empty();
        project.write("data/raw/a.csv", content);
        let finished = project.run(&["embed"]);
        assert_eq!(finished.code(), 4, "{expected}");
        assert!(finished.err().contains(expected), "{expected}: {}", finished.err());
    }
}

#[test]
fn a_header_alone_one_class_and_no_file_are_explained() {
    let project = Project::empty();
    let finished = project.run(&["build"]);
    assert_eq!(finished.code(), 4);
    assert!(finished.err().contains("no file matches `data/raw/*.csv`"), "{}", finished.err());
    project.write("data/raw/a.csv", format!("{HEADER}\n"));
    assert!(project.run(&["build"]).err().contains("no usable row"));
    let row = |i: usize| format!("Game {i},12,14,20,x,free,indoor,any,[],Step {i}.,2,none\n");
    project.write("data/raw/a.csv", format!("{HEADER}\n{}", (0..9).map(row).collect::<String>()));
    let finished = project.run(&["build"]);
    assert_eq!(finished.code(), 4);
    assert!(finished.err().contains("9 rows are of the one class `Teen+ (11+)`"), "{}", finished.err());
}

#[test]
fn a_folder_of_tables_is_read_with_what_its_folders_say() {
    let project = Project::empty();
    project.write(
        "pipeline.toml",
        "name = \"months\"\n[data]\nfiles = [\"rows\"]\ntext_fields = [\"text\"]\n[label]\ncolumn = \"label\"\n[split]\ntrain = 0.6\n\
         validation = 0.2\ntest = 0.2\n",
    );
    let done = project.run(&["embed"]);
    assert!(done.code() == 4 && done.err().contains("no file matches `rows`"), "{}", done.err());
    std::fs::create_dir(project.path("rows")).unwrap();
    let done = project.run(&["embed"]);
    assert!(
        done.code() == 4 && done.err().contains("rows (data.files) has no table in it"),
        "{}",
        done.err()
    );
    // The label is in the names of the folders; a file may have it, too.
    let rows =
        |of: &str| (0..30).map(|i| format!("{{\"text\": \"{of} {i} in words\"}}\n")).collect::<String>();
    project.write("rows/label=a/part-0.jsonl", rows("Apples"));
    project.write("rows/label=b/part-0.jsonl", rows("Bridges"));
    project.write("rows/label=none/own.csv", "text,label\nApples and pears,a\n");
    project.write("rows/_SUCCESS", "");
    let summary = project.json(&["embed"])["stages"][0]["summary"].clone();
    assert_eq!(summary["rows_used"], 61, "{summary}");
    // A file more is found by the next run, and no file more by the one after it.
    project.write("rows/label=b/part-1.jsonl", rows("Boats"));
    assert_eq!(project.json(&["embed"])["stages"][0]["summary"]["rows_used"], 91);
    assert!(project.good(&["embed"]).out().contains("embed: up to date"));
}

#[test]
fn a_huge_cell_is_embedded_by_its_beginning_and_counted() {
    let project = Project::small();
    let huge = "walk ".repeat(400_000);
    project.write("data/raw/huge.csv", format!("{HEADER}\nHuge,4,6,20,x,free,indoor,any,[],{huge},2,none\n"));
    let finished = project.good(&["embed"]);
    assert!(finished.err().contains("1 of "), "{}", finished.err());
    assert!(finished.err().contains("longer than 256 tokens"), "{}", finished.err());
}

#[test]
fn a_label_column_and_a_given_test_file_need_no_code() {
    let project = Project::empty();
    project.write(
        "pipeline.toml",
        "name = \"bank\"\n[data]\nfiles = [\"train.csv\"]\ntest_files = [\"test.csv\"]\ntext_fields = [\"text\"]\n\
         [label]\ncolumn = \"category\"\n[split]\ntrain = 0.7\nvalidation = 0.3\ntest = 0.0\n",
    );
    let mut train = String::from("text,category\n");
    for i in 0..20 {
        train += &format!("My card number {i} has not arrived yet,card\nPlease change PIN {i} for me,pin\n");
    }
    train += "Where is the card you sent?,card\n";
    project.write("train.csv", &train);
    // A pattern that also matches the test file must not train on it.
    project.configure("[\"train.csv\"]", "[\"*.csv\"]");
    project.write("test.csv", "text,category\n\"Where is the card, you sent?\",card\nI forgot my PIN,pin\n");
    let report = project.json(&["build"]);
    let split = &stage(&report, "split")["summary"];
    assert_eq!(split["test"], 2);
    assert_eq!(split["dropped"], 1, "the row that repeats a test row is not trained on");
    let rows = project.csv("data/splits/bank.csv");
    assert!(rows.iter().all(|r| (r["part"] == "test") == (r["file"] == "test.csv")));
    assert_eq!(stage(&report, "evaluate")["summary"]["test"]["rows"], 2);
}

#[test]
fn tables_without_a_label_or_of_something_else_are_passed_over_where_a_pattern_happens_to_match_them() {
    let project = Project::small();
    project.use_head("prototypes", "");
    project.good(&["build", "--quiet"]);
    let labelled = project.json(&["embed"])["stages"][0]["summary"]["rows_used"].clone();
    let unlabelled = "title,how_to_play,duration_mins,cost,players\nNight hike,Read the map.,60,free,2\n";
    project.write("data/raw/new.csv", unlabelled);
    project.write("data/raw/prices.csv", "article,price\nrope,3\n");
    for command in [&["build", "--dry-run"][..], &["build"]] {
        project.good(command);
    }
    let judged: serde_json::Value =
        serde_json::from_str(&project.run(&["validate", "--json"]).out()).unwrap();
    let columns = judged["columns"].to_string();
    assert!(columns.contains("\"title\"") && !columns.contains("\"article\""), "{columns}");
    let read = project.good(&["embed", "--force"]);
    for said in [
        "data/raw/new.csv has no `age_min`, `age_max`, and nothing is learned from it; `pipeline predict data/raw/new.csv` \
         labels its rows",
        "data/raw/prices.csv has none of the columns that are read, and is passed over",
    ] {
        assert!(read.err().contains(said), "{}", read.err());
    }
    assert_eq!(project.json(&["embed"])["stages"][0]["summary"]["rows_used"], labelled);

    // What lacks a column but has others is faulty; so is one that is named, and that which is the only one.
    project.write("data/raw/new.csv", unlabelled.replace("title", "titel"));
    let refused = project.run(&["build"]);
    assert_eq!(refused.code(), 4);
    assert!(
        refused.err().contains("data/raw/new.csv") && refused.err().contains("`title`"),
        "{}",
        refused.err()
    );
    project.write("data/raw/new.csv", unlabelled);
    project.configure("\"data/raw/*.csv\"", "\"data/raw/*.csv\", \"data/raw/new.csv\"");
    assert!(project.run(&["build"]).err().contains("lacks `age_min`"));
    project.configure("\"data/raw/*.csv\", \"data/raw/new.csv\"", "\"data/raw/[np]*.csv\"");
    for command in [&["build"][..], &["build", "--dry-run"]] {
        let refused = project.run(command);
        assert_eq!(refused.code(), 4);
        assert!(refused.err().contains("lacks `age_min`"), "{}", refused.err());
    }
}
