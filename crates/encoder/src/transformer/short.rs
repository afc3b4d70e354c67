//! Functions of single numbers that are precise enough where the result becomes a bfloat16.

use super::elementwise::{LANES, ROUND};
use crate::simd::Instructions;

/// e to the `scale` times what each of the first `count` numbers is less than the greatest of them, to 3e-6, in place; the rest
/// becomes 0. Returns the sum. Softmax is the powers by their sum.
///
/// 2ⁿ times the best polynomial of degree 4 for 2ʳ on |r| ≤ 1/2.
#[inline(always)]
pub fn powers<I: Instructions>(row: &mut [f32], count: usize, scale: f32) -> f32 {
    let scale = scale * std::f32::consts::LOG2_E;
    let whole = count.next_multiple_of(LANES).min(row.len());
    row[count..whole].fill(f32::NEG_INFINITY);
    row[whole..].fill(0.0);
    let row = row[..whole].as_chunks_mut::<LANES>().0;
    let mut most = [f32::NEG_INFINITY; LANES];
    for lanes in row.iter() {
        most.iter_mut().zip(lanes).for_each(|(m, &x)| *m = if x > *m { x } else { *m });
    }
    let most = halves(most, |a, b| if a > b { a } else { b }) * scale;
    let mut sums = [0.0; LANES];
    for lanes in row {
        for (sum, x) in sums.iter_mut().zip(lanes) {
            let power = I::fused(*x, scale, -most);
            // The least that is no subnormal number, which takes some processors a hundred times as long.
            let power = if power > -125.0 { power } else { -125.0 };
            let shifted = power + ROUND;
            let r = power - (shifted - ROUND);
            let mut p = 0.009_570_1;
            for c in [0.055_917_87, 0.240_247_45, 0.693_121_8, 0.999_999_3] {
                p = I::fused(r, p, c);
            }
            *x = p * f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
            *sum += *x;
        }
    }
    halves(sums, |a, b| a + b)
}

/// All lanes in one, half by half.
#[inline(always)]
fn halves(lanes: [f32; LANES], join: impl Fn(f32, f32) -> f32) -> f32 {
    let lanes: [f32; 8] = std::array::from_fn(|i| join(lanes[i], lanes[i + 8]));
    let lanes: [f32; 4] = std::array::from_fn(|i| join(lanes[i], lanes[i + 4]));
    let lanes: [f32; 2] = std::array::from_fn(|i| join(lanes[i], lanes[i + 2]));
    join(lanes[0], lanes[1])
}

/// x · Φ(x) to 1e-4, in place: enough where the result becomes a bfloat16.
///
/// Φ(x) - 1/2 is x times a polynomial in x² up to |x| = 4.2, the best one of degree 7 that is 1/2 there; beyond, Φ is 0 or 1.
#[inline(always)]
pub fn gelu<I: Instructions>(row: &mut [f32]) {
    const END: f32 = 4.2;
    for x in row {
        let y = x.clamp(-END, END);
        let t = y * y;
        let mut p = -9.017_534_5e-10;
        for c in [
            7.941_341e-8,
            -3.037_932e-6,
            6.689_07e-5,
            -9.506_575e-4,
            0.009_298_23,
            -0.065_528_2,
            0.398_465_87,
        ] {
            p = I::fused(t, p, c);
        }
        *x *= I::fused(y, p, 0.5);
    }
}

#[cfg(test)]
mod tests {
    use super::super::elementwise::tests::{Fused, gelu_in_f64, row};
    use super::*;

    #[test]
    fn powers_by_their_sum_are_softmax_without_the_rest() {
        let input = row(-40.0, 30.0, 64);
        for count in [1, 15, 16, 37, 64] {
            let mut found = input.clone();
            let sum = f64::from(powers::<Fused>(&mut found, count, 0.25));
            let power = |x: f32| ((f64::from(x) - f64::from(input[count - 1])) * 0.25).exp();
            let total: f64 = input[..count].iter().copied().map(power).sum();
            assert!((sum - total).abs() < 1e-5 * total, "{sum} {total}");
            for (found, x) in found[..count].iter().zip(&input) {
                assert!(
                    (f64::from(*found) - power(*x)).abs() < 5e-6 * power(*x) + 1e-30,
                    "{found} {}",
                    power(*x)
                );
            }
            assert!(found[count..].iter().all(|&x| (0.0..1e-37).contains(&x) && !x.is_subnormal()));
        }
    }

    #[test]
    fn the_gelu_is_off_by_less_than_a_bfloat16_shows() {
        let xs = row(-12.0, 12.0, 40_001);
        let mut all = xs.clone();
        gelu::<Fused>(&mut all);
        for (x, found) in xs.iter().zip(&all) {
            let expected = gelu_in_f64(f64::from(*x));
            assert!((f64::from(*found) - expected).abs() < 1.6e-4, "gelu({x}) = {found}, not {expected}");
        }
    }
}
