//! The raw files that the config's patterns name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::errors::TableError;
use crate::config::Config;

/// Files matching the patterns, sorted, each once, as paths relative to `project` where they lie below it. `key` is the
/// config's, for messages.
///
/// # Errors
/// A pattern is none, or matches no file.
pub fn matching(patterns: &[String], key: &'static str, project: &Path) -> Result<Vec<PathBuf>, TableError> {
    let mut paths = BTreeSet::new();
    for pattern in patterns {
        let fail = |reason: String| TableError::Pattern { pattern: pattern.clone(), key, reason };
        // Brackets in the project's own path are no pattern.
        let full = Path::new(&glob::Pattern::escape(&project.to_string_lossy())).join(pattern);
        let found: Vec<PathBuf> = glob::glob(&full.to_string_lossy())
            .map_err(|e| fail(e.to_string()))?
            .filter_map(Result::ok)
            .filter(|p| p.is_file())
            .collect();
        if found.is_empty() {
            let folder = std::path::absolute(project.join(".")).unwrap_or_else(|_| project.to_owned());
            return Err(TableError::NoFile { pattern: pattern.clone(), key, folder });
        }
        paths.extend(found.into_iter().map(|p| p.strip_prefix(project).map(Path::to_owned).unwrap_or(p)));
    }
    Ok(paths.into_iter().collect())
}

/// The raw files of a config, for those who only need their content's hash.
///
/// # Errors
/// A pattern is none, or matches no file.
pub fn files(config: &Config, project: &Path) -> Result<Vec<PathBuf>, TableError> {
    let mut files = matching(&config.data.files, "data.files", project)?;
    files.extend(matching(&config.data.test_files, "data.test_files", project)?);
    files.sort();
    files.dedup();
    Ok(files)
}
