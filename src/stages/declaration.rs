//! What a stage says of itself.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Value, json};

use super::context::Context;
use super::error::BuildError;
use super::stage::Stage;
use crate::config::Config;

/// A stage: what it is made from, and what makes it.
pub struct Declaration {
    /// Version of its code: raised whenever the same inputs would give other outputs.
    pub version: u32,
    /// The stages whose outputs it reads, beside the raw files and the encoder.
    pub reads: &'static [Stage],
    /// The config values that decide what it leaves, by section, beside those that decide the rows.
    pub config: fn(&Config) -> Value,
    /// Its work.
    pub run: fn(&Context<'_>) -> Result<Finished, BuildError>,
}

/// What a stage left.
pub struct Finished {
    /// Its files.
    pub outputs: Vec<PathBuf>,
    /// What it counted, an object.
    pub summary: Value,
}

impl Finished {
    /// `summary` is a struct of the stage's own.
    pub fn new(outputs: Vec<PathBuf>, summary: &impl Serialize) -> Self {
        Self { outputs, summary: json!(summary) }
    }
}
