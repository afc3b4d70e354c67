//! Each ill and each note alone, and a healthy run.

use std::collections::BTreeSet;

use super::*;
use crate::evaluate::{Estimate, LabelNoise, Metrics, Predictions, evaluate};
use crate::heads::Epoch;

/// What a healthy run leaves; each test spoils one thing.
struct Run {
    classes: Vec<String>,
    history: Vec<Epoch>,
    class_weights: bool,
    balanced: bool,
    test: Metrics,
    out_of_fold: Metrics,
    loss_gap: Estimate,
    part_rows: [Vec<usize>; 3],
    groups: usize,
    near_pairs: usize,
    contradictions: Contradictions,
    leaks: Vec<Leak>,
    naming_rows: usize,
    shift: Option<Shift>,
    drifts: Vec<Drift>,
    differences: [Estimate; 2],
    noise: LabelNoise,
}

fn estimate(value: f64, half: f64) -> Estimate {
    Estimate { value, low: value - half, high: value + half }
}

/// Figures of `rows` rows of three classes, of which `right` of every ten are right, at that confidence; the others go to the
/// next classes.
fn figures(rows: usize, right: usize) -> Metrics {
    let truth: Vec<usize> = (0..rows).map(|i| i % 3).collect();
    let mut probabilities = Vec::new();
    for (i, &class) in truth.iter().enumerate() {
        // Wrong answers alternate between the two other classes.
        let answer = if i / 3 % 10 < right { class } else { (class + 1 + i / 30 % 2) % 3 };
        let sure = right as f32 / 10.0;
        probabilities.extend((0..3).map(|c| if c == answer { sure } else { (1.0 - sure) / 2.0 }));
    }
    let names = ["a", "b", "c"].map(str::to_owned);
    let (probabilities, groups) = (&probabilities[..], None);
    evaluate(
        Predictions { truth: &truth, probabilities, classes: 3, ordered: true, groups, decided: None },
        &names,
        1,
    )
}

fn healthy() -> Run {
    let epoch = |epoch: usize| Epoch {
        epoch,
        learning_rate: 1e-3,
        train_loss: 0.5,
        train_accuracy: 0.9,
        validation_loss: 0.5,
        validation_accuracy: 0.88 + 0.002 * epoch as f64,
    };
    Run {
        classes: ["a", "b", "c"].map(str::to_owned).to_vec(),
        history: (1..=8).map(epoch).collect(),
        class_weights: false,
        balanced: false,
        test: figures(1500, 9),
        out_of_fold: figures(6000, 9),
        loss_gap: estimate(0.01, 0.03),
        part_rows: [vec![1700; 3], vec![300; 3], vec![500; 3]],
        groups: 7400,
        near_pairs: 0,
        contradictions: Contradictions { pairs: 2, rows: 4, near_pairs: 40, first: vec!["a:1 b:2".into()] },
        leaks: vec![],
        naming_rows: 100,
        shift: Some(Shift {
            texts: TextShift { auc: 0.55, p: 0.001 },
            shares_p: 0.4,
            share: ("a".into(), 0.3, 0.35),
        }),
        drifts: vec![Drift { column: "year".into(), from: "2020".into(), within: 0.9, across: 0.89, p: 0.3 }],
        differences: [estimate(0.6, 0.02), estimate(0.04, 0.02)],
        noise: LabelNoise { rate: estimate(0.01, 0.005), evenness: 0.3, rows: 1200, learned: 0.85 },
    }
}

fn findings(run: &Run) -> Vec<Finding> {
    let names = ["majority class", "a baseline"].map(str::to_owned);
    diagnose(&Evidence {
        classes: &run.classes,
        history: &run.history,
        has_epochs: true,
        class_weights: run.class_weights,
        balanced: run.balanced,
        test: &run.test,
        out_of_fold: &run.out_of_fold,
        loss_gap: run.loss_gap,
        part_rows: run.part_rows.clone(),
        test_share: Some(0.1),
        groups: run.groups,
        near_pairs_across: run.near_pairs,
        contradictions: run.contradictions.clone(),
        leaks: run.leaks.clone(),
        naming_rows: run.naming_rows,
        shift: run.shift.clone(),
        drifts: run.drifts.clone(),
        differences: names.into_iter().zip(run.differences).collect(),
        noise: Some(run.noise),
        half_width: 0.03,
    })
}

#[test]
fn a_healthy_run_has_no_findings() {
    assert_eq!(findings(&healthy()), []);
}

#[test]
fn each_is_found_alone() {
    let mut runs: Vec<(Ill, Level, Run)> = Vec::new();
    let mut spoiled = |ill, level, spoil: &dyn Fn(&mut Run)| {
        let mut run = healthy();
        spoil(&mut run);
        runs.push((ill, level, run));
    };
    let leak = Leak {
        what: "word \"nappy\"".into(),
        how: "only a has it".into(),
        accuracy: estimate(0.97, 0.02),
        p: 0.005,
        tried: 400,
        in_input: true,
    };
    spoiled(Ill::LabelLeakage, Level::Ill, &|r| r.leaks = vec![leak.clone(); 8]);
    spoiled(Ill::ToldByPlace, Level::Note, &|r| r.leaks = vec![Leak { in_input: false, ..leak.clone() }]);
    spoiled(Ill::LabelLeakage, Level::Ill, &|r| r.naming_rows = 2000);
    spoiled(Ill::DuplicatesAcrossParts, Level::Ill, &|r| r.near_pairs = 1);
    spoiled(Ill::Contradictions, Level::Ill, &|r| {
        (r.contradictions.pairs, r.contradictions.rows) = (60, 100)
    });
    spoiled(Ill::TestBelowFolds, Level::Ill, &|r| r.out_of_fold = figures(6000, 10));
    spoiled(Ill::TestAboveFolds, Level::Note, &|r| r.test = figures(1500, 10));
    spoiled(Ill::TestOfOtherShares, Level::Ill, &|r| r.shift.as_mut().unwrap().shares_p = 1e-6);
    spoiled(Ill::TestOfAnotherKind, Level::Ill, &|r| r.shift.as_mut().unwrap().texts.auc = 0.9);
    spoiled(Ill::Drift, Level::Ill, &|r| (r.drifts[0].across, r.drifts[0].p) = (0.4, 1e-5));
    spoiled(Ill::NoBetterThanBaseline, Level::Ill, &|r| {
        r.out_of_fold.figures.insert(crate::evaluate::Figure::BalancedAccuracy, estimate(0.34, 0.02));
    });
    spoiled(Ill::NoBetterThanBaseline, Level::Ill, &|r| r.differences[1] = estimate(-0.1, 0.05));
    spoiled(Ill::ClassNeverAnswered, Level::Ill, &|r| {
        r.out_of_fold.confusion.iter_mut().for_each(|row| row[2] = 0);
    });
    spoiled(Ill::Overfitting, Level::Ill, &|r| r.loss_gap = estimate(0.4, 0.1));
    spoiled(Ill::Miscalibrated, Level::Ill, &|r| {
        r.out_of_fold.miscalibration_p = Some(0.001);
        r.out_of_fold.figures.insert(crate::evaluate::Figure::Ece, estimate(0.12, 0.02));
    });
    spoiled(Ill::LabelErrors, Level::Ill, &|r| {
        (r.noise.rate, r.noise.evenness) = (estimate(0.2, 0.02), 1.0);
    });
    spoiled(Ill::NoBetterThanBaseline, Level::Note, &|r| {
        r.out_of_fold.figures.insert(crate::evaluate::Figure::BalancedAccuracy, estimate(0.5, 0.3));
    });
    spoiled(Ill::TinyClass, Level::Note, &|r| r.part_rows[1][2] = 0);
    spoiled(Ill::TinyClass, Level::Note, &|r| r.part_rows[2][1] = 8);
    spoiled(Ill::WideInterval, Level::Note, &|r| r.test = figures(150, 9));
    spoiled(Ill::NearCopies, Level::Note, &|r| r.groups = 3000);
    spoiled(Ill::AsGoodAsBaseline, Level::Note, &|r| r.differences[1] = estimate(0.01, 0.02));
    spoiled(Ill::UnstableValidation, Level::Note, &|r| {
        r.history.iter_mut().step_by(2).for_each(|e| e.validation_accuracy -= 0.08);
    });
    spoiled(Ill::Imbalance, Level::Note, &|r| (r.part_rows[0][0], r.groups) = (40_000, 45_000));
    spoiled(Ill::Confusion, Level::Note, &|r| {
        r.out_of_fold.confusion[0] = vec![1500, 500, 0];
    });
    for (ill, level, run) in &runs {
        let found = findings(run);
        let [one] = &found[..] else { panic!("{ill:?}: {found:?}") };
        assert_eq!((one.ill, one.level), (*ill, *level));
        assert!(![&one.evidence, &one.advice, &one.sure].iter().any(|text| text.is_empty()), "{one:?}");
    }
    let all: BTreeSet<Ill> = runs.iter().map(|(ill, ..)| *ill).collect();
    assert_eq!(all.len(), 21, "every ill has a run");
    let long = &findings(&runs[0].2)[0].evidence;
    assert!(long.ends_with("and 3 more"), "{long}");
}

/// What hard rows, a weak head or few rows bring about is not called wrong labels.
#[test]
fn hard_rows_are_not_wrong_labels() {
    let spoiled = |noise: LabelNoise| {
        let mut run = healthy();
        run.noise = noise;
        findings(&run).len()
    };
    let wrong = LabelNoise { rate: estimate(0.2, 0.02), evenness: 1.0, rows: 1200, learned: 0.8 };
    assert_eq!(spoiled(wrong), 1);
    assert_eq!(spoiled(LabelNoise { evenness: 0.5, ..wrong }), 0);
    assert_eq!(spoiled(LabelNoise { learned: 0.1, ..wrong }), 0);
    assert_eq!(spoiled(LabelNoise { rate: estimate(0.2, 0.18), ..wrong }), 0);
}

/// Advice names what can be changed: what is on is not advised, and nothing that the head does not have.
#[test]
fn advice_depends_on_what_is_on() {
    let mut run = healthy();
    run.out_of_fold.confusion.iter_mut().for_each(|row| row[2] = 0);
    assert!(findings(&run)[0].advice.contains("evaluate.decision = \"balanced_accuracy\""));
    run.balanced = true;
    assert!(!findings(&run)[0].advice.contains("evaluate.decision"));
}

#[test]
fn a_wide_interval_says_how_many_rows_are_missing() {
    let mut run = healthy();
    run.test = figures(150, 9);
    // 0.9 · 0.1 · (1.96 / 0.03)² = 384.2
    let found = &findings(&run)[0];
    assert!(found.evidence.contains("about 385 test rows, 235 more"), "{}", found.evidence);
    assert!(found.advice.contains("2,350 more rows"), "{}", found.advice);
}
