//! Batches of things of similar length.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Batches that are sorted by length together: enough for little padding, few enough for the order to stay a random one.
const BUCKET: usize = 50;

/// `0..lengths.len()` in batches of `size`, in a random order but for things of similar length being beside one another.
pub fn shuffled(lengths: &[usize], size: usize, rng: &mut ChaCha8Rng) -> Vec<Vec<usize>> {
    let mut all: Vec<usize> = (0..lengths.len()).collect();
    all.shuffle(rng);
    let mut batches: Vec<Vec<usize>> = all
        .chunks_mut(size.saturating_mul(BUCKET).max(1))
        .flat_map(|bucket| {
            bucket.sort_by_key(|&i| lengths[i]);
            bucket.chunks(size.max(1)).map(<[usize]>::to_vec).collect::<Vec<_>>()
        })
        .collect();
    batches.shuffle(rng);
    batches
}

/// `0..lengths.len()` in batches of `size`, from short to long.
pub fn sorted(lengths: &[usize], size: usize) -> Vec<Vec<usize>> {
    let mut all: Vec<usize> = (0..lengths.len()).collect();
    all.sort_by_key(|&i| lengths[i]);
    all.chunks(size.max(1)).map(<[usize]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn batches_are_complete_as_many_as_must_be_and_of_similar_length() {
        let lengths: Vec<usize> = (0..1003).map(|i| i * 37 % 200).collect();
        let batches = shuffled(&lengths, 8, &mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!(batches.len(), 1003usize.div_ceil(8));
        let mut seen: Vec<usize> = batches.concat();
        assert_ne!(seen, sorted(&lengths, 8).concat());
        seen.sort_unstable();
        assert_eq!(seen, (0..1003).collect::<Vec<_>>());
        let padding = |batches: &[Vec<usize>]| -> usize {
            let waste = |batch: &Vec<usize>| {
                let longest = batch.iter().map(|&i| lengths[i]).max().unwrap();
                batch.iter().map(|&i| longest - lengths[i]).sum::<usize>()
            };
            batches.iter().map(waste).sum()
        };
        let plain: Vec<Vec<usize>> = (0..1003).collect::<Vec<_>>().chunks(8).map(<[usize]>::to_vec).collect();
        assert!(padding(&batches) * 5 < padding(&plain));
    }
}
