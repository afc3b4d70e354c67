//! A project folder of a test's own, and the program run in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The program under test; `pipeline-torch` lies beside it (cargo builds it for `tests/reference.rs`).
pub fn program() -> PathBuf {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_pipeline"));
    let torch = program.with_file_name("pipeline-torch");
    assert!(torch.exists(), "{} is missing: run the tests of the whole workspace", torch.display());
    program
}

pub const HEADER: &str = "title,age_min,age_max,duration_mins,tags,cost,indoor_outdoor,season,materials_needed,how_to_play,players,parent_caution";

pub const CONFIG: &str = r#"
name = "small"
[data]
files = ["data/raw/*.csv"]
text_fields = ["title", "how_to_play"]
title = "title"
[label.range]
min = "age_min"
max = "age_max"
classes = [
    { name = "Toddler (0-3)", below = 3.5 },
    { name = "Preschool (4-6)", below = 7 },
    { name = "Elementary (7-10)", below = 11 },
    { name = "Teen+ (11+)" },
]
[features]
numeric = ["duration_mins"]
categorical = ["cost", "players"]
[split]
train = 0.6
validation = 0.2
test = 0.2
[augment.synonyms]
variants = 1
[augment.mixup]
ratio = 0.5
[train]
head = "network"
class_weights = true
batch_size = 32
learning_rate = 1e-3
weight_decay = 1e-4
patience = 3
epochs = 12
hidden = [16]
[evaluate]
folds = 2
repeats = 1
explain = 0
"#;

/// A fresh project folder, removed at the end of the test.
pub struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    /// An empty project with [`CONFIG`].
    pub fn empty() -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap() };
        project.write("pipeline.toml", CONFIG);
        project
    }

    /// A project with 89 activities.
    pub fn small() -> Self {
        let project = Self::empty();
        for theme in ["home", "sport", "sensory", "friends"] {
            let original = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/{theme}.csv"));
            project.write(&format!("data/raw/{theme}.csv"), fs::read_to_string(original).unwrap());
        }
        project
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Replace text in the config.
    pub fn configure(&self, from: &str, to: &str) {
        let config = self.read("pipeline.toml");
        assert!(config.contains(from), "the config has no {from:?}");
        self.write("pipeline.toml", config.replace(from, to));
    }

    /// Another head than [`CONFIG`]'s network: without augmentation and a network's settings, with `more` lines.
    pub fn use_head(&self, head: &str, more: &str) {
        let config = self.read("pipeline.toml");
        let (before, rest) =
            config.split_once("[augment.synonyms]").or(config.split_once("[train]")).unwrap();
        let (_, after) = rest.split_once("[evaluate]").unwrap();
        let train = format!("[train]\nhead = \"{head}\"\nclass_weights = true\n{more}");
        self.write("pipeline.toml", format!("{before}{train}[evaluate]{after}"));
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(args).current_dir(self.folder.path()).stdin(Stdio::null()).env_remove("RUST_BACKTRACE");
        command
    }

    /// A line for a shell.
    pub fn shell(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env_remove("RUST_BACKTRACE");
        command
    }

    pub fn run(&self, args: &[&str]) -> Finished {
        Finished(self.command(args).output().unwrap())
    }

    /// Run and expect exit code 0.
    pub fn good(&self, args: &[&str]) -> Finished {
        let finished = self.run(args);
        assert_eq!(finished.code(), 0, "{args:?}: {}{}", finished.out(), finished.err());
        finished
    }

    /// Run with `--json` and expect exit code 0.
    pub fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.good(&[args, &["--json"]].concat()).out()).unwrap()
    }

    /// Rows of a CSV that the program left, as name → cell.
    pub fn csv(&self, name: &str) -> Vec<std::collections::HashMap<String, String>> {
        let mut reader = csv::Reader::from_path(self.path(name)).unwrap();
        reader.deserialize().map(Result::unwrap).collect()
    }
}

/// A run that has ended.
pub struct Finished(pub Output);

impl Finished {
    pub fn code(&self) -> i32 {
        self.0.status.code().unwrap_or(-1)
    }
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }
}

/// The summary of one stage in what `--json` prints.
pub fn stage<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["stages"].as_array().unwrap().iter().find(|s| s["stage"] == name).unwrap()
}

/// Names of the stages that ran.
pub fn ran(report: &Value) -> Vec<String> {
    let stages = report["stages"].as_array().unwrap().iter();
    let ran = stages.filter(|s| !s["ran_because"].as_array().unwrap().is_empty());
    ran.map(|s| s["stage"].as_str().unwrap().to_owned()).collect()
}
