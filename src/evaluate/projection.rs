//! Rows of many values to two, for a map.

use ndarray::{Array1, Array2, ArrayView2, Axis};

/// The first two principal components of `rows` (Pearson 1901), `rows × 2`, by power iteration.
///
/// The sign of each is such that its largest value is positive, so that maps do not flip from run to run.
pub fn principal_components(rows: ArrayView2<'_, f32>) -> Array2<f32> {
    /// Enough for a map: what is left of a component with half the variance is 2⁻⁴⁰.
    const STEPS: usize = 40;
    let mean = rows.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(rows.ncols()));
    let mut centred = &rows - &mean;
    let mut projected = Array2::zeros((rows.nrows(), 2));
    for component in 0..2 {
        // Any start that is not at a right angle to the component does; this one is the same every time.
        let mut axis = Array1::from_shape_fn(rows.ncols(), |i| 1.0 + (i as f32 * 0.7).sin());
        for _ in 0..STEPS {
            let next = centred.t().dot(&centred.dot(&axis));
            let length = next.dot(&next).sqrt();
            if length < 1e-12 {
                break;
            }
            axis = next / length;
        }
        let mut values = centred.dot(&axis);
        let largest = values.iter().copied().fold(0.0f32, |a, b| if b.abs() > a.abs() { b } else { a });
        if largest < 0.0 {
            values = -values;
            axis = -axis;
        }
        for (mut row, value) in centred.axis_iter_mut(Axis(0)).zip(&values) {
            row.scaled_add(-value, &axis);
        }
        projected.column_mut(component).assign(&values);
    }
    projected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plane_is_laid_flat() {
        // Points of a plane in three dimensions, wider in one direction: distances stay.
        let points = Array2::from_shape_fn((40, 3), |(r, c)| {
            let (a, b) = ((r % 8) as f32 * 3.0, (r / 8) as f32);
            [a * 0.6 - b * 0.8, a * 0.8 + b * 0.6, 5.0][c]
        });
        let flat = principal_components(points.view());
        let distance = |m: &Array2<f32>, a: usize, b: usize| {
            let d = &m.row(a) - &m.row(b);
            d.dot(&d).sqrt()
        };
        for (a, b) in [(0, 39), (3, 20), (7, 8)] {
            assert!((distance(&points, a, b) - distance(&flat, a, b)).abs() < 1e-3);
        }
        let spread = |c: usize| flat.column(c).iter().map(|v| v * v).sum::<f32>();
        assert!(spread(0) > spread(1));
    }

    #[test]
    fn equal_rows_are_one_point() {
        assert!(principal_components(Array2::ones((3, 4)).view()).iter().all(|v| v.abs() < 1e-6));
    }
}
