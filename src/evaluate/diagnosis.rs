//! What an expert would say of a run: each finding with its evidence and what to do.
//!
//! The limits below are rules of thumb; where no source is named they are guesses that the tests hold in place.

use serde::{Deserialize, Serialize};

use super::figure::Figure;
use super::gates::{late_deviation, loss_gap};
use super::interval::{Estimate, signed};
use super::metrics::Metrics;
use crate::heads::Epoch;

/// One thing that is wrong, or may be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Which ill it is.
    pub ill: Ill,
    /// What was found, in one sentence.
    pub finding: String,
    /// The numbers behind it.
    pub evidence: String,
    /// What to do.
    pub advice: String,
}

/// The ills that are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ill {
    /// A text or feature from which the label can be read off.
    LabelLeakage,
    /// Near-duplicates in different parts.
    DuplicatesAcrossParts,
    /// A class without rows, or with very few, in a part.
    TinyClass,
    /// The test part is easier than the validation part.
    TestBetterThanValidation,
    /// The head is no better than a baseline.
    NoBetterThanBaseline,
    /// Validation loss rises while training loss falls.
    Overfitting,
    /// Validation accuracy jumps from epoch to epoch.
    UnstableValidation,
    /// The interval is too wide to conclude from.
    WideInterval,
    /// Probabilities do not mean what they say.
    Miscalibrated,
    /// Many labels are contradicted with confidence.
    LabelErrors,
    /// The largest class is much larger than the smallest.
    Imbalance,
    /// Many parameters for few rows.
    TooManyParameters,
    /// One class is often taken for another.
    Confusion,
}

/// A feature, text or word and how well it alone tells the class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Giveaway {
    /// The column, or the word in quotes.
    pub what: String,
    /// How it gives the class away, in words.
    pub how: String,
}

/// What the diagnosis looks at.
pub struct Evidence<'a> {
    /// Class names.
    pub classes: &'a [String],
    /// The training history.
    pub history: &'a [Epoch],
    /// The epoch that was kept, counted from 1.
    pub best_epoch: usize,
    /// Figures of the validation part.
    pub validation: &'a Metrics,
    /// Figures of the test part, calibrated.
    pub test: &'a Metrics,
    /// Rows of each class in the train, validation and test part.
    pub part_rows: [Vec<usize>; 3],
    /// Share of rows that is drawn as the test part.
    pub test_share: f64,
    /// Trainable parameters of the head.
    pub parameters: usize,
    /// Pairs of near-duplicates with one row in the test or validation part and one elsewhere.
    pub near_pairs_across: usize,
    /// What alone tells the class.
    pub giveaways: Vec<Giveaway>,
    /// Rows whose text names the label outright (`validate.names_label`).
    pub naming_rows: usize,
    /// Head minus each baseline, macro-F1 over the folds.
    pub differences: Vec<(String, Estimate)>,
    /// Rows answered out of fold: those of `calibrated_ece` and `suspects`.
    pub out_of_fold_rows: usize,
    /// Expected calibration error out of fold, calibrated, in `[0, 1]`.
    pub calibrated_ece: f64,
    /// Rows contradicted with confidence out of fold.
    pub suspects: usize,
    /// Half-width of the accuracy interval that is aimed at.
    pub half_width: f64,
}

/// All findings, gravest first.
pub fn diagnose(e: &Evidence<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(leakage(e));
    found.extend(duplicates(e));
    found.extend(tiny_classes(e));
    found.extend(test_above_validation(e));
    found.extend(no_better(e));
    found.extend(overfitting(e));
    found.extend(unstable(e));
    found.extend(wide(e));
    found.extend(miscalibrated(e));
    found.extend(label_errors(e));
    found.extend(imbalance(e));
    found.extend(parameters(e));
    found.extend(confusion(e));
    found
}

fn finding(
    ill: Ill,
    finding: impl Into<String>,
    evidence: impl Into<String>,
    advice: &str,
) -> Option<Finding> {
    Some(Finding { ill, finding: finding.into(), evidence: evidence.into(), advice: advice.into() })
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn leakage(e: &Evidence<'_>) -> Option<Finding> {
    /// Below this share of rows, texts that name the label are how people write.
    const NAMING_SHARE: f64 = 0.05;
    let rows: usize = e.part_rows.iter().flatten().sum();
    let mut ways: Vec<String> = e.giveaways.iter().map(|g| format!("{}: {}", g.what, g.how)).collect();
    if e.naming_rows as f64 > NAMING_SHARE * rows as f64 {
        ways.push(format!("{} of {rows} rows name the label in their text", e.naming_rows));
    }
    if ways.is_empty() {
        return None;
    }
    finding(
        Ill::LabelLeakage,
        "the label can be read off the input",
        ways.join("; "),
        "remove these columns or words from the input; if they will be there when the model is used, the task may need no model",
    )
}

fn duplicates(e: &Evidence<'_>) -> Option<Finding> {
    let pairs = Some(e.near_pairs_across).filter(|&pairs| pairs > 0)?;
    finding(
        Ill::DuplicatesAcrossParts,
        "rows of the test or validation part have near-duplicates that were trained on",
        format!("{pairs} pairs"),
        "set split.given_test_duplicates = \"drop\"; figures are too good as they are",
    )
}

fn tiny_classes(e: &Evidence<'_>) -> Option<Finding> {
    /// With fewer rows, one row moves the class's recall by more than five points.
    const ROWS: usize = 20;
    let mut words = Vec::new();
    for (part, rows) in ["train", "validation", "test"].into_iter().zip(&e.part_rows) {
        // The validation part only chooses the epoch; there a class must merely be there.
        let least = if part == "validation" { 1 } else { ROWS };
        let few = rows.iter().zip(e.classes).filter(|(n, _)| **n < least);
        words.extend(few.map(|(n, class)| format!("{class}: {n} in the {part} part")));
    }
    if words.is_empty() {
        return None;
    }
    let more = words.len().saturating_sub(5);
    words.truncate(5);
    if more > 0 {
        words.push(format!("and {more} more"));
    }
    finding(
        Ill::TinyClass,
        "classes have too few rows to be learned or judged",
        words.join("; "),
        "label more rows of these classes, or join them with a neighbour",
    )
}

fn test_above_validation(e: &Evidence<'_>) -> Option<Finding> {
    let (test, validation) = (e.test.of(Figure::Accuracy), e.validation.of(Figure::Accuracy));
    let error = |p: f64, n: usize| p * (1.0 - p) / n.max(1) as f64;
    let deviation = (error(test.value, e.test.rows) + error(validation.value, e.validation.rows)).sqrt();
    if test.value - validation.value <= 1.96 * deviation {
        return None;
    }
    finding(
        Ill::TestBetterThanValidation,
        "the test part is easier than the validation part",
        format!("accuracy {} on test, {} on validation", percent(test.value), percent(validation.value)),
        "trust the cross-validation, not this split; look for rows of one source in train and test",
    )
}

fn no_better(e: &Evidence<'_>) -> Option<Finding> {
    let ties: Vec<String> = e
        .differences
        .iter()
        .filter(|(_, d)| d.low <= 0.0)
        .map(|(name, d)| format!("{name}: {} ({} – {})", signed(d.value), signed(d.low), signed(d.high)))
        .collect();
    if ties.is_empty() {
        return None;
    }
    finding(
        Ill::NoBetterThanBaseline,
        "the head does not beat a baseline outside the interval",
        format!("macro-F1 of the head minus that of {}", ties.join("; ")),
        "use the baseline, which is simpler, or change the head or the input; do not report the head as an improvement",
    )
}

fn overfitting(e: &Evidence<'_>) -> Option<Finding> {
    /// Nats between training and validation loss of the kept epoch.
    const GAP: f64 = 0.1;
    /// Nats by which the validation loss has risen at the end.
    const RISE: f64 = 0.05;
    let (history, best_epoch) = (e.history, e.best_epoch);
    let (best, last) = (history.get(best_epoch.checked_sub(1)?)?, history.last()?);
    let rise = last.validation_loss - best.validation_loss;
    let turned = rise > RISE && last.train_loss < best.train_loss;
    let gap = loss_gap(history, best_epoch)?;
    if !turned && gap <= GAP {
        return None;
    }
    finding(
        Ill::Overfitting,
        "the head learns its training rows by heart",
        format!(
            "validation loss is lowest at epoch {best_epoch} ({:.3}) and {:+.3} at the end; training loss there is {:.3} lower",
            best.validation_loss, rise, gap
        ),
        "more rows, more dropout or weight decay, fewer hidden units; early stopping has kept the best epoch",
    )
}

fn unstable(e: &Evidence<'_>) -> Option<Finding> {
    /// Two points, as the gate.
    const DEVIATION: f64 = 0.02;
    let deviation = late_deviation(e.history).filter(|&d| d > DEVIATION)?;
    finding(
        Ill::UnstableValidation,
        "validation accuracy jumps from epoch to epoch",
        format!(
            "standard deviation {} over the last epochs, {} validation rows",
            percent(deviation),
            e.validation.rows
        ),
        "a lower learning rate, a larger validation part, or several seeds averaged",
    )
}

fn wide(e: &Evidence<'_>) -> Option<Finding> {
    let accuracy = e.test.of(Figure::Accuracy);
    let half = (accuracy.high - accuracy.low) / 2.0;
    if half <= e.half_width {
        return None;
    }
    // Normal approximation, as for planning a survey: n = p (1 - p) (1.96 / half-width)².
    let spread = (accuracy.value * (1.0 - accuracy.value)).max(0.05);
    let needed = (spread * (1.96 / e.half_width).powi(2)).ceil() as usize;
    let more = needed.saturating_sub(e.test.rows).max(1);
    let rows = (more as f64 / e.test_share.max(0.01)).ceil();
    finding(
        Ill::WideInterval,
        "the test part is too small for the conclusion",
        format!(
            "accuracy {} ± {:.1} points on {} rows; ± {:.0} needs about {needed} test rows, {more} more",
            percent(accuracy.value),
            100.0 * half,
            e.test.rows,
            100.0 * e.half_width
        ),
        &format!("label about {rows:.0} more rows (at this test share), or rely on the cross-validation"),
    )
}

fn miscalibrated(e: &Evidence<'_>) -> Option<Finding> {
    const ECE: f64 = 0.05;
    /// Of fewer rows the ECE is mostly noise.
    const ROWS: usize = 300;
    let (ece, rows) = (e.calibrated_ece, e.out_of_fold_rows);
    if ece <= ECE || rows < ROWS {
        return None;
    }
    finding(
        Ill::Miscalibrated,
        "confidence differs from the share that is right, also after temperature scaling",
        format!("expected calibration error {} on {rows} out-of-fold rows", percent(ece)),
        "do not use the probabilities as such; switch off class weights, or give more validation rows",
    )
}

fn label_errors(e: &Evidence<'_>) -> Option<Finding> {
    const SHARE: f64 = 0.03;
    /// Of fewer rows a single one would be many.
    const ROWS: usize = 100;
    let (suspects, rows) = (e.suspects, e.out_of_fold_rows);
    if rows < ROWS || suspects as f64 <= SHARE * rows as f64 {
        return None;
    }
    finding(
        Ill::LabelErrors,
        "many labels are contradicted with confidence by a model that has not seen them",
        format!("{suspects} of {rows} rows ({})", percent(suspects as f64 / rows.max(1) as f64)),
        "look through them: `pipeline validate` lists them, most suspect first",
    )
}

fn imbalance(e: &Evidence<'_>) -> Option<Finding> {
    const RATIO: f64 = 4.0;
    let totals: Vec<usize> = (0..e.classes.len()).map(|c| e.part_rows.iter().map(|p| p[c]).sum()).collect();
    let largest = (0..totals.len()).max_by_key(|&c| totals[c])?;
    let smallest = (0..totals.len()).min_by_key(|&c| totals[c])?;
    let ratio = totals[largest] as f64 / totals[smallest].max(1) as f64;
    if ratio <= RATIO {
        return None;
    }
    finding(
        Ill::Imbalance,
        format!("the largest class has {ratio:.1} times the rows of the smallest"),
        format!("{}: {}, {}: {}", e.classes[largest], totals[largest], e.classes[smallest], totals[smallest]),
        "judge by macro-F1, keep train.class_weights on, and label more of the small classes",
    )
}

fn parameters(e: &Evidence<'_>) -> Option<Finding> {
    const PER_ROW: f64 = 100.0;
    let rows: usize = e.part_rows[0].iter().sum();
    let per_row = e.parameters as f64 / rows.max(1) as f64;
    if per_row <= PER_ROW {
        return None;
    }
    finding(
        Ill::TooManyParameters,
        "the head has many parameters for its training rows",
        format!("{} parameters, {rows} training rows: {per_row:.0} a row", e.parameters),
        "fewer hidden units, or hidden = [] for logistic regression",
    )
}

fn confusion(e: &Evidence<'_>) -> Option<Finding> {
    /// Share of a class's rows.
    const SHARE: f64 = 0.2;
    /// Of fewer rows a share says little.
    const ROWS: usize = 20;
    let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
    for (truth, row) in e.test.confusion.iter().enumerate() {
        let support: usize = row.iter().sum();
        for (predicted, &count) in row.iter().enumerate().filter(|&(p, _)| p != truth) {
            let share = count as f64 / support.max(1) as f64;
            if support >= ROWS && share > SHARE {
                pairs.push((share, truth, predicted));
            }
        }
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    pairs.truncate(3);
    if pairs.is_empty() {
        return None;
    }
    let words = pairs
        .iter()
        .map(|&(share, t, p)| format!("{} of {} taken for {}", percent(share), e.classes[t], e.classes[p]));
    finding(
        Ill::Confusion,
        "classes are confused with each other",
        words.collect::<Vec<_>>().join("; "),
        "look at these rows in the report; sharpen the rule that separates the classes, or add a feature that tells them apart",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::{Predictions, evaluate};

    /// What a healthy run leaves; each test spoils one thing.
    struct Run {
        classes: Vec<String>,
        history: Vec<Epoch>,
        best_epoch: usize,
        validation: Metrics,
        test: Metrics,
        part_rows: [Vec<usize>; 3],
        parameters: usize,
        near_pairs: usize,
        giveaways: Vec<Giveaway>,
        naming_rows: usize,
        difference: Estimate,
        ece: f64,
        suspects: usize,
    }

    fn estimate(value: f64, half: f64) -> Estimate {
        Estimate { value, low: value - half, high: value + half }
    }

    /// Figures of `rows` rows of three classes, of which `right` of every ten are right; the others go to the next class.
    fn figures(rows: usize, right: usize) -> Metrics {
        let truth: Vec<usize> = (0..rows).map(|i| i % 3).collect();
        let mut probabilities = Vec::new();
        for (i, &class) in truth.iter().enumerate() {
            // Wrong answers alternate between the two other classes.
            let answer = if i / 3 % 10 < right { class } else { (class + 1 + i / 30 % 2) % 3 };
            probabilities.extend((0..3).map(|c| if c == answer { 0.9 } else { 0.05 }));
        }
        let names = ["a", "b", "c"].map(str::to_owned);
        evaluate(
            Predictions { truth: &truth, probabilities: &probabilities, classes: 3, ordered: true },
            &names,
            1,
        )
    }

    fn epoch(epoch: usize, train_loss: f64, validation_loss: f64, validation_accuracy: f64) -> Epoch {
        Epoch {
            epoch,
            learning_rate: 1e-3,
            train_loss,
            train_accuracy: 0.9,
            validation_loss,
            validation_accuracy,
        }
    }

    fn healthy() -> Run {
        Run {
            classes: ["a", "b", "c"].map(str::to_owned).to_vec(),
            history: (1..=8)
                .map(|i| epoch(i, 0.9 / i as f64, 0.9 / i as f64 + 0.04, 0.88 + 0.002 * i as f64))
                .collect(),
            best_epoch: 8,
            validation: figures(1500, 9),
            test: figures(1500, 9),
            part_rows: [vec![4000; 3], vec![500; 3], vec![500; 3]],
            parameters: 100_000,
            near_pairs: 0,
            giveaways: vec![],
            naming_rows: 100,
            difference: estimate(0.04, 0.02),
            ece: 0.02,
            suspects: 50,
        }
    }

    fn evidence(run: &Run) -> Evidence<'_> {
        Evidence {
            classes: &run.classes,
            history: &run.history,
            best_epoch: run.best_epoch,
            validation: &run.validation,
            test: &run.test,
            part_rows: run.part_rows.clone(),
            test_share: 0.1,
            parameters: run.parameters,
            near_pairs_across: run.near_pairs,
            giveaways: run.giveaways.clone(),
            naming_rows: run.naming_rows,
            differences: vec![("majority class".into(), run.difference)],
            out_of_fold_rows: 13_500,
            calibrated_ece: run.ece,
            suspects: run.suspects,
            half_width: 0.03,
        }
    }

    fn ills(run: &Run) -> Vec<Ill> {
        let found = diagnose(&evidence(run));
        for finding in &found {
            assert!(!finding.evidence.is_empty() && !finding.advice.is_empty(), "{finding:?}");
        }
        found.into_iter().map(|f| f.ill).collect()
    }

    #[test]
    fn a_healthy_run_has_no_findings() {
        assert_eq!(ills(&healthy()), []);
    }

    #[test]
    fn each_ill_is_found_alone() {
        let mut runs: Vec<(Ill, Run)> = Vec::new();
        let mut spoiled = |ill, spoil: &dyn Fn(&mut Run)| {
            let mut run = healthy();
            spoil(&mut run);
            runs.push((ill, run));
        };
        let giveaway = Giveaway { what: "word \"nappy\"".into(), how: "only a has it".into() };
        spoiled(Ill::LabelLeakage, &|r| r.giveaways = vec![giveaway.clone()]);
        spoiled(Ill::LabelLeakage, &|r| r.naming_rows = 2000);
        spoiled(Ill::DuplicatesAcrossParts, &|r| r.near_pairs = 1);
        spoiled(Ill::TinyClass, &|r| r.part_rows[1][2] = 0);
        spoiled(Ill::TinyClass, &|r| r.part_rows[2][1] = 8);
        spoiled(Ill::TestBetterThanValidation, &|r| r.validation = figures(1500, 8));
        spoiled(Ill::NoBetterThanBaseline, &|r| r.difference = estimate(0.01, 0.02));
        // Turned: the end is worse than the best epoch. Apart: the gap was there at the best epoch.
        spoiled(Ill::Overfitting, &|r| {
            r.best_epoch = 5;
            (5..8).for_each(|i| r.history[i].validation_loss = 0.3 + 0.05 * i as f64);
        });
        spoiled(Ill::Overfitting, &|r| r.history.iter_mut().for_each(|e| e.validation_loss += 0.2));
        spoiled(Ill::UnstableValidation, &|r| {
            r.history.iter_mut().step_by(2).for_each(|e| e.validation_accuracy -= 0.08);
        });
        spoiled(Ill::WideInterval, &|r| r.test = figures(150, 9));
        spoiled(Ill::Miscalibrated, &|r| r.ece = 0.12);
        spoiled(Ill::LabelErrors, &|r| r.suspects = 900);
        spoiled(Ill::Imbalance, &|r| r.part_rows[0][0] = 40_000);
        spoiled(Ill::TooManyParameters, &|r| r.parameters = 5_000_000);
        spoiled(Ill::Confusion, &|r| {
            // A quarter of class a is taken for b; the accuracy stays within reach of the validation's.
            r.test.confusion[0] = vec![375, 125, 0];
        });
        for (ill, run) in &runs {
            assert_eq!(ills(run), [*ill]);
        }
        let all: std::collections::BTreeSet<Ill> = runs.iter().map(|(ill, _)| *ill).collect();
        assert_eq!(all.len(), 13, "every ill has a run");
    }

    #[test]
    fn a_wide_interval_says_how_many_rows_are_missing() {
        let mut run = healthy();
        run.test = figures(150, 9);
        // 0.9 · 0.1 · (1.96 / 0.03)² = 384.2
        let found = wide(&evidence(&run)).unwrap();
        assert!(found.evidence.contains("about 385 test rows, 235 more"), "{}", found.evidence);
        assert!(found.advice.contains("2350 more rows"), "{}", found.advice);
    }
}
