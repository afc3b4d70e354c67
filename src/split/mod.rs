//! Train, validation and test parts: stratified by class, grouped by near-duplicate, seeded.
//!
//! Rows of one group (equal normalised title, or embeddings with at least the set cosine, directly or through others)
//! always share a part. Nothing is learned here.

mod approximate;
mod cells;
mod compare;
mod deal;
mod exact;
mod folds;
mod groups;
mod part;
mod search;
mod settle;
mod sketch;
#[cfg(test)]
mod tests;
mod vectors;

pub use approximate::Recall;
pub use compare::{NearPair, Stopped};
pub use deal::deal;
pub use exact::pairs_between;
pub use folds::{Fold, FoldCounts, GroupedClasses, folds};
pub use groups::{Groups, groups};
pub use part::Part;
pub use search::{NearSearch, Searched};
pub use settle::{Given, Settled, held_out_sides, settle};
pub use vectors::{Vectors, mean_cosine_vectors, scale_to_mean_cosine};
