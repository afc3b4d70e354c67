//! Augmented rows, each with its parents.

use serde::{Deserialize, Serialize};

/// A row whose text fields are those of its parent with some words swapped for synonyms, left out, or exchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Variant {
    /// Row of the dataset that it comes from; class and features are the parent's.
    pub parent: usize,
    /// One text for each text field.
    pub texts: Vec<String>,
    /// Cosine of each field's embedding to the parent's, once embedded.
    pub cosines: Vec<f32>,
}

/// A row whose inputs and label are `lambda · first + (1 - lambda) · second` (mixup, Zhang et al. 2018; SMOTE).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mixed {
    /// Row of the dataset; in mixup, the one with the larger weight.
    pub first: usize,
    /// The other row.
    pub second: usize,
    /// Weight of the first, in `(0, 1]`.
    pub lambda: f32,
}

/// All augmented rows of a dataset.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Augmented {
    /// Variants in other words.
    pub variants: Vec<Variant>,
    /// Mixed rows.
    pub mixed: Vec<Mixed>,
}

impl Augmented {
    /// Indices of the variants, and the mixed rows, all of whose parents satisfy `in_training`.
    pub fn within(&self, in_training: impl Fn(usize) -> bool) -> (Vec<usize>, Vec<Mixed>) {
        let variants = (0..self.variants.len()).filter(|&v| in_training(self.variants[v].parent)).collect();
        let mixed =
            self.mixed.iter().copied().filter(|m| in_training(m.first) && in_training(m.second)).collect();
        (variants, mixed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::mix;
    use crate::config::MixupConfig;
    use crate::split::deal;
    use proptest::prelude::*;

    proptest! {
        /// Whatever the groups, folds and augmentation: no training row of a fold descends from a row outside it.
        #[test]
        fn no_descendant_of_a_held_out_row_is_ever_trained_on(
            rows in prop::collection::vec((0usize..40, 0usize..3), 30..120),
            seed: u64,
            folds in 2usize..6,
            between_classes: bool,
        ) {
            let groups: Vec<usize> = rows.iter().map(|r| r.0).collect();
            let classes: Vec<usize> = rows.iter().map(|r| r.1).collect();
            let everyone: Vec<usize> = (0..rows.len()).collect();
            let config = MixupConfig { ratio: 2.0, between_classes, ..MixupConfig::default() };
            let augmented = Augmented {
                variants: everyone.iter().map(|&parent| Variant { parent, texts: vec![], cosines: vec![] }).collect(),
                mixed: mix(&everyone, &classes, &config, seed),
            };
            let fold_of = deal(&groups, &classes, &vec![1.0 / folds as f64; folds], seed);
            for fold in 0..folds {
                let (variants, mixed) = augmented.within(|row| fold_of[row] != fold);
                let parents = variants
                    .iter()
                    .map(|&v| augmented.variants[v].parent)
                    .chain(mixed.iter().flat_map(|m| [m.first, m.second]));
                for parent in parents {
                    prop_assert_ne!(fold_of[parent], fold);
                }
                // … and nothing is lost: every variant of a training row is there.
                let trained = fold_of.iter().filter(|&&f| f != fold).count();
                prop_assert_eq!(variants.len(), trained);
            }
        }
    }
}
