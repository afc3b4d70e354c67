//! `pipeline cache`: what is kept to be quick, how much room it takes, whether it is whole, and less of it.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::context::Context;
use super::error::BuildError;
use super::project::Project;
use crate::augment::Variant;
use crate::embed::{Cache, Kept};
use crate::progress::Progress;
use crate::store::{Lock, user_cache};

/// What is kept to be quick; all of it can be made again.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stored {
    /// Embeddings in the cache of the project's folder, of all configs and encoders.
    pub embeddings: u64,
    /// Files and folders, those of the project first.
    pub places: Vec<Place>,
}

/// A file or folder.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Place {
    /// Where.
    pub path: PathBuf,
    /// What it holds.
    pub what: &'static str,
    /// How much, in bytes.
    pub bytes: u64,
    /// Files.
    pub files: usize,
    /// When it was last written (RFC 3339).
    pub changed: Option<String>,
}

/// What there is.
///
/// # Errors
/// The cache cannot be read, or another run is at work.
pub fn stored(project: &Project) -> Result<Stored, BuildError> {
    let state = project.state_folder();
    let cache = project.cache();
    let embeddings = match cache.exists() {
        true => Cache::open(&cache, "", 0)?.entries()?,
        false => 0,
    };
    let own = [
        (cache, "embeddings by text and encoder"),
        (project.tuned_folder(), "tuned encoders, one a fold"),
        (state.join("trials"), "folds of comparisons and searches"),
        (project.translations(), "translations"),
        (project.candidates().join("answers"), "answers of language models"),
        (project.candidates().join("pages"), "what became of web pages"),
    ];
    let shared = std::fs::read_dir(user_cache()).into_iter().flatten().filter_map(Result::ok);
    let mut shared: Vec<PathBuf> = shared.map(|entry| entry.path()).collect();
    shared.sort();
    let shared = shared.into_iter().map(|path| (path, "shared by all projects"));
    let places = own.into_iter().chain(shared).filter(|(path, _)| path.exists());
    Ok(Stored { embeddings, places: places.map(|(path, what)| place(project, path, what)).collect() })
}

/// See whether the embeddings are whole, and take away those that are not.
///
/// # Errors
/// As [`stored`].
pub fn verify_embeddings(project: &Project, progress: &dyn Progress) -> Result<Kept, BuildError> {
    let _lock = Lock::take(&project.state_folder())?;
    Ok(Cache::open(&project.cache(), "", 0)?.verify(progress)?)
}

/// Take away every embedding but those of the rows and variants of this config, and every tuned encoder but those of its folds
/// and its model; also how many of these.
///
/// # Errors
/// As [`stored`]; or the rows or the encoder cannot be read.
pub fn prune_embeddings(project: &Project, progress: &dyn Progress) -> Result<(Kept, usize), BuildError> {
    let _lock = Lock::take(&project.state_folder())?;
    let context = Context { project, engine: None, progress };
    let (dataset, encoders) = (context.dataset()?, context.encoders()?);
    let variants = variants(&project.augmented_folder().join("variants.jsonl"));
    let of_rows = dataset.rows.iter().flat_map(|row| &row.cells.texts);
    let of_variants = variants.iter().flat_map(|variant| &variant.texts);
    let texts = of_rows.chain(of_variants).map(String::as_str);
    let kept = context.cache(&encoders)?.prune(texts, progress)?;
    Ok((kept, context.prune_tuned()?))
}

/// The variants that the augment stage left; none where it has left nothing that can be read.
fn variants(path: &Path) -> Vec<Variant> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn place(project: &Project, path: PathBuf, what: &'static str) -> Place {
    let (mut bytes, mut files, mut changed) = (0, 0, None);
    let mut left = vec![path.clone()];
    while let Some(next) = left.pop() {
        // Links lead out of what is counted.
        let Ok(found) = next.symlink_metadata() else { continue };
        if found.is_dir() {
            left.extend(std::fs::read_dir(&next).into_iter().flatten().filter_map(|e| Some(e.ok()?.path())));
        } else {
            bytes += found.len();
            files += 1;
            changed = changed.max(found.modified().ok());
        }
    }
    let told = |at: SystemTime| OffsetDateTime::from(at).format(&Rfc3339).ok();
    Place { path: project.relative(&path).into(), what, bytes, files, changed: changed.and_then(told) }
}
