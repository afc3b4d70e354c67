//! Raw CSVs to a trained, honestly evaluated text classifier.
//!
//! The modules stand in the order in which data passes through them; imports point up this list. See CONTRIBUTING.md.

pub mod counting;
pub mod foreign;
pub mod device;
pub mod config;
pub mod progress;
pub mod store;
pub mod table;
pub mod split;
pub mod embed;
pub mod augment;
pub mod inputs;
pub mod heads;
pub mod novelty;
pub mod train;
pub mod fine_tuning;
pub mod engine;
pub mod baseline;
pub mod evaluate;
pub mod validate;
pub mod propose;
pub mod suggest;
pub mod tune;
pub mod collect;
pub mod model;
pub mod report;
pub mod export;
pub mod stages;
pub mod serve;
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

    /// What can be done about an error is its `hint()`, no part of its message.
    #[test]
    fn hints_are_printed_in_one_place() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let crates = fs::read_dir(root.join("crates")).unwrap().map(|e| e.unwrap().path().join("src"));
        let folders: Vec<PathBuf> = crates.chain([root.join("src")]).collect();
        assert!(folders.len() > 2);
        for file in folders.iter().flat_map(|folder| sources(folder)) {
            let text = fs::read_to_string(&file).unwrap();
            // Tests may say what is printed.
            let code = text.split("#[cfg(test)]\nmod tests ").next().unwrap_or_default();
            let allowed = usize::from(file.ends_with("src/cli/exit.rs"));
            assert_eq!(code.matches("hint: {").count(), allowed, "{}", file.display());
        }
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

    /// The names behind `prefix` in the code of a file, `{a, b}` taken apart; tests may look where they like.
    fn named(text: &str, prefix: &str) -> Vec<String> {
        let code = text.split("mod tests {").next().unwrap_or_default();
        let code: String =
            code.lines().filter(|l| !l.trim_start().starts_with("//")).flat_map(|l| [l, "\n"]).collect();
        let mut names = Vec::new();
        for after in code.split(prefix).skip(1) {
            let list = after.strip_prefix('{').and_then(|list| list.split_once('}')).map(|(list, _)| list);
            let first = |item: &str| -> String {
                item.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
            };
            match list {
                Some(list) => names.extend(list.split(',').map(first).filter(|name| !name.is_empty())),
                None => names.push(first(after)),
            }
        }
        names
    }

    /// Inside each folder, too, arrows point one way; what a `mod.rs` hands on counts as the file that it comes from. And
    /// no `mod.rs` has code of its own, so that whoever imports from it imports from one file.
    #[test]
    fn inside_a_room_arrows_point_one_way() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        // An ensemble is a head that is made of heads, and the one enum of them all is part of what training leaves.
        let known = ["src/heads: ensemble", "src/heads: kinds"];
        let crates = ["encoder", "serve", "torch"].map(|name| root.join(format!("crates/{name}/src")));
        let mut folders: Vec<PathBuf> = crates.into_iter().chain([root.join("src")]).collect();
        let mut checked = 0;
        while let Some(folder) = folders.pop() {
            let at = |file: &Path| file.strip_prefix(root).unwrap().display().to_string();
            let name = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
            let entries: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
            folders.extend(entries.iter().filter(|e| e.is_dir()).cloned());
            let door = ["mod.rs", "lib.rs"].map(|door| folder.join(door)).into_iter().find(|d| d.exists());
            let Some(door) = door else { continue };
            let code = fs::read_to_string(&door).unwrap();
            let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let own = ["fn ", "struct ", "enum ", "impl ", "impl<", "trait "];
            for line in code.lines().map(|l| l.trim_start().trim_start_matches("pub ")) {
                assert!(!own.iter().any(|w| line.starts_with(w)), "{} has code: {line}", at(&door));
            }
            let inside: Vec<String> =
                entries.iter().filter(|e| **e != door).map(|e| name(e)).filter(|n| n != "tests").collect();
            // What the door hands on, by the file that it comes from.
            let mut origin: Vec<(String, String)> = inside.iter().map(|n| (n.clone(), n.clone())).collect();
            for file in &inside {
                let handed = named(code, &format!("pub use {file}::"));
                origin.extend(handed.into_iter().map(|item| (item, file.clone())));
            }
            let module = match folder.strip_prefix(root.join("src")) {
                Ok(inner) if inner.components().count() > 0 => {
                    format!("crate::{}::", inner.display().to_string().replace('/', "::"))
                }
                Ok(_) => continue, // the list of rooms above has its own test
                Err(_) => "crate::".to_owned(),
            };
            let mut arrows: Vec<(String, String)> = Vec::new();
            for entry in entries.iter().filter(|e| inside.contains(&name(e))) {
                let of = if entry.is_dir() { sources(entry) } else { vec![entry.clone()] };
                for file in of {
                    let text = fs::read_to_string(&file).unwrap();
                    let mut used = named(&text, &module);
                    if !entry.is_dir() {
                        used.extend(named(&text, "super::"));
                    }
                    let to = used.iter().filter_map(|u| origin.iter().find(|(item, _)| item == u));
                    arrows
                        .extend(to.map(|(_, to)| (name(entry), to.clone())).filter(|(from, to)| from != to));
                }
            }
            arrows.sort();
            arrows.dedup();
            checked += arrows.len();
            // Take away what nothing that is left points from, until nothing can be taken away.
            let mut left: Vec<String> = inside.clone();
            while let Some(free) = left.iter().position(|file| {
                known.contains(&format!("{}: {file}", at(&folder)).as_str())
                    || !arrows.iter().any(|(from, to)| from == file && left.contains(to))
            }) {
                left.remove(free);
            }
            let circle: Vec<_> =
                arrows.iter().filter(|(from, to)| left.contains(from) && left.contains(to)).collect();
            assert!(left.is_empty(), "{}: a circle in {circle:?}", at(&folder));
        }
        assert!(checked > 200, "{checked}");
    }
}
