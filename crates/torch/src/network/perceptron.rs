//! The layers of a network's members: made, loaded, and asked for scores and answers.

use pipeline::heads::{BlockKind, FitData, HeadError, NetworkShape, Output, Tensors};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tch::nn::{self, ModuleT};
use tch::{Device, Kind, Tensor};

use super::perturb::{Mix, dropout_mask};
use super::{coral, corn};
use crate::device::CPU;

/// The members of a network with their weights; one matrix multiplication serves all of them.
pub struct Perceptron {
    /// What it was made for.
    pub shape: NetworkShape,
    /// The weights by name: all members' are in each tensor, its first dimension.
    pub store: nn::VarStore,
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

/// What a step of training adds to a pass.
pub struct Training<'a> {
    /// Draws the dropped units.
    pub rng: &'a mut ChaCha8Rng,
    /// Rows to mix behind the first hidden layer.
    pub mix: Option<&'a Mix>,
}

impl Perceptron {
    /// A network with zero weights, to be initialised or loaded.
    pub fn blank(shape: &NetworkShape, device: Device) -> Self {
        let store = nn::VarStore::new(device);
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

    /// Draw the weights by PyTorch's default for linear layers: uniform in ±1/√fan-in.
    pub fn initialise(&mut self, rng: &mut ChaCha8Rng) {
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
    /// hundreds of epochs to part them. Other outputs stay as they are.
    pub fn begin_at_the_shares(&mut self, data: &FitData<'_>) {
        if self.shape.output != Output::Coral {
            return;
        }
        let biases = coral::biases_at_the_shares(data);
        let columns = biases.len() as i64;
        tch::no_grad(|| self.out.bias.narrow(-1, 0, columns).copy_(&Tensor::from_slice(&biases)));
    }

    /// Load weights saved by [`pipeline::heads::Head::save`].
    ///
    /// # Errors
    /// They do not fit `shape`.
    pub fn load(shape: &NetworkShape, mut tensors: Tensors) -> Result<Self, HeadError> {
        shape.check(tensors.numbers())?;
        let network = Self::blank(shape, CPU);
        for (name, mut variable) in network.store.variables() {
            let size: Vec<usize> = variable.size().iter().map(|&n| n as usize).collect();
            let saved = Tensor::from_slice(&tensors.take::<f32>(&name, &size)?).view_as(&variable);
            tch::no_grad(|| variable.copy_(&saved));
        }
        Ok(network)
    }

    /// Scores `[members, rows, scores]` of inputs `[rows, inputs]`; where `training`, with dropout, mixing, and the batch's
    /// own statistics in batch norm.
    pub fn forward(&self, x: &Tensor, mut training: Option<Training<'_>>) -> Tensor {
        let members = self.shape.members as i64;
        let mut x = x.unsqueeze(0).expand([members, -1, -1], false);
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.linear.forward(&x);
            if let Some(norm) = &layer.norm {
                let [_, rows, units] = x.size()[..] else { unreachable!("three dimensions") };
                let beside = x.permute([1, 0, 2]).reshape([rows, members * units]);
                let normed = norm.forward_t(&beside, training.is_some());
                x = normed.view([rows, members, units]).permute([1, 0, 2]);
            }
            x = x.relu();
            let Some(training) = &mut training else { continue };
            if self.shape.dropout > 0.0 {
                // Not in place: ReLU's gradient needs its output.
                x = &x * dropout_mask(&x, self.shape.dropout, training.rng);
            }
            if let (0, Some(mix)) = (i, training.mix) {
                x = mix.blend(&x, 1);
            }
        }
        self.out.forward(&x)
    }

    /// Log probabilities of the label's classes, `[…, classes]`, of scores `[…, scores]`.
    pub fn log_probabilities(&self, scores: &Tensor) -> Tensor {
        let label = scores.narrow(-1, 0, self.shape.label_scores() as i64);
        match self.shape.output {
            Output::Softmax => label.log_softmax(-1, Kind::Float),
            Output::Coral => coral::log_probabilities(&self.odds(scores)),
            Output::Corn => corn::log_probabilities(&label),
        }
    }

    /// CORAL's log odds to lie beyond each threshold, `[…, thresholds]`, of scores `[…, scores]`.
    pub fn odds(&self, scores: &Tensor) -> Tensor {
        coral::odds(&scores.narrow(-1, 0, self.shape.label_scores() as i64), &self.out.bias)
    }

    /// The members' mean answer `[rows, outputs]` to inputs `[rows, inputs]`: log probabilities of the label, then the
    /// other blocks.
    pub fn answer(&self, x: &Tensor) -> Tensor {
        let scores = self.forward(x, None);
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
}

/// Log of the mean over the members (first dimension) of what has these logs.
pub fn mean_of_logs(logs: &Tensor) -> Tensor {
    logs.logsumexp(0, false) - (logs.size()[0] as f64).ln()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{block, shape};
    use super::*;

    #[test]
    fn ordinal_outputs_are_distributions() {
        let scores = Tensor::from_slice(&[0.5f32, -1.0, 0.3, 2.0, 0.1, -0.4]).view([1, 2, 3]);
        for output in [Output::Coral, Output::Corn] {
            let shape = NetworkShape {
                output,
                blocks: vec![block(4, BlockKind::Classes)],
                hidden: vec![],
                ..shape()
            };
            let p = Perceptron::blank(&shape, CPU).log_probabilities(&scores).exp();
            assert_eq!(p.size(), [1, 2, 4]);
            let sums = Vec::<f32>::try_from(p.sum_dim_intlist(-1, false, Kind::Float).view([-1])).unwrap();
            assert!(sums.iter().all(|s| (s - 1.0).abs() < 1e-4), "{output:?} {sums:?}");
        }
    }

    #[test]
    fn parameters_are_counted_as_stored() {
        // 384→64→4: 385*64 + 2*64 + 65*4
        let blocks = vec![block(4, BlockKind::Classes)];
        let shape = NetworkShape { inputs: 384, hidden: vec![64], blocks, ..shape() };
        assert_eq!(shape.parameters(), 24_640 + 128 + 260);
        let stored: usize =
            Perceptron::blank(&shape, CPU).store.trainable_variables().iter().map(|t| t.numel()).sum();
        assert_eq!(shape.parameters(), stored);
    }
}
