//! Training rows to a head: class weights, targets, the recipe that the config asks for, the history.
//!
//! The heads themselves are in [`crate::heads`]. Metrics beyond the loss are made elsewhere.

use std::ops::ControlFlow;

use crate::augment::Mixed;
use crate::config::{AveragingKind, FeatureConfig, HeadKind, OutputKind, ScheduleKind, TrainConfig};
use crate::heads::{
    self, Averaging, Block, BlockKind, Epoch, FitData, Fitted, Head, HeadError, HeadShape, KernelSettings,
    LeftOut, NeighbourSettings, NetworkSettings, NetworkShape, Networks, Output, Recipe, Rows, Schedule,
    TreeSettings, Views, outputs, softmax,
};
use crate::inputs::{InputEncoder, KnownDistances, RawInputs};
use crate::progress::Progress;

/// What a head is trained from. Rows are indices of the dataset.
pub struct TrainInput<'a> {
    /// Inputs of the dataset's rows.
    pub rows: &'a RawInputs,
    /// Class of each row of the dataset.
    pub classes: &'a [usize],
    /// What each row of the dataset teaches, `rows × classes`: shares of the classes that add up to what the row counts.
    pub taught: &'a [f32],
    /// Group of near-duplicates of each row of the dataset.
    pub groups: &'a [usize],
    /// Which rows of the dataset teach, and are no example of what is to be answered.
    pub teach_only: &'a [bool],
    /// Number of classes.
    pub class_count: usize,
    /// The two numbers behind each row's class, where it comes from a range; else empty.
    pub ranges: &'a [[f32; 2]],
    /// What else is to be predicted of each row.
    pub tasks: &'a [Task],
    /// Rows of the training part.
    pub train: &'a [usize],
    /// Rows of the validation part.
    pub validation: &'a [usize],
    /// Inputs of the synonym variants.
    pub variants: &'a RawInputs,
    /// Parent row of each variant, all in `train`.
    pub parents: &'a [usize],
    /// Mixed rows, their parents all in `train`.
    pub mixed: &'a [Mixed],
    /// Texts of a row.
    pub fields: usize,
}

/// A column that is predicted beside the label.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Its name.
    pub column: String,
    /// Its values, in the order of the answer.
    pub classes: Vec<String>,
    /// Weight of its loss.
    pub weight: f64,
    /// Class of each row of the dataset, `None` where it is missing.
    pub rows: Vec<Option<usize>>,
}

impl TrainInput<'_> {
    /// What a row of the dataset teaches, one share a class.
    fn taught_by(&self, row: usize) -> &[f32] {
        &self.taught[row * self.class_count..(row + 1) * self.class_count]
    }
}

/// What of a row's columns and texts a head sees beside the embedding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeatureSettings {
    /// Training rows that a categorical value needs; one with fewer is "other".
    pub min_count: usize,
    /// Whether the head sees words and letters, too.
    pub terms: bool,
}

impl FeatureSettings {
    /// Of a config; words and letters are made only where one of the heads looks at them.
    pub fn new(features: &FeatureConfig, train: &TrainConfig) -> Self {
        Self {
            min_count: features.min_count.unwrap_or(MIN_COUNT),
            terms: features.terms && train.heads().contains(&HeadKind::Kernel),
        }
    }
}

/// Training rows that a categorical value needs by default.
const MIN_COUNT: usize = 5;

/// A trained head with what is needed to use it.
pub struct Trained {
    /// The head.
    pub head: Box<dyn Head>,
    /// Its shape.
    pub shape: HeadShape,
    /// Its parameters, as [`Fitted::parameters`].
    pub parameters: usize,
    /// How raw inputs become the head's.
    pub inputs: InputEncoder,
    /// All epochs.
    pub history: Vec<Epoch>,
    /// The epoch that was kept.
    pub best_epoch: usize,
    /// Whether early stopping ended the training.
    pub stopped_early: bool,
    /// Rows of the training part, augmented ones included.
    pub training_rows: usize,
    /// Probabilities of the label for the validation rows, `n × classes`, of a head that has not learned them.
    pub validation: Vec<f32>,
    /// The validation rows and, where the head can leave training rows out with their groups, these.
    pub not_learned: NotLearned,
}

/// Answers to rows by a head that has learned neither them nor their groups: what a temperature may be fitted on.
pub struct NotLearned {
    /// Rows of the dataset.
    pub rows: Vec<usize>,
    /// Probabilities of the label, `rows × classes`.
    pub probabilities: Vec<f32>,
}

/// Train one head.
///
/// Everything that learns (standardisation, categories, vocabulary, class weights) learns from the rows of the training
/// part.
///
/// # Errors
/// As [`heads::fit`].
///
/// # Panics
/// If an augmented row has a parent outside the training part: that is a bug of the caller, and a leak.
pub fn train(
    input: &TrainInput<'_>,
    config: &TrainConfig,
    features: FeatureSettings,
    seed: u64,
    networks: Option<&dyn Networks>,
    progress: &dyn Progress,
) -> Result<Trained, HeadError> {
    let mut in_training = vec![false; input.classes.len()];
    input.train.iter().for_each(|&row| in_training[row] = true);
    let parents = input.parents.iter().copied().chain(input.mixed.iter().flat_map(|m| [m.first, m.second]));
    assert!(
        parents.into_iter().all(|p| in_training[p]),
        "an augmented row descends from a row outside training"
    );

    let encoder = InputEncoder::learn(input.rows, input.train, features.min_count, features.terms);
    let teacher = Targets::learn(input, config.range_weight);
    let width = encoder.width();
    let mut inputs = encoder.encode(input.rows, input.train);
    inputs.extend(encoder.encode(input.variants, &(0..input.parents.len()).collect::<Vec<_>>()));
    let mut targets = teacher.of(input.train);
    targets.extend(teacher.of(input.parents));
    // A variant is of its parent's group, a mixed row of both its parents'; so a row that only teaches, mixed of its own group
    // and of one that nothing else is of, is no example either.
    let group = |row: usize| {
        let own = input.groups[row];
        [own, if input.teach_only[row] { input.groups.len() + row } else { own }]
    };
    // Variants are no examples either: what will be asked is written by people.
    let beyond = input.groups.len() + input.classes.len();
    let of_variants =
        input.parents.iter().enumerate().map(|(variant, &row)| [input.groups[row], beyond + variant]);
    let mut groups: Vec<[usize; 2]> = input.train.iter().map(|&row| group(row)).chain(of_variants).collect();
    for mixed in input.mixed {
        let rows = [mixed.first, mixed.second];
        let weights = [mixed.lambda, 1.0 - mixed.lambda];
        inputs.extend(blend(&encoder.encode(input.rows, &rows), weights));
        targets.extend(blend(&teacher.of(&rows), weights));
        groups.push(rows.map(|row| input.groups[row]));
    }
    let [train_terms, validation_terms] =
        [input.train, input.validation].map(|rows| encoder.terms(input.rows, rows));
    let of_variants = encoder.terms(input.variants, &(0..input.parents.len()).collect::<Vec<_>>());
    let train_terms = train_terms.zip(of_variants).map(|(own, of_variants)| own.above(&of_variants));
    // Rows that the dataset does not have are in no list of its distances.
    let of_dataset = input.parents.is_empty() && input.mixed.is_empty();
    let distances = input.rows.distances().filter(|_| of_dataset);
    let distances_of = |rows| distances.map(|all| KnownDistances { all, rows });
    let truth: Vec<usize> = input.train.iter().map(|&row| input.classes[row]).collect();
    let data = FitData {
        inputs: width,
        embedding_dims: encoder.embedding_dims(),
        blocks: &teacher.blocks,
        class_weights: class_weights(&truth, input.class_count, config.class_weights),
        train: Rows {
            inputs: &inputs,
            terms: train_terms.as_ref(),
            targets: &targets,
            groups: Some(&groups),
            distances: distances_of(input.train),
        },
        validation: Rows {
            inputs: &encoder.encode(input.rows, input.validation),
            terms: validation_terms.as_ref(),
            targets: &teacher.of(input.validation),
            groups: Some(&input.validation.iter().map(|&row| group(row)).collect::<Vec<_>>()),
            distances: distances_of(input.validation),
        },
        seed,
    };
    let sees = config.keeps_frozen().then(|| views(config, input.fields, encoder.embedding_dims(), width));
    let recipe = recipe(config, config.head, width, sees, &teacher.blocks);
    let epochs = if config.head == HeadKind::Network { config.epochs } else { 1 };
    progress.start("training", epochs as u64, "epochs");
    let fitted = heads::fit(&recipe, &data, networks, &mut |_| {
        progress.advance(1);
        if progress.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    progress.finish();
    let Fitted { head, shape, parameters, history, best_epoch, stopped_early, validation, left_out } =
        fitted?;
    let logits = match validation {
        Some(logits) => logits,
        None => head.logits(data.validation.inputs, data.validation.terms)?,
    };
    let outputs = outputs(&teacher.blocks);
    let probabilities = |logits: &[f32]| {
        let label = logits.chunks_exact(outputs).flat_map(|row| &row[..input.class_count]);
        let mut label: Vec<f32> = label.copied().collect();
        label.chunks_exact_mut(input.class_count).for_each(softmax);
        label
    };
    let validation = probabilities(&logits);
    let mut not_learned = NotLearned { rows: input.validation.to_vec(), probabilities: validation.clone() };
    // What a tuned encoder has learned, no head can leave out.
    let left_out = left_out.filter(|_| config.encoder.is_frozen());
    if let Some(LeftOut { rows, logits }) = left_out {
        // Variants, which stand behind the rows of the dataset, are not what will be asked.
        let own = rows.iter().zip(logits.chunks_exact(outputs)).filter(|(row, _)| **row < input.train.len());
        for (&row, logits) in own {
            not_learned.rows.push(input.train[row]);
            not_learned.probabilities.extend(probabilities(logits));
        }
    }
    Ok(Trained {
        head,
        shape,
        parameters,
        inputs: encoder,
        history,
        best_epoch,
        stopped_early,
        training_rows: inputs.len() / width,
        validation,
        not_learned,
    })
}

/// What a head is to answer to each row: the label, the range behind it, the tasks.
struct Targets<'a> {
    input: &'a TrainInput<'a>,
    blocks: Vec<Block>,
    /// What a training row counts on average.
    mean_weight: f32,
}

impl<'a> Targets<'a> {
    fn learn(input: &'a TrainInput<'a>, range_weight: f64) -> Self {
        let classes = |name: &str, width, weight, classes: &[String]| Block {
            name: name.to_owned(),
            width,
            weight,
            classes: classes.to_vec(),
            ..Block::default()
        };
        let mut blocks = vec![classes("label", input.class_count, 1.0, &[])];
        if range_weight > 0.0 && !input.ranges.is_empty() {
            let rows: Vec<Vec<f32>> = input.train.iter().map(|&r| numbers(input.ranges[r])).collect();
            let mut scales = Vec::new();
            for i in 0..rows.first().map_or(0, Vec::len) {
                let n = rows.len() as f32;
                let mean = rows.iter().map(|row| row[i]).sum::<f32>() / n;
                let variance = rows.iter().map(|row| (row[i] - mean).powi(2)).sum::<f32>() / n;
                scales.push([mean, variance.sqrt().max(1e-6)]);
            }
            blocks.push(Block {
                name: RANGE.into(),
                width: scales.len(),
                kind: BlockKind::Values,
                weight: range_weight,
                scales,
                ..Block::default()
            });
        }
        blocks.extend(input.tasks.iter().map(|t| classes(&t.column, t.classes.len(), t.weight, &t.classes)));
        let sum: f32 = input.train.iter().flat_map(|&row| input.taught_by(row)).sum();
        Self { input, blocks, mean_weight: sum / input.train.len().max(1) as f32 }
    }

    /// `rows × outputs`.
    fn of(&self, rows: &[usize]) -> Vec<f32> {
        let mut targets = Vec::new();
        for &row in rows {
            let label = self.input.taught_by(row).iter().map(|share| share / self.mean_weight);
            let start = targets.len();
            targets.extend(label);
            let weight: f32 = targets[start..].iter().sum();
            let one_hot = |class: Option<usize>, count| {
                (0..count).map(move |c| if Some(c) == class { weight } else { 0.0 })
            };
            for block in self.blocks.iter().filter(|b| b.kind == BlockKind::Values) {
                let values = numbers(self.input.ranges[row]);
                targets.extend(values.iter().zip(&block.scales).map(|(v, [mean, scale])| (v - mean) / scale));
            }
            for task in self.input.tasks {
                targets.extend(one_hot(task.rows[row], task.classes.len()));
            }
        }
        targets
    }
}

/// Name of the block that answers with the numbers behind the class.
const RANGE: &str = "range";

/// What is predicted of a range: its ends, and their logarithms, in which the small ones are told apart.
fn numbers([low, high]: [f32; 2]) -> Vec<f32> {
    vec![low, high, low.max(0.0).ln_1p(), high.max(0.0).ln_1p()]
}

/// What each head of an ensemble sees: of each field the embedding by the frozen encoder, which is the first half, or that by the
/// tuned one; and what stands beside the embeddings.
fn views(config: &TrainConfig, fields: usize, embedding_dims: usize, inputs: usize) -> Views {
    let half = embedding_dims / fields.max(1) / 2;
    let of_head = |head: &HeadKind| {
        let start = if config.ensemble.frozen.contains(head) { 0 } else { half };
        let of_field = |field: usize| [2 * half * field + start, 2 * half * field + start + half];
        let beside = (embedding_dims < inputs).then_some([embedding_dims, inputs]);
        (0..fields).map(of_field).chain(beside).collect()
    };
    Views { inputs, of_heads: config.ensemble.heads.iter().map(of_head).collect() }
}

fn recipe(
    config: &TrainConfig,
    head: HeadKind,
    inputs: usize,
    sees: Option<Views>,
    blocks: &[Block],
) -> Recipe {
    let (kernel, trees) = (&config.kernel, &config.trees);
    match head {
        HeadKind::Kernel => Recipe::Kernel(KernelSettings {
            exact_rows: kernel.exact_rows,
            landmarks: kernel.landmarks,
            gamma: kernel.gamma,
            ridge: kernel.ridge,
            feature_weight: kernel.feature_weight,
            term_weight: kernel.term_weight,
            all_rows: true,
        }),
        HeadKind::Network => network_recipe(config, inputs, blocks),
        HeadKind::Knn => Recipe::Neighbours(NeighbourSettings { prototypes: false, nearest: config.nearest }),
        HeadKind::Prototypes => Recipe::Neighbours(NeighbourSettings { prototypes: true, nearest: None }),
        HeadKind::Trees => Recipe::Trees(TreeSettings {
            depth: trees.depth,
            learning_rate: trees.learning_rate,
            columns: trees.columns,
            rows: trees.rows,
        }),
        HeadKind::Logistic => Recipe::Logistic,
        HeadKind::Ensemble => Recipe::Ensemble {
            recipes: config
                .heads()
                .into_iter()
                .enumerate()
                .map(|(i, head)| {
                    let inputs = sees.as_ref().map_or(inputs, |views| views.width(i));
                    recipe(config, head, inputs, None, blocks)
                })
                .collect(),
            stacked: config.ensemble.stacked,
            sees,
        },
    }
}

fn network_recipe(config: &TrainConfig, inputs: usize, blocks: &[Block]) -> Recipe {
    let shape = NetworkShape {
        inputs,
        hidden: config.hidden.clone(),
        blocks: blocks.to_vec(),
        dropout: config.dropout,
        batch_norm: config.batch_norm,
        output: match config.output {
            OutputKind::Softmax => Output::Softmax,
            OutputKind::Coral => Output::Coral,
            OutputKind::Corn => Output::Corn,
        },
        members: config.members,
    };
    let settings = NetworkSettings {
        epochs: config.epochs,
        batch_size: config.batch_size,
        learning_rate: config.learning_rate,
        weight_decay: config.weight_decay,
        patience: config.patience,
        min_delta: config.min_delta,
        schedule: match config.schedule {
            ScheduleKind::Constant => Schedule::Constant,
            ScheduleKind::Plateau => Schedule::Plateau {
                factor: config.plateau.factor,
                patience: config.plateau.patience,
                least: config.plateau.min_learning_rate,
            },
            ScheduleKind::Cosine => Schedule::Cosine { warmup: config.warmup },
            ScheduleKind::OneCycle => Schedule::OneCycle,
        },
        focal_gamma: config.focal_gamma,
        label_smoothing: config.label_smoothing,
        balanced_sampling: config.balanced_sampling,
        member_folds: config.member_folds,
        noise: config.noise,
        manifold_mixup: config.manifold_mixup,
        averaging: match config.averaging {
            AveragingKind::None => Averaging::None,
            AveragingKind::Ema => Averaging::Ema(config.ema_decay),
            AveragingKind::Swa => Averaging::Swa(config.swa_from),
        },
        curriculum: config.curriculum,
    };
    Recipe::Network { shape, settings }
}

/// Rows / (classes · rows of the class), scikit-learn's "balanced", over training rows of these `classes`, below `count`; 1
/// each when not `balanced`. A class without rows has the weight 0.
pub fn class_weights(classes: &[usize], count: usize, balanced: bool) -> Vec<f32> {
    let mut counts = vec![0usize; count];
    classes.iter().for_each(|&class| counts[class] += 1);
    let present = counts.iter().filter(|&&c| c > 0).count();
    let weight = |&count: &usize| match count {
        0 => 0.0,
        _ if balanced => classes.len() as f32 / (present * count) as f32,
        _ => 1.0,
    };
    counts.iter().map(weight).collect()
}

/// Weighted sum of the two halves of `pair`.
fn blend(pair: &[f32], weights: [f32; 2]) -> Vec<f32> {
    let (first, second) = pair.split_at(pair.len() / 2);
    first.iter().zip(second).map(|(a, b)| weights[0] * a + weights[1] * b).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heads::Tensors;
    use crate::inputs::Sparse;
    use crate::progress::Silent;
    use std::sync::Mutex;

    /// Keeps what it is given instead of training.
    #[derive(Default)]
    struct Recorder(Mutex<Vec<Vec<f32>>>);

    struct NoHead;

    impl Head for NoHead {
        fn logits(&self, _: &[f32], _: Option<&Sparse>) -> Result<Vec<f32>, HeadError> {
            Ok(Vec::new())
        }
        fn tensors(&self) -> Result<Tensors, HeadError> {
            Ok(Tensors::default())
        }
    }

    impl Networks for Recorder {
        fn fit_network(
            &self,
            shape: &NetworkShape,
            _: &NetworkSettings,
            data: &FitData<'_>,
            _: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
        ) -> Result<Fitted, HeadError> {
            *self.0.lock().unwrap() = vec![
                data.train.inputs.to_vec(),
                data.train.targets.to_vec(),
                data.validation.inputs.to_vec(),
                data.class_weights.clone(),
            ];
            Ok(Fitted {
                head: Box::new(NoHead),
                shape: HeadShape::Network(shape.clone()),
                parameters: 0,
                history: vec![],
                best_epoch: 1,
                stopped_early: false,
                validation: Some(Vec::new()),
                left_out: None,
            })
        }
        fn load_network(&self, _: &NetworkShape, _: Tensors) -> Result<Box<dyn Head>, HeadError> {
            Ok(Box::new(NoHead))
        }
    }

    fn raw(embedding: &[f32]) -> RawInputs {
        RawInputs { embedding_dims: 1, embedding: embedding.to_vec(), ..RawInputs::default() }
    }

    /// One-hot.
    const LABELS: [f32; 10] = [1., 0., 0., 1., 1., 0., 1., 0., 0., 1.];

    fn run(taught: &[f32], mixed: &[Mixed], tasks: &[Task]) -> Vec<Vec<f32>> {
        let (rows, variants) = (raw(&[1.0, 3.0, 1.0, 3.0, 99.0]), raw(&[2.0]));
        let input = TrainInput {
            rows: &rows,
            classes: &[0, 1, 0, 0, 1],
            taught,
            groups: &[0, 1, 2, 3, 4],
            teach_only: &[false; 5],
            class_count: 2,
            ranges: &[],
            tasks,
            train: &[0, 1, 2, 3],
            validation: &[4],
            variants: &variants,
            parents: &[1],
            mixed,
            fields: 1,
        };
        let recorder = Recorder::default();
        let config = TrainConfig { head: HeadKind::Network, class_weights: true, ..TrainConfig::default() };
        let features = FeatureSettings { min_count: 1, terms: false };
        let without = train(&input, &config, features, 1, None, &Silent).err();
        assert!(matches!(without, Some(HeadError::NeedsTorch)), "{without:?}");
        train(&input, &config, features, 1, Some(&recorder), &Silent).unwrap();
        recorder.0.into_inner().unwrap()
    }

    #[test]
    fn rows_variants_and_mixtures_become_inputs_and_targets() {
        let seen = run(&LABELS, &[Mixed { first: 1, second: 0, lambda: 0.75 }], &[]);
        assert_eq!(seen[0], [1.0, 3.0, 1.0, 3.0, 2.0, 2.5]);
        assert_eq!(seen[1], [1., 0., 0., 1., 1., 0., 1., 0., 0., 1., 0.25, 0.75]);
        assert_eq!(seen[2], [99.0]);
        // 4 rows, 2 classes: 4/(2·3) and 4/(2·1)
        assert_eq!(seen[3], [4.0 / 6.0, 2.0]);
    }

    #[test]
    fn what_a_row_counts_is_of_the_mean_1_over_the_training_rows_and_goes_for_its_tasks_too() {
        // Of the first four rows, which are those of the training, one counts 4 and one is half of either class.
        let taught = [4., 0., 0., 2., 0.5, 0.5, 1., 0., 0., 8.];
        let task = Task {
            column: "season".into(),
            classes: vec!["summer".into(), "winter".into()],
            weight: 0.3,
            rows: vec![Some(1), None, Some(0), Some(0), None],
        };
        let seen = run(&taught, &[], &[task]);
        let expected =
            [[2., 0., 0., 2.], [0., 1., 0., 0.], [0.25, 0.25, 0.5, 0.], [0.5, 0., 0.5, 0.], [0., 1., 0., 0.]];
        assert_eq!(seen[1], expected.concat());
    }

    #[test]
    fn a_missing_task_is_a_row_of_zeros() {
        let task = Task {
            column: "season".into(),
            classes: vec!["summer".into(), "winter".into()],
            weight: 0.3,
            rows: vec![Some(1), None, Some(0), None, None],
        };
        let seen = run(&LABELS, &[], &[task]);
        let expected =
            [[1., 0., 0., 1.], [0., 1., 0., 0.], [1., 0., 1., 0.], [1., 0., 0., 0.], [0., 1., 0., 0.]];
        assert_eq!(seen[1], expected.concat());
    }

    #[test]
    #[should_panic(expected = "descends from a row outside training")]
    fn a_descendant_of_a_held_out_row_is_refused() {
        run(&LABELS, &[Mixed { first: 1, second: 4, lambda: 0.75 }], &[]);
    }
}
