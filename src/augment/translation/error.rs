//! Why texts cannot be translated.

use std::path::PathBuf;

/// Why texts cannot be translated.
#[derive(Debug, thiserror::Error)]
pub enum TranslationError {
    /// The program is not there.
    #[error("the translator `{program}` cannot be started: {source}")]
    NotStarted {
        /// Its name.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// The program failed.
    #[error("the translator `{line}` failed ({status}): {said}")]
    Failed {
        /// Program and arguments.
        line: String,
        /// How it ended.
        status: String,
        /// The end of what it said.
        said: String,
    },
    /// What came back is no translation of what was sent.
    #[error("the translator `{line}` answers {answered} lines to {asked}")]
    Lines {
        /// Program and arguments, or the address.
        line: String,
        /// Lines sent.
        asked: usize,
        /// Lines received.
        answered: usize,
    },
    /// A server refused or cannot be reached.
    #[error("{url}: {reason}")]
    Server {
        /// Its address.
        url: String,
        /// Why.
        reason: String,
    },
    /// A translation model cannot be had or used.
    #[error("the translation model {model}: {reason}")]
    Model {
        /// Its name or folder.
        model: String,
        /// Why.
        reason: String,
    },
    /// A translation model needs libtorch.
    #[error("augment.back_translation.models needs libtorch, which this program is without")]
    NeedsTorch,
    /// What was translated before cannot be read or kept.
    #[error("cannot {verb} {}: {source}", path.display())]
    Kept {
        /// read or write
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The user asked to stop.
    #[error("interrupted while translating")]
    Interrupted,
}

impl TranslationError {
    /// What can be done about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotStarted { program, .. } if program == "apertium" => {
                "install it with its language pair (Debian: apt-get install apertium apertium-eng-spa), or name another \
                 translator in augment.back_translation.command or .url"
            }
            Self::NotStarted { .. } => "see augment.back_translation.command",
            Self::Failed { .. } | Self::Lines { .. } => {
                "it gets a text a line and must answer a line each; see augment.back_translation.command and .through"
            }
            Self::Server { .. } => "see augment.back_translation.url; what is translated so far is kept",
            Self::Model { .. } => {
                "augment.back_translation.models names a folder or a model of the hub with config.json, vocab.json, source.spm and \
                 rust_model.ot, such as Helsinki-NLP/opus-mt-{from}-{to} with from = \"en\""
            }
            Self::NeedsTorch => "run pipeline-torch, or translate by another program",
            Self::Kept { .. } | Self::Interrupted => return None,
        };
        Some(hint.to_owned())
    }
}
