//! The search for kernel and ridge: one value after the other, by the loss on training rows left out with
//! their groups.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::problem::{Choice, Problem};
use super::settings::KernelSettings;
use crate::heads::dense::log_sum_exp;
use crate::heads::head::OwnedRows;
use crate::heads::{FitData, HeadError, Rows, outputs};

/// Rows on which kernel and ridge are chosen, all of them landmarks: what is best for them is best, or nearly so, for all.
pub const SEARCH_ROWS: usize = 1000;

/// Up to so many rows, which say too little to take one term weight and one ridge, the machines of all are averaged.
const AVERAGED_ROWS: usize = 300;

/// Up to so many γ and feature weight are not searched for, but small: what few rows say of them is chance.
const GIVEN_ROWS: usize = 60;
const GIVEN: Choice = Choice { gamma: 0.25, feature_weight: 0.03, ..FIRST };

/// Words and letters need rows to say anything: the logarithm of the prior of a term weight among those averaged is minus this
/// times the weight.
const TERM_PRIOR: f64 = 10.0;

/// Machines that count for less are left out of the average.
const LEAST_WEIGHT: f64 = 0.01;

/// Values tried, from the one the search begins with.
const GAMMAS: [f64; 4] = [0.5, 0.25, 1.0, 2.0];
const RIDGES: [f64; 4] = [0.3, 0.1, 1.0, 3.0];
const FEATURE_WEIGHTS: [f64; 4] = [0.1, 0.03, 0.06, 0.2];
const TERM_WEIGHTS: [f64; 4] = [0.6, 0.0, 0.3, 1.2];

/// Where the search begins.
pub const FIRST: Choice = Choice {
    gamma: GAMMAS[0],
    ridge: RIDGES[0],
    feature_weight: FEATURE_WEIGHTS[0],
    term_weight: TERM_WEIGHTS[0],
};

/// One value of the choice.
struct Axis {
    /// Whether it is searched for; else it is set, or the data has no use for it.
    open: bool,
    /// What is tried.
    tried: &'static [f64],
    /// Where it goes.
    put: fn(&mut Choice, f64),
}

/// What is to be averaged, with weights whose sum is 1; all with the same γ and feature weight.
///
/// One value after the other, in the order in which they matter: the one with the least loss on left-out
/// rows stays. Of few rows the term weights and ridges are averaged by what they say of rows left out.
///
/// # Errors
/// Values that are no numbers.
pub fn choose(
    settings: &KernelSettings,
    data: &FitData<'_>,
    whole: &Problem<'_>,
) -> Result<Vec<(f64, Choice)>, HeadError> {
    let given = whole.rows() <= GIVEN_ROWS;
    let usual = if given { GIVEN } else { FIRST };
    let start = Choice {
        gamma: settings.gamma.unwrap_or(usual.gamma),
        ridge: settings.ridge.unwrap_or(usual.ridge),
        feature_weight: settings.feature_weight.unwrap_or(usual.feature_weight),
        term_weight: settings.term_weight.unwrap_or(usual.term_weight),
    };
    let tabular = whole.embedding < whole.inputs;
    let set: [Axis; 4] = [
        Axis {
            open: settings.term_weight.is_none() && whole.terms.is_some(),
            tried: &TERM_WEIGHTS,
            put: |c, v| c.term_weight = v,
        },
        Axis {
            open: settings.feature_weight.is_none() && tabular,
            tried: &FEATURE_WEIGHTS,
            put: |c, v| c.feature_weight = v,
        },
        Axis { open: settings.gamma.is_none(), tried: &GAMMAS, put: |c, v| c.gamma = v },
        Axis { open: settings.ridge.is_none(), tried: &RIDGES, put: |c, v| c.ridge = v },
    ];
    if set.iter().all(|axis| !axis.open) {
        return Ok(one(start));
    }
    let rows = whole.draw(SEARCH_ROWS, data.seed);
    let few = pick(data, &rows);
    let few = FitData { train: few.rows(), class_weights: data.class_weights.clone(), ..*data };
    let problem = Problem::new(&few);
    let parts = problem.parts();
    let answers = |choice: Choice| {
        let kernel = || parts.kernel(problem.gammas(choice), choice.term_weight);
        Ok::<_, HeadError>(problem.answers(&problem.solve_own(kernel, choice.ridge)?))
    };
    let penalty = problem.penalty(&answers(start)?);
    let all = problem.asked();
    let loss = |choice| Ok::<_, HeadError>(problem.left_out_score(&answers(choice)?, &all, &[penalty]).loss);
    let (mut best, mut least) = (start, loss(start)?);
    for Axis { open, tried, put } in &set {
        let from = best;
        for &value in tried.iter().filter(|_| *open && !given) {
            let mut candidate = from;
            put(&mut candidate, value);
            if candidate == best {
                continue;
            }
            let loss = loss(candidate)?;
            if loss < least {
                (best, least) = (candidate, loss);
            }
        }
    }
    if whole.rows() > AVERAGED_ROWS {
        return Ok(one(best));
    }
    let mut mixed = vec![best];
    for Axis { open, tried, put } in [&set[0], &set[3]] {
        if *open {
            let with = |&value: &f64| {
                mixed.iter().map(move |&choice| {
                    let mut choice = choice;
                    put(&mut choice, value);
                    choice
                })
            };
            mixed = tried.iter().flat_map(with).collect();
        }
    }
    let mut losses = Vec::new();
    for &choice in &mixed {
        let asked = problem.by_others(&answers(choice)?, &all, &[penalty]);
        let groups = problem.groups.members.len();
        let mut of_group = vec![TERM_PRIOR * choice.term_weight / groups as f64; groups];
        asked.iter().for_each(|asked| of_group[problem.groups.of[asked.row][0]] += asked.loss);
        losses.push(of_group);
    }
    let weights = averaging_weights(&losses, data.seed);
    let kept = weights.iter().zip(&mixed).filter(|(weight, _)| **weight > LEAST_WEIGHT);
    let sum: f64 = kept.clone().map(|(weight, _)| weight).sum();
    Ok(kept.map(|(weight, &choice)| (weight / sum, choice)).collect())
}

/// Weights of models by their losses on each of some groups of rows that they have not learned: the posterior of the models
/// averaged over a Bayesian bootstrap of the groups, "pseudo-BMA+" (Yao, Vehtari, Simpson & Gelman 2018, section 3.4).
fn averaging_weights(losses: &[Vec<f64>], seed: u64) -> Vec<f64> {
    const DRAWS: usize = 500;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (groups, mut weights) = (losses.first().map_or(0, Vec::len), vec![0.0; losses.len()]);
    for _ in 0..DRAWS {
        let drawn: Vec<f64> = (0..groups).map(|_| -(1.0 - rng.random::<f64>()).ln()).collect();
        let scale = groups as f64 / drawn.iter().sum::<f64>();
        let of_model =
            |of: &Vec<f64>| -scale * of.iter().zip(&drawn).map(|(loss, drawn)| loss * drawn).sum::<f64>();
        let mut posterior: Vec<f64> = losses.iter().map(of_model).collect();
        let all = log_sum_exp(posterior.iter().copied());
        posterior
            .iter_mut()
            .zip(&mut weights)
            .for_each(|(p, weight)| *weight += (*p - all).exp() / DRAWS as f64);
    }
    weights
}

/// A single choice.
fn one(choice: Choice) -> Vec<(f64, Choice)> {
    vec![(1.0, choice)]
}

/// Some training rows.
fn pick(data: &FitData<'_>, rows: &[usize]) -> OwnedRows {
    let outputs = outputs(data.blocks);
    let of = |values: &[f32], width: usize| -> Vec<f32> {
        rows.iter().flat_map(|&row| &values[row * width..(row + 1) * width]).copied().collect()
    };
    let Rows { inputs, terms, targets, groups } = data.train;
    OwnedRows {
        inputs: of(inputs, data.inputs),
        terms: terms.map(|terms| terms.pick(rows.iter().copied())),
        targets: of(targets, outputs),
        groups: groups.map(|groups| rows.iter().map(|&row| groups[row]).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_averaged_where_rows_cannot_tell_them_apart() {
        // The second is better by a third of a nat a row, the third by as much on some rows as it is worse on others.
        let losses = |rows: usize| -> Vec<Vec<f64>> {
            let third = (0..rows).map(|row| if row % 2 == 0 { 0.5 } else { 1.5 }).collect();
            vec![vec![1.0; rows], vec![0.67; rows], third]
        };
        let few = averaging_weights(&losses(4), 1);
        assert!(
            few.iter().all(|&weight| weight > 0.1) && (few.iter().sum::<f64>() - 1.0).abs() < 1e-9,
            "{few:?}"
        );
        let many = averaging_weights(&losses(400), 1);
        assert!(many[1] > 0.99, "{many:?}");
    }
}
