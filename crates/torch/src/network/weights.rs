//! Copies of a network's weights.

use std::collections::HashMap;

use tch::{Tensor, nn};

/// A copy of all weights of a network by name, batch-norm statistics included.
pub struct Weights(HashMap<String, Tensor>);

impl Weights {
    /// A copy of those in `store`.
    pub fn of(store: &nn::VarStore) -> Self {
        Self(tch::no_grad(|| store.variables().into_iter().map(|(name, t)| (name, t.copy())).collect()))
    }

    /// Copy them into `store`, which they were copied from.
    pub fn put_into(&self, store: &nn::VarStore) {
        tch::no_grad(|| {
            for (name, mut variable) in store.variables() {
                variable.copy_(&self.0[&name]);
            }
        });
    }

    /// Keep the share `kept` of them and take the rest from `store`, which they were copied from.
    pub fn blend(&mut self, store: &nn::VarStore, kept: f64) {
        let now = store.variables();
        tch::no_grad(|| {
            for (name, mean) in &mut self.0 {
                let _ = mean.lerp_(&now[name], 1.0 - kept);
            }
        });
    }

    /// Copy those of several groups of members into the store of all members, in their order.
    pub fn join(groups: &[&Self], store: &nn::VarStore) {
        for (name, mut variable) in store.variables() {
            // Members, and the units of all members beside one another, are the first dimension of every tensor.
            let parts: Vec<&Tensor> = groups.iter().map(|group| &group.0[&name]).collect();
            tch::no_grad(|| variable.copy_(&Tensor::cat(&parts, 0)));
        }
    }
}
