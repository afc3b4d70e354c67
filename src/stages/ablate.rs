//! `pipeline ablate`: named presets on the same folds, and what each is worth.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::context::Context;
use super::error::BuildError;
use super::project::Project;
use super::run::{check_networks, ready};
use super::stage::Stage;
use super::staleness::{Reason, Sources};
use super::trial::{Trial, is_unanimous};
use crate::config::{AugmentConfig, CollectedKind, Config, TaskConfig, TrainConfig, nearest};
use crate::engine::Engine;
use crate::evaluate::{
    Ablated, Ablation, Chosen, Folded, OnUnanimous, fold_differences, fold_mean, fold_means,
};
use crate::progress::Progress;
use crate::split::Part;
use crate::store::write_json;
use crate::table;

/// The presets that come with the program.
const PRESETS: &str = include_str!("presets.toml");

/// The presets that are compared when none is named.
const MAIN: [&str; 5] = ["original", "phase-1", "phase-2", "phase-3", "best"];

/// A named change to a project's config.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// What it is, in a few words.
    pub what: String,
    /// Its `[train]`; what it leaves out has its default.
    #[serde(default)]
    train: TrainConfig,
    /// Its `[augment]`, likewise.
    #[serde(default)]
    augment: AugmentConfig,
    /// Keys of `[features]` that differ from the project's.
    #[serde(default)]
    features: toml::Table,
    /// Keys of `[data]` that differ.
    #[serde(default)]
    data: toml::Table,
    /// Columns that become tasks if the project has them as categorical features, and are features no more.
    #[serde(default)]
    tasks: Vec<String>,
    /// Keys of `[label]` that differ.
    #[serde(default)]
    label: toml::Table,
    /// Whether it makes sense only for classes of a `label.range`.
    #[serde(default)]
    needs_range: bool,
    /// Keys of `[collect]` that differ.
    #[serde(default)]
    collect: toml::Table,
    /// Whether it makes sense only with `validate.passes`.
    #[serde(default)]
    needs_passes: bool,
    /// Whether it takes so long that `--all` leaves it out.
    #[serde(default)]
    takes_hours: bool,
    /// A program that it starts.
    #[serde(default)]
    needs_program: Option<String>,
    /// A kind of collected rows without which it says nothing.
    #[serde(default)]
    needs_collected: Option<CollectedKind>,
}

impl Preset {
    /// What a project or the machine lacks for it.
    fn lacks(&self, project: &Project) -> Option<String> {
        let config = &project.config;
        if self.needs_range && config.label.range.is_none() {
            return Some("label.range, whose classes are in order".into());
        }
        if self.needs_passes && config.validate.passes.is_empty() {
            return Some("file of labelling passes (validate.passes)".into());
        }
        if let Some(program) = self.needs_program.as_ref().filter(|program| !is_installed(program)) {
            return Some(format!("program `{program}`"));
        }
        let kind = self.needs_collected.filter(|kind| {
            let files = table::collected_files(config, &project.root);
            !files.iter().any(|file| file.file_stem().is_some_and(|stem| stem == kind.name()))
        })?;
        Some(format!("{} row (`pipeline collect --help`)", kind.name()))
    }

    /// The project's config with the preset's changes.
    fn apply(&self, name: &str, config: &Config) -> Result<Config, BuildError> {
        let mut changed = config.clone();
        (changed.train, changed.augment) = (self.train.clone(), self.augment.clone());
        changed.features = overlay(&config.features, &self.features)?;
        changed.data = overlay(&config.data, &self.data)?;
        changed.label = overlay(&config.label, &self.label)?;
        changed.collect = overlay(&config.collect, &self.collect)?;
        for column in self.tasks.iter().filter(|c| config.features.categorical.contains(c)) {
            changed.features.categorical.retain(|c| c != column);
            changed.train.tasks.push(TaskConfig { column: column.clone(), weight: 0.3 });
        }
        let failed = |e: &dyn std::fmt::Display| BuildError::Preset(e.to_string());
        let table = toml::Table::try_from(&changed).map_err(|e| failed(&e))?;
        Config::made(&table, Path::new(&format!("preset `{name}` here"))).map_err(|e| failed(&e))
    }
}

/// A section with some keys replaced.
fn overlay<T: Serialize + for<'d> Deserialize<'d>>(section: &T, keys: &toml::Table) -> Result<T, BuildError> {
    let failed = |e: &dyn std::fmt::Display| BuildError::Preset(e.to_string());
    let mut table = toml::Table::try_from(section).map_err(|e| failed(&e))?;
    table.extend(keys.clone());
    table.try_into().map_err(|e: toml::de::Error| failed(&e))
}

/// Whether a program is found where programs are looked for.
fn is_installed(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// All presets by name.
pub fn presets() -> BTreeMap<String, Preset> {
    toml::from_str(PRESETS).unwrap_or_else(|e| unreachable!("the presets are tested: {e}"))
}

/// What to compare.
pub struct AblateSettings {
    /// Names of presets; the main ones by default.
    pub presets: Vec<String>,
    /// Every preset that fits the data.
    pub all: bool,
    /// The preset that the others are compared with; the first by default.
    pub reference: Option<String>,
}

/// Train the presets on the same folds of the rows outside the test part, which none of them sees.
///
/// What an earlier run has measured is not trained again.
///
/// # Errors
/// An unknown preset, or what [`crate::stages::build`] can fail with.
pub fn ablate(
    project: &Project,
    settings: &AblateSettings,
    engine: Option<&dyn Engine>,
    progress: &dyn Progress,
    announce: &mut dyn FnMut(Stage, &[Reason]),
) -> Result<Ablation, BuildError> {
    let known = presets();
    let lacks = |preset: &Preset| preset.lacks(project);
    let names: Vec<String> = match &settings.presets[..] {
        _ if settings.all => {
            let first = MAIN.iter().map(ToString::to_string);
            let others = known.iter().filter(|(name, _)| !MAIN.contains(&name.as_str()));
            let others = others.filter(|(name, preset)| match lacks(preset) {
                _ if preset.takes_hours => {
                    progress.note(&format!("{name} is left out: it may take hours; name it"));
                    false
                }
                Some(what) => {
                    progress.note(&format!("{name} is left out: there is no {what}"));
                    false
                }
                None => true,
            });
            first.chain(others.map(|(name, _)| name.clone())).collect()
        }
        [] => MAIN.map(str::to_owned).to_vec(),
        named => named.to_vec(),
    };
    let reference = settings.reference.clone().unwrap_or_else(|| names[0].clone());
    if let Some(unknown) = names.iter().chain([&reference]).find(|name| !known.contains_key(*name)) {
        let near = nearest(unknown, known.keys().map(String::as_str));
        return Err(BuildError::Preset(format!(
            "there is no preset `{unknown}`{near}; --list shows them all"
        )));
    }
    if !names.contains(&reference) {
        return Err(BuildError::Preset(format!(
            "the reference `{reference}` is not among the presets compared"
        )));
    }
    for name in &names {
        if let Some(what) = lacks(&known[name]) {
            return Err(BuildError::Preset(format!(
                "the preset `{name}` says nothing here: there is no {what}"
            )));
        }
        check_networks(known[name].apply(name, &project.config)?.train.heads(), engine)?;
    }
    let ready = ready(project, engine, progress, announce)?;
    let (context, rows) = (&ready.context, &ready.rows);
    let folds = context.folds(rows)?;
    let sources = Sources::measure(project)?;
    let mut measured = Vec::new();
    for (i, name) in names.iter().enumerate() {
        progress.note(&format!("{name} ({} of {}): {}", i + 1, names.len(), known[name].what));
        let changed =
            Project { root: project.root.clone(), config: known[name].apply(name, &project.config)? };
        let context = Context { project: &changed, engine, progress };
        measured.push(context.trial(&context.rows_like(rows)?, &folds, &sources)?);
    }

    let used = rows.of(&[Part::Train, Part::Validation]);
    let passes = table::passes(&project.config, &project.root, &rows.dataset)?;
    let unanimous_rows = used.iter().filter(|&&row| is_unanimous(&passes, row)).count();
    let folded = Folded::of(project.config.evaluate.folds, used.len());
    let classes = rows.dataset.classes.len();
    let base = names.iter().position(|name| *name == reference).unwrap_or(0);
    let folded_unanimous = Folded { rows: unanimous_rows, ..folded };
    let row = |(name, of): (&String, &Trial)| {
        let unanimous = (!of.unanimous.is_empty()).then(|| OnUnanimous {
            figures: fold_means(&of.unanimous, folded_unanimous, classes),
            difference: (*name != reference)
                .then(|| fold_differences(&of.unanimous, &measured[base].unanimous, folded_unanimous)),
        });
        let f1 = |class: usize| {
            let of_folds: Vec<f64> = of.class_f1.iter().map(|fold| fold[class]).collect();
            fold_mean(&of_folds, folded).within([0.0, 1.0])
        };
        Ablated {
            preset: name.clone(),
            what: known[name].what.clone(),
            parameters: of.parameters.round() as usize,
            figures: fold_means(&of.figures, folded, classes),
            class_f1: (0..classes).map(f1).collect(),
            train_seconds: of.seconds,
            difference: (*name != reference)
                .then(|| fold_differences(&of.figures, &measured[base].figures, folded)),
            unanimous,
        }
    };
    let of_folds: Vec<_> = names.iter().zip(&measured).map(|(n, of)| (n.as_str(), &of.figures[..])).collect();
    let ablation = Ablation {
        chosen: Chosen::among(&of_folds, project.config.evaluate.folds, folded, classes),
        name: project.config.name.clone(),
        classes: rows.dataset.classes.clone(),
        folds: context.fold_counts(used.len()),
        rows: folds.iter().filter(|f| f.repeat == 0).map(|f| f.held_out.len()).sum(),
        unanimous_rows,
        presets: names.iter().zip(&measured).map(row).collect(),
        reference,
    };
    write_json(&project.ablation(), &ablation)?;
    Ok(ablation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HeadKind;

    #[test]
    fn every_preset_is_a_valid_config() {
        let text = std::fs::read_to_string("pipeline.toml").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipeline.toml");
        std::fs::write(&path, text).unwrap();
        let config = Config::load(&path).unwrap();
        let all = presets();
        assert!(MAIN.iter().all(|name| all.contains_key(*name)));
        for (name, preset) in all {
            let changed = preset.apply(&name, &config).unwrap();
            std::fs::write(&path, toml::to_string(&changed).unwrap()).unwrap();
            assert_eq!(Config::load(&path).map_err(|e| format!("{name}: {e}")).unwrap(), changed);
        }
        let phase = presets()["phase-3"].apply("phase-3", &config).unwrap();
        assert_eq!(phase.train.head, HeadKind::Network);
        assert!(phase.data.join_text && phase.features.categorical.is_empty());
    }
}
