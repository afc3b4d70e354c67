//! Which rows are learned from, and when: the order of an epoch, its batches, a curriculum, and each member's folds.

use pipeline::heads::{HeadError, NetworkSettings};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use tch::Tensor;

use crate::libtorch::failed;

/// Which rows an epoch sees, and in which order.
pub struct Order {
    /// The rows of each class, where every class is drawn as often; else all rows in one list.
    pools: Vec<Vec<i64>>,
    balanced: bool,
    /// Rows from easy to hard and epochs of a phase; empty without curriculum.
    easy_first: Vec<i64>,
    phase: usize,
}

impl Order {
    /// The order of rows with these targets, `[rows, outputs]`, of which the first so many columns are the label's classes.
    ///
    /// # Errors
    /// libtorch failed.
    pub fn new(targets: &Tensor, classes: usize, settings: &NetworkSettings) -> Result<Self, HeadError> {
        let rows = targets.size()[0];
        let pools = if settings.balanced_sampling {
            let class = Vec::<i64>::try_from(targets.narrow(-1, 0, classes as i64).argmax(-1, false))
                .map_err(failed)?;
            let mut pools = vec![Vec::new(); classes];
            (0..).zip(class).for_each(|(row, class)| pools[class as usize].push(row));
            pools.retain(|pool| !pool.is_empty());
            pools
        } else {
            vec![(0..rows).collect()]
        };
        Ok(Self {
            pools,
            balanced: settings.balanced_sampling,
            easy_first: Vec::new(),
            phase: settings.curriculum,
        })
    }

    /// A curriculum (Bengio et al. 2009): the easiest third of the rows, then two thirds, then all. Rows of greater margins
    /// are easier.
    pub fn begin_with_easy(&mut self, margins: &[f32]) {
        self.easy_first = (0..margins.len() as i64).collect();
        self.easy_first.sort_by(|&a, &b| margins[b as usize].total_cmp(&margins[a as usize]));
    }

    /// Whether the epoch, counted from 1, sees all rows, however hard.
    pub fn all_seen(&self, epoch: usize) -> bool {
        self.easy_first.is_empty() || epoch > 2 * self.phase
    }

    /// The rows of an epoch, counted from 1.
    pub fn of_epoch(&mut self, epoch: usize, rng: &mut ChaCha8Rng) -> Vec<i64> {
        if !self.all_seen(epoch) {
            let thirds = if epoch <= self.phase { 1 } else { 2 };
            let mut rows = self.easy_first[..self.easy_first.len() * thirds / 3].to_vec();
            rows.shuffle(rng);
            return rows;
        }
        if !self.balanced {
            self.pools[0].shuffle(rng);
            return self.pools[0].clone();
        }
        let count: usize = self.pools.iter().map(Vec::len).sum();
        let pools = &self.pools;
        (0..count)
            .map(|_| {
                let pool = &pools[rng.random_range(0..pools.len())];
                pool[rng.random_range(0..pool.len())]
            })
            .collect()
    }
}

/// Slices of `size` rows; a last one of a single row is joined to the slice before it.
pub fn batches(order: &[i64], size: usize) -> Vec<&[i64]> {
    let mut slices = Vec::with_capacity(order.len() / size + 1);
    let mut start = 0;
    while start < order.len() {
        let mut end = (start + size).min(order.len());
        if order.len() - end == 1 {
            end += 1;
        }
        slices.push(&order[start..end]);
        start = end;
    }
    slices
}

/// `[members, rows, 1]` of 0 and 1: each member learns from all folds of the rows but its own, so that members differ by
/// more than their weights (cross-validation committee, Parmanto, Munro & Doyle 1996).
pub fn all_but_one_fold(members: usize, rows: usize, rng: &mut ChaCha8Rng) -> Tensor {
    let mut fold_of: Vec<usize> = (0..rows).map(|row| row % members).collect();
    fold_of.shuffle(rng);
    let seen = |member| fold_of.iter().map(move |&fold| f32::from(u8::from(fold != member)));
    let all: Vec<f32> = (0..members).flat_map(seen).collect();
    Tensor::from_slice(&all).view([members as i64, rows as i64, 1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn a_curriculum_begins_with_the_easy_rows() {
        let mut order =
            Order { pools: vec![(0..6).collect()], balanced: false, easy_first: Vec::new(), phase: 2 };
        order.begin_with_easy(&[0.1, 0.9, -0.5, 0.4, 0.8, 0.0]);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut seen = |epoch| {
            let mut rows = order.of_epoch(epoch, &mut rng);
            rows.sort_unstable();
            rows
        };
        assert_eq!((seen(1), seen(4), seen(5).len()), (vec![1, 4], vec![0, 1, 3, 4], 6));
    }

    #[test]
    fn balanced_sampling_draws_every_class_as_often() {
        // One row in ten is of class 1.
        let targets: Vec<f32> =
            (0..400).flat_map(|i| if i % 10 == 0 { [0.0, 1.0] } else { [1.0, 0.0] }).collect();
        let settings = NetworkSettings { balanced_sampling: true, ..NetworkSettings::default() };
        let mut order = Order::new(&Tensor::from_slice(&targets).view([-1, 2]), 2, &settings).unwrap();
        let rows = order.of_epoch(1, &mut ChaCha8Rng::seed_from_u64(1));
        let rare = rows.iter().filter(|&row| row % 10 == 0).count();
        // Four standard deviations of 400 even draws.
        assert!(rows.len() == 400 && rare.abs_diff(200) < 40, "{rare}");
    }

    #[test]
    fn no_batch_holds_a_single_row() {
        let order: Vec<i64> = (0..65).collect();
        let sizes: Vec<usize> = batches(&order, 32).iter().map(|b| b.len()).collect();
        assert_eq!(sizes, [32, 33]);
        assert_eq!(batches(&order[..64], 32).len(), 2);
    }
}
