//! Merging against a truth that is known.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::collect::people::votes::Sizes;

const CLASSES: usize = 3;

/// Votes drawn by known matrices about a known truth.
struct Drawn {
    truth: Vec<usize>,
    votes: Votes,
}

/// Probability of a right answer `right`, the rest shared by the other classes.
fn even(right: f64) -> Vec<f64> {
    let wrong = (1.0 - right) / (CLASSES - 1) as f64;
    (0..CLASSES * CLASSES).map(|cell| if cell / CLASSES == cell % CLASSES { right } else { wrong }).collect()
}

/// Five people of different quality, two of them with habits of their own.
fn people() -> Vec<Vec<f64>> {
    vec![
        even(0.92),
        vec![0.90, 0.08, 0.02, 0.15, 0.80, 0.05, 0.05, 0.15, 0.80],
        even(0.60),
        vec![0.80, 0.15, 0.05, 0.60, 0.35, 0.05, 0.30, 0.40, 0.30],
        even(0.45),
    ]
}

fn drawn(matrices: &[Vec<f64>], rows: usize, answered: f64, seed: u64) -> Drawn {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut pick = |weights: &[f64]| {
        let mut left = generator.random::<f64>() * weights.iter().sum::<f64>();
        let place = weights.iter().position(|weight| {
            left -= weight;
            left < 0.0
        });
        place.unwrap_or(weights.len() - 1)
    };
    let truth: Vec<usize> = (0..rows).map(|_| pick(&[0.45, 0.35, 0.2])).collect();
    let mut votes = Vec::new();
    for (row, &truth) in truth.iter().enumerate() {
        for (annotator, matrix) in matrices.iter().enumerate() {
            if pick(&[answered, 1.0 - answered]) == 0 {
                let class = pick(&matrix[truth * CLASSES..(truth + 1) * CLASSES]);
                votes.push(Vote { row, annotator, class });
            }
        }
    }
    let sizes = Sizes { rows, annotators: matrices.len(), classes: CLASSES };
    Drawn { truth, votes: Votes::new(sizes, votes).unwrap() }
}

fn share_right(truth: &[usize], class: impl Fn(usize) -> usize) -> f64 {
    truth.iter().enumerate().filter(|&(row, &truth)| class(row) == truth).count() as f64 / truth.len() as f64
}

fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.into_iter().collect();
    values.iter().sum::<f64>() / values.len() as f64
}

fn log_likelihood_never_falls(merged: &Merged) {
    let falls = merged.log_likelihoods.windows(2).find(|pair| pair[1] < pair[0] - 1e-9 * pair[0].abs());
    assert_eq!(falls, None);
}

const PUBLISHED: DawidSkene = DawidSkene {
    smoothing: Smoothing { right: 0.0, wrong: 0.0, class: 0.0 },
    max_iterations: 1000,
    tolerance: 1e-6,
};

#[test]
fn two_who_agree_outvote_one_and_the_sums_are_right() {
    // By hand: without smoothing the first M step on shares (1, 0), (0, 1) gives matrices of ones and noughts.
    let votes = (0..4)
        .flat_map(|row| (0..2).map(move |annotator| Vote { row, annotator, class: usize::from(row > 0) }));
    let sizes = Sizes { rows: 4, annotators: 2, classes: 2 };
    let merged = merge(&Votes::new(sizes, votes.collect()).unwrap(), &PUBLISHED).unwrap();
    assert_eq!(merged.confusions, [[1.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0]]);
    assert_eq!(merged.shares, [0.25, 0.75]);
    // ln(1/4) + 3 ln(3/4)
    assert!((merged.log_likelihoods[0] - -2.249_340_578_475_233).abs() < 1e-12);
    assert!(merged.converged);

    // One round by hand of three votes about one row, 2 to 1, smoothing (1, 1, 1): shares of votes (2/3, 1/3).
    let votes = [0, 0, 1].into_iter().enumerate().map(|(annotator, class)| Vote { row: 0, annotator, class });
    let sizes = Sizes { rows: 1, annotators: 3, classes: 2 };
    let one = DawidSkene {
        smoothing: Smoothing { right: 1.0, wrong: 1.0, class: 1.0 },
        max_iterations: 1,
        tolerance: 0.0,
    };
    let merged = merge(&Votes::new(sizes, votes.collect()).unwrap(), &one).unwrap();
    // Annotator 0, truth 0: (1 + 2/3) / (2 + 2/3) = 5/8; truth 1: (1 + 1/3) / (2 + 1/3) = 4/7. Shares (5/9, 4/9).
    assert!(
        (merged.confusion(0, 0, 0) - 5.0 / 8.0).abs() < 1e-12
            && (merged.confusion(0, 1, 0) - 4.0 / 7.0).abs() < 1e-12
    );
    let first = 5.0 / 9.0 * (5.0f64 / 8.0).powi(3);
    let second = 4.0 / 9.0 * (4.0f64 / 7.0).powi(3);
    assert!((merged.posterior(0)[0] - first / (first + second)).abs() < 1e-12);
    assert!(!merged.converged);
}

/// The answers of four people about 40 rows, `-` for none; `crowdkit.aggregation.DawidSkene(n_iter=1000, tol=1e-12)` of the PyPI
/// package crowd-kit 1.4.2 gives the numbers.
#[test]
fn the_published_method_agrees_with_the_reference() {
    let rows = "001- 100- --12 -212 --0- --01 0000 -000 1-01 111- 21-2 2002 0102 0000 -00- 111- 1110 2222 0--0 110- \
                2-0- -001 0-22 -212 100- 111- 000- 0-0- 11-1 -002 1101 2-12 2210 1012 0010 02-- -21- -111 -0-0 0--0";
    let votes = rows.split(' ').enumerate().flat_map(|(row, of)| {
        of.bytes().enumerate().filter(|(_, class)| *class != b'-').map(move |(annotator, class)| Vote {
            row,
            annotator,
            class: usize::from(class - b'0'),
        })
    });
    let sizes = Sizes { rows: 40, annotators: 4, classes: CLASSES };
    let settings = DawidSkene { tolerance: 1e-9, ..PUBLISHED };
    let merged = merge(&Votes::new(sizes, votes.collect()).unwrap(), &settings).unwrap();
    for (found, reference) in [
        (merged.shares[0], 0.517_247_842),
        (merged.shares[1], 0.237_744_297),
        (merged.confusion(0, 0, 0), 0.618_783_0),
        (merged.confusion(0, 2, 0), 0.357_762_4),
        (merged.confusion(1, 0, 0), 0.915_112_9),
        (merged.confusion(2, 1, 1), 0.576_572_8),
        (merged.confusion(3, 0, 1), 0.119_574_7),
        (merged.posterior(19)[0], 0.075_469),
        (merged.posterior(19)[1], 0.924_531),
        (merged.posterior(33)[0], 1.0),
    ] {
        assert!((found - reference).abs() < 1e-5, "{found} {reference}");
    }
}

#[test]
fn merging_beats_the_majority_and_finds_the_matrices() {
    let (mut by_merging, mut by_majority, mut off) = (Vec::new(), Vec::new(), Vec::new());
    for seed in 0..50 {
        let Drawn { truth, votes } = drawn(&people(), 300, 1.0, seed);
        let merged = merge(&votes, &DawidSkene::default()).unwrap();
        assert!(merged.converged);
        log_likelihood_never_falls(&merged);
        by_merging.push(share_right(&truth, |row| merged.class(row)));
        by_majority.push(share_right(&truth, |row| votes.majority(row).unwrap()));
        let cells = merged.confusions.iter().flatten().zip(people().into_iter().flatten());
        off.push(mean(cells.map(|(found, real)| (found - real).abs())));
    }
    let better = by_merging.iter().zip(&by_majority).filter(|(merged, majority)| merged > majority).count();
    let (merged, majority, off) = (mean(by_merging), mean(by_majority), mean(off));
    println!("merged {merged:.4}, majority {majority:.4}, better on {better} of 50, cells {off:.4} off");
    assert!(merged > majority + 0.03 && better >= 45, "{merged} {majority} {better}");
    assert!(off < 0.08, "{off}");
}

#[test]
fn posteriors_are_calibrated() {
    for (answered, most_off) in [(1.0, 0.03), (0.5, 0.05)] {
        let mut bins = vec![(0.0, 0.0, 0.0); 5];
        for seed in 0..50 {
            let Drawn { truth, votes } = drawn(&people(), 300, answered, 500 + seed);
            let merged = merge(&votes, &DawidSkene::default()).unwrap();
            for (row, &truth) in truth.iter().enumerate().filter(|&(row, _)| !votes.of_row(row).is_empty()) {
                let sure = merged.posterior(row)[merged.class(row)];
                let bin = &mut bins[((sure * 5.0) as usize).min(4)];
                *bin = (bin.0 + sure, bin.1 + f64::from(u8::from(merged.class(row) == truth)), bin.2 + 1.0);
            }
        }
        let total: f64 = bins.iter().map(|bin| bin.2).sum();
        let error: f64 = bins.iter().map(|(sure, right, _)| (sure - right).abs() / total).sum();
        println!("answered {answered}: calibration error {error:.4}, bins {bins:?}");
        assert!(error < most_off, "{error}");
    }
}

#[test]
fn the_published_method_never_lowers_the_likelihood_either() {
    for seed in 0..10 {
        let Drawn { votes, .. } = drawn(&people(), 100, 0.4, 900 + seed);
        let merged = merge(&votes, &PUBLISHED).unwrap();
        log_likelihood_never_falls(&merged);
        assert!(merged.posteriors.iter().all(|p| p.is_finite()) && merged.log_likelihoods.len() > 2);
    }
}

#[test]
fn an_adversary_is_turned_round_and_a_parrot_says_nothing() {
    // Two good ones, one who names the next class, one who always says the first.
    let next = vec![0.05, 0.90, 0.05, 0.05, 0.05, 0.90, 0.90, 0.05, 0.05];
    let parrot = vec![1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0];
    let matrices = [even(0.85), even(0.85), next, parrot];
    let (mut with, mut majority) = (Vec::new(), Vec::new());
    for seed in 0..20 {
        let Drawn { truth, votes } = drawn(&matrices, 300, 1.0, 1300 + seed);
        let merged = merge(&votes, &DawidSkene::default()).unwrap();
        // 60 rows of the rarest class: the standard error of a cell at 0.9 is 0.04.
        assert!((0..CLASSES).all(|truth| merged.confusion(2, truth, (truth + 1) % CLASSES) > 0.65));
        assert!((0..CLASSES).all(|truth| merged.confusion(3, truth, 0) > 0.95));
        let vote = |class| Vote { row: 0, annotator: 3, class };
        let moved = merged
            .posterior_by([vote(0)])
            .iter()
            .zip(&merged.shares)
            .map(|(a, b)| (a - b).abs())
            .sum::<f64>();
        assert!(moved < 0.05, "{moved}");
        with.push(share_right(&truth, |row| merged.class(row)));
        majority.push(share_right(&truth, |row| votes.majority(row).unwrap()));
    }
    let (with, majority) = (mean(with), mean(majority));
    println!("with an adversary and a parrot: merged {with:.4}, majority {majority:.4}");
    assert!(with > 0.93 && with > majority + 0.1, "{with} {majority}");
}

#[test]
fn few_answers_and_single_ones_do_no_harm() {
    let mut matrices = people();
    matrices.push(even(0.9));
    let Drawn { votes, truth } = drawn(&matrices, 200, 1.0, 77);
    // The sixth has answered five rows, rows 150 on have one answer, rows 190 on none.
    let kept = votes.all().iter().copied().filter(|vote| {
        let few = vote.annotator < 5 || vote.row < 5;
        few && (vote.row < 150 || (vote.row < 190 && vote.annotator == vote.row % 5))
    });
    let votes = Votes::new(votes.sizes(), kept.collect()).unwrap();
    let merged = merge(&votes, &DawidSkene::default()).unwrap();
    log_likelihood_never_falls(&merged);
    for row in 0..200 {
        let sum: f64 = merged.posterior(row).iter().sum();
        assert!((sum - 1.0).abs() < 1e-9);
    }
    assert_eq!(merged.posterior(199), merged.posterior(190));
    assert!(merged.posterior(199).iter().zip(&merged.shares).all(|(a, b)| (a - b).abs() < 1e-9));
    // Five answers prove nobody infallible, and one answer makes no row certain.
    assert!(merged.confusions[5].iter().all(|&p| p > 0.02 && p < 0.95));
    let single = (150..190).map(|row| merged.posterior(row)[merged.class(row)]).fold(0.0, f64::max);
    assert!(single < 0.99, "{single}");
    assert!(share_right(&truth[..150], |row| merged.class(row)) > 0.85);
}

#[test]
fn nothing_is_no_error_and_bad_settings_are() {
    let none = Votes::new(Sizes { rows: 2, annotators: 0, classes: 2 }, vec![]).unwrap();
    for settings in [DawidSkene::default(), PUBLISHED, DawidSkene { max_iterations: 0, ..PUBLISHED }] {
        let merged = merge(&none, &settings).unwrap();
        assert_eq!((merged.posteriors, merged.shares), (vec![0.5; 4], vec![0.5; 2]));
    }
    let one = Votes::new(
        Sizes { rows: 1, annotators: 1, classes: 1 },
        vec![Vote { row: 0, annotator: 0, class: 0 }],
    );
    assert_eq!(merge(&one.unwrap(), &DawidSkene::default()).unwrap().posteriors, [1.0]);
    let bad = DawidSkene { tolerance: f64::NAN, ..DawidSkene::default() };
    assert!(matches!(merge(&none, &bad), Err(PeopleError::Setting { key: "tolerance", .. })));
    let bad =
        DawidSkene { smoothing: Smoothing { wrong: -1.0, ..Smoothing::default() }, ..DawidSkene::default() };
    assert!(merge(&none, &bad).is_err());
}
