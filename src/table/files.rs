//! The raw files that the config's patterns name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::answers::is_answers;
use super::errors::TableError;
use super::formats::is_table;
use crate::config::Config;
use crate::store::is_temporary;

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

/// Files matching the patterns. `key` is the config's, for messages. A folder that a pattern names as it is called, or that is
/// called as a table is (`rows.parquet/`, as engines write them), stands for all tables below it.
///
/// # Errors
/// A pattern is none, or matches no file; or such a folder has no table, or cannot be read.
pub fn matching(patterns: &[String], key: &'static str, project: &Path) -> Result<Matching, TableError> {
    let (mut paths, mut names, mut answers) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for pattern in patterns {
        let fail = |reason: String| TableError::Pattern { pattern: pattern.clone(), key, reason };
        // Brackets in the project's own path are no pattern.
        let full = Path::new(&glob::Pattern::escape(&project.to_string_lossy())).join(pattern);
        let relative = |path: &Path| path.strip_prefix(project).unwrap_or(path).to_owned();
        let named = |path: &Path| glob::Pattern::escape(&path.to_string_lossy()) == *pattern;
        // With a slash at its end, too.
        let names_folder =
            |path: &Path| glob::Pattern::escape(&path.to_string_lossy()) == pattern.trim_end_matches('/');
        let mut found: Vec<PathBuf> = Vec::new();
        let paths_found = glob::glob(&full.to_string_lossy()).map_err(|e| fail(e.to_string()))?;
        for path in paths_found.filter_map(Result::ok) {
            if path.is_file() && !is_temporary(&path) {
                found.push(path);
            } else if path.is_dir() && (names_folder(&relative(&path)) || is_table(&path)) {
                found.extend(tables_below(&path, key)?);
            }
        }
        found.retain(|path| {
            let shown = relative(path);
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
        paths.extend(found.iter().map(|path| relative(path)));
    }
    Ok(Matching { files: paths.into_iter().collect(), named: names, answers: answers.into_iter().collect() })
}

/// The tables below a folder, sorted by their paths. What begins with `_` or a dot is none: engines leave such files beside their tables.
fn tables_below(folder: &Path, key: &'static str) -> Result<Vec<PathBuf>, TableError> {
    let pattern = Path::new(&glob::Pattern::escape(&folder.to_string_lossy())).join("**/*");
    let all = glob::glob(&pattern.to_string_lossy()).map_err(|error| TableError::Pattern {
        pattern: folder.display().to_string(),
        key,
        reason: error.to_string(),
    })?;
    let is_aside = |path: &Path| {
        let below = path.strip_prefix(folder).unwrap_or(path);
        below.components().any(|part| part.as_os_str().to_string_lossy().starts_with(['_', '.']))
    };
    let mut tables = Vec::new();
    for path in all {
        let path = path.map_err(|error| {
            let path = error.path().to_owned();
            TableError::Read { path, source: error.into() }
        })?;
        if !is_aside(&path) && is_table(&path) && path.is_file() {
            tables.push(path);
        }
    }
    tables.sort();
    match tables.is_empty() {
        true => Err(TableError::NoTable { folder: folder.to_owned(), key }),
        false => Ok(tables),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_stands_for_the_tables_below_it() {
        let project = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let path = project.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "a,b\n1,2\n").unwrap();
        };
        let all = [
            "rows/b=2/part-0.csv",
            "rows/b=10/part-0.csv",
            "rows/a.jsonl.gz",
            "rows/_SUCCESS",
            "rows/_old/part-1.csv",
            "rows/.part-0.csv.crc",
            "rows/.hidden.csv",
            "rows/README.md",
            "spark.parquet/part-0.parquet",
            "spark.parquet/_metadata.parquet",
            "other/c.csv",
            "d.csv",
        ];
        all.iter().for_each(|name| write(name));
        std::fs::create_dir(project.path().join("empty")).unwrap();
        let found = |pattern: &str| {
            let found =
                matching(&[pattern.to_owned()], "data.files", project.path()).map(|found| found.files);
            found.map(|files| files.iter().map(|f| f.to_string_lossy().into_owned()).collect::<Vec<_>>())
        };
        let below = ["rows/a.jsonl.gz", "rows/b=10/part-0.csv", "rows/b=2/part-0.csv"];
        assert_eq!(found("rows").unwrap(), below);
        assert_eq!(found("rows/").unwrap(), below);
        assert_eq!(found("rows/b=2").unwrap(), ["rows/b=2/part-0.csv"]);
        // Of a pattern with wildcards those that are called as tables are; others are folders that it happens to match.
        assert_eq!(found("*").unwrap(), ["d.csv", "spark.parquet/part-0.parquet"]);
        let said = found("empty").unwrap_err().to_string();
        assert!(said.ends_with("empty (data.files) has no table in it"), "{said}");
        assert!(matches!(found("none"), Err(TableError::NoFile { .. })));
    }
}
