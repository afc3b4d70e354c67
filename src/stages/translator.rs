//! Translation models for back-translation: found, fetched from the hub where they are not there, and loaded by the engine.

use pipeline_encoder::{EncoderError, Place, fetch_files, locate};

use super::context::Context;
use crate::augment::{LoadTranslator, TranslationError, Translator};
use crate::store::{checksum, user_cache};

/// What a Marian model for rust-bert consists of.
const FILES: [&str; 4] = ["config.json", "vocab.json", "source.spm", WEIGHTS];

const WEIGHTS: &str = "rust_model.ot";

impl LoadTranslator for Context<'_> {
    fn load_translator(&self, model: &str) -> Result<Translator, TranslationError> {
        let failed = |reason: String| TranslationError::Model { model: model.to_owned(), reason };
        let engine = self.engine.ok_or(TranslationError::NeedsTorch)?;
        let folder =
            match locate(model, &self.project.root, &user_cache()).map_err(|e| failed(e.to_string()))? {
                Place::Here(folder) => folder,
                Place::Hub { name, folder } => {
                    self.progress
                        .note(&format!("downloading the translation model {name} to {}", folder.display()));
                    match fetch_files(&name, &folder, &FILES, &mut |_| !self.progress.interrupted()) {
                        Ok(()) => folder,
                        Err(EncoderError::Interrupted) => return Err(TranslationError::Interrupted),
                        Err(error) => return Err(failed(error.to_string())),
                    }
                }
            };
        if let Some(missing) = FILES.iter().find(|file| !folder.join(file).is_file()) {
            return Err(failed(format!("{} lacks {missing}", folder.display())));
        }
        let hash = checksum(&folder.join(WEIGHTS)).map_err(|error| failed(error.to_string()))?;
        Ok(Translator { model: engine.load_translator(&folder)?, hash })
    }
}
