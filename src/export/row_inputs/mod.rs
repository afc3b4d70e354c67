//! Rows to a head's columns, words and letters outside of the pipeline: Python for the forms whose programs have to make them,
//! and what it reads.

mod characters;
mod files;

pub use files::{IMPORTS, code, described, write_terms};
