//! Raw CSVs to a trained, honestly evaluated text classifier.
//!
//! The modules stand in the order in which data passes through them; imports point up this list. See CONTRIBUTING.md.

pub mod augment;
pub mod build;
pub mod cli;
pub mod config;
pub mod embed;
pub mod engine;
pub mod evaluate;
pub mod predict;
pub mod progress;
pub mod report;
pub mod split;
pub mod store;
pub mod table;
pub mod train;
