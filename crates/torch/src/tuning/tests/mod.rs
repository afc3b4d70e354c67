//! What a tuning must hold to, on a BERT of two layers.

mod learning;
mod memory;
mod runs;
mod folders;
