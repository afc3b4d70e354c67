//! The classifier head on frozen embeddings: a multilayer perceptron and its training loop.
//!
//! Everything random (initial weights, batch order, dropout) comes from one seeded generator, never from libtorch's
//! global one, so the same rows, settings and seed give the same weights to the bit, also with several heads trained
//! at once.

use std::ops::ControlFlow;
use std::path::Path;

use pipeline::train::{Epoch, FitSettings, Fitted, Head, HeadError, HeadShape, Rows};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::nn::{self, ModuleT, OptimizerConfig};
use tch::{Device, Kind, Tensor};

/// A multilayer perceptron with its weights.
pub struct Perceptron {
    shape: HeadShape,
    store: nn::VarStore,
    layers: Vec<Layer>,
    out: nn::Linear,
}

struct Layer {
    linear: nn::Linear,
    norm: Option<nn::BatchNorm>,
}

impl Perceptron {
    /// A head with zero weights, to be initialised or loaded.
    fn blank(shape: &HeadShape) -> Self {
        let store = nn::VarStore::new(Device::Cpu);
        let root = store.root();
        let zero =
            nn::LinearConfig { ws_init: nn::Init::Const(0.), bs_init: Some(nn::Init::Const(0.)), bias: true };
        let mut width = shape.inputs as i64;
        let mut layers = Vec::new();
        for (i, &units) in shape.hidden.iter().enumerate() {
            let linear = nn::linear(&root / format!("hidden{i}"), width, units as i64, zero);
            // tch's default scale is random (and global); PyTorch's is 1.
            let config = nn::BatchNormConfig { ws_init: nn::Init::Const(1.), ..Default::default() };
            let norm =
                shape.batch_norm.then(|| nn::batch_norm1d(&root / format!("norm{i}"), units as i64, config));
            layers.push(Layer { linear, norm });
            width = units as i64;
        }
        let out = nn::linear(&root / "out", width, shape.classes as i64, zero);
        Self { shape: shape.clone(), store, layers, out }
    }

    /// PyTorch's default for linear layers: uniform in ±1/√fan-in.
    fn initialise(&mut self, rng: &mut ChaCha8Rng) {
        let linears = self.layers.iter_mut().map(|l| &mut l.linear).chain([&mut self.out]);
        tch::no_grad(|| {
            for linear in linears {
                let bound = 1.0 / (linear.ws.size()[1] as f32).sqrt();
                for tensor in [Some(&mut linear.ws), linear.bs.as_mut()].into_iter().flatten() {
                    let values: Vec<f32> =
                        (0..tensor.numel()).map(|_| rng.random_range(-bound..bound)).collect();
                    let shaped = Tensor::from_slice(&values).view_as(tensor);
                    tensor.copy_(&shaped);
                }
            }
        });
    }

    /// Load weights saved by [`Head::save`].
    ///
    /// # Errors
    /// The file is missing, not safetensors, or does not fit `shape`.
    pub fn load(shape: &HeadShape, path: &Path) -> Result<Self, HeadError> {
        crate::single_threaded();
        let mut head = Self::blank(shape);
        head.store.load(path).map_err(failed)?;
        Ok(head)
    }

    /// Logits `[rows, classes]`; with a generator, in training mode.
    fn forward(&self, x: &Tensor, mut rng: Option<&mut ChaCha8Rng>) -> Tensor {
        let mut x = x.shallow_clone();
        for layer in &self.layers {
            x = x.apply(&layer.linear);
            if let Some(norm) = &layer.norm {
                x = norm.forward_t(&x, rng.is_some());
            }
            x = x.relu();
            if let Some(rng) = rng.as_deref_mut()
                && self.shape.dropout > 0.0
            {
                // Not in place: ReLU's gradient needs its output.
                x = &x * dropout_mask(&x, self.shape.dropout, rng);
            }
        }
        x.apply(&self.out)
    }
}

impl Head for Perceptron {
    fn logits(&self, inputs: &[f32]) -> Result<Vec<f32>, HeadError> {
        let x = Tensor::from_slice(inputs).view([-1, self.shape.inputs as i64]);
        let logits = tch::no_grad(|| self.forward(&x, None));
        Vec::<f32>::try_from(logits.contiguous().view([-1])).map_err(failed)
    }

    fn save(&self, path: &Path) -> Result<(), HeadError> {
        self.store.save(path).map_err(failed)
    }
}

fn failed(error: tch::TchError) -> HeadError {
    HeadError::Torch(error.to_string())
}

/// Inverted dropout: 0 with probability `share`, else 1 / (1 - share).
fn dropout_mask(like: &Tensor, share: f64, rng: &mut ChaCha8Rng) -> Tensor {
    let kept = (1.0 / (1.0 - share)) as f32;
    let mask: Vec<f32> = (0..like.numel()).map(|_| if rng.random_bool(share) { 0.0 } else { kept }).collect();
    Tensor::from_slice(&mask).view_as(like)
}

/// Cross entropy with class weights and soft targets: Σ w·y·(-log p) / Σ w·y.
///
/// With one-hot targets this is PyTorch's weighted `CrossEntropyLoss(reduction="mean")`.
fn loss(logits: &Tensor, targets: &Tensor, class_weights: &Tensor) -> Tensor {
    let weighted = targets * class_weights;
    let total = weighted.sum(Kind::Float);
    -(weighted * logits.log_softmax(-1, Kind::Float)).sum(Kind::Float) / total
}

/// [`pipeline::train::Fit::fit`].
///
/// # Errors
/// Divergence, interruption, or a libtorch failure.
pub fn fit(
    shape: &HeadShape,
    settings: &FitSettings,
    train: Rows<'_>,
    validation: Rows<'_>,
    each_epoch: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<Fitted, HeadError> {
    crate::single_threaded();
    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
    let mut head = Perceptron::blank(shape);
    head.initialise(&mut rng);
    let tensors = |rows: Rows<'_>| {
        (
            Tensor::from_slice(rows.inputs).view([-1, shape.inputs as i64]),
            Tensor::from_slice(rows.targets).view([-1, shape.classes as i64]),
        )
    };
    let (x, y) = tensors(train);
    let (vx, vy) = tensors(validation);
    let class_weights = Tensor::from_slice(&settings.class_weights);
    let adam = nn::Adam { wd: settings.weight_decay, ..nn::Adam::default() };
    let mut optimizer = adam.build(&head.store, settings.learning_rate).map_err(failed)?;
    let mut learning_rate = settings.learning_rate;
    let mut order: Vec<i64> = (0..x.size()[0]).collect();

    let mut history: Vec<Epoch> = Vec::new();
    let mut best = Best { loss: f64::INFINITY, epoch: 0, weights: Vec::new() };
    let (mut plateau_best, mut plateau_bad) = (f64::INFINITY, 0);
    let mut stopped_early = false;
    for epoch in 1..=settings.epochs {
        order.shuffle(&mut rng);
        for batch in batch_slices(&order, settings.batch_size) {
            let rows = Tensor::from_slice(batch);
            let logits = head.forward(&x.index_select(0, &rows), Some(&mut rng));
            optimizer.backward_step(&loss(&logits, &y.index_select(0, &rows), &class_weights));
        }
        let (train_loss, train_accuracy) = score(&head, &x, &y, &class_weights);
        let (validation_loss, validation_accuracy) = score(&head, &vx, &vy, &class_weights);
        if !validation_loss.is_finite() {
            return Err(HeadError::Diverged { epoch, loss: validation_loss, learning_rate });
        }
        history.push(Epoch {
            epoch,
            learning_rate,
            train_loss,
            train_accuracy,
            validation_loss,
            validation_accuracy,
        });
        if each_epoch(&history[epoch - 1]).is_break() {
            return Err(HeadError::Interrupted);
        }
        if validation_loss < best.loss - settings.min_delta {
            best = Best { loss: validation_loss, epoch, weights: snapshot(&head.store) };
        } else if epoch - best.epoch >= settings.patience {
            stopped_early = true;
            break;
        }
        if validation_loss < plateau_best * (1.0 - 1e-4) {
            (plateau_best, plateau_bad) = (validation_loss, 0);
        } else {
            plateau_bad += 1;
            if plateau_bad > settings.plateau_patience {
                learning_rate = (learning_rate * settings.plateau_factor).max(settings.min_learning_rate);
                optimizer.set_lr(learning_rate);
                plateau_bad = 0;
            }
        }
    }
    restore(&head.store, &best.weights);
    Ok(Fitted { head: Box::new(head), history, best_epoch: best.epoch, stopped_early })
}

struct Best {
    loss: f64,
    epoch: usize,
    weights: Vec<(String, Tensor)>,
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

/// Loss and accuracy of all rows, dropout off.
fn score(head: &Perceptron, x: &Tensor, y: &Tensor, class_weights: &Tensor) -> (f64, f64) {
    tch::no_grad(|| {
        let logits = head.forward(x, None);
        let right = logits.argmax(-1, false).eq_tensor(&y.argmax(-1, false));
        (loss(&logits, y, class_weights).double_value(&[]), right.mean(Kind::Double).double_value(&[]))
    })
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

    fn shape() -> HeadShape {
        HeadShape { inputs: 2, hidden: vec![8], classes: 2, dropout: 0.3, batch_norm: true }
    }

    fn settings(seed: u64) -> FitSettings {
        FitSettings {
            epochs: 60,
            batch_size: 16,
            learning_rate: 0.02,
            weight_decay: 1e-4,
            class_weights: vec![1.0, 1.0],
            patience: 10,
            min_delta: 0.001,
            plateau_factor: 0.5,
            plateau_patience: 2,
            min_learning_rate: 1e-6,
            seed,
        }
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

    fn fit_exclusive_or(shape: &HeadShape, seed: u64) -> Fitted {
        let (inputs, targets) = exclusive_or();
        let rows = Rows { inputs: &inputs, targets: &targets };
        fit(shape, &settings(seed), rows, rows, &mut |_| ControlFlow::Continue(())).unwrap()
    }

    #[test]
    fn a_hidden_layer_learns_what_a_linear_head_cannot() {
        let best = |f: &Fitted| f.history[f.best_epoch - 1].validation_accuracy;
        let mlp = fit_exclusive_or(&shape(), 1);
        assert!(best(&mlp) > 0.9, "{}", best(&mlp));
        let linear = fit_exclusive_or(&HeadShape { hidden: vec![], ..shape() }, 1);
        assert!(best(&linear) < 0.7, "{}", best(&linear));
    }

    #[test]
    fn the_same_seed_gives_the_same_bits_and_another_seed_does_not() {
        let logits = |seed| fit_exclusive_or(&shape(), seed).head.logits(&exclusive_or().0).unwrap();
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
        let head = Perceptron::load(&shape(), &path).unwrap();
        let (loss, _) = score(&head, &x, &y, &Tensor::from_slice(&[1.0f32, 1.0]));
        assert_eq!(loss, fitted.history[fitted.best_epoch - 1].validation_loss);
    }

    #[test]
    fn saved_weights_predict_the_same() {
        let fitted = fit_exclusive_or(&shape(), 4);
        let file = tempfile::tempdir().unwrap();
        let path = file.path().join("head.safetensors");
        fitted.head.save(&path).unwrap();
        let inputs = exclusive_or().0;
        let loaded = Perceptron::load(&shape(), &path).unwrap();
        assert_eq!(fitted.head.logits(&inputs).unwrap(), loaded.logits(&inputs).unwrap());
    }

    #[test]
    fn the_loss_is_pytorchs_weighted_cross_entropy() {
        // logits [[2,0],[0,1],[1,1]], classes 0,1,0, weights 1,3:
        // -log p = 0.126928, 0.313262, 0.693147; (0.126928 + 3*0.313262 + 0.693147) / (1+3+1) = 0.351972
        let logits = Tensor::from_slice(&[2.0f32, 0., 0., 1., 1., 1.]).view([3, 2]);
        let targets = Tensor::from_slice(&[1.0f32, 0., 0., 1., 1., 0.]).view([3, 2]);
        let value = loss(&logits, &targets, &Tensor::from_slice(&[1.0f32, 3.0])).double_value(&[]);
        assert!((value - 0.351972).abs() < 1e-5, "{value}");
    }

    #[test]
    fn a_loss_that_is_no_number_is_divergence() {
        let inputs = [1.0, f32::INFINITY, 0.5, 1.0];
        let rows = Rows { inputs: &inputs, targets: &[1.0, 0.0, 0.0, 1.0] };
        let error =
            fit(&shape(), &settings(1), rows, rows, &mut |_| ControlFlow::Continue(())).err().unwrap();
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
        let shape = HeadShape { inputs: 384, hidden: vec![64], classes: 4, dropout: 0.3, batch_norm: true };
        assert_eq!(shape.parameters(), 24_640 + 128 + 260);
        let stored: usize =
            Perceptron::blank(&shape).store.trainable_variables().iter().map(|t| t.numel()).sum();
        assert_eq!(shape.parameters(), stored);
    }
}
