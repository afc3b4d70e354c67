//! The search for kernel and ridge: one value after the other, by the loss on training rows left out with
//! their groups.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::gram::Parts;
use super::problem::{Choice, Problem};
use super::settings::KernelSettings;
use crate::heads::dense::log_sum_exp;
use crate::heads::head::OwnedRows;
use crate::heads::{FitData, HeadError, Rows, outputs};

/// Rows on which kernel and ridge are chosen, all of them landmarks: what is best for them is best, or nearly so, for all.
pub const SEARCH_ROWS: usize = 1000;

/// Up to so many rows, which say too little to take one term weight and one ridge, the machines of all are averaged.
const AVERAGED_ROWS: usize = 500;

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
const RIDGES: [f64; 5] = [0.3, 0.1, 1.0, 3.0, 10.0];
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

impl Axis {
    /// `choice` with each value that is tried; none where it is not searched for.
    fn values_of(&self, choice: Choice) -> impl Iterator<Item = Choice> + Clone {
        let with = move |&value: &f64| {
            let mut choice = choice;
            (self.put)(&mut choice, value);
            choice
        };
        self.tried.iter().filter(|_| self.open).map(with)
    }
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
    let search = Search::new(&problem, start)?;
    let best = if given { start } else { search.one_after_the_other(&set, start)? };
    if whole.rows() > AVERAGED_ROWS {
        return Ok(one(best));
    }
    search.averaged(&[&set[0], &set[3]], best, data.seed)
}

/// Kernels and ridges by what they say of rows left out.
struct Search<'a> {
    problem: &'a Problem<'a>,
    parts: Parts,
    asked: Vec<usize>,
    /// Of the logistic regression on left-out answers.
    penalty: f64,
}

impl<'a> Search<'a> {
    fn new(problem: &'a Problem<'a>, start: Choice) -> Result<Self, HeadError> {
        let mut search = Self { problem, parts: problem.parts(), asked: problem.asked(), penalty: 0.0 };
        search.penalty = problem.penalty(&search.answers(start)?);
        Ok(search)
    }

    /// The answer to each row of a fit without its set.
    fn answers(&self, choice: Choice) -> Result<Vec<f32>, HeadError> {
        let kernel = || self.parts.kernel(self.problem.gammas(choice), choice.term_weight);
        Ok(self.problem.answers(&self.problem.solve_own(kernel, choice.ridge)?))
    }

    fn loss(&self, choice: Choice) -> Result<f64, HeadError> {
        Ok(self.problem.left_out_score(&self.answers(choice)?, &self.asked, &[self.penalty]).loss)
    }

    /// Of each open axis the value with the least loss, the axes before it at theirs.
    fn one_after_the_other(&self, axes: &[Axis], start: Choice) -> Result<Choice, HeadError> {
        let (mut best, mut least) = (start, self.loss(start)?);
        for axis in axes {
            let from = best;
            for candidate in axis.values_of(from).filter(|candidate| *candidate != from) {
                let loss = self.loss(candidate)?;
                if loss < least {
                    (best, least) = (candidate, loss);
                }
            }
        }
        Ok(best)
    }

    /// Every combination of the values of the open axes, with its weight.
    fn averaged(&self, axes: &[&Axis], at: Choice, seed: u64) -> Result<Vec<(f64, Choice)>, HeadError> {
        let mut choices = vec![at];
        for axis in axes.iter().filter(|axis| axis.open) {
            choices = choices.into_iter().flat_map(|choice| axis.values_of(choice)).collect();
        }
        let groups = &self.problem.groups;
        let losses = choices.iter().map(|&choice| {
            let prior = TERM_PRIOR * choice.term_weight / groups.members.len() as f64;
            let mut of_group = vec![prior; groups.members.len()];
            for asked in self.problem.by_others(&self.answers(choice)?, &self.asked, &[self.penalty]) {
                of_group[groups.of[asked.row][0]] += asked.loss;
            }
            Ok::<_, HeadError>(of_group)
        });
        let weights = averaging_weights(&losses.collect::<Result<Vec<_>, _>>()?, seed);
        let kept = weights.into_iter().zip(choices).filter(|(weight, _)| *weight > LEAST_WEIGHT);
        let sum: f64 = kept.clone().map(|(weight, _)| weight).sum();
        Ok(kept.map(|(weight, choice)| (weight / sum, choice)).collect())
    }
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
fn pick<'a>(data: &FitData<'a>, rows: &[usize]) -> OwnedRows<'a> {
    let outputs = outputs(data.blocks);
    let of = |values: &[f32], width: usize| -> Vec<f32> {
        rows.iter().flat_map(|&row| &values[row * width..(row + 1) * width]).copied().collect()
    };
    let Rows { inputs, terms, targets, groups, distances } = data.train;
    OwnedRows {
        inputs: of(inputs, data.inputs),
        terms: terms.map(|terms| terms.pick(rows.iter().copied())),
        targets: of(targets, outputs),
        groups: groups.map(|groups| rows.iter().map(|&row| groups[row]).collect()),
        distances: distances.map(|known| (known.all, rows.iter().map(|&row| known.rows[row]).collect())),
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
