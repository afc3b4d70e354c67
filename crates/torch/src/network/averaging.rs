//! A running mean of the weights, which is asked and kept in their place.

use pipeline::heads::Averaging;
use tch::nn;

use super::weights::Weights;

/// The mean of a network's weights over its steps or epochs.
pub struct Average {
    kind: Averaging,
    /// How often weights were taken into the mean.
    count: usize,
    mean: Option<Weights>,
    /// The network's own weights, while the mean stands in their place.
    own: Option<Weights>,
}

impl Average {
    /// A mean of nothing.
    pub fn new(kind: Averaging) -> Self {
        Self { kind, count: 0, mean: None, own: None }
    }

    /// Take in the weights of a step, where the mean is over steps.
    pub fn after_step(&mut self, store: &nn::VarStore) {
        if let Averaging::Ema(decay) = self.kind {
            // The first steps count fully, as in TensorFlow's ExponentialMovingAverage.
            let decay = decay.min((1.0 + self.count as f64) / (10.0 + self.count as f64));
            self.blend(store, decay);
        }
    }

    /// Take in the weights of an epoch, counted from 1, where the mean is over epochs.
    pub fn after_epoch(&mut self, store: &nn::VarStore, epoch: usize) {
        if let Averaging::Swa(from) = self.kind
            && epoch >= from
        {
            self.blend(store, self.count as f64 / (self.count + 1) as f64);
        }
    }

    fn blend(&mut self, store: &nn::VarStore, kept: f64) {
        self.count += 1;
        match &mut self.mean {
            Some(mean) => mean.blend(store, kept),
            None => self.mean = Some(Weights::of(store)),
        }
    }

    /// Put the mean into the store, where there is one.
    pub fn put_in(&mut self, store: &nn::VarStore) {
        if let Some(mean) = &self.mean {
            self.own = Some(Weights::of(store));
            mean.put_into(store);
        }
    }

    /// Put the network's own weights back, where the mean stands in their place.
    pub fn take_out(&mut self, store: &nn::VarStore) {
        if let Some(own) = self.own.take() {
            own.put_into(store);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::CPU;
    use tch::Tensor;

    /// The mean of one weight that is 1, 2, 4 after its epochs of one step each.
    fn mean_of(kind: Averaging) -> f64 {
        let store = nn::VarStore::new(CPU);
        let mut weight: Tensor = store.root().zeros("weight", &[1]);
        let mut average = Average::new(kind);
        for (epoch, value) in (1..).zip([1.0, 2.0, 4.0]) {
            let _ = tch::no_grad(|| weight.fill_(value));
            average.after_step(&store);
            average.after_epoch(&store, epoch);
        }
        average.put_in(&store);
        let mean = weight.double_value(&[0]);
        average.take_out(&store);
        assert_eq!(weight.double_value(&[0]), 4.0);
        mean
    }

    #[test]
    fn means_are_over_steps_or_over_epochs_from_one_on() {
        assert_eq!(mean_of(Averaging::None), 4.0);
        assert_eq!(mean_of(Averaging::Swa(2)), 3.0);
        // Decays of 2/11, then 0.2: 2/11 · 1 + 9/11 · 2 = 1.818182; 0.2 · 1.818182 + 0.8 · 4 = 3.563636
        assert!((mean_of(Averaging::Ema(0.2)) - 3.563636).abs() < 1e-5);
    }
}
