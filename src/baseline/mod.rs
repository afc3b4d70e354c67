//! What a head must beat: the majority class, TF-IDF with logistic regression, logistic regression on the embeddings.
//!
//! Everything here learns from the training rows it is given and from nothing else; no libtorch, no files.

pub use crate::heads::{LogisticRegression, Matrix};

/// Share of each class among `classes`: the answer of the majority baseline for every row.
///
/// `count` is the number of classes; the shares add up to 1 when there are rows.
pub fn class_shares(classes: &[usize], count: usize) -> Vec<f32> {
    let mut shares = vec![0.0; count];
    classes.iter().for_each(|&c| shares[c] += 1.0 / classes.len() as f32);
    shares
}
