//! Intervals of figures that are no proportions: the Bayesian bootstrap over groups of rows.
//!
//! Rubin 1981: every group of rows that belong together gets a random weight, exponentially distributed, and the figure of
//! the weighted rows is drawn again and again. No row ever vanishes, as it does from resamples of a class of five. What never
//! happened among the rows may happen among new ones, so each draw also holds half a row that is right and half a row that
//! is wrong, of random weight, as Jeffreys' prior of a proportion does: no interval has width zero.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1, StandardNormal};
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::interval::Estimate;

/// Draws: the 2.5 % and 97.5 % points are then known to about half a percent of their distance.
const DRAWS: usize = 2000;

/// Of fewer independent rows the simulations of docs/intervals.md find no interval that holds.
const LEAST_GROUPS: f64 = 10.0;

/// A figure of the rows at hand.
#[derive(Clone, Copy, Debug)]
pub struct Drawn {
    /// Its value.
    pub value: f64,
    /// Parts of the rows, each with its own figure, that it is the mean of: classes, bins, or 1.
    pub parts: usize,
}

/// Rows by the groups that belong together: near-duplicates say the same twice.
#[derive(Clone, Debug)]
pub struct Sample {
    groups: Vec<Vec<usize>>,
    rows: usize,
}

/// What one draw weighs.
pub struct Weights {
    /// Of each row; 1 in the mean.
    pub rows: Vec<f64>,
    /// What half a row more weighs is random too; it counts as half a group of mean size.
    half: f64,
    rng: ChaCha8Rng,
}

impl Weights {
    /// The weight of half a row more: Γ(1/2) times the mean size of a group.
    pub fn half_row(&mut self) -> f64 {
        let normal: f64 = StandardNormal.sample(&mut self.rng);
        self.half * normal * normal / 2.0
    }

    /// A number below `end`, which is positive.
    pub fn any_below(&mut self, end: usize) -> usize {
        self.rng.random_range(0..end)
    }

    /// A place, each with its share of `shares`; the last where they are all 0.
    pub fn any_of(&mut self, shares: impl Iterator<Item = f64> + Clone) -> usize {
        let mut rest = self.rng.random::<f64>() * shares.clone().sum::<f64>();
        let mut last = 0;
        for (place, share) in shares.enumerate() {
            rest -= share;
            last = place;
            if rest < 0.0 {
                break;
            }
        }
        last
    }
}

impl Sample {
    /// Of so many rows; `groups` has the group of each, or every row stands for itself.
    pub fn new(rows: usize, groups: Option<&[usize]>) -> Self {
        let Some(groups) = groups else {
            return Self { groups: (0..rows).map(|row| vec![row]).collect(), rows };
        };
        let mut places: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        groups.iter().enumerate().for_each(|(row, &group)| places.entry(group).or_default().push(row));
        Self { groups: places.into_values().collect(), rows }
    }

    /// How many groups.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// As many rows as those of `among` are worth if all of a group say the same: n² / Σ m² over groups of m (Kish 1965).
    pub fn worth(&self, among: impl Fn(usize) -> bool) -> f64 {
        let sizes = self.groups.iter().map(|group| group.iter().filter(|row| among(**row)).count() as f64);
        let [rows, squares] = sizes.fold([0.0, 0.0], |[rows, squares], m| [rows + m, squares + m * m]);
        if squares > 0.0 { rows * rows / squares } else { 0.0 }
    }

    /// A proportion: the rows that are a success among those that are tried, with the Wilson interval of as many independent
    /// trials as the rows are worth (Korn & Graubard 1998): their number over the design effect, the ratio of the
    /// linearised variance over groups to that of independent rows, times the ratio of the normal's to Student's point for
    /// so many groups, squared. Where all tried rows are alike nothing shows how alike groups are, and each group is one trial.
    pub fn proportion(&self, tried: impl Fn(usize) -> bool, success: impl Fn(usize) -> bool) -> Estimate {
        let counts = |group: &Vec<usize>| {
            let tried: Vec<usize> = group.iter().copied().filter(|&row| tried(row)).collect();
            (tried.len() as f64, tried.into_iter().filter(|&row| success(row)).count() as f64)
        };
        let counts: Vec<(f64, f64)> =
            self.groups.iter().map(counts).filter(|(tried, _)| *tried > 0.0).collect();
        let trials: f64 = counts.iter().map(|c| c.0).sum();
        let successes: f64 = counts.iter().map(|c| c.1).sum();
        let groups = counts.len() as f64;
        if groups == trials {
            return wilson(successes, trials);
        }
        let share = successes / trials;
        let independent = share * (1.0 - share) / trials;
        let between: f64 = counts.iter().map(|(tried, success)| (success - share * tried).powi(2)).sum();
        let effect = between * groups / (groups - 1.0) / (trials * trials) / independent;
        let worth = if independent > 0.0 && groups > 1.0 { trials / effect.max(1.0) } else { groups };
        let student = if groups > 1.0 { Z / student_point(groups - 1.0) } else { 1.0 };
        let worth = (worth * student * student).min(trials);
        Estimate { value: share, ..wilson(share * worth, worth) }
    }

    /// 95 % intervals of several figures at once. `drawn` are those of the rows at hand, `draw` makes them of weighted rows.
    ///
    /// The percentiles of the draws are moved by what their mean is off the value (what the prior, and a figure that is greater
    /// or smaller on fewer rows, bring about), and they lie further out where groups are few: by Student's quantile, and since
    /// a draw of n rows and the prior varies as if there were n + 2 of n - 1 (Hesterberg 2015, section 3.5, for the idea). Of
    /// fewer than ten, or of fewer than two for each part, nothing is known: the interval is everything.
    pub fn intervals(
        &self,
        seed: u64,
        drawn: &[Drawn],
        mut draw: impl FnMut(&mut Weights) -> Vec<f64>,
    ) -> Vec<Estimate> {
        let mut columns: Vec<Vec<f64>> = vec![Vec::with_capacity(DRAWS); drawn.len()];
        let half = self.rows as f64 / self.groups.len().max(1) as f64;
        let mut weights = Weights { rows: vec![0.0; self.rows], half, rng: ChaCha8Rng::seed_from_u64(seed) };
        for _ in 0..DRAWS {
            for group in &self.groups {
                let weight: f64 = Exp1.sample(&mut weights.rng);
                group.iter().for_each(|&row| weights.rows[row] = weight);
            }
            columns.iter_mut().zip(draw(&mut weights)).for_each(|(column, value)| column.push(value));
        }
        let of = |(&Drawn { value, parts }, mut column): (&Drawn, Vec<f64>)| {
            let Some(tail) = self.tail(parts) else {
                return Estimate { value, low: f64::NEG_INFINITY, high: f64::INFINITY };
            };
            column.sort_by(f64::total_cmp);
            let bias = column.iter().sum::<f64>() / column.len() as f64 - value;
            let [low, high] = [tail, 1.0 - tail].map(|share| quantile(&column, share) - bias);
            Estimate { value, low: low.min(value), high: high.max(value) }
        };
        drawn.iter().zip(columns).map(of).collect()
    }

    /// The mean of one value a row.
    pub fn mean(&self, seed: u64, values: &[f64]) -> Estimate {
        let mean = |weights: &[f64]| {
            let sum: f64 = weights.iter().zip(values).map(|(weight, value)| weight * value).sum();
            sum / weights.iter().sum::<f64>().max(f64::MIN_POSITIVE)
        };
        let drawn = Drawn { value: mean(&vec![1.0; self.rows]), parts: 1 };
        self.intervals(seed, &[drawn], |weights| vec![mean(&weights.rows)])[0]
    }

    /// What lies below the lower end.
    fn tail(&self, parts: usize) -> Option<f64> {
        let (groups, parts) = (self.groups.len() as f64, parts.max(1) as f64);
        let each = groups / parts;
        if groups < LEAST_GROUPS || each < 2.0 {
            return None;
        }
        let further = student_point(groups - parts) * ((each + 2.0) / (each - 1.0)).sqrt();
        Some(Normal::standard().cdf(-further))
    }
}

/// 97.5 % point of the standard normal distribution.
const Z: f64 = 1.959963984540054;

/// 97.5 % point of Student's distribution.
fn student_point(freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom).map_or(f64::INFINITY, |student| student.inverse_cdf(0.975))
}

/// Wilson's score interval (Wilson 1927) at 95 % for `successes` of `trials`, which need not be whole.
///
/// With no trials the value is 0 and the interval is everything.
pub fn wilson(successes: f64, trials: f64) -> Estimate {
    if trials <= 0.0 {
        return Estimate { value: 0.0, low: 0.0, high: 1.0 };
    }
    let (n, p) = (trials, successes / trials);
    let centre = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    Estimate { value: p, low: (centre - half).max(0.0), high: (centre + half).min(1.0) }
}

/// Linear interpolation between order statistics (Hyndman & Fan's type 7, NumPy's default).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_agrees_with_statsmodels() {
        // statsmodels.stats.proportion.proportion_confint(8, 10, method="wilson") == (0.4901624715, 0.9433178485)
        let found = wilson(8.0, 10.0);
        assert!((found.low - 0.4901624715).abs() < 1e-9 && (found.high - 0.9433178485).abs() < 1e-9);
        let all = wilson(3.0, 3.0);
        assert!(all.high == 1.0 && all.low > 0.4 && all.low < 0.5);
    }

    #[test]
    fn wilson_agrees_with_scipy() {
        // scipy.stats.binomtest(87, 107).proportion_ci(method="wilson")
        let estimate = Sample::new(107, None).proportion(|_| true, |row| row < 87);
        assert!((estimate.value - 0.8130841121495327).abs() < 1e-12);
        assert!((estimate.low - 0.7288517015069753).abs() < 1e-9, "{estimate:?}");
        assert!((estimate.high - 0.8756152616027801).abs() < 1e-9, "{estimate:?}");
        let none = Sample::new(5, None).proportion(|_| false, |_| true);
        assert_eq!(none, Estimate { value: 0.0, low: 0.0, high: 1.0 });
    }

    /// Each row four times: what they say is worth a quarter of the rows, and less for the few groups.
    #[test]
    fn copies_are_worth_one_row() {
        let groups: Vec<usize> = (0..400).map(|row| row % 100).collect();
        let copies = Sample::new(400, Some(&groups));
        let once = Sample::new(100, None).proportion(|_| true, |row| row < 80);
        let four = copies.proportion(|_| true, |row| row % 100 < 80);
        assert_eq!(four.value, once.value);
        assert!(four.low <= once.low && four.low > once.low - 0.01, "{four:?} {once:?}");
        // All right: nothing shows how alike the rows of a group are.
        let right = copies.proportion(|_| true, |_| true);
        assert!((right.low - Sample::new(100, None).proportion(|_| true, |_| true).low).abs() < 0.003);
        let values: Vec<f64> = (0..400).map(|row| f64::from(u8::from(row % 100 < 80))).collect();
        let mean = copies.mean(1, &values);
        assert!(
            (mean.low - once.low).abs() < 0.02 && (mean.high - once.high).abs() < 0.02,
            "{mean:?} {once:?}"
        );
    }

    #[test]
    fn the_mean_of_many_rows_agrees_with_the_normal_approximation() {
        // 400 rows, half of them 1: standard error 0.025.
        let values: Vec<f64> = (0..400).map(|row| f64::from(row % 2)).collect();
        let mean = Sample::new(400, None).mean(1, &values);
        assert_eq!(mean.value, 0.5);
        assert!((mean.low - 0.451).abs() < 0.006 && (mean.high - 0.549).abs() < 0.006, "{mean:?}");
    }
}
