//! AdamW, with its moments in the open so that they can be kept.

use pipeline::fine_tuning::TuningError;
use tch::{Kind, Tensor};

use super::parameters::Parameter;
use super::weights::Weights;

/// Shares of the moments that are kept, and what is added to the root of the second: PyTorch's.
const KEPT: [f64; 2] = [0.9, 0.999];
const ADDED: f64 = 1e-8;

/// Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv 1711.05101), as PyTorch's `AdamW`.
#[derive(Default)]
pub struct AdamW {
    /// First and second moment of each weight, the size of it.
    pub first: Weights,
    pub second: Weights,
}

/// A step of [`AdamW`].
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Which it is, from 1.
    pub number: usize,
    /// Share of the greatest rate.
    pub rate: f64,
    pub weight_decay: f64,
    /// Longest gradient.
    pub clip: f64,
}

impl AdamW {
    /// Move `weights` against their gradients, which are then cleared; the length of the gradient before it was clipped. Where
    /// it is no number, nothing is moved.
    ///
    /// # Errors
    /// libtorch failed.
    pub fn step(
        &mut self,
        parameters: &[Parameter],
        weights: &mut Weights,
        step: Step,
    ) -> Result<f64, TuningError> {
        tch::no_grad(|| {
            let length = length(parameters, weights);
            if length.is_finite() {
                let clipped = if length > step.clip { step.clip / length } else { 1.0 };
                for parameter in parameters {
                    self.move_one(parameter, weights, step, clipped);
                }
            }
            clear(parameters, weights);
            Ok(length)
        })
    }

    fn move_one(&mut self, parameter: &Parameter, weights: &mut Weights, step: Step, clipped: f64) {
        let Parameter { name, rate, decays } = parameter;
        let Some(weight) = weights.get_mut(name).filter(|weight| weight.grad().defined()) else { return };
        let gradient = weight.grad() * clipped;
        let zeros = || gradient.zeros_like();
        let first = self.first.entry(name.clone()).or_insert_with(zeros);
        let second = self.second.entry(name.clone()).or_insert_with(zeros);
        let rate = rate * step.rate;
        if *decays {
            let _ = weight.g_mul_scalar_(1.0 - rate * step.weight_decay);
        }
        let _ = first.lerp_(&gradient, 1.0 - KEPT[0]);
        let _ = second.g_mul_scalar_(KEPT[1]);
        let _ = second.g_add_(&(gradient.square() * (1.0 - KEPT[1])));
        let [of_first, of_second] = KEPT.map(|kept| 1.0 - kept.powi(step.number as i32));
        let root = second.sqrt() / of_second.sqrt() + ADDED;
        let _ = weight.g_sub_(&(&*first / root * (rate / of_first)));
    }
}

/// Clear the gradients of all `parameters`.
pub fn clear(parameters: &[Parameter], weights: &mut Weights) {
    for Parameter { name, .. } in parameters {
        if let Some(weight) = weights.get_mut(name) {
            weight.zero_grad();
        }
    }
}

/// Length of the gradient of all `parameters` together.
fn length(parameters: &[Parameter], weights: &Weights) -> f64 {
    let gradients = parameters.iter().filter_map(|p| weights.get(&p.name)).map(Tensor::grad);
    let squares = gradients.filter(Tensor::defined).map(|g| g.square().sum(Kind::Double).double_value(&[]));
    squares.sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(decays: bool) -> Parameter {
        Parameter { name: "w".into(), rate: 0.1, decays }
    }

    fn weights() -> Weights {
        Weights::from([("w".into(), Tensor::from_slice(&[1.0f32, -2.0]).set_requires_grad(true))])
    }

    fn values(weights: &Weights) -> Vec<f32> {
        Vec::try_from(weights["w"].detach()).unwrap()
    }

    /// The two first steps of `torch.optim.AdamW([w], lr=0.1, weight_decay=0.5)` on `(w * w).sum()`, by hand: the first moves each
    /// by the rate against the sign, after a decay by 0.05.
    #[test]
    fn a_step_is_that_of_pytorch() {
        let (mut weights, mut optimizer) = (weights(), AdamW::default());
        let mut step = |weights: &mut Weights, number| {
            (&weights["w"] * &weights["w"]).sum(Kind::Float).backward();
            let step = Step { number, rate: 1.0, weight_decay: 0.5, clip: 1e9 };
            optimizer.step(&[parameter(true)], weights, step).unwrap()
        };
        let length = step(&mut weights, 1);
        assert!((length - 20f64.sqrt()).abs() < 1e-6);
        let [a, b] = values(&weights)[..] else { panic!() };
        assert!((a - 0.85).abs() < 1e-6 && (b + 1.8).abs() < 1e-6, "{a} {b}");
        step(&mut weights, 2);
        // Gradients 2 and 1.7: moments 0.35 and 0.006886; 0.35/0.19 / √(0.006886/0.001999) = 0.99252; 0.85·0.95 - 0.099252.
        let [a, _] = values(&weights)[..] else { panic!() };
        assert!((a - 0.708248).abs() < 1e-5, "{a}");
    }

    #[test]
    fn a_long_gradient_is_clipped_and_one_that_is_no_number_moves_nothing() {
        let (mut weights, mut optimizer) = (weights(), AdamW::default());
        (&weights["w"] * 100.0).sum(Kind::Float).backward();
        let step = Step { number: 1, rate: 1.0, weight_decay: 0.0, clip: 1.0 };
        let length = optimizer.step(&[parameter(false)], &mut weights, step).unwrap();
        assert!((length - 20_000f64.sqrt()).abs() < 1e-3);
        // A tenth of the clipped gradient, √½ each.
        let first = Vec::<f32>::try_from(&optimizer.first["w"]).unwrap();
        assert!(first.iter().all(|m| (m - 0.1 * 0.5f32.sqrt()).abs() < 1e-6), "{first:?}");
        let before = values(&weights);
        (&weights["w"] * f64::NAN).sum(Kind::Float).backward();
        assert!(optimizer.step(&[parameter(false)], &mut weights, step).unwrap().is_nan());
        assert_eq!(values(&weights), before);
        assert_eq!(weights["w"].grad().abs().sum(Kind::Float).double_value(&[]), 0.0);
    }
}
