//! Marian translation models (Junczys-Dowmunt et al. 2018) through rust-bert.

use std::path::{Path, PathBuf};

use pipeline::augment::{Translate, TranslationError};
use pipeline::foreign::guarded;
use rust_bert::RustBertError;
use rust_bert::pipelines::common::{ModelResource, ModelType};
use rust_bert::pipelines::translation::{Language, TranslationConfig, TranslationModel};
use rust_bert::resources::LocalResource;

use crate::device::CPU;
use crate::libtorch::{single_threaded, without_frames};
use crate::sentence_pieces;

/// A model of one direction.
pub struct Marian {
    model: TranslationModel,
    /// For messages.
    name: String,
}

/// Hypotheses that the search keeps (beam search); more make it slower and hardly better.
const BEAMS: i64 = 4;

/// Longest translation of a line, in tokens, where the model has as many positions.
const MOST_TOKENS: i64 = 512;

/// Load the model in `folder`: `config.json`, `vocab.json`, `source.spm` and `rust_model.ot`.
///
/// # Errors
/// A file cannot be read or is no such model's.
pub fn load(folder: &Path) -> Result<Marian, TranslationError> {
    let name = folder.display().to_string();
    check_pieces(folder)?;
    let file = |name: &str| LocalResource { local_path: folder.join(name) };
    let languages: [Language; 0] = [];
    let mut config = TranslationConfig::new(
        ModelType::Marian,
        ModelResource::Torch(Box::new(file("rust_model.ot"))),
        file("config.json"),
        file("vocab.json"),
        Some(file("source.spm")),
        languages,
        languages,
        CPU,
    );
    config.num_beams = BEAMS;
    config.do_sample = false;
    config.max_length = Some(positions(folder)?.min(MOST_TOKENS));
    let model = whole(&name, || TranslationModel::new(config))?;
    Ok(Marian { model, name })
}

/// The tokenizer's file can be read without filling the stack.
fn check_pieces(folder: &Path) -> Result<(), TranslationError> {
    let (path, bytes) = read(folder, "source.spm")?;
    sentence_pieces::check(&bytes).map_err(|error| failed(folder, format!("{}: {error}", path.display())))
}

/// The positions that the model has.
fn positions(folder: &Path) -> Result<i64, TranslationError> {
    let (path, bytes) = read(folder, "config.json")?;
    let config: serde_json::Value = serde_json::from_slice(&bytes)
        .map_err(|error| failed(folder, format!("{}: {error}", path.display())))?;
    match config["max_position_embeddings"].as_i64() {
        Some(positions @ 2..) => Ok(positions),
        _ => {
            let path = path.display();
            Err(failed(folder, format!("{path} has no max_position_embeddings of 2 and more")))
        }
    }
}

/// A file of the model, and where it lies.
fn read(folder: &Path, name: &str) -> Result<(PathBuf, Vec<u8>), TranslationError> {
    let path = folder.join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Ok((path, bytes)),
        Err(error) => Err(failed(folder, format!("{}: {error}", path.display()))),
    }
}

fn failed(folder: &Path, reason: String) -> TranslationError {
    TranslationError::Model { model: folder.display().to_string(), reason }
}

impl Translate for Marian {
    fn translate(&self, lines: &[&str]) -> Result<Vec<String>, TranslationError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        tch::set_num_threads(i32::try_from(cores).unwrap_or(1));
        let language: Option<Language> = None;
        let answers = whole(&self.name, || self.model.translate(lines, language, language));
        single_threaded();
        // A line must stay one.
        let one_line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let answers: Vec<String> = answers?.into_iter().map(one_line).collect();
        match answers.len() == lines.len() {
            true => Ok(answers),
            false => {
                let (line, asked, answered) = (self.name.clone(), lines.len(), answers.len());
                Err(TranslationError::Lines { line, asked, answered })
            }
        }
    }
}

/// What rust-bert did; where it fails it says so, or panics on files that are not what it expects.
fn whole<T>(name: &str, work: impl FnOnce() -> Result<T, RustBertError>) -> Result<T, TranslationError> {
    let failed = |reason: String| TranslationError::Model { model: name.to_owned(), reason };
    match guarded(work) {
        Ok(done) => done.map_err(|error| failed(without_frames(&error.to_string()).to_owned())),
        Err(said) => Err(failed(match without_frames(&said) {
            "" => "rust-bert fails on it".into(),
            said => said.to_owned(),
        })),
    }
}
