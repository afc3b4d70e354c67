//! A model or a dataset to a folder of one form.

use std::path::Path;

use pipeline_encoder::Model;

use super::error::ExportError;
use super::staging::{Staging, WrittenFile};
use super::subject::Subject;
use super::target::Target;
use super::{card, croissant, hub, onnx, python, sentence_transformers};
use crate::config::Config;

/// What is to be written, and where.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The form.
    pub target: Target,
    /// The encoder without the head.
    pub encoder_only: bool,
    /// The folder that is made.
    pub place: &'a Path,
    /// Whether files of the same names may be there.
    pub replace: bool,
}

/// What was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Exported {
    /// The files, in the order in which they were written.
    pub files: Vec<WrittenFile>,
    /// What to know about them, in sentences.
    pub notes: Vec<String>,
}

/// Write a model. `encoder` finds the encoder of its training, and is asked where the form needs one.
///
/// # Errors
/// The form cannot express the model, `encoder` fails, or a file cannot be read or written.
pub fn export_model(
    subject: &Subject,
    request: Request<'_>,
    encoder: impl FnOnce() -> Result<Model, ExportError>,
) -> Result<Exported, ExportError> {
    let Request { target, encoder_only, place, replace } = request;
    let mut staging = match target {
        // The card lies in the folder of its model.
        Target::Card => Staging::beside(place, card::CARD, replace)?,
        _ => Staging::new(place, replace)?,
    };
    let mut notes = if encoder_only { Vec::new() } else { subject.left_out() };
    match target {
        Target::Onnx => {
            subject.check_encoders(target)?;
            let write = if encoder_only { onnx::write_encoder } else { onnx::write_classifier };
            write(subject, &encoder()?, &mut staging)?;
        }
        Target::SentenceTransformers => {
            subject.check_encoders(target)?;
            sentence_transformers::write(subject, &encoder()?, encoder_only, &mut staging)?;
        }
        Target::Python => python::write(subject, &mut staging)?,
        Target::Card => {
            notes.clear();
            card::write(subject, &mut staging)?;
        }
        Target::Hub => {
            notes = hub::notes(subject);
            hub::write(subject, &mut staging)?;
        }
        Target::Croissant => return export_data(subject.config(), Path::new(""), request),
    }
    Ok(Exported { files: staging.finish()?, notes })
}

/// Describe the raw tables of `config` below `project`.
///
/// # Errors
/// A table cannot be read, or the description cannot be written.
pub fn export_data(config: &Config, project: &Path, request: Request<'_>) -> Result<Exported, ExportError> {
    let mut staging = Staging::new(request.place, request.replace)?;
    let notes = croissant::write(config, project, request.place, &mut staging)?;
    Ok(Exported { files: staging.finish()?, notes })
}
