//! Gradient-boosted trees (Friedman 2001) over embeddings and features: one ensemble a class against the others, one a
//! value.

use std::ops::ControlFlow;
use std::path::Path;

use forust_ml::objective::ObjectiveType;
use forust_ml::sampler::SampleMethod;
use forust_ml::{GradientBooster, Matrix};
use pipeline::inputs::Sparse;
use pipeline::train::{
    BlockKind, Epoch, FitData, Fitted, Head, HeadError, HeadShape, Rows, TreeSettings, TreeShape,
};
use rayon::prelude::*;
use tch::Tensor;

use crate::kernel::loss_and_accuracy;
use crate::{Tensors, failed};

/// Most trees of one output; early stopping ends most of them sooner.
const MOST_TREES: usize = 500;

/// The nodes of all trees of all outputs, in parallel lists.
#[derive(Default)]
pub struct Forest {
    shape: TreeShape,
    /// First node of each tree.
    roots: Vec<i64>,
    /// Output that each tree adds to.
    outputs: Vec<i64>,
    /// What each output begins with.
    base: Vec<f64>,
    /// Input that a node asks for; -1 in a leaf.
    feature: Vec<i64>,
    /// Rows below it go left, others right.
    split: Vec<f64>,
    left: Vec<i64>,
    right: Vec<i64>,
    /// What a leaf adds.
    value: Vec<f64>,
}

impl Forest {
    /// Load trees saved by [`Head::save`].
    ///
    /// # Errors
    /// They do not fit `shape`.
    pub fn load(shape: &TreeShape, mut tensors: Tensors) -> Result<Self, HeadError> {
        let (trees, nodes) = (shape.trees as i64, shape.nodes as i64);
        let width: i64 = shape.blocks.iter().map(|b| b.width as i64).sum();
        let mut whole = |name: &str, size| Vec::<i64>::try_from(tensors.take(name, &[size])?).map_err(failed);
        let (roots, outputs) = (whole("roots", trees)?, whole("outputs", trees)?);
        let (feature, left, right) =
            (whole("feature", nodes)?, whole("left", nodes)?, whole("right", nodes)?);
        let mut real = |name: &str, size| Vec::<f64>::try_from(tensors.take(name, &[size])?).map_err(failed);
        let (base, split, value) = (real("base", width)?, real("split", nodes)?, real("value", nodes)?);
        Ok(Self { shape: shape.clone(), roots, outputs, base, feature, split, left, right, value })
    }

    fn add(&mut self, booster: &GradientBooster, output: usize) {
        self.base.push(booster.base_score);
        let kept = booster.prediction_iteration.unwrap_or(booster.trees.len());
        for tree in &booster.trees[..kept] {
            let first = self.feature.len() as i64;
            self.roots.push(first);
            self.outputs.push(output as i64);
            for node in &tree.nodes {
                self.feature.push(if node.is_leaf { -1 } else { node.split_feature as i64 });
                self.split.push(node.split_value);
                self.left.push(first + node.left_child as i64);
                self.right.push(first + node.right_child as i64);
                self.value.push(f64::from(node.weight_value));
            }
        }
        (self.shape.trees, self.shape.nodes) = (self.roots.len(), self.feature.len());
    }

    fn leaf(&self, root: i64, row: &[f32]) -> f64 {
        let mut at = root as usize;
        while let Ok(feature) = usize::try_from(self.feature[at]) {
            let left = f64::from(row[feature]) < self.split[at];
            at = (if left { self.left[at] } else { self.right[at] }) as usize;
        }
        self.value[at]
    }
}

impl Head for Forest {
    fn logits(&self, inputs: &[f32], _: Option<&Sparse>) -> Result<Vec<f32>, HeadError> {
        let mut answers = Vec::with_capacity(inputs.len() / self.shape.inputs * self.base.len());
        for row in inputs.chunks_exact(self.shape.inputs) {
            let mut scores = self.base.clone();
            for (&root, &output) in self.roots.iter().zip(&self.outputs) {
                scores[output as usize] += self.leaf(root, row);
            }
            let mut scores = scores.into_iter();
            for block in &self.shape.blocks {
                for score in scores.by_ref().take(block.width) {
                    answers.push(match block.kind {
                        // The log of the class's probability against the others.
                        BlockKind::Classes => -(-score).exp().ln_1p() as f32,
                        BlockKind::Values => score as f32,
                    });
                }
            }
        }
        Ok(answers)
    }

    fn save(&self, path: &Path) -> Result<(), HeadError> {
        let whole = [
            ("roots", &self.roots),
            ("outputs", &self.outputs),
            ("feature", &self.feature),
            ("left", &self.left),
            ("right", &self.right),
        ];
        let real = [("base", &self.base), ("split", &self.split), ("value", &self.value)];
        let tensors: Vec<(&str, Tensor)> = whole
            .into_iter()
            .map(|(name, values)| (name, Tensor::from_slice(values)))
            .chain(real.into_iter().map(|(name, values)| (name, Tensor::from_slice(values))))
            .collect();
        Tensor::write_safetensors(&tensors, path).map_err(failed)
    }
}

/// [`pipeline::train::Fit::fit`] of boosted trees; each output stops early by its loss on the validation rows.
///
/// # Errors
/// Interruption, or values that are no numbers.
pub fn fit(
    settings: &TreeSettings,
    data: &FitData<'_>,
    each_epoch: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<Fitted, HeadError> {
    let kinds: Vec<(usize, BlockKind)> = data
        .blocks
        .iter()
        .enumerate()
        .flat_map(|(i, block)| std::iter::repeat_n((i, block.kind), block.width))
        .collect();
    let boosters: Vec<GradientBooster> = (0..kinds.len())
        .into_par_iter()
        .map(|output| boost(settings, data, output, kinds[output]))
        .collect::<Result<_, _>>()?;
    let mut forest = Forest {
        shape: TreeShape { inputs: data.inputs, blocks: data.blocks.to_vec(), trees: 0, nodes: 0 },
        ..Forest::default()
    };
    boosters.iter().enumerate().for_each(|(output, booster)| forest.add(booster, output));

    let score = |rows: Rows<'_>| {
        let answers = Tensor::from_slice(&forest.logits(rows.inputs, None)?).view([-1, kinds.len() as i64]);
        Ok::<_, HeadError>(loss_and_accuracy(&answers, rows.targets, data.blocks[0].width, data))
    };
    let scores = (score(data.train)?, score(data.validation)?);
    let shape = HeadShape::Trees(forest.shape.clone());
    let parameters = forest.feature.iter().filter(|&&feature| feature < 0).count();
    crate::without_epochs((Box::new(forest), shape), parameters, scores, each_epoch)
}

/// Rows for one output, as the booster wants them: inputs column by column, targets and weights.
struct Columns {
    inputs: Vec<f64>,
    targets: Vec<f64>,
    weights: Vec<f64>,
}

impl Columns {
    fn of(rows: Rows<'_>, data: &FitData<'_>, output: usize, (block, kind): (usize, BlockKind)) -> Self {
        let outputs: usize = data.blocks.iter().map(|b| b.width).sum();
        let start: usize = data.blocks[..block].iter().map(|b| b.width).sum();
        let mut examples: Vec<(usize, f64, f64)> = Vec::new();
        for (row, all) in rows.targets.chunks_exact(outputs).enumerate() {
            let own = f64::from(all[output]);
            if kind == BlockKind::Values {
                examples.push((row, own, 1.0));
                continue;
            }
            let classes = &all[start..start + data.blocks[block].width];
            let weight = match block {
                0 => classes.iter().zip(&data.class_weights).map(|(t, w)| f64::from(t * w)).sum(),
                _ => classes.iter().map(|&t| f64::from(t)).sum::<f64>(),
            };
            // A row that is partly of the class counts on both sides; one without a label on none.
            for (target, weight) in [(1.0, weight * own), (0.0, weight * (1.0 - own))] {
                if weight > 1e-6 {
                    examples.push((row, target, weight));
                }
            }
        }
        let inputs = (0..data.inputs)
            .flat_map(|i| examples.iter().map(move |e| f64::from(rows.inputs[e.0 * data.inputs + i])))
            .collect();
        let (targets, weights) = examples.iter().map(|e| (e.1, e.2)).unzip();
        Self { inputs, targets, weights }
    }

    fn matrix(&self, inputs: usize) -> Matrix<'_, f64> {
        Matrix::new(&self.inputs, self.targets.len(), inputs)
    }
}

fn boost(
    settings: &TreeSettings,
    data: &FitData<'_>,
    output: usize,
    of: (usize, BlockKind),
) -> Result<GradientBooster, HeadError> {
    let [train, asked] = [data.train, data.validation].map(|rows| Columns::of(rows, data, output, of));
    let objective = match of.1 {
        BlockKind::Classes => ObjectiveType::LogLoss,
        BlockKind::Values => ObjectiveType::SquaredLoss,
    };
    let mut booster = GradientBooster::default()
        .set_objective_type(objective)
        .set_iterations(MOST_TREES)
        .set_learning_rate(settings.learning_rate as f32)
        .set_max_depth(settings.depth)
        .set_nbins(32)
        .set_l2(5.0)
        .set_colsample_bytree(settings.columns)
        .set_subsample(settings.rows as f32)
        .set_sample_method(SampleMethod::Random)
        .set_early_stopping_rounds(Some(20))
        .set_parallel(false)
        .set_seed(data.seed.wrapping_add(output as u64));
    let watched = (!asked.targets.is_empty())
        .then(|| vec![(asked.matrix(data.inputs), &asked.targets[..], &asked.weights[..])]);
    booster
        .fit(&train.matrix(data.inputs), &train.targets, &train.weights, watched)
        .map_err(|e| HeadError::Torch(format!("the trees of output {output} could not be grown: {e}")))?;
    Ok(booster)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline::train::Block;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Class 1 in two corners of the square (no linear head can tell), a task that misses every second label, a value.
    fn corners(rows: usize, seed: u64) -> (Vec<f32>, Vec<f32>) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut inputs, mut targets) = (Vec::new(), Vec::new());
        for i in 0..rows {
            let (a, b) = (rng.random_range(-1.0..1.0f32), rng.random_range(-1.0..1.0f32));
            let (one, known, right) = (f32::from(u8::from(a * b > 0.0)), (i % 2) as f32, f32::from(a > 0.0));
            inputs.extend([a, b]);
            targets.extend([1.0 - one, one, known * right, known * (1.0 - right), a]);
        }
        (inputs, targets)
    }

    #[test]
    fn trees_learn_corners_also_with_missing_labels_and_are_saved() {
        let (train, held, asked) = (corners(600, 1), corners(200, 2), corners(400, 3));
        let block = |width, kind| Block { width, kind, weight: 1.0, ..Block::default() };
        let rows = |of: &'static (Vec<f32>, Vec<f32>)| Rows { inputs: &of.0, terms: None, targets: &of.1 };
        let keep = |of| -> &'static _ { Box::leak(Box::new(of)) };
        let data = FitData {
            inputs: 2,
            embedding_dims: 2,
            blocks: &[
                block(2, BlockKind::Classes),
                block(2, BlockKind::Classes),
                block(1, BlockKind::Values),
            ],
            class_weights: vec![1.0, 1.0],
            train: rows(keep(train)),
            validation: rows(keep(held)),
            seed: 1,
        };
        let settings = TreeSettings { depth: 4, learning_rate: 0.1, columns: 1.0, rows: 0.8 };
        let booster = boost(&settings, &data, 1, (0, BlockKind::Classes)).unwrap();
        let mut forest = Forest::default();
        forest.add(&booster, 1);
        let columns = Columns::of(data.train, &data, 1, (0, BlockKind::Classes));
        for (row, expected) in data.train.inputs.chunks(2).zip(booster.predict(&columns.matrix(2), false)) {
            let found = forest.base[0] + forest.roots.iter().map(|&root| forest.leaf(root, row)).sum::<f64>();
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        let run = || fit(&settings, &data, &mut |_| ControlFlow::Continue(())).unwrap();
        let fitted = run();
        let given = fitted.head.logits(&asked.0, None).unwrap();
        assert_eq!(given, run().head.logits(&asked.0, None).unwrap(), "the same seed, the same trees");
        let rows = || given.chunks(5).zip(asked.0.chunks(2));
        let right = rows().filter(|(g, x)| (g[1] > g[0]) == (x[0] * x[1] > 0.0)).count();
        let task = rows().filter(|(g, x)| (g[2] > g[3]) == (x[0] > 0.0)).count();
        let error: f32 = rows().map(|(g, x)| (g[4] - x[0]).powi(2)).sum::<f32>() / 400.0;
        assert!(right > 370 && task > 380 && error < 0.02, "{right} {task} {error}");

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("head.safetensors");
        fitted.head.save(&path).unwrap();
        let HeadShape::Trees(shape) = &fitted.shape else { panic!("trees") };
        let loaded = Forest::load(shape, Tensors::read(&path).unwrap()).unwrap();
        assert_eq!(loaded.logits(&asked.0, None).unwrap(), given);
    }
}
