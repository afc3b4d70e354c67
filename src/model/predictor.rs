//! New rows or texts to labels, probabilities, tasks and ranges: all that is needed for it loaded, and nothing else.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use pipeline_encoder::{
    Arithmetic, Backend, Encode, Encoder, EncoderSettings, Encoders, Model, Place, Precision, locate,
};

use super::answers::{Answers, answers};
use super::card::{Calibration, EncoderCard, ModelCard};
use super::files::{
    ModelFiles, PredictError, load_calibration, load_card, load_head, load_inputs, load_novelty,
};
use crate::embed::Embeddings;
use crate::engine::{Engine, joined, load_encoder, networks, on_disk};
use crate::evaluate::{Decision, LabelSets, apply_temperature};
use crate::heads::Head;
use crate::inputs::{InputEncoder, raw_inputs};
use crate::novelty::{Novelty, Texts};
use crate::progress::Progress;
use crate::store::user_cache;
use crate::table::Cells;

/// Where the encoders of a model are looked for.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    /// The folder that names of encoders in the model's config are relative to.
    pub root: &'a Path,
    /// A folder for each encoder, instead of the names in the model; empty for those.
    pub encoders: &'a [PathBuf],
    /// Take another arithmetic where this processor lacks that of the training.
    pub any_arithmetic: bool,
}

/// A loaded model. Several threads may ask it at once.
pub struct Predictor {
    card: ModelCard,
    inputs: InputEncoder,
    head: Box<dyn Head>,
    calibration: Option<Calibration>,
    novelty: Option<Novelty>,
    encoder: Box<dyn Encode>,
    encoders: Encoders,
    /// Vectors of texts that were asked before.
    known: Mutex<HashMap<String, Vec<f32>>>,
}

/// Texts whose vectors are kept for the next question: about 40 MB of them.
const MOST_KNOWN: usize = 20_000;

/// What a [`Predictor`] says of the rows it was asked about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predicted {
    /// Probabilities, tasks and ranges.
    pub answers: Answers,
    /// The embeddings of the rows, a matrix for each text field of the model: `rows × dims`.
    pub embeddings: Vec<Embeddings>,
    /// For each row, the share of rows like those of the training that are as far from these ([`Novelty::p_values`]); empty where the model
    /// cannot tell.
    pub novelty: Vec<f32>,
    /// Different texts that were longer than the encoder's limit: only their beginning counted.
    pub truncated: usize,
}

impl Predictor {
    /// Load the model in `files` with its encoders; one of the hub's is downloaded first if it is not here.
    ///
    /// # Errors
    /// A file is missing, damaged or of another training; the encoder is another one; this processor cannot compute as the
    /// training did; or only libtorch can run the encoder or the head and `engine` is not there.
    pub fn load(
        files: &ModelFiles,
        places: Places<'_>,
        engine: Option<&dyn Engine>,
        progress: &dyn Progress,
    ) -> Result<Self, PredictError> {
        let card = load_card(files)?;
        let calibration = load_calibration(files, &card)?;
        let folders = folders(files, &card, places, progress)?;
        let workers = card.config.encoder.workers;
        let rest = || {
            let head = load_head(files, &card, networks(engine))?;
            Ok::<_, PredictError>((head, load_inputs(files, &card)?, load_novelty(files, &card)?))
        };
        let (encoder, rest) = rayon::join(|| encoder(&card, &folders, workers, places, engine), rest);
        let ((encoder, encoders), (head, inputs, novelty)) = (encoder?, rest?);
        Ok(Self { head, card, inputs, calibration, novelty, encoder, encoders, known: Mutex::default() })
    }

    /// What the model says of itself.
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// Whether the probabilities of the label are calibrated.
    pub fn is_calibrated(&self) -> bool {
        self.calibration.is_some()
    }

    /// How the probabilities of the label become an answer; `None` for the likeliest class.
    pub fn decision(&self) -> Option<&Decision> {
        self.calibration.as_ref().and_then(|calibration| calibration.decision.as_ref())
    }

    /// Which classes a row may have; `None` where the model does not say.
    pub fn label_sets(&self) -> Option<&LabelSets> {
        self.calibration.as_ref().and_then(|calibration| calibration.sets.as_ref())
    }

    /// The encoders that it runs.
    pub fn encoders(&self) -> &Encoders {
        &self.encoders
    }

    /// Answer rows, each with the model's columns ([`ModelCard::wanted`]); a text is computed once, and those of the last questions are known.
    ///
    /// # Errors
    /// The encoder or the head failed, or the user interrupted.
    pub fn rows(&self, rows: &[&Cells], progress: &dyn Progress) -> Result<Predicted, PredictError> {
        let (embeddings, truncated) = self.embed(rows, progress)?;
        let raw = raw_inputs(&embeddings, rows.iter().copied(), Some(&self.card.config));
        let mut answers = answers(self.head.as_ref(), &self.card.head, &self.inputs, &raw)?;
        if let Some(calibration) = &self.calibration {
            apply_temperature(&mut answers.label, self.card.classes.len(), calibration.temperature);
        }
        let is_blank = |field: usize, row: usize| rows[row].texts[field].trim().is_empty();
        let texts = Texts { fields: &embeddings, is_blank: &is_blank };
        let novelty = self.novelty.as_ref().map(|known| known.p_values(texts)).unwrap_or_default();
        Ok(Predicted { answers, embeddings, novelty, truncated })
    }

    /// The embedding of each of `texts`, in order, and its tokens before any cut. Texts that were asked before are not known here.
    ///
    /// # Errors
    /// The encoder failed.
    pub fn embed_texts(&self, texts: &[&str]) -> Result<Vec<(Vec<f32>, usize)>, PredictError> {
        let found = self.encoder.in_order(texts)?;
        Ok(found.into_iter().map(|one| (one.embedding, one.tokens)).collect())
    }

    /// One matrix a text field, and how many of the texts that were computed now were cut.
    fn embed(
        &self,
        rows: &[&Cells],
        progress: &dyn Progress,
    ) -> Result<(Vec<Embeddings>, usize), PredictError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() > MOST_KNOWN {
            known.clear();
        }
        let mut new: Vec<&str> = rows
            .iter()
            .flat_map(|cells| &cells.texts)
            .map(String::as_str)
            .filter(|text| !known.contains_key(*text))
            .collect();
        new.sort_unstable();
        new.dedup();
        progress.start("embedding", new.len() as u64, "texts");
        let mut truncated = 0;
        let done = self.encoder.encode(&new, &mut |batch| {
            progress.advance(batch.len() as u64);
            for encoded in batch {
                truncated += usize::from(encoded.tokens > self.encoders.max_tokens());
                known.insert(new[encoded.text].to_owned(), encoded.embedding);
            }
            if progress.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        progress.finish();
        done?;
        if progress.interrupted() {
            return Err(PredictError::Interrupted);
        }
        let fields = rows.first().map_or(0, |cells| cells.texts.len());
        let column = |field: usize| -> Vec<f32> {
            rows.iter().flat_map(|cells| &known[cells.texts[field].as_str()]).copied().collect()
        };
        let dims = self.encoders.dims();
        Ok(((0..fields).map(|field| Embeddings { dims, values: column(field) }).collect(), truncated))
    }
}

/// The folders of the encoders of the training, on this machine.
fn folders(
    files: &ModelFiles,
    card: &ModelCard,
    places: Places<'_>,
    progress: &dyn Progress,
) -> Result<Vec<PathBuf>, PredictError> {
    let Places { root, encoders, .. } = places;
    if !encoders.is_empty() && encoders.len() != card.encoders.len() {
        return Err(PredictError::Encoders { named: encoders.len(), wanted: card.encoders.len() });
    }
    let folder = |(i, wanted): (usize, &EncoderCard)| {
        let place = match encoders.get(i) {
            Some(folder) => Place::Here(folder.clone()),
            None if wanted.tuned => Place::Here(files.encoder()),
            None => locate(&wanted.model, root, &user_cache())?,
        };
        Ok(on_disk(place, progress)?)
    };
    card.encoders.iter().enumerate().map(folder).collect()
}

/// The encoders of the training on this machine, each seen to be that of the training; the hub's are downloaded first. Whether this
/// processor can compute as the training did is not asked.
///
/// # Errors
/// One is missing, damaged, or another one.
pub fn encoders_of(
    files: &ModelFiles,
    card: &ModelCard,
    places: Places<'_>,
    progress: &dyn Progress,
) -> Result<Vec<Model>, PredictError> {
    let folders = folders(files, card, places, progress)?;
    folders.iter().zip(&card.encoders).map(|(folder, wanted)| open_as_trained(folder, wanted, true)).collect()
}

/// The encoders of the training as one.
///
/// Seeing that they are those of the training takes as long as loading them, so both are done at once.
fn encoder(
    card: &ModelCard,
    folders: &[PathBuf],
    workers: Option<usize>,
    places: Places<'_>,
    engine: Option<&dyn Engine>,
) -> Result<(Box<dyn Encode>, Encoders), PredictError> {
    let (mut encoders, mut models) = (Vec::new(), Vec::new());
    for (folder, wanted) in folders.iter().zip(&card.encoders) {
        let likely =
            wanted.arithmetic.or_else(|| Arithmetic::native(wanted.precision)).filter(|a| a.runs_here());
        let likely = likely.filter(|arithmetic| !arithmetic.needs_torch());
        let (model, loaded) = rayon::join(
            || open_as_trained(folder, wanted, places.any_arithmetic),
            || {
                let settings = EncoderSettings::new(folder, wanted.max_tokens, likely?, workers);
                Encoder::load(&settings).ok()
            },
        );
        let model = model?;
        encoders.push(match loaded {
            Some(encoder) if likely == Some(model.arithmetic) => Box::new(encoder),
            _ => load_encoder(engine, &model.settings(workers))?,
        });
        models.push(model);
    }
    Ok((joined(encoders), Encoders { models }))
}

fn open_as_trained(folder: &Path, wanted: &EncoderCard, any_arithmetic: bool) -> Result<Model, PredictError> {
    match Model::open_known(folder, &wanted.known())? {
        Some(model) if model.arithmetic.runs_here() => Ok(model),
        Some(model) if !any_arithmetic => Err(PredictError::Arithmetic { arithmetic: model.arithmetic }),
        Some(_) => Ok(Model::open(folder, Some(wanted.max_tokens), Precision::Auto, Backend::Auto)?),
        None => {
            let found = Model::open(folder, Some(wanted.max_tokens), wanted.precision, Backend::Auto)?;
            let (folder, expected) = (folder.to_owned(), wanted.fingerprint.clone());
            Err(PredictError::Encoder { folder, found: found.fingerprint, expected })
        }
    }
}
