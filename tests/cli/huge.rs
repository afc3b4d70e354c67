//! Tables larger than anybody writes by hand, read with bounded memory.

use std::fs;

use crate::project::{Finished, Project, program};

/// Address space that the program may take, KiB: that of an ordinary run on two threads is a third of it.
const ADDRESS_SPACE: u64 = 3 << 20;

const TABLE: &str = "[data]\nfiles = [\"rows.csv\"]\ntext_fields = [\"text\"]\n[label]\ncolumn = \"label\"\n";

fn rows(more: impl Fn(usize) -> String) -> String {
    let row = |i: usize| {
        let [animal, label] = [["the cat sleeps", "cat"], ["a dog barks", "dog"]][i % 2];
        format!("{animal} for the {i}th time,{label}{}\n", more(i))
    };
    (0..40).map(row).collect()
}

fn bounded(project: &Project, args: &str) -> Finished {
    let line = format!("ulimit -v {ADDRESS_SPACE}; exec {} {args}", program().display());
    Finished(project.shell(&line).env("RAYON_NUM_THREADS", "2").output().unwrap())
}

#[test]
fn a_field_of_fifty_megabytes_is_read_by_its_beginning() {
    let project = Project::empty();
    project.write("pipeline.toml", format!("name = \"huge\"\n{TABLE}"));
    let huge = "x ".repeat(25 << 20);
    project.write("rows.csv", format!("text,label\n{}{huge},cat\n", rows(|_| String::new())));
    let finished = bounded(&project, "embed");
    assert_eq!(finished.code(), 0, "{}", finished.err());
    assert!(finished.err().contains("longer than 256 tokens"), "{}", finished.err());
}

#[test]
fn a_text_of_a_hundred_thousand_different_words_is_a_row_like_others() {
    let project = Project::empty();
    project.write("pipeline.toml", format!("name = \"huge\"\n{TABLE}[evaluate]\nfolds = 2\nrepeats = 1\n"));
    let words: String = (0..100_000).map(|i| format!("word{i} ")).collect();
    project.write("rows.csv", format!("text,label\n{}{words},cat\n", rows(|_| String::new())));
    let finished = bounded(&project, "build");
    assert_eq!(finished.code(), 0, "{}", finished.err());
}

#[test]
fn of_a_hundred_thousand_columns_those_that_are_named_are_used() {
    let project = Project::empty();
    fs::remove_file(project.path("pipeline.toml")).unwrap();
    let names: String = (0..100_000).map(|i| format!(",c{i}")).collect();
    let numbers = |row: usize| (0..100_000).map(|i| format!(",{}", (row / 2 * 7 + i) % 10)).collect();
    project.write("rows.csv", format!("text,label{names}\n{}", rows(numbers)));
    let finished = bounded(&project, "init rows.csv");
    assert_eq!(finished.code(), 0, "{}", finished.err());
    assert!(finished.out().contains("one of 100,000 columns beside the text"), "{}", finished.out());
    assert!(finished.out().lines().count() < 30, "{}", finished.out());
    project.configure("[label]", "[features]\nnumeric = [\"c99999\", \"c0\"]\n[label]");
    let finished = bounded(&project, "embed --json");
    assert_eq!(finished.code(), 0, "{}", finished.err());
    assert!(finished.out().contains("\"rows_used\": 40"), "{}", finished.out());
}
