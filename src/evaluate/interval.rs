//! Intervals: Wilson's for a proportion, the stratified bootstrap for the rest.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// 97.5 % point of the standard normal distribution.
const Z: f64 = 1.959963984540054;

/// Resamples of a bootstrap: the 2.5 % and 97.5 % points are then known to about half a percent of their distance.
const RESAMPLES: usize = 2000;

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
}

/// A difference in three digits with its sign; what rounds to nothing has none of a loss.
pub fn signed(value: f64) -> String {
    let text = format!("{value:+.3}");
    if text == "-0.000" { "+0.000".into() } else { text }
}

/// Wilson's score interval (Wilson 1927) for `successes` of `trials`, at 95 %.
///
/// With no trials the value is 0 and the interval is everything.
pub fn wilson(successes: usize, trials: usize) -> Estimate {
    if trials == 0 {
        return Estimate { value: 0.0, low: 0.0, high: 1.0 };
    }
    let (n, p) = (trials as f64, successes as f64 / trials as f64);
    let centre = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    Estimate { value: p, low: (centre - half).max(0.0), high: (centre + half).min(1.0) }
}

/// Mean with its bootstrap interval; see `stratified_bootstrap`.
pub fn mean_with_interval(values: &[f64], seed: u64) -> Estimate {
    let mean =
        |rows: &[usize]| vec![rows.iter().map(|&row| values[row]).sum::<f64>() / rows.len().max(1) as f64];
    stratified_bootstrap(&[(0..values.len()).collect()], seed, mean)[0]
}

/// Percentile bootstrap (Efron & Tibshirani 1993, ch. 13), resampling with replacement inside each stratum.
///
/// The interval is shifted by the bootstrap's estimate of the bias (ch. 10): a figure such as ECE is larger on
/// resamples than on the rows themselves, and its plain percentiles can miss it. The shift takes no interval across
/// 0 or 1 where no resample lies beyond.
///
/// `strata` lists the rows of each class. `figures` computes all figures of one resample (rows may repeat); the result
/// has one estimate a figure, its value that of all rows once.
pub fn stratified_bootstrap(
    strata: &[Vec<usize>],
    seed: u64,
    mut figures: impl FnMut(&[usize]) -> Vec<f64>,
) -> Vec<Estimate> {
    let all: Vec<usize> = strata.iter().flatten().copied().collect();
    let values = figures(&all);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut drawn: Vec<Vec<f64>> = vec![Vec::with_capacity(RESAMPLES); values.len()];
    let mut sample = Vec::with_capacity(all.len());
    for _ in 0..RESAMPLES {
        sample.clear();
        for stratum in strata.iter().filter(|s| !s.is_empty()) {
            sample.extend((0..stratum.len()).map(|_| stratum[rng.random_range(0..stratum.len())]));
        }
        for (column, figure) in drawn.iter_mut().zip(figures(&sample)) {
            column.push(figure);
        }
    }
    values
        .into_iter()
        .zip(drawn)
        .map(|(value, mut column)| {
            column.sort_by(f64::total_cmp);
            let bias = column.iter().sum::<f64>() / column.len() as f64 - value;
            let least = if column[0] >= 0.0 { 0.0 } else { f64::NEG_INFINITY };
            let most = if column[column.len() - 1] <= 1.0 { 1.0 } else { f64::INFINITY };
            Estimate {
                value,
                low: (quantile(&column, 0.025) - bias).min(value).max(least),
                high: (quantile(&column, 0.975) - bias).max(value).min(most),
            }
        })
        .collect()
}

/// Linear interpolation between order statistics (Hyndman & Fan's type 7, NumPy's default).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
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
    fn nothing_has_no_sign_of_a_loss() {
        assert_eq!([-0.0004, 0.0004, -0.0006, 0.0126].map(signed), ["+0.000", "+0.000", "-0.001", "+0.013"]);
    }

    #[test]
    fn wilson_agrees_with_scipy() {
        // scipy.stats.binomtest(87, 107).proportion_ci(method="wilson")
        let estimate = wilson(87, 107);
        assert!((estimate.value - 0.8130841121495327).abs() < 1e-12);
        assert!((estimate.low - 0.7288517015069753).abs() < 1e-9, "{estimate:?}");
        assert!((estimate.high - 0.8756152616027801).abs() < 1e-9, "{estimate:?}");
        assert_eq!(wilson(0, 0), Estimate { value: 0.0, low: 0.0, high: 1.0 });
        assert!(wilson(5, 5).high <= 1.0 && wilson(5, 5).low > 0.5);
    }

    #[test]
    fn the_bootstrap_of_a_share_agrees_with_the_normal_approximation() {
        // 400 rows, half of them right: standard error 0.025.
        let strata = vec![(0..400).collect::<Vec<_>>()];
        let share =
            |rows: &[usize]| vec![rows.iter().filter(|&&r| r % 2 == 0).count() as f64 / rows.len() as f64];
        let estimate = stratified_bootstrap(&strata, 1, share)[0];
        assert_eq!(estimate.value, 0.5);
        assert!(
            (estimate.low - 0.451).abs() < 0.006 && (estimate.high - 0.549).abs() < 0.006,
            "{estimate:?}"
        );
    }

    #[test]
    fn a_figure_that_is_larger_on_resamples_lies_in_its_interval() {
        // Half are right, so the distance from a half is 0, and more on nearly every resample.
        let strata = vec![(0..400).collect::<Vec<_>>()];
        let estimate = stratified_bootstrap(&strata, 3, |rows| {
            let right = rows.iter().filter(|&&r| r % 2 == 0).count() as f64;
            vec![(right / rows.len() as f64 - 0.5).abs()]
        })[0];
        assert_eq!((estimate.value, estimate.low), (0.0, 0.0));
        assert!((0.02..0.06).contains(&estimate.high), "{estimate:?}");
    }

    #[test]
    fn strata_keep_their_sizes() {
        let strata = vec![vec![0, 1, 2], vec![10]];
        stratified_bootstrap(&strata, 2, |rows| {
            assert_eq!(rows.iter().filter(|&&r| r == 10).count(), 1);
            vec![rows.len() as f64]
        });
    }
}
