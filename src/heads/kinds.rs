//! All heads in one enum each: what trains them, and what loads them again.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::block::Block;
use super::error::HeadError;
use super::head::{Epoch, FitData, Fitted, Head};
use super::network::{NetworkSettings, NetworkShape, Networks};
use super::tensors::Tensors;
use super::{ensemble, kernel, logistic, neighbours, trees};
use ensemble::{EnsembleShape, Views};
use kernel::{KernelSettings, KernelShape};
use logistic::LogisticShape;
use neighbours::{NeighbourSettings, NeighbourShape};
use trees::{TreeSettings, TreeShape};

/// A kind of head with its sizes: what is needed to load its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum HeadShape {
    /// A multilayer perceptron.
    Network(NetworkShape),
    /// A kernel machine.
    Kernel(KernelShape),
    /// Remembered rows.
    Neighbours(NeighbourShape),
    /// Boosted trees.
    Trees(TreeShape),
    /// Logistic and ridge regression.
    Logistic(LogisticShape),
    /// Several heads.
    Ensemble(EnsembleShape),
}

impl HeadShape {
    /// Blocks of the answer; the label's is the first.
    pub fn blocks(&self) -> &[Block] {
        match self {
            Self::Network(shape) => &shape.blocks,
            Self::Kernel(shape) => &shape.blocks,
            Self::Neighbours(shape) => &shape.blocks,
            Self::Trees(shape) => &shape.blocks,
            Self::Logistic(shape) => &shape.blocks,
            Self::Ensemble(shape) => shape.heads.first().map_or(&[], Self::blocks),
        }
    }
}

/// Which head to train, and how.
#[derive(Clone, Debug)]
pub enum Recipe {
    /// A multilayer perceptron by gradient descent.
    Network {
        /// Its layers.
        shape: NetworkShape,
        /// Its training.
        settings: NetworkSettings,
    },
    /// A kernel machine in closed form.
    Kernel(KernelSettings),
    /// Nearest rows, or class means.
    Neighbours(NeighbourSettings),
    /// Boosted trees.
    Trees(TreeSettings),
    /// Multinomial logistic regression, and ridge regression for values.
    Logistic,
    /// Several heads on the same rows.
    Ensemble {
        /// The heads'.
        recipes: Vec<Recipe>,
        /// Whether their weights are learned on the validation rows.
        stacked: bool,
        /// What each head sees; `None` where all see all. All see what is beside the embedding.
        sees: Option<Views>,
    },
}

/// Train a head by `recipe`; `networks` is asked for those that are networks.
///
/// `each_epoch` sees every line of the history as it is made and can break off.
///
/// # Errors
/// A network without `networks`, divergence, interruption, or inputs that are no numbers.
pub fn fit(
    recipe: &Recipe,
    data: &FitData<'_>,
    networks: Option<&dyn Networks>,
    each_epoch: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<Fitted, HeadError> {
    match recipe {
        Recipe::Network { shape, settings } => {
            networks.ok_or(HeadError::NeedsTorch)?.fit_network(shape, settings, data, each_epoch)
        }
        Recipe::Kernel(settings) => kernel::fit(settings, data, each_epoch),
        Recipe::Neighbours(settings) => neighbours::fit(settings, data, each_epoch),
        Recipe::Trees(settings) => trees::fit(settings, data, each_epoch),
        Recipe::Logistic => logistic::fit(data, each_epoch),
        Recipe::Ensemble { recipes, stacked, sees } => {
            ensemble::fit(recipes, *stacked, sees.as_ref(), data, networks, each_epoch)
        }
    }
}

/// A head of weights saved by [`Head::save`]; `networks` is asked for those that are a network's.
///
/// # Errors
/// A network without `networks`; tensors that do not fit `shape`.
pub fn load(
    shape: &HeadShape,
    tensors: Tensors,
    networks: Option<&dyn Networks>,
) -> Result<Box<dyn Head>, HeadError> {
    Ok(match shape {
        HeadShape::Network(shape) => {
            return networks.ok_or(HeadError::NeedsTorch)?.load_network(shape, tensors);
        }
        HeadShape::Kernel(shape) => Box::new(kernel::KernelMachine::load(shape, tensors)?),
        HeadShape::Neighbours(shape) => Box::new(neighbours::Memory::load(shape, tensors)?),
        HeadShape::Trees(shape) => Box::new(trees::Forest::load(shape, tensors)?),
        HeadShape::Logistic(shape) => Box::new(logistic::Linear::load(shape, tensors)?),
        HeadShape::Ensemble(shape) => Box::new(ensemble::Ensemble::load(shape, tensors, networks)?),
    })
}
