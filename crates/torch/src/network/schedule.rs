//! The learning rate of each step.

use std::f64::consts::PI;

use pipeline::heads::{NetworkSettings, Schedule};

/// Share of a cycle in which the rate rises.
const WARM_CYCLE: f64 = 0.3;

/// The learning rate, as the schedule of the settings moves it.
pub struct Rate {
    schedule: Schedule,
    /// The first rate, or the greatest where the schedule warms up.
    greatest: f64,
    now: f64,
    /// Steps taken, and those of all epochs.
    step: usize,
    steps: usize,
    plateau: Plateau,
}

/// What `ReduceLROnPlateau` remembers.
struct Plateau {
    /// The least validation loss.
    least: f64,
    /// Epochs since then, or since the rate fell.
    bad: usize,
}

impl Rate {
    /// The rate before the first of `settings.epochs * steps_an_epoch` steps.
    pub fn new(settings: &NetworkSettings, steps_an_epoch: usize) -> Self {
        Self {
            schedule: settings.schedule,
            greatest: settings.learning_rate,
            now: settings.learning_rate,
            step: 0,
            steps: settings.epochs * steps_an_epoch,
            plateau: Plateau { least: f64::INFINITY, bad: 0 },
        }
    }

    /// The rate of the latest step.
    pub fn now(&self) -> f64 {
        self.now
    }

    /// The rate of the next step.
    pub fn of_step(&mut self) -> f64 {
        let done = self.step as f64 / self.steps.max(1) as f64;
        self.step += 1;
        // From one rate to another along half a cosine, `share` of the way.
        let between =
            |from: f64, to: f64, share: f64| to + (from - to) * (1.0 + (PI * share.min(1.0)).cos()) / 2.0;
        self.now = match self.schedule {
            Schedule::Constant | Schedule::Plateau { .. } => self.now,
            Schedule::Cosine { warmup } if done < warmup => self.greatest * (done / warmup).max(1e-3),
            Schedule::Cosine { warmup } => between(self.greatest, 0.0, (done - warmup) / (1.0 - warmup)),
            Schedule::OneCycle if done < WARM_CYCLE => {
                between(self.greatest / 25.0, self.greatest, done / WARM_CYCLE)
            }
            Schedule::OneCycle => {
                between(self.greatest, self.greatest / 25e4, (done - WARM_CYCLE) / (1.0 - WARM_CYCLE))
            }
        };
        self.now
    }

    /// Whether the rate still rises: what is seen until then says little about where the training ends.
    pub fn warms_up(&self) -> bool {
        let done = self.step as f64 / self.steps.max(1) as f64;
        match self.schedule {
            Schedule::Constant | Schedule::Plateau { .. } => false,
            Schedule::Cosine { warmup } => done < warmup,
            Schedule::OneCycle => done < WARM_CYCLE,
        }
    }

    /// Lower the rate where the validation loss is on a plateau.
    pub fn after_epoch(&mut self, validation_loss: f64) {
        let Schedule::Plateau { factor, patience, least } = self.schedule else { return };
        if validation_loss < self.plateau.least * (1.0 - 1e-4) {
            self.plateau = Plateau { least: validation_loss, bad: 0 };
            return;
        }
        self.plateau.bad += 1;
        if self.plateau.bad > patience {
            self.now = (self.now * factor).max(least);
            self.plateau.bad = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(schedule: Schedule, steps_an_epoch: usize) -> Rate {
        let settings =
            NetworkSettings { epochs: 10, learning_rate: 1.0, schedule, ..NetworkSettings::default() };
        Rate::new(&settings, steps_an_epoch)
    }

    #[test]
    fn learning_rates_follow_their_schedule() {
        let rates = |schedule| {
            let mut rate = rate(schedule, 10);
            (0..100).map(|_| rate.of_step()).collect::<Vec<_>>()
        };
        let cosine = rates(Schedule::Cosine { warmup: 0.2 });
        assert!((cosine[10] - 0.5).abs() < 1e-9 && (cosine[20] - 1.0).abs() < 1e-9);
        assert!((cosine[60] - 0.5).abs() < 1e-9 && cosine[99] < 0.001);
        let cycle = rates(Schedule::OneCycle);
        assert!((cycle[0] - 0.04).abs() < 1e-9 && (cycle[30] - 1.0).abs() < 1e-9 && cycle[99] < 0.01);
        assert!(rates(Schedule::Constant).iter().all(|&r| r == 1.0));
    }

    #[test]
    fn a_plateau_lowers_the_rate_after_more_bad_epochs_than_are_tolerated() {
        let mut rate = rate(Schedule::Plateau { factor: 0.5, patience: 1, least: 0.2 }, 1);
        let mut after = |loss| {
            rate.after_epoch(loss);
            rate.of_step()
        };
        // A fall of less than a part in 10,000 is none.
        let rates = [1.0, 1.0, 0.99995, 1.0, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6].map(&mut after);
        assert_eq!(rates, [1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2, 0.2]);
    }
}
