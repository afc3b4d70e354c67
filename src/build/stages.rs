//! Each stage's inputs from disk, the call of the stage, its outputs to disk, its manifest.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use english_pos_tagger::Tagger;
use serde_json::{Value, json};

use super::plan::{Sources, ingredients, open_model};
use super::{BuildError, Project, Stage};
use crate::augment::{Augmented, Lexicon, Mixed, Variant, mix, protected_words, seed_of, swap};
use crate::embed::{
    Cache, EmbedReport, Embeddings, EncoderSettings, Model, NpyWriter, Place, embed, locate, read_npy,
};
use crate::engine::Engine;
use crate::evaluate::{Metrics, Predictions, evaluate};
use crate::predict::{EncoderCard, FORMAT, ModelCard, probabilities, raw_inputs};
use crate::progress::Progress;
use crate::report::{Summary, Table, summary};
use crate::split::{Part, deal, for_each_near_pair, groups, mean_cosine_vectors};
use crate::store::{Manifest, Output, StoreError, checksum, user_cache, write_atomic, write_json};
use crate::table::{self, Dataset};
use crate::train::{RawInputs, TrainInput, Trained, train};

/// Texts copied from the cache to a matrix at once.
const EXPORT_ROWS: usize = 4096;

/// Run one stage and leave its manifest; what it counted.
pub fn run(
    project: &Project,
    stage: Stage,
    sources: &mut Sources,
    engine: &dyn Engine,
    progress: &dyn Progress,
) -> Result<Value, BuildError> {
    let context = Context { project, engine, progress };
    // The manifest goes first: a stage that dies half-way must not look finished.
    let manifest = project.manifest(stage);
    if manifest.exists() {
        std::fs::remove_file(&manifest).map_err(StoreError::of("remove", &manifest))?;
    }
    let (outputs, summary) = match stage {
        Stage::Embed => context.embed()?,
        Stage::Split => context.split()?,
        Stage::Augment => context.augment()?,
        Stage::Train => context.train()?,
    };
    if stage == Stage::Embed {
        sources.measure_encoder(project)?;
    }
    let made_from = ingredients(project, stage, sources);
    let mut measured = BTreeMap::new();
    for path in outputs {
        measured.insert(project.relative(&path), Output::of(&path)?);
    }
    Manifest {
        version: stage.version(),
        config: made_from.config,
        inputs: made_from.inputs,
        outputs: measured,
        summary: summary.clone(),
    }
    .save(&manifest)?;
    Ok(summary)
}

/// What the stages and validation share.
pub(super) struct Context<'a> {
    pub project: &'a Project,
    pub engine: &'a dyn Engine,
    pub progress: &'a dyn Progress,
}

type StageResult = Result<(Vec<PathBuf>, Value), BuildError>;

impl Context<'_> {
    fn embed(&self) -> StageResult {
        let (config, root) = (&self.project.config, &self.project.root);
        let (dataset, report) = table::read(config, root)?;
        let rejects = self.project.rejects_folder();
        table::write_rejects(&report, &rejects)?;
        let listing = rejects.join("rejects.csv");
        report.notes.iter().for_each(|note| self.progress.note(note));
        table::check_rejects(config, &report, Path::new(&self.project.relative(&listing)))?;
        for reject in report.rejects.iter().take(10) {
            self.progress.note(&format!("rejected {reject}"));
        }
        if report.rejects.len() > 10 {
            let more = report.rejects.len() - 10;
            self.progress.note(&format!(
                "… and {more} more rejected rows, all in {}",
                self.project.relative(&listing)
            ));
        }
        if !report.duplicates.is_empty() {
            let (count, file) =
                (report.duplicates.len(), self.project.relative(&rejects.join("duplicates.csv")));
            self.progress.note(&format!("{count} rows repeat another and are left out, listed in {file}"));
        }
        table::check_classes(&dataset)?;

        let model = self.model()?;
        let cache = Cache::open(&self.project.cache(), &model.fingerprint, model.dims)?;
        let folder = self.project.embeddings_folder();
        let mut outputs = vec![listing, rejects.join("duplicates.csv")];
        let texts: Vec<&str> =
            dataset.rows.iter().flat_map(|r| r.cells.texts.iter().map(String::as_str)).collect();
        let begin = std::time::Instant::now();
        let embedded = self.embed_texts(&texts, &cache, &model)?;
        let seconds = begin.elapsed().as_secs_f64();
        for (field, name) in dataset.text_fields.iter().enumerate() {
            let path = Project::matrix(&folder, name);
            let column: Vec<&str> = dataset.rows.iter().map(|r| r.cells.texts[field].as_str()).collect();
            write_matrix(&path, &column, &cache, &model)?;
            outputs.push(path);
        }
        let index = folder.join("rows.csv");
        write_csv(
            &index,
            &["row", "file", "line"],
            (0..dataset.rows.len()).map(|row| {
                let Row { file, line } = place(&dataset, row);
                vec![row.to_string(), file, line]
            }),
        )?;
        let about = folder.join("index.json");
        let matrices: BTreeMap<&String, String> = dataset
            .text_fields
            .iter()
            .map(|f| (f, self.project.relative(&Project::matrix(&folder, f))))
            .collect();
        write_json(
            &about,
            &json!({
                "rows": dataset.rows.len(), "dims": model.dims, "fields": matrices,
                "row_index": self.project.relative(&index),
                "encoder": config.encoder, "fingerprint": model.fingerprint, "max_tokens": model.max_tokens,
            }),
        )?;
        outputs.extend([index, about]);
        let summary = json!({
            "rows_read": report.read, "rows_used": dataset.rows.len(),
            "rejected": report.rejects.len(), "duplicates": report.duplicates.len(),
            "texts": embedded.texts, "computed": embedded.computed,
            "truncated": embedded.truncated, "blank": embedded.blank,
            "texts_per_second": if embedded.computed > 0 { json!((embedded.computed as f64 / seconds).round()) } else { Value::Null },
        });
        Ok((outputs, summary))
    }

    /// The encoder of the config, downloaded first if it is one of the hub's.
    fn model(&self) -> Result<Model, BuildError> {
        let folder = match locate(&self.project.config.encoder.model, &self.project.root)? {
            Place::Here(folder) => folder,
            Place::Hub { name, folder } => {
                self.progress.note(&format!("downloading the encoder {name} to {}", folder.display()));
                self.engine.fetch_encoder(&name, &folder)?;
                folder
            }
        };
        open_model(self.project, folder)
    }

    fn embed_texts(&self, texts: &[&str], cache: &Cache, model: &Model) -> Result<EmbedReport, BuildError> {
        let settings = encoder_settings(&self.project.config.encoder, model);
        let report = embed(
            texts,
            cache,
            model.max_tokens,
            &mut || self.engine.load_encoder(&settings),
            self.progress,
        )?;
        if report.truncated > 0 {
            self.progress.note(&format!(
                "{} of {} texts are longer than {} tokens; only their beginning is embedded",
                report.truncated, report.texts, model.max_tokens
            ));
        }
        Ok(report)
    }

    /// The dataset as the embed stage saw it.
    pub fn dataset(&self) -> Result<Dataset, BuildError> {
        Ok(table::read(&self.project.config, &self.project.root)?.0)
    }

    /// One matrix a text field from `folder`, each with `rows` rows.
    pub fn matrices(
        &self,
        folder: &Path,
        fields: &[String],
        rows: usize,
    ) -> Result<Vec<Embeddings>, BuildError> {
        fields
            .iter()
            .map(|field| {
                let path = Project::matrix(folder, field);
                let matrix = read_npy(&path)?;
                if matrix.rows() != rows {
                    let reason = format!("it has {} rows, the data has {rows}", matrix.rows());
                    return Err(BuildError::Artefact { path, reason });
                }
                Ok(matrix)
            })
            .collect()
    }

    fn split(&self) -> StageResult {
        let (config, dataset) = (&self.project.config, self.dataset()?);
        let fields =
            self.matrices(&self.project.embeddings_folder(), &dataset.text_fields, dataset.rows.len())?;
        let raw = raw_inputs(&fields, dataset.rows.iter().map(|r| &r.cells));
        let vectors = mean_cosine_vectors(&raw.embedding, fields.len(), fields[0].dims);
        let titles: Vec<&str> = dataset.rows.iter().map(|r| r.title.as_str()).collect();
        let cosine = config.split.near_duplicate_cosine;
        let group = groups(&titles, &vectors, raw.embedding_dims, cosine);
        let parts = self.deal_parts(&dataset, &group);
        for part in Part::USED {
            if !parts.contains(&part) {
                let mut distinct = group.clone();
                distinct.sort_unstable();
                distinct.dedup();
                return Err(BuildError::EmptyPart {
                    part: part.name(),
                    rows: parts.len(),
                    groups: distinct.len(),
                });
            }
        }
        let path = self.project.split_file();
        let header = ["row", "file", "line", "class", "group", "part"];
        write_csv(
            &path,
            &header,
            (0..dataset.rows.len()).map(|row| {
                let Row { file, line } = place(&dataset, row);
                let class = dataset.classes[dataset.rows[row].class].clone();
                vec![row.to_string(), file, line, class, group[row].to_string(), parts[row].name().into()]
            }),
        )?;
        let grouped =
            (0..group.len()).filter(|&r| group.iter().filter(|&&g| g == group[r]).count() > 1).count();
        let mut near_pairs = 0;
        for_each_near_pair(&vectors, raw.embedding_dims, cosine, |_, _| near_pairs += 1);
        self.log_split(&dataset, &parts);
        let count = |part: Part| parts.iter().filter(|&&p| p == part).count();
        Ok((
            vec![path],
            json!({
                "train": count(Part::Train), "validation": count(Part::Validation), "test": count(Part::Test),
                "dropped": count(Part::Dropped), "rows_with_duplicates": grouped, "near_duplicate_pairs": near_pairs,
            }),
        ))
    }

    /// The part of each row; a given test part stays as it is and the rest is dealt to the other two.
    fn deal_parts(&self, dataset: &Dataset, group: &[usize]) -> Vec<Part> {
        use crate::config::GivenTestDuplicates::Drop;
        let config = &self.project.config.split;
        let seed = self.project.config.seed_for("split");
        let classes: Vec<usize> = dataset.rows.iter().map(|r| r.class).collect();
        if !dataset.rows.iter().any(|r| r.given_test) {
            let shares = [config.train, config.validation, config.test];
            return deal(group, &classes, &shares, seed).into_iter().map(|p| Part::USED[p]).collect();
        }
        let mut in_test = vec![false; dataset.rows.len()];
        dataset.rows.iter().zip(group).filter(|(r, _)| r.given_test).for_each(|(_, &g)| in_test[g] = true);
        let drops = |row: usize| in_test[group[row]] && config.given_test_duplicates == Drop;
        let not_test = || (0..dataset.rows.len()).filter(|&r| !dataset.rows[r].given_test);
        let repeated = not_test().filter(|&r| in_test[group[r]]).count();
        let rest: Vec<usize> = not_test().filter(|&r| !drops(r)).collect();
        let total = config.train + config.validation;
        let shares = [config.train / total, config.validation / total];
        let pick = |values: &[usize]| rest.iter().map(|&r| values[r]).collect::<Vec<_>>();
        let dealt = deal(&pick(group), &pick(&classes), &shares, seed);
        let mut parts = vec![Part::Test; dataset.rows.len()];
        not_test().filter(|&r| drops(r)).for_each(|r| parts[r] = Part::Dropped);
        rest.iter().zip(dealt).for_each(|(&row, part)| parts[row] = Part::USED[part]);
        if repeated > 0 {
            let what = if config.given_test_duplicates == Drop {
                "left out"
            } else {
                "kept (split.given_test_duplicates)"
            };
            self.progress.note(&format!(
                "{repeated} rows have a near-duplicate in the given test part and are {what}"
            ));
        }
        parts
    }

    /// Say how many rows of every class are in every part, and which class lacks rows where.
    fn log_split(&self, dataset: &Dataset, parts: &[Part]) {
        let count = |class: usize, part: Part| {
            dataset.rows.iter().zip(parts).filter(|(r, p)| r.class == class && **p == part).count()
        };
        let mut log = Table::new(["class", "train", "validation", "test"]);
        for (class, name) in dataset.classes.iter().enumerate() {
            let counts = Part::USED.map(|part| count(class, part));
            log.push([name.clone()].into_iter().chain(counts.map(|c| c.to_string())));
            for (part, rows) in Part::USED.iter().zip(counts) {
                if rows == 0 {
                    self.progress
                        .note(&format!("warning: class `{name}` has no row in the {} part", part.name()));
                }
            }
        }
        self.progress.note(log.to_string().trim_end());
    }

    /// The part of each row, as the split stage left it.
    fn parts(&self, rows: usize) -> Result<Vec<Part>, BuildError> {
        let path = self.project.split_file();
        let failed = |reason: String| BuildError::Artefact { path: path.clone(), reason };
        let mut reader = csv::Reader::from_path(&path).map_err(|e| failed(e.to_string()))?;
        let mut parts = Vec::with_capacity(rows);
        for record in reader.records() {
            let record = record.map_err(|e| failed(e.to_string()))?;
            let name = record.get(5).unwrap_or("");
            let known = Part::USED.into_iter().chain([Part::Dropped]).find(|p| p.name() == name);
            parts.push(known.ok_or_else(|| failed(format!("`{name}` is no part")))?);
        }
        if parts.len() != rows {
            return Err(failed(format!("it has {} rows, the data has {rows}", parts.len())));
        }
        Ok(parts)
    }

    fn augment(&self) -> StageResult {
        let (config, dataset) = (&self.project.config, self.dataset()?);
        let parts = self.parts(dataset.rows.len())?;
        let train: Vec<usize> = (0..parts.len()).filter(|&r| parts[r] == Part::Train).collect();
        let classes: Vec<usize> = dataset.rows.iter().map(|r| r.class).collect();
        let candidates = self.candidates(&dataset, &train)?;
        let tried = candidates.len();

        let model = self.model()?;
        let cache = Cache::open(&self.project.cache(), &model.fingerprint, model.dims)?;
        // The originals too: they are compared with, and the cache may have been deleted since they were embedded.
        let originals = |v: &Variant| &dataset.rows[v.parent].cells.texts;
        let texts: Vec<&str> =
            candidates.iter().flat_map(|v| v.texts.iter().chain(originals(v)).map(String::as_str)).collect();
        self.embed_texts(&texts, &cache, &model)?;
        let variants = keep_in_band(candidates, &dataset, &cache, &config.augment.synonyms)?;
        let mixed = mix(&train, &classes, &config.augment.mixup, config.seed_for("mixup"));

        let folder = self.project.augmented_folder();
        let mut outputs = vec![folder.join("synonyms.jsonl"), folder.join("mixup.csv")];
        write_atomic(&outputs[0], |w| {
            for variant in &variants {
                serde_json::to_writer(&mut *w, variant)?;
                w.write_all(b"\n")?;
            }
            Ok(())
        })?;
        write_csv(
            &outputs[1],
            &["first", "second", "lambda"],
            mixed.iter().map(|m| vec![m.first.to_string(), m.second.to_string(), m.lambda.to_string()]),
        )?;
        for (field, name) in dataset.text_fields.iter().enumerate() {
            let path = Project::matrix(&folder, name);
            let column: Vec<&str> = variants.iter().map(|v| v.texts[field].as_str()).collect();
            write_matrix(&path, &column, &cache, &model)?;
            outputs.push(path);
        }
        Ok((
            outputs,
            json!({
                "training_rows": train.len(), "synonym_variants_tried": tried,
                "synonym_variants_kept": variants.len(), "mixed_rows": mixed.len(),
            }),
        ))
    }

    /// Synonym variants of the training rows, before any is embedded.
    fn candidates(&self, dataset: &Dataset, train: &[usize]) -> Result<Vec<Variant>, BuildError> {
        let config = &self.project.config;
        let synonyms = &config.augment.synonyms;
        if synonyms.variants == 0 {
            return Ok(Vec::new());
        }
        let lexicon = Lexicon::load(&user_cache().join("wordnet-3.0"))?;
        let tagger = Tagger::new();
        let whole: Vec<String> = train.iter().map(|&r| dataset.rows[r].cells.texts.join("\n")).collect();
        let classes: Vec<usize> = train.iter().map(|&r| dataset.rows[r].class).collect();
        let protected = protected_words(&whole, &classes, &dataset.classes, &synonyms.protect);
        let varied: Vec<bool> = dataset
            .text_fields
            .iter()
            .map(|f| {
                config.data.join_text || synonyms.fields.as_ref().is_none_or(|fields| fields.contains(f))
            })
            .collect();
        let seed = config.seed_for("synonyms");
        self.progress.start("swapping synonyms", train.len() as u64, "rows");
        let mut variants = Vec::new();
        for &parent in train {
            if self.progress.interrupted() {
                self.progress.finish();
                return Err(BuildError::Interrupted);
            }
            let original = &dataset.rows[parent].cells.texts;
            for variant in 0..synonyms.variants {
                let swapped = |(text, &vary): (&String, &bool)| {
                    let seed = seed_of(seed, text, variant);
                    let new = swap(text, synonyms.swap_share, &lexicon, &tagger, &protected, seed);
                    if vary { new.unwrap_or_else(|| text.clone()) } else { text.clone() }
                };
                let texts: Vec<String> = original.iter().zip(&varied).map(swapped).collect();
                if texts != *original {
                    variants.push(Variant { parent, texts, cosines: Vec::new() });
                }
            }
            self.progress.advance(1);
        }
        self.progress.finish();
        variants.dedup_by(|a, b| a.parent == b.parent && a.texts == b.texts);
        Ok(variants)
    }

    fn train(&self) -> StageResult {
        let (project, config, dataset) = (self.project, &self.project.config, self.dataset()?);
        let parts = self.parts(dataset.rows.len())?;
        let raw = raw_inputs(
            &self.matrices(&project.embeddings_folder(), &dataset.text_fields, dataset.rows.len())?,
            dataset.rows.iter().map(|r| &r.cells),
        );
        let classes: Vec<usize> = dataset.rows.iter().map(|r| r.class).collect();
        let rows_of = |part: Part| (0..parts.len()).filter(|&r| parts[r] == part).collect::<Vec<_>>();
        let (train_rows, validation_rows, test_rows) =
            (rows_of(Part::Train), rows_of(Part::Validation), rows_of(Part::Test));
        let augmented = self.augmented()?;
        let (kept, mixed) = augmented.within(|row| parts[row] == Part::Train);
        let folder = project.augmented_folder();
        let variant_fields = self.matrices(&folder, &dataset.text_fields, augmented.variants.len())?;
        let parent = |v: usize| augmented.variants[v].parent;
        let all = raw_inputs(
            &variant_fields,
            (0..augmented.variants.len()).map(|v| &dataset.rows[parent(v)].cells),
        );
        let variants = pick_rows(&all, &kept);
        let parents: Vec<usize> = kept.iter().map(|&v| parent(v)).collect();
        let input = TrainInput {
            rows: &raw,
            classes: &classes,
            class_count: dataset.classes.len(),
            train: &train_rows,
            validation: &validation_rows,
            variants: &variants,
            parents: &parents,
            mixed: &mixed,
        };
        let min_count = config.features.min_count.unwrap_or(5);
        let trained =
            train(&input, &config.train, min_count, config.seed_for("fit"), self.engine, self.progress)?;
        let measure = |rows: &[usize], name: &str| -> Result<Metrics, BuildError> {
            let truth: Vec<usize> = rows.iter().map(|&r| classes[r]).collect();
            let raw = pick_rows(&raw, rows);
            let given = probabilities(trained.head.as_ref(), &trained.inputs, &raw, dataset.classes.len())?;
            let predictions =
                Predictions { truth: &truth, probabilities: &given, classes: dataset.classes.len() };
            Ok(evaluate(predictions, &dataset.classes, config.seed_for(name)))
        };
        let (validation, test) =
            (measure(&validation_rows, "bootstrap-validation")?, measure(&test_rows, "bootstrap-test")?);
        let text = summary(&Summary {
            name: &config.name,
            validation: &validation,
            test: &test,
            history: &trained.history,
            best_epoch: trained.best_epoch,
            stopped_early: trained.stopped_early,
            training_rows: (trained.training_rows, parents.len() + mixed.len()),
            parameters: trained.shape.parameters(),
        });
        let outputs = self.save(&dataset, &trained, &validation, &test)?;
        Ok((outputs, json!({ "text": text, "validation": validation, "test": test })))
    }

    /// Write everything that predicting on another machine needs, and the figures.
    fn save(
        &self,
        dataset: &Dataset,
        trained: &Trained,
        validation: &Metrics,
        test: &Metrics,
    ) -> Result<Vec<PathBuf>, BuildError> {
        let (config, files, model) = (&self.project.config, self.project.model(), self.model()?);
        std::fs::create_dir_all(&files.folder).map_err(StoreError::of("write", &files.folder))?;
        // The head writes its own file, so the rename is made here.
        let fresh = files.folder.join("head.tmp.safetensors");
        trained.head.save(&fresh)?;
        std::fs::rename(&fresh, files.head()).map_err(StoreError::of("write", &files.head()))?;
        write_json(&files.inputs(), &trained.inputs)?;
        // The card goes last and knows the others by their hash: a mixture of two trainings is then refused.
        write_json(
            &files.card(),
            &ModelCard {
                format: FORMAT,
                pipeline_version: env!("CARGO_PKG_VERSION").into(),
                classes: dataset.classes.clone(),
                encoder: EncoderCard {
                    model: config.encoder.model.clone(),
                    fingerprint: model.fingerprint,
                    dims: model.dims,
                    max_tokens: model.max_tokens,
                    precision: config.encoder.precision,
                },
                head: trained.shape.clone(),
                head_blake3: checksum(&files.head())?,
                inputs_blake3: checksum(&files.inputs())?,
                config: config.clone(),
            },
        )?;
        write_json(&files.metrics(), &json!({ "test": test, "validation": validation }))?;
        write_atomic(&files.history(), |w| {
            let mut csv = csv::Writer::from_writer(w);
            trained.history.iter().try_for_each(|epoch| csv.serialize(epoch))?;
            csv.flush()
        })?;
        Ok(vec![files.head(), files.inputs(), files.card(), files.metrics(), files.history()])
    }

    /// The augmented rows, as the augment stage left them.
    fn augmented(&self) -> Result<Augmented, BuildError> {
        let folder = self.project.augmented_folder();
        let path = folder.join("synonyms.jsonl");
        let text = std::fs::read_to_string(&path).map_err(StoreError::of("read", &path))?;
        let variants = text
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<Vec<Variant>, _>>()
            .map_err(|e| BuildError::Artefact { path, reason: e.to_string() })?;
        let path = folder.join("mixup.csv");
        let failed = |e: csv::Error| BuildError::Artefact { path: path.clone(), reason: e.to_string() };
        let mixed = csv::Reader::from_path(&path)
            .map_err(failed)?
            .deserialize()
            .collect::<Result<Vec<Mixed>, _>>()
            .map_err(failed)?;
        Ok(Augmented { variants, mixed })
    }
}

/// How to load `model`: one worker a core unless the config says otherwise.
pub fn encoder_settings(config: &crate::config::EncoderConfig, model: &Model) -> EncoderSettings {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    EncoderSettings {
        folder: model.folder.clone(),
        max_tokens: model.max_tokens,
        precision: config.precision,
        workers: config.workers.unwrap_or(cores),
    }
}

struct Row {
    file: String,
    line: String,
}

fn place(dataset: &Dataset, row: usize) -> Row {
    let row = &dataset.rows[row];
    Row { file: dataset.files[row.file].to_string_lossy().into_owned(), line: row.line.to_string() }
}

fn write_csv(
    path: &Path,
    header: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
) -> Result<(), StoreError> {
    write_atomic(path, |w| {
        let mut csv = csv::Writer::from_writer(w);
        csv.write_record(header)?;
        for row in rows {
            csv.write_record(row)?;
        }
        csv.flush()
    })
}

/// Copy the embeddings of `texts` from the cache to an `.npy` file, a block at a time.
fn write_matrix(path: &Path, texts: &[&str], cache: &Cache, model: &Model) -> Result<(), BuildError> {
    let mut failure = None;
    write_atomic(path, |file| {
        let mut writer = NpyWriter::new(file, texts.len(), model.dims)?;
        for block in texts.chunks(EXPORT_ROWS) {
            match cache.get(block) {
                Ok(embeddings) => writer.extend(&embeddings)?,
                Err(error) => {
                    failure = Some(error);
                    return Err(std::io::Error::other("the cache failed"));
                }
            }
        }
        writer.finish()
    })
    .map_err(|error| failure.map_or(BuildError::Store(error), BuildError::Cache))
}

/// Keep the variants whose every field stays near its original, and whose changed fields are not the same again.
fn keep_in_band(
    candidates: Vec<Variant>,
    dataset: &Dataset,
    cache: &Cache,
    config: &crate::config::SynonymConfig,
) -> Result<Vec<Variant>, BuildError> {
    let mut kept = Vec::new();
    for mut variant in candidates {
        let original = &dataset.rows[variant.parent].cells.texts;
        let texts: Vec<&str> = original.iter().chain(&variant.texts).map(String::as_str).collect();
        let embeddings = cache.get(&texts)?;
        let fields = original.len();
        variant.cosines =
            (0..fields).map(|f| cosine(embeddings.row(f), embeddings.row(fields + f))).collect();
        let in_band = (0..fields).all(|f| {
            let cosine = f64::from(variant.cosines[f]);
            original[f] == variant.texts[f] || (config.cosine_min..=config.cosine_max).contains(&cosine)
        });
        if in_band {
            kept.push(variant);
        }
    }
    Ok(kept)
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(p, q)| p * q).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(f32::MIN_POSITIVE)
}

pub(super) fn pick_rows(raw: &RawInputs, rows: &[usize]) -> RawInputs {
    let dims = raw.embedding_dims;
    RawInputs {
        embedding_dims: dims,
        embedding: rows.iter().flat_map(|&r| &raw.embedding[r * dims..(r + 1) * dims]).copied().collect(),
        numeric: rows.iter().map(|&r| raw.numeric[r].clone()).collect(),
        categories: rows.iter().map(|&r| raw.categories[r].clone()).collect(),
    }
}
