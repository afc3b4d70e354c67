//! Streams of random numbers, each for one thing.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal, Uniform};
use tch::Tensor;

/// What a stream is for.
#[derive(Clone, Copy, Debug)]
pub enum Stream {
    /// New adapters.
    Adapters,
    /// A new head.
    Head,
    /// The order of the rows of an epoch.
    Order { phase: usize, epoch: usize },
    /// What is dropped in a step.
    Dropout { phase: usize, step: usize },
    /// Pairs of rows.
    Pairs,
}

impl Stream {
    /// The generator of the stream.
    pub fn of(self, seed: u64) -> ChaCha8Rng {
        let (kind, phase, at) = match self {
            Self::Adapters => (0, 0, 0),
            Self::Head => (4, 0, 0),
            Self::Order { phase, epoch } => (1, phase, epoch),
            Self::Dropout { phase, step } => (2, phase, step),
            Self::Pairs => (3, 0, 0),
        };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(kind << 60 | (phase as u64 & 0xff) << 52 | at as u64 & ((1 << 52) - 1));
        rng
    }
}

/// New weights of this size, normally distributed around 0.
pub fn normal(rng: &mut ChaCha8Rng, size: &[i64], deviation: f64) -> Tensor {
    // A deviation is checked where it is read.
    let of = Normal::new(0.0, deviation.max(0.0)).ok();
    fill(rng, size, |rng| of.map_or(0.0, |of| of.sample(rng)))
}

/// New weights of this size, even between `-bound` and `bound`.
pub fn uniform(rng: &mut ChaCha8Rng, size: &[i64], bound: f64) -> Tensor {
    let of = Uniform::new(-bound, bound).ok();
    fill(rng, size, |rng| of.map_or(0.0, |of| of.sample(rng)))
}

fn fill(rng: &mut ChaCha8Rng, size: &[i64], mut draw: impl FnMut(&mut ChaCha8Rng) -> f64) -> Tensor {
    let count: i64 = size.iter().product();
    let values: Vec<f32> = (0..count).map(|_| draw(rng) as f32).collect();
    Tensor::from_slice(&values).view(size)
}

/// What is dropped while training; nothing where there is no generator.
#[derive(Default)]
pub struct Dropout {
    drops: Option<(ChaCha8Rng, u8)>,
}

impl Dropout {
    /// Drops the share `share`, in 256ths.
    pub fn new(rng: ChaCha8Rng, share: f64) -> Self {
        let dropped = (share * 256.0).round() as u8;
        Self { drops: (dropped > 0).then_some((rng, dropped)) }
    }

    /// `x` with a share of its numbers 0, and the others larger by as much.
    pub fn apply(&mut self, x: &Tensor) -> Tensor {
        let Some((rng, dropped)) = &mut self.drops else { return x.shallow_clone() };
        let mut drawn = vec![0u8; x.numel()];
        rng.fill_bytes(&mut drawn);
        let kept =
            Tensor::from_slice(&drawn).view(&x.size()[..]).to_device(x.device()).ge(i64::from(*dropped));
        x * kept.to_kind(x.kind()) * (256.0 / (256.0 - f64::from(*dropped)))
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use crate::device::CPU;

    use super::*;

    #[test]
    fn a_share_is_dropped_and_the_mean_stays() {
        let ones = Tensor::ones([200, 200], (Kind::Float, CPU));
        let mut dropout = Dropout::new(Stream::Dropout { phase: 0, step: 3 }.of(1), 0.25);
        let dropped = dropout.apply(&ones);
        // Four standard deviations of 40,000 draws.
        assert!((dropped.eq(0.0).sum(Kind::Double).double_value(&[]) / 40_000.0 - 0.25).abs() < 0.0087);
        assert!((dropped.mean(Kind::Double).double_value(&[]) - 1.0).abs() < 0.012);
        assert_ne!(dropped, dropout.apply(&ones));
        assert_eq!(Dropout::default().apply(&ones), ones);
    }

    #[test]
    fn streams_are_their_own() {
        let first = |stream: Stream| stream.of(7).next_u64();
        let all = [
            Stream::Adapters,
            Stream::Head,
            Stream::Pairs,
            Stream::Order { phase: 0, epoch: 0 },
            Stream::Order { phase: 1, epoch: 0 },
            Stream::Order { phase: 0, epoch: 1 },
            Stream::Dropout { phase: 0, step: 0 },
            Stream::Dropout { phase: 0, step: 1 },
        ];
        let seen: std::collections::HashSet<u64> = all.into_iter().map(first).collect();
        assert_eq!(seen.len(), all.len());
        assert_eq!(first(Stream::Pairs), first(Stream::Pairs));
    }
}
