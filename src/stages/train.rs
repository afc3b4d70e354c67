//! The train stage: parts and augmented rows to a saved head.

use std::path::PathBuf;

use pipeline_encoder::{Folder, Model};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::augment::variant_cells;
use super::context::Context;
use super::declaration::{Declaration, Finished};
use super::error::BuildError;
use super::memory;
use super::rows::Rows;
use super::stage::Stage;
use super::tuned::TunedEncoder;
use crate::augment::Mixed;
use crate::config::{HeadKind, KernelConfig, SmoteKind};
use crate::embed::{Embeddings, NpyWriter};
use crate::engine::networks;
use crate::heads::HeadError;
use crate::inputs::{RawInputs, raw_inputs};
use crate::model::{EncoderCard, FORMAT, ModelCard};
use crate::novelty::{Novelty, Texts};
use crate::progress::{Background, Progress};
use crate::split::{Fold, Part};
use crate::store::{StoreError, checksum, map, quick_checksum, write_atomic, write_json};
use crate::table::Dataset;
use crate::train::{FeatureSettings, TrainInput, Trained, train};

/// What one head learns from.
pub struct Learning<'a> {
    /// Inputs of all rows.
    pub raw: &'a RawInputs,
    /// Rows to learn from.
    pub train: &'a [usize],
    /// Rows that choose the epoch.
    pub validation: &'a [usize],
    /// Inputs of the synonym variants.
    pub variants: &'a RawInputs,
    /// Parent of each variant.
    pub parents: &'a [usize],
    /// Mixed rows.
    pub mixed: &'a [Mixed],
}

/// The train stage.
pub const TRAIN: Declaration = Declaration {
    version: 16,
    reads: &[Stage::Embed, Stage::Split, Stage::Augment],
    config: |config| json!({ "seed": config.seed, "train": config.train }),
    run: |context| context.train(),
};

/// What the train stage counts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrainSummary {
    /// Rows that taught.
    pub rows: usize,
    /// Variants and mixed rows among them.
    pub augmented: usize,
    /// As [`crate::heads::Fitted::parameters`].
    pub parameters: usize,
    /// Epochs run.
    pub epochs: usize,
    /// The one whose weights were kept, from 1.
    pub best_epoch: usize,
    /// Whether early stopping ended the training.
    pub stopped_early: bool,
}

impl Context<'_> {
    fn train(&self) -> Result<Finished, BuildError> {
        let (project, rows) = (self.project, self.rows()?);
        let augmented = self.augmented()?;
        let (kept, mixed) = augmented.within(|row| rows.dealt.parts[row] == Part::Train);
        let folder = project.augmented_folder();
        let fields = self.matrices(&folder, &rows.dataset.text_fields, augmented.variants.len())?;
        let parent = |v: usize| augmented.variants[v].parent;
        let cells = variant_cells(augmented.variants.iter(), &rows.dataset);
        let taught = rows.lent_to(&rows.whole(), &project.config);
        let tuned = self.tuned_to(&rows, &taught, &augmented.variants)?;
        let of_frozen = || raw_inputs(&fields, cells.iter(), Some(&project.config));
        let (raw, variants, tuned) = match &tuned {
            Some((tuned, raw, variants)) => (raw, variants.pick(&kept), Some(tuned)),
            None => (&rows.raw, of_frozen().pick(&kept), None),
        };
        let learning = Learning {
            raw,
            train: &taught.train,
            validation: &taught.validation,
            variants: &variants,
            parents: &kept.iter().map(|&v| parent(v)).collect::<Vec<_>>(),
            mixed: &mixed,
        };
        if project.config.train.heads().contains(&HeadKind::Knn)
            && project.config.augment.smote.kind != SmoteKind::Off
        {
            self.progress.note(
                "note: the points that SMOTE makes of a small class lie side by side, and nearest rows vote for them nearly \
                 everywhere; compare with augment.smote.kind = \"off\"",
            );
        }
        self.check_memory(taught.train.len() + taught.validation.len())?;
        let trained = self.fit(&rows, &learning, project.config.seed_for("fit"), self.progress)?;
        let novelty = self.novelty(&rows, learning.raw, &taught, tuned.is_some());
        let outputs = self.save(&rows.dataset, &trained, novelty, tuned)?;
        let summary = TrainSummary {
            rows: trained.training_rows,
            augmented: kept.len() + mixed.len(),
            parameters: trained.parameters,
            epochs: trained.history.len(),
            best_epoch: trained.best_epoch,
            stopped_early: trained.stopped_early,
        };
        Ok(Finished::new(outputs, &summary))
    }

    /// See to it that a kernel machine taught on so many rows has the memory that it takes.
    ///
    /// # Errors
    /// It has not.
    pub fn check_memory(&self, rows: usize) -> Result<(), BuildError> {
        let train = &self.project.config.train;
        let free = memory::free();
        match memory::lacking(rows, &train.kernel, free) {
            Some(needed) if train.heads().contains(&HeadKind::Kernel) => {
                let KernelConfig { exact_rows, landmarks, .. } = train.kernel;
                Err(BuildError::Memory { rows, needed, free, exact_rows, landmarks })
            }
            _ => Ok(()),
        }
    }

    /// One head with the configured settings.
    pub fn fit(
        &self,
        rows: &Rows,
        learning: &Learning<'_>,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Trained, BuildError> {
        let config = &self.project.config;
        let input = TrainInput {
            rows: learning.raw,
            classes: &rows.classes,
            taught: &rows.taught,
            teach_only: &rows.teach_only,
            groups: &rows.dealt.groups,
            class_count: rows.dataset.classes.len(),
            ranges: &rows.ranges,
            tasks: &rows.tasks,
            train: learning.train,
            validation: learning.validation,
            variants: learning.variants,
            parents: learning.parents,
            mixed: learning.mixed,
            fields: rows.dataset.text_fields.len(),
        };
        let features = FeatureSettings::new(&config.features, &config.train);
        let networks = networks(self.engine);
        Ok(train(&input, &config.train, features, seed, networks, progress)?)
    }

    /// One head with the configured settings, taught the rows of a fold as they are, without augmentation.
    pub fn fit_plain(&self, rows: &Rows, fold: &Fold, seed: u64) -> Result<Trained, BuildError> {
        let none = RawInputs { embedding_dims: rows.raw.embedding_dims, ..RawInputs::default() };
        let learning = Learning {
            raw: &rows.raw,
            train: &fold.train,
            validation: &fold.validation,
            variants: &none,
            parents: &[],
            mixed: &[],
        };
        self.fit(rows, &learning, seed, &Background(self.progress))
    }

    /// How far the rows of the training, whose inputs are `raw`, are from each other. A tuned encoder has put those that taught it together, and
    /// only the validation rows say how far others are.
    fn novelty(&self, rows: &Rows, raw: &RawInputs, known: &Fold, tuned: bool) -> Option<Novelty> {
        let all: Vec<usize> = known.validation.iter().chain(&known.train).copied().collect();
        let fields = rows.fields(raw, &all);
        let is_blank = |field: usize, row: usize| rows.is_blank(field, all[row]);
        let texts = Texts { fields: &fields, is_blank: &is_blank };
        let groups = rows.truth(&all).groups;
        let asked = if tuned { known.validation.len() } else { all.len() };
        Novelty::fit(texts, &groups, asked, self.project.config.seed_for("novelty"))
    }

    /// Write everything that predicting on another machine needs, and the history.
    fn save(
        &self,
        dataset: &Dataset,
        trained: &Trained,
        novelty: Option<Novelty>,
        tuned: Option<&TunedEncoder>,
    ) -> Result<Vec<PathBuf>, BuildError> {
        let (config, files) = (&self.project.config, self.project.model());
        let own = config.encoder.second.as_ref().unwrap_or(&config.encoder.model);
        let names = std::iter::once(&config.encoder.model).chain(std::iter::once(own));
        let used = match tuned {
            Some(tuned) => tuned.encoders.clone(),
            None => self.encoders()?,
        };
        let of_model = |(i, (name, model)): (usize, (&String, &Model))| {
            // What it was tuned from stands before it.
            let by_tuning = tuned.filter(|_| i + 1 == used.models.len());
            Ok::<_, BuildError>(EncoderCard {
                model: name.clone(),
                fingerprint: model.fingerprint.clone(),
                dims: model.dims,
                max_tokens: model.max_tokens,
                precision: model.arithmetic.precision(),
                arithmetic: Some(model.arithmetic),
                xxh3: Some(Folder::open(&model.folder)?.checksum()?),
                tuned: by_tuning.is_some(),
                device: by_tuning.and_then(|tuned| tuned.device),
            })
        };
        let by_network = config.train.heads().into_iter().any(|head| head == HeadKind::Network);
        let encoders = names.zip(&used.models).enumerate().map(of_model).collect::<Result<_, _>>()?;
        let own_encoder = match tuned {
            Some(tuned) => tuned.copy_to(&files.encoder())?,
            None => Vec::new(),
        };
        trained.head.save(&files.head())?;
        // Not for people's eyes, and half as long in one line; it is read again at every start.
        write_atomic(&files.inputs(), |w| Ok(serde_json::to_writer(w, &trained.inputs)?))?;
        let known = files.novelty();
        let novelty_xxh3 = match &novelty {
            Some(novelty) => {
                novelty.save(&known).map_err(HeadError::from)?;
                Some(quick_checksum(&map(&known).map_err(StoreError::of("read", &known))?))
            }
            None => None,
        };
        // The card goes last and knows the others by their hash: a mixture of two trainings is then refused.
        let head = map(&files.head()).map_err(StoreError::of("read", &files.head()))?;
        write_json(
            &files.card(),
            &ModelCard {
                format: FORMAT,
                pipeline_version: env!("CARGO_PKG_VERSION").into(),
                classes: dataset.classes.clone(),
                encoders,
                head: trained.shape.clone(),
                head_device: by_network.then(|| self.engine.map(|engine| engine.device())).flatten(),
                head_blake3: checksum(&files.head())?,
                head_xxh3: Some(quick_checksum(&head)),
                inputs_blake3: checksum(&files.inputs())?,
                novelty_xxh3: novelty_xxh3.clone(),
                config: config.clone(),
            },
        )?;
        write_atomic(&files.history(), |w| {
            let mut csv = csv::Writer::from_writer(w);
            trained.history.iter().try_for_each(|epoch| csv.serialize(epoch))?;
            csv.flush()
        })?;
        let classes = dataset.classes.len();
        let validation = Embeddings { dims: classes, values: trained.validation.clone() };
        write_atomic(&files.validation(), |w| {
            let mut writer = NpyWriter::new(w, validation.rows(), classes)?;
            writer.extend(&validation)?;
            writer.finish()
        })?;
        let outputs = [files.head(), files.inputs(), files.card(), files.history(), files.validation()];
        Ok(outputs.into_iter().chain(novelty_xxh3.map(|_| known)).chain(own_encoder).collect())
    }
}
