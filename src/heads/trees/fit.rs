//! Growing trees.

use std::ops::ControlFlow;

use forust_ml::objective::ObjectiveType;
use forust_ml::sampler::SampleMethod;
use forust_ml::{GradientBooster, Matrix};
use rayon::prelude::*;

use super::answer::Forest;
use super::settings::TreeSettings;
use crate::heads::dense::score;
use crate::heads::{
    BlockKind, Epoch, FitData, Fitted, Head, HeadError, HeadShape, Rows, outputs, row_weight,
};

/// Most trees of one output; early stopping ends most of them sooner.
const MOST_TREES: usize = 500;

/// [`crate::heads::fit`] of boosted trees; each output stops early by its loss on the validation rows.
///
/// # Errors
/// Interruption, or values that are no numbers.
pub fn fit(
    settings: &TreeSettings,
    data: &FitData<'_>,
    each_epoch: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<Fitted, HeadError> {
    let block_of: Vec<usize> =
        data.blocks.iter().enumerate().flat_map(|(i, block)| std::iter::repeat_n(i, block.width)).collect();
    let boosters: Vec<GradientBooster> = (0..block_of.len())
        .into_par_iter()
        .map(|output| boost(settings, data, output, block_of[output]))
        .collect::<Result<_, _>>()?;
    let mut forest = Forest::of_none(data.inputs, data.blocks);
    boosters.iter().enumerate().for_each(|(output, booster)| forest.add(booster, output));

    let of =
        |rows: Rows<'_>| Ok::<_, HeadError>(score(&forest.logits(rows.inputs, None)?, rows.targets, data));
    let scores = [of(data.train)?, of(data.validation)?];
    let shape = HeadShape::Trees(forest.shape.clone());
    let parameters = forest.feature.iter().filter(|&&feature| feature < 0).count();
    Fitted::at_once(Box::new(forest), shape, parameters, scores, each_epoch)
}

/// Rows for one output, as the booster wants them: inputs column by column, targets and weights.
struct Columns {
    inputs: Vec<f64>,
    targets: Vec<f64>,
    weights: Vec<f64>,
}

impl Columns {
    /// Those of the `output` of a row, counted over all blocks, which belongs to the block with the index `block`.
    fn of(rows: Rows<'_>, data: &FitData<'_>, output: usize, block: usize) -> Self {
        let (start, outputs) = (outputs(&data.blocks[..block]), outputs(data.blocks));
        let mut examples: Vec<(usize, f64, f64)> = Vec::new();
        for (row, all) in rows.targets.chunks_exact(outputs).enumerate() {
            let own = f64::from(all[output]);
            if data.blocks[block].kind == BlockKind::Values {
                examples.push((row, own, row_weight(all, data.blocks)));
                continue;
            }
            let classes = &all[start..start + data.blocks[block].width];
            let weight = match block {
                0 => classes.iter().zip(&data.class_weights).map(|(t, w)| f64::from(t * w)).sum(),
                _ => classes.iter().map(|&t| f64::from(t)).sum::<f64>(),
            };
            // A row that is partly of the class counts on both sides; one without a label on none.
            let own = own / classes.iter().map(|&t| f64::from(t)).sum::<f64>().max(1e-9);
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

/// The trees of one output, `output` and `block` as in [`Columns::of`].
fn boost(
    settings: &TreeSettings,
    data: &FitData<'_>,
    output: usize,
    block: usize,
) -> Result<GradientBooster, HeadError> {
    let [train, asked] = [data.train, data.validation].map(|rows| Columns::of(rows, data, output, block));
    let objective = match data.blocks[block].kind {
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
        .map_err(|e| HeadError::Failed(format!("the trees of output {output} could not be grown: {e}")))?;
    Ok(booster)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heads::trees::TreeShape;
    use crate::heads::{Block, TensorError, Tensors};
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
        let rows = |of: &'static (Vec<f32>, Vec<f32>)| Rows {
            inputs: &of.0,
            terms: None,
            targets: &of.1,
            groups: None,
            distances: None,
        };
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
        let booster = boost(&settings, &data, 1, 0).unwrap();
        let mut forest = Forest::of_none(2, data.blocks);
        forest.add(&booster, 1);
        let columns = Columns::of(data.train, &data, 1, 0);
        for (row, expected) in data.train.inputs.chunks(2).zip(booster.predict(&columns.matrix(2), false)) {
            let found = forest.base[0] + forest.roots.iter().map(|&root| forest.leaf(root, row)).sum::<f64>();
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        let run = || fit(&settings, &data, &mut |_| ControlFlow::Continue(())).unwrap();
        let fitted = run();
        let logits = fitted.head.logits(&asked.0, None).unwrap();
        assert_eq!(logits, run().head.logits(&asked.0, None).unwrap(), "the same seed, the same trees");
        let rows = || logits.chunks(5).zip(asked.0.chunks(2));
        let right = rows().filter(|(l, x)| (l[1] > l[0]) == (x[0] * x[1] > 0.0)).count();
        let task = rows().filter(|(l, x)| (l[2] > l[3]) == (x[0] > 0.0)).count();
        let error: f32 = rows().map(|(l, x)| (l[4] - x[0]).powi(2)).sum::<f32>() / 400.0;
        assert!(right > 370 && task > 380 && error < 0.02, "{right} {task} {error}");

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("head.safetensors");
        fitted.head.save(&path).unwrap();
        let HeadShape::Trees(shape) = &fitted.shape else { panic!("trees") };
        let loaded = Forest::load(shape, Tensors::read(&path).unwrap()).unwrap();
        assert_eq!(loaded.logits(&asked.0, None).unwrap(), logits);
    }
    #[test]
    fn trees_that_point_outside_or_in_circles_are_refused() {
        let blocks = vec![Block { width: 1, kind: BlockKind::Values, ..Block::default() }];
        let shape = TreeShape { inputs: 2, blocks, trees: 1, nodes: 3 };
        // The root asks for input 1; two leaves.
        let sound = || {
            let mut tensors = Tensors::default();
            tensors.put("roots", &[1], &[0i64]);
            tensors.put("outputs", &[1], &[0i64]);
            tensors.put("base", &[1], &[0.5f64]);
            tensors.put("feature", &[3], &[1i64, -1, -1]);
            tensors.put("split", &[3], &[0.0f64; 3]);
            tensors.put("left", &[3], &[1i64, 0, 0]);
            tensors.put("right", &[3], &[2i64, 0, 0]);
            tensors.put("value", &[3], &[0.0f64, 1.0, 2.0]);
            tensors
        };
        let forest = Forest::load(&shape, sound()).unwrap();
        assert_eq!(forest.logits(&[9.0, -1.0, 9.0, 1.0], None).unwrap(), [1.5, 2.5]);
        assert!(matches!(forest.logits(&[9.0], None), Err(HeadError::Shape(_))));
        for (name, values) in [
            ("roots", &[3i64][..]),
            ("roots", &[-1]),
            ("outputs", &[1]),
            ("feature", &[2, -1, -1]),
            ("feature", &[-2, -1, -1]),
            ("left", &[0, 0, 0]),
            ("right", &[i64::MAX, 0, 0]),
        ] {
            let mut tensors = sound();
            tensors.put(name, &[values.len()], values);
            let error = Forest::load(&shape, tensors).err();
            let of_value = matches!(&error, Some(HeadError::Tensors(TensorError::Value { .. })));
            assert!(of_value, "{name} {values:?}: {error:?}");
        }
    }
}
