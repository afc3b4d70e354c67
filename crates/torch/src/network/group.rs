//! Members that are trained together by one thread.

use pipeline::heads::{FitData, HeadError, NetworkSettings, NetworkShape};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tch::Tensor;
use tch::nn::{self, OptimizerConfig};

use super::averaging::Average;
use super::loss::{Loss, Targets};
use super::perceptron::{Perceptron, Training};
use super::perturb::{Mix, noise};
use super::weights::Weights;
use crate::device::CPU;
use crate::libtorch::{failed, single_threaded};

/// Members that are trained by one matrix multiplication.
pub const MEMBERS_AT_ONCE: usize = 8;

/// The rows of one part.
pub struct Part {
    /// `[rows, inputs]`.
    pub x: Tensor,
    /// Targets `[rows, outputs]`, block beside block.
    pub y: Tensor,
}

/// The rows of a training. Tensors cannot be shared between threads, so each group has handles of its own.
pub struct Parts {
    /// Rows to learn from.
    pub train: Part,
    /// Rows that choose the epoch.
    pub validation: Part,
}

/// One step of an epoch.
pub struct Step<'a> {
    /// The rows of the batch.
    pub rows: &'a [i64],
    /// The learning rate.
    pub rate: f64,
}

/// Log probabilities of the label, `[members, rows, classes]`.
pub struct Answers {
    /// Of the training rows.
    pub train: Tensor,
    /// Of the validation rows.
    pub validation: Tensor,
}

/// Some of the members, with what trains them.
pub struct Group {
    members: Perceptron,
    optimizer: nn::Optimizer,
    rng: ChaCha8Rng,
    average: Average,
    /// Weights of the best epoch so far.
    best: Option<Weights>,
    loss: Loss,
    x: Tensor,
    y: Tensor,
    validation: Tensor,
    /// As [`super::order::all_but_one_fold`] of these members.
    folds: Option<Tensor>,
}

impl Group {
    /// Members with the weights they begin with. `shape` has as many as are in the group; `first` is the number of its first
    /// one among all, which chooses the random stream; `folds` is `[members, rows, 1]` of 0 and 1, where not every member
    /// learns from every row.
    ///
    /// # Errors
    /// libtorch failed.
    pub fn new(
        shape: &NetworkShape,
        settings: &NetworkSettings,
        data: &FitData<'_>,
        parts: &Parts,
        folds: Option<Tensor>,
        first: usize,
    ) -> Result<Self, HeadError> {
        let mut rng = ChaCha8Rng::seed_from_u64(data.seed);
        // The first stream draws the batches.
        rng.set_stream(first as u64 + 1);
        let mut members = Perceptron::blank(shape, parts.train.x.device());
        members.initialise(&mut rng);
        members.begin_at_the_shares(data);
        let adam = nn::Adam { wd: settings.weight_decay, ..nn::Adam::default() };
        Ok(Self {
            optimizer: adam.build(&members.store, settings.learning_rate).map_err(failed)?,
            members,
            rng,
            average: Average::new(settings.averaging),
            best: None,
            loss: Loss::new(settings, data, parts.train.x.device()),
            x: parts.train.x.shallow_clone(),
            y: parts.train.y.shallow_clone(),
            validation: parts.validation.x.shallow_clone(),
            folds: folds.map(|folds| folds.to_device(parts.train.x.device())),
        })
    }

    /// Take the steps of the epoch, counted from 1. Returns the answers by the weights that would be kept.
    pub fn epoch(&mut self, epoch: usize, steps: &[Step<'_>], settings: &NetworkSettings) -> Answers {
        // This thread may be a new one.
        single_threaded();
        self.average.take_out(&self.members.store);
        for step in steps {
            self.step(step, settings);
        }
        self.average.after_epoch(&self.members.store, epoch);
        self.average.put_in(&self.members.store);
        let answers = |x| self.members.log_probabilities(&self.members.forward(x, None));
        tch::no_grad(|| Answers { train: answers(&self.x), validation: answers(&self.validation) })
    }

    fn step(&mut self, step: &Step<'_>, settings: &NetworkSettings) {
        self.optimizer.set_lr(step.rate);
        let batch = Tensor::from_slice(step.rows).to_device(self.x.device());
        let (mut x, mut y) = (self.x.index_select(0, &batch), self.y.index_select(0, &batch));
        if settings.noise > 0.0 {
            x += noise(&x, settings.noise, &mut self.rng);
        }
        let mix = Mix::draw(settings, batch.size()[0], &mut self.rng);
        if let Some(mix) = &mix {
            y = mix.blend(&y, 0);
        }
        let training = Training { rng: &mut self.rng, mix: mix.as_ref() };
        let scores = self.members.forward(&x, Some(training));
        let seen = self.folds.as_ref().map(|folds| folds.index_select(1, &batch));
        let targets = Targets { values: &y, seen: seen.as_ref() };
        let loss = self.loss.of_step(&self.members, &scores, &targets);
        self.optimizer.backward_step(&loss);
        self.average.after_step(&self.members.store);
    }

    /// Remember the weights as the best ones.
    pub fn keep(&mut self) {
        self.best = Some(Weights::of(&self.members.store));
    }
}

/// All members of the groups, in their order, with their best weights, on the processor; `shape` is theirs together.
///
/// # Panics
/// A group has kept no weights.
pub fn joined(shape: &NetworkShape, groups: &[Group]) -> Perceptron {
    let all = Perceptron::blank(shape, CPU);
    let best: Vec<&Weights> =
        groups.iter().map(|group| group.best.as_ref().expect("the first epoch is the best so far")).collect();
    Weights::join(&best, &all.store);
    all
}
