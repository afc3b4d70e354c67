//! Training a kernel machine.

use std::ops::ControlFlow;

use faer::{Mat, Scale};

use super::answer::KernelMachine;
use super::choice::{FIRST, SEARCH_ROWS, choose};
use super::problem::{Choice, Problem, Solved};
use super::settings::{KernelSettings, KernelShape};
use super::stack::CS;
use crate::heads::dense::{Remembered, floats, product, score, softmax};
use crate::heads::head::OwnedRows;
use crate::heads::{Epoch, FitData, Fitted, Head, HeadError, HeadShape, LeftOut};

/// Where not all rows can be landmarks, at least so many are none.
const OTHER_ROWS: usize = 1000;

/// Hands of groups for the answers to learned rows. With few, the logistic regression that answers has learned from far fewer
/// rows than the head's, and is less sure.
const HANDS: usize = 5;

/// [`crate::heads::fit`] of a kernel machine.
///
/// # Errors
/// Interruption, or values that are no numbers.
pub fn fit(
    settings: &KernelSettings,
    data: &FitData<'_>,
    each_epoch: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<Fitted, HeadError> {
    let choices = choose(settings, data, &Problem::new(data))?;
    // Nothing is chosen on the validation rows, so they can teach, too: what is said of them is left out like the rest.
    let both = settings.all_rows.then(|| train_and_validation(data));
    let whole = match &both {
        Some(both) => &FitData { train: both.rows(), class_weights: data.class_weights.clone(), ..*data },
        None => data,
    };
    let (problem, trained_on) = (Problem::new(whole), data.train.inputs.len() / data.inputs);
    let count = problem.rows();
    let rows = if count <= settings.exact_rows {
        problem.draw(count, data.seed)
    } else {
        // The validation rows, where they teach, stay among those that are like new.
        let most = count - OTHER_ROWS.min(count / 2);
        problem.draw_of(trained_on, most.min(settings.landmarks), data.seed)
    };
    let (solved, term_weights) = average(&problem, &choices, &rows)?;
    let left_out = problem.with_means(solved.left_out);
    let (answers, asked) = (floats(&left_out), problem.like_new(&rows));
    let stack = problem.stack(&answers, &asked, None);
    let penalties = stack.penalties.clone();
    // A class counts as often as its weight says: its prior odds are multiplied by it.
    let weighted = |mut bias: Vec<f32>| {
        let log_weights = data.class_weights.iter().map(|w| w.max(f32::MIN_POSITIVE).ln());
        bias.iter_mut().zip(log_weights).for_each(|(bias, weight)| *bias += weight);
        bias
    };
    let weights = product(stack.matrix.as_ref(), solved.weights.as_ref());
    let of_means = floats(&product(stack.matrix.as_ref(), problem.means.as_ref()));
    let head = KernelMachine {
        shape: KernelShape {
            inputs: data.inputs,
            terms: data.train.terms.map_or(0, |t| t.width),
            landmarks: rows.len(),
            blocks: data.blocks.to_vec(),
        },
        scale: problem.scale(choices[0].1).iter().map(|&v| v as f32).collect(),
        landmarks: Remembered::new(problem.scaled(choices[0].1, &rows), data.inputs),
        term_weights: floats(&product(stack.matrix.as_ref(), term_weights.as_ref())),
        weights: single(weights),
        bias: weighted(stack.bias).iter().zip(of_means).map(|(bias, mean)| bias + mean).collect(),
    };

    let train = problem.left_out_score(&answers, &asked, &CS);
    let outputs = left_out.nrows();
    // Each hand of groups is answered by the logistic regression of the other hands.
    let (hands, mut hand_of) = (problem.label().deal(&problem.groups, &asked, HANDS), vec![0; count]);
    hands.iter().enumerate().for_each(|(hand, rows)| rows.iter().for_each(|&row| hand_of[row] = hand));
    let by_others = (0..HANDS).map(|hand| {
        let taught: Vec<usize> = asked.iter().copied().filter(|&row| hand_of[row] != hand).collect();
        let stack =
            problem.stack(&answers, if taught.is_empty() { &asked } else { &taught }, Some(&penalties));
        let bias = weighted(stack.bias);
        let mut logits = product(stack.matrix.as_ref(), left_out.as_ref());
        for row in logits.col_iter_mut() {
            row.iter_mut().zip(&bias).for_each(|(logit, &bias)| *logit += f64::from(bias));
        }
        floats(&logits)
    });
    let by_others: Vec<Vec<f32>> = by_others.collect();
    let of_row = |row: usize| &by_others[hand_of[row]][row * outputs..(row + 1) * outputs];
    let answers_to = |rows: &[usize]| rows.iter().flat_map(|&row| of_row(row)).copied().collect();
    let logits = if both.is_some() {
        answers_to(&(trained_on..count).collect::<Vec<_>>())
    } else {
        head.logits(data.validation.inputs, data.validation.terms)?
    };
    let validation = score(&logits, data.validation.targets, data);
    let shape = HeadShape::Kernel(head.shape.clone());
    let parameters = (solved.freedom * outputs as f64).round() as usize;
    let fitted = Fitted::at_once(Box::new(head), shape, parameters, [train, validation], each_epoch)?;
    let rows: Vec<usize> = asked.into_iter().filter(|&row| row < trained_on).collect();
    let left_out = Some(LeftOut { logits: answers_to(&rows), rows });
    Ok(Fitted { validation: Some(logits), left_out, ..fitted })
}

/// The machines of all choices, averaged: their answers and so their weights are, as all have the same landmarks and the same
/// Gaussian kernel. Beside it what the landmarks' words and letters say, `outputs × terms`.
fn average(
    problem: &Problem<'_>,
    choices: &[(f64, Choice)],
    landmarks: &[usize],
) -> Result<(Solved, Mat<f64>), HeadError> {
    let mut sums: Option<(Solved, Mat<f64>)> = None;
    for &(share, choice) in choices {
        let solved = problem.solve(choice, landmarks)?;
        let terms = problem.term_weights(choice, landmarks, &solved.weights);
        let (sum, sum_of_terms) = sums.get_or_insert_with(|| {
            let zeros = |of: &Mat<f64>| Mat::zeros(of.nrows(), of.ncols());
            let (left_out, weights) = (zeros(&solved.left_out), zeros(&solved.weights));
            (Solved { left_out, weights, freedom: 0.0 }, zeros(&terms))
        });
        sum.left_out += Scale(share) * &solved.left_out;
        sum.weights += Scale(share) * &solved.weights;
        sum.freedom += share * solved.freedom;
        *sum_of_terms += Scale(share) * &terms;
    }
    sums.ok_or_else(|| HeadError::Shape("no kernel was chosen".into()))
}

/// Rounded to what the file keeps, so that a head answers the same before and after it is saved.
fn single(mut matrix: Mat<f64>) -> Mat<f64> {
    matrix.col_iter_mut().for_each(|column| column.iter_mut().for_each(|v| *v = f64::from(*v as f32)));
    matrix
}

fn train_and_validation<'a>(data: &FitData<'a>) -> OwnedRows<'a> {
    let (train, other) = (data.train, data.validation);
    OwnedRows {
        inputs: [train.inputs, other.inputs].concat(),
        terms: train.terms.zip(other.terms).map(|(train, other)| train.above(other)),
        targets: [train.targets, other.targets].concat(),
        groups: train.groups.zip(other.groups).map(|(train, other)| [train, other].concat()),
        distances: train
            .distances
            .zip(other.distances)
            .map(|(train, other)| (train.all, [train.rows, other.rows].concat())),
    }
}

/// How sure each training row's own class is when the row is left out with its group: its probability minus the greatest other one's,
/// in `[-1, 1]`. Small for hard rows and for those near a class boundary.
///
/// # Errors
/// Values that are no numbers.
pub fn margins(data: &FitData<'_>) -> Result<Vec<f32>, HeadError> {
    let problem = Problem::new(data);
    let rows = problem.draw(SEARCH_ROWS, data.seed);
    let left_out = problem.with_means(problem.solve(FIRST, &rows)?.left_out);
    let stack = problem.stack(&floats(&left_out), &problem.like_new(&rows), None);
    let logits = product(stack.matrix.as_ref(), left_out.as_ref());
    let classes = problem.blocks[0].width;
    let margin = |(row, truth): (usize, &Option<usize>)| {
        let mut probabilities: Vec<f32> =
            (0..classes).map(|c| logits[(c, row)] as f32 + stack.bias[c]).collect();
        softmax(&mut probabilities);
        let truth = truth.unwrap_or(0);
        let other = (0..classes).filter(|&c| c != truth).map(|c| probabilities[c]).fold(0.0, f32::max);
        probabilities[truth] - other
    };
    Ok(problem.truth[0].iter().enumerate().map(margin).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heads::groups::Groups;
    use crate::heads::kernel::problem::Choice;
    use crate::heads::{Block, BlockKind, Rows, Tensors};
    use crate::inputs::{Distances, KnownDistances, Sparse};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Points in the square, class 1 inside a circle, and how far out as a value.
    fn circle(rows: usize, seed: u64) -> (Vec<f32>, Vec<f32>) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut inputs, mut targets) = (Vec::new(), Vec::new());
        for _ in 0..rows {
            let (a, b) = (rng.random_range(-1.0..1.0f32), rng.random_range(-1.0..1.0f32));
            let inside = f32::from(u8::from(a * a + b * b < 0.5));
            inputs.extend([a, b]);
            targets.extend([1.0 - inside, inside, (a * a + b * b).sqrt()]);
        }
        (inputs, targets)
    }

    fn blocks() -> Vec<Block> {
        let block = |width, kind| Block { width, kind, weight: 1.0, ..Block::default() };
        vec![block(2, BlockKind::Classes), block(1, BlockKind::Values)]
    }

    fn data<'a>(blocks: &'a [Block], train: &'a (Vec<f32>, Vec<f32>)) -> FitData<'a> {
        let rows = Rows { inputs: &train.0, terms: None, targets: &train.1, groups: None, distances: None };
        FitData {
            inputs: 2,
            embedding_dims: 1,
            blocks,
            class_weights: vec![1.0, 1.0],
            train: rows,
            validation: rows,
            seed: 1,
        }
    }

    fn settings(landmarks: usize) -> KernelSettings {
        KernelSettings {
            exact_rows: landmarks,
            landmarks,
            gamma: None,
            ridge: None,
            feature_weight: Some(1.0),
            term_weight: None,
            all_rows: false,
        }
    }

    #[test]
    fn it_learns_a_circle_and_its_radius_also_from_few_landmarks() {
        let (train, held) = (circle(400, 1), circle(300, 2));
        let blocks = blocks();
        for landmarks in [400, 60] {
            let fitted =
                fit(&settings(landmarks), &data(&blocks, &train), &mut |_| ControlFlow::Continue(()))
                    .unwrap();
            let logits = fitted.head.logits(&held.0, None).unwrap();
            let rows = || logits.chunks(3).zip(held.1.chunks(3));
            let right = rows().filter(|(l, t)| (l[1] > l[0]) == (t[1] > 0.5)).count();
            let error: f32 = rows().map(|(l, t)| (l[2] - t[2]).powi(2)).sum::<f32>() / 300.0;
            assert!(right > 280 && error < 0.01, "{landmarks}: {right} {error}");
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("head.safetensors");
            fitted.head.save(&path).unwrap();
            let HeadShape::Kernel(shape) = &fitted.shape else { panic!("a kernel machine") };
            assert_eq!(
                KernelMachine::load(shape, Tensors::read(&path).unwrap())
                    .unwrap()
                    .logits(&held.0, None)
                    .unwrap(),
                logits
            );
        }
    }

    /// All rows as landmarks, once as such and once, in another order, as landmarks among rows.
    #[test]
    fn rows_as_their_own_landmarks_are_solved_like_any_landmarks() {
        let all = circle(80, 7);
        let blocks = blocks();
        let choice = Choice { gamma: 1.0, ridge: 0.3, feature_weight: 1.0, term_weight: 0.0 };
        let problem = Problem::new(&data(&blocks, &all));
        let [one, other] = [(0..80).collect::<Vec<usize>>(), (0..80).rev().collect()]
            .map(|landmarks| problem.solve(choice, &landmarks).unwrap());
        let off = |a: &Mat<f64>, b: &Mat<f64>| (a - b).norm_max();
        assert!(off(&one.left_out, &other.left_out) < 2e-3, "{}", off(&one.left_out, &other.left_out));
        let kernel = problem.to_rows(choice, &(0..80).collect::<Vec<_>>());
        let flipped = Mat::from_fn(3, 80, |i, j| other.weights[(i, 79 - j)]);
        let answers = [&one.weights, &flipped].map(|weights| product(weights.as_ref(), kernel.as_ref()));
        assert!(off(&answers[0], &answers[1]) < 2e-3, "{}", off(&answers[0], &answers[1]));
        assert!((one.freedom - other.freedom).abs() < 0.05, "{} {}", one.freedom, other.freedom);
    }

    /// What the search keeps the parts of is the kernel that a fit makes in place.
    #[test]
    fn parts_make_the_kernel_that_is_made_at_once() {
        let all = circle(50, 8);
        let blocks = blocks();
        let terms = Sparse {
            width: 3,
            ends: (1..=50).collect(),
            columns: (0..50).map(|row| row % 3).collect(),
            values: (0..50).map(|row| 1.0 + row as f32).collect(),
        };
        let mut data = data(&blocks, &all);
        data.train.terms = Some(&terms);
        let problem = Problem::new(&data);
        let choice = Choice { gamma: 2.0, ridge: 0.3, feature_weight: 0.2, term_weight: 0.6 };
        let parts = problem.parts().kernel(problem.gammas(choice), choice.term_weight);
        let rows: Vec<usize> = (0..50).collect();
        let (whole, to_rows) = (problem.among(choice, &rows), problem.to_rows(choice, &rows));
        for j in 0..50 {
            for i in j..50 {
                assert!((parts[(i, j)] - whole[(i, j)]).abs() < 1e-9);
                assert!((parts[(i, j)] - to_rows[(j, i)]).abs() < 1e-9);
            }
        }
    }

    /// A part of rows whose distances are known, in another order.
    #[test]
    fn known_distances_make_the_kernel_that_the_inputs_make() {
        let all = circle(90, 11);
        let embedding: Vec<f32> = all.0.iter().step_by(2).copied().collect();
        let distances = Distances::new(&embedding, 1);
        let rows: Vec<usize> = (0..60).map(|row| row * 7 % 90).collect();
        let pick = |of: &[f32], width: usize| -> Vec<f32> {
            rows.iter().flat_map(|&row| of[row * width..(row + 1) * width].to_vec()).collect()
        };
        let (train, blocks) = ((pick(&all.0, 2), pick(&all.1, 3)), blocks());
        let plain = data(&blocks, &train);
        let mut known = data(&blocks, &train);
        known.train.distances = Some(KnownDistances { all: &distances, rows: &rows });
        let problems = [Problem::new(&plain), Problem::new(&known)];
        let choice = Choice { gamma: 2.0, ridge: 0.3, feature_weight: 0.5, term_weight: 0.0 };
        let own: Vec<usize> = (0..60).collect();
        type Kernel = fn(&Problem<'_>, Choice, &[usize]) -> Mat<f64>;
        let kernels: [Kernel; 3] = [
            |of, choice, rows| of.among(choice, rows),
            |of, choice, rows| of.to_rows(choice, &rows[10..30]),
            |of, choice, _| of.parts().kernel(of.gammas(choice), choice.term_weight),
        ];
        for kernel in kernels {
            let [plain, known] = [0, 1].map(|i| kernel(&problems[i], choice, &own));
            for j in 0..plain.ncols() {
                let first = if plain.nrows() == plain.ncols() { j } else { 0 };
                (first..plain.nrows()).for_each(|i| assert!((plain[(i, j)] - known[(i, j)]).abs() < 1e-6));
            }
        }
    }

    /// Taught the left half; the right half comes with the validation rows.
    #[test]
    fn the_validation_rows_teach_too_and_are_answered_as_if_they_did_not() {
        let (mut all, held) = (circle(600, 5), circle(300, 6));
        // A fifth of the labels are wrong, so that whoever answers by heart is seen.
        all.1.chunks_mut(3).step_by(5).for_each(|target| target.swap(0, 1));
        let half = |left: bool| -> (Vec<f32>, Vec<f32>) {
            let rows = all.0.chunks(2).zip(all.1.chunks(3)).filter(|(x, _)| (x[0] < 0.0) == left);
            let (x, y): (Vec<&[f32]>, Vec<&[f32]>) = rows.unzip();
            (x.concat(), y.concat())
        };
        let (train, validation, blocks) = (half(true), half(false), blocks());
        // All rows are landmarks, or a part of the training rows.
        for landmarks in [5000, 150] {
            let fit_with = |all_rows| {
                let rows = Rows {
                    inputs: &validation.0,
                    terms: None,
                    targets: &validation.1,
                    groups: None,
                    distances: None,
                };
                let data = FitData { validation: rows, ..data(&blocks, &train) };
                let settings = KernelSettings { all_rows, ..settings(landmarks) };
                fit(&settings, &data, &mut |_| ControlFlow::Continue(())).unwrap()
            };
            let (one, both) = (fit_with(false), fit_with(true));
            let right = |fitted: &Fitted| {
                let logits = fitted.head.logits(&held.0, None).unwrap();
                logits.chunks(3).zip(held.1.chunks(3)).filter(|(l, t)| (l[1] > l[0]) == (t[1] > 0.5)).count()
            };
            assert!(right(&both) > right(&one), "{landmarks}: {} {}", right(&both), right(&one));
            let epoch = &both.history[0];
            assert!((0.7..0.85).contains(&epoch.validation_accuracy), "{landmarks}: {epoch:?}");
            assert_eq!(both.validation.unwrap().len(), validation.1.len());
            let left_out = both.left_out.unwrap();
            assert_eq!(left_out.logits.len(), 3 * left_out.rows.len());
            assert!(left_out.rows.iter().all(|&row| row < train.0.len() / 2));
        }
    }

    /// The rows' groups: rows alone, pairs, triples far apart, and rows mixed of two groups.
    fn grouped(rows: usize) -> Vec<[usize; 2]> {
        let group = |row: usize| if row < 20 { row } else { 20 + row % 9 };
        (0..rows).map(|row| if row % 13 == 12 { [group(row), 0] } else { [group(row); 2] }).collect()
    }

    /// For each set, the answers to it by the formula are those of a fit without all rows that descend from it.
    fn leaving_out_is_leaving_out(count: usize, landmarks: &[usize], groups: Option<&[[usize; 2]]>) {
        let all = circle(count, 3);
        let blocks = blocks();
        let choice = Choice { gamma: 1.0, ridge: 0.3, feature_weight: 1.0, term_weight: 0.0 };
        let mut data = data(&blocks, &all);
        data.train.groups = groups;
        let problem = Problem::new(&data);
        let whole = problem.solve(choice, landmarks).unwrap().left_out;
        let kernel = problem.to_rows(choice, landmarks);
        for (set, left) in problem.sets.members.iter().enumerate() {
            let others: Vec<usize> = (0..count).filter(|row| !left.contains(row)).collect();
            let pick = |of: &Mat<f64>| Mat::from_fn(of.nrows(), others.len(), |i, row| of[(i, others[row])]);
            let without = Problem {
                y: pick(&problem.y),
                weights: vec![1.0; others.len()],
                sets: Groups::new(others.len(), None),
                ..Problem::new(&data)
            };
            // Rows that are their own landmarks go with their landmarks; others leave the landmarks as they are.
            let (weights, kernel) = if landmarks.len() == count {
                let among =
                    || Mat::from_fn(others.len(), others.len(), |i, j| kernel[(others[i], others[j])]);
                let to_rows = Mat::from_fn(others.len(), count, |i, row| kernel[(others[i], row)]);
                (without.solve_own(among, choice.ridge).unwrap().weights, to_rows)
            } else {
                let among = || problem.among(choice, landmarks);
                let solved = without.solve_among(among, || pick(&kernel), choice.ridge).unwrap();
                (solved.weights, kernel.clone())
            };
            let found = product(weights.as_ref(), kernel.as_ref());
            for row in problem.sets.own(set) {
                for i in 0..3 {
                    let off = (found[(i, row)] - whole[(i, row)]).abs();
                    assert!(off < 1e-10, "set {set}, row {row}: {off}");
                }
            }
        }
    }

    #[test]
    fn leaving_a_group_out_in_closed_form_is_leaving_it_out() {
        let landmarks: Vec<usize> = (0..20).collect();
        for groups in [None, Some(&grouped(60)[..])] {
            leaving_out_is_leaving_out(60, &(0..60).collect::<Vec<_>>(), groups);
            leaving_out_is_leaving_out(60, &landmarks, groups);
        }
    }

    /// A third of the rows counts twice: as if each of them stood there twice, and were left out with its twin.
    #[test]
    fn a_row_that_counts_twice_is_two_rows() {
        let (all, blocks) = (circle(60, 12), blocks());
        let counts = |row: usize| 1 + usize::from(row.is_multiple_of(3));
        let times = |of: &[f32], width: usize| -> Vec<f32> {
            of.chunks(width).enumerate().flat_map(|(row, values)| values.repeat(counts(row))).collect()
        };
        let doubled = (times(&all.0, 2), times(&all.1, 3));
        let groups: Vec<[usize; 2]> = (0..60).flat_map(|row| vec![[row; 2]; counts(row)]).collect();
        let mut weighted = all.clone();
        for (row, target) in weighted.1.chunks_mut(3).enumerate() {
            target[..2].iter_mut().for_each(|share| *share *= counts(row) as f32);
        }
        let (mut of_doubled, of_weighted) = (data(&blocks, &doubled), data(&blocks, &weighted));
        of_doubled.train.groups = Some(&groups);
        let one = Problem::new(&of_weighted);
        // Few rows are left out in sets, which are dealt; these are not the same, so leave out one group at a time.
        let one = Problem { sets: one.groups.clone(), ..one };
        let two = Problem::new(&of_doubled);
        let two = Problem { variance: one.variance, sets: two.groups.clone(), ..two };
        let choice = Choice { gamma: 1.0, ridge: 0.3, feature_weight: 1.0, term_weight: 0.0 };
        let (rows, doubles): (Vec<usize>, Vec<usize>) = ((0..60).collect(), (0..groups.len()).collect());
        let first_of = |row: usize| groups.iter().position(|group| group[0] == row).unwrap();
        for (landmarks, doubled_landmarks) in
            [(&rows[..], &doubles[..]), (&rows[..20], &(0..20).map(first_of).collect::<Vec<_>>()[..])]
        {
            let [a, b] = [(&one, landmarks), (&two, doubled_landmarks)]
                .map(|(problem, landmarks)| problem.solve(choice, landmarks).unwrap());
            for row in 0..60 {
                for i in 0..3 {
                    let off = (a.left_out[(i, row)] - b.left_out[(i, first_of(row))]).abs();
                    assert!(off < 1e-9, "{} landmarks, row {row}: {off}", landmarks.len());
                }
            }
            assert!((a.freedom - b.freedom).abs() < 1e-8, "{} {}", a.freedom, b.freedom);
        }
    }

    /// Labels that nothing tells, four copies of each row: whoever answers by its copies is always right.
    #[test]
    fn copies_teach_nothing_about_each_other() {
        let (mut points, mut rng) = (circle(150, 9), ChaCha8Rng::seed_from_u64(10));
        for target in points.1.chunks_mut(3) {
            let first = f32::from(u8::from(rng.random_bool(0.5)));
            (target[0], target[1]) = (first, 1.0 - first);
        }
        let copies = |of: &[f32]| of.repeat(4);
        let train = (copies(&points.0), copies(&points.1));
        let groups: Vec<[usize; 2]> = (0..600).map(|row| [row % 150; 2]).collect();
        let blocks = blocks();
        for landmarks in [600, 200] {
            let mut data = data(&blocks, &train);
            data.train.groups = Some(&groups);
            let fitted = fit(&settings(landmarks), &data, &mut |_| ControlFlow::Continue(())).unwrap();
            let epoch = &fitted.history[0];
            assert!(epoch.train_accuracy < 0.65 && epoch.train_loss > 0.6, "{landmarks}: {epoch:?}");
        }
    }

    #[test]
    fn rows_near_the_boundary_have_small_margins() {
        let train = circle(400, 4);
        let margins = margins(&data(&blocks(), &train)).unwrap();
        let mean = |near: bool| {
            let of = |(m, t): (&f32, &[f32])| (((t[2] - 0.707).abs() < 0.08) == near).then_some(*m);
            let chosen: Vec<f32> = margins.iter().zip(train.1.chunks(3)).filter_map(of).collect();
            chosen.iter().sum::<f32>() / chosen.len() as f32
        };
        assert!(mean(false) > mean(true) + 0.3, "{} {}", mean(false), mean(true));
    }
}
