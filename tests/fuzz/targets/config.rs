//! `pipeline.toml`.

use std::path::Path;

use pipeline::config::Config;

use crate::target::{Outcome, Target, digest};

/// A config.
pub const CONFIG: Target = Target {
    name: "config",
    file: "pipeline.toml",
    longest: 20_000,
    seeds: &["built_before/pipeline.toml"],
    words: &[
        "[",
        "]",
        "=",
        "\"",
        "'''",
        "{",
        "}",
        "nan",
        "-inf",
        "true",
        "[train]\n",
        "[collect]\n",
        "[tune]\n",
        "head = \"trees\"\n",
        "seed = ",
        "\n[validate]\n",
        "[[",
        "]]",
        "folds = 0\n",
        "\u{feff}",
        "1e400",
        "0x7fffffffffffffff",
        "1979-05-27",
    ],
    read,
};

fn read(path: &Path, _: &[u8]) -> Outcome {
    let config = Config::load(path).map_err(|e| format!("{e} {:?}", e.hint()))?;
    // What is accepted is written into every model, and must come back as it was.
    let written = serde_json::to_string(&config).expect("a config is JSON");
    let again: Config = serde_json::from_str(&written).expect("what was written is read");
    assert_eq!(serde_json::to_string(&again).unwrap(), written);
    Ok(digest(&config))
}
