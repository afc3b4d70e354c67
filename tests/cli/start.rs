//! Start-up, help, and how the two programs share the work.

use std::fs;
use std::process::{Command, Stdio};

use crate::project::{Finished, Project, program};

/// `pipeline` alone in a folder, without the program that links libtorch.
fn alone(project: &Project, args: &[&str]) -> Finished {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("pipeline");
    fs::copy(program(), &copy).unwrap();
    Finished(Command::new(copy).args(args).current_dir(project.path("")).output().unwrap())
}

#[test]
fn what_needs_no_libtorch_does_not_start_it() {
    let project = Project::small();
    for args in [&["--help"][..], &["status"], &["build", "--dry-run"], &["completions", "bash"]] {
        let finished = alone(&project, args);
        assert_eq!(finished.code(), 0, "{args:?}: {}", finished.err());
    }
    let finished = alone(&project, &["build"]);
    assert_eq!(finished.code(), 5);
    assert!(
        finished.err().contains("pipeline-torch") && finished.err().contains("make build"),
        "{}",
        finished.err()
    );
    project.good(&["build"]);
    assert_eq!(alone(&project, &["build"]).code(), 0, "a build with nothing to do");
    assert_eq!(alone(&project, &["predict", "--field", "titel=x"]).code(), 4, "a refusal");
}

#[test]
fn every_command_has_help_with_an_example() {
    let project = Project::empty();
    for command in ["embed", "augment", "train", "build", "status", "validate", "predict", "completions"] {
        let help = project.good(&[command, "--help"]).out();
        assert!(help.contains("Example"), "{command}: {help}");
    }
    assert!(project.good(&["--help"]).out().contains("Exit codes"));
    assert_eq!(project.run(&["biuld"]).code(), 2);
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
