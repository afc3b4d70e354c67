//! `pipeline build`, `embed`, `augment` and `train`.

use anyhow::Result;
use serde_json::{Value, json};

use console::style;

use super::args::{BuildArgs, EmbedArgs, StageArgs, TrainArgs};
use super::arrow_stream::{self, Embedding};
use super::exit::{BadUsage, Exit, FailedGates};
use super::output::{because, print, print_json};
use super::progress::Terminal;
use crate::config::EncoderConfig;
use crate::engine::Engine;
use crate::model::load_evaluation;
use crate::progress::Progress;
use crate::report::summary;
use crate::stages::{self, BuildError, BuildSettings, EvaluateSummary, Project, Stage, StageOutcome};
use crate::table;

/// How a run speaks and ends.
#[derive(Clone, Copy)]
struct RunOptions {
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
    let options = RunOptions {
        quiet: args.quiet,
        json: args.project.json,
        require_gates: false,
        always_summary: false,
    };
    run(&project, settings, options, engine)
}

/// The embed stage, or a stream without a project.
pub fn embed(args: &EmbedArgs, engine: Option<&dyn Engine>) -> Result<Exit> {
    let Some(column) = args.column.as_deref().filter(|_| args.arrow_stream) else {
        return stage(&args.stage, Stage::Embed, engine);
    };
    let encoder = args.stage.project.model.clone().unwrap_or(EncoderConfig::default().model);
    let of = Embedding { encoder: &encoder, column, to: &args.added, vectors: args.vectors };
    arrow_stream::embed(&of, engine, &Terminal::new(args.stage.quiet))
}

/// Training with its evaluation.
pub fn train(args: &TrainArgs, engine: Option<&dyn Engine>) -> Result<Exit> {
    let StageArgs { project, force, quiet } = &args.stage;
    let settings = BuildSettings { to: Stage::Evaluate, from: force.then_some(Stage::Train) };
    let options = RunOptions {
        quiet: *quiet,
        json: project.json,
        require_gates: args.require_gates,
        always_summary: true,
    };
    run(&project.open()?, settings, options, engine)
}

/// All stages.
pub fn build(args: &BuildArgs, engine: Option<&dyn Engine>) -> Result<Exit> {
    let project = args.project.open()?;
    let from = if args.force { Some(Stage::Embed) } else { args.from };
    let to = args.to.unwrap_or(Stage::Evaluate);
    if let Some(from) = args.from.filter(|from| *from > to) {
        let message =
            format!("--from {} comes after --to {}: there is nothing to run", from.name(), to.name());
        return Err(BadUsage(message).into());
    }
    let settings = BuildSettings { to, from };
    if args.dry_run {
        return dry_run(&project, settings, args.project.json);
    }
    let options = RunOptions {
        quiet: args.quiet,
        json: args.project.json,
        require_gates: args.require_gates,
        always_summary: false,
    };
    run(&project, settings, options, engine)
}

fn dry_run(project: &Project, settings: BuildSettings, json: bool) -> Result<Exit> {
    let mut would = stages::due(project, settings)?;
    would.retain(|status| !status.reasons.is_empty());
    if would.iter().any(|status| status.stage == Stage::Embed) {
        table::check_columns(&project.config, &project.root).map_err(BuildError::from)?;
    }
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
    options: RunOptions,
    engine: Option<&dyn Engine>,
) -> Result<Exit> {
    let terminal = Terminal::new(options.quiet);
    let outcomes = stages::build(project, settings, engine, &terminal, &mut |stage, reasons| {
        terminal.note(&format!("{}: {}", stage.name(), because(reasons)));
    })?;
    report(project, &outcomes, options)
}

/// What each stage did; after an evaluation, its summary.
fn report(project: &Project, outcomes: &[StageOutcome], options: RunOptions) -> Result<Exit> {
    let evaluated = outcomes.iter().find(|o| o.stage == Stage::Evaluate);
    let run = || evaluated.and_then(|_| stages::current(project, &stages::runs(project).ok()?));
    if options.json {
        print_json(&json!({ "name": project.config.name, "run": run(), "stages": outcomes }))?;
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
            if evaluated.ran_because.is_empty() && !options.always_summary {
                text += &format!("the model is in {}\n", project.relative(&files.folder));
            } else {
                text += &format!("\n{}", coloured(&summary(&load_evaluation(&files)?)));
                text += &seconds(&evaluated.summary);
                let (folder, report) = (project.relative(&files.folder), project.relative(&files.report()));
                text += &format!("\n  everything is in {folder}/; to look at: {report}\n");
                if let Some(run) = run() {
                    text += &format!("  it is run {run}; `pipeline runs` lists all\n");
                }
            }
        }
        print(&text)?;
    }
    match evaluated.and_then(StageOutcome::summary::<EvaluateSummary>) {
        Some(summary) if options.require_gates => check_gates(summary),
        _ => Ok(Exit::Done),
    }
}

fn check_gates(summary: EvaluateSummary) -> Result<Exit> {
    let failed: Vec<String> = summary.gates.into_iter().filter(|g| !g.passed).map(|g| g.name).collect();
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

/// What head and baselines took.
fn seconds(evaluated: &Value) -> String {
    let Ok(EvaluateSummary { seconds, .. }) = serde_json::from_value(evaluated.clone()) else {
        return String::new();
    };
    let each: Vec<String> = seconds.iter().map(|of| format!("{} {:.1}", of.model, of.seconds)).collect();
    if each.is_empty() { String::new() } else { format!("\n  seconds a fold: {}\n", each.join("; ")) }
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
