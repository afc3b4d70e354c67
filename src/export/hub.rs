//! The folder of a model as a repository of the hub has it. Nothing is uploaded.

use super::card;
use super::error::ExportError;
use super::staging::Staging;
use super::subject::Subject;

/// Files that the hub is to keep outside of git.
const ATTRIBUTES: &str = "*.safetensors filter=lfs diff=lfs merge=lfs -text\n";

/// Write what `pipeline predict` needs, the figures and the card. Rows of the data, as in `predictions.csv` and `report.html`,
/// are no part of it.
///
/// # Errors
/// The model was not evaluated, or a file cannot be read or written.
pub fn write(subject: &Subject, staging: &mut Staging) -> Result<(), ExportError> {
    card::write(subject, staging)?;
    let files = &subject.files;
    let needed = [files.card(), files.inputs(), files.head(), files.metrics(), files.calibration()];
    for path in needed.iter().filter(|path| path.exists()) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        staging.copy(path, &name)?;
    }
    staging.write(".gitattributes", ATTRIBUTES.as_bytes())
}

/// What to know before the folder is given to others, in sentences.
pub fn notes(subject: &Subject) -> Vec<String> {
    let encoders: Vec<&str> = subject.card.encoders.iter().map(|encoder| encoder.model.as_str()).collect();
    vec![
        format!("the encoder is named, not copied: {}", encoders.join(", ")),
        "model.json holds the config of the training, metrics.json what was found in the data: read both before giving them away"
            .to_owned(),
    ]
}
