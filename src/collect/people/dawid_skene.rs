//! The labels of several people merged by who is how reliable: Dawid & Skene (1979), "Maximum Likelihood Estimation of Observer
//! Error-Rates Using the EM Algorithm".
//!
//! Each annotator has a confusion matrix, the probability of each answer given the true class; annotators answer
//! independently given the truth. EM finds the matrices and the truth together, from the shares of votes on. The truth is what
//! most reliable people say: where most are against it together, their mistake is the truth.

use serde::{Deserialize, Serialize};

use super::people_error::PeopleError;
use super::votes::{Vote, Votes, likeliest};

/// Answers that each annotator is taken to have given before the first (a Dirichlet prior), so that few answers do not make
/// somebody infallible.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Smoothing {
    /// Right answers for each class.
    pub right: f64,
    /// Wrong answers for each class, shared by all other classes.
    pub wrong: f64,
    /// Rows of each class.
    pub class: f64,
}

impl Default for Smoothing {
    /// Two answers for each class, one and a half of them right: weak, and on the side of people who mean it.
    fn default() -> Self {
        Self { right: 1.5, wrong: 0.5, class: 1.0 }
    }
}

/// How the merging is done.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DawidSkene {
    /// The prior; zero throughout gives the method as published.
    pub smoothing: Smoothing,
    /// Rounds of EM at most.
    pub max_iterations: usize,
    /// It has converged when no posterior changes by more than this.
    pub tolerance: f64,
}

impl Default for DawidSkene {
    fn default() -> Self {
        Self { smoothing: Smoothing::default(), max_iterations: 1000, tolerance: 1e-6 }
    }
}

impl DawidSkene {
    /// That the settings are ones that EM can work with.
    ///
    /// # Errors
    /// One is negative or no number.
    pub fn check(&self) -> Result<(), PeopleError> {
        let Smoothing { right, wrong, class } = self.smoothing;
        for (key, value) in [
            ("smoothing.right", right),
            ("smoothing.wrong", wrong),
            ("smoothing.class", class),
            ("tolerance", self.tolerance),
        ] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(PeopleError::Setting { key, value: value.to_string(), wanted: "0 or more" });
            }
        }
        Ok(())
    }
}

/// The merged labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Merged {
    /// How many classes there are.
    pub classes: usize,
    /// Probability of each class of each row, rows × classes, row-major. Of a row without votes the class shares.
    pub posteriors: Vec<f64>,
    /// Of each annotator the probability of each answer given the true class: classes × classes, row-major, a true class a row.
    /// Of one without votes what the prior says.
    pub confusions: Vec<Vec<f64>>,
    /// Share of each class among the rows.
    pub shares: Vec<f64>,
    /// The logarithm of the likelihood of the votes, that of the prior added, after each round: it never falls.
    pub log_likelihoods: Vec<f64>,
    /// Whether the posteriors stood still before the last round.
    pub converged: bool,
}

impl Merged {
    /// Probability of each class of a row.
    ///
    /// # Panics
    /// There is no such row.
    pub fn posterior(&self, row: usize) -> &[f64] {
        &self.posteriors[row * self.classes..(row + 1) * self.classes]
    }

    /// The likeliest class of a row; of equals the first.
    ///
    /// # Panics
    /// There is no such row.
    pub fn class(&self, row: usize) -> usize {
        likeliest(self.posterior(row))
    }

    /// The probability that an annotator gives the answer `given` to a row of class `truth`.
    ///
    /// # Panics
    /// There is no such annotator or class.
    pub fn confusion(&self, annotator: usize, truth: usize, given: usize) -> f64 {
        self.confusions[annotator][truth * self.classes + given]
    }

    /// Probability of each class of a row by these votes, under the shares and confusion matrices found.
    ///
    /// # Panics
    /// A vote is of no annotator or class.
    pub fn posterior_by(&self, votes: impl IntoIterator<Item = Vote>) -> Vec<f64> {
        let mut logs: Vec<f64> = self.shares.iter().map(|share| share.ln()).collect();
        for Vote { annotator, class, .. } in votes {
            for (truth, log) in logs.iter_mut().enumerate() {
                *log += self.confusion(annotator, truth, class).ln();
            }
        }
        normalise(&mut logs);
        logs
    }
}

/// Merge votes.
///
/// # Errors
/// A setting outside its range.
pub fn merge(votes: &Votes, settings: &DawidSkene) -> Result<Merged, PeopleError> {
    settings.check()?;
    let sizes = votes.sizes();
    let posteriors: Vec<f64> = (0..sizes.rows).flat_map(|row| votes.shares(row)).collect();
    let mut merged = Merged {
        classes: sizes.classes,
        posteriors,
        confusions: vec![Vec::new(); sizes.annotators],
        shares: Vec::new(),
        log_likelihoods: Vec::new(),
        converged: false,
    };
    for _ in 0..settings.max_iterations.max(1) {
        estimate(&mut merged, votes, &settings.smoothing);
        let change = explain(&mut merged, votes, &settings.smoothing);
        if change <= settings.tolerance {
            merged.converged = true;
            break;
        }
    }
    Ok(merged)
}

/// The pseudo-count of an answer given the truth.
fn prior(smoothing: &Smoothing, classes: usize, truth: usize, given: usize) -> f64 {
    if truth == given { smoothing.right } else { smoothing.wrong / (classes - 1).max(1) as f64 }
}

/// M: shares and confusion matrices that the posteriors make likeliest.
fn estimate(merged: &mut Merged, votes: &Votes, smoothing: &Smoothing) {
    let classes = merged.classes;
    let mut shares = vec![smoothing.class; classes];
    let mut counts: Vec<Vec<f64>> = vec![
        (0..classes * classes)
            .map(|cell| prior(smoothing, classes, cell / classes, cell % classes))
            .collect();
        votes.sizes().annotators
    ];
    for row in 0..votes.sizes().rows {
        let of_row = votes.of_row(row);
        for (truth, &posterior) in merged.posterior(row).iter().enumerate() {
            // A row without votes says nothing of the shares: its posterior is made of them.
            if !of_row.is_empty() {
                shares[truth] += posterior;
            }
            for vote in of_row {
                counts[vote.annotator][truth * classes + vote.class] += posterior;
            }
        }
    }
    scale(&mut shares);
    counts.iter_mut().flat_map(|matrix| matrix.chunks_exact_mut(classes)).for_each(scale);
    merged.shares = shares;
    merged.confusions = counts;
}

/// To a sum of 1; equal shares of nothing.
fn scale(values: &mut [f64]) {
    let sum: f64 = values.iter().sum();
    let count = values.len() as f64;
    values.iter_mut().for_each(|value| *value = if sum > 0.0 { *value / sum } else { 1.0 / count });
}

/// E: posteriors that the shares and matrices give, and how well they explain the votes. Returns the greatest change.
fn explain(merged: &mut Merged, votes: &Votes, smoothing: &Smoothing) -> f64 {
    let classes = merged.classes;
    let mut likelihood = log_prior(merged, smoothing);
    let log_shares: Vec<f64> = merged.shares.iter().map(|share| share.ln()).collect();
    let logs: Vec<Vec<f64>> =
        merged.confusions.iter().map(|matrix| matrix.iter().map(|p| p.ln()).collect()).collect();
    let mut change = 0f64;
    for row in 0..votes.sizes().rows {
        let mut posterior = log_shares.clone();
        for vote in votes.of_row(row) {
            for (truth, log) in posterior.iter_mut().enumerate() {
                *log += logs[vote.annotator][truth * classes + vote.class];
            }
        }
        likelihood += normalise(&mut posterior);
        for (old, new) in merged.posteriors[row * classes..].iter_mut().zip(posterior) {
            change = change.max((*old - new).abs());
            *old = new;
        }
    }
    merged.log_likelihoods.push(likelihood);
    change
}

/// The logarithm of the prior's density but for a constant; cells without a pseudo-count have no say.
fn log_prior(merged: &Merged, smoothing: &Smoothing) -> f64 {
    let classes = merged.classes;
    let weighted = |weight: f64, p: f64| if weight > 0.0 { weight * p.ln() } else { 0.0 };
    let shares: f64 = merged.shares.iter().map(|&share| weighted(smoothing.class, share)).sum();
    let cells = merged.confusions.iter().flat_map(|matrix| matrix.iter().enumerate());
    let cells =
        cells.map(|(cell, &p)| weighted(prior(smoothing, classes, cell / classes, cell % classes), p));
    shares + cells.sum::<f64>()
}

/// Logarithms to probabilities with sum 1; returns the logarithm of the sum before.
fn normalise(logs: &mut [f64]) -> f64 {
    let greatest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if greatest == f64::NEG_INFINITY {
        // No class can have given these votes; only votes that no matrix was estimated from come here.
        let equal = 1.0 / logs.len() as f64;
        logs.iter_mut().for_each(|log| *log = equal);
        return f64::NEG_INFINITY;
    }
    logs.iter_mut().for_each(|log| *log = (*log - greatest).exp());
    let sum: f64 = logs.iter().sum();
    logs.iter_mut().for_each(|p| *p /= sum);
    greatest + sum.ln()
}

#[cfg(test)]
mod tests;
