//! `--priors`: rows in which the classes have other shares than in training.

use anyhow::Result;

use super::exit::BadUsage;
use crate::evaluate::Decision;
use crate::model::Predictor;

/// Other shares of the classes than those of the training.
pub struct Priors {
    /// The model's decision, with the shares of the training.
    pub from: Decision,
    /// Those of the rows; `None` where they are to be estimated.
    pub to: Option<Vec<f64>>,
}

impl Priors {
    pub fn parse(text: &str, predictor: &Predictor) -> Result<Self> {
        let classes = &predictor.card().classes;
        let from = predictor.decision().cloned().ok_or_else(|| {
            let message = "--priors needs to know the shares of the training, and the model has no calibration.json \
                           of this program; run `pipeline build`";
            BadUsage(message.to_owned())
        })?;
        let refused = |why: String| BadUsage(format!("--priors {text}: {why}"));
        let to = match text {
            "estimate" => None,
            "even" => Some(vec![1.0 / classes.len() as f64; classes.len()]),
            named => {
                let mut shares = vec![None; classes.len()];
                // A class may have a comma in its name.
                let mut rest = named;
                while !rest.is_empty() {
                    let known = |(place, class): (usize, &String)| {
                        Some((place, rest.strip_prefix(class.as_str())?.strip_prefix('=')?))
                    };
                    let longest = |of: &(usize, &str)| classes[of.0].len();
                    let found = classes.iter().enumerate().filter_map(known).max_by_key(longest);
                    let (place, after) = found.ok_or_else(|| {
                        let known = classes.join(", ");
                        refused(format!(
                            "write NAME=SHARE of each class with commas between; classes are {known}"
                        ))
                    })?;
                    let (number, others) = after.split_once(',').unwrap_or((after, ""));
                    let share: f64 = number.trim().parse().unwrap_or(f64::NAN);
                    if !(0.0..=1.0).contains(&share) {
                        return Err(refused(format!("`{number}` is no share between 0 and 1")).into());
                    }
                    if shares[place].replace(share).is_some() {
                        return Err(refused(format!("{} is given twice", classes[place])).into());
                    }
                    rest = others.trim_start();
                }
                let missing = shares.iter().zip(classes).find(|(share, _)| share.is_none());
                if let Some((_, class)) = missing {
                    return Err(refused(format!("{class} has no share")).into());
                }
                let shares: Vec<f64> = shares.into_iter().flatten().collect();
                let sum: f64 = shares.iter().sum();
                if (sum - 1.0).abs() > 0.01 {
                    return Err(refused(format!("the shares add up to {sum}, not to 1")).into());
                }
                Some(shares.iter().map(|share| share / sum).collect())
            }
        };
        let lost = |(place, share): (usize, &f64)| *share > 0.0 && from.shares[place] == 0.0;
        if let Some((place, _)) = to.iter().flat_map(|to| to.iter().enumerate()).find(|of| lost(*of)) {
            return Err(refused(format!("no row of {} taught the model", classes[place])).into());
        }
        Ok(Self { from, to })
    }
}
