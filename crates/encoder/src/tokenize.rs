//! Texts to token ids: the folder's own tokenizer, which cuts long texts and still knows their length.

use std::fs;
use std::path::Path;
use std::sync::mpsc;

use rayon::prelude::*;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::{
    DecoderWrapper, NormalizerWrapper, PostProcessor, PostProcessorWrapper, PreTokenizerWrapper, Tokenizer,
    TokenizerImpl, TruncationDirection,
};

use crate::batch::{Batch, Tokens, batches};
use crate::encode::EncoderError;
use crate::folder::Folder;
use crate::foreign::guarded;

/// Texts tokenised together; it bounds the memory that token ids take, and sorting by length works inside it.
const WINDOW_TEXTS: usize = 1024;

/// Bytes of a text that the tokenizer sees at least, and for each token that may stay. Its own memory is hundreds of bytes for each of
/// these, and of a longer text only the beginning counts: a word of a language, with the space before it, has 2 to 12 bytes.
const SEEN: usize = 256 << 10;
const SEEN_A_TOKEN: usize = 64;

/// A tokenizer whose model is known, so that it is read without trying one after the other.
type OfWords =
    TokenizerImpl<WordPiece, NormalizerWrapper, PreTokenizerWrapper, PostProcessorWrapper, DecoderWrapper>;

/// tokenizer.json. BERT's kind is tried first: its vocabulary then goes where it belongs, and not through a tree of JSON,
/// which takes half of the time of a start.
///
/// tokenizers panics at some files that are none.
fn read(bytes: &[u8]) -> Result<Tokenizer, String> {
    let read = || match serde_json::from_slice::<OfWords>(bytes) {
        Ok(tokenizer) => Ok(tokenizer.into()),
        Err(_) => Tokenizer::from_bytes(bytes),
    };
    guarded(read)?.map_err(|error| error.to_string())
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
        let mut tokenizer = read(&bytes).map_err(invalid)?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|e| invalid(e.to_string()))?;
        let special_tokens = guarded(|| tokenizer.get_post_processor().map_or(0, |p| p.added_tokens(false)))
            .map_err(invalid)?;
        let own_tokens = max_tokens.checked_sub(special_tokens).ok_or_else(|| {
            invalid(format!("it adds {special_tokens} special tokens, and a text may have {max_tokens}"))
        })?;
        let opened = Self { tokenizer, own_tokens, special_tokens, lower_case };
        // A file whose parts do not fit together fails at every text: here it is known that the file is to blame.
        opened.tokens("a", 0).map_err(|error| invalid(error.to_string()))?;
        Ok(opened)
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

    /// Token ids of each text, the special tokens around what is left after the cut; the first text's index is `offset`. A text of which
    /// not all was seen (`SEEN`) is longer than the limit.
    ///
    /// # Errors
    /// The tokenizer failed on a text.
    pub fn tokenize(&self, texts: &[&str], offset: usize) -> Result<Vec<Tokens>, EncoderError> {
        let one = |(place, text): (usize, &&str)| self.tokens(text, offset + place);
        texts.par_iter().enumerate().map(one).collect()
    }

    /// Token ids of the text with this index.
    fn tokens(&self, text: &str, index: usize) -> Result<Tokens, EncoderError> {
        let failed = |e: tokenizers::Error| EncoderError::Tokenize(e.to_string());
        let most = self.own_tokens + self.special_tokens;
        let (text, whole) = beginning(text.trim(), SEEN.max(most.saturating_mul(SEEN_A_TOKEN)));
        let tokenized = || {
            let lower = self.lower_case.then(|| text.to_lowercase());
            let mut encoding =
                self.tokenizer.encode_fast(lower.as_deref().unwrap_or(text), false).map_err(failed)?;
            let length = encoding.len() + self.special_tokens;
            let length = if whole { length } else { length.max(most + 1) };
            // Here and not when all are encoded: that of a long text is large.
            encoding.truncate(self.own_tokens, 0, TruncationDirection::Right);
            let ids = self.tokenizer.post_process(encoding, None, true).map_err(failed)?;
            let ids = ids.get_ids().iter().map(|&id| id.into()).collect();
            Ok(Tokens { text: index, length, ids })
        };
        guarded(tokenized).map_err(EncoderError::Tokenize)?
    }
}

/// The beginning of a text, of at most `most` bytes, and whether that is all of it.
fn beginning(text: &str, most: usize) -> (&str, bool) {
    let end = (0..=most.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    (&text[..end], end == text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &str = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": {"a": 0, "b": 1, "[UNK]": 2}, "unk_token": "[UNK]"}}"#;

    #[test]
    fn of_a_text_without_end_the_beginning_counts_and_it_is_too_long() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("tokenizer.json"), WORDS).unwrap();
        let tokenizer = Truncating::open(folder.path(), 4, false).unwrap();
        let words = "b a ".repeat(10 << 20);
        let one_word = "é".repeat(SEEN);
        let found = tokenizer.tokenize(&["a b", &words, &one_word, "a b a b", "a b a b a"], 5).unwrap();
        let (ids, lengths): (Vec<_>, Vec<_>) = found.iter().map(|t| (t.ids.as_slice(), t.length)).unzip();
        assert_eq!(ids, [&[0, 1][..], &[1, 0, 1, 0], &[2], &[0, 1, 0, 1], &[0, 1, 0, 1]]);
        assert_eq!((lengths[0], lengths[2], lengths[3], lengths[4]), (2, 5, 4, 5));
        assert!(lengths[1] > 4);
        assert_eq!(found.iter().map(|t| t.text).collect::<Vec<_>>(), [5, 6, 7, 8, 9]);
    }

    /// At an unfinished decoder tokenizers panics.
    #[test]
    fn a_file_that_tokenizers_panics_at_is_no_tokenizer() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("tokenizer.json"), WORDS.replace("\"decoder\": null", "\"decoder\": ,"))
            .unwrap();
        let error = Truncating::open(folder.path(), 4, false).err().unwrap();
        assert!(error.to_string().contains("tokenizer.json"), "{error}");
    }

    /// A template that names a special token which it does not have.
    #[test]
    fn a_file_that_tokenizers_panics_at_when_it_is_used_is_no_tokenizer() {
        let folder = tempfile::tempdir().unwrap();
        let template = |known: &str| {
            let single =
                r#"[{"SpecialToken": {"id": "a", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]"#;
            let special = format!(r#"{{"{known}": {{"id": "a", "ids": [0], "tokens": ["a"]}}}}"#);
            format!(
                r#""post_processor": {{"type": "TemplateProcessing", "single": {single}, "pair": {single}, "special_tokens": {special}}}"#
            )
        };
        let open = |known: &str| {
            let words = WORDS.replace(r#""post_processor": null"#, &template(known));
            fs::write(folder.path().join("tokenizer.json"), words).unwrap();
            Truncating::open(folder.path(), 4, false)
        };
        assert_eq!(open("a").unwrap().tokenize(&["b"], 0).unwrap()[0].ids, [0, 1]);
        let error = open("A").err().unwrap();
        assert!(matches!(error, EncoderError::Invalid { .. }), "{error}");
        assert!(error.to_string().contains("tokenizer.json"), "{error}");
    }

    #[test]
    fn a_beginning_ends_between_characters() {
        for (most, expected) in [(0, ""), (1, "a"), (2, "a"), (3, "aé"), (9, "aéb")] {
            assert_eq!(beginning("aéb", most), (expected, most == 9));
        }
    }
}
