//! Figures of variety, and how their trend is tested.

use serde::{Deserialize, Serialize};

use super::gate_error::GateError;

/// How the trend is tested.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiversitySettings {
    /// Windows of equal size that the batch is cut into, at least 2.
    pub windows: usize,
    /// Permutations of the test, at least 99.
    pub permutations: usize,
    /// Share of healthy batches that may be warned about, in `(0, 1)`.
    pub level: f64,
}

impl Default for DiversitySettings {
    fn default() -> Self {
        Self { windows: 5, permutations: 999, level: 0.05 }
    }
}

/// A figure of variety; more is more varied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Mean cosine distance of a row to its nearest neighbour among the same rows.
    NearestDistance,
    /// Different words among all words (distinct-1).
    Distinct1,
    /// Different pairs of words among all pairs (distinct-2).
    Distinct2,
    /// Different triples of words among all triples (distinct-3).
    Distinct3,
}

impl Measure {
    pub(crate) const ALL: [Self; 4] =
        [Self::NearestDistance, Self::Distinct1, Self::Distinct2, Self::Distinct3];
}

/// That the last window is less varied than the first, beyond what chance explains.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fall {
    /// The figure that fell most surely.
    pub measure: Measure,
    /// The figure of the first window.
    pub first: f64,
    /// The figure of the last window.
    pub last: f64,
    /// Probability that one of the figures falls as surely in a batch without a trend.
    pub p: f64,
}

impl DiversitySettings {
    /// That the settings allow a test.
    ///
    /// # Errors
    /// They do not.
    pub fn check(&self) -> Result<(), GateError> {
        let level = self.level > 0.0 && self.level < 1.0;
        for (key, value, fits, wanted) in [
            ("diversity.windows", self.windows.to_string(), self.windows >= 2, "2 or more"),
            ("diversity.permutations", self.permutations.to_string(), self.permutations >= 99, "99 or more"),
            ("diversity.level", self.level.to_string(), level, "between 0 and 1"),
        ] {
            if !fits {
                return Err(GateError::Setting { key: key.to_owned(), value, wanted });
            }
        }
        Ok(())
    }
}
