//! Baselines of equal sight: logistic regression, a linear and a Gaussian support vector machine on what the head itself
//! sees, so that what a head has over them is the head's own doing.
//!
//! Each is tuned on the fold's validation rows or, where these are few, by cross-validation inside the fold, one value after
//! the other; then it learns from training and validation rows. A machine's answers become probabilities by a softmax of one
//! factor, fitted on the rows that the choice was made on (temperature scaling: Guo et al. 2017; of a machine's answers, Platt
//! 1999).
//!
//! Of many rows the choice sees 1,000, and the Gaussian machine learns from 2,500, both drawn by whole groups. A fold of 1,000
//! rows of 384 inputs and four classes takes one core 1.5 s, of 5,000 rows 3 s; with the words and letters of texts of 60
//! words 3 and 9 s. Time grows with the classes, as it does for the other baselines (77 classes of 5,000 rows: 16 s).

use std::cell::OnceCell;

use super::data::BaselineData;
use super::machines::{Axis, Logistic, Model, VectorMachines, draw, hands};
use super::sight::{Choice, Kernel, Sight};
use crate::heads::softmax;
use crate::split::Fold;

/// Rows that are chosen on, at most, and as many that are asked: what is best for them is best, or nearly so, for all.
const SEARCH_ROWS: usize = 1000;

/// On fewer validation rows nothing is chosen, since it would hang on a handful of mistakes, but on training and validation
/// rows dealt to [`HANDS`], group by group.
const FEW_ROWS: usize = 200;

/// Hands of a cross-validation.
const HANDS: usize = 3;

/// Where the rows of a fold stand among those of its [`Sight`].
struct Rows {
    train: Vec<usize>,
    validation: Vec<usize>,
    both: Vec<usize>,
    held_out: Vec<usize>,
}

/// The rows of a fold as its head sees them, and what is chosen on them; made when first asked for.
pub struct OwnInputs<'a> {
    data: BaselineData<'a>,
    fold: &'a Fold,
    seen: OnceCell<(Sight, Rows)>,
    /// Of the linear machine, whose weights of the blocks serve logistic regression, too.
    linear: OnceCell<Tuned>,
}

/// What is chosen for a model.
#[derive(Clone, Copy)]
struct Tuned {
    choice: Choice,
    /// Factor on its answers that makes the best probabilities of them.
    factor: f64,
}

impl<'a> OwnInputs<'a> {
    pub fn new(data: BaselineData<'a>, fold: &'a Fold) -> Self {
        Self { data, fold, seen: OnceCell::new(), linear: OnceCell::new() }
    }

    fn seen(&self) -> &(Sight, Rows) {
        self.seen.get_or_init(|| {
            let Fold { train, validation, held_out, .. } = self.fold;
            let all = [&train[..], validation, held_out].concat();
            let (trained, known) = (train.len(), train.len() + validation.len());
            let rows = Rows {
                train: (0..trained).collect(),
                validation: (trained..known).collect(),
                both: (0..known).collect(),
                held_out: (known..all.len()).collect(),
            };
            (Sight::new(self.data, train, &all), rows)
        })
    }

    /// Probabilities of the held-out rows, `rows × classes`, by logistic regression.
    pub fn logistic(&self) -> Vec<f32> {
        let blocks = self.tuned(Kernel::Linear).choice;
        let model = Logistic { sight: &self.seen().0, blocks };
        self.probabilities(&model, self.tune(&model))
    }

    /// The same by a support vector machine.
    pub fn machine(&self, kernel: Kernel) -> Vec<f32> {
        self.probabilities(&self.model(kernel), self.tuned(kernel))
    }

    fn model(&self, kernel: Kernel) -> VectorMachines<'_> {
        VectorMachines { sight: &self.seen().0, kernel, seed: self.data.seed }
    }

    fn tuned(&self, kernel: Kernel) -> Tuned {
        match kernel {
            Kernel::Linear => *self.linear.get_or_init(|| self.tune(&self.model(kernel))),
            Kernel::Gaussian => self.tune(&self.model(kernel)),
        }
    }

    fn tune(&self, model: &impl Model) -> Tuned {
        let (sight, rows) = self.seen();
        tuned(model, sight, rows, self.data.seed)
    }

    fn probabilities(&self, model: &impl Model, tuned: Tuned) -> Vec<f32> {
        let (sight, rows) = self.seen();
        let answers = model.answers(tuned.choice, &rows.both, &rows.held_out);
        let mut probabilities: Vec<f32> = answers.into_iter().map(|v| (v * tuned.factor) as f32).collect();
        probabilities.chunks_exact_mut(sight.class_count.max(1)).for_each(softmax);
        probabilities
    }
}

/// What is best for a model.
fn tuned(model: &impl Model, sight: &Sight, rows: &Rows, seed: u64) -> Tuned {
    let sides = sides(sight, rows, seed);
    let asked: Vec<usize> = sides.iter().flat_map(|(_, ask)| ask).copied().collect();
    let mut by_side: Vec<_> = sides.iter().map(|(learn, ask)| model.side(learn, ask)).collect();
    let mut measured = |choice: Choice| {
        let answers: Vec<f64> = by_side.iter_mut().flat_map(|side| side(choice)).collect();
        sharpness(sight, &asked, &answers)
    };
    let mut best = model.first();
    let mut found = measured(best);
    for Axis { values, begin, put } in model.axes() {
        // To either side of where the search stands, as long as it gets better.
        let up = &values[begin + 1..];
        let down = values[..begin].iter().rev();
        for way in [up.iter().collect::<Vec<_>>(), down.collect()] {
            let from = found.loss;
            for &value in way {
                let mut choice = best;
                put(&mut choice, value);
                let tried = measured(choice);
                if tried.loss >= found.loss {
                    break;
                }
                (best, found) = (choice, tried);
            }
            if found.loss < from {
                break;
            }
        }
    }
    Tuned { choice: best, factor: found.factor }
}

/// On which rows a choice is made: those that teach, and those that are asked.
fn sides(sight: &Sight, rows: &Rows, seed: u64) -> Vec<(Vec<usize>, Vec<usize>)> {
    let few = |rows: &[usize]| draw(sight, rows, SEARCH_ROWS, seed);
    if rows.validation.len() >= FEW_ROWS {
        return vec![(few(&rows.train), few(&rows.validation))];
    }
    let hands = hands(sight, &few(&rows.both), &[1.0 / HANDS as f64; HANDS], seed);
    let side = |hand: usize| {
        let others = hands.iter().enumerate().filter(|(other, _)| *other != hand);
        (others.flat_map(|(_, rows)| rows).copied().collect::<Vec<_>>(), hands[hand].clone())
    };
    (0..HANDS).map(side).filter(|(learn, ask)| !learn.is_empty() && !ask.is_empty()).collect()
}

/// The factor on answers that makes the best probabilities of them, and how good these are.
#[derive(Clone, Copy, Debug)]
struct Sharpness {
    factor: f64,
    /// Weighted sum of the log losses.
    loss: f64,
}

/// Of `answers`, `rows × classes`, to `rows`: the factor in [1/100, 100] with the least log loss; 1 where there are no rows.
///
/// The loss is convex in the factor, so its slope, Σ weight · (mean answer by the probabilities − answer of the class), has
/// one root.
fn sharpness(sight: &Sight, rows: &[usize], answers: &[f64]) -> Sharpness {
    let weights = sight.weights_of(rows);
    // Loss and slope at a factor.
    let at = |factor: f64| {
        let (mut loss, mut slope) = (0.0, 0.0);
        for ((&row, weight), answers) in
            rows.iter().zip(&weights).zip(answers.chunks_exact(sight.class_count))
        {
            let most = answers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let (mut sum, mut mean) = (0.0, 0.0);
            for answer in answers {
                let share = ((answer - most) * factor).exp();
                sum += share;
                mean += share * answer;
            }
            let own = answers[sight.classes[row]];
            loss += weight * (sum.ln() + (most - own) * factor);
            slope += weight * (mean / sum - own);
        }
        (loss, slope)
    };
    let (mut low, mut high) = (0.01f64.ln(), 100.0f64.ln());
    while !rows.is_empty() && high - low > 1e-3 {
        let middle = f64::midpoint(low, high);
        if at(middle.exp()).1 > 0.0 { high = middle } else { low = middle }
    }
    let factor = f64::midpoint(low, high).exp();
    Sharpness { factor, loss: at(factor).0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::RawInputs;
    use crate::train::FeatureSettings;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Rows whose embedding is noise; what `of_row` makes of two numbers in (-1, 1) are its numeric columns, class and text.
    fn rows(
        count: usize,
        of_row: impl Fn(f32, f32) -> (Vec<f32>, usize, &'static str),
    ) -> (RawInputs, Vec<usize>) {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut raw = RawInputs { embedding_dims: 8, ..RawInputs::default() };
        let mut classes = Vec::new();
        for _ in 0..count {
            raw.embedding.extend((0..8).map(|_| rng.random_range(-0.3..0.3f32)));
            let (columns, class, text) = of_row(rng.random_range(-1.0..1.0), rng.random_range(-1.0..1.0));
            raw.numeric.push(columns.into_iter().map(Some).collect());
            raw.categories.push(Vec::new());
            raw.texts.push(text.into());
            classes.push(class);
        }
        (raw, classes)
    }

    /// Two rows a group, of a dataset whose rows are told by columns or by words.
    fn answers(
        (raw, classes): &(RawInputs, Vec<usize>),
        validation: usize,
        class_weights: bool,
    ) -> [Vec<usize>; 3] {
        let count = classes.len();
        let groups: Vec<usize> = (0..count).map(|r| r / 2 * 2).collect();
        let data = BaselineData {
            raw,
            classes,
            groups: &groups,
            class_count: 3,
            features: FeatureSettings { min_count: 1, terms: !raw.texts[0].is_empty() },
            class_weights,
            seed: 1,
        };
        let (train, held_out) = (count / 2, count * 3 / 4);
        let fold = Fold {
            repeat: 0,
            fold: 0,
            train: (0..train).collect(),
            validation: (train..train + validation).collect(),
            held_out: (held_out..count).collect(),
        };
        let own = OwnInputs::new(data, &fold);
        [own.logistic(), own.machine(Kernel::Linear), own.machine(Kernel::Gaussian)].map(|probabilities| {
            for row in probabilities.chunks_exact(3) {
                assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            }
            probabilities.chunks_exact(3).map(crate::heads::likeliest).collect()
        })
    }

    fn accuracy((_, classes): &(RawInputs, Vec<usize>), answers: &[usize]) -> f64 {
        let truth = &classes[classes.len() - answers.len()..];
        truth.iter().zip(answers).filter(|(a, b)| a == b).count() as f64 / truth.len() as f64
    }

    /// Whether penalties are chosen on validation rows or, where these are few, on the training rows dealt to hands.
    #[test]
    fn what_only_the_columns_say_is_seen_and_what_is_not_linear_by_the_gaussian_kernel() {
        let line = rows(800, |a, b| (vec![a, b], if a < -0.3 { 0 } else { 1 + usize::from(a > 0.3) }, ""));
        let circle = rows(800, |a, b| (vec![a, b], usize::from(a * a + b * b < 0.6), ""));
        for validation in [200, 10] {
            for (model, of) in answers(&line, validation, false).iter().enumerate() {
                assert!(accuracy(&line, of) > 0.85, "model {model}: {}", accuracy(&line, of));
            }
            let [logistic, linear, gaussian] = answers(&circle, validation, false);
            let found = [&logistic, &linear, &gaussian].map(|of| accuracy(&circle, of));
            assert!(found[0] < 0.7 && found[1] < 0.7 && found[2] > 0.85, "{found:?}");
        }
    }

    #[test]
    fn words_are_seen_where_the_head_sees_them() {
        let data = rows(200, |a, _| {
            let class = if a < -0.3 { 0 } else { 1 + usize::from(a > 0.3) };
            (vec![], class, ["red ball", "blue ball", "green ball"][class])
        });
        for of in answers(&data, 40, false) {
            assert!(accuracy(&data, &of) > 0.95);
        }
    }

    #[test]
    fn a_weighted_class_is_answered_more_often() {
        // One row in ten is of class 1, and nothing tells it for sure.
        let data = rows(400, |a, b| (vec![a], usize::from(a > 0.5 && b > 0.2), ""));
        let [plain, balanced] = [false, true].map(|weights| {
            answers(&data, 80, weights).map(|of| of.iter().filter(|&&class| class == 1).count())
        });
        assert!((0..3).all(|model| balanced[model] > plain[model]), "{plain:?} {balanced:?}");
    }

    /// Of few rows logistic regression sees a turned matrix, of many the rows themselves.
    #[test]
    fn turned_rows_are_answered_as_they_are() {
        let (raw, classes) = rows(60, |a, b| {
            (vec![a, b], usize::from(a + b > 0.0), if a > b { "red ball" } else { "blue kite" })
        });
        let all: Vec<usize> = (0..60).collect();
        let data = BaselineData {
            raw: &raw,
            classes: &classes,
            groups: &all,
            class_count: 2,
            features: FeatureSettings { min_count: 1, terms: true },
            class_weights: false,
            seed: 1,
        };
        let sight = Sight::new(data, &all, &all);
        let choice = Choice { c: 3.0, gamma: 1.0, tabular: 0.5, terms: 0.6 };
        let model = Logistic { sight: &sight, blocks: choice };
        let (learn, ask) = all.split_at(40);
        let turned = model.side(learn, ask)(choice);
        let plain = model.by_rows(choice, learn, ask);
        let off = turned.iter().zip(plain).map(|(a, b)| (a.exp() - b.exp()).abs()).fold(0.0, f64::max);
        assert!(off < 5e-3, "{off}");
    }

    fn sight(classes: Vec<usize>, groups: Vec<usize>) -> Sight {
        let rows: Vec<usize> = (0..classes.len()).collect();
        let raw = RawInputs {
            embedding_dims: 1,
            embedding: vec![0.0; rows.len()],
            numeric: vec![vec![]; rows.len()],
            categories: vec![vec![]; rows.len()],
            texts: vec![String::new(); rows.len()],
            ..RawInputs::default()
        };
        let data = BaselineData {
            raw: &raw,
            classes: &classes,
            groups: &groups,
            class_count: 2,
            features: FeatureSettings { min_count: 1, terms: false },
            class_weights: false,
            seed: 1,
        };
        Sight::new(data, &rows, &rows)
    }

    /// Answers ±1 that are right three times in four are worth odds of 3 : 1, so twice the factor is ln 3.
    #[test]
    fn answers_become_probabilities_that_mean_what_they_say() {
        let sight = sight((0..400).map(|row| usize::from(row % 4 == 0)).collect(), (0..400).collect());
        let rows: Vec<usize> = (0..400).collect();
        let found = sharpness(&sight, &rows, &[1.0, -1.0].repeat(400));
        assert!((found.factor - 3.0f64.ln() / 2.0).abs() < 1e-3, "{found:?}");
        assert!((found.loss / 400.0 - (0.75 * (4.0f64 / 3.0).ln() + 0.25 * 4.0f64.ln())).abs() < 1e-6);
    }

    #[test]
    fn nothing_is_chosen_on_rows_with_a_near_duplicate_among_those_that_teach() {
        let count = 3000;
        let groups: Vec<usize> = (0..count).map(|row| row / 3 * 3).collect();
        let sight = sight((0..count).map(|row| row / 7 % 2).collect(), groups);
        let rows = |validation: usize| Rows {
            train: (0..count - 300).collect(),
            validation: (count - 300..count - 300 + validation).collect(),
            both: (0..count - 300 + validation).collect(),
            held_out: Vec::new(),
        };
        for (validation, expected) in [(300, 1), (190, HANDS)] {
            let sides = sides(&sight, &rows(validation), 5);
            assert_eq!(sides.len(), expected);
            for (learn, ask) in sides {
                assert!(learn.len() > 500 && learn.len() <= SEARCH_ROWS + 3 && ask.len() > 100);
                let known: std::collections::HashSet<usize> =
                    learn.iter().map(|&row| sight.groups[row]).collect();
                assert!(ask.iter().all(|&row| !known.contains(&sight.groups[row])));
            }
        }
    }
}
