//! Where a tuning is.

use pipeline::fine_tuning::EpochLoss;
use serde::{Deserialize, Serialize};

/// How far a tuning is, but for weights and moments.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Which of the phases.
    pub phase: usize,
    /// Epochs of it that are over.
    pub epoch: usize,
    /// Steps of the epoch that are.
    pub step: usize,
    /// Steps of the phase that are.
    pub taken: usize,
    /// Steps of all phases that are.
    pub all_taken: usize,
    /// Loss of the phase's first step.
    pub first: Option<f64>,
    /// Steps in a row whose loss was far above it.
    pub far: usize,
    /// Sum of the losses of the epoch's steps.
    pub sum: f64,
    /// Epochs of encoder and head.
    pub history: Vec<EpochLoss>,
    /// Which of them was the best; 0 before there is one.
    pub best_epoch: usize,
    /// Epochs since then.
    pub bad: usize,
    /// Whether early stopping has ended it.
    pub stopped_early: bool,
}

/// A loss this many times that of the first step is far above it.
const FAR: f64 = 10.0;

/// What the loss of the first step counts at least: a first batch may be right by chance.
const LEAST_FIRST: f64 = 0.1;

/// Steps far above the first that are taken for a bad batch and no more; a guess.
const FAR_STEPS: usize = 20;

impl Place {
    /// Take note of a step's loss; whether the training has diverged.
    pub fn diverges(&mut self, loss: f64) -> bool {
        let first = *self.first.get_or_insert(loss);
        self.far = if loss > FAR * first.max(LEAST_FIRST) { self.far + 1 } else { 0 };
        !loss.is_finite() || self.far > FAR_STEPS
    }

    /// Go on to the next phase.
    pub fn next_phase(&mut self) {
        self.phase += 1;
        (self.epoch, self.step, self.taken, self.sum) = (0, 0, 0, 0.0);
        (self.first, self.far) = (None, 0);
    }

    /// Take note of the losses of an epoch; whether it is the best so far, by the validation loss where there is one.
    pub fn ended(&mut self, loss: EpochLoss, min_delta: f64) -> bool {
        let least = self.best_epoch.checked_sub(1).and_then(|at| self.history.get(at)?.validation);
        self.history.push(loss);
        let better = match (loss.validation, least) {
            (Some(now), Some(least)) => now < least - min_delta,
            (_, None) | (None, _) => true,
        };
        if better {
            (self.best_epoch, self.bad) = (loss.epoch, 0);
        } else {
            self.bad += 1;
        }
        better
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_that_stays_far_above_the_first_diverges_and_a_bad_batch_does_not() {
        let mut place = Place::default();
        assert!(!place.diverges(1.0));
        assert!((0..FAR_STEPS).all(|_| !place.diverges(11.0)));
        assert!(!place.diverges(2.0));
        assert!((0..FAR_STEPS).all(|_| !place.diverges(11.0)));
        assert!(place.diverges(11.0));
        assert!(Place::default().diverges(f64::NAN) && Place::default().diverges(f64::INFINITY));
    }

    #[test]
    fn the_best_epoch_is_that_of_the_least_validation_loss() {
        let epoch = |epoch, validation| EpochLoss { epoch, train: 1.0, validation };
        let mut place = Place::default();
        let better = [3.0, 2.0, 1.95, 2.5, 1.5].map({
            let mut number = 0;
            let place = &mut place;
            move |loss| {
                number += 1;
                place.ended(epoch(number, Some(loss)), 0.1)
            }
        });
        assert_eq!((better, place.best_epoch, place.bad), ([true, true, false, false, true], 5, 0));
        let mut place = Place::default();
        assert!(place.ended(epoch(1, None), 0.1) && place.ended(epoch(2, None), 0.1));
        assert_eq!(place.best_epoch, 2);
    }
}
