//! One class against the rest: what is found and what is a false alarm, by the probability from which the class is
//! named.

use serde::Serialize;

use super::interval::Estimate;
use super::resample::wilson;

/// Most classes that are gone through: those with the most rows.
const MOST_CLASSES: usize = 30;

/// Most thresholds of a class; more would be steps of the slider that cannot be told apart.
const MOST_POINTS: usize = 200;

/// What naming the class from a probability on gives.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ThresholdPoint {
    /// The class is named from this probability on, in `[0, 1]`.
    pub threshold: f64,
    /// Rows of the class that are named so.
    pub found: usize,
    /// Rows of other classes that are named so.
    pub false_alarms: usize,
    /// Share of the rows named so that are of the class; Wilson's 95 % interval.
    pub precision: Estimate,
    /// Share of the class's rows that are named so; Wilson's 95 % interval.
    pub recall: Estimate,
}

/// A class against the rest.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassThresholds {
    /// Its name.
    pub class: String,
    /// All rows.
    pub rows: usize,
    /// Rows of the class, at least one.
    pub positives: usize,
    /// Descending in the threshold; each finds more rows of the class than the one before, the last all.
    pub points: Vec<ThresholdPoint>,
}

impl ClassThresholds {
    /// The first point that finds at least this share of the class's rows.
    pub fn at_recall(&self, share: f64) -> Option<&ThresholdPoint> {
        self.points.iter().find(|point| point.recall.value >= share)
    }
}

/// Precision and recall of each class that has rows, by threshold; `probabilities` are `rows × classes`, row-major.
///
/// Of thresholds between two rows of the class the highest has the fewest false alarms, so only probabilities of rows
/// of the class are points: where all of them are kept, one is the cheapest whatever errors cost, unless never to name
/// the class is cheaper. More than 200 are thinned evenly; the cheapest of those may then be dearer than one between
/// them. Of more than 30 classes those with the most rows are told, in their order.
pub fn class_thresholds(truth: &[usize], probabilities: &[f32], classes: &[String]) -> Vec<ClassThresholds> {
    let mut counts = vec![0usize; classes.len()];
    truth.iter().for_each(|&class| counts[class] += 1);
    let mut told: Vec<usize> = (0..classes.len()).filter(|&class| counts[class] > 0).collect();
    told.sort_by_key(|&class| std::cmp::Reverse(counts[class]));
    told.truncate(MOST_CLASSES);
    told.sort_unstable();
    let of = |class: usize| ClassThresholds {
        class: classes[class].clone(),
        rows: truth.len(),
        positives: counts[class],
        points: thinned(points(
            probabilities.chunks_exact(classes.len()).zip(truth).map(|(row, &of)| (row[class], of == class)),
            counts[class],
        )),
    };
    told.into_iter().map(of).collect()
}

/// A point for each probability that a row of the class has.
fn points(rows: impl Iterator<Item = (f32, bool)>, positives: usize) -> Vec<ThresholdPoint> {
    let mut rows: Vec<(f32, bool)> = rows.collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut found, mut false_alarms) = (0usize, 0usize);
    let mut points = Vec::new();
    // Rows of the same probability are named together.
    for tied in rows.chunk_by(|a, b| a.0 == b.0) {
        let hits = tied.iter().filter(|row| row.1).count();
        found += hits;
        false_alarms += tied.len() - hits;
        if hits > 0 {
            points.push(ThresholdPoint {
                threshold: f64::from(tied[0].0),
                found,
                false_alarms,
                precision: wilson(found as f64, (found + false_alarms) as f64),
                recall: wilson(found as f64, positives as f64),
            });
        }
    }
    points
}

/// Evenly chosen, the first and the last among them.
fn thinned(points: Vec<ThresholdPoint>) -> Vec<ThresholdPoint> {
    if points.len() <= MOST_POINTS {
        return points;
    }
    let last = points.len() - 1;
    (0..MOST_POINTS).map(|i| points[i * last / (MOST_POINTS - 1)].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|i| i.to_string()).collect()
    }

    #[test]
    fn found_and_false_alarms_are_counted_at_each_row_of_the_class() {
        // Class 1 against class 0: .9 hit, .8 miss, .7 hit with a tied false alarm, .2 hit, .1 other.
        let sure = [0.9, 0.8, 0.7, 0.7, 0.2, 0.1];
        let truth = [1, 0, 1, 0, 1, 0];
        let probabilities: Vec<f32> = sure.iter().flat_map(|&p| [1.0 - p, p]).collect();
        let found = class_thresholds(&truth, &probabilities, &names(2));
        let of = &found[1];
        assert_eq!((of.class.as_str(), of.rows, of.positives), ("1", 6, 3));
        let counts: Vec<_> =
            of.points.iter().map(|p| (p.threshold as f32, p.found, p.false_alarms)).collect();
        assert_eq!(counts, [(0.9, 1, 0), (0.7, 2, 2), (0.2, 3, 2)]);
        assert_eq!(of.points[1].precision, wilson(2.0, 4.0));
        assert_eq!(of.points[1].recall, wilson(2.0, 3.0));
        assert_eq!(of.at_recall(0.5).map(|p| p.found), Some(2));
        assert_eq!(of.at_recall(1.0).map(|p| p.found), Some(3));
    }

    #[test]
    fn many_rows_and_classes_are_bounded_and_keep_the_ends() {
        let classes = 40;
        let truth: Vec<usize> = (0..20_000).map(|i| if i % 2 == 0 { 3 } else { i % classes }).collect();
        let of_row = |i: usize| (0..classes).map(move |c| ((i * 37 + c * 11) % 9973) as f32 / 9973.0);
        let probabilities: Vec<f32> = (0..truth.len()).flat_map(of_row).collect();
        let found = class_thresholds(&truth, &probabilities, &names(classes));
        // Only odd classes have rows.
        assert_eq!(found.len(), 20);
        let of = found.iter().find(|of| of.class == "3").unwrap();
        assert_eq!(of.points.len(), MOST_POINTS);
        assert_eq!(of.points.last().unwrap().found, of.positives);
        assert!(of.points.is_sorted_by(|a, b| a.threshold > b.threshold && a.found < b.found));
        assert!(class_thresholds(&[], &[], &names(3)).is_empty());
    }
}
