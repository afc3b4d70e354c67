//! A multilayer perceptron on frozen embeddings, or several of them trained together, and the training loop.
//!
//! Everything random (initial weights, batch order, dropout, noise) comes from one seeded generator, never from
//! libtorch's global one, so the same rows, settings and seed give the same weights to the bit, also with several heads
//! trained at once.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use pipeline::heads::{
    Averaging, BlockKind, Epoch, FitData, Fitted, Head, HeadError, HeadShape, NetworkSettings, NetworkShape,
    Output, Rows, Schedule, Tensors, margins,
};
use pipeline::inputs::Sparse;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution, StandardNormal};
use rayon::prelude::*;
use tch::nn::{self, ModuleT, OptimizerConfig};
use tch::{Device, Kind, Tensor};

use crate::failed;

/// Members that are trained by one matrix multiplication.
const MEMBERS_AT_ONCE: usize = 8;

/// The members of a network with their weights; one matrix multiplication serves all of them.
pub struct Perceptron {
    shape: NetworkShape,
    store: nn::VarStore,
    layers: Vec<Layer>,
    out: Linear,
}

struct Layer {
    linear: Linear,
    /// Over the units of all members beside one another.
    norm: Option<nn::BatchNorm>,
}

/// `members` linear layers.
struct Linear {
    /// `[members, inputs, units]`.
    weight: Tensor,
    /// `[members, 1, units]`.
    bias: Tensor,
}

impl Linear {
    fn blank(path: &nn::Path<'_>, members: i64, inputs: i64, units: i64) -> Self {
        Self {
            weight: path.zeros("weight", &[members, inputs, units]),
            bias: path.zeros("bias", &[members, 1, units]),
        }
    }

    /// `[members, rows, inputs]` to `[members, rows, units]`.
    fn forward(&self, x: &Tensor) -> Tensor {
        x.bmm(&self.weight) + &self.bias
    }
}

impl Perceptron {
    /// A head with zero weights, to be initialised or loaded.
    fn blank(shape: &NetworkShape) -> Self {
        let store = nn::VarStore::new(Device::Cpu);
        let root = store.root();
        let members = shape.members as i64;
        let mut width = shape.inputs as i64;
        let mut layers = Vec::new();
        for (i, &units) in shape.hidden.iter().enumerate() {
            let units = units as i64;
            let linear = Linear::blank(&(&root / format!("hidden{i}")), members, width, units);
            // tch's default scale is random (and global); PyTorch's is 1.
            let config = nn::BatchNormConfig { ws_init: nn::Init::Const(1.), ..Default::default() };
            let norm = shape
                .batch_norm
                .then(|| nn::batch_norm1d(&root / format!("norm{i}"), members * units, config));
            layers.push(Layer { linear, norm });
            width = units;
        }
        let out = Linear::blank(&(&root / "out"), members, width, shape.scores() as i64);
        Self { shape: shape.clone(), store, layers, out }
    }

    /// PyTorch's default for linear layers: uniform in ±1/√fan-in.
    fn initialise(&mut self, rng: &mut ChaCha8Rng) {
        let linears = self.layers.iter_mut().map(|l| &mut l.linear).chain([&mut self.out]);
        tch::no_grad(|| {
            for linear in linears {
                let bound = 1.0 / (linear.weight.size()[1] as f32).sqrt();
                for tensor in [&mut linear.weight, &mut linear.bias] {
                    let values: Vec<f32> =
                        (0..tensor.numel()).map(|_| rng.random_range(-bound..bound)).collect();
                    let shaped = Tensor::from_slice(&values).view_as(tensor);
                    tensor.copy_(&shaped);
                }
            }
        });
    }

    /// Set CORAL's thresholds to the log odds of the training rows: steps of a learning rate fit for weights would take
    /// hundreds of epochs to part them.
    fn begin_at_the_shares(&mut self, data: &FitData<'_>) {
        if self.shape.output != Output::Coral {
            return;
        }
        let outputs: usize = data.blocks.iter().map(|b| b.width).sum();
        let mut counts = vec![1.0f64; data.blocks[0].width];
        for row in data.train.targets.chunks_exact(outputs) {
            counts.iter_mut().zip(row).for_each(|(count, share)| *count += f64::from(*share));
        }
        let total: f64 = counts.iter().sum();
        let mut beyond = total;
        let odds = counts[..counts.len() - 1].iter().map(|count| {
            beyond -= count;
            (beyond / (total - beyond)).ln()
        });
        let odds: Vec<f64> = odds.collect();
        // The steps down from one threshold to the next pass through softplus.
        let steps = odds.windows(2).map(|pair| ((pair[0] - pair[1]).exp_m1().max(1e-3)).ln() as f32);
        let biases: Vec<f32> = std::iter::once(odds[0] as f32).chain(steps).collect();
        let columns = biases.len() as i64;
        tch::no_grad(|| self.out.bias.narrow(-1, 0, columns).copy_(&Tensor::from_slice(&biases)));
    }

    /// Load weights saved by [`Head::save`].
    ///
    /// # Errors
    /// They do not fit `shape`.
    pub fn load(shape: &NetworkShape, mut tensors: Tensors) -> Result<Self, HeadError> {
        shape.check(tensors.numbers())?;
        let head = Self::blank(shape);
        for (name, mut variable) in head.store.variables() {
            let size: Vec<usize> = variable.size().iter().map(|&n| n as usize).collect();
            let saved = Tensor::from_slice(&tensors.take::<f32>(&name, &size)?).view_as(&variable);
            tch::no_grad(|| variable.copy_(&saved));
        }
        Ok(head)
    }

    /// Scores `[members, rows, scores]` of `[rows, inputs]`; with a generator, in training mode. `mixed` blends each row
    /// behind the first hidden layer with another: the order of the others, and the weight of the row itself.
    fn forward(&self, x: &Tensor, mut rng: Option<&mut ChaCha8Rng>, mixed: Option<(&Tensor, f64)>) -> Tensor {
        let members = self.shape.members as i64;
        let mut x = x.unsqueeze(0).expand([members, -1, -1], false);
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.linear.forward(&x);
            if let Some(norm) = &layer.norm {
                let [_, rows, units] = x.size()[..] else { unreachable!("three dimensions") };
                let beside = x.permute([1, 0, 2]).reshape([rows, members * units]);
                let normed = norm.forward_t(&beside, rng.is_some());
                x = normed.view([rows, members, units]).permute([1, 0, 2]);
            }
            x = x.relu();
            if let Some(rng) = rng.as_deref_mut()
                && self.shape.dropout > 0.0
            {
                // Not in place: ReLU's gradient needs its output.
                x = &x * dropout_mask(&x, self.shape.dropout, rng);
            }
            if let (0, Some((others, own))) = (i, mixed) {
                x = &x * own + x.index_select(1, others) * (1.0 - own);
            }
        }
        self.out.forward(&x)
    }

    /// Label scores `[…, label scores]` to log probabilities of the classes.
    fn log_probabilities(&self, scores: &Tensor) -> Tensor {
        let columns = self.shape.label_scores() as i64;
        let scores = scores.narrow(-1, 0, columns);
        match self.shape.output {
            Output::Softmax => scores.log_softmax(-1, Kind::Float),
            Output::Coral => {
                let beyond = self.thresholds(&scores).sigmoid();
                let one = beyond.narrow(-1, 0, 1).ones_like();
                let (above, below) =
                    (Tensor::cat(&[&one, &beyond], -1), Tensor::cat(&[&beyond, &one.zeros_like()], -1));
                (above - below).clamp_min(1e-7).log()
            }
            Output::Corn => {
                let none = scores.narrow(-1, 0, 1).zeros_like();
                let passed = Tensor::cat(&[&none, &scores.log_sigmoid().cumsum(-1, Kind::Float)], -1);
                let stopped = Tensor::cat(&[&(-&scores).log_sigmoid(), &none], -1);
                passed + stopped
            }
        }
    }

    /// CORAL's log odds to lie beyond each threshold: one score for all, from the first column, and thresholds that are
    /// no function of the input, from the biases of the other columns. Softplus keeps them in order.
    fn thresholds(&self, scores: &Tensor) -> Tensor {
        let columns = self.shape.label_scores() as i64;
        let first = scores.narrow(-1, 0, 1);
        let steps = self.out.bias.narrow(-1, 1, columns - 1).softplus().cumsum(-1, Kind::Float);
        Tensor::cat(&[&first, &(&first - steps)], -1)
    }

    /// The members' mean answer `[rows, outputs]`: log probabilities of the label, then the other blocks.
    fn answer(&self, x: &Tensor) -> Tensor {
        let scores = self.forward(x, None, None);
        let mut blocks = vec![mean_of_logs(&self.log_probabilities(&scores))];
        let mut at = self.shape.label_scores() as i64;
        for block in &self.shape.blocks[1..] {
            let own = scores.narrow(-1, at, block.width as i64);
            at += block.width as i64;
            blocks.push(match block.kind {
                BlockKind::Classes => mean_of_logs(&own.log_softmax(-1, Kind::Float)),
                BlockKind::Values => own.mean_dim(0, false, Kind::Float),
            });
        }
        Tensor::cat(&blocks, -1)
    }

    /// What a step minimises, the sum over the members. `targets` is `[rows, outputs]`; `seen`, where not every member
    /// learns from every row, is `[members, rows, 1]` of 0 and 1.
    fn loss(
        &self,
        scores: &Tensor,
        (targets, seen): (&Tensor, Option<&Tensor>),
        weights: &Tensor,
        settings: &NetworkSettings,
    ) -> Tensor {
        let classes = self.shape.blocks[0].width as i64;
        let of_seen = |wanted: Tensor| seen.map_or(wanted.shallow_clone(), |seen| wanted * seen);
        let mut label = targets.narrow(-1, 0, classes);
        if settings.label_smoothing > 0.0 {
            label = label * (1.0 - settings.label_smoothing) + settings.label_smoothing / classes as f64;
        }
        let label = of_seen(label);
        let mut total = if self.shape.output == Output::Coral {
            coral_loss(&self.thresholds(scores), &label, weights)
        } else {
            cross_entropy(&self.log_probabilities(scores), &label, weights, settings.focal_gamma)
        };
        let (mut at, mut score_at) = (classes, self.shape.label_scores() as i64);
        for block in &self.shape.blocks[1..] {
            let width = block.width as i64;
            let (own, wanted) = (scores.narrow(-1, score_at, width), targets.narrow(-1, at, width));
            (at, score_at) = (at + width, score_at + width);
            let loss = match block.kind {
                BlockKind::Classes => {
                    let even = Tensor::ones([width], (Kind::Float, Device::Cpu));
                    cross_entropy(&own.log_softmax(-1, Kind::Float), &of_seen(wanted), &even, 0.0)
                }
                BlockKind::Values => {
                    let off = of_seen((own - wanted).square());
                    let share = seen.map_or(1.0, |seen| seen.mean(Kind::Float).double_value(&[]));
                    off.mean(Kind::Float) * self.shape.members as f64 / (2.0 * share.max(1e-6))
                }
            };
            total += loss * block.weight;
        }
        total
    }
}

/// A network that several threads may ask: one at a time, as libtorch's tensors cannot be shared.
pub struct Network(Mutex<Perceptron>);

impl Network {
    /// The network for all threads.
    pub fn new(network: Perceptron) -> Self {
        Self(Mutex::new(network))
    }
}

impl Head for Network {
    fn logits(&self, inputs: &[f32], _: Option<&Sparse>) -> Result<Vec<f32>, HeadError> {
        // A thread that panicked has only read.
        let network = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let width = network.shape.inputs;
        if width == 0 || !inputs.len().is_multiple_of(width) {
            let count = inputs.len();
            return Err(HeadError::Shape(format!(
                "it takes {width} inputs a row; {count} are no whole rows"
            )));
        }
        // Threads and gradients are settings of the calling thread, which may be a new one.
        crate::single_threaded();
        let x = Tensor::f_from_slice(inputs).map_err(failed)?.view([-1, width as i64]);
        let answer = tch::no_grad(|| network.answer(&x));
        Vec::<f32>::try_from(answer.contiguous().view([-1])).map_err(failed)
    }

    fn tensors(&self) -> Result<Tensors, HeadError> {
        let network = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tensors = Tensors::default();
        for (name, variable) in network.store.variables() {
            let size: Vec<usize> = variable.size().iter().map(|&n| n as usize).collect();
            let values = Vec::<f32>::try_from(variable.detach().contiguous().view([-1])).map_err(failed)?;
            tensors.put(&name, &size, &values);
        }
        Ok(tensors)
    }
}

/// Log of the mean over the members (first dimension) of what has these logs.
fn mean_of_logs(logs: &Tensor) -> Tensor {
    logs.logsumexp(0, false) - (logs.size()[0] as f64).ln()
}

/// Inverted dropout: 0 with probability `share` (in steps of 1 / 65536), else 1 / (1 - share).
fn dropout_mask(like: &Tensor, share: f64, rng: &mut ChaCha8Rng) -> Tensor {
    let (below, kept) = ((share * 65536.0).round() as u16, (1.0 / (1.0 - share)) as f32);
    let mut draws = vec![0u16; like.numel()];
    rng.fill(&mut draws[..]);
    let mask: Vec<f32> = draws.into_iter().map(|draw| if draw < below { 0.0 } else { kept }).collect();
    Tensor::from_slice(&mask).view_as(like)
}

/// Cross entropy with class weights and soft targets: Σ w·y·(1-p)^γ·(-log p) / Σ w·y, summed over the members.
///
/// With one-hot targets and γ = 0 this is PyTorch's weighted `CrossEntropyLoss(reduction="mean")`. Targets are
/// `[rows, classes]`, or `[members, rows, classes]` where a member's rows of zeros are none that it learns from.
fn cross_entropy(log_p: &Tensor, targets: &Tensor, class_weights: &Tensor, gamma: f64) -> Tensor {
    let weighted = targets * class_weights;
    let total = weighted.sum_dim_intlist(&[-2, -1][..], true, Kind::Float).clamp_min(1e-12);
    let mut rows = weighted * log_p;
    if gamma > 0.0 {
        let unsure: Tensor = 1.0 - log_p.exp();
        rows *= unsure.clamp_min(0.0).pow_tensor_scalar(gamma);
    }
    -(rows.sum_dim_intlist(&[-2, -1][..], true, Kind::Float) / total).sum(Kind::Float)
}

/// CORAL's loss: binary cross entropy of the odds to lie beyond each threshold.
fn coral_loss(odds: &Tensor, targets: &Tensor, class_weights: &Tensor) -> Tensor {
    let classes = targets.size()[targets.dim() - 1];
    let beyond: Tensor = 1.0 - targets.cumsum(-1, Kind::Float).narrow(-1, 0, classes - 1);
    let below: Tensor = 1.0 - &beyond;
    let weight = (targets * class_weights).sum_dim_intlist(-1, true, Kind::Float);
    let loss = -(&beyond * odds.log_sigmoid() + below * (-odds).log_sigmoid());
    let of_member = |values: Tensor| values.sum_dim_intlist(&[-2, -1][..], true, Kind::Float);
    (of_member(loss * &weight) / of_member(weight).clamp_min(1e-12)).sum(Kind::Float)
}

/// `[members, rows, 1]` of 0 and 1: each member learns from all folds of the rows but its own, so that members differ by
/// more than their weights (cross-validation committee, Parmanto, Munro & Doyle 1996).
fn all_but_one_fold(members: usize, rows: usize, rng: &mut ChaCha8Rng) -> Tensor {
    let mut fold_of: Vec<usize> = (0..rows).map(|row| row % members).collect();
    fold_of.shuffle(rng);
    let seen = |member| fold_of.iter().map(move |&fold| f32::from(u8::from(fold != member)));
    let all: Vec<f32> = (0..members).flat_map(seen).collect();
    Tensor::from_slice(&all).view([members as i64, rows as i64, 1])
}

/// [`pipeline::heads::fit`] of a network.
///
/// # Errors
/// Divergence, interruption, or a libtorch failure.
pub fn fit(
    shape: &NetworkShape,
    settings: &NetworkSettings,
    data: &FitData<'_>,
    each_epoch: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<Fitted, HeadError> {
    let mut rng = ChaCha8Rng::seed_from_u64(data.seed);
    let outputs: usize = data.blocks.iter().map(|b| b.width).sum();
    let tensors = |rows: Rows<'_>| {
        (
            Tensor::from_slice(rows.inputs).view([-1, shape.inputs as i64]),
            Tensor::from_slice(rows.targets).view([-1, outputs as i64]),
        )
    };
    let ((x, y), validation) = (tensors(data.train), tensors(data.validation));
    let class_weights = Tensor::from_slice(&data.class_weights);
    let mut order = Order::new(&y, data.blocks[0].width, settings);
    if settings.curriculum > 0 {
        order.begin_with_easy(&margins(data)?);
    }
    let folds = (settings.member_folds && shape.members > 1)
        .then(|| all_but_one_fold(shape.members, x.size()[0] as usize, &mut rng));
    // So many members at once are trained on one core, whatever the cores: the numbers must not depend on them.
    let mut groups = (0..shape.members)
        .step_by(MEMBERS_AT_ONCE)
        .map(|first| {
            let members = MEMBERS_AT_ONCE.min(shape.members - first);
            let folds = folds.as_ref().map(|folds| folds.narrow(0, first as i64, members as i64));
            let own = NetworkShape { members, ..shape.clone() };
            Group::new(&own, settings, data, (&x, &y), &validation.0, folds, first as u64)
        })
        .collect::<Result<Vec<_>, _>>()?;

    let mut history: Vec<Epoch> = Vec::new();
    let (mut least, mut best_epoch) = (f64::INFINITY, 0);
    let steps_an_epoch = x.size()[0] as usize / settings.batch_size.max(1) + 1;
    let mut rate = Rate::new(settings, steps_an_epoch);
    let mut stopped_early = false;
    for epoch in 1..=settings.epochs {
        let rows = order.of_epoch(epoch, &mut rng);
        let steps: Vec<(&[i64], f64)> = batch_slices(&rows, settings.batch_size)
            .into_iter()
            .map(|batch| (batch, rate.of_step()))
            .collect();
        let answers: Vec<[Tensor; 2]> =
            groups.par_iter_mut().map(|group| group.epoch(epoch, &steps, settings)).collect();
        let score = |part: usize, y: &Tensor| {
            let of_group: Vec<&Tensor> = answers.iter().map(|parts| &parts[part]).collect();
            score(&mean_of_logs(&Tensor::cat(&of_group, 0)), y, &class_weights)
        };
        let (train_loss, train_accuracy) = score(0, &y);
        let (validation_loss, validation_accuracy) = score(1, &validation.1);
        if !validation_loss.is_finite() {
            return Err(HeadError::Diverged {
                epoch,
                loss: validation_loss,
                learning_rate: settings.learning_rate,
            });
        }
        history.push(Epoch {
            epoch,
            learning_rate: rate.now,
            train_loss,
            train_accuracy,
            validation_loss,
            validation_accuracy,
        });
        if each_epoch(&history[epoch - 1]).is_break() {
            return Err(HeadError::Interrupted);
        }
        if validation_loss < least - settings.min_delta {
            (least, best_epoch) = (validation_loss, epoch);
            groups.iter_mut().for_each(Group::keep);
        } else if epoch - best_epoch >= settings.patience && order.all_seen(epoch) {
            stopped_early = true;
            break;
        }
        rate.after_epoch(validation_loss);
    }
    Ok(Fitted {
        head: Box::new(Network::new(joined(shape, &groups))),
        shape: HeadShape::Network(shape.clone()),
        parameters: shape.parameters(),
        history,
        best_epoch,
        stopped_early,
        validation: None,
    })
}

/// Some of the members, with what trains them.
struct Group {
    head: Perceptron,
    optimizer: nn::Optimizer,
    rng: ChaCha8Rng,
    average: Average,
    /// Weights of the best epoch so far.
    best: Vec<(String, Tensor)>,
    x: Tensor,
    y: Tensor,
    validation: Tensor,
    class_weights: Tensor,
    /// As [`all_but_one_fold`] of these members.
    folds: Option<Tensor>,
}

impl Group {
    fn new(
        shape: &NetworkShape,
        settings: &NetworkSettings,
        data: &FitData<'_>,
        (x, y): (&Tensor, &Tensor),
        validation: &Tensor,
        folds: Option<Tensor>,
        first: u64,
    ) -> Result<Self, HeadError> {
        let mut rng = ChaCha8Rng::seed_from_u64(data.seed);
        rng.set_stream(first + 1);
        let mut head = Perceptron::blank(shape);
        head.initialise(&mut rng);
        head.begin_at_the_shares(data);
        let adam = nn::Adam { wd: settings.weight_decay, ..nn::Adam::default() };
        Ok(Self {
            optimizer: adam.build(&head.store, settings.learning_rate).map_err(failed)?,
            head,
            rng,
            average: Average { kind: settings.averaging, count: 0, weights: Vec::new(), own: None },
            best: Vec::new(),
            x: x.shallow_clone(),
            y: y.shallow_clone(),
            validation: validation.shallow_clone(),
            class_weights: Tensor::from_slice(&data.class_weights),
            folds,
        })
    }

    /// Take the steps, batches with their learning rates. Returns the log probabilities of the training and of the
    /// validation rows, `[members, rows, classes]`, by the weights that would be kept.
    fn epoch(&mut self, epoch: usize, steps: &[(&[i64], f64)], settings: &NetworkSettings) -> [Tensor; 2] {
        crate::single_threaded();
        if let Some(own) = self.average.own.take() {
            restore(&self.head.store, &own);
        }
        for &(batch, rate) in steps {
            self.optimizer.set_lr(rate);
            let batch = Tensor::from_slice(batch);
            let (mut x, mut y) = (self.x.index_select(0, &batch), self.y.index_select(0, &batch));
            if settings.noise > 0.0 {
                let noise: Vec<f32> = (0..x.numel())
                    .map(|_| settings.noise as f32 * self.rng.sample::<f32, _>(StandardNormal))
                    .collect();
                x += Tensor::from_slice(&noise).view_as(&x);
            }
            let mixed = mix_pairs(settings, batch.size()[0], &mut self.rng);
            if let Some((others, own)) = &mixed {
                y = &y * *own + y.index_select(0, others) * (1.0 - own);
            }
            let mixed = mixed.as_ref().map(|(others, own)| (others, *own));
            let scores = self.head.forward(&x, Some(&mut self.rng), mixed);
            let seen = self.folds.as_ref().map(|folds| folds.index_select(1, &batch));
            let loss = self.head.loss(&scores, (&y, seen.as_ref()), &self.class_weights, settings);
            self.optimizer.backward_step(&loss);
            self.average.after_step(&self.head.store);
        }
        self.average.after_epoch(&self.head.store, epoch);
        self.average.put_in(&self.head.store);
        tch::no_grad(|| {
            [&self.x, &self.validation]
                .map(|x| self.head.log_probabilities(&self.head.forward(x, None, None)))
        })
    }

    /// Remember the weights as the best ones.
    fn keep(&mut self) {
        self.best = snapshot(&self.head.store);
    }
}

/// All members with their best weights in one head.
fn joined(shape: &NetworkShape, groups: &[Group]) -> Perceptron {
    let head = Perceptron::blank(shape);
    let best: Vec<HashMap<&str, &Tensor>> =
        groups.iter().map(|group| group.best.iter().map(|(name, t)| (name.as_str(), t)).collect()).collect();
    for (name, mut variable) in head.store.variables() {
        // Members, and the units of all members beside one another, are the first dimension of every tensor.
        let parts: Vec<&Tensor> = best.iter().map(|group| group[name.as_str()]).collect();
        tch::no_grad(|| variable.copy_(&Tensor::cat(&parts, 0)));
    }
    head
}

/// Which rows an epoch sees, and in which order.
struct Order {
    /// The rows of each class, where every class is drawn as often; else all rows in one list.
    pools: Vec<Vec<i64>>,
    balanced: bool,
    /// Rows from easy to hard and epochs of a phase; empty without curriculum.
    easy_first: Vec<i64>,
    phase: usize,
}

impl Order {
    fn new(targets: &Tensor, classes: usize, settings: &NetworkSettings) -> Self {
        let rows = targets.size()[0];
        let pools = if settings.balanced_sampling {
            let class = Vec::<i64>::try_from(targets.narrow(-1, 0, classes as i64).argmax(-1, false))
                .unwrap_or_default();
            let mut pools = vec![Vec::new(); classes];
            (0..).zip(class).for_each(|(row, class)| pools[class as usize].push(row));
            pools.retain(|pool| !pool.is_empty());
            pools
        } else {
            vec![(0..rows).collect()]
        };
        Self {
            pools,
            balanced: settings.balanced_sampling,
            easy_first: Vec::new(),
            phase: settings.curriculum,
        }
    }

    /// Greater margins are easier.
    fn begin_with_easy(&mut self, margins: &[f32]) {
        self.easy_first = (0..margins.len() as i64).collect();
        self.easy_first.sort_by(|&a, &b| margins[b as usize].total_cmp(&margins[a as usize]));
    }

    /// Whether the epoch saw all rows, however hard.
    fn all_seen(&self, epoch: usize) -> bool {
        self.easy_first.is_empty() || epoch > 2 * self.phase
    }

    fn of_epoch(&mut self, epoch: usize, rng: &mut ChaCha8Rng) -> Vec<i64> {
        if !self.all_seen(epoch) {
            let thirds = if epoch <= self.phase { 1 } else { 2 };
            let mut rows = self.easy_first[..self.easy_first.len() * thirds / 3].to_vec();
            rows.shuffle(rng);
            return rows;
        }
        if !self.balanced {
            self.pools[0].shuffle(rng);
            return self.pools[0].clone();
        }
        let count: usize = self.pools.iter().map(Vec::len).sum();
        let pools = &self.pools;
        (0..count)
            .map(|_| {
                let pool = &pools[rng.random_range(0..pools.len())];
                pool[rng.random_range(0..pool.len())]
            })
            .collect()
    }
}

/// The learning rate of each step.
struct Rate {
    schedule: Schedule,
    greatest: f64,
    now: f64,
    step: usize,
    steps: usize,
    plateau_best: f64,
    plateau_bad: usize,
}

impl Rate {
    fn new(settings: &NetworkSettings, steps_an_epoch: usize) -> Self {
        let (rate, steps) = (settings.learning_rate, settings.epochs * steps_an_epoch);
        Self {
            schedule: settings.schedule,
            greatest: rate,
            now: rate,
            step: 0,
            steps,
            plateau_best: f64::INFINITY,
            plateau_bad: 0,
        }
    }

    fn of_step(&mut self) -> f64 {
        let done = self.step as f64 / self.steps.max(1) as f64;
        self.step += 1;
        // From one rate to another along half a cosine, `share` of the way.
        let between = |from: f64, to: f64, share: f64| {
            to + (from - to) * (1.0 + (std::f64::consts::PI * share.min(1.0)).cos()) / 2.0
        };
        self.now = match self.schedule {
            Schedule::Constant | Schedule::Plateau { .. } => self.now,
            Schedule::Cosine { warmup } if done < warmup => self.greatest * (done / warmup).max(1e-3),
            Schedule::Cosine { warmup } => between(self.greatest, 0.0, (done - warmup) / (1.0 - warmup)),
            Schedule::OneCycle if done < 0.3 => between(self.greatest / 25.0, self.greatest, done / 0.3),
            Schedule::OneCycle => between(self.greatest, self.greatest / 25e4, (done - 0.3) / 0.7),
        };
        self.now
    }

    fn after_epoch(&mut self, validation_loss: f64) {
        let Schedule::Plateau { factor, patience, least } = self.schedule else { return };
        if validation_loss < self.plateau_best * (1.0 - 1e-4) {
            (self.plateau_best, self.plateau_bad) = (validation_loss, 0);
            return;
        }
        self.plateau_bad += 1;
        if self.plateau_bad > patience {
            self.now = (self.now * factor).max(least);
            self.plateau_bad = 0;
        }
    }
}

/// A running mean of the weights, batch-norm statistics included.
struct Average {
    kind: Averaging,
    count: usize,
    weights: Vec<(String, Tensor)>,
    /// The network's own weights, while the average stands in their place.
    own: Option<Vec<(String, Tensor)>>,
}

impl Average {
    fn after_step(&mut self, store: &nn::VarStore) {
        if let Averaging::Ema(decay) = self.kind {
            // The first steps count fully, as in TensorFlow's ExponentialMovingAverage.
            let decay = decay.min((1.0 + self.count as f64) / (10.0 + self.count as f64));
            self.blend(store, decay);
        }
    }

    fn after_epoch(&mut self, store: &nn::VarStore, epoch: usize) {
        if let Averaging::Swa(from) = self.kind
            && epoch >= from
        {
            self.blend(store, self.count as f64 / (self.count + 1) as f64);
        }
    }

    fn blend(&mut self, store: &nn::VarStore, kept: f64) {
        self.count += 1;
        if self.weights.is_empty() {
            self.weights = snapshot(store);
            return;
        }
        let now = store.variables();
        tch::no_grad(|| {
            for (name, mean) in &mut self.weights {
                let _ = mean.lerp_(&now[name.as_str()], 1.0 - kept);
            }
        });
    }

    /// Put the average into the store, where there is one.
    fn put_in(&mut self, store: &nn::VarStore) {
        if !self.weights.is_empty() {
            self.own = Some(snapshot(store));
            restore(store, &self.weights);
        }
    }
}

/// Manifold mixup of one batch: whom each row is mixed with, and the weight of the row itself.
fn mix_pairs(settings: &NetworkSettings, rows: i64, rng: &mut ChaCha8Rng) -> Option<(Tensor, f64)> {
    let beta = Beta::new(settings.manifold_mixup, settings.manifold_mixup).ok()?;
    let mut others: Vec<i64> = (0..rows).collect();
    others.shuffle(rng);
    Some((Tensor::from_slice(&others), beta.sample(rng)))
}

/// Slices of `size` indices; a last one of a single index is joined to the slice before it.
fn batch_slices(order: &[i64], size: usize) -> Vec<&[i64]> {
    let mut slices = Vec::with_capacity(order.len() / size + 1);
    let mut start = 0;
    while start < order.len() {
        let mut end = (start + size).min(order.len());
        if order.len() - end == 1 {
            end += 1;
        }
        slices.push(&order[start..end]);
        start = end;
    }
    slices
}

/// Class-weighted cross entropy and accuracy of log probabilities.
fn score(log_p: &Tensor, targets: &Tensor, class_weights: &Tensor) -> (f64, f64) {
    let y = targets.narrow(-1, 0, log_p.size()[1]);
    let right = log_p.argmax(-1, false).eq_tensor(&y.argmax(-1, false));
    let loss = cross_entropy(log_p, &y, class_weights, 0.0);
    (loss.double_value(&[]), right.mean(Kind::Double).double_value(&[]))
}

fn snapshot(store: &nn::VarStore) -> Vec<(String, Tensor)> {
    tch::no_grad(|| store.variables().into_iter().map(|(name, t)| (name, t.copy())).collect())
}

fn restore(store: &nn::VarStore, weights: &[(String, Tensor)]) {
    let mut variables = store.variables();
    tch::no_grad(|| {
        for (name, value) in weights {
            if let Some(variable) = variables.get_mut(name) {
                variable.copy_(value);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline::heads::Block;

    fn shape() -> NetworkShape {
        NetworkShape {
            inputs: 2,
            hidden: vec![8],
            blocks: vec![block(2, BlockKind::Classes)],
            dropout: 0.3,
            batch_norm: true,
            output: Output::Softmax,
            members: 1,
        }
    }

    fn block(width: usize, kind: BlockKind) -> Block {
        Block { width, kind, weight: 1.0, ..Block::default() }
    }

    fn settings() -> NetworkSettings {
        NetworkSettings {
            epochs: 60,
            batch_size: 16,
            learning_rate: 0.02,
            weight_decay: 1e-4,
            patience: 10,
            min_delta: 0.001,
            schedule: Schedule::Plateau { factor: 0.5, patience: 2, least: 1e-6 },
            ..NetworkSettings::default()
        }
    }

    fn fit_on(
        shape: &NetworkShape,
        settings: &NetworkSettings,
        (inputs, targets): (&[f32], &[f32]),
        seed: u64,
    ) -> Result<Fitted, HeadError> {
        let rows = Rows { inputs, terms: None, targets };
        let data = FitData {
            inputs: shape.inputs,
            embedding_dims: shape.inputs,
            blocks: &shape.blocks,
            class_weights: vec![1.0; shape.blocks[0].width],
            train: rows,
            validation: rows,
            seed,
        };
        fit(shape, settings, &data, &mut |_| ControlFlow::Continue(()))
    }

    /// Points on a grid, class 1 where both coordinates have one sign: no linear head can separate them.
    fn exclusive_or() -> (Vec<f32>, Vec<f32>) {
        let (mut inputs, mut targets) = (Vec::new(), Vec::new());
        for i in 0..20 {
            for j in 0..20 {
                let (a, b) = (i as f32 / 10.0 - 0.95, j as f32 / 10.0 - 0.95);
                inputs.extend([a, b]);
                targets.extend(if a * b > 0.0 { [0.0, 1.0] } else { [1.0, 0.0] });
            }
        }
        (inputs, targets)
    }

    fn fit_exclusive_or(shape: &NetworkShape, seed: u64) -> Fitted {
        let (inputs, targets) = exclusive_or();
        fit_on(shape, &settings(), (&inputs, &targets), seed).unwrap()
    }

    #[test]
    fn a_hidden_layer_learns_what_a_linear_head_cannot() {
        let best = |f: &Fitted| f.history[f.best_epoch - 1].validation_accuracy;
        let mlp = fit_exclusive_or(&shape(), 1);
        assert!(best(&mlp) > 0.9, "{}", best(&mlp));
        let linear = fit_exclusive_or(&NetworkShape { hidden: vec![], ..shape() }, 1);
        assert!(best(&linear) < 0.7, "{}", best(&linear));
    }

    #[test]
    fn the_same_seed_gives_the_same_bits_and_another_seed_does_not() {
        let logits = |seed| fit_exclusive_or(&shape(), seed).head.logits(&exclusive_or().0, None).unwrap();
        let (first, again, other) = (logits(7), logits(7), logits(8));
        assert_eq!(first, again);
        assert_ne!(first, other);
    }

    #[test]
    fn the_best_epoch_is_restored() {
        let fitted = fit_exclusive_or(&shape(), 3);
        let (inputs, targets) = exclusive_or();
        let y = Tensor::from_slice(&targets).view([-1, 2]);
        let x = Tensor::from_slice(&inputs).view([-1, 2]);
        let weights = tempfile::tempdir().unwrap();
        let path = weights.path().join("head.safetensors");
        fitted.head.save(&path).unwrap();
        let head = Perceptron::load(&shape(), Tensors::read(&path).unwrap()).unwrap();
        let log_p = tch::no_grad(|| head.answer(&x));
        let (loss, _) = score(&log_p, &y, &Tensor::from_slice(&[1.0f32, 1.0]));
        assert_eq!(loss, fitted.history[fitted.best_epoch - 1].validation_loss);
    }

    #[test]
    fn saved_weights_predict_the_same() {
        // Also where the members are more than one group.
        for members in [1, MEMBERS_AT_ONCE + 2] {
            let shape = NetworkShape { members, ..shape() };
            let fitted = fit_exclusive_or(&shape, 4);
            let file = tempfile::tempdir().unwrap();
            let path = file.path().join("head.safetensors");
            fitted.head.save(&path).unwrap();
            let inputs = exclusive_or().0;
            let loaded = Network::new(Perceptron::load(&shape, Tensors::read(&path).unwrap()).unwrap());
            assert_eq!(fitted.head.logits(&inputs, None).unwrap(), loaded.logits(&inputs, None).unwrap());
            assert!(fitted.history[fitted.best_epoch - 1].validation_accuracy > 0.9, "{members}");
        }
    }

    #[test]
    fn the_loss_is_pytorchs_weighted_cross_entropy() {
        // logits [[2,0],[0,1],[1,1]], classes 0,1,0, weights 1,3:
        // -log p = 0.126928, 0.313262, 0.693147; (0.126928 + 3*0.313262 + 0.693147) / (1+3+1) = 0.351972
        let logits = Tensor::from_slice(&[2.0f32, 0., 0., 1., 1., 1.]).view([3, 2]);
        let targets = Tensor::from_slice(&[1.0f32, 0., 0., 1., 1., 0.]).view([3, 2]);
        let weights = Tensor::from_slice(&[1.0f32, 3.0]);
        let log_p = logits.log_softmax(-1, Kind::Float);
        let value = cross_entropy(&log_p, &targets, &weights, 0.0).double_value(&[]);
        assert!((value - 0.351972).abs() < 1e-5, "{value}");
        // Focal, γ = 2: each term times (1 - p)²: 0.119203², 0.268941², 0.5²:
        // (0.001804 + 3*0.022658 + 0.173287) / 5 = 0.048613
        let value = cross_entropy(&log_p, &targets, &weights, 2.0).double_value(&[]);
        assert!((value - 0.048613).abs() < 1e-5, "{value}");
    }

    #[test]
    fn ordinal_outputs_are_distributions_and_corn_is_its_papers_loss() {
        let scores = Tensor::from_slice(&[0.5f32, -1.0, 0.3, 2.0, 0.1, -0.4]).view([1, 2, 3]);
        for output in [Output::Coral, Output::Corn] {
            let shape = NetworkShape {
                output,
                blocks: vec![block(4, BlockKind::Classes)],
                hidden: vec![],
                ..shape()
            };
            let head = Perceptron::blank(&shape);
            let p = head.log_probabilities(&scores).exp();
            assert_eq!(p.size(), [1, 2, 4]);
            let sums = Vec::<f32>::try_from(p.sum_dim_intlist(-1, false, Kind::Float).view([-1])).unwrap();
            assert!(sums.iter().all(|s| (s - 1.0).abs() < 1e-4), "{output:?} {sums:?}");
            if output == Output::Corn {
                // Class 2 of the first row: σ(0.5) · σ(-1) · (1 - σ(0.3)) = 0.622459 · 0.268941 · 0.425557
                assert!((p.double_value(&[0, 0, 2]) - 0.0712401).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn a_member_learns_nothing_from_its_own_fold() {
        let blocks =
            vec![block(2, BlockKind::Classes), block(2, BlockKind::Classes), block(1, BlockKind::Values)];
        let shape = NetworkShape { blocks, hidden: vec![], members: 3, ..shape() };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (mut head, folds) = (Perceptron::blank(&shape), all_but_one_fold(3, 9, &mut rng));
        head.initialise(&mut rng);
        let x = Tensor::from_slice(&(0..18).map(|i| (i as f32 * 0.7).sin()).collect::<Vec<_>>()).view([9, 2]);
        let row = |i: usize| [[1.0f32, 0.0, 0.0, 1.0, 0.3], [0.0, 1.0, 1.0, 0.0, -0.8]][i % 2];
        let y = Tensor::from_slice(&(0..9).flat_map(row).collect::<Vec<_>>()).view([9, 5]);
        let weights = Tensor::from_slice(&[1.0f32, 2.0]);
        let scores = head.forward(&x, None, None);
        let found = head.loss(&scores, (&y, Some(&folds)), &weights, &settings()).double_value(&[]);
        let alone = Perceptron::blank(&NetworkShape { members: 1, ..shape });
        let of_member = |member: i64| {
            let kept = folds.get(member).squeeze().nonzero().squeeze();
            assert_eq!(kept.size(), [6]);
            let scores = scores.narrow(0, member, 1).index_select(1, &kept);
            alone.loss(&scores, (&y.index_select(0, &kept), None), &weights, &settings()).double_value(&[])
        };
        let expected: f64 = (0..3).map(of_member).sum();
        assert!((found - expected).abs() < 1e-4, "{found} {expected}");
    }

    /// What each option is for cannot be seen on so small a problem, but that the problem is still learned with it can.
    #[test]
    fn every_option_of_training_still_learns() {
        let (inputs, targets) = exclusive_or();
        let with: [fn(&mut NetworkSettings); 9] = [
            |s| s.schedule = Schedule::Cosine { warmup: 0.1 },
            |s| s.schedule = Schedule::OneCycle,
            |s| s.focal_gamma = 2.0,
            |s| s.label_smoothing = 0.1,
            |s| s.balanced_sampling = true,
            |s| s.noise = 0.02,
            |s| s.manifold_mixup = 0.2,
            |s| s.averaging = Averaging::Ema(0.98),
            |s| s.averaging = Averaging::Swa(20),
        ];
        for (i, change) in with.into_iter().enumerate() {
            let mut settings = settings();
            change(&mut settings);
            let fitted = fit_on(&shape(), &settings, (&inputs, &targets), 1).unwrap();
            let accuracy = fitted.history[fitted.best_epoch - 1].validation_accuracy;
            assert!(accuracy > 0.85, "option {i}: {accuracy}");
        }
    }

    #[test]
    fn learning_rates_follow_their_schedule() {
        let rates = |schedule| {
            let settings = NetworkSettings { epochs: 10, learning_rate: 1.0, schedule, ..settings() };
            let mut rate = Rate::new(&settings, 10);
            (0..100).map(|_| rate.of_step()).collect::<Vec<_>>()
        };
        let cosine = rates(Schedule::Cosine { warmup: 0.2 });
        assert!((cosine[10] - 0.5).abs() < 1e-9 && (cosine[20] - 1.0).abs() < 1e-9);
        assert!((cosine[60] - 0.5).abs() < 1e-9 && cosine[99] < 0.001);
        let cycle = rates(Schedule::OneCycle);
        assert!((cycle[0] - 0.04).abs() < 1e-9 && (cycle[30] - 1.0).abs() < 1e-9 && cycle[99] < 0.01);
        assert!(rates(Schedule::Constant).iter().all(|&r| r == 1.0));
    }

    #[test]
    fn members_are_averaged_and_other_blocks_answered() {
        let (inputs, targets) = exclusive_or();
        // Beside the label: its opposite as classes, missing in every second row, and the first input as a value.
        let wide: Vec<f32> = inputs
            .chunks(2)
            .zip(targets.chunks(2))
            .enumerate()
            .flat_map(|(i, (x, y))| {
                let known = (i % 2) as f32;
                [y[0], y[1], y[1] * known, y[0] * known, x[0]]
            })
            .collect();
        let blocks =
            vec![block(2, BlockKind::Classes), block(2, BlockKind::Classes), block(1, BlockKind::Values)];
        let shape = NetworkShape { blocks, members: 3, ..shape() };
        let fitted = fit_on(&shape, &settings(), (&inputs, &wide), 5).unwrap();
        assert_eq!(fitted.parameters, 3 * (3 * 8 + 2 * 8 + 9 * 5));
        let given = fitted.head.logits(&inputs, None).unwrap();
        let rows = || given.chunks(5).zip(inputs.chunks(2));
        let right = rows().filter(|(g, x)| (g[1] > g[0]) == (x[0] * x[1] > 0.0)).count();
        let opposite = rows().filter(|(g, x)| (g[3] < g[2]) == (x[0] * x[1] > 0.0)).count();
        let error: f32 = rows().map(|(g, x)| (g[4] - x[0]).powi(2)).sum::<f32>() / 400.0;
        assert!(right > 360 && opposite > 360 && error < 0.1, "{right} {opposite} {error}");
    }

    #[test]
    fn a_curriculum_begins_with_the_easy_rows() {
        let mut order =
            Order { pools: vec![(0..6).collect()], balanced: false, easy_first: Vec::new(), phase: 2 };
        order.begin_with_easy(&[0.1, 0.9, -0.5, 0.4, 0.8, 0.0]);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut seen = |epoch| {
            let mut rows = order.of_epoch(epoch, &mut rng);
            rows.sort_unstable();
            rows
        };
        assert_eq!((seen(1), seen(4), seen(5).len()), (vec![1, 4], vec![0, 1, 3, 4], 6));
    }

    #[test]
    fn a_loss_that_is_no_number_is_divergence() {
        let inputs = [1.0, f32::INFINITY, 0.5, 1.0];
        let error = fit_on(&shape(), &settings(), (&inputs, &[1.0, 0.0, 0.0, 1.0]), 1).err().unwrap();
        assert!(
            error.to_string().contains("training diverged") && error.to_string().contains("0.02"),
            "{error}"
        );
    }

    #[test]
    fn no_batch_holds_a_single_row() {
        let order: Vec<i64> = (0..65).collect();
        let sizes: Vec<usize> = batch_slices(&order, 32).iter().map(|b| b.len()).collect();
        assert_eq!(sizes, [32, 33]);
        assert_eq!(batch_slices(&order[..64], 32).len(), 2);
    }

    #[test]
    fn parameters_are_counted_as_stored() {
        // 384→64→4: 385*64 + 2*64 + 65*4
        let blocks = vec![block(4, BlockKind::Classes)];
        let shape = NetworkShape { inputs: 384, hidden: vec![64], blocks, ..shape() };
        assert_eq!(shape.parameters(), 24_640 + 128 + 260);
        let stored: usize =
            Perceptron::blank(&shape).store.trainable_variables().iter().map(|t| t.numel()).sum();
        assert_eq!(shape.parameters(), stored);
    }
}
