//! Which rows are mixed, and how much of each. The mixing itself is arithmetic on inputs, done where they are made.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution};

use super::lineage::Mixed;
use crate::config::MixupConfig;

/// Draw `ratio · rows.len()` pairs among `rows` (indices of the dataset).
///
/// The first parent is drawn evenly, so class shares stay as they are; the second from the same class, or from all
/// rows with `between_classes`. A class with one row is not mixed within itself. `classes` is indexed by row.
pub fn mix(rows: &[usize], classes: &[usize], config: &MixupConfig, seed: u64) -> Vec<Mixed> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut by_class: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &row in rows {
        by_class.entry(classes[row]).or_default().push(row);
    }
    let beta = config.alpha.and_then(|a| Beta::new(a, a).ok());
    let count = (config.ratio * rows.len() as f64).round() as usize;
    let mut mixed = Vec::with_capacity(count);
    for _ in 0..count {
        let first = rows[rng.random_range(0..rows.len())];
        let partners = if config.between_classes { rows } else { &by_class[&classes[first]] };
        let second = partners[rng.random_range(0..partners.len())];
        let lambda = match &beta {
            Some(beta) => {
                let drawn: f64 = beta.sample(&mut rng);
                drawn.max(1.0 - drawn).min(0.999)
            }
            None => config.lambda,
        };
        if first != second {
            mixed.push(Mixed { first, second, lambda: lambda as f32 });
        }
    }
    mixed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_share_a_class_unless_told_otherwise() {
        let classes: Vec<usize> = (0..100).map(|i| i % 3).collect();
        let rows: Vec<usize> = (0..100).filter(|i| i % 2 == 0).collect();
        let within = mix(&rows, &classes, &MixupConfig { ratio: 4.0, ..Default::default() }, 1);
        assert!(within.len() > 180 && within.len() <= 200);
        assert!(within.iter().all(|m| classes[m.first] == classes[m.second] && m.first != m.second));
        assert!(within.iter().all(|m| m.first % 2 == 0 && m.second % 2 == 0 && m.lambda == 0.7));
        let config =
            MixupConfig { ratio: 4.0, between_classes: true, alpha: Some(0.4), ..Default::default() };
        let between = mix(&rows, &classes, &config, 1);
        assert!(between.iter().any(|m| classes[m.first] != classes[m.second]));
        assert!(between.iter().all(|m| (0.5..1.0).contains(&m.lambda)));
        assert!(mix(&rows, &classes, &MixupConfig::default(), 1).is_empty());
    }
}
