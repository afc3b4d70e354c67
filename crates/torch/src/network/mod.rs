//! A multilayer perceptron on frozen embeddings, or several of them trained together, and the training loop.
//!
//! Everything random (initial weights, batch order, dropout, noise) comes from seeded generators, never from libtorch's
//! global one, so the same rows, settings and seed give the same weights to the bit, also with several heads trained at
//! once. The generator of the seed's first stream draws the batches, each group of members has a stream of its own.

mod perturb;
mod coral;
mod corn;
mod perceptron;
mod loss;
mod order;
mod schedule;
mod weights;
mod averaging;
mod head;
mod group;
mod fit;
#[cfg(test)]
mod fixture;

pub use fit::fit;
pub use head::Network;
