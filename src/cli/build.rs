//! `pipeline build`, `embed`, `augment` and `train`.

use anyhow::Result;
use serde_json::{Value, json};

use console::style;

use super::exit::{Exit, FailedGates};
use super::progress::Terminal;
use super::{BuildArgs, StageArgs, TrainArgs, because, print, print_json};
use crate::build::{self, BuildSettings, Project, Stage, StageOutcome};
use crate::engine::Engine;
use crate::evaluate::Gate;
use crate::progress::Progress;

/// What was asked for beside the stages.
#[derive(Clone, Copy)]
struct Wishes {
    quiet: bool,
    json: bool,
    require_gates: bool,
    /// Print the evaluation also when nothing had to run.
    always_summary: bool,
}

/// One stage with those before it that are stale.
pub fn stage(args: &StageArgs, to: Stage, engine: Option<&dyn Engine>) -> Result<Exit> {
    let project = args.project.open()?;
    let settings = BuildSettings { to, from: args.force.then_some(to) };
    let wishes =
        Wishes { quiet: args.quiet, json: args.project.json, require_gates: false, always_summary: false };
    run(&project, settings, wishes, engine)
}

/// Training with its evaluation.
pub fn train(args: &TrainArgs, engine: Option<&dyn Engine>) -> Result<Exit> {
    let StageArgs { project, force, quiet } = &args.stage;
    let settings = BuildSettings { to: Stage::Evaluate, from: force.then_some(Stage::Train) };
    let wishes =
        Wishes { quiet: *quiet, json: project.json, require_gates: args.require_gates, always_summary: true };
    run(&project.open()?, settings, wishes, engine)
}

/// All stages.
pub fn build(args: &BuildArgs, engine: Option<&dyn Engine>) -> Result<Exit> {
    let project = args.project.open()?;
    let from = if args.force { Some(Stage::Embed) } else { args.from.map(Stage::from) };
    let settings = BuildSettings { to: Stage::Evaluate, from };
    if args.dry_run {
        return dry_run(&project, settings, args.project.json);
    }
    let wishes = Wishes {
        quiet: args.quiet,
        json: args.project.json,
        require_gates: args.require_gates,
        always_summary: false,
    };
    run(&project, settings, wishes, engine)
}

fn dry_run(project: &Project, settings: BuildSettings, json: bool) -> Result<Exit> {
    let mut would = build::due(project, settings)?;
    would.retain(|status| !status.reasons.is_empty());
    if json {
        return print_json(&json!({ "would_run": would }));
    }
    let mut text = String::new();
    for status in &would {
        text += &format!("would run {}: {}\n", status.stage.name(), because(&status.reasons));
    }
    print(if text.is_empty() { "nothing to do\n" } else { &text })
}

fn run(
    project: &Project,
    settings: BuildSettings,
    wishes: Wishes,
    engine: Option<&dyn Engine>,
) -> Result<Exit> {
    let terminal = Terminal::new(wishes.quiet);
    let outcomes = build::build(project, settings, engine, &terminal, &mut |stage, reasons| {
        terminal.note(&format!("{}: {}", stage.name(), because(reasons)));
    })?;
    report(project, &outcomes, wishes)
}

/// What each stage did; after an evaluation, its summary.
fn report(project: &Project, outcomes: &[StageOutcome], wishes: Wishes) -> Result<Exit> {
    let evaluated = outcomes.iter().find(|o| o.stage == Stage::Evaluate);
    if wishes.json {
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
        print_json(&json!({ "name": project.config.name, "stages": stages }))?;
    } else {
        let mut text = String::new();
        for outcome in outcomes {
            let name = outcome.stage.name();
            if outcome.ran_because.is_empty() {
                text += &format!("{name}: up to date\n");
            } else {
                text += &format!("{name}: done in {:.1} s{}\n", outcome.seconds, counts(&outcome.summary));
            }
        }
        if let Some(evaluated) = evaluated {
            let files = project.model();
            if evaluated.ran_because.is_empty() && !wishes.always_summary {
                text += &format!("the model is in {}\n", project.relative(&files.folder));
            } else {
                text += &format!("\n{}", coloured(evaluated.summary["text"].as_str().unwrap_or("")));
                let (folder, report) = (project.relative(&files.folder), project.relative(&files.report()));
                text += &format!("\n  everything is in {folder}/; to look at: {report}\n");
            }
        }
        print(&text)?;
    }
    match evaluated {
        Some(evaluated) if wishes.require_gates => check_gates(&evaluated.summary),
        _ => Ok(Exit::Done),
    }
}

fn check_gates(summary: &Value) -> Result<Exit> {
    let gates: Vec<Gate> = serde_json::from_value(summary["gates"].clone())?;
    let failed: Vec<String> = gates.into_iter().filter(|g| !g.passed).map(|g| g.name).collect();
    if failed.is_empty() { Ok(Exit::Done) } else { Err(FailedGates { gates: failed }.into()) }
}

/// The summary with its marks in colour, on a terminal.
fn coloured(text: &str) -> String {
    let line = |line: &str| match line.trim_start().chars().next() {
        Some('✓') => style(line).green().to_string(),
        Some('✗') => style(line).red().to_string(),
        Some('!') => style(line).yellow().to_string(),
        _ if line.starts_with("model ") => style(line).bold().to_string(),
        _ => line.to_owned(),
    };
    text.lines().map(|l| line(l) + "\n").collect()
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
