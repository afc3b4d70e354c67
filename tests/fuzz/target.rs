//! What is fuzzed: whoever reads bytes that come from outside.

use std::path::{Path, PathBuf};

/// How an input was taken: what was read of it, in short, or why it was refused.
pub type Outcome = Result<String, String>;

/// A reader of bytes, its first inputs, and what it may need.
pub struct Target {
    /// Its name, and that of its folder in the corpus.
    pub name: &'static str,
    /// What the file of an input is called, by which formats are told.
    pub file: &'static str,
    /// Bytes of an input, at most.
    pub longest: usize,
    /// More inputs to begin with than its folder of the corpus has, below tests/data.
    pub seeds: &'static [&'static str],
    /// What means something in its inputs.
    pub words: &'static [&'static str],
    /// Reads an input, which is the file at this path, too. That it panics is a finding.
    pub read: fn(&Path, &[u8]) -> Outcome,
}

impl Target {
    /// The inputs to begin with.
    pub fn corpus(&self) -> Vec<PathBuf> {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let mut files = files_in(&tests.join("fuzz/corpus").join(self.name));
        files.extend(self.seeds.iter().map(|seed| tests.join("data").join(seed)));
        assert!(!files.is_empty(), "{} has no corpus", self.name);
        files
    }
}

/// The files in a folder, in the order of their names; none where there is no folder.
pub fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// What was read, in short: the same for the same value.
pub fn digest(value: impl std::fmt::Debug) -> String {
    blake3::hash(format!("{value:?}").as_bytes()).to_hex()[..16].to_owned()
}
