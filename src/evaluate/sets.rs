//! Sets of classes instead of one: those that a row may have, so that the true one is among them as often as is asked, in each class.
//!
//! Split-conformal sets by class (Vovk, Gammerman & Shafer 2005, "Algorithmic Learning in a Random World", chapter 4.5: Mondrian): a class
//! is in the set unless its probability is lower than that which all but the least `1 − coverage` of the rows of that class had. These
//! come from heads that had not learned the rows, where the model's own has learned all of them, so that how often the set holds the class
//! is measured, too.

use serde::{Deserialize, Serialize};

use super::interval::Estimate;
use super::resample::Sample;

/// Rows of a class that are remembered.
const MOST: usize = 1000;

/// How often the true class is to be in the set, where that is measured.
pub const COVERAGES: [f64; 3] = [0.8, 0.9, 0.95];

/// What decides which classes a row may have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LabelSets {
    /// For each class the probabilities of it that its rows had, ascending; of rows that the head had not learned.
    own: Vec<Vec<f32>>,
}

impl LabelSets {
    /// From `rows × classes` probabilities of rows whose classes are known, by heads that had not learned them.
    pub fn new(truth: &[usize], probabilities: &[f32], classes: usize) -> Self {
        let mut own = vec![Vec::new(); classes];
        for (&class, row) in truth.iter().zip(probabilities.chunks_exact(classes.max(1))) {
            own[class].push(row[class]);
        }
        own.iter_mut().for_each(|of| of.sort_unstable_by(f32::total_cmp));
        Self { own: own.iter().map(|of| thinned(of, MOST)).collect() }
    }

    /// Whether it can be of a model with so many classes: a file may say anything.
    pub fn fits(&self, classes: usize) -> bool {
        let good = |of: &Vec<f32>| of.is_sorted() && of.iter().all(|p| (0.0..=1.0).contains(p));
        self.own.len() == classes && self.own.iter().all(good)
    }

    /// The share of the rows of `class`, with the one that is asked about, that had at most this `probability` of it; in `(0, 1]`.
    pub fn p_value(&self, class: usize, probability: f32) -> f64 {
        let own = &self.own[class];
        (own.partition_point(|&known| known <= probability) + 1) as f64 / (own.len() + 1) as f64
    }

    /// The classes that a row with these `probabilities` may have, the likeliest first, so that the true one is among them for a share
    /// `coverage` of the rows of each class. The one that is the `answer` is among them in any case. Where a class has too few rows to
    /// rule it out (fewer than `1 / (1 − coverage) − 1`), it always is.
    pub fn of(&self, probabilities: &[f32], answer: usize, coverage: f64) -> Vec<usize> {
        // 1 − 0.9 is a little less than a tenth, and one of ten rows is no more than that.
        let least = 1.0 - coverage + 1e-9;
        let may_be = |&class: &usize| class == answer || self.p_value(class, probabilities[class]) > least;
        let mut classes: Vec<usize> = (0..probabilities.len()).filter(may_be).collect();
        classes.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
        classes
    }
}

/// At most `most` of the values of `own`, which is ascending: with them every p-value is as great as with all, or a little greater.
fn thinned(own: &[f32], most: usize) -> Vec<f32> {
    if own.len() <= most {
        return own.to_vec();
    }
    // The rank of the j-th, one lower than where it divides them evenly: so no fewer lie below a probability than their share.
    let rank = |j: usize| (j * (own.len() + 1) / (most + 1)).saturating_sub(1).max(1);
    (1..=most).map(|j| own[rank(j) - 1]).collect()
}

/// How often sets hold the true class, and how large they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetFigures {
    /// How often they are to hold it.
    pub asked: f64,
    /// How often they do, out of fold: each fold's rows by sets of the others'.
    pub coverage: Estimate,
    /// How often they do on the test part, by sets of all other rows, of the model itself.
    pub test_coverage: Estimate,
    /// The class whose rows they hold most seldom, out of fold.
    pub least_class: String,
    /// How often they hold that.
    pub least_coverage: Estimate,
    /// Classes in a set, out of fold, on the average.
    pub size: f64,
    /// Share of the sets of one class, out of fold.
    pub single: f64,
}

/// Rows and the answers to them.
#[derive(Clone, Copy)]
pub struct Judged<'a> {
    /// The class of each row.
    pub truth: &'a [usize],
    /// `rows × classes`.
    pub probabilities: &'a [f32],
    /// The class that answers each row.
    pub decided: &'a [usize],
    /// The group of near-duplicates of each row.
    pub groups: &'a [usize],
}

/// Figures of sets at `COVERAGES`, for rows in `folds` (the fold of each) and for rows of the `test` part.
pub fn set_figures(
    out_of_fold: Judged<'_>,
    folds: &[usize],
    test: Judged<'_>,
    classes: &[String],
) -> Vec<SetFigures> {
    let count = classes.len();
    let of_row = |judged: Judged<'_>, row: usize| -> Vec<f32> {
        judged.probabilities[row * count..(row + 1) * count].to_vec()
    };
    let fold_count = folds.iter().max().map_or(0, |last| last + 1);
    let others = |fold: usize| {
        let rows: Vec<usize> = (0..folds.len()).filter(|&row| folds[row] != fold).collect();
        let truth: Vec<usize> = rows.iter().map(|&row| out_of_fold.truth[row]).collect();
        let probabilities: Vec<f32> = rows.iter().flat_map(|&row| of_row(out_of_fold, row)).collect();
        LabelSets::new(&truth, &probabilities, count)
    };
    let by_fold: Vec<LabelSets> = (0..fold_count).map(others).collect();
    let all = LabelSets::new(out_of_fold.truth, out_of_fold.probabilities, count);
    let figures = |asked: f64| {
        let sets =
            |judged: Judged<'_>, by: &dyn Fn(usize) -> usize, known: &[LabelSets]| -> Vec<Vec<usize>> {
                let set = |row: usize| known[by(row)].of(&of_row(judged, row), judged.decided[row], asked);
                (0..judged.truth.len()).map(set).collect()
            };
        let found = sets(out_of_fold, &|row| folds[row], &by_fold);
        let on_test = sets(test, &|_| 0, std::slice::from_ref(&all));
        let sample = Sample::new(folds.len(), Some(out_of_fold.groups));
        let holds = |row: usize| found[row].contains(&out_of_fold.truth[row]);
        let of_class = |class: usize| sample.proportion(|row| out_of_fold.truth[row] == class, holds);
        let there = (0..count).filter(|class| out_of_fold.truth.contains(class));
        let least = there.map(|class| (classes[class].clone(), of_class(class)));
        let least = least.min_by(|(_, a), (_, b)| a.value.total_cmp(&b.value));
        let coverage = sample.proportion(|_| true, holds);
        let (least_class, least_coverage) = least.unwrap_or_else(|| (String::new(), coverage));
        let rows = found.len().max(1) as f64;
        SetFigures {
            asked,
            coverage,
            test_coverage: Sample::new(on_test.len(), Some(test.groups))
                .proportion(|_| true, |row| on_test[row].contains(&test.truth[row])),
            least_class,
            least_coverage,
            size: found.iter().map(Vec::len).sum::<usize>() as f64 / rows,
            single: found.iter().filter(|set| set.len() == 1).count() as f64 / rows,
        }
    };
    COVERAGES.map(figures).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn a_class_is_out_where_its_rows_had_more() {
        // Of the first class nine rows had 0.1 … 0.9 of it; of the second none is known.
        let own: Vec<f32> = (1..10).map(|tenth| tenth as f32 / 10.0).collect();
        let probabilities: Vec<f32> = own.iter().flat_map(|&p| [p, 1.0 - p]).collect();
        let sets = LabelSets::new(&[0; 9], &probabilities, 2);
        assert_eq!([0.05, 0.1, 0.95].map(|p| sets.p_value(0, p)), [0.1, 0.2, 1.0]);
        assert_eq!(sets.p_value(1, 0.0), 1.0);
        // At 0.9 a row with less than the lowest is out: 0.1 is not above 0.1.
        assert_eq!(sets.of(&[0.05, 0.95], 1, 0.9), [1]);
        assert_eq!(sets.of(&[0.15, 0.85], 1, 0.9), [1, 0]);
        assert_eq!(sets.of(&[0.45, 0.55], 1, 0.5), [1]);
        assert_eq!(sets.of(&[0.05, 0.95], 0, 0.9), [1, 0], "the answer is among them");
        assert!(sets.fits(2) && !sets.fits(3));
        let read = |text: &str| serde_json::from_str::<LabelSets>(text).unwrap();
        assert_eq!(read(&serde_json::to_string(&sets).unwrap()), sets);
        assert!(!read("[[0.5, 0.4], []]").fits(2) && !read("[[1.5], []]").fits(2));
    }

    #[test]
    fn few_of_many_rows_rule_out_no_class_that_all_would_not() {
        let own: Vec<f32> = (0..4567).map(|row| row as f32 / 4567.0).collect();
        let few = thinned(&own, MOST);
        assert!(few.len() == MOST && few.is_sorted());
        let [all, few] = [own, few].map(|own| LabelSets { own: vec![own] });
        for step in 0..2000 {
            let p = step as f32 / 2000.0;
            let (all, few) = (all.p_value(0, p), few.p_value(0, p));
            assert!(few >= all - 1e-12 && few < all + 0.003, "{p}: {all} {few}");
        }
    }

    /// Rows of two classes, one four times as frequent, and a model that is too sure and favours that one: asked for a share, sets hold
    /// the class of so many new rows, in each class, however wrong the probabilities are.
    #[test]
    fn new_rows_of_each_class_are_covered_as_often_as_asked() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut drawn = |rows: usize| -> (Vec<usize>, Vec<f32>) {
            let (mut truth, mut probabilities) = (Vec::new(), Vec::new());
            for _ in 0..rows {
                let class = usize::from(rng.random::<f64>() < 0.2);
                let score = 2.0 * class as f64 - 1.0 + 3.0 * (rng.random::<f64>() - 0.5) - 1.0;
                let p = 1.0 / (1.0 + (-5.0 * score).exp()) as f32;
                truth.push(class);
                probabilities.extend([1.0 - p, p]);
            }
            (truth, probabilities)
        };
        for asked in COVERAGES {
            let (mut held, mut rows, mut size) = ([0.0; 2], [0.0; 2], 0.0);
            for _ in 0..60 {
                let (truth, probabilities) = drawn(300);
                let sets = LabelSets::new(&truth, &probabilities, 2);
                let (truth, probabilities) = drawn(300);
                for (&class, row) in truth.iter().zip(probabilities.chunks_exact(2)) {
                    // Without the answer, which covers more than is asked.
                    let set = [0, 1].map(|class| sets.p_value(class, row[class]) > 1.0 - asked + 1e-9);
                    held[class] += f64::from(u8::from(set[class]));
                    rows[class] += 1.0;
                    size += set.iter().filter(|&&is| is).count() as f64;
                }
            }
            for class in 0..2 {
                let found = held[class] / rows[class];
                assert!((found - asked).abs() < 0.02, "{asked} {class}: {found}");
            }
            assert!(size / rows.iter().sum::<f64>() < 1.6, "{size}");
        }
    }

    #[test]
    fn what_is_measured_is_what_new_rows_have() {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let (mut truth, mut probabilities, mut decided) = (vec![], vec![], vec![]);
        for _ in 0..4000 {
            let class = rng.random_range(0..2);
            let p = (0.5 + (class as f32 - 0.5) * 0.4 + 0.6 * (rng.random::<f32>() - 0.5)).clamp(0.0, 1.0);
            truth.push(class);
            probabilities.extend([1.0 - p, p]);
            decided.push(usize::from(p > 0.5));
        }
        let groups: Vec<usize> = (0..4000).collect();
        let part = |from: usize, to: usize| Judged {
            truth: &truth[from..to],
            probabilities: &probabilities[2 * from..2 * to],
            decided: &decided[from..to],
            groups: &groups[from..to],
        };
        let folds: Vec<usize> = (0..3000).map(|row| row % 5).collect();
        let found = set_figures(part(0, 3000), &folds, part(3000, 4000), &["a".into(), "b".into()]);
        for figures in &found {
            // 5 of 6 answers are right: the answer is among the classes, so that no less is covered.
            let expected = figures.asked.max(5.0 / 6.0);
            for found in [figures.coverage, figures.test_coverage, figures.least_coverage] {
                assert!((found.value - expected).abs() < 0.03 && found.low < found.high, "{figures:?}");
            }
            assert!((1.0..2.0).contains(&figures.size), "{figures:?}");
            assert!((2.0 - figures.size - figures.single).abs() < 1e-9, "{figures:?}");
        }
        assert!(found.is_sorted_by(|a, b| a.size <= b.size));
    }
}
