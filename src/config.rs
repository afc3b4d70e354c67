//! `pipeline.toml`: what a dataset is and how its model is made, as checked, typed settings; one struct a stage.
//!
//! Only the config file itself is read here. Relative paths in it are relative to the folder that holds it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use pipeline_encoder::{Backend, Precision};
use regex::Regex;
use serde::{Deserialize, Serialize};

/// A whole `pipeline.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the dataset and its model; folders under `data/` carry it. Letters, digits, `-` and `_`.
    pub name: String,
    /// Seed of every random choice. Each consumer derives a stream of its own from it by name.
    #[serde(default = "defaults::seed")]
    pub seed: u64,
    /// Raw files and text fields.
    pub data: DataConfig,
    /// Where the label comes from.
    pub label: LabelConfig,
    /// Tabular features joined to the embedding.
    #[serde(default)]
    pub features: FeatureConfig,
    /// The sentence encoder.
    #[serde(default)]
    pub encoder: EncoderConfig,
    /// Train, validation and test parts.
    #[serde(default)]
    pub split: SplitConfig,
    /// Augmentation of the training part.
    #[serde(default)]
    pub augment: AugmentConfig,
    /// The head and how it is trained.
    #[serde(default)]
    pub train: TrainConfig,
    /// Cross-validation.
    #[serde(default)]
    pub evaluate: EvaluateConfig,
    /// Limits that a model must keep.
    #[serde(default)]
    pub gates: GatesConfig,
    /// What `pipeline validate` demands of the data.
    #[serde(default)]
    pub validate: ValidateConfig,
    /// What `pipeline tune` tries.
    #[serde(default)]
    pub tune: TuneConfig,
}

/// `[data]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Glob patterns of the raw CSV files.
    pub files: Vec<String>,
    /// Glob patterns of files that are the test part as given; none by default, the test part is then drawn.
    #[serde(default)]
    pub test_files: Vec<String>,
    /// Columns that are text for the encoder, each embedded on its own.
    pub text_fields: Vec<String>,
    /// Embed all text fields joined into one text instead.
    #[serde(default)]
    pub join_text: bool,
    /// The column whose equal (normalised) value makes two rows duplicates; the first text field by default.
    #[serde(default)]
    pub title: Option<String>,
    /// The character between fields of a line.
    #[serde(default = "defaults::delimiter")]
    pub delimiter: char,
    /// Share of rejected rows in `[0, 1]` above which the run stops.
    #[serde(default = "defaults::max_rejected_share")]
    pub max_rejected_share: f64,
}

/// `[label]`: a column, or a range rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelConfig {
    /// The column that holds the class name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Classes by the midpoint of two numeric columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<RangeRule>,
}

/// `[label.range]`: the class is read off the midpoint of two columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RangeRule {
    /// Column of the lower bound.
    pub min: String,
    /// Column of the upper bound.
    pub max: String,
    /// The classes in ascending order.
    pub classes: Vec<RangeClass>,
}

/// One class of a [`RangeRule`]: it holds the midpoints from the class before up to, not including, `below`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RangeClass {
    /// Class name.
    pub name: String,
    /// Upper edge, exclusive; absent on the last class only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
}

/// `[features]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FeatureConfig {
    /// Numeric columns, standardised on the training part; an empty cell becomes the training mean.
    pub numeric: Vec<String>,
    /// Categorical columns, one input for each value seen often enough in the training part; a list has several.
    pub categorical: Vec<String>,
    /// Weights of the text fields' embeddings, 1 by default: how much a field says of the distance of two rows.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub field_weights: BTreeMap<String, f64>,
    /// For each text, how long and what kind it is: words, letters a word, exclamation and question marks.
    pub text_shape: bool,
    /// Let a kernel machine see words, pairs of words and groups of letters (TF-IDF) beside the embedding.
    pub terms: bool,
    /// A value with fewer training rows than this is encoded as "other".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_count: Option<usize>,
}

impl Default for FeatureConfig {
    fn default() -> Self {
        Self {
            numeric: Vec::new(),
            categorical: Vec::new(),
            field_weights: BTreeMap::new(),
            text_shape: true,
            terms: true,
            min_count: None,
        }
    }
}

/// `[encoder]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EncoderConfig {
    /// A sentence-transformers folder, the name of one that set-up installed, or a hub name (`owner/model`).
    pub model: String,
    /// Another encoder, whose embedding of a text stands beside the first one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second: Option<String>,
    /// Longer texts are cut to this many tokens; the model's own limit by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<usize>,
    /// Number format of the encoder's weights; by default the fastest that this processor has instructions for.
    pub precision: Precision,
    /// What runs it; by default the own pass where it can, else rust-bert.
    #[serde(skip_serializing_if = "is_auto")]
    pub backend: Backend,
    /// Worker threads; one a core by default. It changes the speed only, so it makes nothing stale.
    #[serde(skip_serializing)]
    pub workers: Option<usize>,
}

/// The default is not written, so that what was made before the key existed is not stale.
fn is_auto(backend: &Backend) -> bool {
    *backend == Backend::Auto
}

impl Default for EncoderConfig {
    fn default() -> Self {
        Self {
            model: "all-MiniLM-L6-v2".into(),
            second: None,
            max_tokens: None,
            precision: Precision::Auto,
            backend: Backend::Auto,
            workers: None,
        }
    }
}

/// `[split]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SplitConfig {
    /// Share of rows in the training part. The three shares add up to 1.
    pub train: f64,
    /// Share of rows in the validation part.
    pub validation: f64,
    /// Share of rows in the test part; not used where `data.test_files` gives it.
    pub test: f64,
    /// Rows whose embeddings have at least this cosine are near-duplicates and stay in one part.
    pub near_duplicate_cosine: f64,
    /// What to do with a row that has a near-duplicate in a given test part.
    pub given_test_duplicates: GivenTestDuplicates,
}

impl Default for SplitConfig {
    fn default() -> Self {
        Self {
            train: 0.8,
            validation: 0.1,
            test: 0.1,
            near_duplicate_cosine: 0.95,
            given_test_duplicates: GivenTestDuplicates::Drop,
        }
    }
}

/// Near-duplicates of a given test part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GivenTestDuplicates {
    /// They are neither trained on nor validated on.
    Drop,
    /// They are used, as published results on given test files do; the split log counts them.
    Keep,
}

/// `[augment]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentConfig {
    /// Synonym swap.
    pub synonyms: SynonymConfig,
    /// Random deletion and swap of words.
    pub eda: EdaConfig,
    /// Embedding mixup.
    pub mixup: MixupConfig,
    /// SMOTE.
    pub smote: SmoteConfig,
}

/// `[augment.smote]`: every class is filled up to the largest with points between its rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SmoteConfig {
    /// Whether, and from which rows.
    pub kind: SmoteKind,
    /// Nearest rows of the same class to choose from.
    pub k: usize,
    /// Borderline: nearest rows of any class that say whether a row is in danger.
    pub m: usize,
}

impl Default for SmoteConfig {
    fn default() -> Self {
        Self { kind: SmoteKind::Off, k: 3, m: 10 }
    }
}

/// Which rows SMOTE begins from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmoteKind {
    /// None.
    Off,
    /// All rows of a class (Chawla et al. 2002).
    Smote,
    /// Those near other classes (borderline-SMOTE 1, Han et al. 2005).
    Borderline,
}

/// `[augment.synonyms]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SynonymConfig {
    /// Variants tried for each training row; 0 switches synonym swap off.
    pub variants: usize,
    /// Text fields to vary; all by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<String>>,
    /// Share of a field's swappable words that are swapped, at least one word.
    pub swap_share: f64,
    /// A variant is kept only if its cosine to the original is at least this in every field …
    pub cosine_min: f64,
    /// … and at most this in a changed field: closer ones say nothing new.
    pub cosine_max: f64,
    /// Words never touched, besides those that carry the label (class names, numbers, words that predict a class).
    pub protect: Vec<String>,
}

impl Default for SynonymConfig {
    fn default() -> Self {
        Self {
            variants: 0,
            fields: None,
            swap_share: 0.2,
            cosine_min: 0.85,
            cosine_max: 0.999,
            protect: Vec::new(),
        }
    }
}

/// `[augment.eda]`: words left out and exchanged at random. Fields, protected words and band are those of
/// `[augment.synonyms]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EdaConfig {
    /// Variants tried for each training row; 0 switches it off.
    pub variants: usize,
    /// Chance of each word to be left out.
    pub deletion: f64,
    /// Pairs of words that are exchanged, as a share of the words.
    pub swap: f64,
}

impl Default for EdaConfig {
    fn default() -> Self {
        Self { variants: 0, deletion: 0.1, swap: 0.1 }
    }
}

/// `[augment.mixup]` (Zhang et al. 2018), on embeddings and features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MixupConfig {
    /// Mixed rows for each training row; 0 switches mixup off.
    pub ratio: f64,
    /// Fixed weight of the first parent, in `[0.5, 1)`; used when `alpha` is not set.
    pub lambda: f64,
    /// Draw the weight from Beta(α, α) instead; the first parent gets the larger part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f64>,
    /// Also mix rows of different classes, with soft labels.
    pub between_classes: bool,
}

impl Default for MixupConfig {
    fn default() -> Self {
        Self { ratio: 0.0, lambda: 0.7, alpha: None, between_classes: false }
    }
}

/// `[train]`. The keys after `class_weights` are a network's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// The kind of head.
    pub head: HeadKind,
    /// A kernel machine's settings.
    pub kernel: KernelConfig,
    /// Rows that vote in k-NN; chosen on the validation rows by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<usize>,
    /// Boosted trees' settings.
    pub trees: TreesConfig,
    /// The heads of an ensemble.
    pub ensemble: EnsembleConfig,
    /// Columns that are predicted beside the label.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskConfig>,
    /// Weight of the loss on the two numbers behind a `label.range`; 0 for a head that sees only the classes.
    pub range_weight: f64,
    /// Weight each class by the inverse of its share in the training part.
    pub class_weights: bool,
    /// Units of each hidden layer; empty for multinomial logistic regression.
    pub hidden: Vec<usize>,
    /// Share of hidden units dropped while training.
    pub dropout: f64,
    /// Batch normalisation before each ReLU.
    pub batch_norm: bool,
    /// How the last layer makes the label's probabilities.
    pub output: OutputKind,
    /// Networks trained together from different weights, their probabilities averaged.
    pub members: usize,
    /// Each member learns from all folds of the training rows but one of its own.
    pub member_folds: bool,
    /// Most epochs.
    pub epochs: usize,
    /// Rows a step.
    pub batch_size: usize,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// L2 penalty.
    pub weight_decay: f64,
    /// Early stopping: epochs without improvement.
    pub patience: usize,
    /// Early stopping: smallest fall of the validation loss that counts.
    pub min_delta: f64,
    /// How the learning rate changes.
    pub schedule: ScheduleKind,
    /// ReduceLROnPlateau.
    pub plateau: PlateauConfig,
    /// Share of all steps over which the cosine schedule warms up.
    pub warmup: f64,
    /// γ of the focal loss; 0 for cross entropy.
    pub focal_gamma: f64,
    /// Share of a target that is spread over all classes.
    pub label_smoothing: f64,
    /// Draw as many rows of each class in an epoch.
    pub balanced_sampling: bool,
    /// Standard deviation of the noise added to the inputs.
    pub noise: f64,
    /// α of manifold mixup; 0 for none.
    pub manifold_mixup: f64,
    /// Which weights are kept.
    pub averaging: AveragingKind,
    /// Decay a step of `averaging = "ema"`.
    pub ema_decay: f64,
    /// First epoch of `averaging = "swa"`.
    pub swa_from: usize,
    /// Epochs of each phase of a curriculum; 0 for none.
    pub curriculum: usize,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            head: HeadKind::Kernel,
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

/// The kind of head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeadKind {
    /// A kernel machine, solved in closed form: strong on hundreds to some ten thousand rows, trained in a second.
    Kernel,
    /// A multilayer perceptron, or multinomial logistic regression without hidden layers.
    Network,
    /// The nearest training rows vote.
    Knn,
    /// The nearest class mean.
    Prototypes,
    /// Gradient-boosted trees.
    Trees,
    /// Multinomial logistic regression; ridge regression for values.
    Logistic,
    /// Several of the others: `[train.ensemble]`.
    Ensemble,
}

/// `[train.trees]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TreesConfig {
    /// Most questions on the way to a leaf.
    pub depth: usize,
    /// Share of a tree's answer that is added.
    pub learning_rate: f64,
    /// Share of the inputs that a tree sees.
    pub columns: f64,
    /// Share of the rows that a tree sees.
    pub rows: f64,
}

impl Default for TreesConfig {
    fn default() -> Self {
        Self { depth: 5, learning_rate: 0.05, columns: 0.05, rows: 0.8 }
    }
}

/// `[train.ensemble]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EnsembleConfig {
    /// The heads, each trained on the same rows.
    pub heads: Vec<HeadKind>,
    /// Learn their weights on the validation rows; else all weigh the same.
    pub stacked: bool,
}

impl Default for EnsembleConfig {
    fn default() -> Self {
        Self { heads: vec![HeadKind::Kernel, HeadKind::Network], stacked: true }
    }
}

impl TrainConfig {
    /// The heads that are trained: one, or those of the ensemble.
    pub fn heads(&self) -> Vec<HeadKind> {
        if self.head == HeadKind::Ensemble { self.ensemble.heads.clone() } else { vec![self.head] }
    }
}

/// How a network's last layer makes the label's probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputKind {
    /// A score a class and softmax.
    Softmax,
    /// Ordered classes: one score and thresholds (CORAL).
    Coral,
    /// Ordered classes: the chance to pass each threshold after the one before (CORN).
    Corn,
}

/// How a network's learning rate changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// It does not.
    Constant,
    /// It falls when the validation loss stops falling: `[train.plateau]`.
    Plateau,
    /// It rises over `warmup`, then falls along half a cosine.
    Cosine,
    /// It rises and falls once (one-cycle).
    OneCycle,
}

/// Which weights of a network are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AveragingKind {
    /// Those of the best epoch.
    None,
    /// Their exponential moving average.
    Ema,
    /// The mean over the epochs from `swa_from` on.
    Swa,
}

/// `[train.kernel]`. What is not given is chosen by leave-one-out loss on the training rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KernelConfig {
    /// Up to so many training rows, every row is compared with all of them.
    pub exact_rows: usize,
    /// Beyond that, training rows that every row is compared with.
    pub landmarks: usize,
    /// γ of the Gaussian kernel, in units of 1 / variance of the inputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gamma: Option<f64>,
    /// Ridge penalty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ridge: Option<f64>,
    /// Factor on the standardised tabular inputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature_weight: Option<f64>,
    /// Weight of the words and letters (`features.terms`) beside the embedding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub term_weight: Option<f64>,
}

impl Default for KernelConfig {
    fn default() -> Self {
        Self {
            exact_rows: 10_000,
            landmarks: 5000,
            gamma: None,
            ridge: None,
            feature_weight: None,
            term_weight: None,
        }
    }
}

/// `[[train.tasks]]`: a column that is predicted beside the label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskConfig {
    /// A column of classes; empty cells are missing labels.
    pub column: String,
    /// Weight of its loss, the label's being 1.
    #[serde(default = "defaults::task_weight")]
    pub weight: f64,
}

/// `[train.plateau]`: the learning rate falls when the validation loss stops falling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlateauConfig {
    /// Factor applied to the learning rate.
    pub factor: f64,
    /// Epochs without improvement that are tolerated.
    pub patience: usize,
    /// The learning rate never falls below this.
    pub min_learning_rate: f64,
}

impl Default for PlateauConfig {
    fn default() -> Self {
        Self { factor: 0.5, patience: 2, min_learning_rate: 1e-6 }
    }
}

/// `[evaluate]`: repeated stratified group k-fold cross-validation over the rows outside the test part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluateConfig {
    /// Folds of a repeat.
    pub folds: usize,
    /// Times that the rows are dealt to folds anew.
    pub repeats: usize,
}

impl Default for EvaluateConfig {
    fn default() -> Self {
        Self { folds: 5, repeats: 3 }
    }
}

/// `[gates]`: limits that a model must keep to be put to use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatesConfig {
    /// Test accuracy must be above this share …
    pub test_accuracy: f64,
    /// … with half its 95 % interval below this.
    pub test_accuracy_half_width: f64,
    /// F1 of every class must be above this.
    pub class_f1: f64,
    /// Validation loss minus training loss must be below this many nats.
    pub loss_gap: f64,
    /// Standard deviation of the validation accuracy over the last epochs must be below this share.
    pub validation_accuracy_deviation: f64,
    /// There must be more usable rows than this …
    pub rows: usize,
    /// … and more test rows than this.
    pub test_rows: usize,
}

impl Default for GatesConfig {
    fn default() -> Self {
        Self {
            test_accuracy: 0.85,
            test_accuracy_half_width: 0.03,
            class_f1: 0.75,
            loss_gap: 0.1,
            validation_accuracy_deviation: 0.02,
            rows: 5000,
            test_rows: 500,
        }
    }
}

/// `[tune]`: what `pipeline tune` tries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TuneConfig {
    /// Configs tried in each search.
    pub trials: usize,
    /// Inner folds on which a config is measured.
    pub folds: usize,
    /// What is to be best, over the inner folds.
    pub metric: TuneMetric,
    /// Values of a key of this file, by its dotted name; a space that suits the head by default.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub space: BTreeMap<String, SpaceAxis>,
}

impl Default for TuneConfig {
    fn default() -> Self {
        Self { trials: 20, folds: 4, metric: TuneMetric::LogLoss, space: BTreeMap::new() }
    }
}

/// What a search makes as good as it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TuneMetric {
    /// The least log loss: it sees every row's probability and is the steadiest.
    LogLoss,
    /// The greatest macro-F1.
    MacroF1,
    /// The greatest accuracy.
    Accuracy,
}

/// The values that one key may have in a search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields, expecting = "expected a list of values, or { low, high, log, whole }")]
pub enum SpaceAxis {
    /// One of these.
    Choices(Vec<toml::Value>),
    /// A number between two others.
    Span {
        /// The least.
        low: f64,
        /// The greatest.
        high: f64,
        /// Drawn by its logarithm.
        #[serde(default)]
        log: bool,
        /// A whole number.
        #[serde(default)]
        whole: bool,
    },
}

/// `[validate]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ValidateConfig {
    /// Text fields that are compared to find near-duplicates; all by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub near_duplicate_fields: Option<Vec<String>>,
    /// Mean cosine over those fields from which two rows are near-duplicates.
    pub near_duplicate_cosine: f64,
    /// Largest share of rows that may have a near-duplicate.
    pub max_near_duplicate_share: f64,
    /// Two rows with the same normalised title are an error.
    pub unique_titles: bool,
    /// A class with fewer rows is an error.
    pub min_class_rows: usize,
    /// Regular expressions of texts that name the label outright.
    pub names_label: Vec<String>,
    /// The values that a column may have; items, where cells are lists.
    pub allowed: BTreeMap<String, Vec<String>>,
    /// Least and greatest number of a column.
    pub range: BTreeMap<String, [f64; 2]>,
    /// Most rows listed as probably mislabelled.
    pub suspects: usize,
    /// Glob patterns of CSV files with second labels: the title column and the label's columns. Agreement of the two
    /// labellers is reported.
    pub second_labels: Vec<String>,
}

impl Default for ValidateConfig {
    fn default() -> Self {
        Self {
            near_duplicate_fields: None,
            near_duplicate_cosine: 0.92,
            max_near_duplicate_share: 0.05,
            unique_titles: false,
            min_class_rows: 20,
            names_label: Vec::new(),
            allowed: BTreeMap::new(),
            range: BTreeMap::new(),
            suspects: 30,
            second_labels: Vec::new(),
        }
    }
}

impl ValidateConfig {
    /// The compiled patterns of `names_label`.
    ///
    /// # Errors
    /// The first that is no regular expression, with the reason.
    pub fn patterns(&self) -> Result<Vec<Regex>, String> {
        self.names_label.iter().map(|p| Regex::new(p).map_err(|e| e.to_string())).collect()
    }
}

mod defaults {
    pub fn seed() -> u64 {
        42
    }
    pub fn delimiter() -> char {
        ','
    }
    pub fn max_rejected_share() -> f64 {
        0.05
    }
    pub fn task_weight() -> f64 {
        0.3
    }
}

/// Why a config cannot be used. Every message names the file and the key.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the config {}: {source}\n  hint: run in the folder that holds pipeline.toml, or name one with --config", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not the TOML it should be.
    #[error("{}: {message}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why, and the nearest known key.
        message: String,
    },
    /// A value is out of its range or contradicts another.
    #[error("{}: {key} {problem}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The key, dotted.
        key: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A column that the label is computed from is also an input.
    #[error(
        "{}: `{column}` is in {key}, but the label is computed from it\n  \
         A model that sees the column its label comes from only learns to read the label back: the network this \
         project replaces had the ages in its text, reported 81.31 % on one lucky split and had 73.9 % on honest ones.\n  \
         hint: remove `{column}` from {key}",
        path.display()
    )]
    LabelLeak {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// `data.text_fields`, `features.numeric`, …
        key: &'static str,
    },
}

impl Config {
    /// Read and check the file at `path`.
    ///
    /// # Errors
    /// The file is unreadable, not TOML, has an unknown key (the nearest known one is named), a value out of range,
    /// or lets the label into the input.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Read and check `text`; `path` is where it comes from, for messages.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|e| ConfigError::Parse {
            path: path.to_owned(),
            message: with_nearest_key(e.to_string().trim_end()),
        })?;
        config.check(path)?;
        Ok(config)
    }

    fn check(&self, path: &Path) -> Result<(), ConfigError> {
        let invalid = |key: &str, problem: String| {
            Err(ConfigError::Invalid { path: path.to_owned(), key: key.into(), problem })
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return invalid("name", format!("is `{}`; use letters, digits, `-` and `_`", self.name));
        }
        if self.data.files.is_empty() {
            return invalid(
                "data.files",
                "names no file; give at least one pattern such as \"data/raw/*.csv\"".into(),
            );
        }
        if self.data.text_fields.is_empty() {
            return invalid("data.text_fields", "is empty; name the columns that hold text".into());
        }
        let delimiter = self.data.delimiter;
        if !delimiter.is_ascii() || delimiter == '"' || delimiter == '\n' || delimiter == '\r' {
            return invalid(
                "data.delimiter",
                format!("is {delimiter:?}; use one ASCII character such as , or ;"),
            );
        }
        for (key, value, range) in self.ranges() {
            if !(range.0..=range.1).contains(&value) {
                return invalid(key, format!("is {value}; it must lie between {} and {}", range.0, range.1));
            }
        }
        for (key, value) in self.counts() {
            if value == 0 {
                return invalid(key, "is 0; it must be at least 1".into());
            }
        }
        if self.train.batch_norm && self.train.batch_size < 2 {
            return invalid(
                "train.batch_size",
                "is 1; batch normalisation needs at least 2 rows a step".into(),
            );
        }
        let augments = self.augment.synonyms.variants + self.augment.eda.variants > 0
            || self.augment.mixup.ratio > 0.0
            || self.augment.smote.kind != SmoteKind::Off;
        if self.train.heads().contains(&HeadKind::Kernel) && augments {
            return invalid(
                "augment",
                "is on, but a kernel machine is fitted by leaving out one row at a time, which rows made from others \
                 would spoil; set train.head = \"network\", or remove [augment]"
                    .into(),
            );
        }
        let heads = &self.train.ensemble.heads;
        let repeated = heads.iter().enumerate().any(|(i, head)| heads[..i].contains(head));
        if heads.len() < 2 || repeated || heads.contains(&HeadKind::Ensemble) {
            let problem =
                "needs two or more different heads: kernel, network, knn, prototypes, trees, logistic".into();
            return invalid("train.ensemble.heads", problem);
        }
        if self.train.output != OutputKind::Softmax && self.label.range.is_none() {
            return invalid("train.output", "is for ordered classes, which label.range makes".into());
        }
        for (key, folds) in [("evaluate.folds", self.evaluate.folds), ("tune.folds", self.tune.folds)] {
            if folds < 2 {
                return invalid(key, "must be at least 2".into());
            }
        }
        for (key, axis) in &self.tune.space {
            let fits = match axis {
                SpaceAxis::Choices(choices) => !choices.is_empty(),
                SpaceAxis::Span { low, high, log, .. } => low < high && (!log || *low > 0.0),
            };
            if !fits {
                let problem = "needs a value to choose, or low < high, with log also 0 < low".into();
                return invalid(&format!("tune.space.{key}"), problem);
            }
            let tunable = ["features.", "augment.", "train."].iter().any(|section| key.starts_with(section));
            if !tunable && key != "data.join_text" {
                let problem =
                    "cannot be tuned; keys of features, augment and train can, and data.join_text".into();
                return invalid(&format!("tune.space.{key}"), problem);
            }
        }
        if self.train.member_folds && self.train.members == 1 {
            return invalid(
                "train.member_folds",
                "needs train.members of at least 2: a single one would learn from no row".into(),
            );
        }
        if self.train.hidden.contains(&0) {
            return invalid("train.hidden", "has a layer of 0 units; leave the layer out".into());
        }
        let sum = self.split.train + self.split.validation + self.split.test;
        if (sum - 1.0).abs() > 1e-6 {
            return invalid("split", format!("shares add up to {sum}; train + validation + test must be 1"));
        }
        let synonyms = &self.augment.synonyms;
        if synonyms.cosine_min > synonyms.cosine_max {
            let (low, high) = (synonyms.cosine_min, synonyms.cosine_max);
            return invalid(
                "augment.synonyms",
                format!("cosine_min {low} is above cosine_max {high}; no variant could be kept"),
            );
        }
        if let Some((field, weight)) =
            self.features.field_weights.iter().find(|(_, w)| !(0.0..=1e3).contains(*w))
        {
            return invalid(
                "features.field_weights",
                format!("gives `{field}` {weight}; weights are from 0 to 1000"),
            );
        }
        let weighted: Vec<String> = self.features.field_weights.keys().cloned().collect();
        if self.data.join_text && !weighted.is_empty() {
            return invalid("features.field_weights", "has no fields to weight with data.join_text".into());
        }
        for (key, fields) in [
            ("features.field_weights", &Some(weighted)),
            ("augment.synonyms.fields", &synonyms.fields),
            ("validate.near_duplicate_fields", &self.validate.near_duplicate_fields),
        ] {
            if let Some(field) = fields.iter().flatten().find(|f| !self.data.text_fields.contains(f)) {
                let near = nearest(field, self.data.text_fields.iter().map(String::as_str));
                return invalid(key, format!("names `{field}`, which is not a text field{near}"));
            }
        }
        if let Err(reason) = self.validate.patterns() {
            return invalid(
                "validate.names_label",
                format!("has a pattern that is no regular expression: {reason}"),
            );
        }
        self.check_label(path, &invalid)?;
        self.check_columns(path, &invalid)
    }

    /// Weight of each text field's embedding, in their order.
    pub fn field_weights(&self) -> Vec<f32> {
        let weight = |field| self.features.field_weights.get(field).copied().unwrap_or(1.0) as f32;
        self.data.text_fields.iter().map(weight).collect()
    }

    fn ranges(&self) -> Vec<(&'static str, f64, (f64, f64))> {
        let (split, synonyms, mixup, train) =
            (&self.split, &self.augment.synonyms, &self.augment.mixup, &self.train);
        vec![
            ("data.max_rejected_share", self.data.max_rejected_share, (0.0, 1.0)),
            ("split.train", split.train, (0.01, 0.98)),
            ("split.validation", split.validation, (0.01, 0.98)),
            ("split.test", split.test, (0.0, 0.98)),
            ("split.near_duplicate_cosine", split.near_duplicate_cosine, (0.5, 1.01)),
            ("validate.near_duplicate_cosine", self.validate.near_duplicate_cosine, (0.5, 1.0)),
            ("validate.max_near_duplicate_share", self.validate.max_near_duplicate_share, (0.0, 1.0)),
            ("augment.synonyms.swap_share", synonyms.swap_share, (0.0, 1.0)),
            ("augment.synonyms.cosine_min", synonyms.cosine_min, (-1.0, 1.0)),
            ("augment.synonyms.cosine_max", synonyms.cosine_max, (-1.0, 1.0)),
            ("augment.eda.deletion", self.augment.eda.deletion, (0.0, 0.9)),
            ("augment.eda.swap", self.augment.eda.swap, (0.0, 0.5)),
            ("augment.mixup.ratio", mixup.ratio, (0.0, 100.0)),
            ("augment.mixup.lambda", mixup.lambda, (0.5, 0.999)),
            ("augment.mixup.alpha", mixup.alpha.unwrap_or(1.0), (0.01, 100.0)),
            ("train.dropout", train.dropout, (0.0, 0.95)),
            ("train.learning_rate", train.learning_rate, (1e-8, 10.0)),
            ("train.weight_decay", train.weight_decay, (0.0, 10.0)),
            ("train.range_weight", train.range_weight, (0.0, 100.0)),
            ("train.kernel.gamma", train.kernel.gamma.unwrap_or(1.0), (1e-4, 1e4)),
            ("train.kernel.ridge", train.kernel.ridge.unwrap_or(1.0), (1e-4, 1e4)),
            ("train.kernel.feature_weight", train.kernel.feature_weight.unwrap_or(1.0), (0.0, 1e4)),
            ("train.kernel.term_weight", train.kernel.term_weight.unwrap_or(1.0), (0.0, 1e4)),
            ("train.trees.learning_rate", train.trees.learning_rate, (1e-4, 1.0)),
            ("train.trees.columns", train.trees.columns, (1e-4, 1.0)),
            ("train.trees.rows", train.trees.rows, (0.01, 1.0)),
            ("train.warmup", train.warmup, (0.0, 0.9)),
            ("train.focal_gamma", train.focal_gamma, (0.0, 10.0)),
            ("train.label_smoothing", train.label_smoothing, (0.0, 0.9)),
            ("train.noise", train.noise, (0.0, 10.0)),
            ("train.manifold_mixup", train.manifold_mixup, (0.0, 10.0)),
            ("train.ema_decay", train.ema_decay, (0.0, 0.99999)),
            ("train.min_delta", train.min_delta, (0.0, 10.0)),
            ("train.plateau.factor", train.plateau.factor, (0.01, 1.0)),
            ("train.plateau.min_learning_rate", train.plateau.min_learning_rate, (0.0, 10.0)),
        ]
    }

    fn counts(&self) -> Vec<(&'static str, usize)> {
        vec![
            ("encoder.workers", self.encoder.workers.unwrap_or(1)),
            ("encoder.max_tokens", self.encoder.max_tokens.unwrap_or(1)),
            ("train.kernel.exact_rows", self.train.kernel.exact_rows),
            ("train.kernel.landmarks", self.train.kernel.landmarks),
            ("train.nearest", self.train.nearest.unwrap_or(1)),
            ("train.trees.depth", self.train.trees.depth),
            ("train.members", self.train.members),
            ("train.swa_from", self.train.swa_from),
            ("augment.smote.k", self.augment.smote.k),
            ("augment.smote.m", self.augment.smote.m),
            ("train.epochs", self.train.epochs),
            ("train.batch_size", self.train.batch_size),
            ("train.patience", self.train.patience),
            ("evaluate.repeats", self.evaluate.repeats),
            ("tune.trials", self.tune.trials),
        ]
    }

    fn check_label(
        &self,
        path: &Path,
        invalid: &dyn Fn(&str, String) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        let rule = match (&self.label.column, &self.label.range) {
            (Some(_), None) => return Ok(()),
            (None, Some(rule)) => rule,
            (None, None) => {
                return invalid(
                    "label",
                    "is empty; set label.column, or label.range for classes by a number range".into(),
                );
            }
            (Some(_), Some(_)) => return invalid("label", "has both column and range; keep one".into()),
        };
        if rule.classes.len() < 2 {
            return invalid("label.range.classes", "needs at least two classes".into());
        }
        let (last, others) = rule.classes.split_last().unwrap_or_else(|| unreachable!("two classes"));
        let edges: Option<Vec<f64>> = others.iter().map(|c| c.below).collect();
        match edges {
            Some(edges) if last.below.is_none() && edges.is_sorted_by(|a, b| a < b) => {}
            _ => {
                return invalid(
                    "label.range.classes",
                    "must have ascending `below` edges on all classes but the last, which has none".into(),
                );
            }
        }
        let names: BTreeSet<&str> = rule.classes.iter().map(|c| c.name.as_str()).collect();
        if names.len() < rule.classes.len() || names.contains("") {
            return invalid("label.range.classes", "must have different, non-empty names".into());
        }
        let _ = path;
        Ok(())
    }

    fn check_columns(
        &self,
        path: &Path,
        invalid: &dyn Fn(&str, String) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        let mut seen = BTreeSet::new();
        // Headers are matched without regard to case, so the guard must be, too.
        let same = |name: &str| name.trim().to_lowercase();
        let is_label = |column: &str| self.label_columns().iter().any(|l| same(l) == same(column));
        for (key, columns) in self.inputs() {
            for column in columns {
                if is_label(column) {
                    return Err(ConfigError::LabelLeak {
                        path: path.to_owned(),
                        column: column.clone(),
                        key,
                    });
                }
                if !seen.insert(same(column)) {
                    return invalid(key, format!("names `{column}` a second time; a column is used once"));
                }
            }
        }
        for task in &self.train.tasks {
            let column = &task.column;
            if is_label(column) {
                return invalid("train.tasks", format!("names `{column}`, which is the label already"));
            }
            if !seen.insert(same(column)) {
                return invalid(
                    "train.tasks",
                    format!("names `{column}`, which is an input too; the model would only read it back"),
                );
            }
        }
        if let Some(title) = &self.data.title
            && is_label(title)
        {
            return invalid(
                "data.title",
                format!("is the label column `{title}`; rows would be grouped by their label"),
            );
        }
        let files: BTreeSet<String> = self.encoded_fields().iter().map(|f| file_name(f)).collect();
        if files.len() < self.encoded_fields().len() {
            return invalid(
                "data.text_fields",
                "has names that differ in punctuation only; rename a column".into(),
            );
        }
        Ok(())
    }

    fn inputs(&self) -> [(&'static str, &[String]); 3] {
        [
            ("data.text_fields", &self.data.text_fields),
            ("features.numeric", &self.features.numeric),
            ("features.categorical", &self.features.categorical),
        ]
    }

    /// The columns that the label is computed from.
    pub fn label_columns(&self) -> Vec<&str> {
        match (&self.label.column, &self.label.range) {
            (Some(column), _) => vec![column],
            (None, Some(rule)) => vec![&rule.min, &rule.max],
            (None, None) => vec![],
        }
    }

    /// The column whose equal value makes two rows duplicates.
    pub fn title(&self) -> &str {
        self.data.title.as_deref().unwrap_or(&self.data.text_fields[0])
    }

    /// Every column the config names, each once, label columns first.
    pub fn columns(&self) -> Vec<&str> {
        let mut columns = self.label_columns();
        columns.extend(self.inputs().into_iter().flat_map(|(_, c)| c).map(String::as_str));
        columns.extend(self.train.tasks.iter().map(|task| task.column.as_str()));
        if !columns.contains(&self.title()) {
            columns.push(self.title());
        }
        columns
    }

    /// Names of the texts each row has for the encoder: the text fields, or one joined text.
    pub fn encoded_fields(&self) -> Vec<String> {
        if self.data.join_text { vec!["text".into()] } else { self.data.text_fields.clone() }
    }

    /// A seed for the consumer `name`, so that adding a consumer does not move the others.
    pub fn seed_for(&self, name: &str) -> u64 {
        let hash = blake3::hash(format!("{}/{name}", self.seed).as_bytes());
        u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap_or_else(|_| unreachable!("8 bytes")))
    }
}

/// The name of a text field as a file name: letters, digits, `-` and `_`.
pub fn file_name(field: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    field.chars().map(plain).collect()
}

/// ` (did you mean `x`?)` for the known name nearest to `name`, or nothing when none is near.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    known
        .map(|k| (strsim::jaro_winkler(name, k), k))
        .filter(|(similarity, _)| *similarity > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or(String::new(), |(_, k)| format!(" (did you mean `{k}`?)"))
}

/// Add the nearest known key to serde's "unknown field `x`, expected one of `a`, `b`".
fn with_nearest_key(message: &str) -> String {
    let Some(at) = message.find("unknown field `") else { return message.to_owned() };
    let mut names = message[at..].split('`').skip(1).step_by(2);
    let Some(unknown) = names.next() else { return message.to_owned() };
    let near = nearest(unknown, names);
    if near.is_empty() { message.to_owned() } else { format!("{message}\n  unknown key `{unknown}`{near}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        name = "t"
        [data]
        files = ["a.csv"]
        text_fields = ["title", "how"]
        [label.range]
        min = "age_min"
        max = "age_max"
        classes = [{ name = "low", below = 3.5 }, { name = "high" }]
    "#;

    fn load(text: &str) -> Result<Config, ConfigError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Config::load(file.path())
    }

    fn error(text: &str) -> String {
        load(text).unwrap_err().to_string()
    }

    #[test]
    fn defaults_are_those_of_the_default_head() {
        let config = load(GOOD).unwrap();
        assert_eq!(config.train.head, HeadKind::Kernel);
        assert_eq!((config.train.patience, config.train.batch_size), (5, 64));
        assert_eq!(config.title(), "title");
        assert_eq!(config.columns(), ["age_min", "age_max", "title", "how"]);
    }

    #[test]
    fn an_unknown_key_names_the_nearest() {
        let message = error(&format!("{GOOD}\n[train]\ndropuot = 0.1"));
        assert!(message.contains("did you mean `dropout`?"), "{message}");
        assert!(message.contains("line 12"), "{message}");
    }

    #[test]
    fn the_label_cannot_be_an_input() {
        for (section, key) in [
            ("numeric = [\"age_min\"]", "features.numeric"),
            ("categorical = [\"age_max\"]", "features.categorical"),
        ] {
            let message = error(&format!("{GOOD}\n[features]\n{section}"));
            assert!(message.contains("label is computed from it") && message.contains(key), "{message}");
        }
        let message = error(&GOOD.replace("\"how\"", "\"age_min\""));
        assert!(message.contains("data.text_fields"), "{message}");
    }

    #[test]
    fn bad_values_are_refused_by_key() {
        for (section, key) in [
            ("[train]\ndropout = 1.5", "train.dropout"),
            ("[train]\nbatch_size = 0", "train.batch_size"),
            ("[split]\ntrain = 0.9", "split"),
            ("[augment.synonyms]\nfields = [\"titel\"]", "did you mean `title`"),
            ("[augment.synonyms]\ncosine_min = 0.9\ncosine_max = 0.8", "augment.synonyms"),
            ("[augment.eda]\ndeletion = 1.0", "augment.eda.deletion"),
            ("[features]\nfield_weights = { titel = 2 }", "did you mean `title`"),
            ("[features]\nfield_weights = { title = -1 }", "features.field_weights"),
            ("[features]\nnumeric = [\"a\", \"A\"]", "second time"),
            ("[features]\nnumeric = [\"Age_Min\"]", "label is computed from it"),
            ("[train]\nbatch_size = 1", "batch normalisation"),
            ("[train]\nmember_folds = true", "train.members of at least 2"),
            ("[train]\nensemble = { heads = [\"kernel\"] }", "two or more different heads"),
            ("[train]\nhead = \"ensemble\"\n[augment.mixup]\nratio = 1", "kernel machine"),
        ] {
            let message = error(&format!("{GOOD}\n{section}"));
            assert!(message.contains(key), "{section}: {message}");
        }
        assert!(error(&GOOD.replace("below = 3.5", "below = 3.5, blow = 1")).contains("below"));
        assert!(error(&GOOD.replace(", below = 3.5", "")).contains("label.range.classes"));
        assert!(error(&GOOD.replace("\"t\"", "\"a/b\"")).contains("name is `a/b`"));
    }

    #[test]
    fn seeds_differ_by_consumer_and_stay_the_same() {
        let config = load(GOOD).unwrap();
        assert_eq!(config.seed_for("split"), config.seed_for("split"));
        assert_ne!(config.seed_for("split"), config.seed_for("fit"));
    }
}
