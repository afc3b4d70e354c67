//! Whether intervals hold the truth as often as they say: simulation with known truth over a grid of models.
//!
//! `cargo test --release --lib -- --ignored coverage_over_the_grid --nocapture` prints the table of docs/intervals.md.

use std::collections::BTreeMap;

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use super::figure::Predictions;
use super::interval::Estimate;
use super::metrics::{Metrics, evaluate};
use super::paired::{Folded, fold_mean, point_figures};

/// A model of which everything is known. The posterior of a row is the softmax of `sharpness` times standard normal numbers
/// and the logarithms of the classes' shares; the model says its power `confidence`, renormalised.
#[derive(Clone, Copy, Debug)]
struct Truth {
    classes: usize,
    /// Shares fall by this factor from class to class.
    uneven: f64,
    sharpness: f64,
    confidence: f64,
    /// Rows of a group: near-copies with one answer; of two, nine in ten times one class.
    copies: usize,
}

struct Rows {
    truth: Vec<usize>,
    probabilities: Vec<f32>,
    groups: Vec<usize>,
}

impl Truth {
    fn softmax(logits: &[f64]) -> Vec<f64> {
        let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let powers: Vec<f64> = logits.iter().map(|l| (l - most).exp()).collect();
        let sum: f64 = powers.iter().sum();
        powers.into_iter().map(|p| p / sum).collect()
    }

    fn draw(&self, rows: usize, rng: &mut ChaCha8Rng) -> Rows {
        let mut drawn = Rows { truth: Vec::new(), probabilities: Vec::new(), groups: Vec::new() };
        let class = |posterior: &[f64], rng: &mut ChaCha8Rng| {
            let mut rest: f64 = rng.random();
            posterior
                .iter()
                .position(|p| {
                    rest -= p;
                    rest < 0.0
                })
                .unwrap_or(0)
        };
        for row in 0..rows {
            if row.is_multiple_of(self.copies) {
                let logit = |c: usize| {
                    let z: f64 = StandardNormal.sample(rng);
                    self.sharpness * z - c as f64 * self.uneven.ln()
                };
                let logits: Vec<f64> = (0..self.classes).map(logit).collect();
                let posterior = Self::softmax(&logits);
                let said: Vec<f64> = logits.iter().map(|l| l * self.confidence).collect();
                drawn.truth.push(class(&posterior, rng));
                drawn.probabilities.extend(Self::softmax(&said).into_iter().map(|p| p as f32));
            } else {
                let first = row / self.copies * self.copies;
                let own = drawn.probabilities[first * self.classes..(first + 1) * self.classes].to_vec();
                let posterior: Vec<f64> = own.iter().map(|&p| f64::from(p).ln() / self.confidence).collect();
                let other = class(&Self::softmax(&posterior), rng);
                drawn.truth.push(if rng.random_bool(0.9) { drawn.truth[first] } else { other });
                drawn.probabilities.extend(own);
            }
            drawn.groups.push(row / self.copies);
        }
        drawn
    }
}

impl Rows {
    fn predictions(&self, classes: usize) -> Predictions<'_> {
        let Self { truth, probabilities, groups } = self;
        Predictions { truth, probabilities, classes, ordered: true, groups: Some(groups), decided: None }
    }
}

/// How often each interval holds the truth.
fn coverage(of: Truth, rows: usize, runs: usize) -> BTreeMap<String, f64> {
    let names: Vec<String> = (0..of.classes).map(|c| c.to_string()).collect();
    let whole = Truth { copies: 1, ..of }.draw(200_000, &mut ChaCha8Rng::seed_from_u64(7));
    let whole = whole.predictions(of.classes);
    let known = point_figures(Predictions { groups: None, ..whole });
    let known_classes = super::paired::point_class_scores(whole);
    let held: Vec<BTreeMap<String, bool>> = (0..runs as u64)
        .into_par_iter()
        .map(|seed| {
            let drawn = of.draw(rows, &mut ChaCha8Rng::seed_from_u64(1000 + seed));
            let metrics: Metrics = evaluate(drawn.predictions(of.classes), &names, seed);
            let holds = |e: Estimate, truth: f64| e.low <= truth + 1e-9 && truth - 1e-9 <= e.high;
            let mut held: BTreeMap<String, bool> = metrics
                .figures
                .iter()
                .map(|(figure, e)| (figure.label().to_owned(), holds(*e, known[figure])))
                .collect();
            let last = of.classes - 1;
            for (name, class) in [("first", 0), ("last", last)] {
                let own = &metrics.per_class[class];
                for (what, e, at) in
                    [("precision", own.precision, 0), ("recall", own.recall, 1), ("F1", own.f1, 2)]
                {
                    held.insert(format!("{what} of the {name} class"), holds(e, known_classes[class][at]));
                }
            }
            held
        })
        .collect();
    let mut shares = BTreeMap::new();
    for run in &held {
        for (name, &holds) in run {
            *shares.entry(name.clone()).or_insert(0.0) += f64::from(u8::from(holds)) / runs as f64;
        }
    }
    shares
}

fn grid() -> Vec<Truth> {
    let mut grid = Vec::new();
    for classes in [2, 4, 20] {
        for uneven in [1.0, if classes == 20 { 1.1 } else { 1.0 + 1.0 / classes as f64 * 2.0 }] {
            for sharpness in [1.0, 3.0, 10.0] {
                for confidence in [1.0, 2.0] {
                    for copies in [1, 4] {
                        grid.push(Truth { classes, uneven, sharpness, confidence, copies });
                    }
                }
            }
        }
    }
    grid
}

#[test]
#[ignore = "minutes"]
fn coverage_over_the_grid() {
    let runs = std::env::var("RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(400);
    let sizes: Vec<usize> = std::env::var("ROWS")
        .map_or(vec![30, 100, 500, 2000], |rows| rows.split(',').filter_map(|n| n.parse().ok()).collect());
    for rows in sizes {
        let mut all: BTreeMap<String, Vec<(f64, Truth)>> = BTreeMap::new();
        for truth in grid() {
            for (name, share) in coverage(truth, rows, runs) {
                all.entry(name).or_default().push((share, truth));
            }
        }
        for (name, cells) in all {
            let mean = cells.iter().map(|c| c.0).sum::<f64>() / cells.len() as f64;
            let worst = cells.iter().min_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
            let under = cells.iter().filter(|c| c.0 < 0.9).count();
            println!(
                "| {name} | {rows} | {mean:.3} | {:.3} | {under} of {} | {:?} |",
                worst.0,
                cells.len(),
                worst.1
            );
            for (share, truth) in cells.iter().filter(|c| c.0 < 0.9) {
                println!("  {name} {rows} {share:.3} {truth:?}");
            }
        }
    }
}

/// A few cells of the grid. Of 400 runs an interval that holds the truth in 90 of 100 holds it in 85 with near certainty.
#[test]
fn intervals_hold_the_truth() {
    let runs = 400;
    let mut all: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for of in grid().into_iter().filter(|of| of.classes < 20 && of.sharpness < 10.0).step_by(5) {
        for rows in [30, 100] {
            for (name, share) in coverage(of, rows, runs) {
                assert!(share > 0.85, "{name} of {rows} rows: {share} of {of:?}");
                all.entry(name).or_default().push(share);
            }
        }
    }
    for (name, shares) in all {
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        assert!(mean > 0.93, "{name}: {mean}");
    }
}

/// Points about the mean of their class, told by the nearest mean of what was learned from: accuracy of one split.
fn nearest_mean(train: &[(usize, [f64; 5])], asked: &[(usize, [f64; 5])]) -> f64 {
    let mut means = [([0.0; 5], 0.0); 3];
    for (class, at) in train {
        let (sum, count) = &mut means[*class];
        sum.iter_mut().zip(at).for_each(|(sum, v)| *sum += v);
        *count += 1.0;
    }
    let distance = |class: usize, at: &[f64; 5]| -> f64 {
        let (sum, count) = means[class];
        at.iter().zip(sum).map(|(v, sum)| (v - sum / f64::max(count, 1.0)).powi(2)).sum()
    };
    let nearest =
        |at: &[f64; 5]| (0..3).min_by(|&a, &b| distance(a, at).total_cmp(&distance(b, at))).unwrap_or(0);
    asked.iter().filter(|(class, at)| nearest(at) == *class).count() as f64 / asked.len() as f64
}

/// The interval of a mean over folds is about models that learned from other rows of as many, not about one model.
#[test]
fn intervals_over_folds_hold_what_training_on_other_rows_gives() {
    let draw = |rows: usize, apart: f64, rng: &mut ChaCha8Rng| -> Vec<(usize, [f64; 5])> {
        let point = |class: usize, rng: &mut ChaCha8Rng| {
            std::array::from_fn(|i| {
                let z: f64 = StandardNormal.sample(rng);
                z + if i == class { apart } else { 0.0 }
            })
        };
        (0..rows).map(|row| (row % 3, point(row % 3, rng))).collect()
    };
    const FOLDS: usize = 5;
    const REPEATS: usize = 3;
    for (rows, apart) in [(60, 1.0), (60, 2.5), (300, 1.0), (300, 4.0)] {
        let trained = rows - rows / FOLDS;
        let truth = (0..400u64)
            .into_par_iter()
            .map(|seed| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                nearest_mean(&draw(trained, apart, &mut rng), &draw(3000, apart, &mut rng))
            })
            .sum::<f64>()
            / 400.0;
        let held = (0..400u64)
            .into_par_iter()
            .filter(|seed| {
                let mut rng = ChaCha8Rng::seed_from_u64(10_000 + seed);
                let drawn = draw(rows, apart, &mut rng);
                let mut accuracies = Vec::new();
                for _ in 0..REPEATS {
                    let mut order: Vec<usize> = (0..rows).collect();
                    order.shuffle(&mut rng);
                    for fold in 0..FOLDS {
                        let of = |held_out: bool| -> Vec<_> {
                            let rows = order.iter().enumerate();
                            let own = rows.filter(|(i, _)| (i % FOLDS == fold) == held_out);
                            own.map(|(_, &row)| drawn[row]).collect()
                        };
                        accuracies.push(nearest_mean(&of(false), &of(true)));
                    }
                }
                let found = fold_mean(&accuracies, Folded::of(FOLDS, rows));
                found.low <= truth && truth <= found.high
            })
            .count() as f64
            / 400.0;
        // Over-coverage is allowed: the correction is for the worst of correlations.
        println!("{rows} rows, {apart} apart: {held}");
        assert!(held > 0.91, "{rows} rows, {apart} apart: {held}");
    }
}
