//! What BERT does to single numbers and rows, in plain loops that the compiler turns into the caller's vectors.
//!
//! Sums run in 16 lanes whatever the width of the vectors, so that every processor finds the same bits.

const LANES: usize = 16;

/// `to += from`, as far as the shorter of them goes.
#[inline(always)]
pub fn add(to: &mut [f32], from: &[f32]) {
    to.iter_mut().zip(from).for_each(|(t, f)| *t += f);
}

/// eˣ for x ≤ 88, to 2 units in the last place; 0 or nearly so below -87.
///
/// 2ⁿ times a polynomial on |r| ≤ ln 2 / 2 (Cody and Waite's reduction; Taylor's coefficients).
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Adding it leaves a number's nearest integer in the lowest bits.
    const ROUND: f32 = 12_582_912.0; // 1.5 · 2²³
    let x = x.max(-87.0);
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-0.693_359_4, x);
    let r = n.mul_add(2.121_944_4e-4, r);
    let mut p = 1.0 / 720.0;
    for c in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = r.mul_add(p, c);
    }
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    p * power
}

/// x · Φ(x), the Gaussian error linear unit (Hendrycks and Gimpel 2016, arXiv 1606.08415), in place.
///
/// erf after Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.26: off by 1.5e-7 at most.
#[inline(always)]
pub fn gelu(row: &mut [f32]) {
    for x in row {
        let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
        let t = 1.0 / 0.327_591_1f32.mul_add(z, 1.0);
        let mut p = 1.061_405_4f32;
        for c in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
            p = p.mul_add(t, c);
        }
        // erfc(|x| / √2); Φ(x) is half of it below zero and one minus half of it above.
        let tail = 0.5 * p * t * exp(-z * z);
        *x *= if *x < 0.0 { tail } else { 1.0 - tail };
    }
}

/// Softmax of `scale` times the first `count` numbers, in place; the rest, up to a multiple of 16, becomes 0 or nearly so.
#[inline(always)]
pub fn softmax(row: &mut [f32], count: usize, scale: f32) {
    row[count..].fill(f32::NEG_INFINITY);
    let mut most = [f32::NEG_INFINITY; LANES];
    for lanes in row.as_chunks::<LANES>().0 {
        most.iter_mut().zip(lanes).for_each(|(m, &x)| *m = if x > *m { x } else { *m });
    }
    let most = most.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let mut sums = [0.0; LANES];
    for lanes in row.as_chunks_mut::<LANES>().0 {
        for (sum, x) in sums.iter_mut().zip(lanes) {
            *x = exp((*x - most) * scale);
            *sum += *x;
        }
    }
    let share = 1.0 / sums.iter().sum::<f32>();
    row.iter_mut().for_each(|x| *x *= share);
}

/// Layer norm (Ba et al. 2016, arXiv 1607.06450), in place; the length is a multiple of 16.
#[inline(always)]
pub fn layer_norm(row: &mut [f32], gain: &[f32], bias: &[f32], epsilon: f32) {
    let count = row.len() as f32;
    let mut sums = [0.0; LANES];
    for lanes in row.as_chunks::<LANES>().0 {
        sums.iter_mut().zip(lanes).for_each(|(s, x)| *s += x);
    }
    let mean = sums.iter().sum::<f32>() / count;
    let mut squares = [0.0f32; LANES];
    for lanes in row.as_chunks::<LANES>().0 {
        squares.iter_mut().zip(lanes).for_each(|(s, x)| *s = (x - mean).mul_add(x - mean, *s));
    }
    let scale = 1.0 / (squares.iter().sum::<f32>() / count + epsilon).sqrt();
    for ((x, gain), bias) in row.iter_mut().zip(gain).zip(bias) {
        *x = ((*x - mean) * scale).mul_add(*gain, *bias);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Kind, Tensor};

    fn row(from: f32, to: f32, count: usize) -> Vec<f32> {
        (0..count).map(|i| from + (to - from) * i as f32 / (count - 1) as f32).collect()
    }

    /// libtorch's answer, computed in f64.
    fn in_f64(row: &[f32], f: impl Fn(Tensor) -> Tensor) -> Vec<f64> {
        Vec::try_from(f(Tensor::from_slice(row).to_kind(Kind::Double)).flatten(0, -1)).unwrap()
    }

    #[test]
    fn exp_is_right_to_two_units_and_vanishes_below() {
        for x in row(-87.0, 88.0, 100_003) {
            let expected = f64::from(x).exp();
            assert!((f64::from(exp(x)) - expected).abs() <= 2.5e-7 * expected, "exp({x}) = {}", exp(x));
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NEG_INFINITY) < 1e-37);
    }

    #[test]
    fn gelu_is_libtorchs() {
        let xs = row(-12.0, 12.0, 40_001);
        let mut found = xs.clone();
        gelu(&mut found);
        for (i, expected) in in_f64(&xs, |x| x.gelu("none")).into_iter().enumerate() {
            assert!((f64::from(found[i]) - expected).abs() < 1e-6, "gelu({}) = {}", xs[i], found[i]);
        }
    }

    #[test]
    fn softmax_looks_at_the_counted_alone() {
        let mut found = row(-40.0, 30.0, 48);
        let expected = in_f64(&found[..37], |x| (x * 0.25).softmax(-1, Kind::Double));
        softmax(&mut found, 37, 0.25);
        for (found, expected) in found.iter().zip(&expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-6 * expected.max(1e-3));
        }
        assert!(found[37..].iter().all(|&x| x < 1e-30));
    }

    #[test]
    fn layer_norm_is_libtorchs() {
        let (gain, bias) = (row(0.5, 2.0, 64), row(-1.0, 1.0, 64));
        let mut found: Vec<f32> = row(-3.0, 5.0, 64).iter().map(|x| x * x).collect();
        let double = |row: &[f32]| Tensor::from_slice(row).to_kind(Kind::Double);
        let expected =
            in_f64(&found, |x| x.layer_norm([64], Some(double(&gain)), Some(double(&bias)), 1e-5, false));
        layer_norm(&mut found, &gain, &bias, 1e-5);
        for (found, expected) in found.iter().zip(&expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-5, "{found} {expected}");
        }
    }
}
