//! The encoder tuned on the training rows of a fold, found again by what it was made from.
//!
//! A tuning reads rows that are taught and those that choose its epoch, never those that are held out. It lies beside the
//! embeddings under a hash of the encoder, the settings and these rows, with a cache of its own: its vectors are no others'.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use pipeline_encoder::{Encoders, Model};

use super::augment::variant_inputs;
use super::context::Context;
use super::error::BuildError;
use super::rows::Rows;
use crate::augment::Variant;
use crate::config::{Config, EncoderTraining};
use crate::device::Device;
use crate::embed::{Cache, Embeddings};
use crate::fine_tuning::{
    Contrastive, Depth, EncoderTuning, Event, Tuned, TuningData, TuningError, TuningRows, TuningRun,
    TuningSettings, TuningTask, fingerprint,
};
use crate::inputs::{RawInputs, raw_inputs};
use crate::progress::Progress;
use crate::split::Fold;
use crate::store::{StoreError, write_atomic, write_json};

/// Steps between two writings of a checkpoint; a guess, some minutes of work.
const CHECKPOINT_STEPS: usize = 200;

/// An encoder that has learned from the rows of a fold.
pub struct TunedEncoder {
    /// It alone, or behind what it was tuned from, where a head sees that.
    pub encoders: Encoders,
    /// Where it was tuned, where that was recorded.
    pub device: Option<Device>,
    folder: PathBuf,
}

impl TunedEncoder {
    /// Its cache.
    pub fn cache(&self) -> Result<Cache, BuildError> {
        let name = if self.encoders.models.len() > 1 { "cache-beside.redb" } else { "cache.redb" };
        let path = self.folder.join(name);
        Ok(Cache::open(&path, &self.encoders.fingerprint(), self.encoders.dims())?)
    }

    /// Copy its folder to `into`; the files that are there now.
    pub fn copy_to(&self, into: &Path) -> Result<Vec<PathBuf>, BuildError> {
        let from = self.folder.join(ENCODER);
        let mut copied = Vec::new();
        for file in files_of(&from).map_err(StoreError::of("read", &from))? {
            let to = into.join(file.strip_prefix(&from).unwrap_or(&file));
            let mut bytes = fs::File::open(&file).map_err(StoreError::of("read", &file))?;
            write_atomic(&to, |w| std::io::copy(&mut bytes, w).map(|_| ()))?;
            copied.push(to);
        }
        Ok(copied)
    }
}

/// What a tuning did, beside the encoder that it left.
const RECORD: &str = "tuned.json";

/// All files of a folder and the folders in it.
fn files_of(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { files.extend(files_of(&path)?) } else { files.push(path) }
    }
    files.sort();
    Ok(files)
}

/// The folder of the encoder in that of a tuning.
const ENCODER: &str = "encoder";

/// What a tuned encoder has of all rows and of variants: itself, the inputs of each.
pub type SeenByTuned = (TunedEncoder, RawInputs, RawInputs);

impl Context<'_> {
    /// The encoder tuned on `fold`, and inputs by it of all rows and of `variants`; `None` where the encoder is frozen.
    pub fn tuned_to(
        &self,
        rows: &Rows,
        fold: &Fold,
        variants: &[Variant],
    ) -> Result<Option<SeenByTuned>, BuildError> {
        let config = &self.project.config;
        if config.train.encoder.is_frozen() {
            return Ok(None);
        }
        let tuned = self.tuned(rows, fold, self.progress)?;
        let cache = tuned.cache()?;
        let inputs = self.inputs_by(&tuned, &cache, rows)?;
        let texts: Vec<&str> = variants.iter().flat_map(|v| v.texts.iter().map(String::as_str)).collect();
        self.embed_texts(&texts, &cache, &tuned.encoders)?;
        let of_variants = variant_inputs(variants, &rows.dataset, &cache, config)?;
        Ok(Some((tuned, inputs, of_variants)))
    }

    /// Inputs of all rows as the model of the train stage sees them.
    pub fn seen<'r>(&self, rows: &'r Rows) -> Result<Cow<'r, RawInputs>, BuildError> {
        let taught = rows.lent_to(&rows.whole(), &self.project.config);
        let tuned = self.tuned_to(rows, &taught, &[])?;
        Ok(tuned.map_or(Cow::Borrowed(&rows.raw), |(_, inputs, _)| Cow::Owned(inputs)))
    }

    /// The encoder tuned on `fold`, by `train.encoder`, which is not to be `frozen`; one that is there is taken.
    pub fn tuned(
        &self,
        rows: &Rows,
        fold: &Fold,
        progress: &dyn Progress,
    ) -> Result<TunedEncoder, BuildError> {
        let config = &self.project.config;
        let engine = self.engine.ok_or(TuningError::NeedsTorch)?;
        let Wanted { base, settings, seed } = self.wanted()?;
        let taught = Taught::of(rows, fold, seed);
        let data = taught.data();
        let folder = self.project.tuned_folder().join(name(&base, &settings, &data));
        let (into, run) = (folder.join(ENCODER), folder.join("run"));
        if !into.join("config.json").exists() {
            let run = TuningRun { folder: run.clone(), every: CHECKPOINT_STEPS };
            let tuning = EncoderTuning {
                folder: &base.folder,
                into: &into,
                data,
                settings: &settings,
                run: Some(&run),
            };
            let mut begun = false;
            let tuned = engine.tune_encoder(&tuning, &mut |event| {
                match event {
                    Event::Note(note) => progress.note(note),
                    Event::Step { step, steps, .. } => {
                        if !begun {
                            progress.start("tuning the encoder", (steps - step + 1) as u64, "steps");
                            begun = true;
                        }
                        progress.advance(1);
                    }
                    Event::Epoch(_) => {}
                }
                if progress.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            progress.finish();
            write_json(&folder.join(RECORD), &tuned?)?;
        }
        // What was kept to go on from is of no use any more; where it stays, it only takes room.
        let _ = fs::remove_dir_all(run);
        let max_tokens = Some(base.max_tokens);
        let model = Model::open(&into, max_tokens, config.encoder.precision, config.encoder.backend)?;
        let models = if config.train.keeps_frozen() { vec![base, model] } else { vec![model] };
        // Tunings of older programs have no record, and one that was killed has none either: the encoder is as good without.
        let record =
            fs::read(folder.join(RECORD)).ok().and_then(|bytes| serde_json::from_slice::<Tuned>(&bytes).ok());
        Ok(TunedEncoder { encoders: Encoders { models }, device: record.map(|record| record.device), folder })
    }

    /// What the config wants tuned, and how.
    pub fn wanted(&self) -> Result<Wanted, BuildError> {
        let (config, base) = (&self.project.config, self.encoders()?.models.swap_remove(0));
        Ok(Wanted { settings: settings(config, &base), base, seed: config.seed_for("tune the encoder") })
    }

    /// Take away every tuned encoder but those of the folds of this config and of its model; how many.
    pub fn prune_tuned(&self) -> Result<usize, BuildError> {
        let (config, folder) = (&self.project.config, self.project.tuned_folder());
        let mut kept = HashSet::new();
        if !config.train.encoder.is_frozen() {
            let (rows, Wanted { base, settings, seed }) = (self.rows()?, self.wanted()?);
            for fold in self.folds(&rows)?.iter().chain([&rows.whole()]) {
                let taught = Taught::of(&rows, &rows.lent_to(fold, config), seed);
                kept.insert(name(&base, &settings, &taught.data()));
            }
        }
        let mut removed = 0;
        for entry in fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok) {
            if !kept.contains(&*entry.file_name().to_string_lossy()) {
                let path = entry.path();
                fs::remove_dir_all(&path).map_err(StoreError::of("remove", &path))?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Inputs of all rows by a tuned encoder; texts that are not yet embedded are.
    pub fn inputs_by(
        &self,
        tuned: &TunedEncoder,
        cache: &Cache,
        rows: &Rows,
    ) -> Result<RawInputs, BuildError> {
        let dataset = &rows.dataset;
        let of_field = |field: usize| dataset.rows.iter().map(move |row| row.cells.texts[field].as_str());
        let all: Vec<Vec<&str>> = (0..dataset.text_fields.len()).map(|f| of_field(f).collect()).collect();
        self.embed_texts(&all.concat(), cache, &tuned.encoders)?;
        let fields: Vec<Embeddings> = all.iter().map(|texts| cache.get(texts)).collect::<Result<_, _>>()?;
        let cells = dataset.rows.iter().map(|row| &row.cells);
        Ok(raw_inputs(&fields, cells, Some(&self.project.config)))
    }
}

/// What is tuned, and how.
pub struct Wanted {
    pub base: Model,
    pub settings: TuningSettings,
    pub seed: u64,
}

/// Name of the folder of a tuning: a hash of all that it depends on.
fn name(base: &Model, settings: &TuningSettings, data: &TuningData<'_>) -> String {
    fingerprint(&base.fingerprint, settings, data, "")[..32].to_owned()
}

/// How the config wants the encoder tuned.
fn settings(config: &Config, base: &Model) -> TuningSettings {
    let of = &config.train.tuning;
    TuningSettings {
        depth: match config.train.encoder {
            EncoderTraining::Top(layers) => Depth::Top(layers),
            EncoderTraining::Lora => Depth::Lora { rank: of.rank, alpha: of.alpha },
            EncoderTraining::Frozen | EncoderTraining::Full => Depth::Full,
        },
        max_tokens: Some(base.max_tokens),
        contrastive: (of.pairs > 0).then_some(Contrastive { pairs: of.pairs }),
        head_epochs: of.head_epochs,
        epochs: of.epochs,
        batch_size: of.batch_size,
        learning_rate: of.learning_rate,
        head_learning_rate: of.head_learning_rate,
        layer_decay: of.layer_decay,
        warm_up: of.warm_up,
        weight_decay: of.weight_decay,
        dropout: of.dropout,
        patience: of.patience,
        precision: base.arithmetic.precision(),
        ..TuningSettings::default()
    }
}

/// The label and what else is predicted.
fn tasks(rows: &Rows) -> Vec<TuningTask> {
    let label = TuningTask { name: "label".into(), classes: rows.dataset.classes.len(), weight: 1.0 };
    // A column of one value teaches nothing.
    let others = rows.tasks.iter().filter(|task| task.classes.len() > 1).map(|task| TuningTask {
        name: task.column.clone(),
        classes: task.classes.len(),
        weight: task.weight,
    });
    std::iter::once(label).chain(others).collect()
}

/// All that a tuning sees of the rows of a fold: those that are taught, and those that choose its epoch.
pub struct Taught<'a> {
    fields: usize,
    tasks: Vec<TuningTask>,
    train: Part<'a>,
    validation: Part<'a>,
    seed: u64,
}

impl<'a> Taught<'a> {
    /// What it sees of `fold`.
    pub fn of(rows: &'a Rows, fold: &Fold, seed: u64) -> Self {
        let [train, validation] = [&fold.train, &fold.validation].map(|of| Part::new(rows, of));
        Self { fields: rows.dataset.text_fields.len(), tasks: tasks(rows), train, validation, seed }
    }

    /// As the tuning takes it.
    pub fn data(&self) -> TuningData<'_> {
        TuningData {
            fields: self.fields,
            columns: 0,
            tasks: &self.tasks,
            train: self.train.rows(),
            validation: self.validation.rows(),
            seed: self.seed,
        }
    }
}

/// Texts and targets of some rows.
struct Part<'a> {
    texts: Vec<&'a str>,
    targets: Vec<f32>,
}

impl<'a> Part<'a> {
    fn new(rows: &'a Rows, of: &[usize]) -> Self {
        let classes = rows.dataset.classes.len();
        let (mut texts, mut targets) = (Vec::new(), Vec::new());
        for &row in of {
            texts.extend(rows.dataset.rows[row].cells.texts.iter().map(String::as_str));
            let taught = &rows.taught[row * classes..(row + 1) * classes];
            targets.extend(taught);
            let weight: f32 = taught.iter().sum();
            for task in rows.tasks.iter().filter(|task| task.classes.len() > 1) {
                let class = task.rows[row];
                targets.extend((0..task.classes.len()).map(|c| if Some(c) == class { weight } else { 0.0 }));
            }
        }
        Self { texts, targets }
    }

    fn rows(&self) -> TuningRows<'_> {
        TuningRows { texts: &self.texts, columns: &[], targets: &self.targets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::Part as SplitPart;
    use crate::stages::rows::Dealt;
    use crate::table::{Cells, ContentHash, Dataset, Row};

    fn rows(change: impl Fn(usize, &mut Row)) -> Rows {
        let row = |number: usize| {
            let mut row = Row {
                file: 0,
                line: number as u64 + 2,
                cells: Cells { texts: vec![format!("row {number}")], ..Cells::default() },
                class: number % 2,
                title: String::new(),
                in_test_files: false,
                range: None,
                weight: 1.0,
                collected: None,
                tasks: vec![],
                group: None,
                record: ContentHash::default(),
            };
            change(number, &mut row);
            row
        };
        let dataset = Dataset {
            files: vec!["a.csv".into()],
            text_fields: vec!["title".into()],
            classes: vec!["low".into(), "high".into()],
            numeric: vec![],
            categorical: vec![],
            tasks: vec![],
            rows: (0..8).map(row).collect(),
        };
        let text = "name = \"t\"\n[data]\nfiles = [\"a.csv\"]\ntext_fields = [\"title\"]\n[label]\ncolumn = \"class\"";
        let config = Config::parse(text, Path::new("pipeline.toml")).unwrap();
        let dealt = Dealt { parts: vec![SplitPart::Train; 8], groups: (0..8).collect() };
        Rows::new(&config, dataset, &[], dealt, RawInputs::default())
    }

    /// What is tuned is decided by what its name is of.
    #[test]
    fn held_out_rows_decide_nothing_of_a_tuning_and_all_others_do() {
        let fold = Fold {
            repeat: 0,
            fold: 0,
            train: vec![0, 1, 2, 3],
            validation: vec![4, 5],
            held_out: vec![6, 7],
        };
        let name = |change: &dyn Fn(usize, &mut Row)| {
            let rows = rows(change);
            fingerprint("encoder", &TuningSettings::default(), &Taught::of(&rows, &fold, 3).data(), "")
        };
        let as_it_is = name(&|_, _| {});
        let text = |of: usize| {
            name(&move |row, changed| {
                if row == of {
                    changed.cells.texts[0] += " and more";
                }
            })
        };
        let label = |of: usize| {
            name(&move |row, changed| {
                if row == of {
                    changed.class = 1 - changed.class;
                }
            })
        };
        for held_out in [6, 7] {
            assert_eq!([text(held_out), label(held_out)], [as_it_is.clone(), as_it_is.clone()]);
        }
        for seen in [0, 3, 4, 5] {
            assert!(text(seen) != as_it_is && label(seen) != as_it_is, "{seen}");
        }
    }
}
