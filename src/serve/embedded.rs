//! Texts to the embeddings of an answer.

use pipeline_serve::outside::Embedded;

/// Letters of a token, on the average of English.
const LETTERS: usize = 4;

/// About how many tokens a text takes, for the order of the queue.
pub fn about_tokens(text: &str, most: usize) -> usize {
    (text.len() / LETTERS + 2).min(most)
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
