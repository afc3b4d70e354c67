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
    let drawn = [kappa(&whole), ordinal_alpha(&both_ways(&whole))].map(|value| Drawn { value, parts: 1 });
    let estimates = sample.intervals(seed, &drawn, |weights| {
        let mut table = table(&weights.rows);
        if classes > 1 && !first.is_empty() {
            let class = first[weights.any_below(first.len())];
            table[class][class] += weights.half_row();
            let other = (class + 1 + weights.any_below(classes - 1)) % classes;
            table[class][other] += weights.half_row();
        }
        vec![kappa(&table), ordinal_alpha(&both_ways(&table))]
    });
    Agreement {
        rows: first.len(),
        raw: sample.proportion(|_| true, |row| first[row] == second[row]),
        kappa: estimates[0].within([-1.0, 1.0]),
        alpha: estimates[1].within([-1.0, 1.0]),
        confusion: whole.iter().map(|row| row.iter().map(|&count| count as usize).collect()).collect(),
    }
}

/// Agreement of several labelling passes on ordered classes, with 95 % intervals.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PassAgreement {
    /// Rows that two passes or more have labelled.
    pub rows: usize,
    /// Share of them that all passes give one class (Wilson interval).
    pub unanimous: Estimate,
    /// Krippendorff's α for ordinal data over all passes (Krippendorff 2004); rows may lack some of them.
    pub alpha: Estimate,
    /// Every two passes on the rows that both have labelled.
    pub pairs: Vec<PassPair>,
    /// What each pass is off the mean of the others, in classes of their order: above 0 where it answers higher ones.
    pub drift: Vec<PassDrift>,
}

/// Two of several passes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PassPair {
    /// Their names.
    pub passes: [String; 2],
    /// Their agreement.
    #[serde(flatten)]
    pub agreement: Agreement,
}

/// One of several passes beside the others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PassDrift {
    /// Its name.
    pub pass: String,
    /// Rows that it and another have labelled.
    pub rows: usize,
    /// Mean distance in classes.
    pub classes: Estimate,
}

/// Agreement of `passes`: the name of each, and its class of each row, below `classes`, `None` where it has none. Classes are
/// ordered by index. `None` where no two passes have labelled one row.
pub fn pass_agreement(
    passes: &[(String, Vec<Option<usize>>)],
    classes: usize,
    seed: u64,
) -> Option<PassAgreement> {
    let length = passes.first().map_or(0, |(_, of)| of.len());
    let said = |row: usize| passes.iter().filter_map(move |(_, of)| of[row]).collect::<Vec<usize>>();
    let rows: Vec<Vec<usize>> = (0..length).map(said).filter(|said| said.len() > 1).collect();
    if rows.is_empty() {
        return None;
    }
    let sample = Sample::new(rows.len(), None);
    let coincidences = |weights: &[f64]| {
        let mut table = vec![vec![0.0; classes]; classes];
        for (said, weight) in rows.iter().zip(weights) {
            for (i, a) in said.iter().enumerate() {
                for (_, b) in said.iter().enumerate().filter(|(j, _)| *j != i) {
                    table[*a][*b] += weight / (said.len() - 1) as f64;
                }
            }
        }
        table
    };
    let value = ordinal_alpha(&coincidences(&vec![1.0; rows.len()]));
    let alpha = sample.intervals(seed, &[Drawn { value, parts: 1 }], |weights| {
        let mut table = coincidences(&weights.rows);
        if classes > 1 {
            let class = rows[weights.any_below(rows.len())][0];
            table[class][class] += 2.0 * weights.half_row();
            let (other, weight) =
                ((class + 1 + weights.any_below(classes - 1)) % classes, weights.half_row());
            table[class][other] += weight;
            table[other][class] += weight;
        }
        vec![ordinal_alpha(&table)]
    });
    let mut pairs = Vec::new();
    for (i, (first, of_first)) in passes.iter().enumerate() {
        for (second, of_second) in &passes[i + 1..] {
            let both = of_first.iter().zip(of_second).filter_map(|(a, b)| a.zip(*b));
            let (a, b): (Vec<usize>, Vec<usize>) = both.unzip();
            if !a.is_empty() {
                let agreement = agreement(&a, &b, classes, seed);
                pairs.push(PassPair { passes: [first.clone(), second.clone()], agreement });
            }
        }
    }
    let drift = passes.iter().enumerate().filter_map(|(i, (pass, of))| {
        let others = |row: usize| {
            let others =
                passes.iter().enumerate().filter(|(j, _)| *j != i).filter_map(|(_, (_, of))| of[row]);
            let others: Vec<usize> = others.collect();
            (!others.is_empty()).then(|| others.iter().sum::<usize>() as f64 / others.len() as f64)
        };
        let off = of.iter().enumerate().filter_map(|(row, class)| Some((*class)? as f64 - others(row)?));
        let off: Vec<f64> = off.collect();
        let mean = off.iter().sum::<f64>() / off.len() as f64;
        let classes =
            Sample::new(off.len(), None).intervals(seed, &[Drawn { value: mean, parts: 1 }], |weights| {
                let sum: f64 = off.iter().zip(&weights.rows).map(|(off, weight)| off * weight).sum();
                vec![sum / weights.rows.iter().sum::<f64>()]
            });
        (!off.is_empty()).then(|| PassDrift { pass: pass.clone(), rows: off.len(), classes: classes[0] })
    });
    Some(PassAgreement {
        rows: rows.len(),
        unanimous: sample.proportion(|_| true, |row| rows[row].iter().all(|class| *class == rows[row][0])),
        alpha: alpha[0].within([-1.0, 1.0]),
        pairs,
        drift: drift.collect(),
    })
}

/// Cohen's κ of a table of counts: (observed - expected) / (1 - expected) agreement; 1 where both used one and the same class.
pub fn kappa(table: &[Vec<f64>]) -> f64 {
    let total = table.iter().flatten().sum::<f64>();
    let share = |count: f64| count / total.max(f64::MIN_POSITIVE);
    let observed: f64 = (0..table.len()).map(|c| share(table[c][c])).sum();
    let column = |c: usize| table.iter().map(|row| row[c]).sum::<f64>();
    let expected: f64 = (0..table.len()).map(|c| share(table[c].iter().sum()) * share(column(c))).sum();
    if expected >= 1.0 { 1.0 } else { (observed - expected) / (1.0 - expected) }
}

/// The coincidences of two labellers: each pair of their classes in both orders.
fn both_ways(table: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let cell = |a: usize, b: usize| table[a][b] + table[b][a];
    (0..table.len()).map(|a| (0..table.len()).map(|b| cell(a, b)).collect()).collect()
}

/// 1 - observed / expected disagreement of a symmetric table of coincidences, with the ordinal metric
/// δ²(c, k) = (Σ_{g=c..k} n_g - (n_c + n_k) / 2)², n_g the values of class g.
fn ordinal_alpha(coincidences: &[Vec<f64>]) -> f64 {
    let classes = coincidences.len();
    let values: Vec<f64> = coincidences.iter().map(|row| row.iter().sum()).collect();
    let total: f64 = values.iter().sum();
    let distance = |a: usize, b: usize| {
        let (low, high) = (a.min(b), a.max(b));
        let between: f64 = values[low..=high].iter().sum();
        (between - (values[low] + values[high]) / 2.0).powi(2)
    };
    let (mut observed, mut expected) = (0.0, 0.0);
    for a in 0..classes {
        for b in 0..classes {
            observed += coincidences[a][b] / total * distance(a, b);
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

    /// `krippendorff.alpha([a, b, c], level_of_measurement="ordinal")` with three values of c missing.
    #[test]
    fn several_passes_agree_with_the_reference_and_drift_is_seen() {
        let all = |of: &[usize]| of.iter().map(|&class| Some(class)).collect::<Vec<_>>();
        let first = all(&[0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 0, 2]);
        let second = all(&[0, 0, 1, 1, 1, 2, 1, 2, 2, 1, 3, 3, 2, 3, 0, 3]);
        let mut third = all(&[0, 0, 0, 1, 0, 2, 1, 2, 3, 2, 3, 0, 3, 3, 1, 0]);
        [1, 4, 11, 15].iter().for_each(|&row: &usize| third[row] = None);
        let named = |of: [&Vec<Option<usize>>; 3]| -> Vec<(String, Vec<Option<usize>>)> {
            ["1", "2", "3"].into_iter().zip(of).map(|(name, of)| (name.to_owned(), of.clone())).collect()
        };
        let found = pass_agreement(&named([&first, &second, &third]), 4, 1).unwrap();
        assert!((found.alpha.value - 0.8702048158950554).abs() < 1e-9, "{}", found.alpha.value);
        assert!(found.alpha.low < found.alpha.value && found.alpha.value < found.alpha.high);
        assert_eq!((found.rows, found.pairs.len(), found.pairs[1].agreement.rows), (16, 3, 12));
        assert!((found.pairs[0].agreement.alpha.value - 0.8724630770735524).abs() < 1e-9);
        assert!((found.unanimous.value - 9.0 / 16.0).abs() < 1e-12, "{}", found.unanimous.value);

        // A pass that answers a class higher in every third row.
        let steady: Vec<Option<usize>> = (0..90).map(|row| Some(row % 3)).collect();
        let higher: Vec<Option<usize>> =
            (0..90).map(|row| Some((row % 3 + usize::from(row / 3 % 3 == 0)).min(3))).collect();
        let found = pass_agreement(&named([&steady, &steady, &higher]), 4, 1).unwrap();
        let drift: Vec<(f64, bool)> =
            found.drift.iter().map(|d| (d.classes.value, d.classes.low > 0.0)).collect();
        assert!(drift[2].1 && (drift[2].0 - 1.0 / 3.0).abs() < 1e-9 && !drift[0].1, "{drift:?}");
        assert!(pass_agreement(&named([&vec![None; 3], &vec![None; 3], &vec![Some(0); 3]]), 4, 1).is_none());
    }

    #[test]
    fn full_agreement_is_one() {
        let same = agreement(&[0, 1, 2], &[0, 1, 2], 3, 1);
        assert_eq!((same.kappa.value, same.alpha.value), (1.0, 1.0));
    }
}
