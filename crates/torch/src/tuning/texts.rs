//! Texts as token ids, each once.

use std::collections::HashMap;

use pipeline::fine_tuning::TuningError;
use pipeline_encoder::Truncating;
use tch::{Device, Kind, Tensor};

/// Token ids of different texts.
pub struct Texts {
    ids: Vec<Vec<i64>>,
    /// How many of them are cut.
    pub cut: usize,
}

impl Texts {
    /// Tokenise `texts`; also which one of them each is.
    ///
    /// # Errors
    /// The tokenizer failed, or gives a token that the model does not have.
    pub fn new(
        tokenizer: &Truncating,
        texts: &[&str],
        vocabulary: i64,
    ) -> Result<(Self, Vec<usize>), TuningError> {
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut different = Vec::new();
        let mut place = |text| {
            *places.entry(text).or_insert_with(|| {
                different.push(text);
                different.len() - 1
            })
        };
        let which = texts.iter().map(|&text| place(text)).collect();
        let (mut ids, mut cut) = (Vec::with_capacity(different.len()), 0);
        for tokens in tokenizer.tokenize(&different, 0)? {
            if let Some(id) = tokens.ids.iter().find(|id| !(0..vocabulary).contains(*id)) {
                let reason =
                    format!("its tokenizer gives the token {id}, of which the model knows {vocabulary}");
                return Err(pipeline_encoder::EncoderError::Tokenize(reason).into());
            }
            cut += usize::from(tokens.length > tokens.ids.len());
            // A tokenizer without special tokens has none for a blank text.
            ids.push(if tokens.ids.is_empty() { vec![0] } else { tokens.ids });
        }
        Ok((Self { ids, cut }, which))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Tokens of a text.
    pub fn tokens(&self, text: usize) -> usize {
        self.ids[text].len()
    }

    /// All ids, one behind the other.
    pub fn words(&self) -> impl Iterator<Item = i64> {
        self.ids.iter().flatten().copied()
    }

    /// Give each id another number.
    pub fn renumber(&mut self, number: impl Fn(i64) -> i64) {
        self.ids.iter_mut().flatten().for_each(|id| *id = number(*id));
    }

    /// Tokens of all texts.
    pub fn all_tokens(&self) -> usize {
        self.ids.iter().map(Vec::len).sum()
    }

    /// Ids and mask of some texts, both `[texts, width]`, on `device`, the mask in numbers of `kind`: 1 for tokens, 0 for padding.
    pub fn batch(&self, texts: &[usize], (kind, device): (Kind, Device)) -> (Tensor, Tensor) {
        let width = texts.iter().map(|&text| self.tokens(text)).max().unwrap_or(1);
        let (mut ids, mut mask) = (vec![0i64; texts.len() * width], vec![0f32; texts.len() * width]);
        for (row, &text) in texts.iter().enumerate() {
            let own = &self.ids[text];
            ids[row * width..][..own.len()].copy_from_slice(own);
            mask[row * width..][..own.len()].fill(1.0);
        }
        let size = [texts.len() as i64, width as i64];
        let on_device = |tensor: Tensor| tensor.view(size).to_device(device);
        (on_device(Tensor::from_slice(&ids)), on_device(Tensor::from_slice(&mask)).to_kind(kind))
    }
}
