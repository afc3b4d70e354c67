//! A learning curve: what more rows were worth, and what still more would be.

use std::collections::BTreeMap;

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::figure::Figure;
use super::interval::Estimate;
use super::paired::Folded;

/// What heads taught on a part of the rows gave, over the folds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CurvePoint {
    /// Share of a fold's training rows, in `(0, 1]`.
    pub share: f64,
    /// Mean number of rows that taught.
    pub rows: f64,
    /// Every figure; intervals are of the mean over the folds.
    pub figures: BTreeMap<Figure, Estimate>,
}

/// What more rows would be worth, by the curve.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gain {
    /// Rows more than there are.
    pub more_rows: usize,
    /// Macro-F1 with them minus that without, with a 95 % interval.
    pub macro_f1: Estimate,
    /// Accuracy likewise.
    pub accuracy: Estimate,
}

/// A learning curve.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// Name of the dataset.
    pub name: String,
    /// Folds of a repeat.
    pub folds: usize,
    /// Repeats.
    pub repeats: usize,
    /// Rows outside the test part.
    pub rows: usize,
    /// The shares, ascending; small ones are left out of few rows.
    pub points: Vec<CurvePoint>,
    /// What more rows would be worth; absent with fewer than three points.
    pub gain: Option<Gain>,
}

/// Exponents that are tried: figures approach what they would be of endless rows like a power of their number (Hestness et al.
/// 2017 found 0.07 to 0.35 for networks; averages over easy classes are faster).
const EXPONENTS: [f64; 12] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5];

/// Fewest points that say anything about a bend.
const LEAST_POINTS: usize = 3;

/// What going from `now` to `then` rows is worth, by power laws y = a - b · n^-c through each fold's `values`, one list a fold
/// with a value for each of `rows`. `None` with fewer than three points or two folds.
///
/// a and b are each fold's own, by least squares; the exponent is common and averaged over by how well it fits, with
/// correlated folds counted for as many as they are worth. The interval adds up what folds differ (as [`super::fold_mean`]) and what
/// exponents do.
pub fn extrapolate(
    rows: &[f64],
    values: &[Vec<f64>],
    folded: Folded,
    [now, then]: [f64; 2],
) -> Option<Estimate> {
    let (folds, points) = (values.len(), rows.len());
    if points < LEAST_POINTS || folds < 2 {
        return None;
    }
    let fits: Vec<Fitted> = EXPONENTS.iter().map(|&c| Fitted::new(rows, values, c, [now, then])).collect();
    let least = fits.iter().map(|fit| fit.squares).fold(f64::INFINITY, f64::min);
    let freedom = (folds * (points - 2)) as f64 - 1.0;
    let noise = (least / freedom).max(1e-12);
    // What folds that share most of their rows say together is worth fewer folds that share none.
    let worth = 1.0 / (1.0 + folds as f64 * folded.test_over_train);
    let weights: Vec<f64> =
        fits.iter().map(|fit| (-(fit.squares - least) * worth / (2.0 * noise)).exp()).collect();
    let whole: f64 = weights.iter().sum();
    let mean_over = |of: &dyn Fn(&Fitted) -> f64| {
        fits.iter().zip(&weights).map(|(fit, weight)| of(fit) * weight / whole).sum::<f64>()
    };
    let gains: Vec<f64> = (0..folds).map(|fold| mean_over(&|fit| fit.gains[fold])).collect();
    let n = folds as f64;
    let mean = |of: &[f64]| of.iter().sum::<f64>() / n;
    let value = mean(&gains);
    let between = gains.iter().map(|gain| (gain - value).powi(2)).sum::<f64>() / (n - 1.0);
    let of_exponents = mean_over(&|fit| (mean(&fit.gains) - value).powi(2));
    let deviation = (between * (1.0 / n + folded.test_over_train) + of_exponents).sqrt();
    let student = StudentsT::new(0.0, 1.0, n - 1.0).unwrap_or_else(|_| unreachable!("two folds or more"));
    let half = student.inverse_cdf(0.975) * deviation;
    Some(Estimate { value, low: value - half, high: value + half })
}

/// Power laws with one exponent, one a fold.
struct Fitted {
    /// Σ of the squared residuals of all folds.
    squares: f64,
    /// What the step is worth in each fold.
    gains: Vec<f64>,
}

impl Fitted {
    fn new(rows: &[f64], values: &[Vec<f64>], exponent: f64, [now, then]: [f64; 2]) -> Self {
        let x: Vec<f64> = rows.iter().map(|n| -n.powf(-exponent)).collect();
        let count = x.len() as f64;
        let centre = x.iter().sum::<f64>() / count;
        let spread = x.iter().map(|x| (x - centre).powi(2)).sum::<f64>().max(f64::MIN_POSITIVE);
        let step = now.powf(-exponent) - then.powf(-exponent);
        let (mut squares, mut gains) = (0.0, Vec::new());
        for y in values {
            let mean = y.iter().sum::<f64>() / count;
            let slope = x.iter().zip(y).map(|(x, y)| (x - centre) * (y - mean)).sum::<f64>() / spread;
            squares += x.iter().zip(y).map(|(x, y)| (y - mean - slope * (x - centre)).powi(2)).sum::<f64>();
            gains.push(slope * step);
        }
        Self { squares, gains }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, Normal};

    const SHARES: [f64; 5] = [0.1, 0.2, 0.4, 0.8, 1.0];

    #[test]
    fn a_power_law_is_continued_and_few_points_are_not() {
        let rows = SHARES.map(|share| share * 1000.0);
        let of = |n: f64| 0.8 - 0.9 * n.powf(-0.5);
        let values: Vec<Vec<f64>> =
            [0.0, 0.01, -0.01].iter().map(|off| rows.iter().map(|&n| of(n) + off).collect()).collect();
        let found = extrapolate(&rows, &values, Folded::of(3, 1000), [1000.0, 2000.0]).unwrap();
        assert!((found.value - (of(2000.0) - of(1000.0))).abs() < 1e-9, "{found:?}");
        let short: Vec<Vec<f64>> = values.iter().map(|of| of[..2].to_vec()).collect();
        assert!(extrapolate(&rows[..2], &short, Folded::of(3, 1000), [1000.0, 2000.0]).is_none());
        assert!(extrapolate(&rows, &values[..1], Folded::of(3, 1000), [1000.0, 2000.0]).is_none());
    }

    /// Curves with a known truth: folds differ by their held-out rows, which all points share, and points by their training.
    #[test]
    fn the_interval_holds_the_truth() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let folded = Folded::of(5, 1000);
        for exponent in [0.25, 0.5, 1.0] {
            let rows = SHARES.map(|share| share * 1000.0);
            let scale = 0.1 / (100f64.powf(-exponent) - 1000f64.powf(-exponent));
            let of = |n: f64| 0.85 - scale * n.powf(-exponent);
            let truth = of(1500.0) - of(1000.0);
            let mut held = 0;
            for _ in 0..400 {
                let noise =
                    |rng: &mut ChaCha8Rng, deviation: f64| Normal::new(0.0, deviation).unwrap().sample(rng);
                let values: Vec<Vec<f64>> = (0..15)
                    .map(|_| {
                        let fold = noise(&mut rng, 0.02);
                        rows.iter().map(|&n| of(n) + fold + noise(&mut rng, 0.01)).collect()
                    })
                    .collect();
                let found = extrapolate(&rows, &values, folded, [1000.0, 1500.0]).unwrap();
                held += usize::from((found.low..=found.high).contains(&truth));
            }
            assert!(held >= 372, "exponent {exponent}: {held} of 400");
        }
    }
}
