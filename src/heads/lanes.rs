//! Loops over long rows of numbers, written in the processor's vectors: what a compiler makes of the same loops over lists
//! changes from one release to the next, by a factor of ten.
//!
//! A sum's order hangs on the length of the vectors, so its last bits may differ between kinds of processors; they do not
//! hang on what else is summed beside it.

use std::ops::{Add, AddAssign, Div, Mul, Sub};

use pulp::{Simd, WithSimd};

/// Rows that go through a loop side by side, so that what is loaded once serves all of them.
pub const OWN: usize = 2;
pub const OTHERS: usize = 4;

/// Numbers of single or double precision.
pub trait Real:
    Copy
    + Default
    + PartialOrd
    + Into<f64>
    + From<f32>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + AddAssign
    + Send
    + Sync
    + 'static
{
    /// The nearest one.
    fn of(value: f64) -> Self;

    /// Σ `a` · `b`, which are equally long.
    fn dot(a: &[Self], b: &[Self]) -> Self;

    /// Products of each of `own` with each of `others`, all equally long.
    fn products<S: Simd>(simd: S, own: [&[Self]; OWN], others: [&[Self]; OTHERS]) -> [[Self; OTHERS]; OWN];

    /// Squared lengths of the differences of each of `own` and each of `others`, all equally long.
    fn squared_differences<S: Simd>(
        simd: S,
        own: [&[Self]; OWN],
        others: [&[Self]; OTHERS],
    ) -> [[Self; OTHERS]; OWN];

    /// Add the `rows`, each times its factor, to `out`, all equally long.
    fn add_rows<S: Simd>(simd: S, out: &mut [Self], rows: [&[Self]; OTHERS], factors: [Self; OTHERS]);
}

macro_rules! real {
    ($real:ty, $sums:ident, $as_simd:ident, $as_mut_simd:ident, $load:ident, $store:ident, $splat:ident, $multiply_add:ident,
     $subtract:ident, $sum:ident) => {
        impl Real for $real {
            fn of(value: f64) -> Self {
                value as Self
            }

            fn dot(a: &[Self], b: &[Self]) -> Self {
                struct Dot<'a>(&'a [$real], &'a [$real]);

                impl WithSimd for Dot<'_> {
                    type Output = $real;

                    #[inline(always)]
                    fn with_simd<S: Simd>(self, simd: S) -> $real {
                        let ((a, a_rest), (b, b_rest)) = (S::$as_simd(self.0), S::$as_simd(self.1));
                        let mut sums = [simd.$splat(0.0); 4];
                        let (fours, rest) = a.as_chunks::<4>();
                        let (b_fours, b_few) = b.as_chunks::<4>();
                        for (a, b) in fours.iter().zip(b_fours) {
                            sums[0] = simd.$multiply_add(a[0], b[0], sums[0]);
                            sums[1] = simd.$multiply_add(a[1], b[1], sums[1]);
                            sums[2] = simd.$multiply_add(a[2], b[2], sums[2]);
                            sums[3] = simd.$multiply_add(a[3], b[3], sums[3]);
                        }
                        for (a, b) in rest.iter().zip(b_few) {
                            sums[0] = simd.$multiply_add(*a, *b, sums[0]);
                        }
                        let last = simd.$multiply_add(simd.$load(a_rest), simd.$load(b_rest), sums[1]);
                        (simd.$sum(sums[0]) + simd.$sum(last)) + (simd.$sum(sums[2]) + simd.$sum(sums[3]))
                    }
                }

                assert_eq!(a.len(), b.len());
                pulp::Arch::new().dispatch(Dot(a, b))
            }

            #[inline(always)]
            fn products<S: Simd>(
                simd: S,
                own: [&[Self]; OWN],
                others: [&[Self]; OTHERS],
            ) -> [[Self; OTHERS]; OWN] {
                let add = |own, other, sum| simd.$multiply_add(own, other, sum);
                real!(pairs, simd, own, others, $as_simd, $load, $splat, $sum, add)
            }

            #[inline(always)]
            fn squared_differences<S: Simd>(
                simd: S,
                own: [&[Self]; OWN],
                others: [&[Self]; OTHERS],
            ) -> [[Self; OTHERS]; OWN] {
                let add = |own, other, sum| {
                    let off = simd.$subtract(own, other);
                    simd.$multiply_add(off, off, sum)
                };
                real!(pairs, simd, own, others, $as_simd, $load, $splat, $sum, add)
            }

            #[inline(always)]
            fn add_rows<S: Simd>(
                simd: S,
                out: &mut [Self],
                rows: [&[Self]; OTHERS],
                factors: [Self; OTHERS],
            ) {
                let (out, out_rest) = S::$as_mut_simd(out);
                let [(a, a_rest), (b, b_rest), (c, c_rest), (d, d_rest)] = rows.map(S::$as_simd);
                let [fa, fb, fc, fd] = factors.map(|factor| simd.$splat(factor));
                let sum = |out, [a, b, c, d]: [S::$sums; OTHERS]| {
                    let out = simd.$multiply_add(a, fa, out);
                    let out = simd.$multiply_add(b, fb, out);
                    let out = simd.$multiply_add(c, fc, out);
                    simd.$multiply_add(d, fd, out)
                };
                for ((((out, a), b), c), d) in out.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                    *out = sum(*out, [*a, *b, *c, *d]);
                }
                let rest = [a_rest, b_rest, c_rest, d_rest].map(|rest| simd.$load(rest));
                let last = sum(simd.$load(out_rest), rest);
                simd.$store(out_rest, last);
            }
        }
    };
    // Sums over pairs of numbers for each pair of rows. By names, since sums of which a loop finds the place do not stay in
    // registers.
    (pairs, $simd:ident, $own:ident, $others:ident, $as_simd:ident, $load:ident, $splat:ident, $sum:ident, $add:ident) => {{
        let [(x, x_rest), (y, y_rest)] = $own.map(S::$as_simd);
        let [(a, a_rest), (b, b_rest), (c, c_rest), (d, d_rest)] = $others.map(S::$as_simd);
        let zero = $simd.$splat(0.0);
        let (mut xa, mut xb, mut xc, mut xd) = (zero, zero, zero, zero);
        let (mut ya, mut yb, mut yc, mut yd) = (zero, zero, zero, zero);
        for (((((&x, &y), &a), &b), &c), &d) in x.iter().zip(y).zip(a).zip(b).zip(c).zip(d) {
            (xa, xb, xc, xd) = ($add(x, a, xa), $add(x, b, xb), $add(x, c, xc), $add(x, d, xd));
            (ya, yb, yc, yd) = ($add(y, a, ya), $add(y, b, yb), $add(y, c, yc), $add(y, d, yd));
        }
        // What is missing of a last vector is 0 everywhere.
        let [x, y] = [x_rest, y_rest].map(|rest| $simd.$load(rest));
        let [a, b, c, d] = [a_rest, b_rest, c_rest, d_rest].map(|rest| $simd.$load(rest));
        let own = [$add(x, a, xa), $add(x, b, xb), $add(x, c, xc), $add(x, d, xd)];
        let next = [$add(y, a, ya), $add(y, b, yb), $add(y, c, yc), $add(y, d, yd)];
        [own.map(|sum| $simd.$sum(sum)), next.map(|sum| $simd.$sum(sum))]
    }};
}

real!(
    f32,
    f32s,
    as_simd_f32s,
    as_mut_simd_f32s,
    partial_load_f32s,
    partial_store_f32s,
    splat_f32s,
    mul_add_e_f32s,
    sub_f32s,
    reduce_sum_f32s
);
real!(
    f64,
    f64s,
    as_simd_f64s,
    as_mut_simd_f64s,
    partial_load_f64s,
    partial_store_f64s,
    splat_f64s,
    mul_add_e_f64s,
    sub_f64s,
    reduce_sum_f64s
);

#[cfg(test)]
mod tests {
    use super::*;

    struct Loops<'a, T> {
        own: [&'a [T]; OWN],
        others: [&'a [T]; OTHERS],
        factors: [T; OTHERS],
    }

    impl<T: Real> WithSimd for Loops<'_, T> {
        type Output = ([[T; OTHERS]; OWN], [[T; OTHERS]; OWN], Vec<T>);

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
            let mut out = self.own[0].to_vec();
            T::add_rows(simd, &mut out, self.others, self.factors);
            (
                T::products(simd, self.own, self.others),
                T::squared_differences(simd, self.own, self.others),
                out,
            )
        }
    }

    /// Against sums of single numbers, over lengths that fill no vector.
    fn checked<T: Real>(most: f64) {
        for length in [0, 1, 3, 7, 8, 15, 16, 17, 64, 131] {
            let row = |i: usize| -> Vec<T> {
                (0..length).map(|k| T::of((((k * 37 + i * 53) % 101) as f64 - 50.0) / 50.0)).collect()
            };
            let rows: Vec<Vec<T>> = (0..OWN + OTHERS).map(row).collect();
            let own = std::array::from_fn(|i| &rows[i][..]);
            let others = std::array::from_fn(|i| &rows[OWN + i][..]);
            let factors = std::array::from_fn(|i| T::of(i as f64 - 1.25));
            let (products, differences, out) = pulp::Arch::new().dispatch(Loops { own, others, factors });
            let near = |found: T, expected: f64| assert!((found.into() - expected).abs() < most, "{length}");
            let pairs = |a: &[T], b: &[T]| -> Vec<[f64; 2]> {
                a.iter().zip(b).map(|(&a, &b)| [a.into(), b.into()]).collect()
            };
            for i in 0..OWN {
                for j in 0..OTHERS {
                    let both = pairs(own[i], others[j]);
                    near(products[i][j], both.iter().map(|[a, b]| a * b).sum());
                    near(differences[i][j], both.iter().map(|[a, b]| (a - b).powi(2)).sum());
                    near(T::dot(own[i], others[j]), both.iter().map(|[a, b]| a * b).sum());
                }
            }
            for k in 0..length {
                let added = (0..OTHERS).map(|i| others[i][k].into() * (i as f64 - 1.25)).sum::<f64>();
                near(out[k], own[0][k].into() + added);
            }
        }
    }

    #[test]
    fn loops_in_vectors_are_those_over_single_numbers() {
        checked::<f32>(1e-4);
        checked::<f64>(1e-12);
    }
}
