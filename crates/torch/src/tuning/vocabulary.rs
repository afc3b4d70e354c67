//! The table of words without those that no text has.

use std::collections::BTreeSet;

use tch::Tensor;

use super::bert::{Bert, WORDS};
use super::texts::Texts;

/// What a tuning leaves of the table of words: the gradients of all others are 0, and moving them all took as long as the pass of
/// a batch of short texts.
pub struct Vocabulary {
    whole: Tensor,
    used: Tensor,
}

impl Vocabulary {
    /// Leave the words of `texts` alone in the table, and number them anew in the texts.
    pub fn narrow(bert: &mut Bert, texts: &mut Texts) -> Option<Self> {
        // Padding is there, too, and is what it was: the first.
        let used: BTreeSet<i64> = std::iter::once(0).chain(texts.words()).collect();
        let used: Vec<i64> = used.into_iter().collect();
        let table = bert.weights.get_mut(WORDS)?;
        let whole = table.detach();
        let ids = Tensor::from_slice(&used);
        *table = whole.index_select(0, &ids);
        texts.renumber(|id| used.partition_point(|&word| word < id) as i64);
        Some(Self { whole, used: ids })
    }

    /// Put what the words have become into the whole table.
    pub fn widen(&self, bert: &mut Bert) {
        if let Some(table) = bert.weights.get_mut(WORDS) {
            *table = tch::no_grad(|| self.whole.index_copy(0, &self.used, &table.detach()));
        }
    }
}
