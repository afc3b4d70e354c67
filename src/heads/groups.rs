//! Which rows are left out together.

use std::collections::HashMap;

/// Rows by their groups: a row's own answer says something about new rows only where its whole group is left out.
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

    /// Deal `rows` to `count` hands, group by group; of single rows every `count`-th to the same hand.
    pub fn deal(&self, rows: &[usize], count: usize) -> Vec<Vec<usize>> {
        let (mut hands, mut ranks) = (vec![Vec::new(); count], HashMap::new());
        for &row in rows {
            let next = ranks.len();
            hands[*ranks.entry(self.of[row][0]).or_insert(next) % count].push(row);
        }
        hands
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
        assert_eq!(groups.deal(&[0, 1, 2, 3], 2), [vec![0, 2, 3], vec![1]]);
    }

    #[test]
    fn rows_of_no_group_are_alone() {
        let groups = Groups::new(4, None);
        assert_eq!(groups.members, [[0], [1], [2], [3]]);
        assert_eq!(groups.deal(&[1, 2, 3], 2), [vec![1, 3], vec![2]]);
    }
}
