//! Training a linear head.

use std::ops::ControlFlow;

use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{Mat, Par};

use super::answer::Linear;
use super::matrix::Matrix;
use super::settings::LogisticShape;
use super::solver::LogisticRegression;
use crate::heads::dense::{cholesky, columns, product, score, square};
use crate::heads::{
    Block, BlockKind, Epoch, FitData, Fitted, Head, HeadError, HeadShape, Rows, outputs, places, row_weight,
};

/// Penalties of a logistic regression (C, ascending) and of a ridge regression (a row's share, descending), on inputs of
/// variance 1. Each begins where the one before ended.
const CS: [f64; 6] = [1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0];
const RIDGES: [f64; 6] = [100.0, 10.0, 1.0, 0.1, 1e-2, 1e-3];

/// Most steps of the descent for each penalty.
const ITERATIONS: u64 = 200;

/// [`crate::heads::fit`] of a linear head.
///
/// # Errors
/// Interruption, or values that are no numbers.
pub fn fit(
    data: &FitData<'_>,
    each_epoch: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<Fitted, HeadError> {
    let outputs = outputs(data.blocks);
    let scaling = Scaling::learn(data);
    let [x, asked] = [data.train, data.validation].map(|rows| scaling.of(rows.inputs));
    let [matrix, asked_matrix] =
        [&x, &asked].map(|x| Matrix::dense(data.inputs, crate::heads::dense::floats(x)));
    let (mut weights, mut bias) = (Mat::zeros(data.inputs, outputs), vec![0.0; outputs]);
    for (i, (place, block)) in places(data.blocks).enumerate() {
        let own = |rows: Rows<'_>| -> Vec<f32> {
            let of_row = |row: &[f32]| row[place.clone()].to_vec();
            rows.targets.chunks_exact(outputs).flat_map(of_row).collect()
        };
        match block.kind {
            BlockKind::Classes => {
                let even = vec![1.0; block.width];
                let of_class = if i == 0 { &data.class_weights } else { &even };
                let weigh = |mut targets: Vec<f32>| {
                    let row = |row: &mut [f32]| row.iter_mut().zip(of_class).for_each(|(t, w)| *t *= w);
                    targets.chunks_exact_mut(block.width).for_each(row);
                    targets
                };
                let (shares, held) = (weigh(own(data.train)), weigh(own(data.validation)));
                let (train, held) = (
                    SoftLabelled { x: &matrix, shares: &shares },
                    SoftLabelled { x: &asked_matrix, shares: &held },
                );
                let model = classes(&train, &held, block.width);
                let (found, intercepts) = model.parameters();
                for (class, output) in place.enumerate() {
                    let column = weights.col_as_slice_mut(output);
                    let found = &found[class * data.inputs..(class + 1) * data.inputs];
                    column.iter_mut().zip(found).for_each(|(weight, &found)| *weight = found);
                    bias[output] = intercepts[class];
                }
            }
            BlockKind::Values => {
                let [y, held] = [data.train, data.validation].map(|rows| columns(&own(rows), block.width));
                let [train, held_back] = [(data.train, &x, y), (data.validation, &asked, held)]
                    .map(|(rows, x, y)| Valued { x, y, weights: row_weights(rows, data.blocks) });
                let (found, means) = values(&train, &held_back)?;
                weights.subcols_mut(place.start, block.width).copy_from(&found);
                bias[place].copy_from_slice(&means);
            }
        }
    }
    scaling.undo(&mut weights, &mut bias);
    let shape = LogisticShape { inputs: data.inputs, blocks: data.blocks.to_vec() };
    let bias = bias.into_iter().map(|v| v as f32).collect();
    let head = Linear { shape: shape.clone(), weights, bias };
    let of = |rows: Rows<'_>| Ok::<_, HeadError>(score(&head.logits(rows.inputs, None)?, rows.targets, data));
    let scores = [of(data.train)?, of(data.validation)?];
    let parameters = outputs * (data.inputs + 1);
    Fitted::at_once(Box::new(head), HeadShape::Logistic(shape), parameters, scores, each_epoch)
}

/// What each row counts.
fn row_weights(rows: Rows<'_>, blocks: &[Block]) -> Vec<f64> {
    rows.targets.chunks_exact(outputs(blocks)).map(|row| row_weight(row, blocks)).collect()
}

/// Rows of which shares of the classes are known.
struct SoftLabelled<'a> {
    x: &'a Matrix,
    /// `rows × classes`, row-major, times the rows' weights.
    shares: &'a [f32],
}

/// The logistic regression with the penalty that does best on the rows `held_back`.
fn classes(train: &SoftLabelled<'_>, held_back: &SoftLabelled<'_>, count: usize) -> LogisticRegression {
    let &SoftLabelled { x, shares } = train;
    let mut last: Option<LogisticRegression> = None;
    let mut best: Option<(f64, LogisticRegression)> = None;
    for c in CS {
        let model = LogisticRegression::fit_shares(x, shares, count, c, ITERATIONS, last.as_ref());
        let probabilities = model.probabilities(held_back.x);
        let of = |(p, share): (&f32, &f32)| -f64::from(*share) * f64::from(p.max(f32::EPSILON)).ln();
        let loss = probabilities.iter().zip(held_back.shares).map(of).sum::<f64>();
        if best.as_ref().is_none_or(|(least, _)| loss < *least) {
            best = Some((loss, model.clone()));
        }
        last = Some(model);
    }
    best.map_or_else(|| LogisticRegression::fit_shares(x, shares, count, 1.0, 0, None), |(_, model)| model)
}

/// Rows of which values are known, a column a row.
struct Valued<'a> {
    /// `inputs × rows`, the inputs' weighted means over the training rows 0.
    x: &'a Mat<f64>,
    /// `values × rows`.
    y: Mat<f64>,
    /// What each row counts.
    weights: Vec<f64>,
}

/// Weights, `inputs × values`, and means of the ridge regression with the penalty that does best on the rows `held_back`.
fn values(train: &Valued<'_>, held_back: &Valued<'_>) -> Result<(Mat<f64>, Vec<f64>), HeadError> {
    let Valued { x, y, weights } = train;
    let rows = weights.iter().sum::<f64>();
    let weighted = |row: faer::RowRef<'_, f64>| row.iter().zip(weights).map(|(v, w)| v * w).sum::<f64>();
    let means: Vec<f64> = y.row_iter().map(|row| weighted(row) / rows).collect();
    let times_roots =
        |of: &Mat<f64>| Mat::from_fn(of.nrows(), of.ncols(), |i, row| of[(i, row)] * weights[row].sqrt());
    let (x, y) = (times_roots(x), times_roots(y));
    let (inner, targets) = (square(x.as_ref()), product(x.as_ref(), y.transpose()));
    let mut best: Option<(f64, Mat<f64>)> = None;
    for ridge in RIDGES {
        let factor = cholesky(|| inner.clone(), ridge * rows)?;
        let mut weights = targets.clone();
        solve_lower_triangular_in_place(factor.as_ref(), weights.as_mut(), Par::Seq);
        solve_upper_triangular_in_place(factor.transpose(), weights.as_mut(), Par::Seq);
        let predicted = product(weights.transpose(), held_back.x.as_ref());
        let off = |row: usize| {
            (0..means.len())
                .map(|i| (predicted[(i, row)] + means[i] - held_back.y[(i, row)]).powi(2))
                .sum::<f64>()
        };
        let loss = (0..held_back.x.ncols()).map(|row| off(row) * held_back.weights[row]).sum::<f64>();
        if best.as_ref().is_none_or(|(least, _)| loss < *least) {
            best = Some((loss, weights));
        }
    }
    Ok((best.map_or(targets, |(_, weights)| weights), means))
}

/// Brings inputs to the mean 0 and, the embedding as a whole, to the variance 1, so that one penalty fits all encoders.
/// Tabular inputs come standardised.
struct Scaling {
    /// `inputs`.
    means: Vec<f64>,
    scales: Vec<f64>,
}

impl Scaling {
    fn learn(data: &FitData<'_>) -> Self {
        let x = columns(data.train.inputs, data.inputs);
        let weights = row_weights(data.train, data.blocks);
        let rows = weights.iter().sum::<f64>().max(1e-9);
        let sum = |of: &dyn Fn(f64) -> f64, i: usize| -> f64 {
            x.row(i).iter().zip(&weights).map(|(&v, w)| of(v) * w).sum()
        };
        let means: Vec<f64> = (0..data.inputs).map(|i| sum(&|v| v, i) / rows).collect();
        let squares = |i: usize| sum(&|v| (v - means[i]).powi(2), i);
        let dims = data.embedding_dims;
        let variance = (0..dims).map(squares).sum::<f64>() / (rows * dims.max(1) as f64);
        let embedding = 1.0 / variance.max(1e-12).sqrt();
        Self { means, scales: (0..data.inputs).map(|i| if i < dims { embedding } else { 1.0 }).collect() }
    }

    /// `inputs × rows`.
    fn of(&self, rows: &[f32]) -> Mat<f64> {
        let mut x = columns(rows, self.means.len());
        for row in x.col_iter_mut() {
            let with = |(x, (mean, scale)): (&mut f64, (&f64, &f64))| *x = (*x - mean) * scale;
            row.iter_mut().zip(self.means.iter().zip(&self.scales)).for_each(with);
        }
        x
    }

    /// Make weights and bias of scaled inputs those of the inputs as they come, rounded to what the file keeps.
    fn undo(&self, weights: &mut Mat<f64>, bias: &mut [f64]) {
        for (output, bias) in bias.iter_mut().enumerate() {
            for (i, weight) in weights.col_as_slice_mut(output).iter_mut().enumerate() {
                *weight = f64::from((*weight * self.scales[i]) as f32);
                *bias -= *weight * self.means[i];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heads::Tensors;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Three classes by the angle of a point, a task that misses every second label, and a value linear in the point.
    fn sectors(rows: usize, seed: u64) -> (Vec<f32>, Vec<f32>) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut inputs, mut targets) = (Vec::new(), Vec::new());
        for row in 0..rows {
            let (a, b) = (rng.random_range(-1.0..1.0f32), rng.random_range(-1.0..1.0f32));
            let class = [a, -a + b, -b]
                .into_iter()
                .enumerate()
                .fold((0, f32::MIN), |best, (c, v)| if v > best.1 { (c, v) } else { best });
            let known = (row % 2) as f32;
            inputs.extend([0.05 * a + 0.3, 0.05 * b, rng.random_range(-1.0..1.0f32)]);
            targets.extend((0..3).map(|c| f32::from(u8::from(c == class.0))));
            let right = f32::from(u8::from(a > 0.0));
            targets.extend([known * right, known * (1.0 - right), 2.0 * a - b + 0.5]);
        }
        (inputs, targets)
    }

    fn blocks() -> Vec<Block> {
        let block = |width, kind| Block { width, kind, weight: 1.0, ..Block::default() };
        vec![block(3, BlockKind::Classes), block(2, BlockKind::Classes), block(1, BlockKind::Values)]
    }

    fn fitted(train: &(Vec<f32>, Vec<f32>), held: &(Vec<f32>, Vec<f32>), class_weights: [f32; 3]) -> Fitted {
        let data = FitData {
            inputs: 3,
            embedding_dims: 2,
            blocks: &blocks(),
            class_weights: class_weights.to_vec(),
            train: Rows { inputs: &train.0, terms: None, targets: &train.1, groups: None, distances: None },
            validation: Rows {
                inputs: &held.0,
                terms: None,
                targets: &held.1,
                groups: None,
                distances: None,
            },
            seed: 1,
        };
        fit(&data, &mut |_| ControlFlow::Continue(())).unwrap()
    }

    #[test]
    fn it_learns_classes_missing_tasks_and_values_and_is_saved() {
        let (train, held, asked) = (sectors(600, 1), sectors(200, 2), sectors(400, 3));
        let fitted = fitted(&train, &held, [1.0; 3]);
        assert_eq!(fitted.parameters, 6 * 4);
        let logits = fitted.head.logits(&asked.0, None).unwrap();
        let rows = || logits.chunks(6).zip(asked.1.chunks(6));
        let most = |row: &[f32]| (1..3).fold(0, |best, c| if row[c] > row[best] { c } else { best });
        let right = rows().filter(|(l, t)| most(l) == most(t)).count();
        let task =
            logits.chunks(6).zip(asked.0.chunks(3)).filter(|(l, x)| (l[3] > l[4]) == (x[0] > 0.3)).count();
        let error = rows().map(|(l, t)| (l[5] - t[5]).abs()).fold(0.0, f32::max);
        assert!(right > 380 && task > 380 && error < 0.05, "{right} {task} {error}");

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("head.safetensors");
        fitted.head.save(&path).unwrap();
        let HeadShape::Logistic(shape) = &fitted.shape else { panic!("a linear head") };
        let loaded = Linear::load(shape, Tensors::read(&path).unwrap()).unwrap();
        assert_eq!(loaded.logits(&asked.0, None).unwrap(), logits);
        assert!(loaded.logits(&asked.0[1..], None).is_err());
    }

    /// A row half of one class and half of another teaches as both rows of half the weight do; so does a class weight.
    #[test]
    fn mixed_rows_and_class_weights_count_as_rows_do() {
        let held = sectors(100, 5);
        let (inputs, targets) = sectors(200, 4);
        let logits = |train: &(Vec<f32>, Vec<f32>), weights: [f32; 3]| {
            fitted(train, &held, weights).head.logits(&held.0, None).unwrap()
        };
        let close = |a: &[f32], b: &[f32]| {
            a.chunks(6)
                .zip(b.chunks(6))
                .all(|(a, b)| (0..3).all(|c| (a[c] - a[0] - b[c] + b[0]).abs() < 0.05))
        };
        let other = |row: &[f32]| -> Vec<f32> { [&[row[1], row[2], row[0]], &row[3..]].concat() };
        let mixed: Vec<f32> = targets
            .chunks(6)
            .flat_map(|row| row.iter().zip(other(row)).map(|(a, b)| 0.75 * a + 0.25 * b).collect::<Vec<_>>())
            .collect();
        // Three rows of the class and one of the other, each a quarter of a row.
        let parted: Vec<f32> = targets
            .chunks(6)
            .flat_map(|row| [row.to_vec(), row.to_vec(), row.to_vec(), other(row)].concat())
            .collect();
        let four: Vec<f32> = inputs.chunks(3).flat_map(|row| row.repeat(4)).collect();
        let one = logits(&(inputs.clone(), mixed), [1.0; 3]);
        assert!(close(&one, &logits(&(four, parted), [0.25; 3])));
        // The first class twice.
        let twice = |of: &[f32], width: usize| -> Vec<f32> {
            let rows = of.chunks(width).zip(targets.chunks(6));
            rows.flat_map(|(row, t)| row.repeat(1 + usize::from(t[0] > 0.5))).collect()
        };
        let (fit_on, doubled) = ((inputs.clone(), targets.clone()), (twice(&inputs, 3), twice(&targets, 6)));
        let model = |train: &(Vec<f32>, Vec<f32>), first: f32| {
            let shares: Vec<f32> =
                train.1.chunks(6).flat_map(|row| [row[0] * first, row[1], row[2]]).collect();
            let x = Matrix::dense(3, train.0.clone());
            LogisticRegression::fit_shares(&x, &shares, 3, 10.0, 200, None).probabilities(&x)[..3].to_vec()
        };
        let [weighted, twice, plain] = [model(&fit_on, 2.0), model(&doubled, 1.0), model(&fit_on, 1.0)];
        assert!((0..3).all(|c| (weighted[c] - twice[c]).abs() < 1e-3), "{weighted:?} {twice:?}");
        assert!((weighted[0] - plain[0]).abs() > 0.02, "{weighted:?} {plain:?}");
    }
}
