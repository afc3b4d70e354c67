//! What texts take, and the embeddings of an answer.

use pipeline_serve::outside::Embedded;

use crate::model::{MOST_PLAYERS, coalitions};

/// Letters of a token, on the average of English.
const LETTERS: usize = 4;

/// About how many tokens a text takes, for the order of the queue.
pub fn about_tokens(text: &str, most: usize) -> usize {
    (text.len() / LETTERS + 2).min(most)
}

/// About how many tokens are computed to explain a row of so many `tokens`, with so many `columns` beside its texts, over `samples` orders:
/// half of its words stand in each of the texts that are asked.
pub fn tokens_to_explain(tokens: usize, columns: usize, samples: usize) -> usize {
    /// Marks of the beginning and the end.
    const MARKS: usize = 2;
    let players = (tokens + columns).min(MOST_PLAYERS);
    coalitions(players, samples).saturating_mul(tokens / 2 + MARKS).saturating_add(tokens)
}

/// Vectors with the tokens of their texts before any cut, as embeddings of texts of at most `most` tokens, scaled to length 1 where
/// `normalize`.
pub fn embedded(found: Vec<(Vec<f32>, usize)>, most: usize, normalize: bool) -> Vec<Embedded> {
    let one = |(mut vector, tokens): (Vec<f32>, usize)| {
        let norm = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
        if normalize && norm > 0.0 {
            vector.iter_mut().for_each(|v| *v /= norm);
        }
        Embedded { vector, tokens: tokens.min(most), truncated: tokens > most }
    };
    found.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explaining_costs_half_the_row_for_each_text_that_is_asked() {
        // Four words: all 16 sets, each of two tokens and the marks.
        assert_eq!(tokens_to_explain(4, 0, 32), 16 * 4 + 4);
        // The longest text of an encoder of 256 tokens: 32 orders of 60 parts, and the two that are always asked.
        assert_eq!(tokens_to_explain(256, 0, 32), 1922 * 130 + 256);
        assert_eq!(tokens_to_explain(100_000, 9, 8), 482 * 50_002 + 100_000);
        assert_eq!(tokens_to_explain(usize::MAX / 2, 0, 1024), usize::MAX);
    }
}
