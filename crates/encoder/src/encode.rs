//! What an encoder does, whatever runs it.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::arithmetic::Arithmetic;
use crate::folder::FolderError;

/// What to load and how to run it.
#[derive(Clone, Debug)]
pub struct EncoderSettings {
    /// A sentence-transformers folder: modules.json, config.json, tokenizer.json, model.safetensors, pooling config.
    pub folder: PathBuf,
    /// Texts longer than this many tokens, special tokens included, are cut (and counted).
    pub max_tokens: usize,
    /// How its numbers are computed.
    pub arithmetic: Arithmetic,
    /// Worker threads, at least 1; they share the weights.
    pub workers: usize,
}

impl EncoderSettings {
    /// One worker a thread of rayon (RAYON_NUM_THREADS, else one a core) where `workers` does not say how many.
    pub fn new(folder: &Path, max_tokens: usize, arithmetic: Arithmetic, workers: Option<usize>) -> Self {
        let workers = workers.unwrap_or_else(rayon::current_num_threads);
        Self { folder: folder.to_owned(), max_tokens, arithmetic, workers }
    }
}

/// Why an encoder cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum EncoderError {
    /// A file of the model folder is missing or unreadable.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of a downloaded model cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of the model folder does not hold what it should.
    #[error("{}: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A hub model could not be had.
    #[error("cannot get the encoder `{model}` from the model hub ({file}: {reason})")]
    Hub {
        /// Hub name, `owner/model`.
        model: String,
        /// The file that failed.
        file: String,
        /// What the download said.
        reason: String,
        /// Whether the hub answered that there is no such file.
        missing: bool,
    },
    /// The user asked to stop.
    #[error("interrupted while downloading; nothing was kept")]
    Interrupted,
    /// The folder's configs cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Only rust-bert, over libtorch, can run it, and libtorch is not here.
    #[error("the encoder in {} needs rust-bert: {reason}", folder.display())]
    NeedsTorch {
        /// The encoder's folder.
        folder: PathBuf,
        /// Why the own pass does not run it.
        reason: String,
    },
    /// The tokenizer refused a text.
    #[error("the tokenizer failed on a text: {0}")]
    Tokenize(String),
    /// The model does not fit the tokens, or libtorch failed.
    #[error("the encoder failed: {0}")]
    Forward(String),
}

impl EncoderError {
    /// What can be done about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Hub { .. } => Some(
                "check the name and the network, or download the model elsewhere and give its folder as encoder.model \
                 or --model"
                    .to_owned(),
            ),
            Self::Folder(error) => error.hint(),
            Self::Read { .. }
            | Self::Write { .. }
            | Self::Invalid { .. }
            | Self::Interrupted
            | Self::NeedsTorch { .. }
            | Self::Tokenize(_)
            | Self::Forward(_) => None,
        }
    }
}

/// One text's embedding.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// Index into the slice given to [`Encode::encode`].
    pub text: usize,
    /// Tokens of the whole text, special tokens included, before any cut; more than `max_tokens` means it was cut.
    pub tokens: usize,
    /// The vector, of length 1 where the model normalises.
    pub embedding: Vec<f32>,
}

/// Texts whose embeddings by the first encoders are kept until the last one has answered.
const JOINED_TEXTS: usize = 1024;

/// Several encoders as one, their embeddings of a text side by side.
pub struct Joined {
    /// At least one; tokens are counted by the first.
    pub encoders: Vec<Box<dyn Encode>>,
}

impl Encode for Joined {
    fn encode(
        &self,
        texts: &[&str],
        sink: &mut dyn FnMut(Vec<Encoded>) -> ControlFlow<()>,
    ) -> Result<(), EncoderError> {
        for (window, first) in texts.chunks(JOINED_TEXTS).zip((0..).step_by(JOINED_TEXTS)) {
            let blank = |text| Encoded { text: first + text, tokens: 0, embedding: Vec::new() };
            let mut joined: Vec<Encoded> = (0..window.len()).map(blank).collect();
            for (i, encoder) in self.encoders.iter().enumerate() {
                encoder.encode(window, &mut |batch| {
                    for mut encoded in batch {
                        let text = &mut joined[encoded.text];
                        text.embedding.append(&mut encoded.embedding);
                        if i == 0 {
                            text.tokens = encoded.tokens;
                        }
                    }
                    ControlFlow::Continue(())
                })?;
            }
            if sink(joined).is_break() {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// A loaded sentence encoder. Several threads may use it at once.
pub trait Encode: Send + Sync {
    /// Embed `texts`, handing each finished batch to `sink` on the calling thread, in no particular order.
    ///
    /// A blank text gets the embedding of the empty string, as in sentence-transformers. Memory stays bounded however
    /// many texts there are. `sink` stops the work by returning [`ControlFlow::Break`]; batches in flight are dropped.
    ///
    /// # Errors
    /// The first failure of the tokenizer or of the model.
    fn encode(
        &self,
        texts: &[&str],
        sink: &mut dyn FnMut(Vec<Encoded>) -> ControlFlow<()>,
    ) -> Result<(), EncoderError>;

    /// Embed `texts`, one behind the other, as many as there are of them.
    ///
    /// # Errors
    /// As [`Encode::encode`].
    fn in_order(&self, texts: &[&str]) -> Result<Vec<Encoded>, EncoderError> {
        let mut found = Vec::with_capacity(texts.len());
        self.encode(texts, &mut |batch| {
            found.extend(batch);
            ControlFlow::Continue(())
        })?;
        found.sort_unstable_by_key(|one| one.text);
        Ok(found)
    }
}
