//! What documents state is what was measured: `docs/figures.json`, which `make figures` writes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use regex::Regex;
use serde::Deserialize;

#[derive(Deserialize)]
struct Group {
    command: String,
    texts: BTreeMap<String, Text>,
}

#[derive(Deserialize)]
struct Text {
    #[serde(rename = "in")]
    document: String,
    text: String,
}

#[test]
fn documents_state_what_was_measured() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| fs::read_to_string(root.join(file)).unwrap();
    let groups: BTreeMap<String, Group> = serde_json::from_str(&read("docs/figures.json")).unwrap();
    // A figure has two decimals or more; what a code block sets is no figure.
    let figure = Regex::new(r"[^\n]*[0-9]\.[0-9]{2,}[^\n]*").unwrap();
    let settings = Regex::new(r"(?s)```toml.*?```").unwrap();
    for document in [
        "README.md",
        "docs/ablation.md",
        "docs/speed.md",
        "docs/stages.md",
        "docs/collect.md",
        "data/README.md",
    ] {
        let mut rest = read(document);
        for (name, group) in &groups {
            for (key, text) in group.texts.iter().filter(|(_, text)| text.document == document) {
                assert!(
                    rest.contains(&text.text),
                    "{document} states another figure than {name}.{key} ({}):\n{}",
                    group.command,
                    text.text
                );
                rest = rest.replace(&text.text, "");
            }
        }
        let rest = settings.replace_all(&rest, "");
        let left: Vec<&str> = figure.find_iter(&rest).map(|found| found.as_str()).collect();
        assert!(left.is_empty(), "{document} states figures that docs/figures.json does not have: {left:#?}");
    }
}
