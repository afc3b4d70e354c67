//! `[train.ensemble]`: several heads.

use serde::{Deserialize, Serialize};

use super::error::Fault;
use super::head_kind::HeadKind;
use super::section::Section;

/// `[train.ensemble]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EnsembleConfig {
    /// The heads, each trained on the same rows: two or more different ones; kernel and network by default.
    pub heads: Vec<HeadKind>,
    /// Learn their weights on the validation rows, the default; else all weigh the same.
    pub stacked: bool,
}

impl Section for EnsembleConfig {
    fn check(&self) -> Result<(), Fault> {
        let heads = &self.heads;
        let repeated = heads.iter().enumerate().any(|(i, head)| heads[..i].contains(head));
        if heads.len() < 2 || repeated || heads.contains(&HeadKind::Ensemble) {
            return Fault::at(
                "train.ensemble.heads",
                "needs two or more different heads: kernel, network, knn, prototypes, trees, logistic",
            );
        }
        Ok(())
    }
}

impl Default for EnsembleConfig {
    fn default() -> Self {
        Self { heads: vec![HeadKind::Kernel, HeadKind::Network], stacked: true }
    }
}
