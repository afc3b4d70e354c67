//! Who has given which row which class.

use super::people_error::PeopleError;

/// One answer, all by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vote {
    /// The row.
    pub row: usize,
    /// Who has given it.
    pub annotator: usize,
    /// The class that was given.
    pub class: usize,
}

/// How many of each there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Rows; some may have no vote.
    pub rows: usize,
    /// Annotators; some may have no vote.
    pub annotators: usize,
    /// Classes, at least 1.
    pub classes: usize,
}

/// Votes that belong together, each annotator having one a row at most.
#[derive(Clone, Debug, PartialEq)]
pub struct Votes {
    sizes: Sizes,
    /// By row, then annotator.
    votes: Vec<Vote>,
    /// Where the votes of each row begin, and the end of the last.
    starts: Vec<usize>,
}

impl Votes {
    /// The votes in any order.
    ///
    /// # Errors
    /// One is for a row, by an annotator or of a class that there is not; or somebody has voted twice for a row.
    pub fn new(sizes: Sizes, mut votes: Vec<Vote>) -> Result<Self, PeopleError> {
        if sizes.classes == 0 {
            return Err(PeopleError::Classes { why: "there is no class to vote for".to_owned() });
        }
        for (vote, &Vote { row, annotator, class }) in votes.iter().enumerate() {
            for (what, found, count) in [
                ("row", row, sizes.rows),
                ("annotator", annotator, sizes.annotators),
                ("class", class, sizes.classes),
            ] {
                if found >= count {
                    return Err(PeopleError::Vote { vote, what, found, count });
                }
            }
        }
        votes.sort_unstable();
        if let Some(twice) =
            votes.windows(2).find(|v| (v[0].row, v[0].annotator) == (v[1].row, v[1].annotator))
        {
            return Err(PeopleError::VotedTwice { annotator: twice[0].annotator, row: twice[0].row });
        }
        let starts = (0..=sizes.rows).map(|row| votes.partition_point(|vote| vote.row < row)).collect();
        Ok(Self { sizes, votes, starts })
    }

    /// How many there are of each.
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// All votes, by row and then annotator.
    pub fn all(&self) -> &[Vote] {
        &self.votes
    }

    /// The votes of a row, by annotator.
    ///
    /// # Panics
    /// There is no such row.
    pub fn of_row(&self, row: usize) -> &[Vote] {
        &self.votes[self.starts[row]..self.starts[row + 1]]
    }

    /// The share of each class among the votes of a row; equal shares where there is none.
    ///
    /// # Panics
    /// There is no such row.
    pub fn shares(&self, row: usize) -> Vec<f64> {
        let votes = self.of_row(row);
        if votes.is_empty() {
            return vec![1.0 / self.sizes.classes as f64; self.sizes.classes];
        }
        let mut shares = vec![0.0; self.sizes.classes];
        votes.iter().for_each(|vote| shares[vote.class] += 1.0 / votes.len() as f64);
        shares
    }

    /// The class with most votes; of equals the first, `None` where there is no vote.
    ///
    /// # Panics
    /// There is no such row.
    pub fn majority(&self, row: usize) -> Option<usize> {
        (!self.of_row(row).is_empty()).then(|| likeliest(&self.shares(row)))
    }
}

/// The place of the greatest value; of equals the first.
pub(crate) fn likeliest(values: &[f64]) -> usize {
    (1..values.len()).fold(0, |best, place| if values[place] > values[best] { place } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes { rows: 3, annotators: 3, classes: 2 };

    fn vote(row: usize, annotator: usize, class: usize) -> Vote {
        Vote { row, annotator, class }
    }

    #[test]
    fn votes_are_found_by_row_and_counted() {
        let votes =
            Votes::new(SIZES, vec![vote(2, 1, 0), vote(0, 2, 1), vote(0, 0, 0), vote(0, 1, 1)]).unwrap();
        assert_eq!(votes.of_row(0), [vote(0, 0, 0), vote(0, 1, 1), vote(0, 2, 1)]);
        assert_eq!((votes.majority(0), votes.majority(1), votes.majority(2)), (Some(1), None, Some(0)));
        assert_eq!(votes.shares(1), [0.5, 0.5]);
        assert!((votes.shares(0)[1] - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_tie_goes_to_the_first_class() {
        let votes = Votes::new(SIZES, vec![vote(0, 0, 1), vote(0, 1, 0)]).unwrap();
        assert_eq!(votes.majority(0), Some(0));
    }

    #[test]
    fn votes_for_nothing_and_second_votes_are_errors() {
        let error = |votes| Votes::new(SIZES, votes).unwrap_err().to_string();
        assert_eq!(error(vec![vote(0, 0, 0), vote(3, 0, 0)]), "vote 1 has row 3, but there are 3");
        assert_eq!(error(vec![vote(0, 3, 0)]), "vote 0 has annotator 3, but there are 3");
        assert_eq!(error(vec![vote(0, 0, 2)]), "vote 0 has class 2, but there are 2");
        assert_eq!(
            error(vec![vote(1, 2, 0), vote(0, 0, 0), vote(1, 2, 1)]),
            "annotator 2 has more than one vote for row 1"
        );
        assert!(Votes::new(Sizes { classes: 0, ..SIZES }, vec![]).is_err());
    }
}
