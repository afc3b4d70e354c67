//! From probabilities to an answer: the likeliest class, or what serves another end better.

use serde::{Deserialize, Serialize};

use super::figure::Predictions;
use crate::heads::likeliest;

/// What an answer is to serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aim {
    /// Accuracy: the likeliest class.
    Accuracy,
    /// The mean F1 of the classes.
    MacroF1,
    /// The mean recall of the classes.
    BalancedAccuracy,
    /// The least expected cost.
    Costs,
}

impl Aim {
    /// Those that need nothing but answers.
    pub const LEARNED: [Self; 3] = [Self::Accuracy, Self::MacroF1, Self::BalancedAccuracy];

    /// Its name in a report.
    pub fn label(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy (the likeliest class)",
            Self::MacroF1 => "macro-F1",
            Self::BalancedAccuracy => "balanced accuracy",
            Self::Costs => "costs",
        }
    }
}

/// Exponents that are tried, as hundredths: 0 answers the likeliest class, 1 as if all classes were as frequent.
const EXPONENTS: std::ops::RangeInclusive<usize> = 0..=100;
const STEP: usize = 5;

/// The exponent where a class has fewer than [`ENOUGH`] rows, of which the best one would be chance.
const UNKNOWN: usize = 50;
const ENOUGH: usize = 20;

/// What an aim other than accuracy may cost of it, where the user did not ask for that aim.
const MOST_ACCURACY: f64 = 0.01;

/// How probabilities become an answer: the greatest p / shareᵗ, or the least expected cost.
///
/// With the exponent t = 1 that is the Bayes decision for balanced accuracy (Menon et al. 2013, "On the Statistical Consistency
/// of Algorithms for Binary Classification under Class Imbalance"); the best t for macro-F1 lies between and is learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// What it serves.
    pub aim: Aim,
    /// t, in `[0, 1]`.
    pub exponent: f64,
    /// Shares of the classes among the rows that taught the head; they add up to 1.
    pub shares: Vec<f64>,
    /// For [`Aim::Costs`] what each answer (inner) costs for each true class (outer); else empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub costs: Vec<Vec<f64>>,
}

/// What is known of rows that the head has not learned, to choose a decision by.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// Calibrated answers.
    pub predictions: Predictions<'a>,
    /// As [`Decision::shares`].
    pub shares: &'a [f64],
}

impl Decision {
    /// The likeliest class.
    pub fn likeliest(shares: &[f64]) -> Self {
        Self { aim: Aim::Accuracy, exponent: 0.0, shares: shares.to_vec(), costs: Vec::new() }
    }

    /// The least expected cost.
    pub fn of_costs(shares: &[f64], costs: Vec<Vec<f64>>) -> Self {
        Self { aim: Aim::Costs, costs, ..Self::likeliest(shares) }
    }

    /// With the exponent that serves `aim` best: for balanced accuracy 1; for macro-F1 the best on the rows known, of equals the
    /// least, and a half where a class has fewer than 20 of them.
    pub fn learn(aim: Aim, known: Known<'_>) -> Self {
        let likeliest = Self { aim, ..Self::likeliest(known.shares) };
        match aim {
            Aim::Accuracy | Aim::Costs => likeliest,
            Aim::BalancedAccuracy => Self { exponent: 1.0, ..likeliest },
            Aim::MacroF1 => Self { exponent: macro_f1_exponent(known, |_| true), ..likeliest },
        }
    }

    /// As [`Self::learn`] for macro-F1, of the exponents that cost less than a point of accuracy.
    pub fn macro_f1_within_a_point(known: Known<'_>) -> Self {
        let exponent = macro_f1_exponent(known, |accuracy_lost| accuracy_lost < MOST_ACCURACY);
        Self { aim: Aim::MacroF1, exponent, ..Self::likeliest(known.shares) }
    }

    /// The answer to one row by its calibrated probabilities.
    pub fn answer(&self, probabilities: &[f32]) -> usize {
        if self.aim != Aim::Costs && self.exponent == 0.0 {
            return likeliest(probabilities);
        }
        let cost = |answer: usize| -> f64 {
            let of = |(p, costs): (&f32, &Vec<f64>)| f64::from(*p) * costs[answer];
            probabilities.iter().zip(&self.costs).map(of).sum()
        };
        // A class without a row has no share to divide by, and no probability worth an answer.
        let weighed = |answer: usize| match self.shares.get(answer) {
            Some(&share) if share > 0.0 => f64::from(probabilities[answer]) / share.powf(self.exponent),
            _ => 0.0,
        };
        let worth = |answer| if self.aim == Aim::Costs { -cost(answer) } else { weighed(answer) };
        let first = (0, f64::NEG_INFINITY);
        let best = (0..probabilities.len()).map(|answer| (answer, worth(answer)));
        best.fold(first, |best, new| if new.1 > best.1 { new } else { best }).0
    }

    /// The answer to each row of `classes` probabilities.
    pub fn answers(&self, probabilities: &[f32], classes: usize) -> Vec<usize> {
        probabilities.chunks_exact(classes).map(|row| self.answer(row)).collect()
    }

    /// The same decision where the classes have other shares.
    pub fn with_shares(&self, shares: &[f64]) -> Self {
        Self { shares: shares.to_vec(), ..self.clone() }
    }
}

/// The exponent of the greatest macro-F1, of those whose loss of accuracy is `allowed`, else 0; of equals the least. Where a class
/// has too few rows for that, the greatest allowed up to a half.
///
/// Macro-F1 is the one that the calibrated probabilities of the rows known lead to expect, whose best exponent is steadier than
/// that of their labels (the two ways of Ye, Chai, Lee & Chieu 2012, "Optimizing F-measures: a tale of two approaches"); accuracy
/// is the one found.
fn macro_f1_exponent(known: Known<'_>, allowed: impl Fn(f64) -> bool) -> f64 {
    let Known { predictions: Predictions { truth, probabilities, classes, .. }, shares } = known;
    let exponent = |hundredths: usize| hundredths as f64 / 100.0;
    let of = |hundredths| {
        let decision = Decision { exponent: exponent(hundredths), ..Decision::likeliest(shares) };
        let answers = decision.answers(probabilities, classes);
        let right = truth.iter().zip(&answers).filter(|(t, a)| t == a).count();
        (right as f64 / truth.len().max(1) as f64, expected_macro_f1(&answers, probabilities, classes))
    };
    let rows = |class: usize| truth.iter().filter(|&&t| t == class).count();
    let least = (0..classes).filter(|&class| shares[class] > 0.0).map(rows).min();
    let few = least.is_none_or(|least| least < ENOUGH);
    let (accuracy, likeliest) = of(0);
    let mut best = (0, likeliest);
    for hundredths in EXPONENTS.step_by(STEP).skip(1).filter(|&t| !few || t <= UNKNOWN) {
        let (its_accuracy, its) = of(hundredths);
        if allowed(accuracy - its_accuracy) && (few || its > best.1) {
            best = (hundredths, its);
        }
    }
    exponent(best.0)
}

/// Macro-F1 of answers as probabilities lead to expect it.
fn expected_macro_f1(answers: &[usize], probabilities: &[f32], classes: usize) -> f64 {
    let (mut hits, mut answered, mut rows) = (vec![0.0; classes], vec![0.0; classes], vec![0.0; classes]);
    for (&answer, row) in answers.iter().zip(probabilities.chunks_exact(classes)) {
        hits[answer] += f64::from(row[answer]);
        answered[answer] += 1.0;
        rows.iter_mut().zip(row).for_each(|(sum, p)| *sum += f64::from(*p));
    }
    let f1 = |class: usize| match rows[class] + answered[class] {
        0.0 => 0.0,
        both => 2.0 * hits[class] / both,
    };
    (0..classes).map(f1).sum::<f64>() / classes as f64
}

/// Make probabilities for classes of the shares `from` those for classes of the shares `to`, in place (Saerens, Latinne &
/// Decaestecker 2002, equation 2.4).
pub fn apply_shares(probabilities: &mut [f32], from: &[f64], to: &[f64]) {
    for row in probabilities.chunks_exact_mut(from.len()) {
        let with = |(p, (from, to)): (&mut f32, (&f64, &f64))| {
            *p = if *from > 0.0 { (f64::from(*p) * to / from) as f32 } else { 0.0 };
        };
        row.iter_mut().zip(from.iter().zip(to)).for_each(with);
        let sum: f32 = row.iter().sum();
        if sum > 0.0 {
            row.iter_mut().for_each(|p| *p /= sum);
        }
    }
}

/// The shares of the classes among rows of which only calibrated probabilities for the shares `from` are known: those of the
/// greatest likelihood, by expectation maximisation (Saerens et al. 2002, section 2.2). `from` without rows.
pub fn estimate_shares(probabilities: &[f32], from: &[f64]) -> Vec<f64> {
    const STEPS: usize = 1000;
    let rows = probabilities.len() / from.len().max(1);
    let mut shares = from.to_vec();
    for _ in 0..if rows == 0 { 0 } else { STEPS } {
        let mut new = vec![0.0; from.len()];
        for row in probabilities.chunks_exact(from.len()) {
            let weighed =
                |c: usize| if from[c] > 0.0 { f64::from(row[c]) * shares[c] / from[c] } else { 0.0 };
            let sum: f64 = (0..from.len()).map(weighed).sum();
            if sum > 0.0 {
                new.iter_mut().enumerate().for_each(|(c, share)| *share += weighed(c) / sum / rows as f64);
            }
        }
        let moved = new.iter().zip(&shares).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        shares = new;
        if moved < 1e-9 {
            break;
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::{Figure, point_figures};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Rows of two classes, one in `ratio` of the second, of which a normal value with the means 0 and `apart` is known; with
    /// the true probabilities for these shares.
    fn two_normals(rows: usize, ratio: f64, apart: f64, seed: u64) -> (Vec<usize>, Vec<f32>) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let share = 1.0 / (1.0 + ratio);
        let (mut truth, mut probabilities) = (Vec::new(), Vec::new());
        for _ in 0..rows {
            let class = usize::from(rng.random_bool(share));
            let normal = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt()
                * (std::f64::consts::TAU * rng.random::<f64>()).cos();
            let x = normal + apart * class as f64;
            let odds = share / (1.0 - share) * (apart * x - apart * apart / 2.0).exp();
            let p = (odds / (1.0 + odds)) as f32;
            truth.push(class);
            probabilities.extend([1.0 - p, p]);
        }
        (truth, probabilities)
    }

    fn predictions<'a>(made: &'a (Vec<usize>, Vec<f32>)) -> Predictions<'a> {
        Predictions {
            truth: &made.0,
            probabilities: &made.1,
            classes: 2,
            ordered: false,
            groups: None,
            decided: None,
        }
    }

    fn figure(of: Predictions<'_>, decision: &Decision, figure: Figure) -> f64 {
        let decided = decision.answers(of.probabilities, of.classes);
        point_figures(Predictions { decided: Some(&decided), ..of })[&figure]
    }

    #[test]
    fn each_aim_is_served_best_by_what_it_learned_on_other_rows() {
        let (learned, asked) = (two_normals(4000, 16.0, 2.0, 1), two_normals(20_000, 16.0, 2.0, 2));
        let shares = [16.0 / 17.0, 1.0 / 17.0];
        let known = Known { predictions: predictions(&learned), shares: &shares };
        let decisions = Aim::LEARNED.map(|aim| Decision::learn(aim, known));
        for (aim, own) in Aim::LEARNED.iter().zip(&decisions) {
            let judged = match aim {
                Aim::Accuracy => Figure::Accuracy,
                Aim::MacroF1 => Figure::MacroF1,
                _ => Figure::BalancedAccuracy,
            };
            let of = |d: &Decision| figure(predictions(&asked), d, judged);
            for other in &decisions {
                assert!(of(own) > of(other) - 0.01, "{aim:?}: {own:?} {other:?}");
            }
        }
        let [likeliest, f1, balanced] = decisions.each_ref().map(|d| d.exponent);
        assert!(likeliest == 0.0 && f1 > 0.1 && balanced == 1.0 && f1 < balanced, "{f1} {balanced}");
        // What costs a point of accuracy is not done unasked.
        let unasked = Decision::macro_f1_within_a_point(known);
        let loss = |d: &Decision| {
            figure(predictions(&learned), &decisions[0], Figure::Accuracy)
                - figure(predictions(&learned), d, Figure::Accuracy)
        };
        assert!(loss(&unasked) < 0.01 && unasked.exponent > 0.0, "{unasked:?}");
    }

    #[test]
    fn few_rows_of_a_class_take_a_half_and_even_shares_change_nothing() {
        let few = two_normals(100, 9.0, 1.5, 3);
        let known = Known { predictions: predictions(&few), shares: &[0.9, 0.1] };
        assert_eq!(Decision::learn(Aim::MacroF1, known).exponent, 0.5);
        let even = Known { shares: &[0.5, 0.5], ..known };
        assert_eq!(
            Decision::learn(Aim::BalancedAccuracy, even).answers(&few.1, 2),
            predictions(&few).answers()
        );
    }

    /// Of 20,000 rows expected and found figures are the same, and a few hundred rows choose nearly the exponent of many.
    #[test]
    fn macro_f1_is_expected_as_it_is_found_and_its_exponent_is_steady() {
        for (ratio, gain) in [(1.3, 0.0), (4.0, 0.004), (16.0, 0.02)] {
            let many = two_normals(20_000, ratio, 2.0, 1);
            let shares = [ratio / (1.0 + ratio), 1.0 / (1.0 + ratio)];
            let likeliest = Decision::likeliest(&shares);
            let answers = likeliest.answers(&many.1, 2);
            let expected = expected_macro_f1(&answers, &many.1, 2);
            let of_many = |d: &Decision, of| figure(predictions(&many), d, of);
            assert!((expected - of_many(&likeliest, Figure::MacroF1)).abs() < 0.02);
            let (mut won, mut lost) = (0.0, 0.0);
            for seed in 0..20 {
                let few = two_normals(500, ratio, 2.0, 100 + seed);
                let known = Known { predictions: predictions(&few), shares: &shares };
                let decision = Decision::macro_f1_within_a_point(known);
                let more = |of| (of_many(&decision, of) - of_many(&likeliest, of)) / 20.0;
                won += more(Figure::MacroF1);
                lost -= more(Figure::Accuracy);
            }
            assert!(won > gain - 0.0005 && lost < 0.01, "{ratio}: {won} {lost}");
        }
    }

    #[test]
    fn costs_are_weighed_by_probabilities() {
        // To miss the second class costs nine times as much as to see it where it is not.
        let decision = Decision::of_costs(&[0.5, 0.5], vec![vec![0.0, 1.0], vec![9.0, 0.0]]);
        assert_eq!([[0.95, 0.05], [0.85, 0.15]].map(|row| decision.answer(&row)), [0, 1]);
    }

    /// The mix of new rows is found again, and probabilities for it are those of a model of that mix.
    #[test]
    fn another_mix_is_estimated_and_applied() {
        let mut asked = two_normals(20_000, 1.0, 2.0, 4);
        let expected = asked.1.clone();
        let (even, uneven) = ([0.5, 0.5], [0.8, 0.2]);
        apply_shares(&mut asked.1, &even, &uneven);
        let found = estimate_shares(&asked.1, &uneven);
        assert!((found[0] - 0.5).abs() < 0.015, "{found:?}");
        apply_shares(&mut asked.1, &uneven, &even);
        assert!(asked.1.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5));
        assert_eq!(estimate_shares(&[], &uneven), uneven);
    }
}
