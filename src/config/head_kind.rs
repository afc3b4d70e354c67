//! The heads by name.

use serde::{Deserialize, Serialize};

/// The kind of head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeadKind {
    /// A kernel machine, solved in closed form: strong on hundreds to some ten thousand rows, trained in a second.
    Kernel,
    /// A multilayer perceptron, or multinomial logistic regression without hidden layers.
    Network,
    /// The nearest training rows vote.
    Knn,
    /// The nearest class mean.
    Prototypes,
    /// Gradient-boosted trees.
    Trees,
    /// Multinomial logistic regression; ridge regression for values.
    Logistic,
    /// Several of the others: `[train.ensemble]`.
    Ensemble,
}
