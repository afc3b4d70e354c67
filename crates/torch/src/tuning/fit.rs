//! The training loop: phases of epochs of steps, each of which can be the last of this process.

use std::time::Instant;

use pipeline::fine_tuning::{
    Contrastive, Depth, EpochLoss, Event, Phase, Tuned, TuningData, TuningError, TuningRun, TuningSettings,
    Watch, fingerprint,
};
use tch::{Device, Tensor};

use super::adamw::{AdamW, Step, clear};
use super::batches::shuffled;
use super::checkpoint::{self, Kept};
use super::folder::BertFolder;
use super::lower::Lower;
use super::model::Model;
use super::objective::Objective;
use super::pairs::draw;
use super::parameters::{Parameter, learning};
use super::place::Place;
use super::prepared::Prepared;
use super::random::{Dropout, Stream};
use super::rate::share;
use super::room::Room;
use super::vocabulary::Vocabulary;
use super::weights::Weights;
use crate::device::{CPU, recorded};

/// Tune `model` on `device`; it then lies on the processor again. After an error its weights are those of somewhere on the way.
///
/// A checkpoint of other settings, rows or another encoder, or a damaged one, is said and not used.
///
/// # Errors
/// Settings or data that cannot be, divergence, interruption, a checkpoint that cannot be written, a libtorch failure.
pub fn tune(
    model: &mut Model,
    data: &TuningData<'_>,
    settings: &TuningSettings,
    run: Option<&TuningRun>,
    device: Device,
    watch: Watch<'_>,
) -> Result<Tuned, TuningError> {
    settings.check()?;
    tch::set_num_threads(settings.threads as i32);
    let mut prepared = Prepared::new(data, &model.folder.tokenizer, model.bert.config.vocab_size)?;
    let fingerprint = match run {
        Some(_) => {
            let also = format!("{:?} {:?}", model.pooling, model.readout);
            fingerprint(&BertFolder::fingerprint(&model.bert.weights)?, settings, data, &also)
        }
        None => String::new(),
    };
    model.begin(settings, data.seed)?;
    let sizes = [data.fields, data.columns, data.outputs()].map(|size| size as i64);
    model.begin_readout(sizes, data.seed);
    let pairs = match settings.contrastive {
        Some(Contrastive { pairs }) => {
            let classes = prepared.train.classes(prepared.tasks[0].classes);
            draw(&classes, pairs, &mut Stream::Pairs.of(data.seed))
        }
        None => Vec::new(),
    };
    let words = match settings.depth {
        Depth::Full => Vocabulary::narrow(&mut model.bert, &mut prepared.texts),
        Depth::Top(_) | Depth::Lora { .. } => None,
    };
    let room = Room::of(device);
    room.hold(|| {
        model.bert.move_to(device);
        Ok(())
    })?;
    let lower = Lower::new(&model.bert, model.frozen(settings.depth), &prepared.texts, settings.frozen_bytes);
    let fit = Fit {
        plan: [
            (Phase::Contrastive, usize::from(!pairs.is_empty())),
            (Phase::Head, settings.head_epochs),
            (Phase::Encoder, settings.epochs),
        ],
        state: Kept {
            place: Place::default(),
            weights: Weights::new(),
            optimizer: AdamW::default(),
            best: Weights::new(),
        },
        objective: Objective { data: prepared, pairs, lower },
        seed: data.seed,
        began: Instant::now(),
        model: &mut *model,
        room,
        told_most: None,
        settings,
        run,
        fingerprint,
        watch,
    };
    let tuned = fit.all();
    model.bert.move_to(CPU);
    words.iter().for_each(|words| words.widen(&mut model.bert));
    tuned
}

struct Fit<'a> {
    model: &'a mut Model,
    objective: Objective,
    room: Room,
    /// What was said of it.
    told_most: Option<usize>,
    settings: &'a TuningSettings,
    run: Option<&'a TuningRun>,
    fingerprint: String,
    seed: u64,
    /// Phases with their epochs.
    plan: [(Phase, usize); 3],
    /// Its `weights` are filled when it is kept.
    state: Kept,
    began: Instant,
    watch: Watch<'a>,
}

impl Fit<'_> {
    /// Go on from the checkpoint, if there is one that can be gone on from.
    fn go_on(&mut self) -> Result<(), TuningError> {
        let Some(run) = self.run else { return Ok(()) };
        match checkpoint::read(&run.folder, &self.fingerprint) {
            Ok(None) => Ok(()),
            Err(reason) => self.say(&Event::Note(reason)),
            Ok(Some(mut kept)) => {
                let said = format!("going on after {} steps that were kept", kept.place.all_taken);
                let device = self.model.bert.device();
                kept.move_to(device);
                self.model.bert.weights.append(&mut kept.weights);
                self.state = kept;
                self.say(&Event::Note(said))
            }
        }
    }

    fn all(mut self) -> Result<Tuned, TuningError> {
        self.go_on()?;
        while let Some(&(phase, epochs)) = self.plan.get(self.state.place.phase) {
            self.phase(phase, epochs)?;
            self.state.place.next_phase();
            self.state.optimizer = AdamW::default();
        }
        self.keep()?;
        self.model.bert.weights.append(&mut self.state.best);
        for weight in self.model.bert.weights.values_mut() {
            *weight = weight.detach();
        }
        let Place { history, best_epoch, stopped_early, .. } = self.state.place;
        Ok(Tuned {
            history,
            best_epoch,
            stopped_early,
            cut_texts: self.objective.data.texts.cut,
            device: recorded(self.model.bert.device()),
        })
    }

    fn phase(&mut self, phase: Phase, epochs: usize) -> Result<(), TuningError> {
        let parameters = learning(self.model, self.settings, phase);
        let learns = |name: &String| parameters.iter().any(|parameter| parameter.name == *name);
        for (name, weight) in &mut self.model.bert.weights {
            *weight = weight.detach().set_requires_grad(learns(name));
        }
        // The head alone sees vectors that do not change.
        let alone = phase == Phase::Head && self.state.place.epoch < epochs;
        let all = || self.room.hold(|| Ok(self.objective.all_vectors(self.model)));
        let vectors = alone.then(all).transpose()?;
        while self.state.place.epoch < epochs && !self.state.place.stopped_early {
            self.epoch(phase, epochs, &parameters, vectors.as_ref())?;
        }
        Ok(())
    }

    fn epoch(
        &mut self,
        phase: Phase,
        epochs: usize,
        parameters: &[Parameter],
        vectors: Option<&Tensor>,
    ) -> Result<(), TuningError> {
        let Place { phase: number, epoch, step: from, .. } = self.state.place;
        let mut order = Stream::Order { phase: number, epoch }.of(self.seed);
        let batches = shuffled(&self.objective.lengths(phase), self.settings.batch_size, &mut order);
        let steps = epochs * batches.len();
        for batch in &batches[from.min(batches.len())..] {
            let loss = self.gradients((phase, batch), parameters, vectors)?;
            self.step(phase, steps, parameters, loss)?;
        }
        let place = &mut self.state.place;
        let train = place.sum / batches.len().max(1) as f64;
        (place.epoch, place.step, place.sum) = (epoch + 1, 0, 0.0);
        if phase != Phase::Encoder {
            return Ok(());
        }
        let validation = self.objective.validation(self.model, self.settings.batch_size, &mut self.room)?;
        let ended = EpochLoss { epoch: epoch + 1, train, validation };
        if self.state.place.ended(ended, self.settings.min_delta) {
            let copy = |Parameter { name, .. }: &Parameter| {
                Some((name.clone(), self.model.bert.weights.get(name)?.detach().copy()))
            };
            self.state.best = parameters.iter().filter_map(copy).collect();
        }
        let place = &mut self.state.place;
        place.stopped_early = place.bad > 0 && place.bad >= self.settings.patience && place.epoch < epochs;
        self.say(&Event::Epoch(ended))
    }

    /// Gradients of the loss of a batch, in as many pieces as it takes to have room for them; the loss.
    fn gradients(
        &mut self,
        (phase, batch): (Phase, &[usize]),
        parameters: &[Parameter],
        vectors: Option<&Tensor>,
    ) -> Result<f64, TuningError> {
        let stream = Stream::Dropout { phase: self.state.place.phase, step: self.state.place.taken };
        let (seed, share) = (self.seed, self.settings.dropout);
        let Self { model, objective, room, .. } = self;
        let mut attempts = 0;
        let loss = room.halving(batch.len(), &mut |at_once| {
            if attempts > 0 {
                clear(parameters, &mut model.bert.weights);
            }
            attempts += 1;
            let mut dropout = Dropout::new(stream.of(seed), share);
            objective.gradients(model, (phase, batch), at_once, vectors, &mut dropout)
        })?;
        if let Some(most) = self.room.most().filter(|most| self.told_most != Some(*most)) {
            self.told_most = Some(most);
            let rows = self.settings.batch_size;
            self.say(&Event::Note(format!(
                "memory is short: {most} at once from now on, and a step is still of {rows}"
            )))?;
        }
        Ok(loss)
    }

    /// Learn from the gradients of a loss, tell of it, keep what was learned when it is time to.
    fn step(
        &mut self,
        phase: Phase,
        steps: usize,
        parameters: &[Parameter],
        value: f64,
    ) -> Result<(), TuningError> {
        let place = &mut self.state.place;
        let diverged = place.diverges(value);
        let number = place.all_taken + 1;
        let first = place.first.unwrap_or(value);
        let rates = [self.settings.learning_rate, self.settings.head_learning_rate];
        let error = move || TuningError::Diverged { step: number, loss: value, first, rates };
        if diverged {
            return Err(error());
        }
        let step = Step {
            number: place.taken + 1,
            rate: share(place.taken, steps, self.settings.warm_up),
            weight_decay: self.settings.weight_decay,
            clip: self.settings.clip,
        };
        let (optimizer, weights) = (&mut self.state.optimizer, &mut self.model.bert.weights);
        let length = self.room.hold(|| optimizer.step(parameters, weights, step))?;
        if !length.is_finite() {
            return Err(error());
        }
        place.sum += value;
        (place.step, place.taken, place.all_taken) = (place.step + 1, place.taken + 1, number);
        if self.run.is_some_and(|run| number.is_multiple_of(run.every.max(1))) {
            self.keep()?;
        }
        let seconds = self.began.elapsed().as_secs_f64();
        self.say(&Event::Step { phase, step: number, steps: self.steps(), loss: value, seconds })
    }

    /// Steps of all phases.
    fn steps(&self) -> usize {
        let batches = |phase| self.objective.things(phase).div_ceil(self.settings.batch_size);
        let of = |&(phase, epochs): &(Phase, usize)| epochs * batches(phase);
        self.plan.iter().map(of).sum()
    }

    /// Write the checkpoint, where there is to be one.
    fn keep(&mut self) -> Result<(), TuningError> {
        let Some(run) = self.run else { return Ok(()) };
        let mut names: Vec<String> = Vec::new();
        for phase in [Phase::Contrastive, Phase::Encoder] {
            names.extend(learning(self.model, self.settings, phase).into_iter().map(|p| p.name));
        }
        let own = |name: String| self.model.bert.weights.get(&name).map(|w| (name.clone(), w.detach()));
        self.state.weights = names.into_iter().filter_map(own).collect();
        let written = checkpoint::write(&run.folder, &self.fingerprint, &self.state);
        self.state.weights.clear();
        written
    }

    /// Tell of an event; where that breaks off, what was learned is kept first.
    fn say(&mut self, event: &Event) -> Result<(), TuningError> {
        if (self.watch)(event).is_continue() {
            return Ok(());
        }
        self.keep()?;
        Err(TuningError::Interrupted)
    }
}
