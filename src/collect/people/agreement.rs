//! How far each annotator agrees with the merged labels, and each two with each other.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::dawid_skene::Merged;
use super::votes::{Votes, likeliest};
use crate::evaluate::{Estimate, kappa, wilson};

/// How often an annotator is right, by what the others say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnnotatorAccuracy {
    /// The annotator, counted from 0.
    pub annotator: usize,
    /// Rows that they have answered.
    pub answers: usize,
    /// Those of them that somebody else has answered too: no other says who is right.
    pub compared: usize,
    /// Share of the compared rows with the class that the others' votes make likeliest (95 % Wilson interval); `None` of no row.
    /// Their own vote does not count for them, only the confusion matrices have seen it.
    pub accuracy: Option<Estimate>,
}

/// The accuracy of each annotator, in their order.
///
/// # Panics
/// `merged` is of other votes.
pub fn accuracies(votes: &Votes, merged: &Merged) -> Vec<AnnotatorAccuracy> {
    let empty = |annotator| AnnotatorAccuracy { annotator, answers: 0, compared: 0, accuracy: None };
    let mut found: Vec<AnnotatorAccuracy> = (0..votes.sizes().annotators).map(empty).collect();
    let mut right = vec![0usize; found.len()];
    for row in 0..votes.sizes().rows {
        let of_row = votes.of_row(row);
        for vote in of_row {
            let annotator = &mut found[vote.annotator];
            annotator.answers += 1;
            if of_row.len() > 1 {
                annotator.compared += 1;
                let others = of_row.iter().filter(|other| other.annotator != vote.annotator);
                let truth = likeliest(&merged.posterior_by(others.copied()));
                right[vote.annotator] += usize::from(truth == vote.class);
            }
        }
    }
    for (annotator, right) in found.iter_mut().zip(right) {
        let compared = annotator.compared as f64;
        annotator.accuracy = (compared > 0.0).then(|| wilson(right as f64, compared));
    }
    found
}

/// How far two annotators agree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairAgreement {
    /// The annotators, counted from 0, the lower first.
    pub annotators: [usize; 2],
    /// Rows that both have answered.
    pub rows: usize,
    /// Share of them with the same class (95 % Wilson interval).
    pub raw: Estimate,
    /// Cohen's κ (Cohen 1960), unweighted; 1 where both gave one and the same class throughout.
    pub kappa: f64,
}

/// The agreement of each two annotators who have answered a row in common.
pub fn pairs(votes: &Votes) -> Vec<PairAgreement> {
    let classes = votes.sizes().classes;
    let mut tables: BTreeMap<[usize; 2], Vec<Vec<f64>>> = BTreeMap::new();
    for row in 0..votes.sizes().rows {
        let of_row = votes.of_row(row);
        for (place, first) in of_row.iter().enumerate() {
            for second in &of_row[place + 1..] {
                let table = tables.entry([first.annotator, second.annotator]);
                table.or_insert_with(|| vec![vec![0.0; classes]; classes])[first.class][second.class] += 1.0;
            }
        }
    }
    let agreement = |(annotators, table): ([usize; 2], Vec<Vec<f64>>)| {
        let rows: f64 = table.iter().flatten().sum();
        let same = (0..classes).map(|class| table[class][class]).sum();
        PairAgreement { annotators, rows: rows as usize, raw: wilson(same, rows), kappa: kappa(&table) }
    };
    tables.into_iter().map(agreement).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::people::dawid_skene::{DawidSkene, merge};
    use crate::collect::people::votes::{Sizes, Vote};

    fn votes(of: &[[Option<usize>; 3]], classes: usize) -> Votes {
        let all = of.iter().enumerate().flat_map(|(row, of)| {
            of.iter()
                .enumerate()
                .filter_map(move |(annotator, class)| Some(Vote { row, annotator, class: (*class)? }))
        });
        Votes::new(Sizes { rows: of.len(), annotators: 3, classes }, all.collect()).unwrap()
    }

    #[test]
    fn who_answers_alone_has_no_accuracy() {
        let alone = votes(&[[Some(0), None, None]; 3], 2);
        let found = accuracies(&alone, &merge(&alone, &DawidSkene::default()).unwrap());
        assert_eq!((found[0].answers, found[0].compared, found[0].accuracy), (3, 0, None));
    }

    #[test]
    fn kappa_agrees_with_scikit_learn() {
        // The values of sklearn.metrics.cohen_kappa_score on these two.
        let first = [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 0, 2];
        let second = [0, 0, 1, 1, 1, 2, 1, 2, 2, 1, 3, 3, 2, 3, 0, 3];
        let rows: Vec<_> = first.iter().zip(second).map(|(&a, b)| [Some(a), Some(b), None]).collect();
        let found = pairs(&votes(&rows, 4));
        assert_eq!((found.len(), found[0].annotators, found[0].rows), (1, [0, 1], 16));
        assert!((found[0].kappa - 0.5833333333333333).abs() < 1e-12);
        assert!((found[0].raw.value - 11.0 / 16.0).abs() < 1e-12);
        let one = pairs(&votes(&[[Some(1), None, Some(1)]; 3], 2));
        assert_eq!((one[0].annotators, one[0].kappa), ([0, 2], 1.0));
    }

    #[test]
    fn nobody_is_right_by_their_own_vote_alone() {
        // The third is alone with every answer, and on the last row without anybody.
        let mut rows = vec![[Some(0), Some(0), Some(1)]; 10];
        rows.extend(vec![[Some(1), Some(1), Some(0)]; 10]);
        rows.push([None, None, Some(0)]);
        let votes = votes(&rows, 2);
        let found = accuracies(&votes, &merge(&votes, &DawidSkene::default()).unwrap());
        assert_eq!((found[2].answers, found[2].compared), (21, 20));
        assert_eq!(found[2].accuracy.unwrap().value, 0.0);
        assert_eq!(found[0].accuracy.unwrap().value, 1.0);
        assert!(found[0].accuracy.unwrap().low < 0.9);
    }
}
