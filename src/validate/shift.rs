//! Whether a given test part is like the other rows: adversarial validation, and the classes' shares.

use statrs::distribution::{ChiSquared, ContinuousCDF, Normal};

use super::halves::{Halves, answers_of_others};
use crate::evaluate::{Shift, TextShift};
use crate::inputs::RawInputs;

/// Rows of either side that are looked at.
const MOST_ROWS: usize = 1000;

/// How the rows `test` differ from the rows `rest`, all of them indices of `raw`, `classes` and `groups`. `None` where either
/// side has fewer than ten rows. `names` are the classes'.
///
/// Shares: Pearson's χ², a group of near-duplicates of one class counted once.
pub fn shift(
    raw: &RawInputs,
    sides: [&[usize]; 2],
    classes: &[usize],
    groups: &[usize],
    names: &[String],
    seed: u64,
) -> Option<Shift> {
    let texts = text_shift(raw, sides, groups, seed)?;
    let (shares_p, share) = shares(sides, classes, groups, names);
    Some(Shift { texts, shares_p, share })
}

/// How well the texts of two sides, indices of `raw` and `groups`, are told apart. `None` where either has fewer than ten rows.
///
/// A logistic regression on the embeddings tells which side a row is from, on rows that it has not learned (cross-validated;
/// adversarial validation). The area under the ROC curve is judged by the normal approximation of the rank sum (Mann & Whitney
/// 1947).
pub fn text_shift(raw: &RawInputs, sides: [&[usize]; 2], groups: &[usize], seed: u64) -> Option<TextShift> {
    if sides.iter().any(|side| side.len() < 10) {
        return None;
    }
    let halves = Halves::draw(sides, groups, MOST_ROWS, seed);
    let scores = answers_of_others(raw, &halves.rows, &halves.sides, 2, &halves.groups);
    let second: Vec<f64> = scores.chunks_exact(2).map(|p| f64::from(p[1])).collect();
    let (auc, p) = area(&second, &halves.sides);
    Some(TextShift { auc, p })
}

/// Area under the ROC curve of `scores` for side 1, and its one-sided p.
fn area(scores: &[f64], sides: &[usize]) -> (f64, f64) {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let (mut ranks, mut start) = (0.0, 0);
    while start < order.len() {
        let equal = order[start..].iter().take_while(|&&row| scores[row] == scores[order[start]]).count();
        let rank = start as f64 + (equal as f64 + 1.0) / 2.0;
        ranks += rank * order[start..start + equal].iter().filter(|&&row| sides[row] == 1).count() as f64;
        start += equal;
    }
    let second = sides.iter().sum::<usize>() as f64;
    let first = sides.len() as f64 - second;
    let auc = (ranks - second * (second + 1.0) / 2.0) / (first * second);
    let deviation = ((first + second + 1.0) / (12.0 * first * second)).sqrt();
    (auc, 1.0 - Normal::standard().cdf((auc - 0.5) / deviation))
}

/// The p of equal shares, and the class whose share differs most.
fn shares(
    sides: [&[usize]; 2],
    classes: &[usize],
    groups: &[usize],
    names: &[String],
) -> (f64, (String, f64, f64)) {
    let counts = sides.map(|side| {
        let mut distinct: Vec<(usize, usize)> = side.iter().map(|&row| (groups[row], classes[row])).collect();
        distinct.sort_unstable();
        distinct.dedup();
        let mut counts = vec![0.0; names.len()];
        distinct.iter().for_each(|&(_, class)| counts[class] += 1.0);
        counts
    });
    share_difference(&counts, names)
}

/// The p of two sides' having the same shares of the classes, by Pearson's χ² on the rows of each class, and the class whose share
/// differs most with its two shares. `names` are the classes'.
pub fn share_difference(counts: &[Vec<f64>; 2], names: &[String]) -> (f64, (String, f64, f64)) {
    let totals = [0, 1].map(|side: usize| counts[side].iter().sum::<f64>().max(1.0));
    let (mut statistic, mut seen, mut furthest) = (0.0, 0, (String::new(), 0.0, 0.0));
    for (class, name) in names.iter().enumerate() {
        let both = counts[0][class] + counts[1][class];
        if both == 0.0 {
            continue;
        }
        seen += 1;
        for side in [0, 1] {
            let expected = both * totals[side] / (totals[0] + totals[1]);
            statistic += (counts[side][class] - expected).powi(2) / expected;
        }
        let [first, second] = [0, 1].map(|side| counts[side][class] / totals[side]);
        if (first - second).abs() >= f64::abs(furthest.1 - furthest.2) {
            furthest = (name.clone(), first, second);
        }
    }
    let p = ChiSquared::new(f64::from(seen - 1)).map_or(1.0, |chi| 1.0 - chi.cdf(statistic));
    (p, furthest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::halves::tests::cloud;

    #[test]
    fn areas_and_shares_agree_with_reference_values() {
        // Pairs of sides: (0.1, 0.4, 0.35, 0.8) of sides 0 0 1 1 have the area 0.75 (scikit-learn's roc_auc_score).
        let (auc, p) = area(&[0.1, 0.4, 0.35, 0.8], &[0, 0, 1, 1]);
        assert!((auc - 0.75).abs() < 1e-12 && (0.1..0.5).contains(&p));
        // scipy.stats.chi2_contingency([[30, 70], [50, 50]], correction=False): 8.3333, p = 0.003892
        let classes: Vec<usize> = [vec![0; 30], vec![1; 70], vec![0; 50], vec![1; 50]].concat();
        let groups: Vec<usize> = (0..200).collect();
        let (rest, test): (Vec<usize>, Vec<usize>) = (0..200).partition(|row| *row < 100);
        let (p, share) = shares([&rest, &test], &classes, &groups, &["a".into(), "b".into()]);
        assert!((p - 0.003892).abs() < 1e-5, "{p}");
        assert!((share.1 - share.2).abs() > 0.19);
    }

    #[test]
    fn sides_that_are_alike_seldom_differ_and_others_always() {
        let names = ["a".to_owned(), "b".to_owned()];
        let found = |moved: f32, seed: u64| {
            let (raw, classes) = cloud(160, moved, seed);
            let (rest, test): (Vec<usize>, Vec<usize>) = (0..160).partition(|row| *row < 110);
            shift(&raw, [&rest, &test], &classes, &(0..160).collect::<Vec<_>>(), &names, seed).unwrap()
        };
        let alarms = (0..200).filter(|&seed| found(0.0, seed).texts.p < 0.005).count();
        assert!(alarms <= 4, "{alarms} of 200");
        assert!((0..10).all(|seed| found(1.5, seed).texts.p < 0.005));
    }
}
