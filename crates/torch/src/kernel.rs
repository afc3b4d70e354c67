//! A kernel machine on frozen embeddings: ridge regression on the targets in the space of a Gaussian kernel, and a
//! logistic regression on its leave-one-out answers.
//!
//! Ridge regression on one-hot targets is the regularised least-squares classifier (Rifkin, Yeo & Poggio 2003), as
//! accurate as a support vector machine and solved by one Cholesky factorisation for all targets. Of many rows it sees only
//! some as landmarks (Nyström: Williams & Seeger 2001), so that its cost grows linearly with the rows. The answer to each
//! training row by a fit without that row costs nothing more, which serves four times: to choose the kernel, to teach the
//! logistic regression that turns answers into logits (stacking, Wolpert 1992), to say which rows are hard, and to learn
//! from the validation rows and yet answer them as if they were new.
//!
//! Where some rows are no landmarks, only those are asked: a landmark whose row is left out is free to fit the others, and
//! the answer there is worse than to any new row.

use std::ops::ControlFlow;
use std::path::Path;

use pipeline::baseline::{LogisticRegression, Matrix};
use pipeline::inputs::Sparse;
use pipeline::train::{
    Block, BlockKind, Epoch, FitData, Fitted, Head, HeadError, HeadShape, KernelSettings, KernelShape, Rows,
};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

use crate::{Tensors, failed};

/// Rows on which kernel and ridge are chosen, all of them landmarks: what is best for them is best, or nearly so, for all.
const SEARCH_ROWS: usize = 1000;

/// Where not all rows can be landmarks, at least so many are none.
const OTHER_ROWS: usize = 1000;

/// A term is frequent when more than one in so many rows has it.
const FREQUENT: usize = 25;

/// Penalties (C, ascending) that the logistic regression on the leave-one-out answers chooses from, and its most steps.
const STACK_CS: [f64; 5] = [0.001, 0.01, 0.1, 1.0, 10.0];
const STACK_ITERATIONS: u64 = 200;

/// Values tried, from the one the search begins with.
const GAMMAS: [f64; 4] = [0.5, 0.25, 1.0, 2.0];
const RIDGES: [f64; 4] = [0.3, 0.1, 1.0, 3.0];
const FEATURE_WEIGHTS: [f64; 4] = [0.1, 0.03, 0.06, 0.2];
const TERM_WEIGHTS: [f64; 4] = [0.6, 0.0, 0.3, 1.2];

/// Landmarks and what each says of the targets.
pub struct KernelMachine {
    shape: KernelShape,
    /// `[inputs]`: what inputs are multiplied by, so that the kernel is exp(-‖a - b‖²).
    scale: Tensor,
    /// `[landmarks, inputs]`, scaled.
    landmarks: Tensor,
    /// `[landmarks, outputs]`.
    weights: Tensor,
    /// `terms × outputs`: what the landmarks' words and letters say, a linear kernel's sum over the landmarks.
    term_weights: Vec<f32>,
    /// `[outputs]`.
    bias: Tensor,
}

impl KernelMachine {
    /// Load weights saved by [`Head::save`].
    ///
    /// # Errors
    /// They do not fit `shape`.
    pub fn load(shape: &KernelShape, mut tensors: Tensors) -> Result<Self, HeadError> {
        let (inputs, landmarks) = (shape.inputs as i64, shape.landmarks as i64);
        let outputs: i64 = shape.blocks.iter().map(|b| b.width as i64).sum();
        let mut take = |name: &str, size: &[i64]| tensors.take(name, size);
        Ok(Self {
            scale: take("scale", &[inputs])?,
            landmarks: take("landmarks", &[landmarks, inputs])?,
            weights: take("weights", &[landmarks, outputs])?,
            term_weights: values(&take("term_weights", &[shape.terms as i64, outputs])?)?,
            bias: take("bias", &[outputs])?,
            shape: shape.clone(),
        })
    }

    fn answer(&self, x: &Tensor, terms: Option<&Sparse>) -> Tensor {
        let given = self.answer_to_inputs(x);
        let Some(terms) = terms else { return given };
        let outputs = given.size()[1] as usize;
        let mut added = vec![0.0; terms.ends.len() * outputs];
        for (row, sums) in added.chunks_exact_mut(outputs).enumerate() {
            for (column, value) in terms.row(row) {
                let weights = &self.term_weights[column * outputs..(column + 1) * outputs];
                sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += value * weight);
            }
        }
        given + Tensor::from_slice(&added).view([-1, outputs as i64])
    }

    fn answer_to_inputs(&self, x: &Tensor) -> Tensor {
        (-squared_distances(&(x * &self.scale), &self.landmarks)).exp().matmul(&self.weights) + &self.bias
    }
}

impl Head for KernelMachine {
    fn logits(&self, inputs: &[f32], terms: Option<&Sparse>) -> Result<Vec<f32>, HeadError> {
        let x = Tensor::from_slice(inputs).view([-1, self.shape.inputs as i64]);
        values(&self.answer(&x, terms))
    }

    fn save(&self, path: &Path) -> Result<(), HeadError> {
        let outputs = self.weights.size()[1];
        let term_weights = Tensor::from_slice(&self.term_weights).view([-1, outputs]);
        let tensors = [
            ("scale", &self.scale),
            ("landmarks", &self.landmarks),
            ("weights", &self.weights),
            ("term_weights", &term_weights),
            ("bias", &self.bias),
        ];
        Tensor::write_safetensors(&tensors, path).map_err(failed)
    }
}

/// [`pipeline::train::Fit::fit`] of a kernel machine.
///
/// # Errors
/// Interruption, or a libtorch failure.
pub fn fit(
    settings: &KernelSettings,
    data: &FitData<'_>,
    each_epoch: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<Fitted, HeadError> {
    let choice = choose(settings, data, &Problem::new(data))?;
    // Nothing is chosen on the validation rows, so they can teach, too: what is said of them is left out like the rest.
    let both = settings.all_rows.then(|| train_and_validation(data));
    let whole = match &both {
        Some((inputs, terms, targets)) => {
            let train = Rows { inputs, terms: terms.as_ref(), targets };
            &FitData { train, class_weights: data.class_weights.clone(), ..*data }
        }
        None => data,
    };
    let (problem, trained_on) = (Problem::new(whole), data.train.inputs.len() / data.inputs);
    let count = problem.rows();
    let rows = if count <= settings.exact_rows {
        problem.draw(count, data.seed)
    } else {
        // The validation rows, where they teach, stay among those that are like new.
        let most = count - OTHER_ROWS.min(count / 2);
        draw(trained_on, most.min(settings.landmarks), data.seed)
    };
    let solved = problem.solve(&problem.distances(&rows), choice)?;
    let left_out = &solved.left_out + &problem.means;
    let asked = problem.like_new(&rows);
    let (stack, bias) = problem.stack(&left_out, &asked)?;
    // A class counts as often as its weight says: its prior odds are multiplied by it.
    let log_weights: Vec<f32> = data.class_weights.iter().map(|w| w.max(f32::MIN_POSITIVE).ln()).collect();
    let weighted = |mut bias: Vec<f32>| {
        bias.iter_mut().zip(&log_weights).for_each(|(bias, weight)| *bias += weight);
        Tensor::from_slice(&bias)
    };
    let bias = weighted(bias);
    let scale = problem.scale(choice);
    let weights = solved.weights.matmul(&stack);
    let head = KernelMachine {
        shape: KernelShape {
            inputs: data.inputs,
            terms: data.train.terms.map_or(0, |t| t.width),
            landmarks: rows.len(),
            blocks: data.blocks.to_vec(),
        },
        landmarks: (&problem.x * &scale).index_select(0, &Tensor::from_slice(&rows)),
        scale,
        term_weights: problem.term_weights(choice, &rows, &weights)?,
        weights,
        bias: problem.means.matmul(&stack) + &bias,
    };

    let train = problem.left_out_score(&left_out, &asked, &STACK_CS)?;
    let label = data.blocks[0].width;
    let answers = if both.is_some() {
        // The logistic regression learns from every second row asked and answers the others, and the other way round.
        let (even, odd): (Vec<_>, Vec<_>) = asked.iter().partition(|&row| row % 2 == 0);
        let by = |asked: &[usize]| {
            let (stack, bias) = problem.stack(&left_out, asked)?;
            Ok::<_, HeadError>(left_out.matmul(&stack) + weighted(bias))
        };
        let odd_rows = Tensor::arange(count as i64, (Kind::Int64, Device::Cpu)).remainder(2).unsqueeze(1);
        let answers = by(&even)?.where_self(&odd_rows.to_kind(Kind::Bool), &by(&odd)?);
        answers.narrow(0, trained_on as i64, (count - trained_on) as i64)
    } else {
        let x = Tensor::from_slice(data.validation.inputs).view([-1, data.inputs as i64]);
        head.answer(&x, data.validation.terms)
    };
    let validation = loss_and_accuracy(&answers, data.validation.targets, label, data);
    let shape = HeadShape::Kernel(head.shape.clone());
    let outputs: usize = data.blocks.iter().map(|b| b.width).sum();
    let parameters = (solved.freedom * outputs as f64).round() as usize;
    let fitted = crate::without_epochs((Box::new(head), shape), parameters, (train, validation), each_epoch)?;
    Ok(Fitted { validation: Some(values(&answers)?), ..fitted })
}

fn train_and_validation(data: &FitData<'_>) -> (Vec<f32>, Option<Sparse>, Vec<f32>) {
    let terms = data.train.terms.zip(data.validation.terms).map(|(train, other)| train.above(other));
    (
        [data.train.inputs, data.validation.inputs].concat(),
        terms,
        [data.train.targets, data.validation.targets].concat(),
    )
}

/// `count` of the first `rows` rows, evenly drawn.
fn draw(rows: usize, count: usize, seed: u64) -> Vec<i64> {
    let mut drawn: Vec<i64> = (0..rows as i64).collect();
    drawn.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    drawn.truncate(count);
    drawn
}

/// How sure each training row's own class is when the row is left out: its probability minus the greatest other one's,
/// in `[-1, 1]`. Small for hard rows and for those near a class boundary.
///
/// # Errors
/// libtorch failed.
pub fn margins(data: &FitData<'_>) -> Result<Vec<f32>, HeadError> {
    let problem = Problem::new(data);
    let rows = problem.draw(SEARCH_ROWS, data.seed);
    let solved = problem.solve(&problem.distances(&rows), FIRST)?;
    let left_out = solved.left_out + &problem.means;
    let (stack, bias) = problem.stack(&left_out, &problem.like_new(&rows))?;
    let classes = problem.blocks[0].width;
    let logits = (left_out.matmul(&stack) + Tensor::from_slice(&bias)).narrow(1, 0, classes as i64);
    let given = values(&logits.softmax(-1, Kind::Float))?;
    let margin = |(row, truth): (&[f32], &Option<usize>)| {
        let truth = truth.unwrap_or(0);
        let other = (0..classes).filter(|&c| c != truth).map(|c| row[c]).fold(0.0, f32::max);
        row[truth] - other
    };
    Ok(given.chunks_exact(classes).zip(&problem.truth[0]).map(margin).collect())
}

/// What is chosen before a fit.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Choice {
    /// In units of 1 / variance of the inputs.
    gamma: f64,
    ridge: f64,
    feature_weight: f64,
    term_weight: f64,
}

/// Where the search begins.
const FIRST: Choice = Choice {
    gamma: GAMMAS[0],
    ridge: RIDGES[0],
    feature_weight: FEATURE_WEIGHTS[0],
    term_weight: TERM_WEIGHTS[0],
};

/// Whether a value is open, what is tried for it, and where it goes.
type Axis = (bool, &'static [f64], fn(&mut Choice, f64));

/// One value after the other, in the order in which they matter: the one with the least leave-one-out loss stays.
fn choose(settings: &KernelSettings, data: &FitData<'_>, whole: &Problem<'_>) -> Result<Choice, HeadError> {
    let given = Choice {
        gamma: settings.gamma.unwrap_or(FIRST.gamma),
        ridge: settings.ridge.unwrap_or(FIRST.ridge),
        feature_weight: settings.feature_weight.unwrap_or(FIRST.feature_weight),
        term_weight: settings.term_weight.unwrap_or(FIRST.term_weight),
    };
    let tabular = whole.embedding < whole.inputs;
    let set: [Axis; 4] = [
        (settings.term_weight.is_none() && whole.terms.is_some(), &TERM_WEIGHTS, |c, v| c.term_weight = v),
        (settings.feature_weight.is_none() && tabular, &FEATURE_WEIGHTS, |c, v| c.feature_weight = v),
        (settings.gamma.is_none(), &GAMMAS, |c, v| c.gamma = v),
        (settings.ridge.is_none(), &RIDGES, |c, v| c.ridge = v),
    ];
    if set.iter().all(|(open, ..)| !open) {
        return Ok(given);
    }
    let rows = whole.draw(SEARCH_ROWS, data.seed);
    let (inputs, terms, targets) = pick(data, &rows);
    let few = FitData {
        train: Rows { inputs: &inputs, terms: terms.as_ref(), targets: &targets },
        class_weights: data.class_weights.clone(),
        ..*data
    };
    let problem = Problem::new(&few);
    let distances = problem.distances(&(0..rows.len() as i64).collect::<Vec<_>>());
    let answers =
        |choice| Ok::<Tensor, HeadError>(problem.solve(&distances, choice)?.left_out + &problem.means);
    let penalty = problem.penalty(&answers(given)?)?;
    let all: Vec<usize> = (0..problem.rows()).collect();
    let loss = |choice| Ok::<f64, HeadError>(problem.left_out_score(&answers(choice)?, &all, &[penalty])?.0);
    let (mut best, mut least) = (given, loss(given)?);
    for (open, tried, put) in set {
        let from = best;
        for &value in tried.iter().filter(|_| open) {
            let mut candidate = from;
            put(&mut candidate, value);
            if candidate == best {
                continue;
            }
            let loss = loss(candidate)?;
            if loss < least {
                (best, least) = (candidate, loss);
            }
        }
    }
    Ok(best)
}

/// Inputs, terms and targets of some training rows.
fn pick(data: &FitData<'_>, rows: &[i64]) -> (Vec<f32>, Option<Sparse>, Vec<f32>) {
    let outputs: usize = data.blocks.iter().map(|b| b.width).sum();
    let of = |values: &[f32], width: usize| -> Vec<f32> {
        rows.iter()
            .flat_map(|&row| &values[row as usize * width..(row as usize + 1) * width])
            .copied()
            .collect()
    };
    let terms = data.train.terms.map(|terms| terms.pick(rows.iter().map(|&row| row as usize)));
    (of(data.train.inputs, data.inputs), terms, of(data.train.targets, outputs))
}

/// The training rows, ready for linear algebra.
struct Problem<'a> {
    blocks: &'a [Block],
    inputs: i64,
    /// The first so many inputs are embedding.
    embedding: i64,
    /// `[rows, inputs]`.
    x: Tensor,
    terms: Option<&'a Sparse>,
    /// `[rows, outputs]`, minus the means; 0 where the label of a block is missing.
    y: Tensor,
    /// `[outputs]`.
    means: Tensor,
    /// For each block of classes, the class of each row.
    truth: Vec<Vec<Option<usize>>>,
    /// Mean squared distance of the embeddings, and of the tabular inputs, to their mean.
    variance: [f64; 2],
}

/// Among landmarks `[landmarks, landmarks]` and of them to all rows `[landmarks, rows]`: squared distances of the
/// embeddings, squared distances of the tabular inputs, and products of the terms. Where the rows themselves are the
/// landmarks, the two are one, and only the second is there.
struct Distances {
    among: Option<[Tensor; 3]>,
    to_rows: [Tensor; 3],
}

struct Solved {
    /// `[rows, outputs]`, minus the means: the answer to each row of a fit without it.
    left_out: Tensor,
    /// `[landmarks, outputs]`.
    weights: Tensor,
    /// Effective degrees of freedom: the trace of what makes fitted values of targets.
    freedom: f64,
}

impl<'a> Problem<'a> {
    fn new(data: &FitData<'a>) -> Self {
        let (inputs, embedding) = (data.inputs as i64, data.embedding_dims as i64);
        let outputs: usize = data.blocks.iter().map(|b| b.width).sum();
        let x = Tensor::from_slice(data.train.inputs).view([-1, inputs]);
        let targets = Tensor::from_slice(data.train.targets).view([-1, outputs as i64]);
        let (mut means, mut centred, mut truth, mut at) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for block in data.blocks {
            let own = targets.narrow(1, at as i64, block.width as i64);
            let known = match block.kind {
                BlockKind::Classes => own.sum_dim_intlist(1, true, Kind::Float),
                BlockKind::Values => Tensor::ones([own.size()[0], 1], (Kind::Float, Device::Cpu)),
            };
            let count = known.sum(Kind::Float).clamp_min(1.0);
            let mean = own.sum_dim_intlist(0, false, Kind::Float) / count;
            centred.push((&own - &mean) * &known);
            means.push(mean);
            let rows = data.train.targets.chunks_exact(outputs).map(|row| &row[at..at + block.width]);
            truth.push(match block.kind {
                BlockKind::Classes => rows.map(likeliest).collect(),
                BlockKind::Values => Vec::new(),
            });
            at += block.width;
        }
        let variance = [x.narrow(1, 0, embedding), x.narrow(1, embedding, inputs - embedding)]
            .map(|x| (&x - x.mean_dim(0, true, Kind::Float)).square().sum(Kind::Double).double_value(&[]))
            .map(|sum| sum / x.size()[0] as f64);
        Self {
            blocks: data.blocks,
            inputs,
            embedding,
            y: Tensor::cat(&centred, 1),
            means: Tensor::cat(&means, 0),
            x,
            terms: data.train.terms,
            truth,
            variance,
        }
    }

    fn rows(&self) -> usize {
        self.x.size()[0] as usize
    }

    /// The rows whose left-out answers are like those to new rows.
    fn like_new(&self, landmarks: &[i64]) -> Vec<usize> {
        let mut other = vec![true; self.rows()];
        if landmarks.len() < self.rows() {
            landmarks.iter().for_each(|&row| other[row as usize] = false);
        }
        (0..self.rows()).filter(|&row| other[row]).collect()
    }

    /// At most `count` rows, evenly drawn; all of them in their order.
    fn draw(&self, count: usize, seed: u64) -> Vec<i64> {
        if count >= self.rows() { (0..self.rows() as i64).collect() } else { draw(self.rows(), count, seed) }
    }

    /// γ on the squared distance of the embeddings, and on that of the tabular inputs.
    fn gammas(&self, choice: Choice) -> [f64; 2] {
        let squared = choice.feature_weight.powi(2);
        let gamma = choice.gamma / (self.variance[0] + squared * self.variance[1]).max(1e-12);
        [gamma, gamma * squared]
    }

    fn scale(&self, choice: Choice) -> Tensor {
        let [embedding, tabular] = self.gammas(choice).map(f64::sqrt);
        let of = |n, value: f64| Tensor::full([n], value, (Kind::Float, Device::Cpu));
        Tensor::cat(&[of(self.embedding, embedding), of(self.inputs - self.embedding, tabular)], 0)
    }

    fn distances(&self, landmarks: &[i64]) -> Distances {
        let chosen = self.x.index_select(0, &Tensor::from_slice(landmarks));
        let part = |x: &Tensor, i: usize| match i {
            0 => x.narrow(1, 0, self.embedding),
            _ => x.narrow(1, self.embedding, self.inputs - self.embedding),
        };
        let terms = match self.terms {
            Some(terms) => products(terms, landmarks),
            None => Tensor::zeros([1, 1], (Kind::Float, Device::Cpu))
                .expand([landmarks.len() as i64, self.x.size()[0]], false),
        };
        let to_rows = |i| squared_distances(&part(&chosen, i), &part(&self.x, i));
        let to_rows = [to_rows(0), to_rows(1), terms];
        let of_landmarks = |to_rows: &Tensor| to_rows.index_select(1, &Tensor::from_slice(landmarks));
        let themselves = landmarks.iter().copied().eq(0..self.rows() as i64);
        Distances { among: (!themselves).then(|| to_rows.each_ref().map(of_landmarks)), to_rows }
    }

    /// `terms × outputs`: Σ over the landmarks of their terms times their weights.
    fn term_weights(
        &self,
        choice: Choice,
        landmarks: &[i64],
        weights: &Tensor,
    ) -> Result<Vec<f32>, HeadError> {
        let Some(terms) = self.terms else { return Ok(Vec::new()) };
        let (outputs, weights) = (weights.size()[1] as usize, values(weights)?);
        let mut sums = vec![0.0; terms.width * outputs];
        for (&row, weights) in landmarks.iter().zip(weights.chunks_exact(outputs)) {
            for (column, value) in terms.row(row as usize) {
                let value = value * choice.term_weight as f32;
                let sums = &mut sums[column * outputs..(column + 1) * outputs];
                sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += value * weight);
            }
        }
        Ok(sums)
    }

    /// Ridge regression of the targets on the kernel to the landmarks.
    ///
    /// Where the rows themselves are the landmarks, A = K + ridge · I has the weights A⁻¹ y, and the answer to a row of a fit
    /// without it is y - weight / (A⁻¹)ᵢᵢ (Rifkin & Lippert 2007). Else, with Φ the rows in the landmarks' feature space, A = ΦᵀΦ + ridge · I and h the diagonal of Φ A⁻¹ Φᵀ, the answer to
    /// a row of a fit without it is y - (y - ŷ) / (1 - h) (Allen's PRESS, 1974).
    fn solve(&self, distances: &Distances, choice: Choice) -> Result<Solved, HeadError> {
        let [embedding, tabular] = self.gammas(choice);
        let kernel = |of: &[Tensor; 3]| {
            let gaussian = (&of[0] * -embedding - &of[1] * tabular).exp();
            if choice.term_weight > 0.0 { gaussian + &of[2] * choice.term_weight } else { gaussian }
        };
        let Some(among) = &distances.among else {
            let factor = cholesky(&kernel(&distances.to_rows), choice.ridge)?;
            let inverse = factor.f_cholesky_inverse(false).map_err(failed)?.diagonal(0, 0, 1).unsqueeze(1);
            let weights = self.y.f_cholesky_solve(&factor, false).map_err(failed)?;
            let kept = inverse.sum(Kind::Double).double_value(&[]) * choice.ridge;
            return Ok(Solved {
                left_out: &self.y - &weights / inverse,
                freedom: self.rows() as f64 - kept,
                weights,
            });
        };
        let among = cholesky(&kernel(among), 1e-4)?;
        let features = among
            .f_linalg_solve_triangular(&kernel(&distances.to_rows), false, true, false)
            .map_err(failed)?;
        let factor = cholesky(&features.matmul(&features.tr()), choice.ridge)?;
        let whitened = factor.f_linalg_solve_triangular(&features, false, true, false).map_err(failed)?;
        let in_whitened = whitened.matmul(&self.y);
        let fitted = whitened.tr().matmul(&in_whitened);
        let leverage = whitened.square().sum_dim_intlist(0, false, Kind::Float).unsqueeze(1);
        let freedom = leverage.sum(Kind::Double).double_value(&[]);
        let rest: Tensor = 1.0 - leverage;
        let left_out = &self.y - (&self.y - fitted) / rest.clamp_min(1e-3);
        let back = |factor: &Tensor, x: &Tensor| {
            factor.tr().f_linalg_solve_triangular(x, true, true, false).map_err(failed)
        };
        Ok(Solved { left_out, freedom, weights: back(&among, &back(&factor, &in_whitened)?)? })
    }

    /// `[outputs, outputs]` and `outputs` numbers: from answers to logits, where a block is classes; values pass.
    ///
    /// Learned on the rows `asked`.
    fn stack(&self, answers: &Tensor, asked: &[usize]) -> Result<(Tensor, Vec<f32>), HeadError> {
        let width = answers.size()[1] as usize;
        let (given, mut matrix, mut bias) = (values(answers)?, vec![0.0; width * width], vec![0.0; width]);
        let mut at = 0;
        for (block, truth) in self.blocks.iter().zip(&self.truth) {
            match block.kind {
                BlockKind::Values => (at..at + block.width).for_each(|i| matrix[i * width + i] = 1.0),
                BlockKind::Classes => {
                    let rows: Vec<usize> = asked.iter().copied().filter(|&r| truth[r].is_some()).collect();
                    let stacked = Stacked::fit(&given, width, &rows, truth, block.width, &STACK_CS);
                    for class in 0..block.width {
                        for from in 0..width {
                            matrix[from * width + at + class] = stacked.weights[class * width + from];
                        }
                        bias[at + class] = stacked.intercepts[class];
                    }
                }
            }
            at += block.width;
        }
        Ok((Tensor::from_slice(&matrix).view([width as i64, width as i64]), bias))
    }

    /// The penalty with the least loss on rows that the logistic regression has not seen.
    fn penalty(&self, answers: &Tensor) -> Result<f64, HeadError> {
        let given = values(answers)?;
        let rows: Vec<usize> = (0..self.rows()).collect();
        let width = answers.size()[1] as usize;
        Ok(Stacked::fit(&given, width, &rows, &self.truth[0], self.blocks[0].width, &STACK_CS).penalty)
    }

    /// Mean log loss and accuracy of the label: of the logistic regression taught on every other row asked, for the rest.
    fn left_out_score(
        &self,
        answers: &Tensor,
        asked: &[usize],
        penalties: &[f64],
    ) -> Result<(f64, f64), HeadError> {
        let (width, truth, classes) = (answers.size()[1] as usize, &self.truth[0], self.blocks[0].width);
        let given = values(answers)?;
        let learn: Vec<usize> = asked.iter().copied().step_by(2).collect();
        let ask: Vec<usize> = asked.iter().copied().skip(1).step_by(2).collect();
        let stacked = Stacked::fit(&given, width, &learn, truth, classes, penalties);
        let (mut loss, mut right) = (0.0, 0);
        for &row in &ask {
            let x = &given[row * width..(row + 1) * width];
            let logit = |class: usize| {
                let weights = &stacked.weights[class * width..(class + 1) * width];
                f64::from(stacked.intercepts[class])
                    + weights.iter().zip(x).map(|(w, x)| f64::from(w * x)).sum::<f64>()
            };
            let logits: Vec<f64> = (0..classes).map(logit).collect();
            let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = logits.iter().map(|l| (l - most).exp()).sum();
            let own = logits[truth[row].unwrap_or(0)];
            loss += most + total.ln() - own;
            right += usize::from(own == most);
        }
        let count = ask.len().max(1) as f64;
        Ok((loss / count, right as f64 / count))
    }
}

/// A logistic regression on answers, its inputs brought to unit variance and back.
struct Stacked {
    /// `classes × width`.
    weights: Vec<f32>,
    intercepts: Vec<f32>,
    /// The penalty (C) that was chosen.
    penalty: f64,
}

impl Stacked {
    /// The penalty is the one of `penalties` that does best on a quarter of the rows when taught on the others.
    fn fit(
        given: &[f32],
        width: usize,
        rows: &[usize],
        truth: &[Option<usize>],
        classes: usize,
        penalties: &[f64],
    ) -> Self {
        let column = |i: usize| rows.iter().map(move |&r| f64::from(given[r * width + i]));
        let n = rows.len().max(1) as f64;
        let (mut means, mut scales) = (Vec::new(), Vec::new());
        for i in 0..width {
            let mean = column(i).sum::<f64>() / n;
            let variance = column(i).map(|v| (v - mean).powi(2)).sum::<f64>() / n;
            means.push(mean as f32);
            scales.push(variance.sqrt().max(1e-6) as f32);
        }
        let inputs = |rows: &[usize]| {
            let scaled = rows.iter().flat_map(|&r| {
                let row = &given[r * width..(r + 1) * width];
                row.iter().zip(means.iter().zip(&scales)).map(|(v, (m, s))| (v - m) / s)
            });
            Matrix::dense(width, scaled.collect())
        };
        let known = |rows: &[usize]| rows.iter().map(|&r| truth[r].unwrap_or(0)).collect::<Vec<_>>();
        let penalty = if let [only] = penalties {
            *only
        } else {
            let (held, kept): (Vec<_>, Vec<_>) = rows.iter().enumerate().partition(|(i, _)| i % 4 == 3);
            let [held, kept] = [held, kept].map(|side| side.into_iter().map(|(_, &r)| r).collect::<Vec<_>>());
            let (x, y, asked, answers) = (inputs(&kept), known(&kept), inputs(&held), known(&held));
            let (kept, held) = ((&x, &y[..]), (&asked, &answers[..]));
            LogisticRegression::best_penalty(penalties, kept, held, classes, STACK_ITERATIONS).0
        };
        let (x, y) = (inputs(rows), known(rows));
        let model = LogisticRegression::fit(&x, &y, classes, penalty, STACK_ITERATIONS, None);
        let (mut weights, mut intercepts) = model.parameters();
        for class in 0..classes {
            for i in 0..width {
                let weight = &mut weights[class * width + i];
                *weight /= scales[i];
                intercepts[class] -= *weight * means[i];
            }
        }
        Self { weights, intercepts, penalty }
    }
}

/// Lower factor of `matrix + ridge · I`; a matrix too near to singular gets a little more.
fn cholesky(matrix: &Tensor, ridge: f64) -> Result<Tensor, HeadError> {
    let identity = Tensor::eye(matrix.size()[0], (Kind::Float, Device::Cpu));
    for more in [0.0, 1e-3, 1e-2] {
        let (factor, info) =
            (matrix + &identity * (ridge + more)).f_linalg_cholesky_ex(false, false).map_err(failed)?;
        if info.int64_value(&[]) == 0 {
            return Ok(factor);
        }
    }
    Err(HeadError::Torch(
        "the kernel matrix has no Cholesky factor; are there values that are no numbers?".into(),
    ))
}

/// `[landmarks, rows]` products of sparse rows.
///
/// The terms that many rows have make most of the work: these are multiplied as a dense matrix, the others one by one.
fn products(rows: &Sparse, landmarks: &[i64]) -> Tensor {
    let (count, total) = (landmarks.len(), rows.ends.len());
    let mut share = vec![0usize; rows.width];
    rows.columns.iter().for_each(|&column| share[column as usize] += 1);
    let frequent: Vec<usize> = (0..rows.width).filter(|&c| share[c] > total / FREQUENT).collect();
    let mut place = vec![usize::MAX; rows.width];
    frequent.iter().enumerate().for_each(|(i, &column)| place[column] = i);

    let mut having: Vec<Vec<(u32, f32)>> = vec![Vec::new(); rows.width];
    for (landmark, &row) in (0..).zip(landmarks) {
        for (column, value) in rows.row(row as usize).filter(|&(c, _)| place[c] == usize::MAX) {
            having[column].push((landmark, value));
        }
    }
    let (mut sums, mut dense) = (vec![0.0; total * count], vec![0.0; total * frequent.len()]);
    for (row, sums) in sums.chunks_exact_mut(count).enumerate() {
        for (column, value) in rows.row(row) {
            match place[column] {
                usize::MAX => {
                    having[column]
                        .iter()
                        .for_each(|&(landmark, other)| sums[landmark as usize] += value * other);
                }
                at => dense[row * frequent.len() + at] = value,
            }
        }
    }
    let dense = Tensor::from_slice(&dense).view([total as i64, -1]);
    let rare = Tensor::from_slice(&sums).view([-1, count as i64]).tr();
    rare + dense.index_select(0, &Tensor::from_slice(landmarks)).matmul(&dense.tr())
}

/// `[a, b]` squared distances of the rows of `a` and `b`.
pub(crate) fn squared_distances(a: &Tensor, b: &Tensor) -> Tensor {
    let length = |x: &Tensor| x.square().sum_dim_intlist(1, true, Kind::Float);
    (length(a) + length(b).tr() - a.matmul(&b.tr()) * 2.0).clamp_min(0.0)
}

/// Class-weighted cross entropy and accuracy of the label.
pub(crate) fn loss_and_accuracy(
    answers: &Tensor,
    targets: &[f32],
    classes: usize,
    data: &FitData<'_>,
) -> (f64, f64) {
    let targets = Tensor::from_slice(targets).view([-1, answers.size()[1]]).narrow(1, 0, classes as i64);
    let logits = answers.narrow(1, 0, classes as i64);
    let weighted = &targets * Tensor::from_slice(&data.class_weights);
    let loss =
        -(&weighted * logits.log_softmax(-1, Kind::Float)).sum(Kind::Float) / weighted.sum(Kind::Float);
    let right = logits.argmax(-1, false).eq_tensor(&targets.argmax(-1, false)).mean(Kind::Double);
    (loss.double_value(&[]), right.double_value(&[]))
}

/// The class of a target row, `None` where all are 0.
fn likeliest(row: &[f32]) -> Option<usize> {
    let best = (1..row.len()).fold(0, |best, c| if row[c] > row[best] { c } else { best });
    (row[best] > 0.0).then_some(best)
}

pub(crate) fn values(tensor: &Tensor) -> Result<Vec<f32>, HeadError> {
    Vec::<f32>::try_from(tensor.contiguous().view([-1])).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;

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
        let rows = Rows { inputs: &train.0, terms: None, targets: &train.1 };
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
            let given = fitted.head.logits(&held.0, None).unwrap();
            let rows = || given.chunks(3).zip(held.1.chunks(3));
            let right = rows().filter(|(g, t)| (g[1] > g[0]) == (t[1] > 0.5)).count();
            let error: f32 = rows().map(|(g, t)| (g[2] - t[2]).powi(2)).sum::<f32>() / 300.0;
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
                given
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
        let [one, other] = [(0..80).collect::<Vec<i64>>(), (0..80).rev().collect()].map(|landmarks| {
            let distances = problem.distances(&landmarks);
            assert_eq!(distances.among.is_none(), landmarks[0] == 0);
            problem.solve(&distances, choice).unwrap()
        });
        let off = |a: &Tensor, b: &Tensor| (a - b).abs().max().double_value(&[]);
        assert!(off(&one.left_out, &other.left_out) < 2e-3, "{}", off(&one.left_out, &other.left_out));
        let [embedding, tabular] = problem.gammas(choice);
        let distances = problem.distances(&(0..80).collect::<Vec<_>>()).to_rows;
        let kernel = (&distances[0] * -embedding - &distances[1] * tabular).exp();
        let answers = [&one.weights, &other.weights.flip([0])].map(|weights| kernel.matmul(weights));
        assert!(off(&answers[0], &answers[1]) < 2e-3, "{}", off(&answers[0], &answers[1]));
        assert!((one.freedom - other.freedom).abs() < 0.05, "{} {}", one.freedom, other.freedom);
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
                let rows = Rows { inputs: &validation.0, terms: None, targets: &validation.1 };
                let data = FitData { validation: rows, ..data(&blocks, &train) };
                let settings = KernelSettings { all_rows, ..settings(landmarks) };
                fit(&settings, &data, &mut |_| ControlFlow::Continue(())).unwrap()
            };
            let (one, both) = (fit_with(false), fit_with(true));
            let right = |fitted: &Fitted| {
                let given = fitted.head.logits(&held.0, None).unwrap();
                given.chunks(3).zip(held.1.chunks(3)).filter(|(g, t)| (g[1] > g[0]) == (t[1] > 0.5)).count()
            };
            assert!(right(&both) > right(&one), "{landmarks}: {} {}", right(&both), right(&one));
            let epoch = &both.history[0];
            assert!((0.7..0.85).contains(&epoch.validation_accuracy), "{landmarks}: {epoch:?}");
            assert_eq!(both.validation.unwrap().len(), validation.1.len());
        }
    }

    /// The answer to a row of a fit without it, by the formula and by leaving it out indeed.
    #[test]
    fn leaving_one_out_in_closed_form_is_leaving_it_out() {
        let all = circle(60, 3);
        let blocks = blocks();
        let choice = Choice { gamma: 1.0, ridge: 0.3, feature_weight: 1.0, term_weight: 0.0 };
        let problem = Problem::new(&data(&blocks, &all));
        // The same landmarks with and without the row, so that only the row differs: the first 20, without row 40.
        let landmarks: Vec<i64> = (0..20).collect();
        let whole = problem.solve(&problem.distances(&landmarks), choice).unwrap().left_out;
        let expected = whole.get(40);
        let mut distances = problem.distances(&landmarks);
        let others = Tensor::from_slice(&(0..60).filter(|&r| r != 40).collect::<Vec<i64>>());
        let row = distances.to_rows.each_ref().map(|d| d.narrow(1, 40, 1));
        distances.to_rows = distances.to_rows.map(|d| d.index_select(1, &others));
        let without = Problem { y: problem.y.index_select(0, &others), ..problem };
        let weights = without.solve(&distances, choice).unwrap().weights;
        let [embedding, tabular] = without.gammas(choice);
        let kernel = (&row[0] * -embedding - &row[1] * tabular).exp();
        let found = kernel.tr().matmul(&weights).squeeze();
        let off = (found - expected).abs().max().double_value(&[]);
        assert!(off < 1e-3, "{off}");
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
