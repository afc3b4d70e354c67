//! A figure and its interval.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

/// A figure and its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The figure on the rows at hand.
    pub value: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end of the 95 % interval.
    pub high: f64,
}

impl Estimate {
    /// The interval cut at the ends of the range that the figure can have: what lies outside cannot be.
    pub fn within(self, [least, most]: [f64; 2]) -> Self {
        Self { low: self.low.max(least), high: self.high.min(most), ..self }
    }

    /// Whether the interval is all that the figure can be: there are too few rows to say more.
    pub fn is_everything(self, [least, most]: [f64; 2]) -> bool {
        self.low <= least && self.high >= most
    }

    /// How likely the truth is above `limit`, in `[0, 1]`: 97.5 % at the lower end, a half at the value, and between and beyond as
    /// a normal distribution has it that reaches so far on that side.
    pub fn probability_above(self, limit: f64) -> f64 {
        let side = if limit < self.value { self.value - self.low } else { self.high - self.value };
        let deviation = side / Normal::standard().inverse_cdf(0.975);
        match self.value - limit {
            0.0 => 0.5,
            above if deviation > 0.0 => Normal::standard().cdf(above / deviation),
            above => f64::from(u8::from(above > 0.0)),
        }
    }

    /// At least as far on either side of the value as the `other` interval of its own.
    pub fn at_least_as_wide(self, other: Self) -> Self {
        Self {
            low: self.low.min(self.value - (other.value - other.low)),
            high: self.high.max(self.value + (other.high - other.value)),
            ..self
        }
    }
}

/// A difference in three digits with its sign; what rounds to nothing has none of a loss.
pub fn signed(value: f64) -> String {
    let text = format!("{value:+.3}");
    if text == "-0.000" { "+0.000".into() } else { text }
}

/// Mean and sample standard deviation; 0 and 0 of no values, a deviation of 0 for one.
pub fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n.max(1.0);
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0).max(1.0)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_stays_in_the_range_of_its_figure() {
        let wide = Estimate { value: 0.98, low: 0.955, high: 1.005 };
        assert_eq!(wide.within([0.0, 1.0]), Estimate { high: 1.0, ..wide });
        let loss = Estimate { value: 0.02, low: -0.011, high: 0.051 };
        assert_eq!(loss.within([0.0, f64::INFINITY]), Estimate { low: 0.0, ..loss });
    }

    #[test]
    fn the_ends_are_passed_with_their_probabilities() {
        let estimate = Estimate { value: 0.8, low: 0.7, high: 0.85 };
        for (limit, expected) in [(0.7, 0.975), (0.8, 0.5), (0.85, 0.025)] {
            assert!((estimate.probability_above(limit) - expected).abs() < 1e-9, "{limit}");
        }
        assert!(estimate.probability_above(0.4) > 0.999 && estimate.probability_above(1.0) < 0.001);
        let at_the_end = Estimate { value: 1.0, low: 0.9, high: 1.0 };
        assert_eq!((at_the_end.probability_above(1.5), at_the_end.probability_above(1.0)), (0.0, 0.5));
    }

    #[test]
    fn nothing_has_no_sign_of_a_loss() {
        assert_eq!([-0.0004, 0.0004, -0.0006, 0.0126].map(signed), ["+0.000", "+0.000", "-0.001", "+0.013"]);
    }
}
