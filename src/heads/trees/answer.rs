//! Grown trees.

use forust_ml::GradientBooster;

use super::settings::TreeShape;
use crate::heads::block::checked_outputs;
use crate::heads::head::check_rows;
use crate::heads::{Block, BlockKind, Head, HeadError, Tensors};
use crate::inputs::Sparse;

/// The nodes of all trees of all outputs, in parallel lists.
pub struct Forest {
    pub(super) shape: TreeShape,
    /// First node of each tree.
    pub(super) roots: Vec<i64>,
    /// Output that each tree adds to.
    outputs: Vec<i64>,
    /// What each output begins with.
    pub(super) base: Vec<f64>,
    /// Input that a node asks for; -1 in a leaf.
    pub(super) feature: Vec<i64>,
    /// Rows below it go left, others right.
    split: Vec<f64>,
    left: Vec<i64>,
    right: Vec<i64>,
    /// What a leaf adds.
    value: Vec<f64>,
}

impl Forest {
    /// Without trees.
    pub(super) fn of_none(inputs: usize, blocks: &[Block]) -> Self {
        Self {
            shape: TreeShape { inputs, blocks: blocks.to_vec(), trees: 0, nodes: 0 },
            roots: Vec::new(),
            outputs: Vec::new(),
            base: Vec::new(),
            feature: Vec::new(),
            split: Vec::new(),
            left: Vec::new(),
            right: Vec::new(),
            value: Vec::new(),
        }
    }

    /// Load trees saved by [`Head::save`].
    ///
    /// # Errors
    /// They do not fit `shape`.
    pub fn load(shape: &TreeShape, mut tensors: Tensors) -> Result<Self, HeadError> {
        let (trees, nodes, width) = (shape.trees, shape.nodes, checked_outputs(&shape.blocks)?);
        let forest = Self {
            roots: tensors.take("roots", &[trees])?,
            outputs: tensors.take("outputs", &[trees])?,
            base: tensors.take("base", &[width])?,
            feature: tensors.take("feature", &[nodes])?,
            split: tensors.take("split", &[nodes])?,
            left: tensors.take("left", &[nodes])?,
            right: tensors.take("right", &[nodes])?,
            value: tensors.take("value", &[nodes])?,
            shape: shape.clone(),
        };
        forest.check(&tensors)?;
        Ok(forest)
    }

    /// Every place is inside the list it points into, and children stand behind their parent: no way down leads in a circle.
    fn check(&self, tensors: &Tensors) -> Result<(), HeadError> {
        let within = |name: &str, value: i64, from: usize, to: usize| {
            let inside = usize::try_from(value).is_ok_and(|value| (from..to).contains(&value));
            let expected = || format!("one from {from} on and below {to}");
            if inside { Ok(()) } else { Err(tensors.bad_value(name, value, expected())) }
        };
        let nodes = self.feature.len();
        self.roots.iter().try_for_each(|&root| within("roots", root, 0, nodes))?;
        self.outputs.iter().try_for_each(|&output| within("outputs", output, 0, self.base.len()))?;
        for (node, &feature) in self.feature.iter().enumerate().filter(|(_, feature)| **feature != -1) {
            within("feature", feature, 0, self.shape.inputs)?;
            within("left", self.left[node], node + 1, nodes)?;
            within("right", self.right[node], node + 1, nodes)?;
        }
        Ok(())
    }

    pub(super) fn add(&mut self, booster: &GradientBooster, output: usize) {
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

    pub(super) fn leaf(&self, root: i64, row: &[f32]) -> f64 {
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
        check_rows(inputs, self.shape.inputs)?;
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

    fn tensors(&self) -> Result<Tensors, HeadError> {
        let mut tensors = Tensors::default();
        for (name, values) in [
            ("roots", &self.roots),
            ("outputs", &self.outputs),
            ("feature", &self.feature),
            ("left", &self.left),
            ("right", &self.right),
        ] {
            tensors.put(name, &[values.len()], values);
        }
        for (name, values) in [("base", &self.base), ("split", &self.split), ("value", &self.value)] {
            tensors.put(name, &[values.len()], values);
        }
        Ok(tensors)
    }
}
