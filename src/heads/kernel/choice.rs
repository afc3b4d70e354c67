//! The search for kernel and ridge: one value after the other, by the loss on training rows left out with
//! their groups.

use super::problem::{Choice, Problem};
use super::settings::KernelSettings;
use crate::heads::head::OwnedRows;
use crate::heads::{FitData, HeadError, Rows, outputs};

/// Rows on which kernel and ridge are chosen, all of them landmarks: what is best for them is best, or nearly so, for all.
pub const SEARCH_ROWS: usize = 1000;

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

/// One value after the other, in the order in which they matter: the one with the least loss on left-out
/// rows stays.
///
/// # Errors
/// Values that are no numbers.
pub fn choose(
    settings: &KernelSettings,
    data: &FitData<'_>,
    whole: &Problem<'_>,
) -> Result<Choice, HeadError> {
    let start = Choice {
        gamma: settings.gamma.unwrap_or(FIRST.gamma),
        ridge: settings.ridge.unwrap_or(FIRST.ridge),
        feature_weight: settings.feature_weight.unwrap_or(FIRST.feature_weight),
        term_weight: settings.term_weight.unwrap_or(FIRST.term_weight),
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
        return Ok(start);
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
    for Axis { open, tried, put } in set {
        let from = best;
        for &value in tried.iter().filter(|_| open) {
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
    Ok(best)
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
