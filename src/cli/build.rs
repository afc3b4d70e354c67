//! `pipeline build`, `embed`, `augment` and `train`.

use anyhow::Result;
use serde_json::{Value, json};

use super::exit::Exit;
use super::progress::Terminal;
use super::{BuildArgs, StageArgs, become_torch_program, print, print_json};
use crate::build::{self, BuildSettings, Project, Stage, StageOutcome, StageStatus, plan};
use crate::engine::Engine;
use crate::progress::Progress;

/// One stage with those before it that are stale.
pub fn stage(args: &StageArgs, to: Stage, engine: Option<&dyn Engine>) -> Result<Exit> {
    let project = args.project.open()?;
    let settings = BuildSettings { to, from: args.force.then_some(to) };
    run(&project, settings, args.quiet, args.project.json, engine)
}

/// All stages.
pub fn build(args: &BuildArgs, engine: Option<&dyn Engine>) -> Result<Exit> {
    let project = args.project.open()?;
    let from = if args.force { Some(Stage::Embed) } else { args.from.map(Stage::from) };
    let settings = BuildSettings { to: Stage::Train, from };
    if args.dry_run {
        return dry_run(&project, settings, args.project.json);
    }
    run(&project, settings, args.quiet, args.project.json, engine)
}

fn dry_run(project: &Project, settings: BuildSettings, json: bool) -> Result<Exit> {
    let statuses = plan(project)?;
    let runs = |s: &&StageStatus| !s.reasons.is_empty() || settings.from.is_some_and(|from| s.stage >= from);
    let would: Vec<&StageStatus> = statuses.iter().filter(runs).collect();
    if json {
        return print_json(&json!({ "would_run": would }));
    }
    let mut text = String::new();
    for status in &would {
        text += &format!("would run {}: {}\n", status.stage.name(), why(status));
    }
    print(if text.is_empty() { "nothing to do\n" } else { &text })
}

fn why(status: &StageStatus) -> String {
    let reasons: Vec<String> = status.reasons.iter().map(ToString::to_string).collect();
    if reasons.is_empty() { "it was asked for".into() } else { reasons.join("; ") }
}

fn run(
    project: &Project,
    settings: BuildSettings,
    quiet: bool,
    json: bool,
    engine: Option<&dyn Engine>,
) -> Result<Exit> {
    let Some(engine) = engine else {
        let statuses = plan(project)?;
        let wanted: Vec<&StageStatus> = statuses.iter().filter(|s| s.stage <= settings.to).collect();
        if settings.from.is_some() || wanted.iter().any(|s| !s.reasons.is_empty()) {
            return Err(become_torch_program());
        }
        let fresh = |s: &&StageStatus| StageOutcome {
            stage: s.stage,
            ran_because: Vec::new(),
            summary: s.summary.clone(),
            seconds: 0.0,
        };
        return report(project, &wanted.iter().map(fresh).collect::<Vec<_>>(), json);
    };
    let terminal = Terminal::new(quiet);
    let outcomes = build::build(project, settings, engine, &terminal, &mut |stage, reasons| {
        let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
        terminal.note(&format!("{}: {}", stage.name(), reasons.join("; ")));
    })?;
    report(project, &outcomes, json)
}

/// What each stage did; after a training, its summary.
fn report(project: &Project, outcomes: &[StageOutcome], json: bool) -> Result<Exit> {
    if json {
        let stages: Vec<Value> = outcomes
            .iter()
            .map(|o| {
                let mut value = json!(o);
                if let Some(summary) = value["summary"].as_object_mut() {
                    summary.remove("text");
                }
                value
            })
            .collect();
        return print_json(&json!({ "name": project.config.name, "stages": stages }));
    }
    let mut text = String::new();
    for outcome in outcomes {
        let name = outcome.stage.name();
        if outcome.ran_because.is_empty() {
            text += &format!("{name}: up to date\n");
        } else {
            text += &format!("{name}: done in {:.1} s{}\n", outcome.seconds, counts(&outcome.summary));
        }
    }
    if let Some(trained) = outcomes.iter().find(|o| o.stage == Stage::Train) {
        if trained.ran_because.is_empty() {
            text += &format!("the model is in {}\n", project.relative(&project.model().folder));
        } else {
            text += &format!("\n{}", trained.summary["text"].as_str().unwrap_or(""));
            text += &format!("\n  everything is in {}/\n", project.relative(&project.model().folder));
        }
    }
    print(&text)
}

/// The plain numbers of a stage's summary, in words.
fn counts(summary: &Value) -> String {
    let Some(object) = summary.as_object() else { return String::new() };
    let words: Vec<String> = object
        .iter()
        .filter_map(|(key, value)| value.as_f64().map(|n| format!("{} {n}", key.replace('_', " "))))
        .collect();
    if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) }
}
