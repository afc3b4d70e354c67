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
    /// Those of them that see the encoder as it was before `train.encoder` tuned it; none by default. The others see what it became.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub frozen: Vec<HeadKind>,
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
        if self.frozen.iter().any(|head| !heads.contains(head)) {
            return Fault::at("train.ensemble.frozen", "names a head that is not among train.ensemble.heads");
        }
        if heads.iter().all(|head| self.frozen.contains(head)) {
            return Fault::at(
                "train.ensemble.frozen",
                "names all heads; none would see what the encoder learned",
            );
        }
        Ok(())
    }
}

impl Default for EnsembleConfig {
    fn default() -> Self {
        Self { heads: vec![HeadKind::Kernel, HeadKind::Network], stacked: true, frozen: Vec::new() }
    }
}
