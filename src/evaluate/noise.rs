//! How many labels are wrong at random.

use super::figure::Predictions;
use super::interval::Estimate;

/// Share of the rows whose labels are looked at: the surest.
const SUREST: f64 = 0.2;

/// Shares of the rows by which it is told whether errors are as many wherever a row lies: the surest, and these with the next.
const EVENNESS: [f64; 2] = [0.1, 1.0 / 3.0];

/// Of fewer rows nothing is said: the surest tenth is too few to tell wrong labels from hard rows.
const LEAST_ROWS: usize = 400;

/// Labels that are wrong wherever the row lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LabelNoise {
    /// Share of the surest rows whose label is another than the answer.
    pub rate: Estimate,
    /// The same of the surest tenth over that of the surest third: 1 where errors are as many wherever a row lies, far less
    /// where rows near a boundary make them.
    pub evenness: f64,
    /// Rows looked at.
    pub rows: usize,
    /// What the head knows beyond the most frequent class, of what there is to know: 0 none, 1 all.
    pub learned: f64,
}

/// The share of wrong labels among the rows that a head which has not learned them is surest of.
///
/// Rows near a boundary are answered wrong though their labels are right; far from any, an answer that is not the label means that the label is wrong. That is confident learning's idea (Northcutt, Jiang & Chuang 2021) and assumes what all such
/// estimates do: that some rows are certain (Liu & Tao 2016, "anchor points"). The surest fifth is chosen without looking at
/// the labels, so its share of other labels is an unbiased one. `None` of fewer than 400 rows.
pub fn label_noise(predictions: Predictions<'_>) -> Option<LabelNoise> {
    let (confidences, predicted) = (predictions.confidences(), predictions.answers());
    let rows = predictions.truth.len();
    let count = (rows as f64 * SUREST) as usize;
    if rows < LEAST_ROWS {
        return None;
    }
    let mut surest: Vec<usize> = (0..rows).collect();
    surest.sort_by(|&a, &b| confidences[b].total_cmp(&confidences[a]));
    let mut sure = vec![false; rows];
    surest[..count].iter().for_each(|&row| sure[row] = true);
    let wrong = |row: usize| predicted[row] != predictions.truth[row];
    let among = |share: f64| {
        let count = ((rows as f64 * share) as usize).max(1);
        surest[..count].iter().filter(|&&row| wrong(row)).count() as f64 / count as f64
    };
    let [tenth, third] = EVENNESS.map(among);
    let mut counts = vec![0usize; predictions.classes];
    predictions.truth.iter().for_each(|&class| counts[class] += 1);
    let chance = counts.into_iter().max().unwrap_or(0) as f64 / rows as f64;
    Some(LabelNoise {
        rate: predictions.sample().proportion(|row| sure[row], wrong),
        evenness: if third > 0.0 { tenth / third } else { 0.0 },
        rows: count,
        learned: (1.0 - among(1.0) - chance) / (1.0 - chance).max(f64::MIN_POSITIVE),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Two classes along a line, told by a logistic curve of this slope; then some labels are flipped.
    fn drawn(rows: usize, slope: f64, flipped: f64, seed: u64) -> (Vec<usize>, Vec<f32>) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut truth, mut probabilities) = (Vec::new(), Vec::new());
        for _ in 0..rows {
            let x: f64 = rng.random_range(-1.0..1.0);
            let clean = 1.0 / (1.0 + (-slope * x).exp());
            let noisy = clean * (1.0 - flipped) + (1.0 - clean) * flipped;
            truth.push(usize::from(rng.random_bool(noisy)));
            probabilities.extend([1.0 - noisy as f32, noisy as f32]);
        }
        (truth, probabilities)
    }

    #[test]
    fn the_rate_is_that_of_the_flipped_labels_and_not_of_hard_rows() {
        let rate = |flipped| {
            let (truth, probabilities) = drawn(2000, 8.0, flipped, 1);
            let of = Predictions {
                truth: &truth,
                probabilities: &probabilities,
                classes: 2,
                ordered: false,
                groups: None,
                decided: None,
            };
            label_noise(of).unwrap()
        };
        let (clean, noisy) = (rate(0.0), rate(0.2));
        assert!(clean.rate.value < 0.01 && noisy.evenness > 0.8, "{clean:?} {noisy:?}");
        // Hard rows everywhere: not even the surest are certain, and little is learned.
        let (truth, probabilities) = drawn(2000, 1.5, 0.0, 1);
        let of = Predictions {
            truth: &truth,
            probabilities: &probabilities,
            classes: 2,
            ordered: false,
            groups: None,
            decided: None,
        };
        assert!(label_noise(of).unwrap().learned < 0.35, "{:?}", label_noise(of));
        assert!(noisy.rate.low < 0.2 && 0.2 < noisy.rate.high && noisy.rate.low > 0.15, "{noisy:?}");
    }
}
