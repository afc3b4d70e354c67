//! What training changes at random: units that are dropped, noise on the inputs, rows that are mixed.

use pipeline::heads::NetworkSettings;
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution, StandardNormal};
use tch::Tensor;

/// Inverted dropout: 0 with probability `share` (in steps of 1 / 65536), else 1 / (1 - share); of the shape of `like`.
pub fn dropout_mask(like: &Tensor, share: f64, rng: &mut ChaCha8Rng) -> Tensor {
    let (below, kept) = ((share * 65536.0).round() as u16, (1.0 / (1.0 - share)) as f32);
    let mut draws = vec![0u16; like.numel()];
    rng.fill(&mut draws[..]);
    let mask: Vec<f32> = draws.into_iter().map(|draw| if draw < below { 0.0 } else { kept }).collect();
    Tensor::from_slice(&mask).view_as(like).to_device(like.device())
}

/// Normal noise of the standard deviation `deviation`, of the shape of `like`.
pub fn noise(like: &Tensor, deviation: f64, rng: &mut ChaCha8Rng) -> Tensor {
    let draw = |_| deviation as f32 * rng.sample::<f32, _>(StandardNormal);
    let values: Vec<f32> = (0..like.numel()).map(draw).collect();
    Tensor::from_slice(&values).view_as(like).to_device(like.device())
}

/// Manifold mixup of one batch (Verma et al. 2019).
pub struct Mix {
    /// The row that each row is mixed with, `[rows]`.
    others: Tensor,
    /// Weight of the row itself, λ in `[0, 1]`.
    own: f64,
}

impl Mix {
    /// Draw the pairs of a batch of so many `rows`, and λ; `None` where the settings have no mixup.
    pub fn draw(settings: &NetworkSettings, rows: i64, rng: &mut ChaCha8Rng) -> Option<Self> {
        let beta = Beta::new(settings.manifold_mixup, settings.manifold_mixup).ok()?;
        let mut others: Vec<i64> = (0..rows).collect();
        others.shuffle(rng);
        Some(Self { others: Tensor::from_slice(&others), own: beta.sample(rng) })
    }

    /// `values` with every row blended with its other one; `rows` is the dimension of the rows.
    pub fn blend(&self, values: &Tensor, rows: i64) -> Tensor {
        values * self.own
            + values.index_select(rows, &self.others.to_device(values.device())) * (1.0 - self.own)
    }
}
