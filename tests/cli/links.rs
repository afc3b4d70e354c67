//! Links of the documents, in the repository and in the book that `make docs` makes of docs/.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use regex::Regex;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(document: &Path) -> String {
    fs::read_to_string(root().join(document)).unwrap_or_else(|e| panic!("{}: {e}", document.display()))
}

/// The pages in docs/.
fn pages() -> Vec<PathBuf> {
    let files = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = files.filter(|file| file.extension().is_some_and(|ending| ending == "md"));
    pages.map(|page| page.strip_prefix(root()).unwrap().to_owned()).collect()
}

/// A document without what stands in code.
fn prose(document: &str) -> String {
    let code = Regex::new(r"(?ms)^```.*?^```|`[^`\n]*`").unwrap();
    code.replace_all(document, "").into_owned()
}

/// Where the links of a document lead that stay in the repository: file and anchor.
fn links(document: &Path) -> Vec<(PathBuf, Option<String>)> {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let text = prose(&read(document));
    let targets = link.captures_iter(&text).map(|found| found[1].to_owned());
    let inside = targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:"));
    inside
        .map(|target| {
            let (file, anchor) = match target.split_once('#') {
                Some((file, anchor)) => (file, Some(anchor.to_owned())),
                None => (target.as_str(), None),
            };
            let place = match file {
                "" => document.to_owned(),
                file => plain(&document.parent().unwrap().join(file)),
            };
            (place, anchor)
        })
        .collect()
}

/// A path without `..`.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::ParentDir => assert!(plain.pop(), "{} leaves the repository", path.display()),
            part => plain.push(part),
        }
        plain
    })
}

/// The anchors of a document's headings, as GitHub and mdBook name them.
fn anchors(document: &Path) -> BTreeSet<String> {
    let fences = Regex::new(r"(?ms)^```.*?^```").unwrap();
    let text = read(document);
    let text = fences.replace_all(&text, "");
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|heading| {
            let heading = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = heading.chars().filter(|&c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let others = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "data/README.md"].map(PathBuf::from);
    let mut followed = 0;
    for document in pages().into_iter().chain(others) {
        for (file, anchor) in links(&document) {
            let (from, to) = (document.display(), file.display());
            assert!(root().join(&file).exists(), "{from} links to {to}, which is not there");
            if let Some(anchor) = anchor {
                assert!(anchors(&file).contains(&anchor), "{from} links to {to}#{anchor}: no such heading");
            }
            followed += 1;
        }
    }
    assert!(followed > 20, "only {followed} links were found");
}

/// The book holds docs/ alone: a page that is not in its summary, or a link out of it, works on GitHub only.
#[test]
fn the_book_has_every_page_and_leads_nowhere_else() {
    let summary = Path::new("docs/SUMMARY.md");
    let listed: BTreeSet<PathBuf> = links(summary).into_iter().map(|(file, _)| file).collect();
    for page in pages() {
        assert!(
            page == summary || listed.contains(&page),
            "{} is not in {}",
            page.display(),
            summary.display()
        );
        for (file, _) in links(&page) {
            assert!(
                listed.contains(&file),
                "{} links to {} outside the book",
                page.display(),
                file.display()
            );
        }
    }
}
