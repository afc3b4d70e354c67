//! `[train]`: the head and how it is trained.

use serde::{Deserialize, Serialize};

use super::ensemble::EnsembleConfig;
use super::error::Fault;
use super::head_kind::HeadKind;
use super::kernel::KernelConfig;
use super::network::{AveragingKind, MOST_EPOCHS, OutputKind, PlateauConfig, ScheduleKind};
use super::number::{Number, real, whole};
use super::section::Section;
use super::trees::TreesConfig;
use super::tuning::{EncoderTraining, TuningConfig};

/// Most units of a hidden layer; two such layers have 17 GB of weights between them.
const MOST_UNITS: usize = 65_536;

/// Most hidden layers.
const MOST_LAYERS: usize = 100;

/// Most hidden units of all members together: of 1,000 inputs each, their weights and what Adam keeps take 3 GB.
const MOST_MEMBER_UNITS: usize = 262_144;

/// `[train]`. The keys after `class_weights` are a network's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// The kind of head; `kernel` by default.
    pub head: HeadKind,
    /// How much of the encoder learns; `frozen` by default.
    pub encoder: EncoderTraining,
    /// How it learns.
    pub tuning: TuningConfig,
    /// A kernel machine's settings.
    pub kernel: KernelConfig,
    /// Rows that vote in k-NN, in `[1, 100,000]`; chosen on the validation rows by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<usize>,
    /// Boosted trees' settings.
    pub trees: TreesConfig,
    /// The heads of an ensemble.
    pub ensemble: EnsembleConfig,
    /// Columns that are predicted beside the label; none by default.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskConfig>,
    /// Weight of the loss on the two numbers behind a `label.range`; 0 for a head that sees only the classes. In `[0, 100]`,
    /// 0.3 by default.
    pub range_weight: f64,
    /// Weight each class by the inverse of its share in the training part; not by default.
    pub class_weights: bool,
    /// Units of each hidden layer, in `[1, 65,536]`, of at most 100 layers; empty for multinomial logistic regression. One of
    /// 128 by default.
    pub hidden: Vec<usize>,
    /// Share of hidden units dropped while training, in `[0, 0.95]`; 0.6 by default.
    pub dropout: f64,
    /// Batch normalisation before each ReLU; on by default.
    pub batch_norm: bool,
    /// How the last layer makes the label's probabilities; `softmax` by default.
    pub output: OutputKind,
    /// Networks trained together from different weights, their probabilities averaged. In `[1, 1000]`, 1 by default.
    pub members: usize,
    /// Each member learns from all folds of the training rows but one of its own; not by default.
    pub member_folds: bool,
    /// Most epochs, in `[1, 100,000]`; 100 by default.
    pub epochs: usize,
    /// Rows a step, in `[1, 1,000,000]`, with batch normalisation at least 2; 64 by default.
    pub batch_size: usize,
    /// Adam's learning rate, in `[1e-8, 10]`; 0.0003 by default.
    pub learning_rate: f64,
    /// L2 penalty, in `[0, 10]`; 0.001 by default.
    pub weight_decay: f64,
    /// Early stopping: epochs without improvement, in `[1, 100,000]`; 5 by default.
    pub patience: usize,
    /// Early stopping: smallest fall of the validation loss that counts, in nats and in `[0, 10]`; 0.001 by default.
    pub min_delta: f64,
    /// How the learning rate changes; `plateau` by default.
    pub schedule: ScheduleKind,
    /// ReduceLROnPlateau.
    pub plateau: PlateauConfig,
    /// Share of all steps over which the cosine schedule warms up, in `[0, 0.9]`; 0.1 by default.
    pub warmup: f64,
    /// γ of the focal loss; 0, the default, for cross entropy. In `[0, 10]`.
    pub focal_gamma: f64,
    /// Share of a target that is spread over all classes, in `[0, 0.9]`; 0 by default.
    pub label_smoothing: f64,
    /// Draw as many rows of each class in an epoch; not by default.
    pub balanced_sampling: bool,
    /// Standard deviation of the noise added to the inputs, in `[0, 10]`; 0 by default.
    pub noise: f64,
    /// α of manifold mixup; 0, the default, for none. In `[0, 10]`.
    pub manifold_mixup: f64,
    /// Which weights are kept; those of the best epoch by default.
    pub averaging: AveragingKind,
    /// Decay a step of `averaging = "ema"`, in `[0, 0.99999]`; 0.99 by default.
    pub ema_decay: f64,
    /// First epoch of `averaging = "swa"`, in `[1, 100,000]`; 10 by default.
    pub swa_from: usize,
    /// Epochs of each phase of a curriculum; 0, the default, for none. In `[0, 100,000]`.
    pub curriculum: usize,
}

impl Section for TrainConfig {
    fn numbers(&self) -> Vec<Number> {
        let units = whole("train.hidden[]", None, 1..=MOST_UNITS);
        let weight = real("train.tasks[].weight", None, 0.0..=100.0);
        let mut numbers = vec![
            whole("train.nearest", self.nearest, 1..=100_000),
            real("train.range_weight", self.range_weight, 0.0..=100.0),
            real("train.dropout", self.dropout, 0.0..=0.95),
            whole("train.members", self.members, 1..=1000),
            whole("train.epochs", self.epochs, 1..=MOST_EPOCHS),
            whole("train.batch_size", self.batch_size, 1..=1_000_000),
            real("train.learning_rate", self.learning_rate, 1e-8..=10.0),
            real("train.weight_decay", self.weight_decay, 0.0..=10.0),
            whole("train.patience", self.patience, 1..=MOST_EPOCHS),
            real("train.min_delta", self.min_delta, 0.0..=10.0),
            real("train.warmup", self.warmup, 0.0..=0.9),
            real("train.focal_gamma", self.focal_gamma, 0.0..=10.0),
            real("train.label_smoothing", self.label_smoothing, 0.0..=0.9),
            real("train.noise", self.noise, 0.0..=10.0),
            real("train.manifold_mixup", self.manifold_mixup, 0.0..=10.0),
            real("train.ema_decay", self.ema_decay, 0.0..=0.99999),
            whole("train.swa_from", self.swa_from, 1..=MOST_EPOCHS),
            whole("train.curriculum", self.curriculum, 0..=MOST_EPOCHS),
        ];
        numbers.extend(self.hidden.iter().enumerate().map(|(i, &of_layer)| units.at(i, of_layer)));
        numbers.extend(self.tasks.iter().enumerate().map(|(i, task)| weight.at(i, task.weight)));
        numbers.extend([units, weight]);
        numbers
    }

    fn check(&self) -> Result<(), Fault> {
        if self.hidden.len() > MOST_LAYERS {
            let problem = format!("has {} layers; {MOST_LAYERS} are most", self.hidden.len());
            return Fault::at("train.hidden", problem);
        }
        if self.batch_norm && self.batch_size < 2 {
            return Fault::at("train.batch_size", "is 1; batch normalisation needs at least 2 rows a step");
        }
        if self.member_folds && self.members == 1 {
            return Fault::at(
                "train.member_folds",
                "needs train.members of at least 2: a single one would learn from no row",
            );
        }
        if self.averaging == AveragingKind::Swa && self.swa_from > self.epochs {
            let problem = format!("is {}, beyond the {} epochs of train.epochs", self.swa_from, self.epochs);
            return Fault::at("train.swa_from", problem);
        }
        if self.curriculum > 0 && 2 * self.curriculum >= self.epochs {
            let problem = format!(
                "is {}: its two phases before all rows are seen leave none of the {} epochs of train.epochs",
                self.curriculum, self.epochs
            );
            return Fault::at("train.curriculum", problem);
        }
        if self.schedule == ScheduleKind::Plateau && self.plateau.min_learning_rate > self.learning_rate {
            let problem = format!(
                "is {}, above train.learning_rate, {}: the rate could only rise",
                self.plateau.min_learning_rate, self.learning_rate
            );
            return Fault::at("train.plateau.min_learning_rate", problem);
        }
        let most = MOST_MEMBER_UNITS / self.hidden.iter().sum::<usize>().max(1);
        if self.members > most.max(1) {
            let problem =
                format!("is {}: of layers of this width at most {most} are trained at once", self.members);
            return Fault::at("train.members", problem);
        }
        Ok(())
    }
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            head: HeadKind::Kernel,
            encoder: EncoderTraining::Frozen,
            tuning: TuningConfig::default(),
            kernel: KernelConfig::default(),
            nearest: None,
            trees: TreesConfig::default(),
            ensemble: EnsembleConfig::default(),
            tasks: Vec::new(),
            range_weight: 0.3,
            class_weights: false,
            hidden: vec![128],
            dropout: 0.6,
            batch_norm: true,
            output: OutputKind::Softmax,
            members: 1,
            member_folds: false,
            epochs: 100,
            batch_size: 64,
            learning_rate: 3e-4,
            weight_decay: 1e-3,
            patience: 5,
            min_delta: 0.001,
            schedule: ScheduleKind::Plateau,
            plateau: PlateauConfig::default(),
            warmup: 0.1,
            focal_gamma: 0.0,
            label_smoothing: 0.0,
            balanced_sampling: false,
            noise: 0.0,
            manifold_mixup: 0.0,
            averaging: AveragingKind::None,
            ema_decay: 0.99,
            swa_from: 10,
            curriculum: 0,
        }
    }
}

impl TrainConfig {
    /// Whether the encoder is kept as it was beside what tuning makes of it: a head sees it.
    pub fn keeps_frozen(&self) -> bool {
        let ensemble = self.head == HeadKind::Ensemble && !self.ensemble.frozen.is_empty();
        ensemble && !self.encoder.is_frozen()
    }

    /// The heads that are trained: one, or those of the ensemble.
    pub fn heads(&self) -> Vec<HeadKind> {
        if self.head == HeadKind::Ensemble { self.ensemble.heads.clone() } else { vec![self.head] }
    }
}

/// `[[train.tasks]]`: a column that is predicted beside the label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskConfig {
    /// A column of classes; empty cells are missing labels.
    pub column: String,
    /// Weight of its loss, the label's being 1, in `[0, 100]`; 0.3 by default.
    #[serde(default = "task_weight")]
    pub weight: f64,
}

pub(super) fn task_weight() -> f64 {
    0.3
}
