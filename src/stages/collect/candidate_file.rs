//! The files of candidates: their names (`generated-1.csv`, `scraped-2.csv`), and one that cannot be read.

use std::path::{Path, PathBuf};

use crate::config::CollectedKind;
use crate::stages::error::BuildError;
use crate::stages::project::Project;

/// Files of candidates of this kind, waiting and judged.
pub fn candidate_files(project: &Project, kind: CollectedKind) -> Vec<PathBuf> {
    let waiting = project.candidates();
    let of = |folder: PathBuf| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        entries.map(|entry| entry.path()).filter(|path| number_of(path, kind).is_some())
    };
    of(waiting.join("done")).chain(of(waiting)).collect()
}

/// The number that the next file of this kind has, from 1.
pub fn next_number(project: &Project, kind: CollectedKind) -> usize {
    let numbers = candidate_files(project, kind).into_iter().filter_map(|path| number_of(&path, kind));
    numbers.max().map_or(1, |last| last.saturating_add(1))
}

/// The next file of this kind.
pub fn next_file(project: &Project, kind: CollectedKind) -> PathBuf {
    project.candidates().join(format!("{}-{}.csv", kind.name(), next_number(project, kind)))
}

/// The error of a file of candidates, or of accepted rows, that cannot be read.
pub fn unreadable(path: &Path, error: &csv::Error) -> BuildError {
    BuildError::Artefact { path: path.to_owned(), reason: error.to_string() }
}

/// 3 of `scraped-3.csv`, and of `scraped-3-1.csv`, which was judged twice.
fn number_of(path: &Path, kind: CollectedKind) -> Option<usize> {
    let name = path.file_name()?.to_str()?.strip_suffix(".csv")?;
    let rest = name.strip_prefix(kind.name())?.strip_prefix('-')?;
    rest.split('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_from_the_name_alone() {
        let number = |name: &str| number_of(name.as_ref(), CollectedKind::Scraped);
        assert_eq!(number("data/candidates/t/done/scraped-3-1.csv"), Some(3));
        assert_eq!(number("scraped-12.csv"), Some(12));
        for other in ["scraped-3.json", "scraped.csv", "scraped-x.csv", "generated-3.csv", "my scraped-3.csv"]
        {
            assert_eq!(number(other), None, "{other}");
        }
    }
}
