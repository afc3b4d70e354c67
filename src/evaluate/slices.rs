//! Where the model is worse: its answers to parts of the rows beside those to all others.
//!
//! Of many parts that are looked at some are worse by chance. The p of each is that of Fisher's exact test, one-sided, in which rows of one
//! group are as many as they are worth if they say the same (n² / Σ m², Kish 1965); the p-values are corrected by Holm (1979), whatever the
//! parts have in common: with a model that is nowhere worse, one is named in 5 % of all evaluations at most.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use statrs::distribution::{DiscreteCDF, Hypergeometric};

use super::figure::Predictions;
use super::interval::Estimate;

/// Fewer rows, in a part or beside it, are not looked at.
const LEAST_ROWS: usize = 20;

/// Corrected p from which a part is not said to be worse.
const SIGNIFICANT: f64 = 0.05;

/// What a part of the rows is called whose numbers lie between two.
pub type Named<'a> = &'a dyn Fn(f32, f32) -> String;

/// Rows by a property: the values of a column, the files, how long a text is.
#[derive(Clone, Debug)]
pub struct Slicing {
    /// The property.
    pub by: String,
    /// Each value with its rows, by their places among the predictions; a row may have several values, or none.
    pub values: Vec<(String, Vec<usize>)>,
}

impl Slicing {
    /// Rows by the value of each.
    pub fn of_values(by: &str, values: impl Iterator<Item = (usize, String)>) -> Self {
        let mut rows: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        values.for_each(|(row, value)| rows.entry(value).or_default().push(row));
        Self { by: by.to_owned(), values: rows.into_iter().collect() }
    }

    /// Rows by a number of each, in as many parts of equal size as there are `names`, the least first; equal numbers stay together.
    /// Each name is told the ends of its part. Rows with no number are in none.
    pub fn of_numbers(by: &str, numbers: &[f32], names: &[Named<'_>]) -> Self {
        let mut order: Vec<usize> = (0..numbers.len()).filter(|&row| numbers[row].is_finite()).collect();
        order.sort_by(|&a, &b| numbers[a].total_cmp(&numbers[b]));
        let mut values = Vec::new();
        let mut from = 0;
        for (part, name) in names.iter().enumerate() {
            let mut to = order.len() * (part + 1) / names.len();
            while (from + 1..order.len()).contains(&to) && numbers[order[to]] <= numbers[order[to - 1]] {
                to += 1;
            }
            if to > from {
                let rows = order[from..to].to_vec();
                values.push((name(numbers[rows[0]], numbers[rows[rows.len() - 1]]), rows));
                from = to;
            }
        }
        Self { by: by.to_owned(), values }
    }
}

/// The answers to a part of the rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// What the rows have in common: a property …
    pub by: String,
    /// … and its value.
    pub value: String,
    /// How many there are.
    pub rows: usize,
    /// The share of them that is answered right.
    pub accuracy: Estimate,
    /// The same minus that of all other rows (Newcombe 1998, method 10).
    pub difference: Estimate,
    /// Mean probability of the answers minus the share that is right: above 0 they are believed too much.
    pub overconfidence: Estimate,
    /// That so many are wrong by chance, corrected for the number of parts.
    pub p: f64,
}

impl Slice {
    /// Whether its rows are answered worse than the others beyond chance.
    pub fn is_worse(&self) -> bool {
        self.p < SIGNIFICANT
    }
}

/// All parts that were looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Slices {
    /// Those with rows enough, the worst first.
    pub parts: Vec<Slice>,
    /// Parts with too few rows.
    pub too_small: usize,
}

impl Slices {
    /// Those that are worse beyond chance, the worst first.
    pub fn worse(&self) -> impl Iterator<Item = &Slice> {
        self.parts.iter().filter(|slice| slice.is_worse())
    }
}

/// The `predictions` by each of `slicings`.
pub fn slices(predictions: Predictions<'_>, slicings: &[Slicing]) -> Slices {
    let (answers, confidences) = (predictions.answers(), predictions.confidences());
    let (sample, count) = (predictions.sample(), answers.len());
    let right: Vec<bool> = answers.iter().zip(predictions.truth).map(|(a, b)| a == b).collect();
    let mut found = Slices::default();
    for slicing in slicings {
        for (value, rows) in &slicing.values {
            let mut is_in = vec![false; count];
            rows.iter().for_each(|&row| is_in[row] = true);
            let rows = is_in.iter().filter(|is_in| **is_in).count();
            if rows == count {
                continue;
            }
            if rows.min(count - rows) < LEAST_ROWS {
                found.too_small += 1;
                continue;
            }
            let [accuracy, others] =
                [true, false].map(|inside| sample.proportion(|row| is_in[row] == inside, |row| right[row]));
            let [worth, worth_of_others] =
                [true, false].map(|inside| sample.worth(|row| is_in[row] == inside));
            let confidence = (0..count).filter(|&row| is_in[row]).map(|row| f64::from(confidences[row]));
            let confidence = confidence.sum::<f64>() / rows as f64;
            found.parts.push(Slice {
                by: slicing.by.clone(),
                value: value.clone(),
                rows,
                accuracy,
                difference: newcombe(accuracy, others),
                overconfidence: Estimate {
                    value: confidence - accuracy.value,
                    low: confidence - accuracy.high,
                    high: confidence - accuracy.low,
                },
                p: worse_p((worth, accuracy.value), (worth_of_others, others.value)),
            });
        }
    }
    found.parts.sort_by(|a, b| a.p.total_cmp(&b.p).then(a.difference.value.total_cmp(&b.difference.value)));
    holm(&mut found.parts);
    found
}

/// `a − b` of two independent proportions.
fn newcombe(a: Estimate, b: Estimate) -> Estimate {
    let value = a.value - b.value;
    let reach = |x: f64, y: f64| (x * x + y * y).sqrt();
    Estimate {
        value,
        low: value - reach(a.value - a.low, b.high - b.value),
        high: value + reach(a.high - a.value, b.value - b.low),
    }
}

/// That so few of the first rows are right if they are like the second: the lower tail of the hypergeometric distribution. Each
/// is how many rows they are worth and the share that is right; what is rounded is rounded towards no difference.
fn worse_p((worth, share): (f64, f64), (other_worth, other_share): (f64, f64)) -> f64 {
    let (rows, others) = (worth.floor().max(0.0), other_worth.floor().max(0.0));
    let (hits, other_hits) = ((share * rows - 1e-9).ceil().max(0.0), (other_share * others + 1e-9).floor());
    let all = Hypergeometric::new((rows + others) as u64, (hits + other_hits) as u64, rows as u64);
    all.map_or(1.0, |all| all.cdf(hits as u64).min(1.0))
}

/// Correct the p-values of `slices`, which ascend.
fn holm(slices: &mut [Slice]) {
    let count = slices.len();
    let mut least = 0.0f64;
    for (place, slice) in slices.iter_mut().enumerate() {
        least = least.max(slice.p * (count - place) as f64).min(1.0);
        slice.p = least;
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Rows that are right with the probability of `right`, in groups of `size`, sliced at random by three properties of six values.
    fn found(rng: &mut ChaCha8Rng, rows: usize, size: usize, right: impl Fn(usize) -> f64) -> Slices {
        let truth: Vec<usize> = (0..rows).map(|row| row / size % 2).collect();
        let mut decided = truth.clone();
        let mut values = vec![Vec::new(); 3];
        for group in 0..rows / size {
            let drawn: Vec<usize> = (0..3).map(|_| rng.random_range(0..6)).collect();
            // All of a group are answered alike, and have the same values.
            let wrong = rng.random::<f64>() > right(drawn[0]);
            for row in group * size..(group + 1) * size {
                if wrong {
                    decided[row] = 1 - truth[row];
                }
                drawn.iter().zip(&mut values).for_each(|(value, of)| of.push((row, format!("v{value}"))));
            }
        }
        let groups: Vec<usize> = (0..rows).map(|row| row / size).collect();
        let probabilities: Vec<f32> =
            decided.iter().flat_map(|&class| if class == 0 { [0.8, 0.2] } else { [0.2, 0.8] }).collect();
        let predictions = Predictions {
            truth: &truth,
            probabilities: &probabilities,
            classes: 2,
            ordered: false,
            groups: Some(&groups),
            decided: Some(&decided),
        };
        let slicings: Vec<Slicing> =
            values.into_iter().map(|of| Slicing::of_values("column", of.into_iter())).collect();
        slices(predictions, &slicings)
    }

    #[test]
    fn where_no_part_is_worse_one_is_named_in_five_of_a_hundred_evaluations_at_most() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        for (rows, size, accuracy) in [(600, 1, 0.8), (240, 1, 0.95), (900, 3, 0.8)] {
            let named =
                (0..400).filter(|_| found(&mut rng, rows, size, |_| accuracy).worse().count() > 0).count();
            // Of 400 at 5 % more than 30 are drawn in one of a hundred.
            assert!(named <= 30, "{named} of 400 with {rows} rows in groups of {size}");
        }
    }

    #[test]
    fn a_part_that_is_much_worse_is_named() {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let right = |value: usize| if value == 2 { 0.6 } else { 0.85 };
        let named = (0..100).filter(|_| {
            let found = found(&mut rng, 1200, 1, right);
            found.worse().next().is_some_and(|slice| slice.value == "v2" && slice.difference.high < 0.0)
        });
        assert!(named.count() >= 90);
    }

    #[test]
    fn p_values_are_fishers_and_holms() {
        // 12 of 20 right and 70 of 80: the lower tail, term by term.
        let p = worse_p((20.0, 0.6), (80.0, 0.875));
        let tail = |k: u64| {
            let choose = |n: u64, k: u64| (0..k).map(|i| (n - i) as f64 / (i + 1) as f64).product::<f64>();
            choose(82, k) * choose(18, 20 - k) / choose(100, 20)
        };
        let expected: f64 = (2..=12).map(tail).sum();
        assert!((p - expected).abs() < 1e-9, "{p} {expected}");
        let slice = |p: f64| Slice {
            by: String::new(),
            value: String::new(),
            rows: 0,
            accuracy: Estimate { value: 0.0, low: 0.0, high: 0.0 },
            difference: Estimate { value: 0.0, low: 0.0, high: 0.0 },
            overconfidence: Estimate { value: 0.0, low: 0.0, high: 0.0 },
            p,
        };
        let mut all = [0.01, 0.02, 0.03, 0.5].map(slice);
        holm(&mut all);
        let found: Vec<f64> = all.iter().map(|slice| slice.p).collect();
        let close = found.iter().zip([0.04, 0.06, 0.06, 0.5]).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(close, "{found:?}");
    }

    #[test]
    fn parts_of_numbers_keep_equal_ones_together() {
        let numbers = [3.0, 1.0, 2.0, 2.0, 2.0, f32::NAN, 9.0, 1.0];
        let name: Named<'_> = &|from, to| format!("{from} – {to}");
        let found = Slicing::of_numbers("length", &numbers, &[name, name, name]);
        let expected = [("1 – 1", vec![1, 7]), ("2 – 2", vec![2, 3, 4]), ("3 – 9", vec![0, 6])];
        assert_eq!(found.values, expected.map(|(name, rows)| (name.to_owned(), rows)));
    }
}
