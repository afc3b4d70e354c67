//! Products of many rows with few weights. A general product first copies the rows into panels, which for four classes
//! takes longer than the product itself.

/// Lanes in which a sum runs, whatever the width of the vectors.
const LANES: usize = 8;

/// Classes whose sums run side by side, and rows that are added at once.
const AT_ONCE: usize = 4;

/// `rows × width` numbers, row-major.
#[derive(Clone, Copy)]
pub struct DenseRows<'a> {
    /// Row after row.
    pub values: &'a [f32],
    /// Length of a row.
    pub width: usize,
}

impl DenseRows<'_> {
    fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.width..(row + 1) * self.width]
    }

    /// Add the products with `weights`, `classes × width`, to `out`, `rows × classes`.
    pub fn add_products(self, weights: &[f32], out: &mut [f32]) {
        struct Products<'a>(DenseRows<'a>, &'a [f32], &'a mut [f32]);

        impl pulp::WithSimd for Products<'_> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: pulp::Simd>(self, _: S) {
                let Self(rows, weights, out) = self;
                let classes = weights.len() / rows.width;
                let of = |class: usize| &weights[class * rows.width..(class + 1) * rows.width];
                for first in (0..classes).step_by(AT_ONCE) {
                    // Past the last one it is multiplied again, and the product not used.
                    let weights = std::array::from_fn(|i| of((first + i).min(classes - 1)));
                    for (row, out) in out.chunks_exact_mut(classes).enumerate() {
                        let sums = products(rows.row(row), weights);
                        out[first..].iter_mut().zip(sums).for_each(|(out, sum)| *out += sum);
                    }
                }
            }
        }

        if self.width > 0 && !weights.is_empty() {
            pulp::Arch::new().dispatch(Products(self, weights, out));
        }
    }

    /// Add the rows, each times its line of `factors`, `rows × classes`, to `out`, `classes × width`.
    pub fn add_weighted(self, factors: &[f32], out: &mut [f32]) {
        struct Weighted<'a>(DenseRows<'a>, &'a [f32], &'a mut [f32]);

        impl pulp::WithSimd for Weighted<'_> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: pulp::Simd>(self, _: S) {
                let Self(rows, factors, out) = self;
                let count = rows.values.len() / rows.width;
                let classes = factors.len() / count;
                for first in (0..count).step_by(AT_ONCE) {
                    let places = std::array::from_fn(|i| (first + i).min(count - 1));
                    let four = places.map(|row| rows.row(row));
                    for (class, out) in out.chunks_exact_mut(rows.width).enumerate() {
                        let factor = |i: usize| {
                            if first + i < count { factors[places[i] * classes + class] } else { 0.0 }
                        };
                        add(out, four, std::array::from_fn(factor));
                    }
                }
            }
        }

        if !self.values.is_empty() {
            pulp::Arch::new().dispatch(Weighted(self, factors, out));
        }
    }
}

#[inline(always)]
fn products(row: &[f32], weights: [&[f32]; AT_ONCE]) -> [f32; AT_ONCE] {
    let (whole, rest) = row.as_chunks::<LANES>();
    let [w0, w1, w2, w3] = weights.map(|weights| &weights.as_chunks::<LANES>().0[..whole.len()]);
    // By names, since sums of which a loop finds the place do not stay in registers.
    let [mut s0, mut s1, mut s2, mut s3] = [[0.0; LANES]; AT_ONCE];
    for (i, values) in whole.iter().enumerate() {
        add_product(&mut s0, values, &w0[i]);
        add_product(&mut s1, values, &w1[i]);
        add_product(&mut s2, values, &w2[i]);
        add_product(&mut s3, values, &w3[i]);
    }
    let (sums, from) = ([s0, s1, s2, s3], row.len() - rest.len());
    std::array::from_fn(|i| {
        let rest = rest.iter().zip(&weights[i][from..]).map(|(value, weight)| value * weight);
        sums[i].iter().sum::<f32>() + rest.sum::<f32>()
    })
}

#[inline(always)]
fn add_product(sums: &mut [f32; LANES], values: &[f32; LANES], weights: &[f32; LANES]) {
    (0..LANES).for_each(|lane| sums[lane] += values[lane] * weights[lane]);
}

#[inline(always)]
fn add(out: &mut [f32], rows: [&[f32]; AT_ONCE], factors: [f32; AT_ONCE]) {
    let [a, b, c, d] = rows.map(|row| &row[..out.len()]);
    for (i, out) in out.iter_mut().enumerate() {
        *out += (factors[0] * a[i] + factors[1] * b[i]) + (factors[2] * c[i] + factors[3] * d[i]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against sums in double precision, over rows, widths and classes that fill no block.
    #[test]
    fn products_are_those_of_single_numbers() {
        for (count, width, classes) in [(1, 1, 1), (3, 7, 2), (4, 8, 4), (9, 19, 5), (30, 40, 9)] {
            let number = |i: usize, step: usize| ((i * step % 101) as f32 - 50.0) / 50.0;
            let values: Vec<f32> = (0..count * width).map(|i| number(i, 37)).collect();
            let weights: Vec<f32> = (0..classes * width).map(|i| number(i, 53)).collect();
            let factors: Vec<f32> = (0..count * classes).map(|i| number(i, 71)).collect();
            let rows = DenseRows { values: &values, width };
            let (mut products, mut sums) = (vec![1.0f32; count * classes], vec![1.0f32; classes * width]);
            rows.add_products(&weights, &mut products);
            rows.add_weighted(&factors, &mut sums);
            for class in 0..classes {
                let weight = |i: usize| f64::from(weights[class * width + i]);
                for row in 0..count {
                    let of = |i: usize| f64::from(values[row * width + i]) * weight(i);
                    let expected = 1.0 + (0..width).map(of).sum::<f64>();
                    assert!((f64::from(products[row * classes + class]) - expected).abs() < 1e-5);
                }
                for i in 0..width {
                    let of = |row: usize| {
                        f64::from(values[row * width + i]) * f64::from(factors[row * classes + class])
                    };
                    let expected = 1.0 + (0..count).map(of).sum::<f64>();
                    assert!((f64::from(sums[class * width + i]) - expected).abs() < 1e-5);
                }
            }
        }
    }
}
