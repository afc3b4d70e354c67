//! What the data is like, and what it is too small for. No note says that anything is wrong.
//!
//! The limits are rules of thumb; where no source is named they are guesses that the tests hold in place.

use super::evidence::{Evidence, SIGNIFICANT};
use super::finding::{COUNTED, Finding, Ill, note, percent};
use super::ills::{Chance, accuracies, against_chance, p_value, test_against_folds};
use crate::counting::{counted, grouped};
use crate::evaluate::figure::Figure;
use crate::evaluate::gates::late_deviation;
use crate::evaluate::interval::signed;

pub(super) fn all(e: &Evidence<'_>) -> Vec<Finding> {
    let each: [fn(&Evidence<'_>) -> Option<Finding>; 10] = [
        tiny_classes,
        not_shown,
        wide,
        near_copies,
        test_above_folds,
        as_good,
        told_by_place,
        unstable,
        imbalance,
        confusion,
    ];
    each.iter().filter_map(|look| look(e)).collect()
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
    Some(note(
        Ill::TinyClass,
        "classes have too few rows to be learned or judged",
        words.join("; "),
        COUNTED.to_owned(),
        "label more rows of these classes, or join them with a neighbour".to_owned(),
    ))
}

fn test_above_folds(e: &Evidence<'_>) -> Option<Finding> {
    let (difference, p) = test_against_folds(e);
    (difference > 0.0 && p < SIGNIFICANT).then(|| {
        note(
            Ill::TestAboveFolds,
            "the test part is answered far better than the folds",
            accuracies(e),
            p_value(p),
            "trust the folds; the test part is easier than what the other rows are like".to_owned(),
        )
    })
}

fn not_shown(e: &Evidence<'_>) -> Option<Finding> {
    let (Chance::TooFew, evidence, p) = against_chance(e) else { return None };
    Some(note(
        Ill::NoBetterThanBaseline,
        "there are too few rows to tell the head from one answer to all",
        evidence,
        format!("{} of being no better", p_value(p)),
        "label more rows".to_owned(),
    ))
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
    let advice = match e.test_share {
        Some(share) => {
            let rows = counted((more as f64 / share.max(0.01)).ceil() as usize, "more row", "more rows");
            format!("label about {rows} (at this test share), or rely on the folds")
        }
        None => {
            let rows = counted(more, "more row", "more rows");
            format!("label about {rows} for the test files, or rely on the folds")
        }
    };
    Some(note(
        Ill::WideInterval,
        "the test part is too small for the conclusion",
        format!(
            "accuracy {} ± {:.1} points on {}; ± {:.0} needs about {} test rows, {} more",
            percent(accuracy.value),
            100.0 * half,
            counted(e.test.rows, "row", "rows"),
            100.0 * e.half_width,
            grouped(needed),
            grouped(more)
        ),
        "95 % interval".to_owned(),
        advice,
    ))
}

fn near_copies(e: &Evidence<'_>) -> Option<Finding> {
    /// Rows for each group.
    const COPIES: f64 = 1.25;
    let rows: usize = e.part_rows.iter().flatten().sum();
    if (rows as f64) < COPIES * e.groups as f64 {
        return None;
    }
    Some(note(
        Ill::NearCopies,
        "many rows are near-copies of others",
        format!(
            "{}, {} of near-duplicates or of one title",
            counted(rows, "row", "rows"),
            counted(e.groups, "group", "groups")
        ),
        COUNTED.to_owned(),
        "nothing: the rows of a group stay together, and intervals count groups; new rows say more than more copies"
            .to_owned(),
    ))
}

fn as_good(e: &Evidence<'_>) -> Option<Finding> {
    let first = e.differences.first()?;
    let ties: Vec<String> = e.differences[1..]
        .iter()
        .filter(|(_, d)| first.1.low > 0.0 && d.low <= 0.0 && d.high >= 0.0)
        .map(|(name, d)| format!("{name}: {} ({} – {})", signed(d.value), signed(d.low), signed(d.high)))
        .collect();
    (!ties.is_empty()).then(|| {
        note(
            Ill::AsGoodAsBaseline,
            "the head does not beat a baseline outside the interval",
            format!("macro-F1 of the head minus that of {}", ties.join("; ")),
            "the 95 % interval holds 0".to_owned(),
            "do not report the head as an improvement over these".to_owned(),
        )
    })
}

fn told_by_place(e: &Evidence<'_>) -> Option<Finding> {
    let ways: Vec<String> = e.leaks.iter().filter(|leak| !leak.in_input).map(ToString::to_string).collect();
    (!ways.is_empty()).then(|| {
        note(
            Ill::ToldByPlace,
            "where a row stands tells its class",
            ways.join("; "),
            "against shuffled labels".to_owned(),
            "nothing, where each file is of one class by design; look whether the files differ in more than their class: source, \
             style, date"
                .to_owned(),
        )
    })
}

fn unstable(e: &Evidence<'_>) -> Option<Finding> {
    /// Two points, as the gate for production.
    const DEVIATION: f64 = 0.02;
    if !e.has_epochs {
        return None;
    }
    let deviation = late_deviation(e.history).filter(|&d| d > DEVIATION)?;
    let rows = counted(e.part_rows[1].iter().sum(), "validation row", "validation rows");
    Some(note(
        Ill::UnstableValidation,
        "validation accuracy jumps from epoch to epoch",
        format!("standard deviation {} over the last epochs, {rows}", percent(deviation)),
        COUNTED.to_owned(),
        "average several networks: train.members = 5".to_owned(),
    ))
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
    let advice = match e.balanced {
        true => "judge by macro-F1",
        false => {
            "judge by macro-F1; evaluate.decision = \"balanced_accuracy\" makes more of the rows of small classes right, and \
             fewer of the others: the report shows how many"
        }
    };
    Some(note(
        Ill::Imbalance,
        &format!("the largest class has {ratio:.1} times the rows of the smallest"),
        format!("{}: {}, {}: {}", e.classes[largest], totals[largest], e.classes[smallest], totals[smallest]),
        COUNTED.to_owned(),
        advice.to_owned(),
    ))
}

fn confusion(e: &Evidence<'_>) -> Option<Finding> {
    /// Share of a class's rows.
    const SHARE: f64 = 0.2;
    /// Of fewer rows a share says little.
    const ROWS: usize = 20;
    let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
    for (truth, row) in e.out_of_fold.confusion.iter().enumerate() {
        let support: usize = row.iter().sum();
        // A class that is never answered is an ill of its own.
        if e.out_of_fold.confusion.iter().all(|row| row[truth] == 0) {
            continue;
        }
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
    Some(note(
        Ill::Confusion,
        "classes are confused with each other",
        format!("out of fold, {}", words.collect::<Vec<_>>().join("; ")),
        COUNTED.to_owned(),
        "look at these rows in the report, and at the rule that separates the classes".to_owned(),
    ))
}
