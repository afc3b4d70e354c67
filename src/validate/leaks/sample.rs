//! The rows that leaks are looked for in, labels shuffled between them, and what their text tells without a leak.

use std::collections::HashSet;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::evaluate::{Estimate, wilson};
use crate::heads::{LogisticRegression, Matrix, likeliest};
use crate::inputs::{Terms, TfIdf};
use crate::table::Dataset;

/// Most groups learned from and checked on: enough to see what tells a class, few enough for two seconds.
const MOST: [usize; 2] = [4000, 2000];

/// Most bytes of text that are looked through, about 60 words in each of these rows.
const MOST_BYTES: usize = 4_000_000;

/// Most rows that the text is learned from and asked on, for a second a model.
const MOST_TEXTS: [usize; 2] = [2000, 1000];

/// Times that the labels are shuffled; the least p is 1/(1 + this).
const SHUFFLES: usize = 200;

/// Penalty (C) and most steps of the logistic regression on TF-IDF: one that does well on short texts, as nothing is tuned.
const PENALTY: f64 = 30.0;
const STEPS: u64 = 40;

/// Where leaks are looked for.
#[derive(Clone, Copy)]
pub struct LeakInput<'a> {
    /// All rows.
    pub dataset: &'a Dataset,
    /// Rows to learn from.
    pub learn: &'a [usize],
    /// Others to check on.
    pub check: &'a [usize],
    /// Group of near-duplicates of each row of the dataset; empty where there are none.
    pub groups: &'a [usize],
    /// Balanced accuracy of a model of the text alone, in `[0, 1]`, where it is known.
    pub text: Option<f64>,
    /// Of the sample and the permutations.
    pub seed: u64,
}

/// One row of each group, so that near-copies count once and labels can be shuffled row by row.
pub struct Sample<'a> {
    pub dataset: &'a Dataset,
    /// Rows of the dataset; the first [`Sample::learn`] are learned from, the others checked on.
    pub rows: Vec<usize>,
    pub learn: usize,
    /// Class of each of the rows.
    pub classes: Vec<usize>,
    /// Each field of each of the rows in lower case.
    pub texts: Vec<Vec<String>>,
    seed: u64,
}

impl<'a> Sample<'a> {
    /// `None` where there are not two classes to tell apart.
    pub fn new(input: &LeakInput<'a>) -> Option<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(input.seed);
        let mut seen = HashSet::new();
        let mut rows = Vec::new();
        let mut ends = [0; 2];
        for ((side, most), end) in [input.learn, input.check].into_iter().zip(MOST).zip(&mut ends) {
            let mut side = side.to_vec();
            side.shuffle(&mut rng);
            let group = |row: usize| input.groups.get(row).copied().unwrap_or(row);
            let mut left = MOST_BYTES * most / MOST.iter().sum::<usize>();
            let fits = |row: &usize| {
                let bytes = input.dataset.rows[*row].cells.texts.iter().map(String::len).sum();
                let fits = left >= bytes;
                left = left.saturating_sub(bytes);
                fits
            };
            rows.extend(side.into_iter().filter(|&row| seen.insert(group(row))).take(most).filter(fits));
            *end = rows.len();
        }
        let learn = ends[0];
        let of = |&row: &usize| &input.dataset.rows[row];
        let classes: Vec<usize> = rows.iter().map(|row| of(row).class).collect();
        let several = |classes: &[usize]| classes.iter().any(|c| *c != classes[0]);
        if !several(&classes[..learn]) || !several(&classes[learn..]) {
            return None;
        }
        let lower = |row| of(row).cells.texts.iter().map(|t| t.to_lowercase()).collect();
        let texts = rows.iter().map(lower).collect();
        Some(Self { dataset: input.dataset, rows, learn, classes, texts, seed: input.seed })
    }

    /// Rows of each class among some of `classes`.
    pub fn totals(&self, classes: &[usize]) -> Vec<usize> {
        let mut totals = vec![0; self.dataset.classes.len()];
        classes.iter().for_each(|&class| totals[class] += 1);
        totals
    }

    /// The balanced accuracy of chance: one over the number of classes to check on.
    pub fn chance(&self) -> f64 {
        let totals = self.totals(&self.classes[self.learn..]);
        1.0 / totals.iter().filter(|n| **n > 0).count().max(1) as f64
    }

    /// The largest that `statistic` has over all candidates, for each of [`SHUFFLES`] shuffled labellings, ascending.
    pub fn largest_by_chance(&self, statistic: impl Fn(&[usize]) -> f64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ 1);
        let mut classes = self.classes.clone();
        let mut largest: Vec<f64> = (0..SHUFFLES)
            .map(|_| {
                classes.shuffle(&mut rng);
                statistic(&classes)
            })
            .collect();
        largest.sort_by(f64::total_cmp);
        largest
    }

    /// A balanced accuracy with Wilson's interval for as many rows as give a mean of recalls of that spread.
    pub fn balanced(&self, value: f64) -> Estimate {
        let totals = self.totals(&self.classes[self.learn..]);
        let present: Vec<f64> = totals.into_iter().filter(|n| *n > 0).map(|n| n as f64).collect();
        let rows = (present.len() as f64).powi(2) / present.iter().map(|n| 1.0 / n).sum::<f64>().max(1e-9);
        Estimate { value, ..wilson(value * rows, rows.max(1.0)) }
    }

    /// Of each class the rows checked on and those that TF-IDF and logistic regression get right, learned from `text`
    /// (a place in the sample to its text).
    pub fn by_text(&self, text: impl Fn(usize) -> String) -> Vec<[usize; 2]> {
        let learn: Vec<usize> = (0..self.learn.min(MOST_TEXTS[0])).collect();
        let check: Vec<usize> = (self.learn..self.rows.len()).take(MOST_TEXTS[1]).collect();
        let [learned, asked] =
            [&learn, &check].map(|of| of.iter().map(|&at| text(at)).collect::<Vec<String>>());
        let terms = TfIdf::learn(learned.iter().map(String::as_str), 2, Terms::Words);
        let matrix = |texts: &[String]| Matrix::sparse(terms.rows(texts.iter().map(String::as_str)));
        let count = self.dataset.classes.len();
        let known = &self.classes[..learn.len()];
        let model = LogisticRegression::fit(&matrix(&learned), known, count, PENALTY, STEPS, None);
        let mut rows = vec![[0; 2]; count];
        for (&at, answer) in check.iter().zip(model.probabilities(&matrix(&asked)).chunks_exact(count)) {
            rows[self.classes[at]][0] += 1;
            rows[self.classes[at]][1] += usize::from(likeliest(answer) == self.classes[at]);
        }
        rows
    }
}

/// The mean recall of `[rows, right]` of each class that has rows.
pub fn mean_recall(rows: &[[usize; 2]]) -> f64 {
    let recalls: Vec<f64> = rows.iter().filter(|r| r[0] > 0).map(|r| r[1] as f64 / r[0] as f64).collect();
    recalls.iter().sum::<f64>() / recalls.len().max(1) as f64
}

/// p of a value whose `chance` are the largest of all candidates on shuffled labels, ascending: with the correction for
/// how many were tried, as the largest is taken (Westfall & Young 1993, maxT; Phipson & Smyth 2010 for the 1s).
pub fn p_value(chance: &[f64], value: f64) -> f64 {
    let below = chance.partition_point(|c| *c < value);
    (1 + chance.len() - below) as f64 / (1 + chance.len()) as f64
}
