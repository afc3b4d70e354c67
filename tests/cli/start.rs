//! Start-up, help, and how the two programs share the work.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::project::{Finished, Project, program};

/// A folder of its own with some of the programs.
fn installed(programs: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in programs {
        fs::copy(program().with_file_name(name), folder.path().join(name)).unwrap();
    }
    folder
}

fn run(folder: &tempfile::TempDir, program: &str, project: &Project, args: &[&str]) -> Finished {
    let mut command = Command::new(folder.path().join(program));
    // cargo's own value, which tests inherit.
    command.args(args).current_dir(project.path("")).env_remove("LIBTORCH").env_remove("LD_LIBRARY_PATH");
    Finished(command.output().unwrap())
}

/// Everything but networks and rust-bert, by one file.
#[test]
fn the_program_alone_trains_evaluates_and_predicts() {
    let folder = installed(&["pipeline"]);
    let project = Project::small();
    for (head, more) in [
        ("kernel", ""),
        ("logistic", ""),
        ("knn", ""),
        ("prototypes", ""),
        ("trees", ""),
        ("ensemble", "[train.ensemble]\nheads = [\"kernel\", \"trees\", \"logistic\"]\n"),
    ] {
        project.use_head(head, more);
        for args in [
            &["build", "--quiet"][..],
            &["predict", "--text", "Build a den of cushions.", "--json"],
            &["status"],
            &["train", "--json"],
        ] {
            let finished = run(&folder, "pipeline", &project, args);
            assert_eq!(finished.code(), 0, "{head} {args:?}: {}", finished.err());
        }
        assert!(project.path("data/models/small/report.html").exists());
    }
    let validated = run(&folder, "pipeline", &project, &["validate"]);
    assert!([0, 4].contains(&validated.code()), "{}", validated.err());
    assert!(validated.out().contains("everything is in"), "{}", validated.out());
}

#[test]
fn what_needs_libtorch_names_the_setting_and_how_to_get_it() {
    let project = Project::small();
    let said = |folder: &tempfile::TempDir, args: &[&str]| {
        let finished = run(folder, "pipeline", &project, args);
        assert_eq!(finished.code(), 5, "{args:?}: {}", finished.err());
        finished.err()
    };
    let alone = installed(&["pipeline"]);
    for args in [&["--help"][..], &["status"], &["build", "--dry-run"], &["completions", "bash"]] {
        assert_eq!(run(&alone, "pipeline", &project, args).code(), 0, "{args:?}");
    }
    for args in [&["build"][..], &["train"], &["ablate", "network", "best"], &["tune", "--trials", "1"]] {
        let said = said(&alone, args);
        assert!(said.contains("train.head") && said.contains("pipeline-torch"), "{args:?}: {said}");
        assert!(said.contains("make build"), "{said}");
    }
    project.good(&["build"]);
    assert_eq!(run(&alone, "pipeline", &project, &["build"]).code(), 0, "a build with nothing to do");
    assert!(said(&alone, &["predict", "--text", "Run."]).contains("train.head"));
    // The library is looked for before the program that links it is started.
    let both = installed(&["pipeline", "pipeline-torch"]);
    let nowhere = tempfile::tempdir().unwrap();
    let mut command = Command::new(both.path().join("pipeline"));
    command.args(["build", "--force"]).current_dir(project.path("")).env_remove("LD_LIBRARY_PATH");
    for (variable, value) in [("LIBTORCH", "/nowhere"), ("PIPELINE_CACHE", nowhere.path().to_str().unwrap())]
    {
        command.env_remove("LIBTORCH").env_remove("PIPELINE_CACHE").env(variable, value);
        if variable == "PIPELINE_CACHE" {
            let encoder = pipeline_cache().join("all-MiniLM-L6-v2");
            std::os::unix::fs::symlink(encoder, nowhere.path().join("all-MiniLM-L6-v2")).unwrap();
        }
        let finished = Finished(command.output().unwrap());
        assert_eq!(finished.code(), 5, "{}", finished.err());
        assert!(finished.err().contains(value) && finished.err().contains("hint"), "{}", finished.err());
    }
    let kernel = Project::small();
    kernel.configure("[features]", "[encoder]\nbackend = \"rust-bert\"\n[features]");
    let finished = run(&alone, "pipeline", &kernel, &["embed"]);
    assert_eq!(finished.code(), 5);
    assert!(
        finished.err().contains("rust-bert") && finished.err().contains("encoder.backend"),
        "{}",
        finished.err()
    );
}

fn pipeline_cache() -> PathBuf {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    variable("PIPELINE_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|d| d.join("pipeline")))
        .unwrap_or_else(|| variable("HOME").unwrap().join(".cache/pipeline"))
}

/// What `--help` says on a terminal of so many columns, of the program or of a command.
fn help(project: &Project, command: Option<&str>, columns: usize) -> String {
    let args: Vec<&str> = command.into_iter().chain(["--help"]).collect();
    let finished = project.command(&args).env("COLUMNS", columns.to_string()).output().unwrap();
    String::from_utf8(finished.stdout).unwrap()
}

/// The names of all commands, as the program lists them.
fn commands(project: &Project) -> Vec<String> {
    let help = help(project, None, 100);
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let lines = list.lines().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    let names = lines.map(|line| line.split_whitespace().next().unwrap().to_owned());
    names.filter(|name| name != "help").collect()
}

#[test]
fn every_command_has_help_with_an_example() {
    let project = Project::empty();
    let commands = commands(&project);
    assert!(commands.len() > 12 && commands.contains(&"evaluate".to_owned()), "{commands:?}");
    for command in &commands {
        let help = help(&project, Some(command), 100);
        let example = format!("\n  pipeline {command}");
        assert!(help.contains("\nExample") && help.contains(&example), "{command}: {help}");
    }
    assert!(project.good(&["--help"]).out().contains("Exit codes"));
    assert_eq!(project.run(&["biuld"]).code(), 2);
}

/// Help is wrapped between words, and examples, which are to be copied, not at all.
#[test]
fn help_fits_the_terminal() {
    let project = Project::empty();
    let commands = commands(&project);
    for command in [None].into_iter().chain(commands.iter().map(|name| Some(name.as_str()))) {
        // Beyond 100 columns lines are not read well.
        let [narrow, wide] = [(80, 80), (300, 100)].map(|(columns, most)| {
            let help = help(&project, command, columns);
            let long = help.lines().find(|line| line.chars().count() > most);
            assert!(long.is_none(), "{command:?} in {columns} columns: {long:?}");
            help
        });
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&narrow), words(&wide), "{command:?}");
        let example = |line: &&str| line.starts_with("  pipeline ");
        assert!(narrow.lines().filter(example).eq(wide.lines().filter(example)), "{command:?}: {narrow}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let project = Project::empty();
    let mut child = project
        .command(&["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let finished = Finished(child.wait_with_output().unwrap());
    assert_eq!((finished.code(), finished.err().as_str()), (0, ""));
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let project = Project::small();
    project.write("data/embeddings", "a file where a folder should be");
    let finished = project.run(&["embed"]);
    assert_eq!(finished.code(), 1);
    assert!(finished.err().contains("data/embeddings"), "{}", finished.err());
    assert!(!finished.err().contains("panicked"), "{}", finished.err());
}

#[test]
fn encoders_says_what_this_processor_runs_and_what_is_taken() {
    let project = Project::empty();
    let said = project.run(&["encoders", "--json"]);
    assert_eq!(said.code(), 0, "{}", said.err());
    let said: serde_json::Value = serde_json::from_str(&said.out()).unwrap();
    let ways = said["arithmetics"].as_array().unwrap();
    let rate = |name: &serde_json::Value| {
        let way = ways.iter().find(|way| way["arithmetic"] == *name).unwrap();
        way["texts_per_second"].as_f64()
    };
    assert!(rate(&said["auto"]).unwrap() > 0.0, "{said}");
    for way in ways {
        assert_ne!(way["texts_per_second"].is_null(), way["missing"].is_null(), "{said}");
    }
    let text = project.run(&["encoders"]).out();
    assert!(
        text.contains(said["auto"].as_str().unwrap()) && text.contains("all-MiniLM-L6-v2: bert, 384"),
        "{text}"
    );
}
