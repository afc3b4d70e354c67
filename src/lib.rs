//! Raw CSVs to a trained, honestly evaluated text classifier.
//!
//! The modules stand in the order in which data passes through them; imports point up this list. See CONTRIBUTING.md.

pub mod config;
pub mod progress;
pub mod store;
pub mod table;
pub mod split;
pub mod embed;
pub mod augment;
pub mod inputs;
pub mod heads;
pub mod train;
pub mod engine;
pub mod baseline;
pub mod evaluate;
pub mod validate;
pub mod tune;
pub mod model;
pub mod report;
pub mod build;
pub mod cli;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    fn sources(folder: &Path) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            if entry.is_dir() {
                files.extend(sources(&entry));
            } else if entry.extension().is_some_and(|e| e == "rs") {
                files.push(entry);
            }
        }
        files
    }

    /// The modules of this file, in its order.
    fn modules() -> Vec<String> {
        let lib = include_str!("lib.rs");
        let named = lib.lines().filter_map(|l| l.strip_prefix("pub mod ")?.strip_suffix(';'));
        named.map(str::to_owned).collect()
    }

    #[test]
    fn imports_point_up_the_list() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let modules = modules();
        assert!(modules.len() > 8);
        let mut checked = 0;
        for (place, module) in modules.iter().enumerate() {
            let folder = root.join(module);
            let files =
                if folder.is_dir() { sources(&folder) } else { vec![root.join(format!("{module}.rs"))] };
            for file in files {
                let text = fs::read_to_string(&file).unwrap();
                for used in text.split("crate::").skip(1) {
                    let name: String =
                        used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    if let Some(at) = modules.iter().position(|m| *m == name) {
                        assert!(at <= place, "{} imports {name}, which comes later", file.display());
                        checked += 1;
                    }
                }
            }
        }
        assert!(checked > 30);
    }

    #[test]
    fn libtorch_and_the_terminal_stay_in_their_rooms() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let own = root.join("src");
        // What may be used nowhere but in one folder.
        let rooms = [
            ("tch", root.join("crates/torch")),
            ("rust_bert", root.join("crates/torch")),
            ("clap", own.join("cli")),
            ("indicatif", own.join("cli")),
        ];
        let files = [own.clone(), root.join("crates/encoder/src")]
            .iter()
            .flat_map(|f| sources(f))
            .collect::<Vec<_>>();
        assert!(files.len() > 100);
        for file in files.iter().filter(|file| !file.ends_with("src/lib.rs")) {
            let text = fs::read_to_string(file).unwrap();
            for (name, room) in &rooms {
                let begins = |before: &str| !before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
                let used = text.match_indices(&format!("{name}::")).any(|(at, _)| begins(&text[..at]));
                assert!(file.starts_with(room) || !used, "{} uses {name}", file.display());
            }
        }
        for file in sources(&root.join("crates/encoder/src")) {
            let text = fs::read_to_string(&file).unwrap();
            assert!(!text.contains("pipeline::"), "{} uses the library", file.display());
        }
    }
}
