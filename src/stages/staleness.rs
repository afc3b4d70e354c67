//! Which stages are stale, and why.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use pipeline_encoder::Place;
use serde::Serialize;
use serde_json::{Value, json};

use super::error::BuildError;
use super::list::declaration;
use super::project::Project;
use super::stage::Stage;
use crate::config::{Difference, differences};
use crate::model::load_card;
use crate::store::{Manifest, Output, checksum};
use crate::table::{self, Correction, Corrections};

/// Why a stage has to run.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// It has not been run.
    Never,
    /// Its code gives other outputs than the one that ran.
    Version(u32, u32),
    /// A config value changed.
    Config(Difference),
    /// An input is new, gone or different.
    Input(String, &'static str),
    /// A file that it left is gone or was changed.
    Output(String, &'static str),
    /// A stage before it is stale.
    Upstream(Stage),
    /// It was asked for.
    Forced,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => write!(f, "it has not been run"),
            Self::Version(before, now) => write!(f, "its code changed (version {before} → {now})"),
            Self::Config(Difference { key, before, now }) => {
                write!(f, "config {key} changed ({before} → {now})")
            }
            Self::Input(name, how) => write!(f, "{name} {how}"),
            Self::Output(name, how) => write!(f, "its output {name} {how}"),
            Self::Upstream(stage) => write!(f, "{} is stale", stage.name()),
            Self::Forced => write!(f, "it was asked for"),
        }
    }
}

/// A stage and why it is stale.
#[derive(Clone, Debug, PartialEq)]
pub struct StageStatus {
    /// The stage.
    pub stage: Stage,
    /// Why it would run; empty when it is fresh.
    pub reasons: Vec<Reason>,
    /// What its last run counted.
    pub summary: Value,
}

impl Serialize for StageStatus {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let reasons: Vec<String> = self.reasons.iter().map(ToString::to_string).collect();
        json!({ "stage": self.stage, "fresh": reasons.is_empty(), "reasons": reasons, "summary": self.summary })
            .serialize(serializer)
    }
}

/// The status of every stage; a stage after a stale one is stale too.
///
/// # Errors
/// No raw file matches, or the encoder is not there.
pub fn plan(project: &Project) -> Result<Vec<StageStatus>, BuildError> {
    let sources = Sources::measure(project)?;
    let mut statuses: Vec<StageStatus> = Vec::new();
    for stage in Stage::ALL {
        let mut status = status(project, stage, &sources)?;
        let stale = statuses.iter().find(|s| !s.reasons.is_empty()).map(|s| s.stage);
        if let (Some(upstream), true) = (stale, status.reasons.is_empty()) {
            status.reasons.push(Reason::Upstream(upstream));
        }
        statuses.push(status);
    }
    Ok(statuses)
}

/// The status of one stage, its upstream taken as it is on disk.
pub fn status(project: &Project, stage: Stage, sources: &Sources) -> Result<StageStatus, BuildError> {
    let now = ingredients(project, stage, sources);
    let Some(manifest) = Manifest::load(&project.manifest(stage)) else {
        return Ok(StageStatus { stage, reasons: vec![Reason::Never], summary: Value::Null });
    };
    let mut reasons = Vec::new();
    if manifest.version != declaration(stage).version {
        reasons.push(Reason::Version(manifest.version, declaration(stage).version));
    }
    reasons.extend(differences(&manifest.config, &now.config).into_iter().map(Reason::Config));
    let names: std::collections::BTreeSet<&String> =
        manifest.inputs.keys().chain(now.inputs.keys()).collect();
    for name in names {
        let how = match (manifest.inputs.get(name), now.inputs.get(name)) {
            (None, _) => "is new",
            (_, None) => "is gone",
            (before, after) if before != after => "changed",
            _ => continue,
        };
        reasons.push(Reason::Input(name.clone(), how));
    }
    for (name, output) in &manifest.outputs {
        match Output::of(&project.root.join(name)) {
            Err(_) => reasons.push(Reason::Output(name.clone(), "is gone")),
            Ok(found) if found != *output => reasons.push(Reason::Output(name.clone(), "was changed")),
            Ok(_) => {}
        }
    }
    // Unchanged and yet unreadable: an older program let NaN into its config, which JSON cannot hold.
    let card = project.relative(&project.model().card());
    let known_bad = |name: &str| reasons.iter().any(|r| matches!(r, Reason::Output(n, _) if n == name));
    if manifest.outputs.contains_key(&card) && !known_bad(&card) && load_card(&project.model()).is_err() {
        reasons.push(Reason::Output(card, "cannot be read"));
    }
    Ok(StageStatus { stage, reasons, summary: manifest.summary })
}

/// What a stage is made from.
pub struct Ingredients {
    /// The config values it depends on.
    pub config: Value,
    /// Hashes of its inputs by name.
    pub inputs: BTreeMap<String, String>,
}

/// What every stage is made from: the raw files and the encoder.
///
/// Measured before a stage runs: a file that changes while it runs is then stale afterwards.
pub struct Sources {
    /// Hashes by name.
    pub inputs: BTreeMap<String, String>,
}

/// Name of the encoder among the inputs.
const ENCODER: &str = "the encoder";

/// Name of the way in which the encoder's numbers are computed; the fingerprint says it too, but not to people.
const ARITHMETIC: &str = "the encoder's arithmetic";

impl Sources {
    /// Hash the raw files, what was corrected of them, and the encoder's; those of labelling passes, where these teach.
    ///
    /// # Errors
    /// No raw file matches, or the encoder is not there.
    pub fn measure(project: &Project) -> Result<Self, BuildError> {
        let mut inputs = BTreeMap::new();
        for file in table::files(&project.config, &project.root)? {
            inputs.insert(file.to_string_lossy().into_owned(), checksum(&project.root.join(&file))?);
        }
        if !project.config.label.passes.is_settled() {
            for file in table::pass_files(&project.config, &project.root)? {
                inputs.insert(file.to_string_lossy().into_owned(), checksum(&project.root.join(&file))?);
            }
        }
        let corrections = Corrections::load(&project.config, &project.root)?;
        if let Some(checksum) = corrections.checksum() {
            inputs.insert(Correction::file(&project.config).to_string_lossy().into_owned(), checksum);
        }
        let mut sources = Self { inputs };
        sources.measure_encoder(project)?;
        Ok(sources)
    }

    /// Hash the encoder's files again: one of the hub's is there only once a stage has asked for it.
    ///
    /// # Errors
    /// The encoder is not there.
    pub fn measure_encoder(&mut self, project: &Project) -> Result<(), BuildError> {
        let mut folders = Vec::new();
        for place in project.places()? {
            match place {
                Place::Here(folder) => folders.push(Some(folder)),
                Place::Hub { .. } => folders.push(None),
            }
        }
        let (fingerprint, arithmetic) = match folders.into_iter().collect() {
            Some(folders) => {
                let encoders = project.open_encoders(folders)?;
                (encoders.fingerprint(), encoders.arithmetic())
            }
            None => ("not downloaded".to_owned(), "not known".to_owned()),
        };
        self.inputs.insert(ENCODER.into(), fingerprint);
        self.inputs.insert(ARITHMETIC.into(), arithmetic);
        Ok(())
    }
}

/// The ingredients of a stage: its config values, the sources, the outputs of the stages that it reads.
pub fn ingredients(project: &Project, stage: Stage, sources: &Sources) -> Ingredients {
    let (config, declaration) = (&project.config, declaration(stage));
    let mut sections = json!({
        "data": config.data, "label": config.label, "features": config.features, "encoder": config.encoder,
    });
    if let (Value::Object(sections), Value::Object(own)) = (&mut sections, (declaration.config)(config)) {
        sections.extend(own);
    }
    let mut inputs = sources.inputs.clone();
    for &before in declaration.reads {
        for (name, output) in Manifest::load(&project.manifest(before)).map(|m| m.outputs).unwrap_or_default()
        {
            inputs.insert(name, output.blake3);
        }
    }
    Ingredients { config: sections, inputs }
}

/// The raw files among what the project's stage was made from, and their contents.
pub fn raw_files<'a>(
    project: &Project,
    manifest: &'a Manifest,
) -> impl Iterator<Item = (&'a String, &'a String)> {
    let made = [project.embeddings_folder(), project.split_file(), project.augmented_folder()];
    let made = made.map(|path| PathBuf::from(project.relative(&path)));
    let is_raw = move |name: &str| {
        name != ENCODER && name != ARITHMETIC && !made.iter().any(|made| Path::new(name).starts_with(made))
    };
    manifest.inputs.iter().filter(move |(name, _)| is_raw(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_that_cannot_be_read_makes_the_train_stage_stale() {
        let folder = tempfile::tempdir().unwrap();
        let text = std::fs::read_to_string("tests/data/built_before/kernel/model.json").unwrap();
        let mut card: Value = serde_json::from_str(&text).unwrap();
        let config = serde_json::from_value(card["config"].clone()).unwrap();
        let project = Project { root: folder.path().to_owned(), config };
        let path = project.model().card();
        // What JSON makes of NaN.
        for (limit, fresh) in [(json!(0.5), true), (Value::Null, false)] {
            card["config"]["train"]["dropout"] = limit;
            crate::store::write_json(&path, &card).unwrap();
            let sources = Sources { inputs: BTreeMap::new() };
            let made_from = ingredients(&project, Stage::Train, &sources);
            Manifest {
                version: declaration(Stage::Train).version,
                config: made_from.config,
                inputs: made_from.inputs,
                outputs: BTreeMap::from([(project.relative(&path), Output::of(&path).unwrap())]),
                summary: Value::Null,
            }
            .save(&project.manifest(Stage::Train))
            .unwrap();
            let reasons = status(&project, Stage::Train, &sources).unwrap().reasons;
            let said: Vec<String> = reasons.iter().map(ToString::to_string).collect();
            let unreadable = format!("its output {} cannot be read", project.relative(&path));
            assert_eq!(said, if fresh { vec![] } else { vec![unreadable] });
        }
    }
}
