//! Which of the waiting rows are asked together: the next one in fair order, and those most like it in length.

use super::fair::{FairOrder, Item};

/// How large a batch may be, and among how much it is chosen.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimits {
    /// Tokens of the longest row times rows.
    pub tokens: usize,
    /// Rows.
    pub rows: usize,
    /// Tokens that are looked at.
    pub window_tokens: usize,
}

/// Rows that are looked at: of very short ones the window would hold too many to sort again for every batch.
const MOST_LOOKED_AT: usize = 2048;

/// Take the next batch. The first row in fair order is in it, so that none waits for ever; what the window holds beside it and does not
/// fit, by kind, length or number, is given back.
///
/// One row is a batch even where it has more tokens than a batch may have.
pub fn take_batch(order: &mut FairOrder, limits: &BatchLimits) -> Vec<Item> {
    let Some(first) = order.take() else { return Vec::new() };
    let (group, length) = (first.job.group(), first.cost());
    let mut window = vec![first];
    let mut tokens = length;
    while tokens < limits.window_tokens && window.len() < MOST_LOOKED_AT {
        let Some(item) = order.take() else { break };
        tokens += item.cost();
        window.push(item);
    }
    let mut by_likeness: Vec<usize> = (1..window.len()).filter(|i| window[*i].job.group() == group).collect();
    by_likeness.sort_by_key(|i| window[*i].cost().abs_diff(length));
    let mut chosen = vec![false; window.len()];
    chosen[0] = true;
    let (mut rows, mut longest) = (1, length);
    for i in by_likeness {
        let with = longest.max(window[i].cost());
        if rows < limits.rows && with * (rows + 1) <= limits.tokens {
            (rows, longest, chosen[i]) = (rows + 1, with, true);
        }
    }
    for (item, _) in window.iter().zip(&chosen).rev().filter(|(_, chosen)| !**chosen) {
        order.give_back(item);
    }
    order.tidy();
    let mut batch: Vec<Item> =
        window.into_iter().zip(chosen).filter(|(_, chosen)| *chosen).map(|(item, _)| item).collect();
    batch.sort_by_key(|item| std::cmp::Reverse(item.cost()));
    batch
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::queue::job::{Job, Work};
    use crate::queue::worker::tests::Echo;

    fn job(model: &Arc<Echo>, normalize: bool, costs: &[usize]) -> Arc<Job> {
        let texts = costs.iter().map(ToString::to_string).collect();
        Job::new(model.clone(), Work::Embed { texts, normalize }, costs.to_vec()).0
    }

    fn costs(batch: &[Item]) -> Vec<usize> {
        batch.iter().map(Item::cost).collect()
    }

    const LIMITS: BatchLimits = BatchLimits { tokens: 100, rows: 8, window_tokens: 10_000 };

    #[test]
    fn a_batch_has_the_next_row_and_those_of_like_length() {
        let model = Arc::new(Echo::default());
        let mut order = FairOrder::default();
        order.push(1, &job(&model, true, &[20, 90, 21, 3, 22, 95, 19, 2]));
        // The padded size of 22, 21, 20, 19 is 88; with 3 it would be 110.
        assert_eq!(costs(&take_batch(&mut order, &LIMITS)), [22, 21, 20, 19]);
        assert_eq!(costs(&take_batch(&mut order, &LIMITS)), [90]);
        assert_eq!(costs(&take_batch(&mut order, &LIMITS)), [3, 2]);
        assert_eq!(costs(&take_batch(&mut order, &LIMITS)), [95]);
        assert!(take_batch(&mut order, &LIMITS).is_empty());
    }

    #[test]
    fn a_row_longer_than_a_batch_is_one() {
        let mut order = FairOrder::default();
        order.push(1, &job(&Arc::new(Echo::default()), true, &[500, 1]));
        assert_eq!(costs(&take_batch(&mut order, &LIMITS)), [500]);
        assert_eq!(costs(&take_batch(&mut order, &LIMITS)), [1]);
    }

    #[test]
    fn what_is_asked_otherwise_stands_in_another_batch() {
        let (model, other) = (Arc::new(Echo::default()), Arc::new(Echo::default()));
        let mut order = FairOrder::default();
        order.push(1, &job(&model, true, &[10]));
        order.push(2, &job(&model, false, &[10]));
        order.push(3, &job(&other, true, &[10]));
        order.push(4, &job(&model, true, &[10]));
        let sizes: Vec<usize> = (0..4).map(|_| take_batch(&mut order, &LIMITS).len()).collect();
        assert_eq!(sizes, [2, 1, 1, 0]);
    }

    #[test]
    fn each_row_comes_once_and_no_batch_is_too_large() {
        use rand::{RngExt, SeedableRng};
        let mut random = rand::rngs::StdRng::seed_from_u64(7);
        let model = Arc::new(Echo::default());
        let mut order = FairOrder::default();
        let mut expected: Vec<usize> = Vec::new();
        for client in 0..20 {
            let rows = random.random_range(1..60);
            let own: Vec<usize> = (0..rows).map(|_| random.random_range(1..80)).collect();
            expected.extend(&own);
            order.push(client % 7, &job(&model, true, &own));
        }
        let limits = BatchLimits { window_tokens: 500, ..LIMITS };
        let mut found = Vec::new();
        loop {
            let batch = costs(&take_batch(&mut order, &limits));
            let Some(longest) = batch.first() else { break };
            assert!(batch.len() <= 8 && (longest * batch.len() <= 100 || batch.len() == 1), "{batch:?}");
            found.extend(batch);
        }
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected);
    }
}
