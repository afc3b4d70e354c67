//! `pipeline collect generate` and `paraphrase`: a language model asked for rows, and a file of candidates made of its answers.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::candidate_file::{next_file, next_number};
use super::records::Records;
use crate::collect::{
    Asking, Attribute, Budget, CandidateRow, Class, Client, CollectError, Counts, Ended, Example, Field,
    Finished, Generation, ModelOrigin, Paraphrases, Planned, Prompts, Provenance, RealTime, Source, Task,
    write_candidates,
};
use crate::config::{CollectedKind, GenerateClass, GenerateField};
use crate::engine::Engine;
use crate::progress::Progress;
use crate::split::Part;
use crate::stages::endpoint::{Endpoint, at_most, endpoint, kept};
use crate::stages::error::BuildError;
use crate::stages::project::Project;
use crate::stages::rows::Rows;
use crate::stages::run::ready;
use crate::stages::stage::Stage;
use crate::stages::staleness::Reason;
use crate::table::ContentHash;

/// What is asked of a run.
#[derive(Clone, Copy, Debug)]
pub struct GenerateSettings {
    /// Valid rows after which to stop; by default what the config says.
    pub rows: Option<usize>,
    /// Answer from what was kept of earlier runs alone.
    pub offline: bool,
    /// Say what a run would take at most, and ask nothing.
    pub estimate: bool,
}

/// What a run brought.
#[derive(Clone, Debug, Serialize)]
pub struct Generated {
    /// What the run was expected to take at most.
    pub estimate: Estimated,
    /// Its numbers; absent where only the estimate was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    /// Why it ended, for people.
    pub ended: String,
    /// Whether it ended before it was done.
    pub stopped: bool,
    /// The file of candidates, relative to the project; none where no row is valid.
    pub file: Option<PathBuf>,
}

/// What a run takes at most.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Estimated {
    /// Requests whose answers are not kept from before.
    pub requests: u64,
    /// Tokens of their prompts.
    pub prompt_tokens: u64,
    /// Tokens of their answers, as long as they may be.
    pub answer_tokens: u64,
    /// Money, where prices are set.
    pub cost: Option<f64>,
}

/// Ask the model of `[collect.model]` for rows of the classes of `[collect.generate]`. Examples are rows of the training part.
///
/// # Errors
/// The config lacks a model or a task, the model cannot be asked at all, or what [`crate::stages::build`] can fail with.
pub fn generate(
    project: &Project,
    settings: GenerateSettings,
    engine: Option<&dyn Engine>,
    progress: &dyn Progress,
    announce: &mut dyn FnMut(Stage, &[Reason]),
) -> Result<Generated, BuildError> {
    let run = Run::new(project, settings, CollectedKind::Generated)?;
    let ready = ready(project, engine, progress, announce)?;
    let rows = &ready.rows;
    let config = &project.config.collect.generate;
    let task = task(project)?;
    let fields: Vec<&str> = task.fields.iter().map(|field| field.name.as_str()).collect();
    let of_task = |class: &str| task.classes.iter().any(|of| of.name == class);
    let (shown, examples): (Vec<usize>, Vec<Example>) =
        examples(rows, &fields).into_iter().filter(|(_, example)| of_task(&example.class)).unzip();
    let seed = project.config.seed_for(&format!("generate {}", next_number(project, run.kind)));
    let plan = || Prompts::new(task.clone(), &examples, seed);
    let made = |finished: &Finished, texts: &[String]| {
        let ModelOrigin::Drawn { of: drawn, examples } = &finished.origin else { return Made::default() };
        let class: &GenerateClass = &config.classes[drawn.class];
        let mut cells = config.cells.clone();
        // Where an attribute is a column of the data, its value stands there, too.
        for (attribute, value) in task.attributes.iter().zip(&drawn.values) {
            if let Some(value) = value {
                cells.insert(attribute.name.clone(), attribute.values[*value].clone());
            }
        }
        cells.extend(class.cells.clone());
        cells.extend(fields.iter().map(ToString::to_string).zip(texts.iter().cloned()));
        let content = |&example: &usize| rows.dataset.rows[shown[example]].cells.content();
        Made { cells, parent: None, shown: examples.iter().map(content).collect() }
    };
    let wanted = settings.rows.unwrap_or(config.rows);
    run.go(wanted, [plan()?, plan()?], made, progress)
}

/// Ask the model of `[collect.model]` for rows of the training part in other words.
///
/// # Errors
/// As [`generate`].
pub fn paraphrase(
    project: &Project,
    settings: GenerateSettings,
    engine: Option<&dyn Engine>,
    progress: &dyn Progress,
    announce: &mut dyn FnMut(Stage, &[Reason]),
) -> Result<Generated, BuildError> {
    let run = Run::new(project, settings, CollectedKind::Paraphrased)?;
    let ready = ready(project, engine, progress, announce)?;
    let rows = &ready.rows;
    let config = &project.config.collect.paraphrase;
    let names = &project.config.data.text_fields;
    let fields: Vec<Field> = names.iter().map(|name| field(&GenerateField::of(name, MOST_CHARS))).collect();
    let records = Records::read(project, rows)?;
    let texts = |row: usize| match project.config.data.join_text {
        true => names.iter().map(|name| records.cell(row, name)).collect::<Vec<_>>(),
        false => rows.dataset.rows[row].cells.texts.clone(),
    };
    let mut train = rows.of(&[Part::Train]);
    train.retain(|&row| texts(row).iter().all(|text| !text.is_empty()));
    let seed = project.config.seed_for(&format!("paraphrase {}", next_number(project, run.kind)));
    train.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let source = |&row: &usize| Source { texts: texts(row), must_not_appear: config.avoid.clone() };
    let plan = || Paraphrases::new(fields.clone(), train.iter().map(source).collect(), config.each);
    let made = |finished: &Finished, texts: &[String]| {
        let ModelOrigin::Paraphrase { row } = finished.origin else { return Made::default() };
        let row = train[row];
        let mut cells = records.cells(row);
        cells.extend(names.iter().cloned().zip(texts.iter().cloned()));
        Made { cells, parent: Some(rows.dataset.rows[row].cells.content()), shown: Vec::new() }
    };
    let wanted = settings.rows.unwrap_or(config.rows);
    run.go(wanted, [plan()?, plan()?], made, progress)
}

/// What the config declares.
fn task(project: &Project) -> Result<Task, BuildError> {
    let config = &project.config.collect.generate;
    let lacks = |key: &str, what: &str| Err(BuildError::NotDeclared { key: key.into(), what: what.into() });
    if config.task.trim().is_empty() {
        return lacks("collect.generate.task", "what is to be written, in a sentence");
    }
    if config.classes.is_empty() {
        return lacks(
            "collect.generate.classes",
            "for each class its name, what it is, and its cells in the label's columns",
        );
    }
    for class in &config.classes {
        let labels = project.config.label_columns();
        if let Some(label) = labels.iter().find(|label| !class.cells.contains_key(**label)) {
            return lacks(
                &format!("collect.generate.classes[].cells.{label}"),
                &format!("the label of the rows of {:?}", class.name),
            );
        }
    }
    let all: Vec<GenerateField> = match config.fields.is_empty() {
        false => config.fields.clone(),
        true => project.config.data.text_fields.iter().map(|name| GenerateField::of(name, 1_000)).collect(),
    };
    Ok(Task {
        task: config.task.clone(),
        fields: all.iter().map(field).collect(),
        attributes: config
            .attributes
            .iter()
            .map(|(name, values)| Attribute {
                name: name.clone(),
                values: values.clone(),
                classes: Vec::new(),
            })
            .collect(),
        classes: config
            .classes
            .iter()
            .map(|class| Class {
                name: class.name.clone(),
                description: class.what.clone(),
                must_not_appear: class.avoid.clone(),
                share: class.share,
            })
            .collect(),
        rows_per_request: config.rows_per_request,
        examples_per_request: config.examples,
    })
}

fn field(field: &GenerateField) -> Field {
    Field {
        name: field.name.clone(),
        description: if field.what.is_empty() { field.name.replace('_', " ") } else { field.what.clone() },
        min_chars: field.min_chars,
        max_chars: field.max_chars,
        allowed: Vec::new(),
    }
}

/// Longest paraphrase of a field, in characters.
const MOST_CHARS: usize = 20_000;

/// Rows of the training part, as examples of their classes.
fn examples(rows: &Rows, fields: &[&str]) -> Vec<(usize, Example)> {
    let dataset = &rows.dataset;
    let places: Option<Vec<usize>> =
        fields.iter().map(|field| dataset.text_fields.iter().position(|name| name == field)).collect();
    // A field that the data has not, or has joined with others, has no examples.
    let Some(places) = places else { return Vec::new() };
    let example = |row: usize| {
        let of = &dataset.rows[row];
        let texts = places.iter().map(|&place| of.cells.texts[place].clone()).collect();
        (row, Example { class: dataset.classes[of.class].clone(), texts })
    };
    rows.of(&[Part::Train]).into_iter().map(example).collect()
}

/// What a text of the model becomes.
#[derive(Default)]
struct Made {
    cells: BTreeMap<String, String>,
    parent: Option<ContentHash>,
    shown: Vec<ContentHash>,
}

/// A run of requests.
struct Run<'a> {
    project: &'a Project,
    settings: GenerateSettings,
    kind: CollectedKind,
    client: Client,
    budget: Budget,
}

impl<'a> Run<'a> {
    fn new(
        project: &'a Project,
        settings: GenerateSettings,
        kind: CollectedKind,
    ) -> Result<Self, BuildError> {
        let Endpoint { client, budget } = endpoint(&project.config.collect.model)?;
        Ok(Self { project, settings, kind, client, budget })
    }

    /// The estimate and, unless it is all that is wanted, the run. `made` gives the row of texts.
    fn go<P: Iterator<Item = Result<Planned, CollectError>>>(
        &self,
        wanted: usize,
        [plan, again]: [P; 2],
        made: impl Fn(&Finished, &[String]) -> Made,
        progress: &dyn Progress,
    ) -> Result<Generated, BuildError> {
        let kept = kept(self.project)?;
        let generation = Generation {
            client: &self.client,
            kept: &kept,
            asking: Asking { budget: &self.budget, progress, pause: &RealTime },
            wanted: Some(wanted),
            concurrency: self.project.config.collect.model.concurrency,
            offline: self.settings.offline,
        };
        let found = generation.estimate(again)?;
        progress.note(&at_most(&found));
        let estimate = Estimated {
            requests: found.requests,
            prompt_tokens: found.tokens.prompt,
            answer_tokens: found.tokens.completion,
            cost: found.cost,
        };
        if self.settings.estimate {
            let ended = at_most(&found);
            return Ok(Generated { estimate, counts: None, ended, stopped: false, file: None });
        }
        let date = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
        let mut rows = Vec::new();
        let outcome = generation.run(plan, &mut |finished| {
            for row in finished.rows.iter().flatten() {
                let Made { cells, parent, shown } = made(finished, &row.texts);
                let provenance = Provenance {
                    kind: self.kind,
                    origin: self.project.config.collect.model.name.clone(),
                    recipe: finished.hash.clone(),
                    date: date.clone(),
                    licence: "written by a model".into(),
                    parent,
                    shown,
                };
                rows.push(CandidateRow { cells, provenance });
            }
            ControlFlow::Continue(())
        });
        // Whatever ended the run, what was paid for is kept.
        let file = self.write(&rows)?;
        match outcome.ended {
            Ended::Failed(error) if rows.is_empty() => Err(error.into()),
            Ended::Interrupted if rows.is_empty() => Err(BuildError::Interrupted),
            ended => Ok(Generated {
                estimate,
                counts: Some(outcome.counts),
                stopped: !matches!(ended, Ended::Wanted | Ended::PlanDone),
                ended: ended.to_string(),
                file,
            }),
        }
    }

    fn write(&self, rows: &[CandidateRow]) -> Result<Option<PathBuf>, BuildError> {
        if rows.is_empty() {
            return Ok(None);
        }
        let path = next_file(self.project, self.kind);
        write_candidates(&path, &self.project.config.columns(), rows)?;
        Ok(Some(self.project.relative(&path).into()))
    }
}
