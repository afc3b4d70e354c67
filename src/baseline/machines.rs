//! Models of the head's own inputs: each learns from some rows and answers others, one against the rest.

use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::{Mat, Par};

use super::dual::{Limits, Loss, OfKernel, OfRows, teach};
use super::sight::{Choice, Kernel, Parts, Sight};
use crate::heads::{HeadError, LogisticRegression, Matrix, cholesky, product};
use crate::split::deal;

/// Most rows of which a kernel matrix is made; of more, a Gaussian machine learns from so many, and the linear models go
/// through the rows themselves.
const MATRIX_ROWS: usize = 2500;

/// Rows answered at once by a kernel.
const ASKED_AT_ONCE: usize = 1000;

/// Answers are within a hundredth or so of the optimum's, which decides no figure's third digit.
const LIMITS: Limits = Limits { tolerance: 1e-2, passes: 200 };

/// Added to the diagonal of a matrix of products, of which two rows may be alike.
const TURN_RIDGE: f64 = 1e-6;

/// Most steps of a logistic regression.
const ITERATIONS: u64 = 100;

/// A value of the choice, and what may be tried for it.
#[derive(Clone, Copy)]
pub struct Axis {
    /// In ascending order.
    pub values: &'static [f64],
    /// The place of the one that the search begins with.
    pub begin: usize,
    /// Where it goes.
    pub put: fn(&mut Choice, f64),
}

/// A kind of model.
pub trait Model {
    /// What is searched, in this order.
    fn axes(&self) -> Vec<Axis>;

    /// What is not searched.
    fn rest(&self) -> Choice {
        Choice { c: 1.0, gamma: 1.0, tabular: 0.0, terms: 0.0 }
    }

    /// Where the search begins.
    fn first(&self) -> Choice {
        let mut choice = self.rest();
        self.axes().iter().for_each(|axis| (axis.put)(&mut choice, axis.values[axis.begin]));
        choice
    }

    /// For each choice the answers to the rows `ask` after learning from `learn`: `ask × classes`, row-major; the greatest is
    /// the class. For a few hundred rows, and many choices.
    fn side<'s>(&'s self, learn: &'s [usize], ask: &'s [usize]) -> Box<dyn FnMut(Choice) -> Vec<f64> + 's>;

    /// The same for one choice, and any number of rows.
    fn answers(&self, choice: Choice, learn: &[usize], ask: &[usize]) -> Vec<f64>;
}

/// Weights of the blocks that are tried: the embedding's is 1.
fn blocks(sight: &Sight) -> Vec<Axis> {
    let terms = Axis { values: &[0.0, 0.2, 0.6, 2.0], begin: 2, put: |c, v| c.terms = v };
    let tabular = Axis { values: &[0.0, 0.15, 0.4, 1.0], begin: 2, put: |c, v| c.tabular = v };
    let wanted = [(sight.terms.is_some(), terms), (sight.has_tabular(), tabular)];
    wanted.into_iter().filter(|(wanted, _)| *wanted).map(|(_, axis)| axis).collect()
}

/// Multinomial logistic regression, the blocks weighted as a linear machine has found best.
pub struct Logistic<'a> {
    /// The rows.
    pub sight: &'a Sight,
    /// Whence the weights of the blocks come.
    pub blocks: Choice,
}

impl Logistic<'_> {
    fn fit(
        &self,
        x: &Matrix,
        c: f64,
        learn: &[usize],
        start: Option<&LogisticRegression>,
    ) -> LogisticRegression {
        let (sight, count) = (self.sight, self.sight.class_count);
        let mut shares = vec![0.0; learn.len() * count];
        for (i, (row, weight)) in learn.iter().zip(sight.weights_of(learn)).enumerate() {
            shares[i * count + sight.classes[*row]] = weight as f32;
        }
        LogisticRegression::fit_shares(x, &shares, count, c, ITERATIONS, start)
    }

    /// The rows `learn` and `ask` with as many inputs as rows teach: turned so that all others are 0, which changes no answer
    /// of a model whose penalty is the weights' length. Words and letters are many more than a few hundred rows.
    fn turned(&self, learn: &[usize], ask: &[usize]) -> Result<[Matrix; 2], HeadError> {
        let kernel = |other| self.sight.parts(Kernel::Linear, learn, other).kernel(self.blocks);
        let factor = cholesky(|| kernel(learn), TURN_RIDGE)?;
        let mut asked = kernel(ask);
        solve_lower_triangular_in_place(factor.as_ref(), asked.as_mut(), Par::Seq);
        let size = learn.len();
        let below = |(row, column)| if column <= row { factor[(row, column)] as f32 } else { 0.0 };
        let places = (0..size).flat_map(|row| (0..size).map(move |column| (row, column)));
        let asked = asked.col_iter().flat_map(|row| row.iter().map(|&v| v as f32));
        Ok([Matrix::dense(size, places.map(below).collect()), Matrix::dense(size, asked.collect())])
    }

    /// [`Model::answers`] of any number of rows.
    pub fn by_rows(&self, choice: Choice, learn: &[usize], ask: &[usize]) -> Vec<f64> {
        let model = self.fit(&self.sight.matrix(learn, choice), choice.c, learn, None);
        let answer = |ask: &[usize]| logarithms(&model, &self.sight.matrix(ask, choice));
        ask.chunks(ASKED_AT_ONCE).flat_map(answer).collect()
    }
}

/// Logarithms of the probabilities that a model gives.
fn logarithms(model: &LogisticRegression, asked: &Matrix) -> Vec<f64> {
    model.probabilities(asked).into_iter().map(|p| f64::from(p.max(f32::MIN_POSITIVE)).ln()).collect()
}

impl Model for Logistic<'_> {
    fn rest(&self) -> Choice {
        self.blocks
    }

    fn axes(&self) -> Vec<Axis> {
        vec![Axis { values: &[0.1, 1.0, 10.0, 100.0, 1000.0], begin: 1, put: |c, v| c.c = v }]
    }

    fn side<'s>(&'s self, learn: &'s [usize], ask: &'s [usize]) -> Box<dyn FnMut(Choice) -> Vec<f64> + 's> {
        let turned = self.turned(learn, ask);
        let [x, asked] =
            turned.unwrap_or_else(|_| [learn, ask].map(|rows| self.sight.matrix(rows, self.blocks)));
        let mut last: Option<LogisticRegression> = None;
        Box::new(move |choice| {
            let model = self.fit(&x, choice.c, learn, last.as_ref());
            let answers = logarithms(&model, &asked);
            last = Some(model);
            answers
        })
    }

    fn answers(&self, choice: Choice, learn: &[usize], ask: &[usize]) -> Vec<f64> {
        if learn.len().max(ask.len()) <= MATRIX_ROWS {
            return self.side(learn, ask)(choice);
        }
        self.by_rows(choice, learn, ask)
    }
}

/// Support vector machines, one for each class against all others.
pub struct VectorMachines<'a> {
    /// The rows.
    pub sight: &'a Sight,
    /// How they are compared.
    pub kernel: Kernel,
    /// Decides the order in which rows are gone through, and which are drawn.
    pub seed: u64,
}

impl VectorMachines<'_> {
    /// LIBLINEAR's and LIBSVM's own.
    fn loss(&self) -> Loss {
        match self.kernel {
            Kernel::Linear => Loss::SquaredHinge,
            Kernel::Gaussian => Loss::Hinge,
        }
    }

    /// Signs of the rows `learn`, which is `class` against the rest, and what each costs.
    fn against(&self, class: usize, c: f64, learn: &[usize]) -> (Vec<f64>, Vec<f64>) {
        let sign = |&row: &usize| if self.sight.classes[row] == class { 1.0 } else { -1.0 };
        let costs = self.sight.weights_of(learn).into_iter().map(|weight| c * weight).collect();
        (learn.iter().map(sign).collect(), costs)
    }

    /// `classes × learn`: what each row says of each class. `own` is the kernel among the rows.
    fn shares(&self, own: &Mat<f64>, choice: Choice, learn: &[usize]) -> Mat<f64> {
        let mut shares = Mat::zeros(self.sight.class_count, learn.len());
        for class in 0..self.sight.class_count {
            let (signs, costs) = self.against(class, choice.c, learn);
            let mut machine = OfKernel::new(own.as_ref());
            let found = teach(&mut machine, &signs, &costs, self.loss(), LIMITS, self.seed);
            shares.row_mut(class).iter_mut().zip(found).for_each(|(share, found)| *share = found);
        }
        shares
    }

    /// A linear machine of any number of rows.
    fn by_rows(&self, choice: Choice, learn: &[usize], ask: &[usize]) -> Vec<f64> {
        let count = self.sight.class_count;
        let mut answers = vec![0.0; ask.len() * count];
        self.sight.with_rows(learn, choice, |rows| {
            self.sight.with_rows(ask, choice, |asked| {
                for class in 0..count {
                    let (signs, costs) = self.against(class, choice.c, learn);
                    let mut machine = OfRows::new(rows);
                    teach(&mut machine, &signs, &costs, self.loss(), LIMITS, self.seed);
                    (0..ask.len()).for_each(|i| answers[i * count + class] = machine.answer_to(asked, i));
                }
            });
        });
        answers
    }
}

/// Columns of `shares · kernel` one after the other: the answers to the rows that the kernel compares with.
fn weighted(shares: &Mat<f64>, asked: &Parts, choice: Choice) -> Vec<f64> {
    let answers = product(shares.as_ref(), asked.kernel(choice).as_ref());
    answers.col_iter().flat_map(|row| row.iter().copied().collect::<Vec<_>>()).collect()
}

impl Model for VectorMachines<'_> {
    fn axes(&self) -> Vec<Axis> {
        let mut axes = blocks(self.sight);
        if self.kernel == Kernel::Gaussian {
            axes.push(Axis { values: &[0.125, 0.25, 0.5, 1.0, 2.0], begin: 2, put: |c, v| c.gamma = v });
        }
        axes.push(Axis { values: &[0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0], begin: 3, put: |c, v| c.c = v });
        axes
    }

    fn side<'s>(&'s self, learn: &'s [usize], ask: &'s [usize]) -> Box<dyn FnMut(Choice) -> Vec<f64> + 's> {
        let [own, asked] = [learn, ask].map(|other| self.sight.parts(self.kernel, learn, other));
        Box::new(move |choice| weighted(&self.shares(&own.kernel(choice), choice, learn), &asked, choice))
    }

    fn answers(&self, choice: Choice, learn: &[usize], ask: &[usize]) -> Vec<f64> {
        if self.kernel == Kernel::Linear && learn.len() > MATRIX_ROWS {
            return self.by_rows(choice, learn, ask);
        }
        let learn = draw(self.sight, learn, MATRIX_ROWS, self.seed);
        let own = self.sight.parts(self.kernel, &learn, &learn).kernel(choice);
        let shares = self.shares(&own, choice, &learn);
        drop(own);
        let answer = |ask: &[usize]| weighted(&shares, &self.sight.parts(self.kernel, &learn, ask), choice);
        ask.chunks(ASKED_AT_ONCE).flat_map(answer).collect()
    }
}

/// About `most` of the `rows` by whole groups, with the classes' shares; all of them where there are no more.
pub fn draw(sight: &Sight, rows: &[usize], most: usize, seed: u64) -> Vec<usize> {
    if rows.len() <= most {
        return rows.to_vec();
    }
    let share = most as f64 / rows.len() as f64;
    hands(sight, rows, &[share, 1.0 - share], seed).swap_remove(0)
}

/// `rows` dealt by whole groups to hands of these shares, each with about its share of every class.
pub fn hands(sight: &Sight, rows: &[usize], shares: &[f64], seed: u64) -> Vec<Vec<usize>> {
    let of = |values: &[usize]| rows.iter().map(|&row| values[row]).collect::<Vec<_>>();
    let dealt = deal(&of(&sight.groups), &of(&sight.classes), shares, seed);
    let mut hands = vec![Vec::new(); shares.len()];
    rows.iter().zip(dealt).for_each(|(&row, hand)| hands[hand].push(row));
    hands
}
