//! How far two labellers agree: the ceiling that any model can be measured against.

use serde::Serialize;

use super::interval::Estimate;
use super::resample::{Drawn, Sample};

/// Agreement of two labellers on ordered classes, with 95 % intervals.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// Rows that both have labelled.
    pub rows: usize,
    /// Share of rows with the same class (Wilson interval).
    pub raw: Estimate,
    /// Cohen's κ (Cohen 1960), unweighted (bootstrap interval, as below).
    pub kappa: Estimate,
    /// Krippendorff's α for ordinal data (Krippendorff 2004), the classes in their order.
    pub alpha: Estimate,
    /// Rows of each class of the first labeller (outer) by that of the second (inner).
    pub confusion: Vec<Vec<usize>>,
}

/// Agreement of `first` and `second`, one class index a row, below `classes`; classes are ordered by index.
pub fn agreement(first: &[usize], second: &[usize], classes: usize, seed: u64) -> Agreement {
    let table = |weights: &[f64]| {
        let mut table = vec![vec![0.0; classes]; classes];
        weights.iter().enumerate().for_each(|(row, weight)| table[first[row]][second[row]] += weight);
        table
    };
    let sample = Sample::new(first.len(), None);
    let whole = table(&vec![1.0; first.len()]);
    let drawn = [kappa(&whole), ordinal_alpha(&whole)].map(|value| Drawn { value, parts: 1 });
    let estimates = sample.intervals(seed, &drawn, |weights| {
        let mut table = table(&weights.rows);
        if classes > 1 && !first.is_empty() {
            let class = first[weights.any_below(first.len())];
            table[class][class] += weights.half_row();
            let other = (class + 1 + weights.any_below(classes - 1)) % classes;
            table[class][other] += weights.half_row();
        }
        vec![kappa(&table), ordinal_alpha(&table)]
    });
    Agreement {
        rows: first.len(),
        raw: sample.proportion(|_| true, |row| first[row] == second[row]),
        kappa: estimates[0].within([-1.0, 1.0]),
        alpha: estimates[1].within([-1.0, 1.0]),
        confusion: whole.iter().map(|row| row.iter().map(|&count| count as usize).collect()).collect(),
    }
}

/// (observed - expected) / (1 - expected) agreement; 1 where both used one and the same class.
fn kappa(table: &[Vec<f64>]) -> f64 {
    let total = table.iter().flatten().sum::<f64>();
    let share = |count: f64| count / total.max(f64::MIN_POSITIVE);
    let observed: f64 = (0..table.len()).map(|c| share(table[c][c])).sum();
    let column = |c: usize| table.iter().map(|row| row[c]).sum::<f64>();
    let expected: f64 = (0..table.len()).map(|c| share(table[c].iter().sum()) * share(column(c))).sum();
    if expected >= 1.0 { 1.0 } else { (observed - expected) / (1.0 - expected) }
}

/// 1 - observed / expected disagreement, with the ordinal metric
/// δ²(c, k) = (Σ_{g=c..k} n_g - (n_c + n_k) / 2)², n_g the values of class g by either labeller.
fn ordinal_alpha(table: &[Vec<f64>]) -> f64 {
    let classes = table.len();
    let values: Vec<f64> = (0..classes)
        .map(|c| table[c].iter().sum::<f64>() + table.iter().map(|row| row[c]).sum::<f64>())
        .collect();
    let total: f64 = values.iter().sum();
    let distance = |a: usize, b: usize| {
        let (low, high) = (a.min(b), a.max(b));
        let between: f64 = values[low..=high].iter().sum();
        (between - (values[low] + values[high]) / 2.0).powi(2)
    };
    let (mut observed, mut expected) = (0.0, 0.0);
    for a in 0..classes {
        for b in 0..classes {
            observed += (table[a][b] + table[b][a]) / total * distance(a, b);
            expected += values[a] * values[b] / (total * (total - 1.0)) * distance(a, b);
        }
    }
    if expected > 0.0 { 1.0 - observed / expected } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values from scikit-learn 1.9 (`cohen_kappa_score`) and the PyPI package krippendorff 0.9
    /// (`alpha(..., level_of_measurement="ordinal")`).
    #[test]
    fn agreement_agrees_with_reference_implementations() {
        let first = [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 0, 2];
        let second = [0, 0, 1, 1, 1, 2, 1, 2, 2, 1, 3, 3, 2, 3, 0, 3];
        let found = agreement(&first, &second, 4, 1);
        assert!((found.raw.value - 11.0 / 16.0).abs() < 1e-12);
        assert!((found.kappa.value - 0.5833333333333333).abs() < 1e-9, "{}", found.kappa.value);
        assert!((found.alpha.value - 0.8724630770735524).abs() < 1e-9, "{}", found.alpha.value);
        assert!(found.kappa.low < found.kappa.value && found.kappa.value < found.kappa.high);
        assert_eq!(found.confusion[2], [0, 1, 2, 1]);
    }

    #[test]
    fn full_agreement_is_one() {
        let same = agreement(&[0, 1, 2], &[0, 1, 2], 3, 1);
        assert_eq!((same.kappa.value, same.alpha.value), (1.0, 1.0));
    }
}
