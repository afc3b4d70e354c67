//! Which unlabelled rows are worth a label next: those that a model is unsure of, and that differ from one another.
//!
//! BADGE (Ash et al. 2020, "Deep Batch Active Learning by Diverse, Uncertain Gradient Lower Bounds"): each row stands where the gradient of
//! its loss would, had it the label that the model gives it: its embedding times the probabilities less that label. Sure rows lie near
//! zero, and rows alike in text and doubt lie beside one another; of these points k-means++ (Arthur & Vassilvitskii 2007) draws some that
//! are far apart from one another and from zero, where nothing is to be learned.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Rows to choose from.
#[derive(Clone, Copy)]
pub struct Pool<'a> {
    /// `rows × classes`.
    pub probabilities: &'a [f32],
    /// Classes.
    pub classes: usize,
    /// `rows × dims`: their embeddings, of whatever length.
    pub vectors: &'a [f32],
    /// Values of an embedding.
    pub dims: usize,
}

/// Rows that are compared at once.
const BLOCK: usize = 1024;

impl Pool<'_> {
    fn rows(&self) -> usize {
        self.probabilities.len() / self.classes.max(1)
    }

    fn vector(&self, row: usize) -> &[f32] {
        &self.vectors[row * self.dims..(row + 1) * self.dims]
    }

    /// Probabilities, less 1 at the likeliest.
    fn doubt(&self, row: usize) -> Vec<f32> {
        let mut doubt = self.probabilities[row * self.classes..(row + 1) * self.classes].to_vec();
        let likeliest = (0..doubt.len()).max_by(|&a, &b| doubt[a].total_cmp(&doubt[b]));
        likeliest.into_iter().for_each(|class| doubt[class] -= 1.0);
        doubt
    }
}

/// The places of at most `count` rows of `pool`, the most worth first. A row that is the same as one before it in text and probabilities is
/// not among them, and neither is one that the model is certain of.
pub fn suggest(pool: Pool<'_>, count: usize, seed: u64) -> Vec<usize> {
    let rows = pool.rows();
    let doubts: Vec<f32> = (0..rows).into_par_iter().flat_map_iter(|row| pool.doubt(row)).collect();
    let doubt = |row: usize| &doubts[row * pool.classes..(row + 1) * pool.classes];
    let squares: Vec<f64> = (0..rows)
        .into_par_iter()
        .map(|row| product(doubt(row), doubt(row)) * product(pool.vector(row), pool.vector(row)))
        .collect();
    // What is nearer than rounding is the same.
    let nothing = 1e-9 * squares.iter().copied().fold(0.0, f64::max);
    let mut distances = squares.clone();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut chosen: Vec<usize> = Vec::new();
    let first = (0..rows).max_by(|&a, &b| squares[a].total_cmp(&squares[b]).then(b.cmp(&a)));
    let mut next = first.filter(|&row| squares[row] > 0.0);
    while let Some(row) = next.filter(|_| chosen.len() < count) {
        chosen.push(row);
        distances.par_chunks_mut(BLOCK).enumerate().for_each(|(block, distances)| {
            for (place, distance) in distances.iter_mut().enumerate() {
                let other = block * BLOCK + place;
                let shared =
                    product(doubt(row), doubt(other)) * product(pool.vector(row), pool.vector(other));
                let apart = squares[row] + squares[other] - 2.0 * shared;
                *distance = distance.min(if apart > nothing { apart } else { 0.0 });
            }
        });
        distances[row] = 0.0;
        next = drawn(&distances, &mut rng);
    }
    chosen
}

/// A place, each with its share of `weights`; `None` where all are 0.
fn drawn(weights: &[f64], rng: &mut ChaCha8Rng) -> Option<usize> {
    let mut rest = rng.random::<f64>() * weights.iter().sum::<f64>();
    let mut last = None;
    for (place, &weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
        last = Some(place);
        rest -= weight;
        if rest < 0.0 {
            break;
        }
    }
    last
}

fn product(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 40 rows in four directions, ten each; those of the first direction are sure, of the others in doubt.
    fn pool() -> (Vec<f32>, Vec<f32>) {
        let (mut probabilities, mut vectors) = (Vec::new(), Vec::new());
        for row in 0..40 {
            let direction = row / 10;
            let p = if direction == 0 { 0.999 } else { 0.55 };
            probabilities.extend([p, 1.0 - p]);
            vectors.extend((0..4).map(|d| if d == direction { 1.0 } else { 0.001 * (row % 10) as f32 }));
        }
        (probabilities, vectors)
    }

    #[test]
    fn one_of_each_kind_in_doubt_comes_first() {
        let (probabilities, vectors) = pool();
        let pool = Pool { probabilities: &probabilities, classes: 2, vectors: &vectors, dims: 4 };
        for seed in 0..20 {
            let chosen = suggest(pool, 3, seed);
            let mut kinds: Vec<usize> = chosen.iter().map(|row| row / 10).collect();
            kinds.sort_unstable();
            assert_eq!(kinds, [1, 2, 3], "{chosen:?}");
        }
        assert_eq!(suggest(pool, 10, 4), suggest(pool, 10, 4));
        assert_eq!(suggest(pool, 10, 4)[..3], suggest(pool, 3, 4)[..], "fewer are the first of more");
    }

    #[test]
    fn no_row_comes_twice_and_certain_ones_not_at_all() {
        let (probabilities, vectors) = pool();
        let pool = Pool { probabilities: &probabilities, classes: 2, vectors: &vectors, dims: 4 };
        let mut all = suggest(pool, 1000, 1);
        all.sort_unstable();
        let many = all.len();
        all.dedup();
        assert_eq!(all.len(), many);
        assert!((10..40).all(|row| all.contains(&row)), "{all:?}");
        // The same two rows ten times, and a certain one.
        let probabilities: Vec<f32> = (0..20).flat_map(|_| [0.5, 0.5]).chain([1.0, 0.0]).collect();
        let vectors: Vec<f32> = (0..20)
            .flat_map(|row| if row % 2 == 0 { [1.0, 0.2] } else { [0.3, 1.0] })
            .chain([1.0, 1.0])
            .collect();
        let pool = Pool { probabilities: &probabilities, classes: 2, vectors: &vectors, dims: 2 };
        let chosen = suggest(pool, 10, 1);
        assert_eq!(chosen.len(), 2, "{chosen:?}");
        assert_ne!(chosen[0] % 2, chosen[1] % 2);
        let none = Pool { probabilities: &[], classes: 2, vectors: &[], dims: 2 };
        assert!(suggest(none, 5, 1).is_empty());
    }

    /// Rows are drawn by the square of their distance: of two kinds of which one lies three times as far, nine times as often.
    #[test]
    fn far_rows_are_drawn_more_often() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let times = (0..4000).filter(|_| drawn(&[0.0, 1.0, 9.0, 0.0], &mut rng) == Some(2)).count();
        assert!((0.88..0.92).contains(&(times as f64 / 4000.0)), "{times}");
        assert_eq!(drawn(&[0.0, 0.0], &mut rng), None);
    }
}
