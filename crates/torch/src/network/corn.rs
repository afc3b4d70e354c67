//! CORN (Shi, Cao & Raschka 2023): ordered classes by the chance to pass each threshold once the one before is passed.

use tch::{Kind, Tensor};

/// Log probabilities of the classes, `[…, thresholds + 1]`, of the thresholds' logits. Their cross entropy is the paper's
/// loss.
pub fn log_probabilities(scores: &Tensor) -> Tensor {
    let none = scores.narrow(-1, 0, 1).zeros_like();
    let passed = Tensor::cat(&[&none, &scores.log_sigmoid().cumsum(-1, Kind::Float)], -1);
    let stopped = Tensor::cat(&[&(-scores).log_sigmoid(), &none], -1);
    passed + stopped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_the_thresholds_passed_and_the_one_that_is_not() {
        let p = log_probabilities(&Tensor::from_slice(&[0.5f32, -1.0, 0.3])).exp();
        // Class 2: σ(0.5) · σ(-1) · (1 - σ(0.3)) = 0.622459 · 0.268941 · 0.425557
        assert!((p.double_value(&[2]) - 0.0712401).abs() < 1e-5, "{p}");
    }
}
