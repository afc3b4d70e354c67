//! Which rows are left out together.

use std::collections::{HashMap, HashSet};

/// Rows by their groups: a row's own answer says something about new rows only where its whole group is left out.
#[derive(Clone)]
pub(super) struct Groups {
    /// The rows of each group, ascending, the groups in the order of their first rows; a mixed row is in two.
    pub members: Vec<Vec<usize>>,
    /// For each row its groups, as places among `members`: twice the same, but of a mixed row.
    pub of: Vec<[usize; 2]>,
}

impl Groups {
    /// Of so many rows; `groups` as in [`super::Rows`].
    pub fn new(rows: usize, groups: Option<&[[usize; 2]]>) -> Self {
        let (mut places, mut members) = (HashMap::new(), Vec::<Vec<usize>>::new());
        let mut of = Vec::with_capacity(rows);
        for row in 0..rows {
            let mut place = |group: usize| {
                let place = *places.entry(group).or_insert(members.len());
                if place == members.len() {
                    members.push(Vec::new());
                }
                if members[place].last() != Some(&row) {
                    members[place].push(row);
                }
                place
            };
            of.push(groups.map_or([row; 2], |groups| groups[row]).map(&mut place));
        }
        Self { members, of }
    }

    /// The rows of a group; a mixed row is only of its first one.
    pub fn own(&self, group: usize) -> impl Iterator<Item = usize> {
        self.members[group].iter().copied().filter(move |&row| self.of[row][0] == group)
    }

    /// Whether the row is mixed of rows of two groups. It teaches, but is no example of what is to be answered.
    pub fn is_mixed(&self, row: usize) -> bool {
        self.of[row][0] != self.of[row][1]
    }

    /// All rows but mixed ones: those that are like new ones when their group is left out.
    pub fn asked(&self) -> Vec<usize> {
        (0..self.of.len()).filter(|&row| !self.is_mixed(row)).collect()
    }

    /// Deal `rows` to `count` hands, group by group and class by class, so that each hand has its share of each class; of
    /// single rows of one class every `count`-th to the same hand. A group is of the class of its first row.
    pub fn deal(&self, rows: &[usize], class: impl Fn(usize) -> usize, count: usize) -> Vec<Vec<usize>> {
        let mut seen = HashSet::new();
        let mut firsts: Vec<usize> =
            rows.iter().copied().filter(|&row| seen.insert(self.of[row][0])).collect();
        firsts.sort_by_key(|&row| class(row));
        let hand: HashMap<usize, usize> =
            firsts.iter().enumerate().map(|(place, &row)| (self.of[row][0], place % count)).collect();
        let mut hands = vec![Vec::new(); count];
        rows.iter().for_each(|&row| hands[hand[&self.of[row][0]]].push(row));
        hands
    }

    /// Groups in `count` sets, as [`Self::deal`] deals those of [`Self::asked`]: coarser groups.
    pub fn in_sets(&self, class: impl Fn(usize) -> usize, count: usize) -> Self {
        let mut set_of = vec![None; self.members.len()];
        for (set, rows) in self.deal(&self.asked(), class, count).iter().enumerate() {
            rows.iter().for_each(|&row| set_of[self.of[row][0]] = Some(set));
        }
        // A group of mixed rows alone is in no hand, and goes with the other group of its row, if that is in one.
        let set = |[own, other]: [usize; 2]| set_of[own].or(set_of[other]).unwrap_or(0);
        let coarse: Vec<[usize; 2]> =
            self.of.iter().map(|&[first, second]| [set([first, second]), set([second, first])]).collect();
        Self::new(self.of.len(), Some(&coarse))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mixed_row_is_left_out_with_either_parent() {
        let groups = Groups::new(5, Some(&[[7, 7], [3, 3], [7, 7], [9, 9], [3, 7]]));
        assert_eq!(groups.members, [vec![0, 2, 4], vec![1, 4], vec![3]]);
        assert!(groups.is_mixed(4) && !groups.is_mixed(2));
        assert_eq!(groups.deal(&[0, 1, 2, 3], |_| 0, 2), [vec![0, 2, 3], vec![1]]);
        // A group of both parents' is in the set of both.
        assert_eq!(groups.in_sets(|_| 0, 2).members, [vec![0, 2, 3, 4], vec![1, 4]]);
    }

    #[test]
    fn rows_of_no_group_are_alone() {
        let groups = Groups::new(4, None);
        assert_eq!(groups.members, [[0], [1], [2], [3]]);
        assert_eq!(groups.deal(&[1, 2, 3], |_| 0, 2), [vec![1, 3], vec![2]]);
        assert_eq!(
            groups.deal(&[0, 1, 2, 3], |row| row / 2, 2),
            [vec![0, 2], vec![1, 3]],
            "each its share of a class"
        );
    }
}
