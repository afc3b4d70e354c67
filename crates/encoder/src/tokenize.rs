//! Texts to token ids: the folder's own tokenizer, which cuts long texts and still knows their length.

use std::fs;
use std::path::Path;
use std::sync::mpsc;

use tokenizers::models::wordpiece::WordPiece;
use tokenizers::{
    DecoderWrapper, NormalizerWrapper, PostProcessor, PostProcessorWrapper, PreTokenizerWrapper, Tokenizer,
    TokenizerImpl, TruncationDirection,
};

use crate::batch::{Batch, Tokens, batches};
use crate::encode::EncoderError;
use crate::folder::Folder;

/// Texts tokenised together; it bounds the memory that token ids take, and sorting by length works inside it.
const WINDOW_TEXTS: usize = 1024;

/// A tokenizer whose model is known, so that it is read without trying one after the other.
type OfWords =
    TokenizerImpl<WordPiece, NormalizerWrapper, PreTokenizerWrapper, PostProcessorWrapper, DecoderWrapper>;

/// tokenizer.json. BERT's kind is tried first: its vocabulary then goes where it belongs, and not through a tree of JSON,
/// which takes half of the time of a start.
fn read(bytes: &[u8]) -> tokenizers::Result<Tokenizer> {
    match serde_json::from_slice::<OfWords>(bytes) {
        Ok(tokenizer) => Ok(tokenizer.into()),
        Err(_) => Tokenizer::from_bytes(bytes),
    }
}

/// A tokenizer that pads nothing and cuts at `max_tokens`.
pub struct Truncating {
    tokenizer: Tokenizer,
    /// Tokens of a text that are not special ones, at most.
    own_tokens: usize,
    special_tokens: usize,
    lower_case: bool,
}

impl Truncating {
    /// Load tokenizer.json of `folder`. The padding and truncation left in the file are not used.
    ///
    /// # Errors
    /// The file is missing or no tokenizer, or `max_tokens` leaves no room beside the special tokens.
    pub fn load(folder: &Folder, max_tokens: usize) -> Result<Self, EncoderError> {
        Self::open(&folder.path, max_tokens, folder.lower_case)
    }

    /// [`Truncating::load`] of any folder with a tokenizer.json; with `lower_case`, texts are put in lower case before the
    /// tokenizer sees them.
    ///
    /// # Errors
    /// As [`Truncating::load`].
    pub fn open(folder: &Path, max_tokens: usize, lower_case: bool) -> Result<Self, EncoderError> {
        let path = folder.join("tokenizer.json");
        let bytes = fs::read(&path).map_err(|source| EncoderError::Read { path: path.clone(), source })?;
        let invalid = |reason: String| EncoderError::Invalid { path: path.clone(), reason };
        let mut tokenizer = read(&bytes).map_err(|e| invalid(e.to_string()))?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|e| invalid(e.to_string()))?;
        let special_tokens = tokenizer.get_post_processor().map_or(0, |p| p.added_tokens(false));
        let own_tokens = max_tokens.checked_sub(special_tokens).ok_or_else(|| {
            invalid(format!("it adds {special_tokens} special tokens, and a text may have {max_tokens}"))
        })?;
        Ok(Self { tokenizer, own_tokens, special_tokens, lower_case })
    }

    /// Id of the token that stands for nothing; 0 where the vocabulary has none.
    pub fn pad_id(&self) -> i64 {
        ["[PAD]", "<pad>"].iter().find_map(|t| self.tokenizer.token_to_id(t)).unwrap_or(0).into()
    }

    /// Send the texts' batches until all are sent or nobody takes them any more.
    ///
    /// # Errors
    /// The tokenizer failed on a text.
    pub(crate) fn batches(
        &self,
        texts: &[&str],
        sender: &mpsc::SyncSender<Batch>,
    ) -> Result<(), EncoderError> {
        for (window, chunk) in texts.chunks(WINDOW_TEXTS).enumerate() {
            for batch in batches(self.tokenize(chunk, window * WINDOW_TEXTS)?) {
                if sender.send(batch).is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Token ids of each text, the special tokens around what is left after the cut; the first text's index is `offset`.
    ///
    /// # Errors
    /// The tokenizer failed on a text.
    pub fn tokenize(&self, texts: &[&str], offset: usize) -> Result<Vec<Tokens>, EncoderError> {
        let cleaned: Vec<String> = texts
            .iter()
            .map(|t| if self.lower_case { t.trim().to_lowercase() } else { t.trim().to_owned() })
            .collect();
        let failed = |e: tokenizers::Error| EncoderError::Tokenize(e.to_string());
        let encodings = self.tokenizer.encode_batch_fast(cleaned, false).map_err(failed)?;
        let mut tokens = Vec::with_capacity(encodings.len());
        for (text, mut encoding) in (offset..).zip(encodings) {
            let length = encoding.len() + self.special_tokens;
            encoding.truncate(self.own_tokens, 0, TruncationDirection::Right);
            let whole = self.tokenizer.post_process(encoding, None, true).map_err(failed)?;
            tokens.push(Tokens { text, length, ids: whole.get_ids().iter().map(|&id| id.into()).collect() });
        }
        Ok(tokens)
    }
}
