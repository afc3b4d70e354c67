//! `pipeline build`, `embed`, `augment` and `train`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use toml_edit::{DocumentMut, InlineTable, Item, table};

use console::style;

use super::args::{BuildArgs, EmbedArgs, ProjectArgs, StageArgs, TrainArgs};
use super::arrow_stream;
use super::column_embedder::Embedding;
use super::embed_table::{Files, embed_table};
use super::exit::{BadUsage, Exit, FailedGates};
use super::output::{because, print, print_json};
use super::progress::Terminal;
use crate::config::EncoderConfig;
use crate::engine::Engine;
use crate::model::load_evaluation;
use crate::progress::Progress;
use crate::report::{summary, thorough_text};
use crate::stages::{self, BuildError, BuildSettings, EvaluateSummary, Project, Stage, StageOutcome};
use crate::store::{StoreError, write_atomic};

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

/// The embed stage; without a project, a table or a stream.
pub fn embed(args: &EmbedArgs, engine: Option<&dyn Engine>) -> Result<Exit> {
    let ProjectArgs { model, json, .. } = &args.stage.project;
    let encoder = model.clone().unwrap_or(EncoderConfig::default().model);
    let of = Embedding { column: args.column.as_deref(), to: &args.added, vectors: args.vectors };
    let terminal = || Terminal::new(args.stage.quiet);
    match (&args.file, &args.output) {
        (Some(table), Some(output)) => {
            embed_table(&Files { table, output }, &of, &encoder, *json, engine, &terminal())
        }
        _ if args.arrow_stream => arrow_stream::embed(&of, &encoder, engine, &terminal()),
        _ => stage(&args.stage, Stage::Embed, engine),
    }
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
    let project = if args.thorough { thorough(args, project, engine)? } else { project };
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

/// See whether an encoder that learns is better; the project, told so where it is.
fn thorough(args: &BuildArgs, project: Project, engine: Option<&dyn Engine>) -> Result<Project> {
    if !args.hours.is_finite() || args.hours <= 0.0 {
        return Err(BadUsage("--hours must be above 0".into()).into());
    }
    let terminal = Terminal::new(args.quiet);
    let found = stages::thorough(&project, args.hours, engine, &terminal, &mut |stage, reasons| {
        terminal.note(&format!("{}: {}", stage.name(), because(reasons)));
    })?;
    print(&thorough_text(&found))?;
    if !found.worth {
        return Ok(project);
    }
    let path = &args.project.config;
    let text = fs::read_to_string(path).map_err(StoreError::of("read", path))?;
    let told = with_settings(&text, &found.settings)
        .with_context(|| format!("{} cannot be told; set {}", path.display(), said(&found.settings)))?;
    write_atomic(path, |w| w.write_all(told.as_bytes()))?;
    print(&format!("{} now says {}\n", path.display(), said(&found.settings)))?;
    args.project.open()
}

/// A project file with some settings, its comments and its order as they are.
fn with_settings(text: &str, settings: &BTreeMap<String, Value>) -> Result<String> {
    let mut document: DocumentMut = text.parse()?;
    for (key, value) in settings {
        let (sections, name) = key.rsplit_once('.').unwrap_or(("", key));
        let mut at = document.as_item_mut();
        for section in sections.split('.') {
            let new = if at.is_inline_table() { Item::Value(InlineTable::new().into()) } else { table() };
            at = at.as_table_like_mut().context("a section is a value")?.entry(section).or_insert(new);
        }
        let at = at.as_table_like_mut().context("a section is a value")?;
        at.insert(name, format!("{value}").parse::<toml_edit::Value>()?.into());
    }
    Ok(document.to_string())
}

fn said(settings: &BTreeMap<String, Value>) -> String {
    let each: Vec<String> = settings.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    each.join(", ")
}

fn dry_run(project: &Project, settings: BuildSettings, json: bool) -> Result<Exit> {
    let mut would = stages::due(project, settings)?;
    would.retain(|status| !status.reasons.is_empty());
    if would.iter().any(|status| status.stage == Stage::Embed) {
        crate::table::check_columns(&project.config, &project.root).map_err(BuildError::from)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_project_file_is_told_and_stays_as_its_writer_left_it() {
        let plain = "name = \"t\" # mine\n[data]\nfiles = [\"a.csv\"]\ntext_fields = [\"t\"]\n[label]\ncolumn = \"l\"\n";
        let settings: BTreeMap<String, Value> = serde_json::from_value(json!({
            "train.encoder": "full", "train.head": "ensemble", "train.ensemble.heads": ["kernel", "logistic"],
            "train.ensemble.frozen": ["kernel"], "train.tuning.learning_rate": 1e-4,
        }))
        .unwrap();
        for more in ["", "[train] # heads\nhead = \"kernel\"\n", "[train]\n", "[train.kernel]\ngamma = 2.0\n"]
        {
            let told = with_settings(&format!("{plain}{more}"), &settings).unwrap();
            assert!(told.starts_with(plain), "{told}");
            assert!(more.is_empty() || told.contains(more.lines().next().unwrap()), "{told}");
            let config = Config::parse(&told, std::path::Path::new("p.toml")).unwrap();
            assert!(!config.train.encoder.is_frozen() && config.train.keeps_frozen());
        }
        let inline = format!("train = {{ range_weight = 0 }}\n{plain}").replace("range_weight = 0 ", "");
        assert!(
            Config::parse(&with_settings(&inline, &settings).unwrap(), std::path::Path::new("p")).is_ok()
        );
        assert!(with_settings("train = 3\nname = ", &settings).is_err());
    }
}
