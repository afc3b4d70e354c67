//! Texts as token ids, grouped for the workers that embed them.

/// A batch holds about this many tokens, padding included: enough for a pass over the weights to be worth it, few enough
/// for the processor's cache.
const BATCH_TOKENS: usize = 512;

/// Token counts are rounded up to a multiple of this to make the width of a batch.
const WIDTH_STEP: usize = 4;

/// The token ids of one text.
pub struct Tokens {
    /// Index of the text.
    pub text: usize,
    /// How many there were before the cut.
    pub length: usize,
    /// Ids after the cut, special tokens included.
    pub ids: Vec<i64>,
}

/// Texts that are run together.
pub struct Batch {
    /// Tokens of each row, padding included.
    pub width: usize,
    /// Rows, of which the last ones are empty when there are fewer texts.
    pub rows: usize,
    /// At most `rows` texts.
    pub texts: Vec<Tokens>,
}

/// Group texts of similar length into batches, longest first.
///
/// The shape of a batch depends on the length of its texts only, never on how many there are: libtorch's products of
/// other shapes round differently, and a text must have the same embedding to the bit whatever it was computed beside.
pub fn batches(mut tokens: Vec<Tokens>) -> Vec<Batch> {
    let width = |t: &Tokens| t.ids.len().max(1).next_multiple_of(WIDTH_STEP);
    tokens.sort_by_key(|t| (std::cmp::Reverse(width(t)), t.text));
    let mut batches: Vec<Batch> = Vec::new();
    for text in tokens {
        let width = width(&text);
        match batches.last_mut() {
            Some(batch) if batch.width == width && batch.texts.len() < batch.rows => batch.texts.push(text),
            _ => batches.push(Batch { width, rows: (BATCH_TOKENS / width).max(1), texts: vec![text] }),
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: usize, length: usize) -> Tokens {
        Tokens { text, length, ids: vec![1; length] }
    }

    #[test]
    fn batches_are_complete_small_and_shaped_by_length_alone() {
        let shapes = |count: usize| -> Vec<(usize, usize)> {
            let made = batches((0..count).map(|i| tokens(i, 1 + (i * 37) % 256)).collect());
            let mut seen: Vec<usize> = made.iter().flat_map(|b| &b.texts).map(|t| t.text).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..count).collect::<Vec<_>>());
            for batch in &made {
                assert!(batch.texts.len() <= batch.rows && batch.rows * batch.width <= BATCH_TOKENS);
                assert!(batch.texts.iter().all(|t| t.ids.len().next_multiple_of(WIDTH_STEP) == batch.width));
            }
            let mut shapes: Vec<(usize, usize)> = made.iter().map(|b| (b.width, b.rows)).collect();
            shapes.dedup();
            shapes
        };
        assert_eq!(shapes(256), shapes(5000));
    }

    #[test]
    fn a_text_longer_than_a_batch_still_gets_one() {
        assert_eq!(batches(vec![tokens(0, BATCH_TOKENS + 1)]).len(), 1);
    }
}
