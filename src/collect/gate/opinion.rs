//! What the current model thinks of the class that a candidate claims.

use serde::{Deserialize, Serialize};

use super::candidate::Probabilities;
use super::gate_error::GateError;
use super::reason::Reason;

/// Below which probability of the claimed class a candidate is refused or doubtful.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpinionSettings {
    /// Whether the model is asked.
    pub enabled: bool,
    /// Refused below it, in `[0, 1]`.
    pub refuse_below: f64,
    /// Doubtful below it, in `[0, 1]`, not less than `refuse_below`: it passes, and a person should look.
    pub doubtful_below: f64,
}

impl Default for OpinionSettings {
    /// Guesses: a calibrated model is wrong about one of twenty that it holds below 0.05.
    fn default() -> Self {
        Self { enabled: true, refuse_below: 0.05, doubtful_below: 0.25 }
    }
}

/// How far the sum of probabilities may be from 1: what single precision leaves of a few thousand classes.
const SUM_TOLERANCE: f64 = 1e-3;

impl OpinionSettings {
    /// That the limits are probabilities in their order.
    ///
    /// # Errors
    /// They are not.
    pub fn check(&self) -> Result<(), GateError> {
        let refuse = self.refuse_below;
        for (key, value, least, wanted) in [
            ("opinion.refuse_below", refuse, 0.0, "within 0 to 1"),
            ("opinion.doubtful_below", self.doubtful_below, refuse, "within opinion.refuse_below to 1"),
        ] {
            if !(least..=1.0).contains(&value) {
                return Err(GateError::Setting { key: key.to_owned(), value: value.to_string(), wanted });
            }
        }
        Ok(())
    }

    /// Whether the model is against a candidate's `claimed` class, below the number of `probabilities`; none where the class is
    /// none.
    pub fn reason(&self, probabilities: &[f64], claimed: usize) -> Option<Reason> {
        let &probability = probabilities.get(claimed)?;
        let likeliest =
            (0..probabilities.len()).rev().max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]))?;
        if probability < self.refuse_below {
            Some(Reason::Opinion { probability, limit: self.refuse_below, likeliest })
        } else if probability < self.doubtful_below {
            Some(Reason::Doubtful { probability, limit: self.doubtful_below, likeliest })
        } else {
            None
        }
    }
}

impl Probabilities<'_> {
    /// That there are those of `candidates` candidates over `classes` classes, and that they are probabilities.
    ///
    /// # Errors
    /// They are not.
    pub fn check(&self, candidates: usize, classes: usize) -> Result<(), GateError> {
        let shape = |what, found, wanted| Err(GateError::Shape { what, found, wanted });
        if self.classes != classes {
            return shape("classes of the probabilities", self.classes, classes);
        }
        if self.values.len() != candidates * classes {
            return shape("probabilities", self.values.len(), candidates * classes);
        }
        for (row, values) in self.values.chunks_exact(classes.max(1)).enumerate() {
            let sum: f64 = values.iter().sum();
            let fine = values.iter().all(|value| (0.0..=1.0).contains(value));
            if !fine || (sum - 1.0).abs() > SUM_TOLERANCE {
                return Err(GateError::Probabilities { row, sum });
            }
        }
        Ok(())
    }

    /// Those of a candidate.
    ///
    /// # Panics
    /// There is no such candidate.
    pub fn row(&self, candidate: usize) -> &[f64] {
        &self.values[candidate * self.classes..(candidate + 1) * self.classes]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_limits_part_refused_doubtful_and_fine() {
        let settings = OpinionSettings::default();
        let code = |p: f64| settings.reason(&[p, 1.0 - p], 0).map(|reason| reason.code());
        assert_eq!(code(0.0), Some("opinion"));
        assert_eq!(code(0.0499), Some("opinion"));
        assert_eq!(code(0.05), Some("doubtful"));
        assert_eq!(code(0.2499), Some("doubtful"));
        assert_eq!(code(0.25), None);
        assert_eq!(code(1.0), None);
        let reason = settings.reason(&[0.01, 0.495, 0.495], 0);
        assert_eq!(reason, Some(Reason::Opinion { probability: 0.01, limit: 0.05, likeliest: 1 }));
        assert_eq!(settings.reason(&[0.5, 0.5], 2), None);
    }

    #[test]
    fn what_is_no_probability_is_an_error() {
        let check = |values: &[f64], candidates| Probabilities { values, classes: 2 }.check(candidates, 2);
        assert_eq!(check(&[0.5, 0.5, 1.0, 0.0], 2), Ok(()));
        assert_eq!(check(&[], 0), Ok(()));
        assert!(matches!(check(&[0.5, 0.5, 1.0, 0.1], 2), Err(GateError::Probabilities { row: 1, .. })));
        assert!(matches!(check(&[1.5, -0.5], 1), Err(GateError::Probabilities { row: 0, .. })));
        assert!(matches!(check(&[f64::NAN, 0.5], 1), Err(GateError::Probabilities { .. })));
        assert!(matches!(check(&[0.5, 0.5], 2), Err(GateError::Shape { found: 2, wanted: 4, .. })));
        let three = Probabilities { values: &[], classes: 3 }.check(0, 2);
        assert!(matches!(three, Err(GateError::Shape { found: 3, wanted: 2, .. })));
    }

    #[test]
    fn limits_out_of_order_are_an_error() {
        let bad = OpinionSettings { refuse_below: 0.3, doubtful_below: 0.2, enabled: true };
        assert!(matches!(bad.check(), Err(GateError::Setting { .. })));
        let bad = OpinionSettings { refuse_below: f64::NAN, ..OpinionSettings::default() };
        assert!(matches!(bad.check(), Err(GateError::Setting { .. })));
        assert_eq!(OpinionSettings::default().check(), Ok(()));
    }
}
