//! The commands that documents show in `console` blocks, run as they stand there: what they print must be what the document says.
//!
//! Under a line `$ …` stands what it prints. `...` on a line of its own is any number of lines,
//! `[..]` anything within a line. Numbers with decimals are not compared, since their last digits depend on the processor, nor is
//! white space within a line. A command ends well unless an `error:` is shown.

use std::fs;
use std::path::Path;

use regex::Regex;

use crate::project::{Project, program};

/// What is not run: it builds, opens a browser, needs another machine, or sets up a shell.
const NOT_RUN: [&str; 6] = ["make", "alias", "xdg-open", "scp", "ssh", "scripts/"];

struct Example {
    line: usize,
    command: String,
    shown: String,
}

fn examples(document: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut fence = None;
    for (line, text) in (1..).zip(document.lines()) {
        match (fence, text.strip_prefix("```")) {
            (None, Some(language)) => fence = Some(language == "console"),
            (Some(_), Some(_)) => fence = None,
            (Some(true), None) => match (text.strip_prefix("$ "), examples.last_mut()) {
                (Some(command), _) => {
                    examples.push(Example { line, command: command.to_owned(), shown: String::new() });
                }
                (None, Some(last)) if last.shown.is_empty() && last.command.ends_with('\\') => {
                    last.command += "\n";
                    last.command += text;
                }
                (None, Some(last)) => last.shown += &format!("{text}\n"),
                (None, None) => panic!("line {line}: {text:?} stands before any command"),
            },
            _ => {}
        }
    }
    examples
}

/// A text without what may differ between two runs or processors.
fn comparable(text: &str) -> String {
    let number = Regex::new(r"[-+]?\d+\.\d+").unwrap();
    let space = Regex::new(r"[ \t]+").unwrap();
    let lines = text.lines().map(|line| {
        let line = number.replace_all(line.trim(), "0.0");
        space.replace_all(&line, " ").into_owned() + "\n"
    });
    lines.collect::<String>().trim().to_owned() + "\n"
}

fn matches(shown: &str, printed: &str) -> bool {
    let any_lines = regex::escape("...\n");
    let pattern = regex::escape(&comparable(shown))
        .replace(&regex::escape("[..]"), "[^\n]*")
        .split_inclusive('\n')
        .map(|line| if line == any_lines { "(?:[^\n]*\n)*?".to_owned() } else { line.to_owned() })
        .collect::<String>();
    Regex::new(&format!("^{pattern}$")).unwrap().is_match(&comparable(printed))
}

fn run(project: &Project, document: &str) {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document)).unwrap();
    let examples = examples(&text);
    let program = program();
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", program.parent().unwrap().display());
    let mut run = 0;
    for Example { line, command, shown } in examples {
        if NOT_RUN.iter().any(|name| command.starts_with(name)) {
            continue;
        }
        let mut shell = project.shell(&format!("exec 2>&1\n{command}"));
        let finished = shell.env("PATH", &path).env("COLUMNS", "100").output().unwrap();
        let printed = String::from_utf8(finished.stdout).unwrap();
        let fails = shown.contains("error: ");
        assert_eq!(!fails, finished.status.success(), "{document}:{line}: {command}\n{printed}");
        if !shown.is_empty() {
            assert!(matches(&shown, &printed), "{document}:{line}: {command}\nprints\n{printed}");
        }
        run += 1;
    }
    assert!(run > 3, "{document} has only {run} commands that can be run");
}

/// One after the other in one folder: the second uses the model that the first trains.
#[test]
fn the_pages_on_a_table_of_tickets_do_what_they_show() {
    let project = Project::empty();
    fs::remove_file(project.path("pipeline.toml")).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for table in ["tickets.csv", "new-tickets.csv", "new-tickets.xlsx"] {
        project.write(table, fs::read(root.join("examples").join(table)).unwrap());
    }
    run(&project, "docs/getting-started.md");
    run(&project, "docs/commands.md");
}

#[test]
fn the_tour_of_the_readme_does_what_it_says() {
    let project = Project::small();
    let config = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("pipeline.toml")).unwrap();
    // The few rows here have no further labels, and few of each class.
    let further = |line: &&str| line.starts_with("passes = ") || line.starts_with("second_labels = ");
    assert_eq!(config.lines().filter(further).count(), 2);
    let own: Vec<&str> = config.lines().filter(|line| !further(line)).collect();
    let own = own.join("\n").replace("unique_titles = true", "unique_titles = true\nmin_class_rows = 1");
    let fewer_folds = "\n[evaluate]\nfolds = 2\nrepeats = 1\n";
    project.write("pipeline.toml", own + fewer_folds);
    project.write("new.csv", project.read("data/raw/home.csv"));
    project.good(&["build", "--quiet"]);
    run(&project, "README.md");
}

#[test]
fn what_is_shown_is_compared_but_for_numbers_and_what_is_left_out() {
    let printed = "model tickets: 3 of 6 gates failed\n\n  accuracy  0.912\n  macro-F1  0.899\n";
    assert!(matches("model tickets: 3 of 6 gates failed\n...\n  macro-F1 0.8\n", printed));
    assert!(matches("model [..]: 3 of [..]\n...\n", printed));
    assert!(!matches("model tickets: 3 of 6 gates failed\n", printed));
    assert!(!matches("model tickets: 2 of 6 gates failed\n...\n", printed));
    let text =
        "```console\n$ pipeline predict \\\n    x\nshown\n$ pipeline status\n```\n```text\n$ no\n```\n";
    let found = examples(text);
    let seen: Vec<_> = found.iter().map(|e| (e.line, e.command.as_str(), e.shown.as_str())).collect();
    assert_eq!(seen, [(2, "pipeline predict \\\n    x", "shown\n"), (5, "pipeline status", "")]);
}
