//! The raw files that the config's patterns name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::answers::is_answers;
use super::errors::TableError;
use crate::config::Config;

/// Files that patterns match.
#[derive(Debug, Default)]
pub struct Matching {
    /// Sorted, each once, as paths relative to the project where they lie below it.
    pub files: Vec<PathBuf>,
    /// Those of them that a pattern names as they are called, without a wildcard: they are meant, whatever is in them.
    pub named: BTreeSet<PathBuf>,
    /// As `files`, of those that a pattern with wildcards matches: what `pipeline predict` wrote, which is no raw data.
    pub answers: Vec<PathBuf>,
}

/// Files matching the patterns. `key` is the config's, for messages.
///
/// # Errors
/// A pattern is none, or matches no file.
pub fn matching(patterns: &[String], key: &'static str, project: &Path) -> Result<Matching, TableError> {
    let (mut paths, mut names, mut answers) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for pattern in patterns {
        let fail = |reason: String| TableError::Pattern { pattern: pattern.clone(), key, reason };
        // Brackets in the project's own path are no pattern.
        let full = Path::new(&glob::Pattern::escape(&project.to_string_lossy())).join(pattern);
        let mut found: Vec<PathBuf> = glob::glob(&full.to_string_lossy())
            .map_err(|e| fail(e.to_string()))?
            .filter_map(Result::ok)
            .filter(|p| p.is_file())
            .collect();
        let relative = |path: PathBuf| path.strip_prefix(project).map(Path::to_owned).unwrap_or(path);
        let named = |path: &Path| glob::Pattern::escape(&path.to_string_lossy()) == *pattern;
        found.retain(|path| {
            let shown = relative(path.clone());
            if named(&shown) {
                names.insert(shown);
            } else if is_answers(path).unwrap_or(false) {
                answers.insert(shown);
                return false;
            }
            true
        });
        if found.is_empty() {
            let folder = std::path::absolute(project.join(".")).unwrap_or_else(|_| project.to_owned());
            return Err(TableError::NoFile { pattern: pattern.clone(), key, folder });
        }
        paths.extend(found.into_iter().map(relative));
    }
    Ok(Matching { files: paths.into_iter().collect(), named: names, answers: answers.into_iter().collect() })
}

/// The files of accepted rows, sorted, relative to the project; there may be none.
pub fn collected_files(config: &Config, project: &Path) -> Vec<PathBuf> {
    let folder = Path::new("data/collected").join(&config.name);
    let entries = std::fs::read_dir(project.join(&folder)).into_iter().flatten().filter_map(Result::ok);
    let names =
        entries.map(|entry| entry.file_name()).filter(|name| name.to_string_lossy().ends_with(".csv"));
    let mut files: Vec<PathBuf> = names.map(|name| folder.join(name)).collect();
    files.sort();
    files
}

/// The raw files of a config, and those of accepted rows, for those who only need their content's hash.
///
/// # Errors
/// A pattern is none, or matches no file.
pub fn files(config: &Config, project: &Path) -> Result<Vec<PathBuf>, TableError> {
    let mut files = matching(&config.data.files, "data.files", project)?.files;
    files.extend(matching(&config.data.test_files, "data.test_files", project)?.files);
    files.extend(collected_files(config, project));
    files.sort();
    files.dedup();
    Ok(files)
}
