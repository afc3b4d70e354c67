//! Whom to ask again about which row: where one more answer is expected to say most.

use serde::{Deserialize, Serialize};

use super::dawid_skene::Merged;
use super::people_error::PeopleError;
use super::votes::Votes;

/// How much is asked.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AskSettings {
    /// Rows at most.
    pub rows: usize,
    /// Rows for each annotator at most; the next best is asked where one has enough.
    pub most_for_one: Option<usize>,
    /// What an answer must be expected to say at least, in bits.
    pub least_gain: f64,
}

impl Default for AskSettings {
    fn default() -> Self {
        Self { rows: 100, most_for_one: None, least_gain: 0.01 }
    }
}

/// A row to ask about.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// The row, counted from 0.
    pub row: usize,
    /// Who is to be asked, counted from 0: one who has not seen the row.
    pub annotator: usize,
    /// By how much the answer is expected to lower the entropy, in bits.
    pub gain: f64,
    /// How undecided the row is now: the entropy of its posterior, in bits.
    pub entropy: f64,
}

/// The rows where one more answer is expected to say most, the best first, each once and with the annotator who is expected to
/// say it: the mutual information between the true class and their answer, by the row's posterior and their confusion matrix.
///
/// Somebody who is reliably wrong says as much as somebody who is reliably right. Rows that everybody has seen are not listed.
///
/// # Errors
/// The least gain is no number.
///
/// # Panics
/// `merged` is of other votes.
pub fn ask_again(votes: &Votes, merged: &Merged, settings: &AskSettings) -> Result<Vec<Ask>, PeopleError> {
    if settings.least_gain.is_nan() {
        let value = settings.least_gain.to_string();
        return Err(PeopleError::Setting { key: "least_gain", value, wanted: "a number of bits" });
    }
    let mut all = Vec::new();
    for row in 0..votes.sizes().rows {
        let (posterior, of_row) = (merged.posterior(row), votes.of_row(row));
        let entropy = entropy(posterior);
        for annotator in 0..votes.sizes().annotators {
            let seen = of_row.iter().any(|vote| vote.annotator == annotator);
            let gain = if seen { 0.0 } else { gain(merged, posterior, annotator) };
            if !seen && gain >= settings.least_gain {
                all.push(Ask { row, annotator, gain, entropy });
            }
        }
    }
    let order = |ask: &Ask| (ask.row, ask.annotator);
    all.sort_by(|a, b| {
        b.gain.total_cmp(&a.gain).then(b.entropy.total_cmp(&a.entropy)).then(order(a).cmp(&order(b)))
    });
    let mut asked = vec![false; votes.sizes().rows];
    let mut of_annotator = vec![0; votes.sizes().annotators];
    all.retain(|ask| {
        let open =
            !asked[ask.row] && settings.most_for_one.is_none_or(|most| of_annotator[ask.annotator] < most);
        if open {
            asked[ask.row] = true;
            of_annotator[ask.annotator] += 1;
        }
        open
    });
    all.truncate(settings.rows);
    Ok(all)
}

/// Entropy in bits.
fn entropy(probabilities: &[f64]) -> f64 {
    // Not below 0, and not the -0 of a certain row.
    probabilities.iter().filter(|&&p| p > 0.0).map(|p| -p * p.log2()).sum::<f64>().max(0.0)
}

/// The mutual information between the true class and an annotator's answer: H(answer) - H(answer | class), in bits.
fn gain(merged: &Merged, posterior: &[f64], annotator: usize) -> f64 {
    let classes = merged.classes;
    let answer = |given: usize| -> f64 {
        (0..classes).map(|truth| posterior[truth] * merged.confusion(annotator, truth, given)).sum()
    };
    let answers: Vec<f64> = (0..classes).map(answer).collect();
    let matrix = merged.confusions[annotator].chunks_exact(classes);
    let given_class: f64 = posterior.iter().zip(matrix).map(|(p, row)| p * entropy(row)).sum();
    (entropy(&answers) - given_class).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::people::votes::{Sizes, Vote};

    /// Three annotators: right throughout, wrong throughout, and one who always gives the first class.
    fn merged(posteriors: &[f64]) -> Merged {
        Merged {
            classes: 2,
            posteriors: posteriors.to_vec(),
            confusions: vec![vec![1.0, 0.0, 0.0, 1.0], vec![0.2, 0.8, 0.8, 0.2], vec![1.0, 0.0, 1.0, 0.0]],
            shares: vec![0.5, 0.5],
            log_likelihoods: vec![],
            converged: true,
        }
    }

    fn votes(rows: usize, of: &[[usize; 2]]) -> Votes {
        let votes = of.iter().map(|&[row, annotator]| Vote { row, annotator, class: 0 }).collect();
        Votes::new(Sizes { rows, annotators: 3, classes: 2 }, votes).unwrap()
    }

    #[test]
    fn the_gain_is_the_information_of_the_answer() {
        let merged = merged(&[0.5, 0.5]);
        let [right, wrong, same] = [0, 1, 2].map(|annotator| gain(&merged, merged.posterior(0), annotator));
        assert!((right - 1.0).abs() < 1e-12);
        // 1 - H(0.2) = 1 - 0.721928...
        assert!((wrong - 0.278_071_905_112_637).abs() < 1e-12);
        assert_eq!(same, 0.0);
    }

    #[test]
    fn undecided_rows_come_first_and_nobody_is_asked_twice() {
        let merged = merged(&[0.9, 0.1, 0.5, 0.5, 1.0, 0.0, 0.5, 0.5]);
        // Row 3 has been seen by both who could say something.
        let votes = votes(4, &[[1, 0], [3, 0], [3, 1]]);
        let asked = ask_again(&votes, &merged, &AskSettings::default()).unwrap();
        let who: Vec<[usize; 2]> = asked.iter().map(|ask| [ask.row, ask.annotator]).collect();
        // H(0.9) = 0.469 by the one who is always right, before 0.278 by the one who is mostly wrong.
        assert_eq!(who, [[0, 0], [1, 1]]);
        assert!((asked[0].gain - 0.468_995_593_589_281).abs() < 1e-12 && asked[0].gain == asked[0].entropy);
        let one = ask_again(&votes, &merged, &AskSettings { rows: 1, ..AskSettings::default() }).unwrap();
        assert_eq!(one, asked[..1]);
    }

    #[test]
    fn work_is_shared_where_one_has_enough() {
        let merged = merged(&[0.5; 8]);
        let settings = AskSettings { most_for_one: Some(2), ..AskSettings::default() };
        let asked = ask_again(&votes(4, &[]), &merged, &settings).unwrap();
        let who: Vec<[usize; 2]> = asked.iter().map(|ask| [ask.row, ask.annotator]).collect();
        assert_eq!(who, [[0, 0], [1, 0], [2, 1], [3, 1]]);
        assert!(
            ask_again(&votes(4, &[]), &merged, &AskSettings { least_gain: f64::NAN, ..settings }).is_err()
        );
    }
}
