//! Heads that compare a row with remembered ones: with its nearest training rows (k-NN, Cover & Hart 1967), or with the
//! mean of each class (nearest centroid; with a softmax over distances, Snell et al. 2017).

mod answer;
mod fit;
mod settings;

pub use answer::{Memory, PRIOR_VOTES};
pub use fit::fit;
pub use settings::{NeighbourSettings, NeighbourShape};
