//! What BERT does to single numbers and rows, in plain loops that the compiler turns into the caller's vectors.
//!
//! Sums run in 16 lanes whatever the width of the vectors, so that every processor finds the same bits.

use crate::simd::Instructions;

pub(super) const LANES: usize = 16;

/// Adding it leaves a number's nearest integer in the lowest bits.
pub(super) const ROUND: f32 = 12_582_912.0; // 1.5 · 2²³

/// `to += from`, as far as the shorter of them goes in whole lanes.
#[inline(always)]
pub fn add(to: &mut [f32], from: &[f32]) {
    for (to, from) in to.as_chunks_mut::<LANES>().0.iter_mut().zip(from.as_chunks::<LANES>().0) {
        *to = std::array::from_fn(|i| to[i] + from[i]);
    }
}

/// eˣ for x ≤ 88, to 2 units in the last place; 0 or nearly so below -87.
///
/// 2ⁿ times a polynomial on |r| ≤ ln 2 / 2 (Cody and Waite's reduction; Taylor's coefficients).
#[inline(always)]
fn exp<I: Instructions>(x: f32) -> f32 {
    let x = x.max(-87.0);
    let shifted = I::fused(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = I::fused(n, -0.693_359_4, x);
    let r = I::fused(n, 2.121_944_4e-4, r);
    let mut p = 1.0 / 720.0;
    for c in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = I::fused(r, p, c);
    }
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    p * power
}

/// x · Φ(x), the Gaussian error linear unit (Hendrycks and Gimpel 2016, arXiv 1606.08415), in place.
///
/// erf after Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.26: off by 1.5e-7 at most.
#[inline(always)]
pub fn gelu<I: Instructions>(row: &mut [f32]) {
    for x in row {
        let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
        let t = 1.0 / I::fused(0.327_591_1, z, 1.0);
        let mut p = 1.061_405_4f32;
        for c in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
            p = I::fused(p, t, c);
        }
        // erfc(|x| / √2); Φ(x) is half of it below zero and one minus half of it above.
        let tail = 0.5 * p * t * exp::<I>(-z * z);
        *x *= if *x < 0.0 { tail } else { 1.0 - tail };
    }
}

/// Softmax of `scale` times the first `count` numbers, in place; the rest, up to a multiple of 16, becomes 0 or nearly so.
#[inline(always)]
pub fn softmax<I: Instructions>(row: &mut [f32], count: usize, scale: f32) {
    row[count..].fill(f32::NEG_INFINITY);
    let mut most = [f32::NEG_INFINITY; LANES];
    for lanes in row.as_chunks::<LANES>().0 {
        most.iter_mut().zip(lanes).for_each(|(m, &x)| *m = if x > *m { x } else { *m });
    }
    let most = most.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let mut sums = [0.0; LANES];
    for lanes in row.as_chunks_mut::<LANES>().0 {
        for (sum, x) in sums.iter_mut().zip(lanes) {
            *x = exp::<I>((*x - most) * scale);
            *sum += *x;
        }
    }
    let share = 1.0 / sums.iter().sum::<f32>();
    row.iter_mut().for_each(|x| *x *= share);
}

/// Layer norm (Ba et al. 2016, arXiv 1607.06450), in place; the length is a multiple of 16.
#[inline(always)]
pub fn layer_norm<I: Instructions>(row: &mut [f32], gain: &[f32], bias: &[f32], epsilon: f32) {
    let count = row.len() as f32;
    let mut sums = [0.0; LANES];
    for lanes in row.as_chunks::<LANES>().0 {
        sums.iter_mut().zip(lanes).for_each(|(s, x)| *s += x);
    }
    let mean = sums.iter().sum::<f32>() / count;
    let mut squares = [0.0f32; LANES];
    for lanes in row.as_chunks::<LANES>().0 {
        squares.iter_mut().zip(lanes).for_each(|(s, x)| *s = I::fused(x - mean, x - mean, *s));
    }
    let scale = 1.0 / (squares.iter().sum::<f32>() / count + epsilon).sqrt();
    for ((x, gain), bias) in row.iter_mut().zip(gain).zip(bias) {
        *x = I::fused((*x - mean) * scale, *gain, *bias);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::simd::{Portable, Words};
    use statrs::function::erf::erf;

    pub fn row(from: f32, to: f32, count: usize) -> Vec<f32> {
        (0..count).map(|i| from + (to - from) * i as f32 / (count - 1) as f32).collect()
    }

    pub fn gelu_in_f64(x: f64) -> f64 {
        x * 0.5 * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2))
    }

    /// As [`Portable`], products and sums rounded once.
    pub struct Fused;

    // SAFETY: as Portable.
    unsafe impl Words for Fused {
        const PER_WORD: usize = 1;
    }

    // SAFETY: as Portable.
    unsafe impl Instructions for Fused {
        type Vector = [f32; 8];
        const LANES: usize = 8;
        unsafe fn zero() -> [f32; 8] {
            unsafe { Portable::zero() }
        }
        unsafe fn load(from: *const u32) -> [f32; 8] {
            unsafe { Portable::load(from) }
        }
        unsafe fn splat(word: u32) -> [f32; 8] {
            unsafe { Portable::splat(word) }
        }
        unsafe fn multiply_add(sum: [f32; 8], a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
            unsafe { Portable::multiply_add(sum, a, b) }
        }
        unsafe fn store(to: *mut f32, sums: [f32; 8]) {
            unsafe { Portable::store(to, sums) }
        }
    }

    #[test]
    fn exp_is_right_to_a_few_units_and_vanishes_below() {
        for x in row(-87.0, 88.0, 100_003) {
            let expected = f64::from(x).exp();
            for (found, allowed) in [(exp::<Fused>(x), 2.5e-7), (exp::<Portable>(x), 8e-7)] {
                assert!((f64::from(found) - expected).abs() <= allowed * expected, "exp({x}) = {found}");
            }
        }
        assert_eq!(exp::<Fused>(0.0), 1.0);
        assert!(exp::<Fused>(f32::NEG_INFINITY) < 1e-37);
    }

    #[test]
    fn gelu_is_the_gaussian_one() {
        let xs = row(-12.0, 12.0, 40_001);
        let mut all = [xs.clone(), xs.clone()];
        gelu::<Fused>(&mut all[0]);
        gelu::<Portable>(&mut all[1]);
        for found in &all {
            for (x, found) in xs.iter().zip(found) {
                let expected = gelu_in_f64(f64::from(*x));
                assert!((f64::from(*found) - expected).abs() < 1e-6, "gelu({x}) = {found}");
            }
        }
    }

    #[test]
    fn softmax_looks_at_the_counted_alone() {
        let input = row(-40.0, 30.0, 48);
        let powers: Vec<f64> = input[..37].iter().map(|&x| (f64::from(x) * 0.25).exp()).collect();
        let total: f64 = powers.iter().sum();
        let mut found = input.clone();
        softmax::<Fused>(&mut found, 37, 0.25);
        for (found, power) in found.iter().zip(&powers) {
            let expected = power / total;
            assert!((f64::from(*found) - expected).abs() < 1e-6 * expected.max(1e-3));
        }
        assert!(found[37..].iter().all(|&x| x < 1e-30));
    }

    #[test]
    fn layer_norm_has_mean_bias_and_deviation_gain() {
        let (gain, bias) = (row(0.5, 2.0, 64), row(-1.0, 1.0, 64));
        let input: Vec<f32> = row(-3.0, 5.0, 64).iter().map(|x| x * x).collect();
        let mean = input.iter().map(|&x| f64::from(x)).sum::<f64>() / 64.0;
        let variance = input.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / 64.0;
        let mut found = input.clone();
        layer_norm::<Fused>(&mut found, &gain, &bias, 1e-5);
        for i in 0..64 {
            let normal = (f64::from(input[i]) - mean) / (variance + 1e-5).sqrt();
            let expected = normal * f64::from(gain[i]) + f64::from(bias[i]);
            assert!((f64::from(found[i]) - expected).abs() < 1e-5, "{} {expected}", found[i]);
        }
    }
}
