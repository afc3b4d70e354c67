//! An ensemble's sizes.

use serde::{Deserialize, Serialize};

use crate::heads::HeadShape;

/// The heads of an ensemble.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnsembleShape {
    /// Their shapes.
    pub heads: Vec<HeadShape>,
    /// Their weights, which add up to 1.
    pub weights: Vec<f64>,
}
