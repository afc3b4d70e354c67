//! How long tuning an encoder will take, by the pace of some steps, and how much of it there is time for.

use std::fs;
use std::ops::ControlFlow;

use super::context::Context;
use super::error::BuildError;
use super::rows::Rows;
use super::tuned::{Taught, Wanted};
use crate::config::EncoderTraining;
use crate::counting::minutes;
use crate::fine_tuning::{EncoderTuning, Event, TuningError, TuningSettings};
use crate::split::Fold;

/// Steps of an epoch after which its pace is known; a guess.
const PACE_STEPS: usize = 8;

/// Seconds of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pace {
    /// In the first epoch, in which the states below the layers that learn are computed.
    pub first_s: f64,
    /// In those after it.
    pub later_s: f64,
}

/// Steps of a tuning, and how many tunings there are.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// Epochs, at most.
    pub epochs: usize,
    /// Batches of training and of validation rows.
    pub batches: [usize; 2],
    /// Folds of the comparison, and of all repeats.
    pub folds: [usize; 2],
    /// Folds that are tuned at once.
    pub at_once: usize,
}

/// What tuning so much of the encoder takes at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Foretold {
    /// How much of it learns.
    pub training: EncoderTraining,
    /// To compare it with the frozen one.
    pub comparison_minutes: f64,
    /// Then, if it is worth it, for the model and its evaluation.
    pub after_minutes: f64,
}

/// What a validation batch, of which nothing is learned, takes of a training batch; a guess, one pass of three.
const FORWARD: f64 = 1.0 / 3.0;

impl Work {
    /// What it takes at this pace.
    pub fn at(&self, training: EncoderTraining, pace: Pace) -> Foretold {
        let [train, validation] = self.batches.map(|batches| batches as f64);
        let later = self.epochs.saturating_sub(1) as f64;
        let looks = self.epochs as f64 * validation * FORWARD * pace.later_s;
        let one = (train * (pace.first_s + later * pace.later_s) + looks) / 60.0;
        let rounds = |folds: usize| folds.div_ceil(self.at_once.max(1)) as f64;
        let [compared, all] = self.folds;
        Foretold {
            training,
            comparison_minutes: one * rounds(compared),
            // The encoders of the comparison are there; the model has one of its own.
            after_minutes: one * (1.0 + rounds(all.saturating_sub(compared))),
        }
    }
}

/// The first of `depths`, from deep to shallow, whose comparison takes at most `hours`; what is passed over is told to `note`.
///
/// # Errors
/// None does, or `pace` fails.
pub fn deepest(
    hours: f64,
    work: Work,
    depths: &[EncoderTraining],
    pace: &mut dyn FnMut(EncoderTraining) -> Result<Pace, BuildError>,
    note: &dyn Fn(&str),
) -> Result<Foretold, BuildError> {
    let mut least = f64::INFINITY;
    for (at, &depth) in depths.iter().enumerate() {
        let found = work.at(depth, pace(depth)?);
        if found.comparison_minutes <= hours * 60.0 {
            return Ok(found);
        }
        least = least.min(found.comparison_minutes);
        let instead = depths.get(at + 1).map_or(String::new(), |next| format!("; looking at {next} instead"));
        note(&format!(
            "train.encoder = \"{depth}\" would take up to {}, more than --hours {hours}{instead}",
            minutes(found.comparison_minutes)
        ));
    }
    Err(BuildError::TooLong { hours, least_minutes: least })
}

impl Context<'_> {
    /// The pace of the tuning on `fold`, by some steps on rows of it that are then forgotten.
    ///
    /// # Errors
    /// As those of tuning; or the user stopped it.
    pub fn tuning_pace(&self, rows: &Rows, fold: &Fold) -> Result<Pace, BuildError> {
        let engine = self.engine.ok_or(TuningError::NeedsTorch)?;
        let Wanted { base, settings, seed } = self.wanted()?;
        let asked = (PACE_STEPS * settings.batch_size).clamp(1, fold.train.len().max(1));
        // Evenly over all, so that their texts are as long.
        let some = (0..asked.min(fold.train.len())).map(|i| fold.train[i * fold.train.len() / asked]);
        let some = Fold { train: some.collect(), validation: Vec::new(), ..fold.clone() };
        let share = asked as f64 / fold.train.len().max(1) as f64;
        let settings = TuningSettings {
            // The head alone is taught by next to nothing.
            head_epochs: 0,
            epochs: 2,
            patience: usize::MAX,
            // States that would not be kept of all rows are not of these.
            frozen_bytes: (settings.frozen_bytes as f64 * share) as u64,
            ..settings
        };
        let taught = Taught::of(rows, &some, seed);
        let into = self.project.tuned_folder().join("pace");
        let data = taught.data();
        let tuning =
            EncoderTuning { folder: &base.folder, into: &into, data, settings: &settings, run: None };
        let mut times = Vec::new();
        let paced = engine.tune_encoder(&tuning, &mut |event| {
            if let Event::Step { seconds, .. } = event {
                times.push(*seconds);
            }
            if self.progress.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let _ = fs::remove_dir_all(&into);
        if self.progress.interrupted() {
            return Err(BuildError::Interrupted);
        }
        paced?;
        Ok(pace_of(&times))
    }
}

/// The pace of two epochs, whose steps ended at these `times`, in seconds. The first step of each is left out where there are others: it is
/// slower.
fn pace_of(times: &[f64]) -> Pace {
    let (first, later) = times.split_at(times.len() / 2);
    let mean = |times: &[f64], before: f64| match times {
        [] => 0.0,
        [only] => only - before,
        [first, .., last] => (last - first) / (times.len() - 1) as f64,
    };
    Pace { first_s: mean(first, 0.0), later_s: mean(later, first.last().copied().unwrap_or(0.0)) }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    const DEPTHS: [EncoderTraining; 3] =
        [EncoderTraining::Full, EncoderTraining::Top(2), EncoderTraining::Top(1)];

    /// 10 epochs of 200 and 30 batches, 5 of 15 folds, two at once.
    const WORK: Work = Work { epochs: 10, batches: [200, 30], folds: [5, 15], at_once: 2 };

    /// A machine whose steps take this long.
    fn pace(depth: EncoderTraining) -> Result<Pace, BuildError> {
        Ok(match depth {
            EncoderTraining::Full => Pace { first_s: 1.0, later_s: 1.0 },
            EncoderTraining::Top(2) => Pace { first_s: 0.6, later_s: 0.3 },
            _ => Pace { first_s: 0.5, later_s: 0.15 },
        })
    }

    #[test]
    fn time_is_that_of_all_epochs_and_rounds() {
        // (200 · (0.6 + 9 · 0.3) + 10 · 30 · 0.3 / 3) / 60 = 11.5 minutes; 3 rounds, and 1 + 5.
        let found = WORK.at(EncoderTraining::Top(2), pace(EncoderTraining::Top(2)).unwrap());
        assert!((found.comparison_minutes - 34.5).abs() < 1e-9, "{found:?}");
        assert!((found.after_minutes - 69.0).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn as_much_learns_as_there_is_time_for_and_what_is_passed_over_is_said() {
        let said = RefCell::new(Vec::new());
        let choose =
            |hours| deepest(hours, WORK, &DEPTHS, &mut pace, &|note| said.borrow_mut().push(note.to_owned()));
        // All of it takes 105 minutes, two layers 34.5, one 18.8.
        for (hours, depth, notes) in [(2.0, DEPTHS[0], 0), (1.0, DEPTHS[1], 1), (0.5, DEPTHS[2], 2)] {
            assert_eq!((choose(hours).unwrap().training, said.take().len()), (depth, notes), "{hours}");
        }
        choose(1.0).unwrap();
        let said_then = said.take();
        assert_eq!(
            said_then,
            [
                "train.encoder = \"full\" would take up to 1.8 hours, more than --hours 1; looking at top-2 instead"
            ]
        );
        let error = choose(0.25).unwrap_err();
        assert!(matches!(error, BuildError::TooLong { .. }) && said.take().len() == 3, "{error}");
        assert!(error.hint().unwrap().contains("--hours"), "{error}");
    }

    #[test]
    fn the_pace_is_that_of_the_steps_behind_the_first_of_an_epoch() {
        let pace = pace_of(&[3.0, 4.0, 5.0, 5.8, 6.0, 6.2]);
        assert!((pace.first_s - 1.0).abs() < 1e-9 && (pace.later_s - 0.2).abs() < 1e-9, "{pace:?}");
        assert_eq!(pace_of(&[1.5, 2.0]), Pace { first_s: 1.5, later_s: 0.5 });
        assert_eq!(pace_of(&[]), Pace { first_s: 0.0, later_s: 0.0 });
    }
}
