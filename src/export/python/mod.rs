//! The head in NumPy: weights as `.npy`, and a module of a page or two that answers with them.

mod module;
mod folder;

pub use folder::write;
