//! `[encoder]`: what turns texts into vectors.

use pipeline_encoder::{Backend, Precision};
use serde::{Deserialize, Serialize};

use super::number::{Number, whole};
use super::section::Section;

/// `[encoder]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EncoderConfig {
    /// A sentence-transformers folder, the name of one that set-up installed, or a hub name (`owner/model`);
    /// `all-MiniLM-L6-v2` by default.
    pub model: String,
    /// Another encoder, whose embedding of a text stands beside the first one's; none by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second: Option<String>,
    /// Longer texts are cut to this many tokens, in `[1, 1,000,000]`; the model's own limit by default, and never more than
    /// it has positions for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<usize>,
    /// Number format of the encoder's weights; by default what is fast on this processor (`pipeline encoders` says which).
    pub precision: Precision,
    /// What runs it; by default the own pass where it can, else rust-bert.
    #[serde(skip_serializing_if = "is_auto")]
    pub backend: Backend,
    /// Worker threads, in `[1, 1024]`; one a core by default. It changes the speed only, so it makes nothing stale.
    #[serde(skip_serializing)]
    pub workers: Option<usize>,
}

impl Section for EncoderConfig {
    fn numbers(&self) -> Vec<Number> {
        vec![
            whole("encoder.max_tokens", self.max_tokens, 1..=1_000_000),
            whole("encoder.workers", self.workers, 1..=1024),
        ]
    }
}

/// The default is not written, so that what was made before the key existed is not stale.
fn is_auto(backend: &Backend) -> bool {
    *backend == Backend::Auto
}

impl Default for EncoderConfig {
    fn default() -> Self {
        Self {
            model: "all-MiniLM-L6-v2".into(),
            second: None,
            max_tokens: None,
            precision: Precision::Auto,
            backend: Backend::Auto,
            workers: None,
        }
    }
}
