//! What is wrong. Whatever is concluded from a test is called so at [`SIGNIFICANT`], so that all together cry wolf in at most
//! one of twenty healthy runs; `docs/findings.md` has the rates.

use super::evidence::{Evidence, Leak, SIGNIFICANT};
use super::finding::{COUNTED, Finding, Ill, ill, percent};
use crate::counting::{counted, grouped};
use crate::evaluate::figure::Figure;
use crate::evaluate::interval::{Estimate, signed};
use crate::evaluate::metrics::Metrics;

/// Pairs, columns and words listed.
const LISTED: usize = 5;

pub(super) fn all(e: &Evidence<'_>) -> Vec<Finding> {
    let each: [fn(&Evidence<'_>) -> Option<Finding>; 12] = [
        leakage,
        duplicates,
        contradictions,
        test_below_folds,
        other_shares,
        another_kind,
        drift,
        no_better,
        never_answered,
        overfitting,
        label_errors,
        miscalibrated,
    ];
    each.iter().filter_map(|look| look(e)).collect()
}

pub(super) fn p_value(p: f64) -> String {
    if p < 1e-4 { "p < 0.0001".to_owned() } else { format!("p = {p:.4}") }
}

fn leakage(e: &Evidence<'_>) -> Option<Finding> {
    /// Below this share of rows, texts that name the label are how people write.
    const NAMING_SHARE: f64 = 0.05;
    let rows: usize = e.part_rows.iter().flatten().sum();
    let inputs: Vec<&Leak> = e.leaks.iter().filter(|leak| leak.in_input).collect();
    let mut ways: Vec<String> = inputs.iter().take(LISTED).map(ToString::to_string).collect();
    if inputs.len() > LISTED {
        ways.push(format!("and {} more", inputs.len() - LISTED));
    }
    if e.naming_rows as f64 > NAMING_SHARE * rows as f64 {
        ways.push(format!(
            "{} of {} the label in the text",
            grouped(e.naming_rows),
            counted(rows, "row names", "rows name")
        ));
    }
    if ways.is_empty() {
        return None;
    }
    let sure = inputs.iter().map(|leak| leak.p).reduce(f64::max);
    Some(ill(
        Ill::LabelLeakage,
        "the label can be read off the input",
        ways.join("; "),
        sure.map_or(COUNTED.to_owned(), |p| format!("p ≤ {p:.3} against shuffled labels, corrected for all that was tried")),
        "take these columns or words out of the input, unless they will be known when the model is asked; if they will, \
         the task may need no model"
            .to_owned(),
    ))
}

fn duplicates(e: &Evidence<'_>) -> Option<Finding> {
    let pairs = Some(e.near_pairs_across).filter(|&pairs| pairs > 0)?;
    Some(ill(
        Ill::DuplicatesAcrossParts,
        "rows of the test or validation part have near-duplicates that were trained on",
        counted(pairs, "pair", "pairs"),
        COUNTED.to_owned(),
        "set split.given_test_duplicates = \"drop\"; figures are too good as they are".to_owned(),
    ))
}

fn contradictions(e: &Evidence<'_>) -> Option<Finding> {
    /// Fewer rows are slips that any file has.
    const SHARE: f64 = 0.01;
    const PAIRS: usize = 3;
    let found = &e.contradictions;
    let rows: usize = e.part_rows.iter().flatten().sum();
    if found.pairs < PAIRS || (found.rows as f64) < SHARE * rows as f64 {
        return None;
    }
    let mut evidence = format!(
        "{} of {} of near-duplicates, {}: {}",
        grouped(found.pairs),
        counted(found.near_pairs, "pair", "pairs"),
        counted(found.rows, "row", "rows"),
        found.first.iter().take(LISTED).cloned().collect::<Vec<_>>().join("; ")
    );
    if found.pairs > LISTED {
        evidence += &format!("; and {} more", found.pairs - LISTED);
    }
    Some(ill(
        Ill::Contradictions,
        "equal or nearly equal texts have different labels",
        evidence,
        COUNTED.to_owned(),
        "decide on one label for each; `pipeline validate` lists them all".to_owned(),
    ))
}

/// Accuracy on the test part minus that out of fold, and the two-sided p of their being equal.
pub(super) fn test_against_folds(e: &Evidence<'_>) -> (f64, f64) {
    accuracy_difference(e.test, e.out_of_fold)
}

/// The accuracy of answers to some rows minus that of answers to others, and the two-sided p of their being equal, by the two
/// intervals.
pub fn accuracy_difference(test: &Metrics, folds: &Metrics) -> (f64, f64) {
    let [test, folds] = [test, folds].map(|m| m.of(Figure::Accuracy));
    let difference = test.value - folds.value;
    // Each interval reaches towards the other value.
    let (towards_folds, towards_test) = if difference < 0.0 {
        (test.high - test.value, folds.value - folds.low)
    } else {
        (test.value - test.low, folds.high - folds.value)
    };
    let half = towards_folds.hypot(towards_test);
    let of = Estimate { value: difference, low: difference - half, high: difference + half };
    let above = of.probability_above(0.0);
    (difference, 2.0 * above.min(1.0 - above))
}

pub(super) fn accuracies(e: &Evidence<'_>) -> String {
    let [test, folds] = [e.test, e.out_of_fold].map(|m| {
        let of = m.of(Figure::Accuracy);
        format!(
            "{} ({} – {}) of {}",
            percent(of.value),
            percent(of.low),
            percent(of.high),
            counted(m.rows, "row", "rows")
        )
    });
    format!("accuracy on the test part {test}, out of fold {folds}")
}

fn test_below_folds(e: &Evidence<'_>) -> Option<Finding> {
    let (difference, p) = test_against_folds(e);
    (difference < 0.0 && p < SIGNIFICANT).then(|| {
        ill(
            Ill::TestBelowFolds,
            "the test part is answered far worse than the folds",
            accuracies(e),
            p_value(p),
            "expect the test part's figures of rows like it, not the folds'; add labelled rows like them to the training files"
                .to_owned(),
        )
    })
}

fn other_shares(e: &Evidence<'_>) -> Option<Finding> {
    let shift = e.shift.as_ref().filter(|shift| shift.shares_p < SIGNIFICANT)?;
    let (class, rest, test) = &shift.share;
    Some(ill(
        Ill::TestOfOtherShares,
        "the classes have other shares in the given test part than in training",
        format!("{class}: {} in training, {} in the test part", percent(*rest), percent(*test)),
        p_value(shift.shares_p),
        "judge by macro-F1 and the classes' recall, which do not hang on the shares; the probabilities are for the shares of \
         training"
            .to_owned(),
    ))
}

fn another_kind(e: &Evidence<'_>) -> Option<Finding> {
    let texts = e.shift.as_ref().map(|shift| shift.texts).filter(|texts| texts.is_found())?;
    Some(ill(
        Ill::TestOfAnotherKind,
        "the texts of the given test part are of another kind than the training files'",
        format!(
            "a classifier tells which of the two a text is from with an area under the ROC curve of {:.2}",
            texts.auc
        ),
        p_value(texts.p),
        "the folds say nothing of such texts; add labelled rows like the test part's to the training files"
            .to_owned(),
    ))
}

fn drift(e: &Evidence<'_>) -> Option<Finding> {
    // As many columns as there are were tried.
    let tried = e.drifts.len() as f64;
    let drift = e.drifts.iter().min_by(|a, b| a.p.total_cmp(&b.p)).filter(|d| d.p * tried < SIGNIFICANT)?;
    Some(ill(
        Ill::Drift,
        "what the labels mean changes over time",
        format!(
            "`{}`, before and from {}: {} right after learning from rows of the same half, {} after learning from the other",
            drift.column,
            drift.from,
            percent(drift.within),
            percent(drift.across)
        ),
        p_value((drift.p * tried).min(1.0)),
        format!(
            "label the older rows by today's rule, or leave them out; give the newest rows as data.test_files (`{}`)",
            drift.column
        ),
    ))
}

/// What the head is against one answer to all.
pub(super) enum Chance {
    /// Better.
    Better,
    /// No better, as far as so many rows show it.
    NoBetter,
    /// There are too few rows to say.
    TooFew,
}

/// The mean recall of whoever answers one class is one of so many classes. It is asked of all rows together: over a few folds
/// of few rows the interval is too wide to tell.
pub(super) fn against_chance(e: &Evidence<'_>) -> (Chance, String, f64) {
    /// Of fewer rows a head may know something and not show it.
    const ROWS: usize = 100;
    /// At most so much of what there is to know.
    const KNOWN: f64 = 0.25;
    let recall = e.out_of_fold.of(Figure::BalancedAccuracy);
    let classes = e.out_of_fold.per_class.iter().filter(|class| class.support > 0).count();
    let chance = 1.0 / classes.max(1) as f64;
    let evidence = format!(
        "out of fold, mean recall of the classes {} ({} – {}); of one answer to all {}",
        percent(recall.value),
        percent(recall.low),
        percent(recall.high),
        percent(chance)
    );
    let p = 1.0 - recall.probability_above(chance);
    let shown = e.out_of_fold.rows >= ROWS && recall.high < chance + KNOWN * (1.0 - chance);
    let against = match (p < SIGNIFICANT, shown) {
        (true, _) => Chance::Better,
        (false, true) => Chance::NoBetter,
        (false, false) => Chance::TooFew,
    };
    (against, evidence, p)
}

fn no_better(e: &Evidence<'_>) -> Option<Finding> {
    let words = |(name, d): &(String, Estimate)| {
        format!("{name}: {} ({} – {})", signed(d.value), signed(d.low), signed(d.high))
    };
    let evidence = |of: Vec<String>| format!("macro-F1 of the head minus that of {}", of.join("; "));
    if let (Chance::NoBetter, evidence, p) = against_chance(e) {
        return Some(ill(
            Ill::NoBetterThanBaseline,
            "the head is no better than always answering the most frequent class",
            evidence,
            format!("{} of being no better", p_value(p)),
            "the input says nothing about these labels, or hardly anything; look at some rows and say their label yourself from \
             what the head is given"
                .to_owned(),
        ));
    }
    let others = e.differences.get(1..)?;
    let significant = SIGNIFICANT / others.len().max(1) as f64;
    let worse: Vec<String> =
        others.iter().filter(|(_, d)| d.probability_above(0.0) < significant).map(words).collect();
    (!worse.is_empty()).then(|| {
        ill(
            Ill::NoBetterThanBaseline,
            "the head is worse than a baseline",
            evidence(worse),
            format!("p < {SIGNIFICANT}, corrected for {} baselines", others.len()),
            "use the baseline's method, or change the head".to_owned(),
        )
    })
}

fn never_answered(e: &Evidence<'_>) -> Option<Finding> {
    /// Of fewer rows a class is tiny, which is a note.
    const ROWS: usize = 20;
    let confusion = &e.out_of_fold.confusion;
    let never: Vec<String> = e
        .out_of_fold
        .per_class
        .iter()
        .enumerate()
        .filter(|(class, of)| of.support >= ROWS && confusion.iter().all(|row| row[*class] == 0))
        .map(|(_, of)| format!("{}: {}", of.class, counted(of.support, "row", "rows")))
        .collect();
    (!never.is_empty()).then(|| {
        let advice = match e.balanced {
            false => {
                "set evaluate.decision = \"balanced_accuracy\": each class then counts as much as the others"
            }
            true => "label more rows of the class",
        };
        ill(
            Ill::ClassNeverAnswered,
            "a class is never answered",
            format!("out of fold, {}", never.join("; ")),
            COUNTED.to_owned(),
            advice.to_owned(),
        )
    })
}

fn overfitting(e: &Evidence<'_>) -> Option<Finding> {
    /// Nats; less is what choosing settings costs.
    const GAP: f64 = 0.1;
    let p = 1.0 - e.loss_gap.probability_above(GAP);
    (p < SIGNIFICANT).then(|| {
        ill(
            Ill::Overfitting,
            "held-out rows are answered worse than the head believed",
            format!(
                "log loss {} ({} – {}) above what rows that were left out of training had",
                signed(e.loss_gap.value),
                signed(e.loss_gap.low),
                signed(e.loss_gap.high)
            ),
            p_value(p),
            "trust the folds; what the head says of its own left-out rows is too good".to_owned(),
        )
    })
}

fn label_errors(e: &Evidence<'_>) -> Option<Finding> {
    /// So many labels any file has wrong.
    const RATE: f64 = 0.05;
    /// Where hard rows, not wrong labels, make the errors, the surest rows have fewer.
    const EVEN: f64 = 0.8;
    /// A head that knows less may be sure of nothing.
    const LEARNED: f64 = 0.35;
    let noise = e.noise.filter(|n| n.learned >= LEARNED && n.evenness >= EVEN)?;
    let p = 1.0 - noise.rate.probability_above(RATE);
    (p < SIGNIFICANT).then(|| {
        ill(
            Ill::LabelErrors,
            "labels are wrong at random",
            format!(
                "about {} ({} – {}): so many of the {} rows that heads which had not seen them are surest of have another label",
                percent(noise.rate.value),
                percent(noise.rate.low),
                percent(noise.rate.high),
                grouped(noise.rows)
            ),
            format!("95 % interval; more than {} with {}", percent(RATE), p_value(p)),
            "mend them: `pipeline validate` lists the most suspect rows first".to_owned(),
        )
    })
}

fn miscalibrated(e: &Evidence<'_>) -> Option<Finding> {
    /// Less matters to nobody.
    const ECE: f64 = 0.05;
    let (error, p) = (e.out_of_fold.of(Figure::Ece), e.out_of_fold.miscalibration_p?);
    (p < SIGNIFICANT && error.value > ECE).then(|| {
        let advice = match e.class_weights {
            true => "do not use the probabilities as such; train.class_weights = false makes them those of these rows",
            false => "do not use the probabilities as such, only their order",
        };
        ill(
            Ill::Miscalibrated,
            "confidence differs from the share that is right, also after temperature scaling",
            format!(
                "expected calibration error {} ({} – {}) of {}",
                percent(error.value),
                percent(error.low),
                percent(error.high),
                counted(e.out_of_fold.rows, "out-of-fold row", "out-of-fold rows")
            ),
            format!("{} of a calibrated model", p_value(p)),
            advice.to_owned(),
        )
    })
}
