//! The training loop: phases of epochs of steps, each of which can be the last of this process.

use std::time::Instant;

use pipeline::fine_tuning::{
    Contrastive, Depth, EpochLoss, Event, Phase, Tuned, TuningData, TuningError, TuningRun, TuningSettings,
    Watch, fingerprint,
};
use tch::Tensor;

use super::adamw::{AdamW, Step};
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
use super::vocabulary::Vocabulary;
use super::weights::{Weights, failed};

/// Tune `model`. After an error its weights are those of somewhere on the way.
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
        settings,
        run,
        fingerprint,
        watch,
    };
    let tuned = fit.all();
    words.iter().for_each(|words| words.widen(&mut model.bert));
    tuned
}

struct Fit<'a> {
    model: &'a mut Model,
    objective: Objective,
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
        Ok(Tuned { history, best_epoch, stopped_early, cut_texts: self.objective.data.texts.cut })
    }

    fn phase(&mut self, phase: Phase, epochs: usize) -> Result<(), TuningError> {
        let parameters = learning(self.model, self.settings, phase);
        let learns = |name: &String| parameters.iter().any(|parameter| parameter.name == *name);
        for (name, weight) in &mut self.model.bert.weights {
            *weight = weight.detach().set_requires_grad(learns(name));
        }
        // The head alone sees vectors that do not change.
        let alone = phase == Phase::Head && self.state.place.epoch < epochs;
        let vectors = alone.then(|| self.objective.all_vectors(self.model));
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
            let mut dropout = self.dropout(number);
            let loss = self.objective.loss(self.model, phase, batch, vectors, &mut dropout);
            self.step(phase, steps, parameters, &loss)?;
        }
        let place = &mut self.state.place;
        let train = place.sum / batches.len().max(1) as f64;
        (place.epoch, place.step, place.sum) = (epoch + 1, 0, 0.0);
        if phase != Phase::Encoder {
            return Ok(());
        }
        let validation = self.objective.validation(self.model, self.settings.batch_size);
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

    fn dropout(&self, phase: usize) -> Dropout {
        let stream = Stream::Dropout { phase, step: self.state.place.taken };
        Dropout::new(stream.of(self.seed), self.settings.dropout)
    }

    /// Learn from a loss, tell of it, keep what was learned when it is time to.
    fn step(
        &mut self,
        phase: Phase,
        steps: usize,
        parameters: &[Parameter],
        loss: &Tensor,
    ) -> Result<(), TuningError> {
        let value = loss.double_value(&[]);
        let place = &mut self.state.place;
        let diverged = place.diverges(value);
        let number = place.all_taken + 1;
        let first = place.first.unwrap_or(value);
        let rates = [self.settings.learning_rate, self.settings.head_learning_rate];
        let error = move || TuningError::Diverged { step: number, loss: value, first, rates };
        if diverged {
            return Err(error());
        }
        loss.f_backward().map_err(failed)?;
        let step = Step {
            number: place.taken + 1,
            rate: share(place.taken, steps, self.settings.warm_up),
            weight_decay: self.settings.weight_decay,
            clip: self.settings.clip,
        };
        let length = self.state.optimizer.step(parameters, &mut self.model.bert.weights, step)?;
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
