//! The permutation test of whether the end of a batch is less varied than its beginning.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::gate_error::GateError;
use super::grams::Grams;
use super::variety::{DiversitySettings, Fall, Measure};
use super::vectors::Vectors;
use crate::progress::Progress;

/// The rows of the first and the last window, ready to change places.
pub(crate) struct Tested<'a> {
    grams: &'a Grams,
    /// Rows of the batch; the first half is the first window.
    rows: Vec<usize>,
    /// Cosines between them, row-major.
    cosines: Option<Vec<f32>>,
}

impl<'a> Tested<'a> {
    pub fn new(grams: &'a Grams, vectors: Option<Vectors<'_>>, windows: [Vec<usize>; 2]) -> Self {
        let rows = windows.concat();
        let cosine = |vectors: Vectors<'_>, a: usize, b: usize| -> f32 {
            vectors.row(a).iter().zip(vectors.row(b)).map(|(a, b)| a * b).sum()
        };
        let cosines = vectors.map(|vectors| {
            rows.iter().flat_map(|&a| rows.iter().map(move |&b| cosine(vectors, a, b))).collect()
        });
        Self { grams, rows, cosines }
    }

    /// The four figures of some of the rows, given by their places.
    fn figures(&self, places: &[usize], seen: &mut [Vec<u32>; 3], turn: u32) -> [f64; 4] {
        let count = self.rows.len();
        let distance = self.cosines.as_ref().map_or(0.0, |cosines| {
            let farthest = |&a: &usize| {
                let others = places.iter().filter(|&&b| b != a).map(|&b| cosines[a * count + b]);
                1.0 - f64::from(others.fold(f32::MIN, f32::max))
            };
            places.iter().map(farthest).sum::<f64>() / places.len() as f64
        });
        let rows: Vec<usize> = places.iter().map(|&place| self.rows[place]).collect();
        let [one, two, three] = self.grams.distinct_with(&rows, seen, turn);
        [distance, one, two, three]
    }

    /// The warning: that the last window is less varied than the first beyond what chance explains.
    ///
    /// # Errors
    /// The user asked to stop.
    pub fn fall(
        &self,
        settings: &DiversitySettings,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Option<Fall>, GateError> {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        let mut places: Vec<usize> = (0..self.rows.len()).collect();
        let half = places.len() / 2;
        let mut seen = self.grams.different.map(|count| vec![0; count]);
        let mut turn = 0;
        let mut both = |places: &[usize]| {
            turn += 2;
            let first = self.figures(&places[..half], &mut seen, turn - 1);
            (first, self.figures(&places[half..], &mut seen, turn))
        };
        let (first, last) = both(&places);
        let change = |(first, last): ([f64; 4], [f64; 4])| -> [f64; 4] {
            // Equal but for rounding is equal.
            std::array::from_fn(|measure| ((last[measure] - first[measure]) * 1e9).round())
        };
        let mut changes = vec![change((first, last))];
        for _ in 0..settings.permutations {
            if progress.interrupted() {
                return Err(GateError::Interrupted);
            }
            places.shuffle(&mut generator);
            changes.push(change(both(&places)));
        }
        let p_values: Vec<[f64; 4]> = one_sided(&changes);
        let least = |p: &[f64; 4]| p.iter().copied().fold(1.0, f64::min);
        let observed = least(&p_values[0]);
        let p = p_values.iter().filter(|p| least(p) <= observed).count() as f64 / p_values.len() as f64;
        let measure = (0..4).find(|&measure| p_values[0][measure] == observed);
        Ok(measure.filter(|_| p <= settings.level).map(|measure| Fall {
            measure: Measure::ALL[measure],
            first: first[measure],
            last: last[measure],
            p,
        }))
    }
}

/// For each change of each figure the share of changes that are no greater.
fn one_sided(changes: &[[f64; 4]]) -> Vec<[f64; 4]> {
    let sorted: [Vec<f64>; 4] = std::array::from_fn(|measure| {
        let mut values: Vec<f64> = changes.iter().map(|change| change[measure]).collect();
        values.sort_by(f64::total_cmp);
        values
    });
    let share = |measure: usize, change: f64| {
        sorted[measure].partition_point(|&other| other <= change) as f64 / changes.len() as f64
    };
    changes.iter().map(|change| std::array::from_fn(|measure| share(measure, change[measure]))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_are_shares_of_changes_no_greater() {
        let changes =
            [[-3.0, 0.0, 1.0, 0.0], [0.0, 0.0, 2.0, 0.0], [1.0, 0.0, 3.0, 0.0], [2.0, 0.0, 4.0, 0.0]];
        assert_eq!(one_sided(&changes)[0], [0.25, 1.0, 0.25, 1.0]);
    }
}
